//! Every word of `config.json` that stands for a kernel constant, as tables.
//!
//! The code, `features`, the documentation and the tests read these same arrays, so a name that is accepted is
//! also announced. Numbers come from `libc`; where libc has none, the comment names the kernel header. Nothing
//! here decides what is allowed: that is `spec::validate`.

use crate::wire::Links;
use nix::sys::signal::Signal;

/// Names and what they stand for.
pub type Table<T> = [(&'static str, T)];

/// The value of an exact name.
pub fn find<T: Copy>(table: &Table<T>, name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
}

/// The name that `word` stands for if a slip or two of the keyboard explain the difference.
pub fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    const LONGEST: usize = 64;
    let slips = |name: &str| slips(word.as_bytes(), name.as_bytes());
    let near = |&(slips, name): &(usize, &str)| slips <= (name.len() / 3).min(2);
    let close = names.filter(|name| word.len() <= LONGEST && name.len().abs_diff(word.len()) <= 2);
    close.map(|name| (slips(name), name)).filter(near).min_by_key(|&(slips, _)| slips).map(|(_, name)| name)
}

/// The remedy for a name that is none of `names`.
pub fn instead_of(word: &str, names: impl Iterator<Item = &'static str>) -> String {
    let names: Vec<&str> = names.collect();
    match nearest(word, names.iter().copied()) {
        Some(meant) => format!("did you mean {meant:?}? The names are {}", names.join(", ")),
        None => format!("use one of {}", names.join(", ")),
    }
}

/// Letters that were lost, added, replaced or swapped with their neighbour (optimal string alignment).
fn slips(a: &[u8], b: &[u8]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let least = (rows[i][j] + usize::from(x != y)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y;
            row.push(if swapped { least.min(rows[i - 1][j - 1] + 1) } else { least });
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

// --- capabilities ---------------------------------------------------------------------------------------

/// Capabilities in the order of their numbers (linux/capability.h): the index is the number.
pub const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The number of a capability's name, as capabilities(7) writes it: what peers take for none gives no rights here either.
pub fn capability(name: &str) -> Option<u8> {
    u8::try_from(CAPABILITIES.iter().position(|known| *known == name)?).ok()
}

/// The capability that an unknown name may stand for: written small, without its prefix, or with a slip.
pub fn meant_capability(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    let whole = if name.starts_with("CAP_") { name } else { format!("CAP_{name}") };
    nearest(&whole, CAPABILITIES.into_iter())
}

/// The name of a capability's number.
pub fn capability_name(number: u8) -> Option<&'static str> {
    CAPABILITIES.get(usize::from(number)).copied()
}

/// The names of the capabilities in a mask.
pub fn capability_names(mask: u64) -> impl Iterator<Item = &'static str> {
    (0..64).filter(move |number| mask & 1 << number != 0).filter_map(capability_name)
}

/// One bit a capability; unknown names are left out (`validate` has warned about them).
pub fn capability_mask<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> u64 {
    names.into_iter().filter_map(|name| capability(name.as_ref())).fold(0, |mask, number| mask | 1 << number)
}

// --- resource limits ------------------------------------------------------------------------------------

// C libraries give these numbers different types.
pub const RLIMIT_LOCKS: u32 = libc::RLIMIT_LOCKS as _;
pub const RLIMIT_NOFILE: u32 = libc::RLIMIT_NOFILE as _;
pub const RLIMIT_NPROC: u32 = libc::RLIMIT_NPROC as _;
pub const RLIMIT_RSS: u32 = libc::RLIMIT_RSS as _;

/// `process.rlimits[].type`.
pub const RLIMITS: [(&str, u32); 16] = [
    ("RLIMIT_AS", libc::RLIMIT_AS as _),
    ("RLIMIT_CORE", libc::RLIMIT_CORE as _),
    ("RLIMIT_CPU", libc::RLIMIT_CPU as _),
    ("RLIMIT_DATA", libc::RLIMIT_DATA as _),
    ("RLIMIT_FSIZE", libc::RLIMIT_FSIZE as _),
    ("RLIMIT_LOCKS", RLIMIT_LOCKS),
    ("RLIMIT_MEMLOCK", libc::RLIMIT_MEMLOCK as _),
    ("RLIMIT_MSGQUEUE", libc::RLIMIT_MSGQUEUE as _),
    ("RLIMIT_NICE", libc::RLIMIT_NICE as _),
    ("RLIMIT_NOFILE", RLIMIT_NOFILE),
    ("RLIMIT_NPROC", RLIMIT_NPROC),
    ("RLIMIT_RSS", RLIMIT_RSS),
    ("RLIMIT_RTPRIO", libc::RLIMIT_RTPRIO as _),
    ("RLIMIT_RTTIME", libc::RLIMIT_RTTIME as _),
    ("RLIMIT_SIGPENDING", libc::RLIMIT_SIGPENDING as _),
    ("RLIMIT_STACK", libc::RLIMIT_STACK as _),
];

// --- namespaces -----------------------------------------------------------------------------------------

/// `CLONE_NEW…` of each kind.
pub mod namespaces {
    pub const USER: u64 = libc::CLONE_NEWUSER as u64;
    pub const IPC: u64 = libc::CLONE_NEWIPC as u64;
    pub const UTS: u64 = libc::CLONE_NEWUTS as u64;
    pub const NETWORK: u64 = libc::CLONE_NEWNET as u64;
    pub const PID: u64 = libc::CLONE_NEWPID as u64;
    pub const CGROUP: u64 = libc::CLONE_NEWCGROUP as u64;
    /// linux/sched.h; overlaps the signal mask of clone(2), so only clone3(2), unshare(2) and setns(2) take it.
    pub const TIME: u64 = 0x80;
    pub const MOUNT: u64 = libc::CLONE_NEWNS as u64;
}

/// A kind of namespace under its three names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// `linux.namespaces[].type`.
    pub kind: &'static str,
    /// `CLONE_NEW…` of clone3(2) and setns(2).
    pub flag: u64,
    /// The file in /proc/PID/ns.
    pub proc_name: &'static str,
}

