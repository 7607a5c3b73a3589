//! The wire format between rruntime and its sealed init: steps, and the messages about them.
//!
//! Both sides compile this one file. It knows no policy and allocates nothing: rruntime encodes steps into a
//! memory file, init decodes them in place, borrowing every string. Decoding checks every length against the
//! end of the file, so that a damaged plan ends init with an error and never with a stray read.
//!
//! ```text
//! memory file:  Header, steps…
//! step:         tag u16 | fields in order; integers little endian, strings as length u32 + bytes (+ NUL)
//! ```

use core::ffi::CStr;

/// Marks a plan; init and rruntime are always built together.
pub const MAGIC: u32 = 0x7272_0001;

/// Where encoded bytes go.
pub trait Sink {
    fn bytes(&mut self, bytes: &[u8]);
}

/// A position in a plan that is being decoded.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }
}

/// A value with a place in the format.
pub trait Wire<'a>: Sized {
    fn put(&self, out: &mut impl Sink);
    fn take(from: &mut Reader<'a>) -> Option<Self>;
}

macro_rules! integers {
    ($($t:ty),*) => { $(
        impl<'a> Wire<'a> for $t {
            fn put(&self, out: &mut impl Sink) {
                out.bytes(&self.to_le_bytes());
            }
            fn take(from: &mut Reader<'a>) -> Option<Self> {
                let bytes = from.bytes(size_of::<$t>())?;
                Some(<$t>::from_le_bytes(bytes.try_into().ok()?))
            }
        }
    )* };
}
integers!(u16, u32, i32, u64, i64);

impl<'a> Wire<'a> for bool {
    fn put(&self, out: &mut impl Sink) {
        u16::from(*self).put(out);
    }
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        Some(u16::take(from)? != 0)
    }
}

impl<'a> Wire<'a> for &'a [u8] {
    fn put(&self, out: &mut impl Sink) {
        (self.len() as u32).put(out);
        out.bytes(self);
    }
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        let length = u32::take(from)? as usize;
        from.bytes(length)
    }
}

impl<'a> Wire<'a> for &'a CStr {
    fn put(&self, out: &mut impl Sink) {
        self.to_bytes_with_nul().put(out);
    }
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        CStr::from_bytes_with_nul(<&[u8]>::take(from)?).ok()
    }
}

/// What a step hands on as it is. `--debug` shows a text as text, and of anything else how long it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bytes<'a>(pub &'a [u8]);

impl core::fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match core::str::from_utf8(self.0) {
            Ok(text) if !text.contains('\0') => write!(f, "{text:?}"),
            _ => write!(f, "{} bytes", self.0.len()),
        }
    }
}

impl<'a> Wire<'a> for Bytes<'a> {
    fn put(&self, out: &mut impl Sink) {
        self.0.put(out);
    }
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        <&[u8]>::take(from).map(Bytes)
    }
}

/// A list of NUL-terminated strings, one after the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Strings<'a> {
    pub count: u32,
    pub bytes: &'a [u8],
}

impl<'a> Strings<'a> {
    pub const EMPTY: Strings<'static> = Strings { count: 0, bytes: &[] };

    pub fn iter(&self) -> impl Iterator<Item = &'a CStr> + use<'a> {
        let mut rest = self.bytes;
        core::iter::from_fn(move || {
            let string = CStr::from_bytes_until_nul(rest).ok()?;
            rest = &rest[string.to_bytes_with_nul().len()..];
            Some(string)
        })
    }
}

impl core::fmt::Debug for Strings<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> Wire<'a> for Strings<'a> {
    fn put(&self, out: &mut impl Sink) {
        self.count.put(out);
        self.bytes.put(out);
    }
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        Some(Strings { count: u32::take(from)?, bytes: <&[u8]>::take(from)? })
    }
}

/// An index into the plan's table of descriptors. `NONE` where a step can do without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handle(pub u32);

impl Handle {
    pub const NONE: Handle = Handle(u32::MAX);
    /// The socket to rruntime: always the first descriptor.
    pub const CONTROL: Handle = Handle(0);
    /// The pipes that take its place: what is read, and what is written.
    pub const WORD: Handle = Handle(1);
    pub const ANSWER: Handle = Handle(2);
}

impl<'a> Wire<'a> for Handle {
    fn put(&self, out: &mut impl Sink) {
        self.0.put(out);
    }
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        u32::take(from).map(Handle)
    }
}

/// What a memory file begins with: the descriptors under the numbers that init has them (negative: there is none),
/// and how many steps follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Little-endian i32, one behind the other.
    descriptors: &'a [u8],
    pub steps: u32,
}

