//! `features`: what this program can do (runtime-spec features.md), whatever the host allows. The lists are the
//! tables that the code itself reads.

use super::command::{Action, Command, ON_THE_HOST};
use crate::cli::arguments::switch;
use crate::cli::facts::Fact;
use crate::cli::{Arguments, Session, streams, version};
use crate::error::Result;
use crate::host::cgroups::{self, Layout};
use crate::host::survey;
use crate::names;
use crate::report::json;
use crate::seccomp::vocabulary as seccomp;
use crate::spec::annotations;
use crate::sys::identity;
use std::cell::LazyCell;

pub const COMMAND: Command = Command {
    name: "features",
    about: "show what this program supports, as JSON",
    detail: "The format is that of features.md in the runtime-spec. --host leaves out what the kernel of this host\n\
             lacks, and cgroup controllers that are not mounted.",
    examples: "features\n\
               features --host  # only what works here",
    options: || vec![switch("host", "leave out what this host cannot use")],
    action: Action::Call(run),
    ..ON_THE_HOST
};

const OLDEST_SPECIFICATION: &str = "1.0.0";

fn run(_: &Session, arguments: &Arguments) -> Result<i32> {
    let features = features(arguments.switch("host"));
    streams::print(&(json::pretty(&features, "    ") + "\n")).map(|()| 0)
}

/// What this program has, as containerd asks for it.
pub fn text() -> String {
    json::compact(&features(false))
}

/// What this program has; with `--host`, what this host has too.
fn features(on_this_host: bool) -> Fact {
    let version = if on_this_host { identity::landlock_version().unwrap_or(0) } else { u32::MAX };
    let there = names::landlock_rights(version);
    let landlock_rights = |names: &[&str], kind: usize| Fact::text(names[..there[kind]].join(","));
    let annotations_of_ours = Fact::object([
        ("org.opencontainers.runc.checkpoint.enabled", Fact::text("true")),
        ("org.rruntime.landlock.accessFS", landlock_rights(&names::LANDLOCK_FS, 0)),
        ("org.rruntime.landlock.accessNet", landlock_rights(&names::LANDLOCK_NET, 1)),
        ("org.rruntime.landlock.scoped", landlock_rights(&names::LANDLOCK_SCOPES, 2)),
        ("rruntime.commit", Fact::text(version::COMMIT)),
        ("rruntime.version", Fact::text(version::VERSION)),
    ]);
    Fact::object([
        ("ociVersionMin", Fact::text(OLDEST_SPECIFICATION)),
        ("ociVersionMax", Fact::text(version::SPECIFICATION)),
        ("hooks", Fact::list(names::HOOKS)),
        ("mountOptions", Fact::list(sorted(names::MOUNT_OPTIONS.iter().map(|option| option.name)))),
        ("linux", linux(on_this_host)),
        ("annotations", annotations_of_ours),
        ("potentiallyUnsafeConfigAnnotations", Fact::list(annotations::honoured())),
    ])
}

fn linux(on_this_host: bool) -> Fact {
    let has = |answer: &dyn Fn() -> bool| Fact::Yes(!on_this_host || answer());
    let enabled = |answer: &dyn Fn() -> bool| Fact::object([("enabled", has(answer))]);
    let of = |names: Vec<&'static str>, has: &dyn Fn(&str) -> bool| {
        Fact::list(names.into_iter().filter(|name| !on_this_host || has(name)))
    };
    let namespaces = LazyCell::new(survey::namespaces);
    let layout = LazyCell::new(|| cgroups::detect().ok());
    let unified = || layout.as_ref().map(Layout::is_unified);
    let rdma = || layout.as_ref().is_some_and(|on| survey::controllers(on).iter().any(|name| name == "rdma"));
    let cgroup = Fact::object([
        ("v1", has(&|| unified() == Some(false))),
        ("v2", has(&|| unified() == Some(true))),
        ("systemd", Fact::Yes(true)),
        ("systemdUser", Fact::Yes(true)),
        ("rdma", has(&rdma)),
    ]);
    let last = LazyCell::new(identity::last_capability);
    let has_capability =
        |name: &str| names::capability(name).is_some_and(|number| u32::from(number) <= *last);
    let has_policies = LazyCell::new(survey::has_memory_policies);
    let policies = |words| of(words, &|_| *has_policies);
    let memory_policy = Fact::object([
        ("modes", policies(first(&names::MEMORY_POLICY_MODES))),
        ("flags", policies(first(&names::MEMORY_POLICY_FLAGS))),
    ]);
    let intel_rdt = Fact::object([
        ("enabled", has(&survey::has_resctrl)),
        ("schemata", has(&survey::has_resctrl)),
        ("monitoring", has(&survey::has_resctrl_monitoring)),
    ]);
    let actions = LazyCell::new(survey::seccomp_actions);
    let has_action = |name: &str| actions.iter().any(|action| *action == kernel_action(name));
    // An architecture without a table of system calls is read, and none of its calls can be named.
    let archs = seccomp::ARCHES.iter().filter(|(_, arch)| arch.is_some());
    let flags = || Fact::list(seccomp::FLAGS.iter().map(|flag| flag.name));
    let seccomp = Fact::object([
        ("enabled", has(&|| !actions.is_empty())),
        ("actions", of(first(seccomp::ACTIONS), &has_action)),
        ("operators", Fact::list(first(seccomp::OPERATORS))),
        ("archs", Fact::list(archs.map(|(name, _)| name))),
        ("knownFlags", flags()),
        ("supportedFlags", flags()),
    ]);
    let kinds = sorted(names::NAMESPACES.iter().map(|namespace| namespace.kind));
    Fact::object([
        ("namespaces", of(kinds, &|kind| namespaces.contains(&kind))),
        ("capabilities", of(names::CAPABILITIES.to_vec(), &has_capability)),
        ("cgroup", cgroup),
        ("seccomp", seccomp),
        ("apparmor", enabled(&survey::has_apparmor)),
        ("selinux", enabled(&survey::has_selinux)),
        ("intelRdt", intel_rdt),
        ("memoryPolicy", memory_policy),
        ("mountExtensions", Fact::object([("idmap", enabled(&|| true))])),
        ("netDevices", enabled(&|| namespaces.contains(&"network"))),
    ])
}

/// The names of a table.
fn first<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}

fn sorted(names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

/// The kernel's name of an action, as in actions_avail.
fn kernel_action(name: &str) -> String {
    match name {
        "SCMP_ACT_KILL" => "kill_thread".to_owned(),
        "SCMP_ACT_NOTIFY" => "user_notif".to_owned(),
        _ => name.trim_start_matches("SCMP_ACT_").to_ascii_lowercase(),
    }
}
