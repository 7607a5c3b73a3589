//! The top of `config.json`: process, root, mounts, hooks (runtime-spec 1.3, config.md).
//!
//! Enumerated strings stay text here; `validate` and `plan` resolve them, so that a message can name the field
//! and the value. Unknown fields are ignored, as the specification says.

use super::amendments::Amendments;
use super::linux::Linux;
use super::text::{Text, null_default, null_values};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A whole `config.json`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Spec<'a> {
    #[serde(rename = "ociVersion", borrow, default, deserialize_with = "null_default")]
    pub oci_version: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Root<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub domainname: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Hooks<'a>>,
    #[serde(borrow, default, deserialize_with = "null_values", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<Text<'a>, Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub linux: Option<Linux<'a>>,
    /// What it has been amended by: [`Spec::amend`].
    #[serde(skip)]
    pub amendments: Amendments,
}

/// The process to run in the container.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Process<'a> {
    #[serde(default, deserialize_with = "null_default")]
    pub terminal: bool,
    #[serde(rename = "consoleSize", default, skip_serializing_if = "Option::is_none")]
    pub console_size: Option<ConsoleSize>,
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub user: User<'a>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Text<'a>>,
    /// Windows only; named so that a config without `args` gets a precise message.
    #[serde(rename = "commandLine", borrow, default, skip_serializing_if = "Option::is_none")]
    pub command_line: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub cwd: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub rlimits: Vec<Rlimit<'a>>,
    #[serde(rename = "noNewPrivileges", default, deserialize_with = "null_default")]
    pub no_new_privileges: bool,
    #[serde(rename = "apparmorProfile", borrow, default, skip_serializing_if = "Option::is_none")]
    pub apparmor_profile: Option<Text<'a>>,
    #[serde(rename = "oomScoreAdj", default, skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i64>,
    #[serde(rename = "selinuxLabel", borrow, default, skip_serializing_if = "Option::is_none")]
    pub selinux_label: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Scheduler<'a>>,
    #[serde(rename = "ioPriority", borrow, default, skip_serializing_if = "Option::is_none")]
    pub io_priority: Option<IoPriority<'a>>,
    #[serde(rename = "execCPUAffinity", borrow, default, skip_serializing_if = "Option::is_none")]
    pub exec_cpu_affinity: Option<CpuAffinity<'a>>,
}

/// Characters of the terminal.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ConsoleSize {
    #[serde(default, deserialize_with = "null_default")]
    pub height: u64,
    #[serde(default, deserialize_with = "null_default")]
    pub width: u64,
}

/// Numeric user and groups inside the container.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct User<'a> {
    #[serde(default, deserialize_with = "null_default")]
    pub uid: u32,
    #[serde(default, deserialize_with = "null_default")]
    pub gid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    #[serde(
        rename = "additionalGids",
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub additional_gids: Vec<u32>,
    /// Windows only.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Text<'a>>,
}

/// The five capability sets, by name (`CAP_…`).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Capabilities<'a> {
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub bounding: Vec<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub effective: Vec<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub inheritable: Vec<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub permitted: Vec<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub ambient: Vec<Text<'a>>,
}

/// One resource limit; `u64::MAX` is unlimited.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Rlimit<'a> {
    #[serde(rename = "type", borrow, default, deserialize_with = "null_default")]
    pub kind: Text<'a>,
    #[serde(default, deserialize_with = "null_default")]
    pub hard: u64,
    #[serde(default, deserialize_with = "null_default")]
    pub soft: u64,
}

/// sched_setattr(2) for the process.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Scheduler<'a> {
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub policy: Text<'a>,
    #[serde(default, deserialize_with = "null_default")]
    pub nice: i32,
    #[serde(default, deserialize_with = "null_default")]
    pub priority: i32,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Text<'a>>,
    #[serde(default, deserialize_with = "null_default")]
    pub runtime: u64,
    #[serde(default, deserialize_with = "null_default")]
    pub deadline: u64,
    #[serde(default, deserialize_with = "null_default")]
    pub period: u64,
}

/// ioprio_set(2) for the process.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct IoPriority<'a> {
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub class: Text<'a>,
    #[serde(default, deserialize_with = "null_default")]
    pub priority: i32,
}

/// CPU affinity of `exec` before and after it enters the container's cgroup.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct CpuAffinity<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<Text<'a>>,
    #[serde(rename = "final", borrow, default, skip_serializing_if = "Option::is_none")]
    pub final_: Option<Text<'a>>,
}

/// The root filesystem.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Root<'a> {
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub path: Text<'a>,
    #[serde(default, deserialize_with = "null_default")]
    pub readonly: bool,
}

/// One mount, in the order of the file.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Mount<'a> {
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub destination: Text<'a>,
    #[serde(rename = "type", borrow, default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Text<'a>>,
    #[serde(
        rename = "uidMappings",
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub uid_mappings: Vec<IdMapping>,
    #[serde(
        rename = "gidMappings",
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub gid_mappings: Vec<IdMapping>,
}

/// A range of ids of a user namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct IdMapping {
    #[serde(rename = "containerID", default, deserialize_with = "null_default")]
    pub container_id: u32,
    #[serde(rename = "hostID", default, deserialize_with = "null_default")]
    pub host_id: u32,
    #[serde(default, deserialize_with = "null_default")]
    pub size: u32,
}

/// The six kinds of hooks (config.md, POSIX-platform Hooks).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Hooks<'a> {
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub prestart: Vec<Hook<'a>>,
    #[serde(
        rename = "createRuntime",
        borrow,
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub create_runtime: Vec<Hook<'a>>,
    #[serde(
        rename = "createContainer",
        borrow,
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub create_container: Vec<Hook<'a>>,
    #[serde(
        rename = "startContainer",
        borrow,
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub start_container: Vec<Hook<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub poststart: Vec<Hook<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub poststop: Vec<Hook<'a>>,
}

/// One hook; `timeout` is in seconds.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Hook<'a> {
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub path: Text<'a>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
}
