//! What init does: one variant a step. Those that are handed on whole are structs, so that no function is given a step
//! that it does not expect.

use super::format::{Bytes, Handle, Reader, Sink, Strings, Wire, records};
use super::values::{Attributes, Links, MountId, Point, Searcher};
use core::ffi::CStr;

/// Mounts that one plan can take away again (`Step::KeepMounts`).
pub const MOST_KEPT: usize = 256;

macro_rules! steps {
    ($( $(#[$doc:meta])* $name:ident
        $({ $( $(#[$fdoc:meta])* $field:ident : $t:ty ),* $(,)? })? $(($step:ident : $whole:ty))?
    )*) => {
        /// One thing that init does. The order of the variants is the order of their tags.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub enum Step<'a> {
            $( $(#[$doc])* $name $({ $( $(#[$fdoc])* $field: $t ),* })? $(($whole))?, )*
        }

        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u16)]
        enum Tag { $( $name ),* }

        impl<'a> Wire<'a> for Step<'a> {
            fn put(&self, out: &mut impl Sink) {
                match self {
                    $( Step::$name $({ $( $field ),* })? $(($step))? => {
                        (Tag::$name as u16).put(out);
                        $( $( $field.put(out); )* )?
                        $( $step.put(out); )?
                    } )*
                }
            }
            #[inline(never)]
            fn take(from: &mut Reader<'a>) -> Option<Self> {
                let tag = u16::take(from)?;
                $( if tag == Tag::$name as u16 {
                    return Some(Step::$name
                        $({ $( $field: <$t>::take(from)? ),* })? $((<$whole>::take(from)?))?);
                } )*
                None
            }
        }

        impl core::fmt::Debug for Step<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self {
                    $( Step::$name $({ $( $field ),* })? $(($step))? => {
                        $( f.debug_struct(stringify!($name))
                            $( .field(stringify!($field), $field) )*.finish() )?
                        $( core::fmt::Debug::fmt($step, f) )?
                    } )*
                }
            }
        }
    };
}

records! {
    /// Attaches the root filesystem at `attach`; `tree` and `path` as in `Bind`.
    Root<'a> { tree: Handle, path: &'a CStr, attach: &'a CStr, attributes: Attributes }

    /// A new file system instance, mounted at `target`. `options` are `key=value` or `flag`, `attributes.set`
    /// goes into the mount's creation.
    Filesystem<'a> {
        kind: &'a CStr, source: &'a CStr, target: &'a CStr, options: Strings<'a>, attributes: Attributes,
        /// The target may be no link, nor lie behind one (/proc and /sys: CVE-2019-19921).
        strict: bool,
        /// Begin with a copy of what is at the target (tmpfs, `tmpcopyup`). The host's /proc is open.
        copy_up: bool,
        /// A tmpfs whose options say no mode: it has that of what is at the target already.
        modeless: bool,
        /// SELinux label of its root, where that is no option of the file system; or empty.
        label: &'a CStr,
        /// A proc: the pid namespace that it shows. `NONE`: this process's own.
        pidns: Handle,
    }

    /// A bind of `tree`, a detached copy, of rruntime's or by `Copy`; where `source` is not empty, of a copy made here of
    /// what is there, which must be the very file that `tree` is open on. Without a tree `source` is a path of the
    /// container. `flags` (`AT_*`) are those of open_tree(2).
    Bind<'a> {
        tree: Handle, source: &'a CStr, flags: u32, target: &'a CStr, links: Links,
        attributes: Attributes, recursive_attributes: Attributes,
    }

    /// mount(2) of a new file system on the directory `target`, `flags` being `MS_*`: for options that fsconfig(2)
    /// is too short for.
    Mount<'a> { kind: &'a CStr, source: &'a CStr, target: &'a CStr, flags: u64, data: &'a CStr }

    /// Changes the mount that is at `target`; an empty one is the last that was attached.
    Remount<'a> { target: &'a CStr, attributes: Attributes, recursive_attributes: Attributes }

    /// mknod(2). A node that is there must be the same device.
    Device<'a> { path: &'a CStr, mode: u32, number: u64, uid: u32, gid: u32 }
}

impl<'a> Bind<'a> {
    /// A tree as it is.
    pub const fn plain(tree: Handle, target: &'a CStr) -> Bind<'a> {
        let (attributes, recursive_attributes) = (Attributes::NONE, Attributes::NONE);
        Bind { tree, source: c"", flags: 0, target, links: Links::FOLLOW, attributes, recursive_attributes }
    }
}

impl<'a> Filesystem<'a> {
    /// One without anything special.
    pub const fn plain(
        kind: &'a CStr,
        source: &'a CStr,
        target: &'a CStr,
        attributes: Attributes,
    ) -> Filesystem<'a> {
        Filesystem {
            kind,
            source,
            target,
            options: Strings::EMPTY,
            attributes,
            strict: false,
            copy_up: false,
            modeless: false,
            label: c"",
            pidns: Handle::NONE,
        }
    }
}