/// In the order in which joining them works: the user namespace first gives the rights for the others.
pub const NAMESPACES: [Namespace; 8] = [
    Namespace { kind: "user", flag: namespaces::USER, proc_name: "user" },
    Namespace { kind: "ipc", flag: namespaces::IPC, proc_name: "ipc" },
    Namespace { kind: "uts", flag: namespaces::UTS, proc_name: "uts" },
    Namespace { kind: "network", flag: namespaces::NETWORK, proc_name: "net" },
    Namespace { kind: "pid", flag: namespaces::PID, proc_name: "pid" },
    Namespace { kind: "cgroup", flag: namespaces::CGROUP, proc_name: "cgroup" },
    Namespace { kind: "time", flag: namespaces::TIME, proc_name: "time" },
    Namespace { kind: "mount", flag: namespaces::MOUNT, proc_name: "mnt" },
];

/// The namespace of a `type`.
pub fn namespace(kind: &str) -> Option<&'static Namespace> {
    NAMESPACES.iter().find(|namespace| namespace.kind == kind)
}

// --- signals --------------------------------------------------------------------------------------------

/// Second names of signals, without `SIG`.
const SIGNAL_ALIASES: [(&str, i32); 3] =
    [("IOT", libc::SIGIOT), ("CLD", libc::SIGCHLD), ("POLL", libc::SIGPOLL)];

/// All names of signals, without `SIG`.
pub fn signal_names() -> impl Iterator<Item = &'static str> {
    let usual = Signal::iterator().map(|signal| signal.as_str().trim_start_matches("SIG"));
    usual.chain(SIGNAL_ALIASES.map(|(name, _)| name))
}

/// The first realtime signal as users count them: the C library keeps 32 and 33 for its threads.
pub const SIGRTMIN: i32 = 34;
/// The last signal that the kernel has.
pub const SIGRTMAX: i32 = 64;