impl<'a> Header<'a> {
    pub fn put(descriptors: &[i32], steps: u32, out: &mut impl Sink) {
        MAGIC.put(out);
        (descriptors.len() as u32 * 4).put(out);
        for descriptor in descriptors {
            descriptor.put(out);
        }
        steps.put(out);
    }

    pub fn take(from: &mut Reader<'a>) -> Option<Self> {
        if u32::take(from)? != MAGIC {
            return None;
        }
        Some(Header { descriptors: <&[u8]>::take(from)?, steps: u32::take(from)? })
    }

    pub fn descriptor(&self, handle: Handle) -> Option<i32> {
        let at = (handle.0 as usize).checked_mul(4)?;
        let bytes = self.descriptors.get(at..at.checked_add(4)?)?;
        Some(i32::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// Changes to the attributes of a mount: `MOUNT_ATTR_*` to set and clear, `MS_*` propagation (0: leave).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    pub set: u64,
    pub clear: u64,
    pub propagation: u64,
}

impl Attributes {
    pub const NONE: Attributes = Attributes { set: 0, clear: 0, propagation: 0 };

    pub fn is_none(&self) -> bool {
        *self == Attributes::NONE
    }
}

impl<'a> Wire<'a> for Attributes {
    fn put(&self, out: &mut impl Sink) {
        self.set.put(out);
        self.clear.put(out);
        self.propagation.put(out);
    }
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        Some(Attributes { set: u64::take(from)?, clear: u64::take(from)?, propagation: u64::take(from)? })
    }
}

/// What a bind does with symbolic links; without any of the bits it follows them on both sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Links(u32);

impl Links {
    pub const FOLLOW: Links = Links(0);
    /// The source's link itself is shown.
    pub const KEEP_SOURCE: u32 = 1;
    /// A link at the destination is mounted over.
    pub const KEEP_TARGET: u32 = 2;
    /// A source that is a link is made again at the destination, without a mount.
    pub const COPY: u32 = 4;

    pub fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    pub fn with(self, bits: u32) -> Links {
        Links(self.0 | bits)
    }
}

impl<'a> Wire<'a> for Links {
    fn put(&self, out: &mut impl Sink) {
        self.0.put(out);
    }
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        u32::take(from).map(Links)
    }
}

/// Which mount something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MountId {
    /// Before Linux 6.8 a number that another mount gets later, so what is mounted counts too; since then a number that
    /// no other mount ever gets, and the rest is 0.
    pub number: u64,
    pub device: u64,
    pub inode: u64,
}

impl<'a> Wire<'a> for MountId {
    fn put(&self, out: &mut impl Sink) {
        self.number.put(out);
        self.device.put(out);
        self.inode.put(out);
    }
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        Some(MountId { number: u64::take(from)?, device: u64::take(from)?, inode: u64::take(from)? })
    }
}

/// Who may search directories.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Searcher<'a> {
    /// Root with its capabilities; else by these ids.
    pub anywhere: bool,
    pub uid: u32,
    pub gid: u32,
    /// setgroups(2) does not apply.
    pub keep_groups: bool,
    /// Little-endian u32.
    pub groups: Bytes<'a>,
}

impl<'a> Wire<'a> for Searcher<'a> {
    fn put(&self, out: &mut impl Sink) {
        self.anywhere.put(out);
        self.uid.put(out);
        self.gid.put(out);
        self.keep_groups.put(out);
        self.groups.put(out);
    }
    fn take(from: &mut Reader<'a>) -> Option<Self> {
        Some(Searcher {
            anywhere: bool::take(from)?,
            uid: u32::take(from)?,
            gid: u32::take(from)?,
            keep_groups: bool::take(from)?,
            groups: Bytes::take(from)?,
        })
    }
}

/// The `Reached` of a process that was spawned and leads its session: the one that spawned it, which holds its terminal, may
/// end. Nothing waits for a word.
pub const LEADS: u32 = u32::MAX;

/// Mounts that one plan can take away again (`Step::KeepMounts`).
pub const MOST_KEPT: usize = 256;

macro_rules! steps {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$fdoc:meta])* $field:ident : $t:ty ),* $(,)? } )*) => {
        /// One thing that init does. The order of the variants is the order of their tags.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Step<'a> {
            $( $(#[$doc])* $name { $( $(#[$fdoc])* $field: $t ),* }, )*
        }

        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u16)]
        enum Tag { $( $name ),* }

        impl<'a> Wire<'a> for Step<'a> {
            fn put(&self, out: &mut impl Sink) {
                match self {
                    $( Step::$name { $( $field ),* } => {
                        (Tag::$name as u16).put(out);
                        $( $field.put(out); )*
                    } )*
                }
            }
            fn take(from: &mut Reader<'a>) -> Option<Self> {
                let tag = u16::take(from)?;
                $( if tag == Tag::$name as u16 {
                    return Some(Step::$name { $( $field: <$t>::take(from)? ),* });
                } )*
                None
            }
        }
    };
}

