//! What a caller asks of the engine: plain data that the command line, a shim and a test fill alike.
//!
//! Paths are taken relative to the caller's working directory; the engine never changes it.

pub use crate::cgroup::systemd::Buses;
pub use crate::cgroup::{Below, CgroupManager};
pub use crate::criu::messages::CgroupMode;
use crate::spec::DeviceRule;
pub use crate::spec::{Keyring, RootChange};
use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// Whether refused cgroup operations are forgiven, as they must be for an ordinary user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rootless {
    /// Forgiven if the caller is not root.
    #[default]
    Auto,
    Yes,
    No,
}

/// A plan that opens more files than this process may (RLIMIT_NOFILE): each mount of a config may be one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenFiles {
    /// It is refused: the limit is the whole process's.
    #[default]
    Keep,
    /// The soft limit, which is the whole process's, is raised while they are open.
    Raise,
}

/// Who gets the master of a process's terminal, if the process is to have one.
#[derive(Clone, Debug, Default)]
pub enum Terminal<'a> {
    /// A process that is to have a terminal is refused.
    #[default]
    None,
    /// The listener at this unix socket.
    Socket(PathBuf),
    /// The caller, with what is started. The new terminal has the size of `like`, where that is a terminal; what comes of it
    /// is written to `output`.
    Caller { like: Option<BorrowedFd<'a>>, output: Option<BorrowedFd<'a>> },
}

/// Standard input, output and error; those that are not given are the caller's own.
pub type Streams<'a> = [Option<BorrowedFd<'a>>; 3];

/// What happens to a container of `run` after its process ended, or where it could not be started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterExit {
    #[default]
    Delete,
    Keep,
}

/// `create`, and the first half of `run`.
#[derive(Clone, Debug, Default)]
pub struct CreateOptions<'a> {
    pub id: String,
    /// The bundle's directory; "." for the working directory.
    pub bundle: PathBuf,
    /// Instead of `config.json` in the bundle; relative to the working directory, not to the bundle.
    pub config: Option<PathBuf>,
    pub terminal: Terminal<'a>,
    pub streams: Streams<'a>,
    pub pid_file: Option<PathBuf>,
    pub root_change: RootChange,
    pub keyring: Keyring,
    /// Sockets that a service manager has opened for the process, which gets them as 3, 4, … (sd_listen_fds(3)).
    pub sockets: Vec<BorrowedFd<'a>>,
    /// LISTEN_FDNAMES, as it is.
    pub socket_names: Option<String>,
    /// What the process gets behind them, in this order.
    pub preserve_fds: Vec<BorrowedFd<'a>>,
    /// Where a service manager hears that the program is ready: a path, or an abstract name that begins with @.
    pub notify_socket: Option<PathBuf>,
    /// Receives a descriptor of the container's first process.
    pub pidfd_socket: Option<PathBuf>,
    /// Gets the seccomp listener where neither the profile nor an annotation names an agent.
    pub seccomp_receiver: Option<String>,
    /// The socket that gets the listener of a filter that asks about each call, which takes the place of the config's.
    pub recorder: Option<String>,
}

/// What `exec` starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecProcess {
    /// A file with a `process` object as config.json has it.
    File(PathBuf),
    /// Such an object.
    Object(Vec<u8>),
    /// Program and arguments; everything else as the container's own process has it.
    Command(Vec<OsString>),
}

/// `--user`: an absent gid means the one of the container's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserIds {
    pub uid: u32,
    pub gid: Option<u32>,
}

/// A frozen container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paused {
    #[default]
    Refuse,
    Ignore,
}

/// `exec`. What is `None` or empty is as the process file, or the container's own process, says.
#[derive(Clone, Debug)]
pub struct ExecOptions<'a> {
    pub process: ExecProcess,
    pub cwd: Option<OsString>,
    /// `NAME=value`, appended in this order.
    pub env: Vec<OsString>,
    /// Whether it has one.
    pub tty: Option<bool>,
    pub user: Option<UserIds>,
    pub additional_gids: Vec<u32>,
    pub process_label: Option<String>,
    pub apparmor: Option<String>,
    pub no_new_privileges: Option<bool>,
    /// Names of capabilities, added to the container's.
    pub capabilities: Vec<String>,
    pub terminal: Terminal<'a>,
    pub streams: Streams<'a>,
    pub pid_file: Option<PathBuf>,
    pub pidfd_socket: Option<PathBuf>,
    /// What the process gets as 3, 4, …
    pub preserve_fds: Vec<BorrowedFd<'a>>,
    pub paused: Paused,
    /// The groups below the container's in which it is born.
    pub cgroups: Vec<Below>,
    /// Its program does not begin before the observer has heard of it: `Event::Releasing`.
    pub held: bool,
}