/// The name of a signal, with `SIG`.
pub fn signal_name(number: i32) -> Option<String> {
    Signal::try_from(number).ok().map(|signal| signal.to_string())
}

/// The number of a signal: `9`, `KILL`, `SIGKILL`, `kill`, `RTMIN+3`, `SIGRTMAX-1`. 0 is the test for existence.
pub fn signal(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<u8>() {
        let number = i32::from(number);
        return (number <= SIGRTMAX).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let named = format!("SIG{bare}").parse::<Signal>().ok().map(|signal| signal as i32);
    if let Some(number) = named.or_else(|| find(&SIGNAL_ALIASES, bare)) {
        return Some(number);
    }
    let (base, offset) = if let Some(rest) = bare.strip_prefix("RTMIN") {
        (SIGRTMIN, if rest.is_empty() { 0 } else { i32::from(rest.strip_prefix('+')?.parse::<u8>().ok()?) })
    } else {
        let rest = bare.strip_prefix("RTMAX")?;
        (SIGRTMAX, if rest.is_empty() { 0 } else { -i32::from(rest.strip_prefix('-')?.parse::<u8>().ok()?) })
    };
    let number = base + offset;
    (SIGRTMIN..=SIGRTMAX).contains(&number).then_some(number)
}

// --- mount options --------------------------------------------------------------------------------------

/// One word of `mounts[].options` that is not data for the filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MountOption {
    pub name: &'static str,
    pub effect: Effect,
}

/// What an option does, in the terms of fsconfig(2) and mount_setattr(2). Later options win over earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Sets these `MOUNT_ATTR_*` bits on the mount.
    Set(u64),
    /// Clears these `MOUNT_ATTR_*` bits on the mount.
    Clear(u64),
    /// Sets them on the whole tree of mounts (`AT_RECURSIVE`).
    RecSet(u64),
    /// Clears them on the whole tree of mounts.
    RecClear(u64),
    /// One of the three access time modes; they exclude each other (`MOUNT_ATTR__ATIME`).
    Atime(Atime),
    /// Takes an earlier mode back (`atime` after `noatime`): the kernel's default, relative, unless another
    /// mode is set.
    NotAtime(Atime),
    /// An access time mode on the whole tree.
    RecAtime(Atime),
    /// A flag of the superblock, by the name that `FSCONFIG_SET_FLAG` takes. No effect on a bind mount.
    Superblock(&'static str),
    /// The same by a name with `r` before it (crun): a new file system has one superblock, so there it is the plain
    /// flag; a bind cannot have it.
    RecSuperblock(&'static str),
    /// Sets the propagation (`MS_SHARED`, `MS_PRIVATE`, `MS_SLAVE`, `MS_UNBINDABLE`).
    Propagation {
        flag: u64,
        recursive: bool,
    },
    Bind {
        recursive: bool,
    },
    /// Changes the mount that is there instead of adding one.
    Remount,
    /// A tmpfs that begins with a copy of what the image has at its place.
    TmpCopyUp,
    /// Maps the mount's owners (`MOUNT_ATTR_IDMAP`).
    IdMap {
        recursive: bool,
    },
    /// What a bind does with symbolic links (crun): bits of `wire::Links`.
    Links(u32),
    /// Accepted for the sake of compatibility; there is nothing to do.
    Ignored,
}

/// When reading a file updates its access time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atime {
    Relative,
    Never,
    Strict,
}

impl Atime {
    /// Its value within `MOUNT_ATTR__ATIME`.
    pub const fn bits(self) -> u64 {
        match self {
            Atime::Relative => libc::MOUNT_ATTR_RELATIME,
            Atime::Never => libc::MOUNT_ATTR_NOATIME,
            Atime::Strict => libc::MOUNT_ATTR_STRICTATIME,
        }
    }
}

const fn option(name: &'static str, effect: Effect) -> MountOption {
    MountOption { name, effect }
}

const fn propagation(name: &'static str, flag: u64, recursive: bool) -> MountOption {
    option(name, Effect::Propagation { flag, recursive })
}

