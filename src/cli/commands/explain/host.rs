//! What this host lacks of what a plan asks for: obstacles, which `create` or `start` would fail at, and what has no effect.

use super::capabilities;
use super::cgroups;
use super::page::{Page, Weight};
use crate::cgroup::{Leg, Version};
use crate::engine::Whole;
use crate::error::{Error, Kind};
use crate::host::{subordinate, survey};
use crate::names::namespaces::USER;
use crate::names::{self, NAMESPACES, capability_names};
use crate::spec::{IdMapping, Spec};
use crate::state::owner::UserNames;
use crate::sys::identity;
use crate::wire::Step;
use std::fs;
use std::path::PathBuf;

type Add<'a> = &'a mut dyn FnMut(Weight, Error);

const CHECKS: [fn(&Spec, &Whole, Add); 9] = [
    controllers,
    labels,
    namespaces,
    id_maps,
    memory_policy,
    old_limits,
    lost_capabilities,
    no_device_rules,
    user_name,
];

pub fn all(spec: &Spec, whole: &Whole, page: &mut Page) {
    CHECKS.iter().for_each(|check| check(spec, whole, &mut |weight, error| page.find(weight, error)));
}

/// Limits whose controller, or whose file, is not here.
fn controllers(_: &Spec, whole: &Whole, add: Add) {
    let layout = &whole.ready.prepared.host.cgroups;
    let has = survey::controllers(layout);
    for (leg, write) in cgroups::writes(whole) {
        let quoted = write.quoted().to_owned();
        let vacuous = write.if_absent == crate::cgroup::IfAbsent::Ignore;
        let of = |error: Error| error.field(write.field.clone()).value(&quoted);
        if leg.version == Version::V2 && write.controller != "cgroup" && !has.contains(&write.controller) {
            match vacuous {
                true => add(Weight::NoEffect, of(Error::new("the cgroup controller is not available here"))),
                false => add(Weight::Obstacle, write.no_controller()),
            }
        } else if let Some(example) = example(leg, &write.controller)
            && !example.join(&*write.file).exists()
            && write.if_absent == crate::cgroup::IfAbsent::Fail
        {
            let error = Error::new(format!("this kernel has no file {} in its cgroups", write.file));
            add(Weight::Obstacle, of(error.kind(Kind::Unsupported)).remedy("remove the limit"));
        }
    }
}

/// Any group of this hierarchy that has the controller: its files are those of the kernel.
fn example(leg: &Leg, controller: &str) -> Option<PathBuf> {
    let groups = fs::read_dir(&leg.mount).ok()?.flatten();
    let mut groups = groups.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    groups.find_map(|entry| {
        let group = entry.path();
        let list = survey::value(&group.join("cgroup.controllers").display().to_string());
        let has = leg.version == Version::V1
            || list.is_some_and(|list| list.split(' ').any(|one| one == controller));
        has.then_some(group)
    })
}

fn labels(spec: &Spec, whole: &Whole, add: Add) {
    for (step, field) in whole.plan.script.steps() {
        let Step::LabelFile { file, value } = step else { continue };
        let (module, there) = match file == c"attr/apparmor/exec" {
            true => ("AppArmor", survey::has_apparmor()),
            false => ("SELinux", survey::has_selinux()),
        };
        if !there {
            let error = Error::new(format!("this kernel runs without {module}, so the label cannot be set"));
            let value = String::from_utf8_lossy(value.0).into_owned();
            let remedy = "leave it out on this host";
            add(Weight::Obstacle, error.field_if(field.pointer(spec)).value(value).remedy(remedy));
        }
    }
}

fn namespaces(spec: &Spec, whole: &Whole, add: Add) {
    let (created, known) = (whole.plan.created, survey::namespaces());
    for namespace in NAMESPACES.iter().filter(|one| created & one.flag != 0 && !known.contains(&one.kind)) {
        let at = spec.linux().namespaces.iter().position(|one| &*one.kind == namespace.kind);
        let field = format!("/linux/namespaces/{}", at.unwrap_or_default());
        let error = Error::new("this kernel has no such namespaces").field(field).value(namespace.kind);
        add(Weight::Obstacle, error.remedy("leave it out, or use a kernel that was built with them"));
    }
    let asks = created & USER != 0 && !whole.facts.administrator;
    // A profile of the caller's is no refusal by itself: only the switches of the host are.
    let switch = |file: &str| survey::value(file).filter(|_| file.starts_with("/proc/sys/"));
    if let Some(remedy) = survey::user_namespaces_refused(switch).filter(|_| asks) {
        let error = Error::new("this caller may not make a user namespace here").field("/linux/namespaces");
        add(Weight::Obstacle, error.remedy(remedy));
    }
}

