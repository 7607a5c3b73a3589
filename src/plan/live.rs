//! The plans that change the mounts of a running container: `mounts add` and `mounts remove`.
//!
//! A process of ours joins the container's mount namespace (and what a file system needs besides), works on
//! descriptors below the container's root, and ends. What is shown of the host is opened there before. The container's
//! processes may exchange anything meanwhile: so nothing is mounted from a path that they could choose, and nothing
//! is changed or removed behind a link.

use super::Host;
use super::belonging;
use super::mounts::Mounts;
use super::mounts::options::Flags;
use super::opens::{Moment, Open, Opens, push_cgroup};
use super::script::{Field, Script, c};
use super::tenant::{Destination, Tenant};
use crate::error::{Error, Kind, Result};
use crate::names::namespaces::{MOUNT, PID, USER};
use crate::spec::destination::absolute;
use crate::spec::{Mount, Spec};
use crate::wire::{Bytes, Handle, MOST_KEPT, MountId, Step};

/// File systems that take nothing from the tree in which they are mounted: what an ext4 or an overlay is made of
/// would be looked up where the container can put something else.
const SELF_CONTAINED: [&str; 5] = ["tmpfs", "proc", "sysfs", "mqueue", "devpts"];

/// What mounts and copies in a container that runs has of a process's rights: to find and to make what is at the
/// destinations, no matter which user owns it, and to mount.
const NEEDED: u64 = 1 << 0 /* CAP_CHOWN */
    | 1 << 1 /* CAP_DAC_OVERRIDE */
    | 1 << 2 /* CAP_DAC_READ_SEARCH */
    | 1 << 3 /* CAP_FOWNER */
    | 1 << 4 /* CAP_FSETID */
    | 1 << 21 /* CAP_SYS_ADMIN */;

const MKNOD: u64 = 1 << 27;

/// Whether files of the container are opened: the process that does that is in the container's cgroup, so that it uses the
/// container's memory, under its device rules.
pub fn copies(list: &[Mount]) -> bool {
    let copies = |mount: &Mount| mount.options.iter().any(|option| &**option == "tmpcopyup");
    list.iter().any(|mount| mount.kind.as_deref() == Some("tmpfs") && copies(mount))
}

/// Adds these mounts, all or none. `spec` is the container's.
pub fn add<'a>(
    list: &'a [Mount<'a>],
    spec: &'a Spec<'a>,
    bundle: &'a str,
    to: Destination,
    host: &Host,
) -> Result<Tenant<'a>> {
    for (i, mount) in list.iter().enumerate() {
        check(mount, i)?;
    }
    if list.len() > MOST_KEPT {
        return Err(Error::new(format!("at most {MOST_KEPT} mounts can be added at a time"))
            .kind(Kind::Unsupported)
            .field("/mounts")
            .value(list.len()));
    }
    let copies = copies(list);
    let mut opens = Opens::default();
    let pidfd = opens.add(Open::Pidfd);
    // Nothing of ours is born in the container's pid namespace.
    let own_pids = to.namespaces & PID != 0 && list.iter().any(|mount| mount.kind.as_deref() == Some("proc"));
    let pidns = if own_pids { opens.add(Open::PidNamespace) } else { Handle::NONE };
    let mut mounting = Script::default();
    mounting.push(Field::None, Step::OpenRoot { path: c"/" });
    mounting.push(Field::None, Step::Umask { value: 0 });
    mounting.push(Field::None, Step::KeepMounts {});
    let mounts = Mounts {
        script: &mut mounting,
        opens: &mut opens,
        list,
        spec,
        bundle,
        host,
        namespaces: to.namespaces,
        base_propagation: libc::MS_SLAVE,
        moment: Moment::Running,
        pidns,
    };
    mounts.push()?;
    mounting.push(Field::None, Step::Finish {});

    let mut script = Script::default();
    script.push(Field::None, Step::OpenHostProc {});
    if copies {
        // What it copies takes memory, of which the container may have too little: then this process is the one to go.
        script.push(Field::None, Step::SelfFile { file: c"oom_score_adj", value: Bytes(b"1000") });
        push_cgroup(to.cgroup, &mut script, &mut opens);
    }
    script.push(Field::None, Step::Undumpable {});
    let own_user = to.namespaces & USER;
    if own_user != 0 {
        script.push(Field::None, Step::Join { namespace: pidfd, flags: USER });
        belonging::push(to.user_namespaces, USER, &mut script);
        push_copies(&opens, &mut script);
    }
    push_entry(to, to.namespaces & !USER & !PID, pidfd, NEEDED, &mut script);
    script.append(mounting);
    Ok(Tenant { script, opens, ..Tenant::new() })
}