/// Every option that is not data for the filesystem, the frequent ones first. `iversion` and `silent` have no
/// form in the descriptor based mount calls (the filesystems that know i_version take it as their own data;
/// nothing is logged on success), so they and their opposites do nothing.
pub const MOUNT_OPTIONS: [MountOption; 70] = [
    option("ro", Effect::Set(libc::MOUNT_ATTR_RDONLY)),
    option("rw", Effect::Clear(libc::MOUNT_ATTR_RDONLY)),
    option("nosuid", Effect::Set(libc::MOUNT_ATTR_NOSUID)),
    option("nodev", Effect::Set(libc::MOUNT_ATTR_NODEV)),
    option("noexec", Effect::Set(libc::MOUNT_ATTR_NOEXEC)),
    option("rbind", Effect::Bind { recursive: true }),
    propagation("rprivate", libc::MS_PRIVATE, true),
    option("bind", Effect::Bind { recursive: false }),
    option("strictatime", Effect::Atime(Atime::Strict)),
    option("relatime", Effect::Atime(Atime::Relative)),
    option("noatime", Effect::Atime(Atime::Never)),
    option("suid", Effect::Clear(libc::MOUNT_ATTR_NOSUID)),
    option("dev", Effect::Clear(libc::MOUNT_ATTR_NODEV)),
    option("exec", Effect::Clear(libc::MOUNT_ATTR_NOEXEC)),
    option("nodiratime", Effect::Set(libc::MOUNT_ATTR_NODIRATIME)),
    option("diratime", Effect::Clear(libc::MOUNT_ATTR_NODIRATIME)),
    option("nosymfollow", Effect::Set(libc::MOUNT_ATTR_NOSYMFOLLOW)),
    option("symfollow", Effect::Clear(libc::MOUNT_ATTR_NOSYMFOLLOW)),
    option("atime", Effect::NotAtime(Atime::Never)),
    option("norelatime", Effect::NotAtime(Atime::Relative)),
    option("nostrictatime", Effect::NotAtime(Atime::Strict)),
    propagation("private", libc::MS_PRIVATE, false),
    propagation("shared", libc::MS_SHARED, false),
    propagation("rshared", libc::MS_SHARED, true),
    propagation("slave", libc::MS_SLAVE, false),
    propagation("rslave", libc::MS_SLAVE, true),
    propagation("unbindable", libc::MS_UNBINDABLE, false),
    propagation("runbindable", libc::MS_UNBINDABLE, true),
    option("defaults", Effect::Ignored),
    option("remount", Effect::Remount),
    option("sync", Effect::Superblock("sync")),
    option("async", Effect::Superblock("async")),
    option("dirsync", Effect::Superblock("dirsync")),
    option("mand", Effect::Superblock("mand")),
    option("nomand", Effect::Superblock("nomand")),
    option("lazytime", Effect::Superblock("lazytime")),
    option("nolazytime", Effect::Superblock("nolazytime")),
    option("iversion", Effect::Ignored),
    option("noiversion", Effect::Ignored),
    option("silent", Effect::Ignored),
    option("loud", Effect::Ignored),
    option("rro", Effect::RecSet(libc::MOUNT_ATTR_RDONLY)),
    option("rrw", Effect::RecClear(libc::MOUNT_ATTR_RDONLY)),
    option("rnosuid", Effect::RecSet(libc::MOUNT_ATTR_NOSUID)),
    option("rsuid", Effect::RecClear(libc::MOUNT_ATTR_NOSUID)),
    option("rnodev", Effect::RecSet(libc::MOUNT_ATTR_NODEV)),
    option("rdev", Effect::RecClear(libc::MOUNT_ATTR_NODEV)),
    option("rnoexec", Effect::RecSet(libc::MOUNT_ATTR_NOEXEC)),
    option("rexec", Effect::RecClear(libc::MOUNT_ATTR_NOEXEC)),
    option("rnodiratime", Effect::RecSet(libc::MOUNT_ATTR_NODIRATIME)),
    option("rdiratime", Effect::RecClear(libc::MOUNT_ATTR_NODIRATIME)),
    option("rnosymfollow", Effect::RecSet(libc::MOUNT_ATTR_NOSYMFOLLOW)),
    option("rsymfollow", Effect::RecClear(libc::MOUNT_ATTR_NOSYMFOLLOW)),
    option("rnoatime", Effect::RecAtime(Atime::Never)),
    option("rstrictatime", Effect::RecAtime(Atime::Strict)),
    option("rrelatime", Effect::RecAtime(Atime::Relative)),
    // The kernel cannot unset an access time mode in a tree, only set another: relative is its default.
    option("ratime", Effect::RecAtime(Atime::Relative)),
    option("rnorelatime", Effect::RecAtime(Atime::Relative)),
    option("rnostrictatime", Effect::RecAtime(Atime::Relative)),
    option("tmpcopyup", Effect::TmpCopyUp),
    option("idmap", Effect::IdMap { recursive: false }),
    option("ridmap", Effect::IdMap { recursive: true }),
    option("rsync", Effect::RecSuperblock("sync")),
    option("rasync", Effect::RecSuperblock("async")),
    option("rdirsync", Effect::RecSuperblock("dirsync")),
    option("rmand", Effect::RecSuperblock("mand")),
    option("rnomand", Effect::RecSuperblock("nomand")),
    option("copy-symlink", Effect::Links(Links::COPY)),
    option("src-nofollow", Effect::Links(Links::KEEP_SOURCE)),
    option("dest-nofollow", Effect::Links(Links::KEEP_TARGET)),
];