steps! {
    // Becoming: namespaces, identity, what must happen while the host's tree is still there.

    /// prctl(PR_SET_DUMPABLE, 0): from here on no process in a shared pid namespace can trace us or read our /proc.
    /// Not before the id maps are written: an ordinary user's parent could not open them any more.
    Undumpable {}
    /// Tells rruntime that `point` is reached and waits for its word to go on.
    Sync { point: Point }
    /// Enters a cgroup: writes 0 to its file of tasks or processes.
    EnterCgroup { tasks: Handle }
    /// Opens the host's /proc, for the files about ourselves.
    OpenHostProc {}
    /// Closes it again, before another process can see this one: a program or a working directory behind
    /// /proc/self/fd could go through it to the host (CVE-2024-21626).
    CloseHostProc {}
    /// setns(2): joins the namespaces `flags` of the handle (a namespace file or a pidfd).
    Join { namespace: Handle, flags: u64 }
    /// What self/`file` of the host's procfs, which is open, leads to must be one of the user namespaces `to`, by their
    /// inode numbers (little-endian u64); with `owner`, must belong to one of them.
    Belongs { file: &'a CStr, owner: bool, to: Bytes<'a> }
    /// unshare(2).
    Unshare { flags: u64 }
    /// The rest of the plan is done by a new child of rruntime with new namespaces `flags`; this process ends.
    /// It is clone(2): profiles like Docker's answer clone3 with ENOSYS.
    Spawn { flags: u32 }
    /// setsid(2), so that what is spawned does not begin in the caller's session and cannot open the caller's terminal.
    LeaveSession {}
    /// Puts a copy of the tree at `path`, made by this process, in the place of `tree`, which is open on the same file:
    /// flags of the host's mounts are locked in the copies of a user namespace. `flags` (`AT_*`) are those of
    /// open_tree(2). With `mapped` rruntime maps the owners of the copy.
    Copy { tree: Handle, path: &'a CStr, flags: u32, mapped: bool }
    /// setresgid, setresuid (and no supplementary groups where allowed): root of the new user namespace.
    BecomeRoot { keep_groups: bool }
    /// Writes `value` to the host's /proc/self/`file`.
    SelfFile { file: &'a CStr, value: Bytes<'a> }
    /// Writes `value` to self/`file` of the private procfs: the labels that LSMs give at exec.
    LabelFile { file: &'a CStr, value: Bytes<'a> }
    /// Enters the time namespace that was unshared before.
    EnterTimeNamespace {}
    Hostname { name: Bytes<'a> }
    Domainname { name: Bytes<'a> }
    LoopbackUp {}
    /// A session keyring of our own with this name, which its user may search and no more. Where `hidden` is not 0 it
    /// belongs to that user id, which no process has, until this is so.
    Keyring { name: &'a CStr, hidden: u32 }
    /// The session keyring that the container has.
    JoinKeyring { name: &'a CStr }

    // The tree: everything is relative to the root filesystem's descriptor.

    /// Changes the propagation of the whole host tree in our copy of it.
    HostPropagation { flags: u64, recursive: bool }
    Root(root: Root<'a>)
    /// The root that this process has become (exec: the container's).
    OpenRoot { path: &'a CStr }
    /// A detached procfs that cannot be mounted over.
    OpenProc {}
    Filesystem(filesystem: Filesystem<'a>)
    Bind(bind: Bind<'a>)
    Mount(mount: Mount<'a>)
    /// From here on init reports each mount to rruntime, and takes it away again if a later step fails. The host's /proc is
    /// open.
    KeepMounts {}
    /// At `path` there must be the top of this mount.
    FindMount { path: &'a CStr, mount: MountId }
    /// umount2(MNT_DETACH) of this mount, which is at `path`. The host's /proc is open.
    Unmount { path: &'a CStr, mount: MountId }
    Remount(remount: Remount<'a>)
    Device(device: Device<'a>)
    /// Something that is there already stays as it is.
    Symlink { to: &'a CStr, path: &'a CStr }
    /// Keeps a verified descriptor of the container's own /dev/null for `Mask`.
    OpenNull {}
    /// A pseudo terminal of the container's devpts: its master goes to rruntime, with `bind` its slave to /dev/console.
    /// With `held` it is this process's own, in a session that it makes, until the one that it spawns takes it over: no one
    /// else can make it theirs.
    Console { bind: bool, held: bool }
    /// pivot_root(2) onto the root filesystem; the host's tree is gone afterwards.
    Pivot {}
    /// Where pivot_root cannot work (initramfs): chroot(2) into the root filesystem attached over /, which it is moved to
    /// where it is still `elsewhere`. What is mounted at the places `left_below` it is taken away before, or covered where
    /// it is locked: a process could learn or change there what is the host's.
    Chroot { elsewhere: bool, left_below: Strings<'a> }
    /// mount_setattr(2) on the container's root.
    RootAttributes { attributes: Attributes, recursive: bool }
    /// Writes `value` to /proc/sys/`path` of the private procfs.
    Sysctl { path: &'a CStr, value: Bytes<'a> }
    /// Hides `path`: a directory below an empty read-only tmpfs with these options, the same one for all; another file
    /// below /dev/null.
    Mask { path: &'a CStr, options: Strings<'a> }
    /// Makes `path` and all that is mounted below it read-only.
    Readonly { path: &'a CStr }

    // The process.

    /// sched_setaffinity(2): CPU 0 is the lowest bit of the first byte.
    CpuAffinity { mask: Bytes<'a> }
    Scheduler { attributes: Bytes<'a> }
    IoPriority { value: u32 }
    MemoryPolicy { mode: u32, nodes: Bytes<'a> }
    Personality { value: u64 }
    Rlimit { resource: u32, soft: u64, hard: u64 }
    /// The working directory; must be inside the root.
    /// With `patient`, a refused permission is left to the next `Chdir` (as the container's user).
    Chdir { path: &'a CStr, patient: bool }
    /// `Chdir` with `patient` for a new container: what is missing is made, by root, where the user may search the way to
    /// it.
    Cwd { path: &'a CStr, user: Searcher<'a> }
    Umask { value: u32 }
    /// setgroups(2): `ids` are little-endian u32.
    Groups { ids: Bytes<'a> }
    /// setresgid, setresuid; permitted capabilities are kept.
    User { uid: u32, gid: u32 }
    /// Drops from the bounding set what is not in `keep`, up to `last`.
    Bounding { keep: u64, last: u32 }
    /// capset(2).
    Capabilities { effective: u64, permitted: u64, inheritable: u64 }
    /// Clears the ambient set, then raises these.
    Ambient { set: u64 }
    NoNewPrivileges {}
    /// Finds the program: the first of `candidates` that is an executable file. `elsewhere`: this process is not in the
    /// program's pid namespace, so that what leads through /proc/self is left to the exec.
    Resolve { candidates: Strings<'a>, elsewhere: bool }
    /// A console's slave becomes the standard streams.
    Streams {}
    /// A session of our own; a console becomes its terminal.
    Session {}
    /// The standard streams belong to the container's user, so that it can open them again.
    StreamOwner { uid: u32 }
    /// Finds the user's home directory in the container's /etc/passwd; the coming exec adds it to the environment. This
    /// process has the rights of the program already, so that it opens nothing that the program could not.
    Home { uid: u32 }
    /// The coming exec adds LISTEN_PID with the number of this process in its own pid namespace (sd_listen_fds(3)).
    ListenPid {}
    /// Closes everything from `first` on but the conversation with rruntime, which goes on there by two pipes, and behind it
    /// the two ends at which start is awaited, if there are any: `word` is read, `answer` is written.
    Confine { first: u32, word: Handle, answer: Handle }
    /// prctl(PR_SET_DUMPABLE, 1): rruntime, which lacks CAP_SYS_PTRACE here, may take the seccomp listener. Nothing that the
    /// container does not have is left in this process.
    Dumpable {}
    /// Reports readiness and waits for start: from rruntime, or where it says so by the word that `Confine` has kept.
    AwaitStart {}
    /// Lays out what the program gets, and gives it the usual signals: what `Exec` needs beyond the call itself.
    Arguments { argv: Strings<'a>, env: Strings<'a> }
    /// seccomp(2). With `notify` rruntime gets the listener: it hears its number, and fetches it.
    Seccomp { flags: u32, program: Bytes<'a>, notify: bool }
    /// execve(2) of what `Resolve` found.
    Exec {}
    /// execve(2) of a path as it is.
    ExecPath { path: &'a CStr }
    /// Ends init, which has done all.
    Finish {}
    /// Enters a cgroup below the one that this process was born in (`Point::Scope`), by the file of its processes.
    EnterBelow { path: &'a CStr }
    /// Waits for rruntime's word; if rruntime ends without one, kills these two processes, by their pidfds.
    Guard { first: Handle, second: Handle }
    /// landlock_create_ruleset(2) with these rights on files and ports, and scopes.
    Ruleset { fs: u64, net: u64, scoped: u64 }
    /// landlock_add_rule(2): these rights on what is at `path` below the root, and on all below that.
    AllowBeneath { path: &'a CStr, access: u64, optional: bool }
    /// landlock_add_rule(2).
    AllowPort { port: u64, access: u64 }
    /// landlock_restrict_self(2), by no_new_privs or CAP_SYS_ADMIN.
    Restrict {}
    /// As `Device`, where nothing is yet.
    NewDevice(device: Device<'a>)
    /// unlinkat(2) of this device node, which may have gone.
    RemoveDevice { path: &'a CStr, mode: u32, number: u64 }
}
