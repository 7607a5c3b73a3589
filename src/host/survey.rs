//! What this host has of what containers can ask for. For `info` and `features --host`: each answer is asked of the
//! kernel when it is needed, and what cannot be asked counts as absent.

use super::cgroups::Layout;
use crate::names;
use nix::sys::statfs::{FsType, statfs};
use std::fs;
use std::path::{Path, PathBuf};

/// RDTGROUP_SUPER_MAGIC (linux/magic.h).
const RESCTRL_MAGIC: FsType = FsType(0x0765_5821);

/// The namespaces that this kernel makes.
pub fn namespaces() -> Vec<&'static str> {
    let known = |n: &&names::Namespace| Path::new("/proc/self/ns").join(n.proc_name).exists();
    names::NAMESPACES.iter().filter(known).map(|namespace| namespace.kind).collect()
}

/// Every controller that a container here can get, sorted. Named v1 hierarchies are not controllers.
pub fn controllers(layout: &Layout) -> Vec<String> {
    let of_v1 = layout.hierarchies.iter().flat_map(|hierarchy| hierarchy.controllers.iter().cloned());
    let mut found: Vec<String> = of_v1
        .filter(|name| !name.starts_with("name="))
        .chain(layout.unified.iter().flat_map(|mount| words(&format!("{}/cgroup.controllers", mount.path))))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// "v2", "v1" or "hybrid".
pub fn layout_name(layout: &Layout) -> &'static str {
    match &layout.unified {
        _ if layout.is_unified() => "v2",
        None => "v1",
        Some(_) => "hybrid",
    }
}

/// The seccomp actions that the kernel knows ("kill_process", "errno" …); empty without seccomp.
pub fn seccomp_actions() -> Vec<String> {
    words("/proc/sys/kernel/seccomp/actions_avail")
}

/// The security modules that are on.
pub fn security_modules() -> Vec<String> {
    let list = value("/sys/kernel/security/lsm").unwrap_or_default();
    list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

pub fn has_apparmor() -> bool {
    value("/sys/module/apparmor/parameters/enabled").is_some_and(|word| word == "Y")
}

/// What keeps this caller from making user namespaces, and how to change that; `value` reads a file ([`value`]).
pub fn user_namespaces_refused(value: impl Fn(&str) -> Option<String>) -> Option<String> {
    const SWITCHES: [(&str, &str, &str); 2] = [
        (
            "/proc/sys/kernel/unprivileged_userns_clone",
            "0",
            "this host lets only root make user namespaces: sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "AppArmor lets only programs with a profile make user namespaces: give rruntime one that has \"userns,\", or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ];
    let set = |(file, refuses, _): &&(&str, &str, &str)| value(file).is_some_and(|word| word == *refuses);
    if let Some((.., remedy)) = SWITCHES.iter().find(set) {
        return Some((*remedy).to_owned());
    }
    let label = value("/proc/self/attr/apparmor/current").filter(|label| label != "unconfined")?;
    let profile = label.rsplit_once(" (").map_or(&*label, |(name, _)| name);
    Some(format!("the caller's AppArmor profile {profile} must have \"userns,\" and \"capability,\""))
}

pub fn has_core() -> bool {
    Path::new("/proc/kcore").exists()
}

pub fn has_selinux() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}

pub fn has_resctrl() -> bool {
    statfs("/sys/fs/resctrl").is_ok_and(|found| found.filesystem_type() == RESCTRL_MAGIC)
}

/// Whether resctrl counts what groups use.
pub fn has_resctrl_monitoring() -> bool {
    Path::new("/sys/fs/resctrl/info/L3_MON").exists()
}

/// Whether the kernel has memory policies (CONFIG_NUMA).
pub fn has_memory_policies() -> bool {
    Path::new("/sys/devices/system/node").exists()
}

/// A program of this name in PATH.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into());
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// A file of /proc or /sys with one value.
pub fn value(file: &str) -> Option<String> {
    fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}

/// The number behind a heading of /proc/meminfo, in KiB.
pub fn memory_kib(heading: &str) -> Option<u64> {
    let table = fs::read_to_string("/proc/meminfo").ok()?;
    let line = table.lines().find_map(|line| line.strip_prefix(heading)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

fn words(file: &str) -> Vec<String> {
    value(file).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_refuses_user_namespaces_is_named_with_its_remedy() {
        let host = |set: &'static [(&str, &str)]| {
            user_namespaces_refused(|file| {
                set.iter().find(|(known, _)| file.ends_with(known)).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(host(&[]), None);
        let open = &[("userns_clone", "1"), ("unprivileged_userns", "0")];
        assert_eq!(host(open), None);
        for (set, remedy) in [
            (&[("kernel/unprivileged_userns_clone", "0")], "kernel.unprivileged_userns_clone=1"),
            (&[("apparmor_restrict_unprivileged_userns", "1")], "apparmor_restrict_unprivileged_userns=0"),
            (&[("attr/apparmor/current", "snap.x (enforce)")], "profile snap.x must have"),
        ] {
            assert!(host(set).is_some_and(|text| text.contains(remedy)), "{set:?}: {:?}", host(set));
        }
        assert_eq!(host(&[("attr/apparmor/current", "unconfined")]), None);
    }

    #[test]
    fn controllers_of_a_v1_host_are_those_of_its_hierarchies() {
        let table = "32 31 0:29 / /nope/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
                     40 31 0:37 / /nope/systemd rw - cgroup cgroup rw,xattr,name=systemd\n";
        let layout = super::super::cgroups::from_mountinfo(table).unwrap();
        assert_eq!(
            (layout_name(&layout), controllers(&layout)),
            ("v1", vec!["cpu".into(), "cpuacct".into()])
        );
    }
}