/// The option of this name; `None` is data for the filesystem (`size=64k`). `idmap` may have a mapping behind it.
pub fn mount_option(name: &str) -> Option<Effect> {
    let name = match name.split_once('=') {
        Some((plain @ ("idmap" | "ridmap"), _)) => plain,
        _ => name,
    };
    MOUNT_OPTIONS.iter().find(|option| option.name == name).map(|option| option.effect)
}

/// `linux.rootfsPropagation`: flag and whether it is recursive, the same words as the mount options.
pub fn propagation_mode(name: &str) -> Option<(u64, bool)> {
    match mount_option(name)? {
        Effect::Propagation { flag, recursive } => Some((flag, recursive)),
        _ => None,
    }
}

// --- hooks ----------------------------------------------------------------------------------------------

/// The hook kinds in the order of their runs (config.md, POSIX-platform Hooks).
pub const HOOKS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

// --- scheduling -----------------------------------------------------------------------------------------

/// `process.scheduler.policy`. Mainline kernels have no SCHED_ISO and refuse it.
pub const SCHEDULER_POLICIES: [(&str, u32); 7] = [
    ("SCHED_OTHER", libc::SCHED_OTHER as u32),
    ("SCHED_FIFO", libc::SCHED_FIFO as u32),
    ("SCHED_RR", libc::SCHED_RR as u32),
    ("SCHED_BATCH", libc::SCHED_BATCH as u32),
    ("SCHED_ISO", 4), // reserved in linux/sched.h
    ("SCHED_IDLE", libc::SCHED_IDLE as u32),
    ("SCHED_DEADLINE", libc::SCHED_DEADLINE as u32),
];

/// `process.scheduler.flags` (linux/sched.h).
pub const SCHEDULER_FLAGS: [(&str, u64); 7] = [
    ("SCHED_FLAG_RESET_ON_FORK", libc::SCHED_FLAG_RESET_ON_FORK as u64),
    ("SCHED_FLAG_RECLAIM", libc::SCHED_FLAG_RECLAIM as u64),
    ("SCHED_FLAG_DL_OVERRUN", libc::SCHED_FLAG_DL_OVERRUN as u64),
    ("SCHED_FLAG_KEEP_POLICY", libc::SCHED_FLAG_KEEP_POLICY as u64),
    ("SCHED_FLAG_KEEP_PARAMS", libc::SCHED_FLAG_KEEP_PARAMS as u64),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", libc::SCHED_FLAG_UTIL_CLAMP_MIN as u64),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", libc::SCHED_FLAG_UTIL_CLAMP_MAX as u64),
];