/// Does one thing with a device node, by its path.
pub fn device(step: Step, to: Destination) -> Tenant<'static> {
    let mut opens = Opens::default();
    let pidfd = opens.add(Open::Pidfd);
    let mut script = Script::default();
    script.push(Field::None, Step::OpenHostProc {});
    script.push(Field::None, Step::Undumpable {});
    push_entry(to, MOUNT, pidfd, NEEDED | MKNOD, &mut script);
    script.push(Field::None, Step::OpenRoot { path: c"/" });
    script.push(Field::None, Step::Umask { value: 0 });
    script.push(Field::Mount(0), step);
    script.push(Field::None, Step::Finish {});
    Tenant { script, opens, ..Tenant::new() }
}

/// Joins these namespaces, and keeps no more rights there than these.
fn push_entry(to: Destination, flags: u64, pidfd: Handle, kept: u64, script: &mut Script) {
    script.push(Field::None, Step::Join { namespace: pidfd, flags });
    belonging::push(to.user_namespaces, flags, script);
    if to.namespaces & USER != 0 {
        script.push(Field::None, Step::BecomeRoot { keep_groups: false });
    }
    script.push(Field::None, Step::Capabilities { effective: kept, permitted: kept, inheritable: 0 });
}

/// The kernel locks the host's flags in the mount table that a user namespace gets: so that is where copies for it are
/// made, in a table of our own, before we go on into the container's.
fn push_copies(opens: &Opens, script: &mut Script) {
    let copies = opens.early_copies();
    if !copies.is_empty() {
        script.push(Field::None, Step::Unshare { flags: MOUNT });
        script.append(copies);
    }
}

/// What cannot be done beside running processes.
fn check(mount: &Mount, i: usize) -> Result<()> {
    let flags = Flags::of(mount, i)?;
    let refuse = |key: &str, value: &str, reason: &'static str, remedy: &'static str| {
        let field = format!("/mounts/{i}/{key}");
        Err(Error::new(reason).kind(Kind::Unsupported).field(field).value(value).remedy(remedy))
    };
    if absolute(&mount.destination) == "/" {
        return refuse(
            "destination",
            &mount.destination,
            "the root of a running container cannot be covered",
            "choose a place below it",
        );
    }
    if flags.remount {
        return refuse(
            "options",
            "remount",
            "a mount of a running container cannot be changed: it could put another one in the place",
            "remove the mount and add it with other options",
        );
    }
    let kind = mount.kind.as_deref().unwrap_or_default();
    if flags.bind.is_none() && !SELF_CONTAINED.contains(&kind) {
        return refuse(
            "type",
            kind,
            "a running container can get tmpfs, proc, sysfs, mqueue, devpts and binds",
            "mount it on the host and bind it",
        );
    }
    Ok(())
}

/// A mount that was added.
#[derive(Clone, Copy, Debug)]
pub struct Added<'d> {
    /// The entry that names it, for errors.
    pub index: usize,
    pub destination: &'d str,
    pub mount: MountId,
}

/// Takes these mounts away, after a look at whether all of them are there.
pub fn remove<'a>(list: &[Added], to: Destination) -> Tenant<'a> {
    let mut opens = Opens::default();
    let pidfd = opens.add(Open::Pidfd);
    let mut script = Script::default();
    script.push(Field::None, Step::OpenHostProc {});
    script.push(Field::None, Step::Undumpable {});
    push_entry(to, to.namespaces & (USER | MOUNT), pidfd, NEEDED, &mut script);
    script.push(Field::None, Step::OpenRoot { path: c"/" });
    let steps = list.iter().map(|added| (added.index, c(&absolute(added.destination)), added.mount));
    for (index, path, mount) in steps.clone() {
        script.push(Field::Mount(index), Step::FindMount { path: &path, mount });
    }
    for (index, path, mount) in steps {
        script.push(Field::Mount(index), Step::Unmount { path: &path, mount });
    }
    script.push(Field::None, Step::Finish {});
    Tenant { script, opens, ..Tenant::new() }
}
