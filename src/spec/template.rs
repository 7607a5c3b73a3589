//! The config that `rruntime spec` writes: a shell on a terminal, locked down, to be edited.
//!
//! It has the same process, namespaces, mounts and paths as the one that runc writes.

use super::{
    Capabilities, DeviceRule, IdMapping, Linux, Mount, Namespace, Process, Resources, Rlimit, Root, Spec,
    Text,
};

/// The version of the runtime-spec that this runtime implements.
pub const OCI_VERSION: &str = "1.3.0";

/// Which kind of user the config is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// A runtime with root's rights.
    Root,
    /// `--rootless`: an ordinary user, which becomes root of a user namespace that maps no other user.
    Ordinary { uid: u32, gid: u32 },
}

/// Which cgroup hierarchy the host has: on v2 a container gets a cgroup namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupVersion {
    V1,
    V2,
}

const CAPABILITIES: [&str; 3] = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

const NAMESPACES: [&str; 5] = ["pid", "network", "ipc", "uts", "mount"];

/// Destination, type, source, options.
const MOUNTS: [(&str, &str, &str, &[&str]); 7] = [
    ("/proc", "proc", "proc", &[]),
    ("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
    (
        "/dev/pts",
        "devpts",
        "devpts",
        &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    ),
    ("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    ("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    ("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
    ("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
];

/// An ordinary user's /sys: sysfs can only be mounted by the owner of the network namespace.
const SYS_OF_AN_ORDINARY_USER: (&str, &str, &str, &[&str]) =
    ("/sys", "none", "/sys", &["rbind", "nosuid", "noexec", "nodev", "ro"]);

const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/sys/firmware",
    "/proc/scsi",
    "/sys/devices/virtual/tpm",
];

const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The config for this runner and host.
pub fn template(runner: Runner, cgroup: CgroupVersion) -> Spec<'static> {
    Spec {
        oci_version: OCI_VERSION.into(),
        process: Some(process()),
        root: Some(Root { path: "rootfs".into(), readonly: true }),
        hostname: Some("rruntime".into()),
        mounts: MOUNTS.iter().map(|row| mount(row, runner)).collect(),
        linux: Some(linux(runner, cgroup)),
        ..Spec::default()
    }
}

fn texts(list: &[&'static str]) -> Vec<Text<'static>> {
    list.iter().map(|&text| text.into()).collect()
}

fn process() -> Process<'static> {
    Process {
        terminal: true,
        args: texts(&["sh"]),
        env: texts(&["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"]),
        cwd: "/".into(),
        capabilities: Some(Capabilities {
            bounding: texts(&CAPABILITIES),
            effective: texts(&CAPABILITIES),
            permitted: texts(&CAPABILITIES),
            ..Capabilities::default()
        }),
        rlimits: vec![Rlimit { kind: "RLIMIT_NOFILE".into(), hard: 1024, soft: 1024 }],
        no_new_privileges: true,
        ..Process::default()
    }
}

fn mount(
    row: &(&'static str, &'static str, &'static str, &'static [&'static str]),
    runner: Runner,
) -> Mount<'static> {
    let ordinary = matches!(runner, Runner::Ordinary { .. });
    let &(destination, kind, source, options) =
        if ordinary && row.0 == "/sys" { &SYS_OF_AN_ORDINARY_USER } else { row };
    // One id is mapped: a mount cannot name the owner or group of any other.
    let kept = |option: &&str| !(ordinary && (option.starts_with("uid=") || option.starts_with("gid=")));
    Mount {
        destination: destination.into(),
        kind: Some(kind.into()),
        source: Some(source.into()),
        options: options.iter().copied().filter(kept).map(Text::from).collect(),
        ..Mount::default()
    }
}

fn linux(runner: Runner, cgroup: CgroupVersion) -> Linux<'static> {
    let mut kinds = NAMESPACES.to_vec();
    if cgroup == CgroupVersion::V2 {
        kinds.push("cgroup");
    }
    let mut linux =
        Linux { masked_paths: texts(&MASKED), readonly_paths: texts(&READONLY), ..Linux::default() };
    match runner {
        Runner::Root => {
            let deny_all = DeviceRule { allow: false, access: Some("rwm".into()), ..DeviceRule::default() };
            linux.resources = Some(Resources { devices: vec![deny_all], ..Resources::default() });
        }
        // No network namespace: an ordinary user has no way to connect it to anything. No limits: whether the
        // user's cgroup may be written to depends on the host.
        Runner::Ordinary { uid, gid } => {
            kinds.retain(|&kind| kind != "network");
            kinds.push("user");
            linux.uid_mappings = vec![IdMapping { container_id: 0, host_id: uid, size: 1 }];
            linux.gid_mappings = vec![IdMapping { container_id: 0, host_id: gid, size: 1 }];
        }
    }
    linux.namespaces = kinds.into_iter().map(|kind| Namespace { kind: kind.into(), path: None }).collect();
    linux
}
