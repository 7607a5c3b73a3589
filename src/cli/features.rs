//! `features`: what this program can do (runtime-spec features.md), whatever the host allows. The lists are the
//! tables that the code itself reads.

use super::arguments::{Arguments, switch};
use super::session::Session;
use super::{Command, Count, FAILURE, OptionsEnd, streams, version};
use crate::error::Result;
use crate::host::cgroups::Layout;
use crate::host::survey;
use crate::names;
use crate::report::json;
use crate::seccomp::arch::Named;
use crate::seccomp::vocabulary as seccomp;
use crate::spec::annotations;
use crate::sys::identity;
use serde::Serialize;

pub const COMMAND: Command = Command {
    name: "features",
    about: "show what this program supports, as JSON",
    operands: "",
    count: Count::Exactly(0),
    options_end: OptionsEnd::Nowhere,
    detail: "The format is that of features.md in the runtime-spec. --host leaves out what the kernel of this host\n\
             lacks, and cgroup controllers that are not mounted.",
    options: || vec![switch("host", "leave out what this host cannot use")],
    run,
    failure: FAILURE,
};

const OLDEST_SPECIFICATION: &str = "1.0.0";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Features {
    oci_version_min: &'static str,
    oci_version_max: &'static str,
    hooks: Vec<&'static str>,
    mount_options: Vec<&'static str>,
    linux: Linux,
    annotations: Pairs,
    potentially_unsafe_config_annotations: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    namespaces: Vec<&'static str>,
    capabilities: Vec<&'static str>,
    cgroup: Cgroup,
    seccomp: Seccomp,
    apparmor: Enabled,
    selinux: Enabled,
    intel_rdt: IntelRdt,
    memory_policy: MemoryPolicy,
    mount_extensions: MountExtensions,
    net_devices: Enabled,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cgroup {
    v1: bool,
    v2: bool,
    systemd: bool,
    systemd_user: bool,
    rdma: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Seccomp {
    enabled: bool,
    actions: Vec<&'static str>,
    operators: Vec<&'static str>,
    archs: Vec<&'static str>,
    known_flags: Vec<&'static str>,
    supported_flags: Vec<&'static str>,
}

#[derive(Serialize)]
struct IntelRdt {
    enabled: bool,
    schemata: bool,
    monitoring: bool,
}

#[derive(Serialize)]
struct MemoryPolicy {
    modes: Vec<&'static str>,
    flags: Vec<&'static str>,
}

#[derive(Serialize)]
struct MountExtensions {
    idmap: Enabled,
}

#[derive(Serialize)]
struct Enabled {
    enabled: bool,
}

/// An object from a table.
struct Pairs(&'static [(&'static str, &'static str)]);

impl Serialize for Pairs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

fn run(_: &Session, arguments: &Arguments) -> Result<i32> {
    let mut features = features();
    if arguments.switch("host") {
        restrict(&mut features.linux);
    }
    streams::print(&(json::pretty(&features, "    ") + "\n")).map(|()| 0)
}

fn features() -> Features {
    Features {
        oci_version_min: OLDEST_SPECIFICATION,
        oci_version_max: version::SPECIFICATION,
        hooks: names::HOOKS.to_vec(),
        mount_options: mount_options(),
        linux: linux(),
        annotations: Pairs(&[
            ("org.opencontainers.runc.checkpoint.enabled", "false"),
            ("rruntime.commit", version::COMMIT),
            ("rruntime.version", version::VERSION),
        ]),
        potentially_unsafe_config_annotations: annotations::honoured().collect(),
    }
}

/// Leaves what both this program and this host have.
fn restrict(linux: &mut Linux) {
    let namespaces = survey::namespaces();
    linux.namespaces.retain(|kind| namespaces.contains(kind));
    let last = identity::last_capability();
    linux.capabilities.retain(|name| names::capability(name).is_some_and(|number| u32::from(number) <= last));
    let layout = survey::layout();
    let unified = layout.as_ref().map(Layout::is_unified);
    let controllers = layout.as_ref().map(survey::controllers).unwrap_or_default();
    linux.cgroup.v1 &= unified == Some(false);
    linux.cgroup.v2 &= unified == Some(true);
    linux.cgroup.rdma &= controllers.iter().any(|name| name == "rdma");
    let actions = survey::seccomp_actions();
    linux.seccomp.enabled &= !actions.is_empty();
    linux.seccomp.actions.retain(|name| actions.iter().any(|action| action == kernel_action(name)));
    linux.apparmor.enabled &= survey::has_apparmor();
    linux.selinux.enabled &= survey::has_selinux();
    linux.intel_rdt.enabled &= survey::has_resctrl();
    linux.intel_rdt.schemata &= survey::has_resctrl();
    linux.intel_rdt.monitoring &= survey::has_resctrl_monitoring();
    if !survey::has_memory_policies() {
        linux.memory_policy.modes.clear();
        linux.memory_policy.flags.clear();
    }
    linux.net_devices.enabled &= namespaces.contains(&"network");
}

/// The kernel's name of an action, as in actions_avail.
fn kernel_action(name: &str) -> &'static str {
    match name {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => "kill_thread",
        "SCMP_ACT_KILL_PROCESS" => "kill_process",
        "SCMP_ACT_TRAP" => "trap",
        "SCMP_ACT_ERRNO" => "errno",
        "SCMP_ACT_NOTIFY" => "user_notif",
        "SCMP_ACT_TRACE" => "trace",
        "SCMP_ACT_LOG" => "log",
        _ => "allow",
    }
}

/// Sorted.
fn mount_options() -> Vec<&'static str> {
    let mut options: Vec<&str> = names::MOUNT_OPTIONS.iter().map(|option| option.name).collect();
    options.sort_unstable();
    options
}

fn linux() -> Linux {
    let mut namespaces: Vec<&str> = names::NAMESPACES.iter().map(|namespace| namespace.kind).collect();
    namespaces.sort_unstable();
    let flags: Vec<&str> = seccomp::FLAGS.iter().map(|flag| flag.name).collect();
    // An architecture without a table of system calls is read, and none of its calls can be named.
    let archs = seccomp::ARCHES.iter().filter(|(_, named)| *named != Named::WithoutTable);
    Linux {
        namespaces,
        capabilities: names::CAPABILITIES.to_vec(),
        cgroup: Cgroup { v1: true, v2: true, systemd: false, systemd_user: false, rdma: true },
        seccomp: Seccomp {
            enabled: true,
            actions: seccomp::ACTIONS.iter().map(|(name, _)| *name).collect(),
            operators: seccomp::OPERATORS.iter().map(|(name, _)| *name).collect(),
            archs: archs.map(|(name, _)| *name).collect(),
            known_flags: flags.clone(),
            supported_flags: flags,
        },
        apparmor: Enabled { enabled: true },
        selinux: Enabled { enabled: true },
        intel_rdt: IntelRdt { enabled: true, schemata: true, monitoring: true },
        memory_policy: MemoryPolicy {
            modes: names::MEMORY_POLICY_MODES.iter().map(|(name, _)| *name).collect(),
            flags: names::MEMORY_POLICY_FLAGS.iter().map(|(name, _)| *name).collect(),
        },
        mount_extensions: MountExtensions { idmap: Enabled { enabled: true } },
        net_devices: Enabled { enabled: true },
    }
}
