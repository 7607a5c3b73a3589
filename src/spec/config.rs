//! The top of `config.json`: process, root, mounts, hooks (runtime-spec 1.3, config.md).
//!
//! Enumerated strings stay text here; `validate` and `plan` resolve them, so that a message can name the field
//! and the value. Unknown fields are ignored, as the specification says.

use super::amendments::Amendments;
use super::fields::{null_values, objects};
use super::idmap::IdMapping;
use super::linux::Linux;
use super::text::Text;
use crate::names::HOOKS;
use std::collections::BTreeMap;
use std::sync::LazyLock;

objects! {
    /// A whole `config.json`.
    pub struct Spec<'a> {
        #[serde(borrow)]
        pub oci_version: Text<'a>,
        pub process: Option<Process<'a>>,
        pub root: Option<Root<'a>>,
        pub hostname: Option<Text<'a>>,
        pub domainname: Option<Text<'a>>,
        pub mounts: Vec<Mount<'a>>,
        pub hooks: Option<Hooks<'a>>,
        #[serde(deserialize_with = "null_values")]
        pub annotations: BTreeMap<Text<'a>, Text<'a>>,
        pub linux: Option<Linux<'a>>,
        /// What it has been amended by: [`Spec::amend`].
        #[serde(skip)]
        pub amendments: Amendments,
    }

    /// The process to run in the container.
    pub struct Process<'a> {
        pub terminal: bool,
        pub console_size: Option<ConsoleSize>,
        #[serde(borrow)]
        pub user: User<'a>,
        pub args: Vec<Text<'a>>,
        /// Windows only; named so that a config without `args` gets a precise message.
        pub command_line: Option<Text<'a>>,
        pub env: Vec<Text<'a>>,
        pub cwd: Text<'a>,
        pub capabilities: Option<Capabilities<'a>>,
        pub rlimits: Vec<Rlimit<'a>>,
        pub no_new_privileges: bool,
        pub apparmor_profile: Option<Text<'a>>,
        pub oom_score_adj: Option<i64>,
        pub selinux_label: Option<Text<'a>>,
        pub scheduler: Option<Scheduler<'a>>,
        pub io_priority: Option<IoPriority<'a>>,
        #[serde(rename = "execCPUAffinity")]
        pub exec_cpu_affinity: Option<CpuAffinity<'a>>,
    }

    /// Characters of the terminal.
    pub struct ConsoleSize {
        pub height: u64,
        pub width: u64,
    }

    /// Numeric user and groups inside the container.
    pub struct User<'a> {
        pub uid: u32,
        pub gid: u32,
        pub umask: Option<u32>,
        pub additional_gids: Vec<u32>,
        /// Windows only.
        #[serde(borrow)]
        pub username: Option<Text<'a>>,
    }

    /// The five capability sets, by name (`CAP_…`).
    pub struct Capabilities<'a> {
        #[serde(borrow)]
        pub bounding: Vec<Text<'a>>,
        pub effective: Vec<Text<'a>>,
        pub inheritable: Vec<Text<'a>>,
        pub permitted: Vec<Text<'a>>,
        pub ambient: Vec<Text<'a>>,
    }

    /// One resource limit; `u64::MAX` is unlimited.
    pub struct Rlimit<'a> {
        #[serde(rename = "type", borrow)]
        pub kind: Text<'a>,
        pub hard: u64,
        pub soft: u64,
    }

    /// sched_setattr(2) for the process.
    pub struct Scheduler<'a> {
        #[serde(borrow)]
        pub policy: Text<'a>,
        pub nice: i32,
        pub priority: i32,
        pub flags: Vec<Text<'a>>,
        pub runtime: u64,
        pub deadline: u64,
        pub period: u64,
    }

    /// ioprio_set(2) for the process.
    pub struct IoPriority<'a> {
        #[serde(borrow)]
        pub class: Text<'a>,
        pub priority: i32,
    }

    /// CPU affinity of `exec` before and after it enters the container's cgroup.
    pub struct CpuAffinity<'a> {
        #[serde(borrow)]
        pub initial: Option<Text<'a>>,
        #[serde(rename = "final")]
        pub final_: Option<Text<'a>>,
    }

    /// The root filesystem.
    pub struct Root<'a> {
        #[serde(borrow)]
        pub path: Text<'a>,
        pub readonly: bool,
    }

    /// One mount, in the order of the file.
    pub struct Mount<'a> {
        #[serde(borrow)]
        pub destination: Text<'a>,
        #[serde(rename = "type")]
        pub kind: Option<Text<'a>>,
        pub source: Option<Text<'a>>,
        pub options: Vec<Text<'a>>,
        pub uid_mappings: Vec<IdMapping>,
        pub gid_mappings: Vec<IdMapping>,
    }

    /// The six kinds of hooks (config.md, POSIX-platform Hooks).
    pub struct Hooks<'a> {
        #[serde(borrow)]
        pub prestart: Vec<Hook<'a>>,
        pub create_runtime: Vec<Hook<'a>>,
        pub create_container: Vec<Hook<'a>>,
        pub start_container: Vec<Hook<'a>>,
        pub poststart: Vec<Hook<'a>>,
        pub poststop: Vec<Hook<'a>>,
    }

    /// One hook; `timeout` is in seconds.
    pub struct Hook<'a> {
        #[serde(borrow)]
        pub path: Text<'a>,
        pub args: Vec<Text<'a>>,
        /// Absent differs from empty: absent leaves it to the runtime.
        pub env: Option<Vec<Text<'a>>>,
        pub timeout: Option<i64>,
    }
}

impl<'a> Spec<'a> {
    /// Its Linux part, without anything where it has none.
    pub fn linux(&self) -> &Linux<'a> {
        static NONE: LazyLock<Linux> = LazyLock::new(Linux::default);
        self.linux.as_ref().unwrap_or(&NONE)
    }

    /// Its hooks; none where it does not name them.
    pub fn hooks(&self) -> &Hooks<'a> {
        static NONE: LazyLock<Hooks> = LazyLock::new(Hooks::default);
        self.hooks.as_ref().unwrap_or(&NONE)
    }
}

impl<'a> Hooks<'a> {
    /// Each kind with its list, in the order of their runs.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, &[Hook<'a>])> {
        let lists = [
            &self.prestart,
            &self.create_runtime,
            &self.create_container,
            &self.start_container,
            &self.poststart,
            &self.poststop,
        ];
        HOOKS.into_iter().zip(lists.map(Vec::as_slice))
    }
}