steps! {
    // Becoming: namespaces, identity, what must happen while the host's tree is still there.

    /// prctl(PR_SET_DUMPABLE, 0): from here on nobody in a shared pid namespace can trace us or read our /proc.
    /// Not before the id maps are written: an ordinary user's parent could not open them any more.
    Undumpable {}
    /// Tells rruntime that `point` is reached and waits for its word to go on.
    Sync { point: u32 }
    /// Enters a cgroup: writes 0 to its file of tasks or processes. A handle that is not open is a hierarchy that is
    /// gone.
    EnterCgroup { tasks: Handle }
    /// Opens the host's /proc, for the files about ourselves.
    OpenHostProc {}
    /// Closes it again, before anybody else can see this process: a program or a working directory behind
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
    /// belongs to that user id, which is nobody's, until this is so.
    Keyring { name: &'a CStr, hidden: u32 }
    /// The session keyring that the container has.
    JoinKeyring { name: &'a CStr }

    // The tree: everything is relative to the root filesystem's descriptor.

    /// Changes the propagation of the whole host tree in our copy of it.
    HostPropagation { flags: u64, recursive: bool }
    /// Attaches the root filesystem at `attach`; `tree` and `path` as in `Bind`.
    Root { tree: Handle, path: &'a CStr, attach: &'a CStr, attributes: Attributes }
    /// The root that this process has become (exec: the container's).
    OpenRoot {}
    /// A detached procfs that nobody can mount over.
    OpenProc {}
    /// A new file system instance, mounted at `target`. `options` are `key=value` or `flag`, `attributes.set`
    /// goes into the mount's creation.
    Filesystem {
        kind: &'a CStr, source: &'a CStr, target: &'a CStr, options: Strings<'a>, attributes: Attributes,
        /// The target may be no link, nor lie behind one (/proc and /sys: CVE-2019-19921).
        strict: bool,
        /// Begin with a copy of what is at the target (tmpfs, `tmpcopyup`). The host's /proc is open.
        copy_up: bool,
        /// SELinux label of its root, where that is no option of the file system; or empty.
        label: &'a CStr,
        /// A proc: the pid namespace that it shows. `NONE`: this process's own.
        pidns: Handle,
    }
    /// A bind of `tree`, a detached copy, of rruntime's or by `Copy`; where `source` is not empty, of a copy made here of what is there, which
    /// must be the very file that `tree` is open on. `flags` (`AT_*`) are those of open_tree(2).
    Bind {
        tree: Handle, source: &'a CStr, flags: u32, target: &'a CStr, links: Links,
        attributes: Attributes, recursive_attributes: Attributes,
    }
    /// mount(2) of a new file system on the directory `target`, `flags` being `MS_*`: for options that fsconfig(2)
    /// is too short for.
    Mount { kind: &'a CStr, source: &'a CStr, target: &'a CStr, flags: u64, data: &'a CStr }
    /// From here on what is attached is told to rruntime, and taken away again if a later step fails. The host's /proc is
    /// open.
    KeepMounts {}
    /// At `path` there must be the top of this mount.
    FindMount { path: &'a CStr, mount: MountId }
    /// umount2(MNT_DETACH) of this mount, which is at `path`. The host's /proc is open.
    Unmount { path: &'a CStr, mount: MountId }
    /// Changes the mount that is at `target`; an empty one is the last that was attached.
    Remount { target: &'a CStr, attributes: Attributes, recursive_attributes: Attributes }
    /// mknod(2). A node that is there must be the same device.
    Device { path: &'a CStr, mode: u32, number: u64, uid: u32, gid: u32 }
    /// Something that is there already stays as it is.
    Symlink { to: &'a CStr, path: &'a CStr }
    /// Keeps a verified descriptor of the container's own /dev/null for `Mask`.
    OpenNull {}
    /// A pseudo terminal of the container's devpts: its master goes to rruntime, with `bind` its slave to /dev/console.
    /// With `held` it is this process's own, in a session that it makes, until the one that it spawns takes it over: nobody
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
}

macro_rules! parts {
    ($( $name:ident = $text:literal ),* $(,)?) => {
        /// The system call, or the check, of a step that failed.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u32)]
        pub enum Part { $( $name ),* }

        impl Part {
            pub const ALL: &'static [(Part, &'static str)] = &[ $( (Part::$name, $text) ),* ];
        }
    };
}

parts! {
    Whole = "",
    Plan = "plan cannot be read",
    Control = "rruntime has gone away",
    OpenTarget = "open the destination",
    MakeTarget = "create the destination",
    OpenSource = "open the source",
    SourceChanged = "the source is not the file that it was a moment ago",
    FsOpen = "fsopen",
    FsConfig = "fsconfig",
    FsCreate = "create the file system",
    FsMount = "fsmount",
    Label = "set its label",
    OpenTree = "open_tree",
    MountSetattr = "mount_setattr",
    MoveMount = "move_mount",
    Verify = "verify what is there",
    Unexpected = "something else is there",
    NotAFile = "it is no ordinary file",
    Open = "open",
    Write = "write",
    Read = "read",
    PivotRoot = "pivot_root",
    Umount = "unmount the old root",
    Mount = "mount",
    Unmount = "umount2",
    NoMount = "nothing is mounted there",
    LinkLeads = "a link leads elsewhere",
    OtherMount = "another mount than the one that was added is there now",
    OtherLink = "something else than this link is there",
    TooMany = "too many mounts at a time",
    Chdir = "chdir",
    OutsideRoot = "the directory is outside of the root filesystem",
    Mknod = "mknod",
    Chown = "chown",
    Chmod = "chmod",
    Symlink = "symlink",
    Setns = "setns",
    Stranger = "it is in another user namespace than the container",
    Clone = "clone",
    Prctl = "prctl",
    Capset = "capset",
    Setgroups = "setgroups",
    Setgid = "setresgid",
    Setuid = "setresuid",
    Prlimit = "prlimit",
    NotFound = "no such program",
    NotExecutable = "not executable",
    Exec = "execve",
    Seccomp = "seccomp",
    Socket = "socket",
    Ioctl = "ioctl",
    Copy = "copy into the new file system",
    Holder = "open a proc in the other pid namespace",
    Setsid = "setsid",
    Dup = "dup",
    Mmap = "mmap",
}

/// What a message is about. The numbers stay, so what is new comes last: a container that an earlier version made waits for
/// `Go`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Kind {
    /// init: `Sync` number `value` is reached.
    Reached = 1,
    /// init: the process `value` does the rest of the plan.
    Spawned,
    /// init: everything but start is done.
    Ready,
    /// init: `step` failed with `errno` in `part`; the payload explains (the file system's own words, or the
    /// first bytes of a program).
    Failed,
    /// init: a descriptor comes with this message: the console's master.
    Console,
    /// init: the seccomp listener is descriptor `value` of this process. (That of 0.1.0 sends it with this message.)
    Listener,
    /// rruntime: go on.
    Go,
    /// rruntime: wait for start at the ends that are kept for it; I shall be gone.
    Detach,
    /// init: `step` could not do in `part` what the container can do without; otherwise as `Failed`. At most one a step.
    Warned,
    /// init: `step` has attached the mount whose number is `value`; the payload has the rest of its `MountId`. The second
    /// time: it has detached it.
    Mount,
    /// init: `step` has followed a link to what comes with this message, below its descriptor `value`, and waits: `Go`, or
    /// another word for no.
    Link,
    /// init: a descriptor comes with this message: its copy of handle `value`, whose owners are to be mapped.
    Copied,
    /// init: it may not pass a directory on the way to handle `value`, and asks for a descriptor of what is there in its
    /// own mount table.
    Blocked,
}

/// A message on the control socket (`SOCK_SEQPACKET`): this header, then the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub kind: u32,
    pub step: u32,
    pub part: u32,
    pub errno: i32,
    pub value: i64,
}

/// Bytes that a message's payload has at most.
pub const PAYLOAD: usize = 1024;

impl Message {
    pub const SIZE: usize = 24;

    pub fn of(kind: Kind) -> Message {
        Message { kind: kind as u32, step: 0, part: 0, errno: 0, value: 0 }
    }

    pub fn encode(&self) -> [u8; Message::SIZE] {
        let mut bytes = [0; Message::SIZE];
        bytes[0..4].copy_from_slice(&self.kind.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.step.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.part.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.errno.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.value.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Option<Message> {
        let mut from = Reader::new(bytes.get(..Message::SIZE)?);
        Some(Message {
            kind: u32::take(&mut from)?,
            step: u32::take(&mut from)?,
            part: u32::take(&mut from)?,
            errno: i32::take(&mut from)?,
            value: i64::take(&mut from)?,
        })
    }
}
