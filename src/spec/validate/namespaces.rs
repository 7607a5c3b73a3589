//! `linux.namespaces`, and every field that needs one of them: without its namespace a field would change
//! the host instead of the container, so it is refused.

use super::circumstances::Circumstances;
use super::sysctl;
use crate::names;
use crate::names::namespaces::{MOUNT, NETWORK, TIME, USER, UTS};
use crate::spec::findings::{At, Findings, ROOT};
use crate::spec::text::given;
use crate::spec::{IdMapping, Linux, Spec};
use std::collections::BTreeSet;

/// The namespaces of a config, as `CLONE_NEW…` bits.
#[derive(Clone, Copy, Default)]
pub struct Held {
    made: u64,
    joined: u64,
}

impl Held {
    pub fn of(spec: &Spec) -> Held {
        let mut held = Held::default();
        for namespace in &spec.linux().namespaces {
            let Some(known) = names::namespace(&namespace.kind) else { continue };
            let how = if given(&namespace.path).is_some() { &mut held.joined } else { &mut held.made };
            *how |= known.flag;
        }
        held
    }

    /// The container makes or joins it.
    pub fn has(&self, flag: u64) -> bool {
        (self.made | self.joined) & flag != 0
    }

    pub fn makes(&self, flag: u64) -> bool {
        self.made & flag != 0
    }

    pub fn joins(&self, flag: u64) -> bool {
        self.joined & flag != 0
    }
}

pub fn namespaces(f: &mut Findings, spec: &Spec, facts: &Circumstances) {
    let held = Held::of(spec);
    uts(f, spec, held);
    domain(f, spec);
    if !spec.mounts.is_empty() && !held.has(MOUNT) {
        needs(f, &ROOT.key("mounts"), "mount");
    }
    if facts.unprivileged && !held.has(USER) {
        let reason = "lacks a user namespace, which an ordinary user's container needs";
        let remedy = "add {\"type\": \"user\"} with uidMappings and gidMappings, or run as root";
        f.refuse_field(&ROOT.key("linux").key("namespaces"), reason, remedy);
    }
    let linux = spec.linux();
    let at = ROOT.key("linux");
    listed(f, at.key("namespaces"), linux);
    user(f, &at, spec, linux, held);
    if !held.has(MOUNT) {
        let (root, process, hooks) = (ROOT.key("root"), ROOT.key("process"), ROOT.key("hooks"));
        let readonly = spec.root.as_ref().is_some_and(|root| root.readonly);
        let propagation = given(&linux.rootfs_propagation).is_some();
        for (at, used) in [
            (root.key("readonly"), readonly),
            (at.key("rootfsPropagation"), propagation),
            (at.key("maskedPaths"), !linux.masked_paths.is_empty()),
            (at.key("readonlyPaths"), !linux.readonly_paths.is_empty()),
            (at.key("devices"), !linux.devices.is_empty()),
            (process.key("terminal"), spec.process.as_ref().is_some_and(|process| process.terminal)),
            // They would run in the host's root.
            (
                hooks.key("startContainer"),
                spec.hooks.as_ref().is_some_and(|hooks| !hooks.start_container.is_empty()),
            ),
        ] {
            if used {
                needs(f, &at, "mount");
            }
        }
    }
    sysctl::sysctls(f, &at.key("sysctl"), &linux.sysctl, |kind| {
        names::namespace(kind).is_some_and(|namespace| held.has(namespace.flag))
    });
    time(f, &at.key("timeOffsets"), linux, held);
    net_devices(f, &at.key("netDevices"), linux, held, facts);
}

fn needs(f: &mut Findings, at: &At, kind: &str) {
    let reason = format!("needs a {kind} namespace of the container's own");
    f.refuse_field(at, reason, format!("add {{\"type\": \"{kind}\"}} to linux.namespaces, or remove it"));
}

