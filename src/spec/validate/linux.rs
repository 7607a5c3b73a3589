//! `linux` without namespaces and limits: devices, paths, cgroup path, resctrl, memory policy, personality.

use super::circumstances::Circumstances;
use super::resources::{cpu_list, resources};
use super::seccomp::seccomp;
use crate::names;
use crate::spec::destination::is_root;
use crate::spec::findings::{At, Findings};
use crate::spec::text::given;
use crate::spec::{Device, IntelRdt, Linux, MemoryPolicy, Personality, RootChange};
use std::collections::BTreeMap;

pub fn linux(f: &mut Findings, at: &At, linux: &Linux, facts: &Circumstances) {
    devices(f, &at.key("devices"), &linux.devices);
    f.each(at.key("maskedPaths"), &linux.masked_paths, |f, at, path| {
        protected(f, at, path);
        if is_root(path) {
            f.refuse(at, path, "is the root, which cannot be masked", "leave it out");
        }
    });
    f.each(at.key("readonlyPaths"), &linux.readonly_paths, |f, at, path| {
        protected(f, at, path);
    });
    if let Some(mode) = given(&linux.rootfs_propagation) {
        rootfs_propagation(f, &at.key("rootfsPropagation"), mode, facts);
    }
    if let Some(path) = given(&linux.cgroups_path) {
        cgroups_path(f, &at.key("cgroupsPath"), path, facts);
    }
    f.some(at.key("mountLabel"), &linux.mount_label, |f, at, label| f.no_nul(at, label));
    f.some(at.key("resources"), &linux.resources, resources);
    f.some(at.key("seccomp"), &linux.seccomp, seccomp);
    f.some(at.key("intelRdt"), &linux.intel_rdt, intel_rdt);
    f.some(at.key("memoryPolicy"), &linux.memory_policy, memory_policy);
    f.some(at.key("personality"), &linux.personality, personality);
}

/// The highest numbers of the kernel's dev_t: 12 and 20 bits.
const LAST_MAJOR: i64 = 0xfff;
const LAST_MINOR: i64 = 0xf_ffff;

fn devices(f: &mut Findings, at: &At, devices: &[Device]) {
    let mut seen: BTreeMap<&str, &Device> = BTreeMap::new();
    for (i, device) in devices.iter().enumerate() {
        let at = at.index(i);
        place(f, &at.key("path"), &device.path);
        match &*device.kind {
            "c" | "b" | "u" => {
                for (name, number, last) in
                    [("major", device.major, LAST_MAJOR), ("minor", device.minor, LAST_MINOR)]
                {
                    match number {
                        Some(number) => f.range(&at.key(name), number, 0..=last),
                        None => {
                            f.warn_field(&at.key(name), "is missing for a device of this type: 0 is taken");
                        }
                    }
                }
            }
            "p" => {}
            kind => f.unknown(&at.key("type"), kind, ["c", "b", "u", "p"].into_iter()),
        }
        // Engines copy st_mode: the file type's bits may be there and mean nothing.
        if let Some(mode) = device.file_mode.filter(|mode| *mode > 0o177_777) {
            let what = "is not a file mode (decimal, as in 438 for 0666): the last nine bits count";
            f.warn(&at.key("fileMode"), mode, what);
        }
        for (name, id) in [("uid", device.uid), ("gid", device.gid)] {
            if id == Some(u32::MAX) {
                f.warn(&at.key(name), u32::MAX, "is what the kernel calls no id: 0 is taken");
            }
        }
        if let Some(earlier) = seen.insert(&device.path, device) {
            let same =
                (&earlier.kind, earlier.major, earlier.minor) == (&device.kind, device.major, device.minor);
            let how = if same { "" } else { ", as different devices: the first counts" };
            f.warn(&at.key("path"), &device.path, format!("is given twice{how}"));
        }
    }
}

/// A path in the container, which peers take from the root where it does not begin there.
fn place(f: &mut Findings, at: &At, path: &str) {
    if !path.is_empty() && !path.starts_with('/') {
        f.warn(at, path, "is not an absolute path: taken from the root");
        f.no_nul(at, path);
    } else {
        f.absolute_path(at, path);
    }
}

/// A path to protect.
fn protected(f: &mut Findings, at: &At, path: &str) {
    match path.is_empty() {
        true => f.warn_field(at, "is empty: ignored"),
        false => place(f, at, path),
    }
}

fn rootfs_propagation(f: &mut Findings, at: &At, mode: &str, facts: &Circumstances) {
    match names::propagation_mode(mode) {
        None => {
            let known = names::MOUNT_OPTIONS.iter().map(|option| option.name);
            f.unknown(at, mode, known.filter(|name| names::propagation_mode(name).is_some()));
        }
        Some((flag, _)) if facts.root_change == RootChange::MoveMount && flag == libc::MS_PRIVATE => {
            let remedy = "leave out --no-pivot, or use another propagation";
            f.refuse(at, mode, "is not safe without pivot_root", remedy);
        }
        Some(_) => {}
    }
}

