//! What init and rruntime say to each other while the steps are done.

use super::format::{Reader, Sink, Wire, records};

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
    Unlink = "unlink",
}

/// The `Reached` of a process that was spawned and leads its session: the one that spawned it, which holds its terminal, may
/// end. Nothing waits for a word.
pub const LEADS: u32 = u32::MAX;

/// What a message says. The numbers stay, so what is new comes last: a container that an earlier version made waits for
/// `Go`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Word {
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

records! {
    /// A message on the control socket (`SOCK_SEQPACKET`): this header, then the payload.
    Message { kind: u32, step: u32, part: u32, errno: i32, value: i64 }
}

/// Bytes that a message's payload has at most.
pub const PAYLOAD: usize = 1024;

impl Message {
    pub const SIZE: usize = 24;

    pub fn of(kind: Word) -> Message {
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
        Message::take(&mut Reader::new(bytes))
    }
}