fn listed(f: &mut Findings, at: At, linux: &Linux) {
    let mut seen = 0u64;
    f.each(at, &linux.namespaces, |f, at, namespace| {
        match names::namespace(&namespace.kind) {
            None => {
                let kinds = names::NAMESPACES.iter().map(|known| known.kind);
                f.unknown(&at.key("type"), &namespace.kind, kinds);
            }
            Some(known) if seen & known.flag != 0 => {
                let remedy = "remove one: the specification allows one entry for each type";
                f.refuse(&at.key("type"), &namespace.kind, "is given twice", remedy);
            }
            Some(known) => seen |= known.flag,
        }
        if let Some(path) = given(&namespace.path) {
            f.absolute_path(&at.key("path"), path);
        }
    });
}

/// Of a field and a sysctl that says something else, one would be overlooked.
fn domain(f: &mut Findings, spec: &Spec) {
    let Some(name) = given(&spec.domainname) else { return };
    let at = ROOT.key("linux");
    let at = at.key("sysctl");
    for (key, value) in &spec.linux().sysctl {
        if &**value != name && sysctl::sysctl_path(key).as_deref() == Some("kernel/domainname") {
            let reason = format!("contradicts the field domainname, which is {name:?}");
            f.refuse(&at.key(key), value, reason, "set domainname alone");
        }
    }
}

/// The kernel's __NEW_UTS_LEN.
const LONGEST_UTS_NAME: usize = 64;

fn uts(f: &mut Findings, spec: &Spec, held: Held) {
    for (field, name) in [("hostname", &spec.hostname), ("domainname", &spec.domainname)] {
        let Some(name) = given(name) else { continue };
        let at = ROOT.key(field);
        if !held.has(UTS) {
            needs(f, &at, "uts");
        }
        if name.len() > LONGEST_UTS_NAME {
            f.refuse(&at, name, "is longer than 64 bytes", "shorten it: the kernel accepts no more");
        }
        f.no_nul(&at, name);
    }
}

fn user(f: &mut Findings, at: &At, spec: &Spec, linux: &Linux, held: Held) {
    for (name, ranges) in [("uidMappings", &linux.uid_mappings), ("gidMappings", &linux.gid_mappings)] {
        let at = at.key(name);
        if !held.has(USER) {
            if !ranges.is_empty() {
                f.warn_field(&at, "applies to a user namespace, and linux.namespaces has none: ignored");
            }
            continue;
        }
        mappings(f, &at, ranges);
        if held.joins(USER) {
            if !ranges.is_empty() {
                let what = "the user namespace that is joined has its own mappings, which apply instead";
                f.warn_field(&at, what);
            }
        } else if held.makes(USER) {
            if ranges.is_empty() {
                let remedy =
                    "map at least id 0, as in [{\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}]";
                f.refuse_field(&at, "is missing for the new user namespace", remedy);
            } else if lacks(ranges, 0) {
                f.refuse_field(&at, "does not map the container's id 0", "add a range with containerID 0");
            }
        }
    }
    if let Some(process) = spec.process.as_ref().filter(|_| held.makes(USER)) {
        let at = ROOT.key("process");
        let at = at.key("user");
        let mapped = |f: &mut Findings, at: &At, ranges: &[IdMapping], id: u32| {
            if !ranges.is_empty() && lacks(ranges, id) {
                f.refuse(at, id, "is not mapped into the user namespace", "add it to a mapping in linux");
            }
        };
        mapped(f, &at.key("uid"), &linux.uid_mappings, process.user.uid);
        mapped(f, &at.key("gid"), &linux.gid_mappings, process.user.gid);
        f.each(at.key("additionalGids"), &process.user.additional_gids, |f, at, gid| {
            mapped(f, at, &linux.gid_mappings, *gid);
        });
    }
}

/// Whether one of the ranges has this id of the container.
pub fn is_mapped(ranges: &[IdMapping], id: u32) -> bool {
    ranges.iter().any(|range| id >= range.container_id && id - range.container_id < range.size)
}

/// Whether this id is missing. An empty range is a mistake of its own, and would have the id as likely as not.
fn lacks(ranges: &[IdMapping], id: u32) -> bool {
    !is_mapped(ranges, id) && ranges.iter().all(|range| range.size > 0)
}

/// The kernel's UID_GID_MAP_MAX_EXTENTS.
const MOST_RANGES: usize = 340;