/// `process.ioPriority.class` (linux/ioprio.h).
pub const IO_PRIORITY_CLASSES: [(&str, u16); 3] =
    [("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)];

// --- memory policy --------------------------------------------------------------------------------------

/// `linux.memoryPolicy.mode` (linux/mempolicy.h).
pub const MEMORY_POLICY_MODES: [(&str, u32); 7] = [
    ("MPOL_DEFAULT", libc::MPOL_DEFAULT as u32),
    ("MPOL_PREFERRED", libc::MPOL_PREFERRED as u32),
    ("MPOL_BIND", libc::MPOL_BIND as u32),
    ("MPOL_INTERLEAVE", libc::MPOL_INTERLEAVE as u32),
    ("MPOL_LOCAL", libc::MPOL_LOCAL as u32),
    ("MPOL_PREFERRED_MANY", 5),
    ("MPOL_WEIGHTED_INTERLEAVE", 6),
];

/// `linux.memoryPolicy.flags`, or-ed into the mode.
pub const MEMORY_POLICY_FLAGS: [(&str, u32); 3] = [
    ("MPOL_F_NUMA_BALANCING", libc::MPOL_F_NUMA_BALANCING as u32),
    ("MPOL_F_RELATIVE_NODES", libc::MPOL_F_RELATIVE_NODES as u32),
    ("MPOL_F_STATIC_NODES", libc::MPOL_F_STATIC_NODES as u32),
];

// --- personality ----------------------------------------------------------------------------------------

/// `linux.personality.domain` (linux/personality.h).
pub const PERSONALITY_DOMAINS: [(&str, u32); 2] = [("LINUX", 0), ("LINUX32", 0x0008)];

/// `linux.personality.flags`. The specification names none yet; these are the kernel's own names.
pub const PERSONALITY_FLAGS: [(&str, u32); 11] = [
    // The libc crate has these two for glibc alone.
    ("UNAME26", 0x002_0000),
    ("ADDR_NO_RANDOMIZE", libc::ADDR_NO_RANDOMIZE as u32),
    ("FDPIC_FUNCPTRS", 0x008_0000),
    ("MMAP_PAGE_ZERO", libc::MMAP_PAGE_ZERO as u32),
    ("ADDR_COMPAT_LAYOUT", libc::ADDR_COMPAT_LAYOUT as u32),
    ("READ_IMPLIES_EXEC", libc::READ_IMPLIES_EXEC as u32),
    ("ADDR_LIMIT_32BIT", libc::ADDR_LIMIT_32BIT as u32),
    ("SHORT_INODE", libc::SHORT_INODE as u32),
    ("WHOLE_SECONDS", libc::WHOLE_SECONDS as u32),
    ("STICKY_TIMEOUTS", libc::STICKY_TIMEOUTS as u32),
    ("ADDR_LIMIT_3GB", libc::ADDR_LIMIT_3GB as u32),
];

// --- Landlock -------------------------------------------------------------------------------------------

/// Rights on files in the order of their bits (linux/landlock.h), in the words of the runtime-spec's proposal.
pub const LANDLOCK_FS: [&str; 16] = [
    "execute",
    "write_file",
    "read_file",
    "read_dir",
    "remove_dir",
    "remove_file",
    "make_char",
    "make_dir",
    "make_reg",
    "make_sock",
    "make_fifo",
    "make_block",
    "make_sym",
    "refer",
    "truncate",
    "ioctl_dev",
];
pub const LANDLOCK_NET: [&str; 2] = ["bind_tcp", "connect_tcp"];
pub const LANDLOCK_SCOPES: [&str; 2] = ["abstract_unix_socket", "signal"];

/// How many of the rights above a kernel has (files, network, scopes), by the version of its Landlock.
pub fn landlock_rights(version: u32) -> [usize; 3] {
    let files = match version {
        0 => 0,
        1 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    [files, if version >= 4 { 2 } else { 0 }, if version >= 6 { 2 } else { 0 }]
}