impl<'a> ExecOptions<'a> {
    /// Everything but the process as that, or the container's own, says.
    pub fn of(process: ExecProcess) -> ExecOptions<'a> {
        ExecOptions {
            process,
            cwd: None,
            env: Vec::new(),
            tty: None,
            user: None,
            additional_gids: Vec::new(),
            process_label: None,
            apparmor: None,
            no_new_privileges: None,
            capabilities: Vec::new(),
            terminal: Terminal::None,
            streams: [None; 3],
            pid_file: None,
            pidfd_socket: None,
            preserve_fds: Vec::new(),
            paused: Paused::Refuse,
            cgroups: Vec::new(),
            held: false,
        }
    }
}

/// What the reader of an error knows a limit by.
#[derive(Clone, Debug)]
pub struct Typed {
    /// Within `linux.resources`.
    pub pointer: &'static str,
    pub option: String,
    /// As it was written, if it was given.
    pub value: Option<String>,
}

/// `update`.
#[derive(Clone, Debug)]
pub struct UpdateOptions {
    /// `linux.resources` as JSON, and where it is from.
    pub resources: Vec<u8>,
    pub from: String,
    /// Rules that come behind those for devices that the container has. Those of `resources` are not taken: engines write
    /// the config's into every update.
    pub device_rules: Vec<DeviceRule<'static>>,
    /// Limits that were options; errors of any other are named by a pointer.
    pub typed: Vec<Typed>,
    /// Intel RDT, `linux.intelRdt.l3CacheSchema` and `memBwSchema`.
    pub l3_cache_schema: Option<String>,
    pub mem_bw_schema: Option<String>,
}

impl UpdateOptions {
    /// Of no limit; what is wrong with a device's rule is told of this option.
    pub fn of_device(option: &str, value: &str) -> UpdateOptions {
        let typed = Typed { pointer: "/devices", option: option.to_owned(), value: Some(value.to_owned()) };
        UpdateOptions {
            resources: b"{}".to_vec(),
            from: option.to_owned(),
            device_rules: Vec::new(),
            typed: vec![typed],
            l3_cache_schema: None,
            mem_bw_schema: None,
        }
    }
}

/// A device of the host for a container that runs.
#[derive(Clone, Debug)]
pub struct DeviceOptions {
    /// Its node on the host.
    pub path: PathBuf,
    /// Where its node will be in the container.
    pub inside: String,
    /// What the container may do with it: of r, w and m.
    pub access: String,
}

/// Which processes a signal is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recipients {
    #[default]
    FirstProcess,
    /// Every process in the container's cgroup.
    All,
}

/// Whether a container that is not stopped is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Force {
    #[default]
    OnlyStopped,
    /// Its processes are killed first; an unknown id is no error.
    Kill,
}

/// What a dump and a restore by CRIU have in common. Each `bool` is an option of CRIU's of that name.
#[derive(Clone, Debug, Default)]
pub struct CriuOptions {
    /// Where the images are.
    pub image_path: PathBuf,
    /// Where CRIU's log is; absent: with the images.
    pub work_path: Option<PathBuf>,
    pub tcp_established: bool,
    pub tcp_close: bool,
    pub ext_unix_sk: bool,
    pub shell_job: bool,
    pub file_locks: bool,
    pub link_remap: bool,
    pub lazy_pages: bool,
    pub auto_dedup: bool,
    /// Absent: a dump keeps them as `Soft` does; a restored container has the cgroup of its config, and no other.
    pub cgroups: Option<CgroupMode>,
    /// A configuration file of CRIU's, which can run programs.
    pub config: Option<String>,
}

/// What a dump writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dump {
    #[default]
    Whole,
    /// Only the memory, for a later dump that writes what has changed by then. The container goes on.
    Memory,
}

/// What becomes of a container whose processes are in files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterDump {
    #[default]
    Delete,
    Run,
}

/// `checkpoint`.
#[derive(Clone, Debug, Default)]
pub struct CheckpointOptions<'a> {
    pub criu: CriuOptions,
    pub dump: Dump,
    pub after: AfterDump,
    /// The dump that this one builds on, as a path from the images' directory.
    pub parent_path: Option<String>,
    pub tcp_skip_in_flight: bool,
    /// Who takes the memory, by address and port.
    pub page_server: Option<(String, u16)>,
    /// Hears a zero byte when pages can be asked for.
    pub status_fd: Option<BorrowedFd<'a>>,
}

/// What a security module knows a process by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    AppArmor(String),
    SeLinux(String),
}

/// `restore`: a container as `run` makes it, with processes from files.
#[derive(Clone, Debug, Default)]
pub struct RestoreOptions<'a> {
    pub create: CreateOptions<'a>,
    pub criu: CriuOptions,
    /// In place of the config's.
    pub label: Option<Label>,
    pub lsm_mount_context: Option<String>,
}