/// user_namespaces(7): ranges are not empty, end before the "no id" 2^32-1, and do not overlap on either side.
pub fn mappings(f: &mut Findings, at: &At, ranges: &[IdMapping]) {
    if ranges.len() > MOST_RANGES {
        let remedy = "merge them into at most 340";
        return f.refuse(at, ranges.len(), "has more ranges than the kernel accepts", remedy);
    }
    for (i, range) in ranges.iter().enumerate() {
        let at = at.index(i);
        if range.size == 0 {
            f.refuse(&at.key("size"), 0, "is an empty range", "give the number of ids, at least 1");
            continue;
        }
        for (side, first) in [("containerID", range.container_id), ("hostID", range.host_id)] {
            if first.checked_add(range.size).is_none() {
                let reason = format!("and size {} go past the highest id 4294967294", range.size);
                f.refuse(&at.key(side), first, reason, "make the range smaller");
            }
        }
        for (j, earlier) in ranges[..i].iter().enumerate() {
            let meets = |a: u32, b: u32| {
                u64::from(a) < u64::from(b) + u64::from(earlier.size)
                    && u64::from(b) < u64::from(a) + u64::from(range.size)
            };
            for (side, a, b) in [
                ("containerID", range.container_id, earlier.container_id),
                ("hostID", range.host_id, earlier.host_id),
            ] {
                if meets(a, b) {
                    let reason = format!("overlaps range {j}");
                    f.refuse(&at.key(side), a, reason, "list each id in one range only");
                }
            }
        }
    }
}

fn time(f: &mut Findings, at: &At, linux: &Linux, held: Held) {
    if linux.time_offsets.is_empty() {
        return;
    }
    if held.joins(TIME) {
        let remedy = "remove the offsets, or the path of the time namespace";
        f.refuse_field(at, "cannot change in a time namespace that is joined", remedy);
    } else if !held.has(TIME) {
        needs(f, at, "time");
    }
    for (clock, offset) in &linux.time_offsets {
        let at = at.key(clock);
        if !matches!(&**clock, "boottime" | "monotonic") {
            f.refuse_field(&at, "is not a clock of a time namespace", "use boottime or monotonic");
        }
        f.range(&at.key("nanosecs"), offset.nanosecs, 0..=999_999_999);
    }
}

fn net_devices(f: &mut Findings, at: &At, linux: &Linux, held: Held, facts: &Circumstances) {
    if linux.net_devices.is_empty() {
        return;
    }
    if !held.has(NETWORK) {
        needs(f, at, "network");
    }
    if facts.unprivileged {
        f.refuse_field(at, "cannot be moved by an ordinary user", "remove it, or run as root");
    }
    let mut inside = BTreeSet::new();
    for (host, device) in &linux.net_devices {
        let at = at.key(host);
        if let Some(remedy) = interface_problem(host) {
            f.refuse_field(&at, "is not a valid name of a network device", remedy);
        }
        let renamed = given(&device.name);
        // The kernel replaces `%d` with the lowest free number.
        let pattern = renamed.and_then(|name| name.strip_suffix("%d"));
        let tried = pattern.map(|stem| format!("{stem}00"));
        if let Some(name) = renamed
            && let Some(remedy) = interface_problem(tried.as_deref().unwrap_or(name))
        {
            f.refuse(&at.key("name"), name, "is not a valid name of a network device", remedy);
        }
        let name = renamed.unwrap_or(host);
        if pattern.is_none() && !inside.insert(name) {
            f.refuse(&at.key("name"), name, "names two devices in the container", "choose another name");
        }
    }
}

/// The kernel's dev_valid_name, and `%`, with which a name becomes a pattern. Only a name inside may be one, by `%d` at
/// its end.
fn interface_problem(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("give a name"),
        "." | ".." => Some("choose another name"),
        _ if name.len() > 15 => Some("use at most 15 characters"),
        _ if name.bytes().any(|b| matches!(b, b'/' | b':' | b'%' | 0 | 0x0b) || b.is_ascii_whitespace()) => {
            Some(
                "do not use /, :, spaces or NUL bytes; % is allowed only as %d at the end of the name inside",
            )
        }
        _ => None,
    }
}
