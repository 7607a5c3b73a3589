//! The annotations of a config that mean something to a runtime: one table that the code, `features` and the rules read.
//!
//! An annotation may come from an image (config.md, Annotations; features.md, Unsafe annotations): every name that
//! changes what this program does is listed by `features`, so that an engine can refuse it. One that would
//! need what this program lacks is an error or a warning, never ignored silently.
//!
//! One that reaches the host (opens a file there, connects to a socket, gives a right of the caller's) is done only where
//! the administrator allows it (`engine/life/allowed.rs`), whatever this program is called.

pub mod landlock;

use super::findings::{At, Findings, ROOT};
use super::{Spec, Text};
use crate::error::Result;
use landlock::Landlock;
use std::collections::BTreeMap;
use std::ops::Bound;

pub const LANDLOCK: &str = "org.rruntime.landlock";
pub const CRIU_CONFIG: &str = "org.criu.config";
pub const PIDFD_RECEIVER: &str = "run.oci.pidfd_receiver";
pub const SECCOMP_RECEIVER: &str = "run.oci.seccomp.receiver";
pub const SECCOMP_FAIL_UNKNOWN: &str = "run.oci.seccomp_fail_unknown_syscall";
pub const SECCOMP_BPF: &str = "run.oci.seccomp_bpf_data";
pub const KEEP_GROUPS: &str = "run.oci.keep_original_groups";
pub const HOOKS_STDOUT: &str = "run.oci.hooks.stdout";
pub const HOOKS_STDERR: &str = "run.oci.hooks.stderr";
pub const DELEGATE_CGROUP: &str = "run.oci.delegate-cgroup";
pub const SUBGROUP: &str = "run.oci.systemd.subgroup";
/// The beginning of those that name a property of the scope that systemd makes.
pub const UNIT_PROPERTY: &str = "org.systemd.property.";
pub const MOUNT_CONTEXT: &str = "run.oci.mount_context_type";

/// What an annotation is to this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Done as it says, whatever its value is.
    Honoured,
    /// It reaches the host: done as it says where it is allowed.
    Reaches,
    /// The same; the value is an absolute path of the host.
    ReachesPath,
    /// Done as it says; the value is one of these.
    HonouredWord(&'static [&'static str]),
    /// Done as it says; the value is Landlock rules.
    LandlockRules,
    /// It shapes the cgroup that systemd makes; a warning where it makes none.
    SystemdCgroup,
    /// The same without a warning: engines write it with every driver of cgroups.
    UnitProperty,
    /// It asks for something that this program lacks.
    Missing(&'static str),
    /// It tunes a handler that this program lacks.
    Tuning(&'static str),
}

use Standing::*;

/// Names, in alphabetical order; one that ends with a point stands for all that begin with it.
pub const ANNOTATIONS: [(&str, Standing); 18] = [
    ("krun.", Tuning("libkrun's virtual machines")),
    ("module.wasm.image/variant", Missing("a WebAssembly engine")),
    (CRIU_CONFIG, Reaches),
    (LANDLOCK, LandlockRules),
    (UNIT_PROPERTY, UnitProperty),
    (DELEGATE_CGROUP, SystemdCgroup),
    ("run.oci.handler", Missing("handlers that replace the kernel's own execve")),
    (HOOKS_STDERR, ReachesPath),
    (HOOKS_STDOUT, ReachesPath),
    (KEEP_GROUPS, Reaches),
    (MOUNT_CONTEXT, HonouredWord(&["context", "fscontext", "defcontext", "rootcontext"])),
    (PIDFD_RECEIVER, ReachesPath),
    ("run.oci.seccomp.plugins", Missing("plugins that answer seccomp notifications")),
    (SECCOMP_RECEIVER, ReachesPath),
    (SECCOMP_BPF, Honoured),
    (SECCOMP_FAIL_UNKNOWN, Honoured),
    (
        "run.oci.systemd.force_cgroup_v1",
        Missing("a mount of systemd's v1 hierarchy in place of another mount"),
    ),
    (SUBGROUP, SystemdCgroup),
];

/// The names that change what this program does, for `features`.
pub fn honoured() -> impl Iterator<Item = &'static str> {
    named(|standing| !matches!(standing, Missing(_) | Tuning(_)))
}

/// The names of those that reach the host.
pub fn reaching() -> impl Iterator<Item = &'static str> {
    named(|standing| matches!(standing, Reaches | ReachesPath))
}