fn cgroups_path(f: &mut Findings, at: &At, path: &str, facts: &Circumstances) {
    f.no_nul(at, path);
    if path.split('/').any(|part| part == "..") {
        f.refuse(at, path, "must not contain \"..\"", "write the path without \"..\"");
    }
    if facts.systemd_cgroup {
        let parts: Vec<&str> = path.split(':').collect();
        if parts.len() != 3 || parts[2].is_empty() {
            let remedy = "write it as in system.slice:runtime:name";
            f.refuse(at, path, "is not slice:prefix:name, which --systemd-cgroup needs", remedy);
        }
    } else if path.split(':').count() == 3 && !path.contains('/') {
        let what = "is slice:prefix:name, and without --systemd-cgroup only the name of a directory";
        f.warn(at, path, what);
    }
}

/// NAME_MAX.
const LONGEST_NAME: usize = 255;

fn intel_rdt(f: &mut Findings, at: &At, rdt: &IntelRdt) {
    if let Some(id) = &rdt.clos_id
        && &**id != "/"
        && (matches!(&**id, "." | "..") || id.contains(['/', '\n', '\0']) || id.len() > LONGEST_NAME)
    {
        let remedy = "use a plain name, or / for the default class";
        f.refuse(&at.key("closID"), id.escape_debug(), "is not the name of a directory", remedy);
    }
    let line = |f: &mut Findings, at: &At, text: &str| {
        if text.contains(['\n', '\0']) {
            f.refuse(at, text.escape_debug(), "is more than one line", "write one line of the schemata file");
        }
    };
    f.each(at.key("schemata"), rdt.schemata.as_deref().unwrap_or_default(), |f, at, schema| {
        line(f, at, schema);
        if !schema.contains(':') {
            let reason = "does not begin with the name of a resource";
            f.refuse(at, schema.escape_debug(), reason, "write it as in L3:0=7f0;1=1f");
        }
    });
    f.some(at.key("l3CacheSchema"), &rdt.l3_cache_schema, |f, at, schema| f.no_nul(at, schema));
    if let Some(schema) = given(&rdt.mem_bw_schema) {
        let at = at.key("memBwSchema");
        line(f, &at, schema);
        if !schema.starts_with("MB:") {
            f.refuse(&at, schema.escape_debug(), "does not begin with MB:", "write it as in MB:0=20;1=70");
        }
    }
}

fn memory_policy(f: &mut Findings, at: &At, policy: &MemoryPolicy) {
    f.known(&at.key("mode"), &names::MEMORY_POLICY_MODES, &policy.mode);
    let mut flags = 0;
    f.each(at.key("flags"), &policy.flags, |f, at, flag| {
        flags |= f.known(at, &names::MEMORY_POLICY_FLAGS, flag).unwrap_or(0);
    });
    let (relative, fixed) = (libc::MPOL_F_RELATIVE_NODES as u32, libc::MPOL_F_STATIC_NODES as u32);
    if flags & relative != 0 && flags & fixed != 0 {
        let reason = "has both MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES";
        f.refuse_field(&at.key("flags"), reason, "keep one: they exclude each other");
    }
    let balancing = flags & libc::MPOL_F_NUMA_BALANCING as u32 != 0;
    if balancing && !matches!(&*policy.mode, "MPOL_BIND" | "MPOL_PREFERRED_MANY") {
        let reason = "has MPOL_F_NUMA_BALANCING, which this mode does not accept";
        f.refuse_field(&at.key("flags"), reason, "use MPOL_BIND, or remove the flag");
    }
    let at = at.key("nodes");
    let nodes = given(&policy.nodes);
    if let Some(nodes) = nodes {
        cpu_list(f, &at, nodes);
    }
    match (&*policy.mode, nodes) {
        ("MPOL_DEFAULT" | "MPOL_LOCAL", Some(nodes)) => {
            f.refuse(&at, nodes, "does not apply to this mode", "leave it out");
        }
        ("MPOL_BIND" | "MPOL_INTERLEAVE" | "MPOL_WEIGHTED_INTERLEAVE" | "MPOL_PREFERRED_MANY", None) => {
            f.refuse_field(&at, "is missing for this mode", "list the nodes, as in \"0-1\"");
        }
        _ => {}
    }
}

fn personality(f: &mut Findings, at: &At, personality: &Personality) {
    f.known(&at.key("domain"), &names::PERSONALITY_DOMAINS, &personality.domain);
    f.each(at.key("flags"), &personality.flags, |f, at, flag| {
        if names::find(&names::PERSONALITY_FLAGS, flag).is_none() {
            f.warn(at, flag, "is not a known personality flag: ignored");
        }
    });
}
