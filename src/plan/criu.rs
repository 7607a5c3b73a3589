//! The plans that start CRIU: beside a container that it dumps, and for one that it restores.
//!
//! A restore works on files that others may have written, with all rights. So CRIU gets a mount table of its own, in which
//! the host's tree is read-only, without what holds sockets and data, and what the config names lies ready below one
//! directory: it follows no path of the images on the host, and what it mounts is gone with it. It is born in the
//! container's cgroup, under its device rules.

use super::script::{Field, Script, StringList, c};
use crate::names::namespaces::{CGROUP, NETWORK, USER};
use crate::wire::{Attributes, Bind, Filesystem, Handle, Links, Root, Step};
use std::ffi::CStr;

/// Where CRIU finds what the config names: in a tmpfs of its own, by numbers.
pub const DIRECTORY: &str = "/tmp/rruntime";
/// The container's root, there.
pub const ROOT: &str = "/tmp/rruntime/root";

/// Becomes CRIU's program at `path`: it speaks on descriptor 3, and has `given` of them from there on.
pub fn program(path: &str, environment: &[String], given: u32, script: &mut Script) {
    let (argv, env) = (StringList::of(["criu", "swrk", "3"]), StringList::of(environment));
    script.push(Field::None, Step::Confine { first: 3 + given, word: Handle::NONE, answer: Handle::NONE });
    script.push(Field::None, Step::Arguments { argv: argv.wire(), env: env.wire() });
    script.push(Field::None, Step::ExecPath { path: &c(path) });
}

/// The binds of a plan that show something of the host, in the order of its steps.
pub fn binds(plan: &Script) -> impl Iterator<Item = Bind<'_>> {
    plan.steps().filter_map(|(step, _)| match step {
        Step::Bind(bind) if bind.tree != Handle::NONE && !bind.links.has(Links::COPY) => Some(bind),
        _ => None,
    })
}

/// Where CRIU keeps what it has found out of this machine.
pub const KNOWN: &str = "/run/criu.kdat";
/// Directories of the host that CRIU needs nothing of.
pub const HIDDEN: [&str; 9] =
    ["/run", "/dev/shm", "/var", "/home", "/root", "/srv", "/mnt", "/media", "/boot"];

/// What comes before CRIU of the restore of a container with this plan; its handles are those of the plan, and `trees`
/// beyond them, each with its place. `hidden` are directories of the host, `known` what CRIU has found out of this machine.
pub fn stage(
    plan: &Script,
    created: u64,
    trees: &[(&str, Handle)],
    hidden: &[&str],
    known: Option<Handle>,
) -> Script {
    let mut script = Script::default();
    for (step, field) in plan.steps() {
        let joins = matches!(step, Step::Join { flags: CGROUP, .. });
        if joins || matches!(step, Step::EnterCgroup { .. } | Step::Keyring { .. } | Step::Copy { .. }) {
            script.push(field, step);
        }
    }
    if created & CGROUP != 0 {
        script.push(Field::None, Step::Unshare { flags: CGROUP });
    }
    script.push(Field::None, Step::HostPropagation { flags: libc::MS_SLAVE, recursive: true });
    script.push(Field::None, Step::Umask { value: 0 });
    script.push(Field::None, Step::OpenRoot { path: c"/" });
    let attributes = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::NONE };
    script.push(Field::None, Step::RootAttributes { attributes, recursive: true });
    script.push(Field::None, filesystem(c"proc", c"/proc"));
    // The way there has to be open for the users of a user namespace.
    script.push(Field::None, filesystem(c"tmpfs", c"/tmp"));
    // In a user namespace the kernel gives out what the mount table shows whole and writable, and no more.
    if created & USER != 0 {
        let target = c(&format!("{DIRECTORY}/sys"));
        script.push(Field::None, filesystem(c"sysfs", &target));
    }
    let root = plan.steps().find_map(|(step, field)| match step {
        Step::Root(Root { tree, attributes, .. }) => Some((field, tree, attributes)),
        _ => None,
    });
    if let Some((field, tree, recursive_attributes)) = root {
        let target = c(ROOT);
        script.push(field, Step::Bind(Bind { recursive_attributes, ..Bind::plain(tree, &target) }));
    }
    // CRIU works there, and mounts below it.
    for (place, tree) in trees {
        let target = c(place);
        script.push(Field::None, Step::Bind(Bind::plain(*tree, &target)));
    }
    for (number, bind) in binds(plan).enumerate() {
        let target = c(&format!("{DIRECTORY}/{number}"));
        script.push(Field::None, Step::Bind(Bind { target: &target, links: Links::FOLLOW, ..bind }));
    }
    // Not before: a bind may be made of what is there.
    for directory in hidden {
        let target = c(directory);
        script.push(Field::None, filesystem(c"tmpfs", &target));
    }
    if let Some(tree) = known {
        let target = c(KNOWN);
        script.push(Field::None, Step::Bind(Bind::plain(tree, &target)));
    }
    script
}

/// Brings the loopback device of a restored network namespace up, of which CRIU keeps nothing; the handle is its process.
pub fn loopback(first: Handle) -> Script {
    let mut script = Script::default();
    script.push(Field::None, Step::Join { namespace: first, flags: NETWORK });
    script.push(Field::None, Step::LoopbackUp {});
    script.push(Field::None, Step::Finish {});
    script
}

/// Kills what is being restored, `first`, and then CRIU, if rruntime ends before it has compared them.
pub fn guard(first: Handle, criu: Handle) -> Script {
    let mut script = Script::default();
    script.push(Field::None, Step::LeaveSession {});
    script.push(Field::None, Step::Guard { first, second: criu });
    script.push(Field::None, Step::Finish {});
    script
}

fn filesystem<'a>(kind: &'a CStr, target: &'a CStr) -> Step<'a> {
    let set = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    Step::Filesystem(Filesystem::plain(kind, kind, target, Attributes { set, ..Attributes::NONE }))
}