/// An ordinary user may map its own id, and the ranges that the administrator has given it (user_namespaces(7)).
fn id_maps(_: &Spec, whole: &Whole, add: Add) {
    let Some((users, groups)) = &whole.plan.id_maps else { return };
    if whole.facts.administrator {
        return;
    }
    let (uid, name) = (whole.facts.euid, UserNames::of_host().name(whole.facts.euid));
    let halves = [
        ("/linux/uidMappings", users, subordinate::UIDS, uid),
        ("/linux/gidMappings", groups, subordinate::GIDS, identity::egid()),
    ];
    for (field, maps, file, own) in halves {
        let ranges = subordinate::ranges(file, &name, uid);
        let end = |first: u32, count: u32| u64::from(first) + u64::from(count);
        let within = |of: &IdMapping| {
            let of_range = |&(first, count): &(u32, u32)| {
                first <= of.host_id && end(of.host_id, of.size) <= end(first, count)
            };
            (of.host_id == own && of.size == 1) || ranges.iter().any(of_range)
        };
        if let Some(at) = maps.iter().position(|of| !within(of)) {
            let error = Error::new(format!("is neither this caller's own id nor in its ranges of {file}"));
            let remedy = format!("map {own}, or ids that {file} gives to {name}");
            let error = error.field(format!("{field}/{at}/hostID")).value(maps[at].host_id).remedy(remedy);
            add(Weight::Obstacle, error);
        }
    }
}

fn memory_policy(spec: &Spec, whole: &Whole, add: Add) {
    let asks = whole.plan.script.steps().any(|(step, _)| matches!(step, Step::MemoryPolicy { .. }));
    if asks && spec.linux().memory_policy.is_some() && !survey::has_memory_policies() {
        let error = Error::new("this kernel has no memory policies").field("/linux/memoryPolicy");
        add(Weight::Obstacle, error.remedy("leave it out, or use a kernel with CONFIG_NUMA"));
    }
}

/// Limits that the kernel stores and does not look at (getrlimit(2)).
const OLD_LIMITS: [u32; 2] = [names::RLIMIT_LOCKS, names::RLIMIT_RSS];

fn old_limits(spec: &Spec, whole: &Whole, add: Add) {
    for (step, field) in whole.plan.script.steps() {
        if let Step::Rlimit { resource, .. } = step
            && OLD_LIMITS.contains(&resource)
        {
            let error = Error::new("no Linux since 2.6 looks at this limit").field_if(field.pointer(spec));
            add(Weight::NoEffect, error.remedy("limit memory by /linux/resources/memory/limit"));
        }
    }
}

/// A field of Windows. On Linux the ids alone count, and a name in their place leaves them 0.
fn user_name(spec: &Spec, _: &Whole, add: Add) {
    let Some(name) = spec.process.as_ref().and_then(|process| process.user.username.as_deref()) else {
        return;
    };
    let error = Error::new("is for Windows: on Linux uid and gid decide").field("/process/user/username");
    add(
        Weight::NoEffect,
        error.value(name).remedy("set uid and gid to the numbers in the image's /etc/passwd"),
    );
}

/// Another user than root loses by the exec what is not ambient.
fn lost_capabilities(_: &Spec, whole: &Whole, add: Add) {
    let sets = capabilities::sets(whole.plan);
    let lost = sets.permitted & !capabilities::after_exec(whole.plan, &sets);
    if lost != 0 {
        let names = capability_names(lost).collect::<Vec<_>>().join(" ");
        let reason = "the program loses it by its exec, unless its file has capabilities";
        let error = Error::new(reason).field("/process/capabilities/permitted").value(names);
        add(Weight::NoEffect, error.remedy("add the capability to the inheritable and the ambient set"));
    }
}

fn no_device_rules(spec: &Spec, whole: &Whole, add: Add) {
    let listed = spec.linux().resources.as_ref().is_some_and(|resources| !resources.devices.is_empty());
    let prepared = &whole.ready.prepared;
    if listed && prepared.limits.devices.is_none() && prepared.host.cgroup.is_some() {
        let reason = "an ordinary user can load no device rules; in a user namespace the kernel makes no device anyway";
        add(Weight::NoEffect, Error::new(reason).field("/linux/resources/devices"));
    }
}