fn named(is: fn(&Standing) -> bool) -> impl Iterator<Item = &'static str> {
    ANNOTATIONS.into_iter().filter(move |(_, standing)| is(standing)).map(|(name, _)| name)
}

/// The JSON pointer of one.
pub fn pointer(name: &str) -> String {
    ROOT.key("annotations").key(name).to_string()
}

/// The value, if the annotation is present.
pub fn find<'a>(annotations: &'a BTreeMap<Text, Text>, name: &str) -> Option<&'a str> {
    annotations.get(name).map(|value| &**value)
}

/// The Landlock rules of a config, if it has any.
pub fn landlock(spec: &Spec) -> Result<Option<Landlock>> {
    let Some(text) = find(&spec.annotations, LANDLOCK) else { return Ok(None) };
    let mut f = Findings::default();
    let rules = landlock::read(&mut f, &ROOT.key("annotations").key(LANDLOCK), text);
    f.finish().map(|_| Some(rules))
}

/// The value of one that reaches the host, if it is present and allowed.
pub fn allowed<'s>(spec: &'s Spec, name: &str) -> Option<&'s str> {
    let mut allowed = spec.amendments.allowed_annotations.iter().flatten();
    find(&spec.annotations, name).filter(|_| allowed.any(|allowed| allowed == name))
}

/// Those that name a property of the scope: the annotation, the property, the text of its value.
pub fn unit_properties<'a>(
    annotations: &'a BTreeMap<Text, Text>,
) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
    let all = annotations.range::<str, _>((Bound::Included(UNIT_PROPERTY), Bound::Unbounded));
    all.map_while(|(name, value)| Some((&**name, name.strip_prefix(UNIT_PROPERTY)?, &**value)))
}

/// The administrator's list of annotations that may reach the host.
pub const LIST: &str = "/etc/rruntime/annotations.allow";

/// The remedy for one that is not allowed.
pub fn how_to_allow(name: &str) -> String {
    format!(
        "the administrator allows it by a line \"{name}\" in {LIST}, the caller by --allow-annotation {name}"
    )
}

/// Copies, for the state.
pub fn owned(annotations: &BTreeMap<Text, Text>) -> BTreeMap<String, String> {
    let mut owned = BTreeMap::new();
    // Not collected: that would bring a sort of its own, ten kilobytes of it.
    owned.extend(annotations.iter().map(|(name, value)| (name.to_string(), value.to_string())));
    owned
}

/// The rules, for `validate`. A config may have any number of annotations: it is the table that is gone through.
pub fn check(f: &mut Findings, annotations: &BTreeMap<Text, Text>, systemd_cgroup: bool) {
    // BTreeMap order: an empty key comes first.
    if annotations.first_key_value().is_some_and(|(key, _)| key.is_empty()) {
        f.warn_field(&ROOT.key("annotations"), "has an empty key, which the specification forbids");
    }
    for (known, standing) in ANNOTATIONS {
        let from = (Bound::Included(known), Bound::Unbounded);
        let meant = |name: &str| name == known || (known.ends_with('.') && name.starts_with(known));
        for (name, value) in annotations.range::<str, _>(from).take_while(|(name, _)| meant(name)) {
            if standing == SystemdCgroup && systemd_cgroup {
                continue;
            }
            check_one(f, &ROOT.key("annotations").key(name), value, standing);
        }
    }
}

fn check_one(f: &mut Findings, at: &At, value: &str, standing: Standing) {
    match standing {
        Honoured | Reaches | UnitProperty => {}
        LandlockRules => drop(landlock::read(f, at, value)),
        ReachesPath => {
            f.absolute_path(at, value);
        }
        HonouredWord(words) if words.contains(&value) => {}
        HonouredWord(words) => f.unknown(at, value, words.iter().copied()),
        SystemdCgroup => f.warn(at, value, "applies only to cgroups that systemd creates: ignored"),
        Missing(what) => f.refuse(
            at,
            value,
            format!("needs {what}, which rruntime does not have"),
            "leave the annotation out, or use a runtime that has it",
        ),
        Tuning(what) => {
            f.warn(at, value, format!("applies to {what}, which rruntime does not have: ignored"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_features_tells_the_honoured_ones() {
        assert!(ANNOTATIONS.is_sorted_by_key(|(name, _)| *name));
        assert_eq!(honoured().count(), 13);
    }
}
