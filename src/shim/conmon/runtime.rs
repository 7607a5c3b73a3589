//! Making the container, or the exec: by a call of the engine where the runtime is this program, whatever it is called, and
//! otherwise by executing the file that `-r` names, as conmon does.

use crate::engine::{
    Buses, CgroupManager, CreateOptions, Engine, Event, ExecOptions, ExecProcess, Force, Observer, OpenFiles,
    Rootless, Started, Terminal, Watch, keep_room, options::Streams,
};
use crate::error::{Error, Result};
use crate::report::{Format, Log, Verbosity};
use crate::shim::conmon::options::Options;
use crate::shim::conmon::places;
use crate::shim::launch::is_this_program;
use crate::state::root::default_root;
use crate::state::{NoRoot, Store};
use crate::sys::launch::{Child, Launch, LaunchError, Sleeper, begin};
use crate::sys::{Errno, c, file, identity, pipe, poll, random, socket, wait};
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::{Backlog, SockType, listen};
use std::ffi::{CStr, CString, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What runs, or waits for start.
pub struct Made {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub terminal: Option<OwnedFd>,
}

/// What the process gets of ours.
pub struct Given<'a> {
    pub streams: Streams<'a>,
    /// What was inherited as 3, 4, … up to the first that is missing or the shim's own.
    pub descriptors: Vec<BorrowedFd<'a>>,
    /// How many of them are a service manager's sockets.
    pub sockets: usize,
}

/// What stands before the command, as far as the engine has it. Whatever else there is, is for the program.
pub struct Globals {
    root: PathBuf,
    log: Option<PathBuf>,
    format: Format,
    detail: Verbosity,
    manager: CgroupManager,
    rootless: Rootless,
    /// Of an exec, how many descriptors it gets.
    preserved: usize,
}

impl Globals {
    /// `None`: the runtime is to be executed.
    pub fn of(options: &Options) -> Option<Globals> {
        if options.restore.is_some() || !is_this_program(&options.runtime) {
            return None;
        }
        let mut globals = Globals {
            root: default_root("rruntime"),
            log: None,
            format: Format::Text,
            detail: Verbosity::Usual,
            manager: if options.systemd { CgroupManager::Systemd } else { CgroupManager::Cgroupfs },
            rootless: Rootless::Auto,
            preserved: 0,
        };
        let mut words = options.runtime_arguments.iter().map(|word| &**word);
        while let Some(word) = words.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            let mut value = || value.or_else(|| words.next());
            match name {
                "--debug" => globals.detail = Verbosity::Debug,
                "--systemd-cgroup" => globals.manager = CgroupManager::Systemd,
                "--root" => globals.root = std::path::absolute(value()?).ok()?,
                "--log" => globals.log = Some(PathBuf::from(value()?)),
                "--log-format" => match value()? {
                    "json" => globals.format = Format::Json,
                    "text" => globals.format = Format::Text,
                    _ => return None,
                },
                "--log-level" => match value()? {
                    "debug" | "trace" => globals.detail = Verbosity::Debug,
                    "error" | "off" => globals.detail = Verbosity::Errors,
                    "warning" | "warn" | "info" => globals.detail = Verbosity::Usual,
                    _ => return None,
                },
                "--cgroup-manager" => match value()? {
                    "systemd" => globals.manager = CgroupManager::Systemd,
                    "cgroupfs" => globals.manager = CgroupManager::Cgroupfs,
                    "disabled" => globals.manager = CgroupManager::Disabled,
                    _ => return None,
                },
                _ => return None,
            }
        }
        let mut words = options.runtime_options.iter().map(|word| &**word);
        while let Some(word) = words.next() {
            let value = word.strip_prefix("--preserve-fds=");
            let value = if word == "--preserve-fds" { words.next() } else { value };
            globals.preserved = value?.parse().ok()?;
        }
        Some(globals)
    }

    fn log(&self) -> Result<Log> {
        self.log.as_ref().map_or_else(
            || Ok(Log::stderr(self.format, self.detail)),
            |place| Log::open(place, self.format, self.detail),
        )
    }

    pub fn engine(&self, observer: Option<Observer>) -> Result<Engine> {
        keep_room()?;
        identity::keep_owners_rights();
        let log = self.log()?;
        let usual: Observer = Arc::new(move |event| {
            if let Event::Warning(warning) = event {
                log.warn(warning);
            }
        });
        let observer: Observer = match observer {
            None => usual,
            Some(observer) => Arc::new(move |event| {
                usual(event);
                observer(event);
            }),
        };
        Ok(Engine {
            store: Arc::new(Store::open(&self.root, NoRoot::Make)?),
            cgroup_manager: self.manager,
            buses: Buses::of(|name| std::env::var(name).ok().filter(|value| !value.is_empty())),
            rootless: self.rootless,
            allowed_annotations: Vec::new(),
            open_files: OpenFiles::Raise,
            watch: Watch::new(None, observer),
        })
    }
}

/// By the engine. `again`: a shim that was killed has begun it.
pub fn call(
    options: &Options,
    globals: &Globals,
    given: Given,
    observer: Observer,
    again: bool,
) -> Result<Made> {
    let made = globals.engine(Some(observer)).and_then(|engine| {
        let terminal = match options.terminal {
            true => Terminal::Caller { like: None, output: None },
            false => Terminal::None,
        };
        if options.exec {
            exec(options, globals, &engine, terminal, given)
        } else {
            create(options, &engine, terminal, given, again)
        }
    });
    let made = made
        .map_err(|e| e.doing(format!("rruntime {} failed", if options.exec { "exec" } else { "create" })));
    if let Err(error) = &made {
        // podman looks for the reason there.
        globals.log()?.fatal(error);
    }
    made.map(|made: Started| Made { pid: made.pid, pidfd: made.pidfd, terminal: made.terminal })
}

fn create(
    options: &Options,
    engine: &Engine,
    terminal: Terminal,
    given: Given,
    again: bool,
) -> Result<Started> {
    if again {
        engine.delete(&options.id, Force::Kill)?;
    }
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let text = |name| variable(name).and_then(|value| value.into_string().ok());
    let sockets = given.descriptors[..given.sockets].to_vec();
    let socket_names = if sockets.is_empty() { None } else { text("LISTEN_FDNAMES") };
    engine.create(&CreateOptions {
        id: options.id.clone(),
        bundle: options.bundle.clone(),
        terminal,
        streams: given.streams,
        pid_file: options.pid_file.clone(),
        root_change: options.no_pivot.into(),
        keyring: options.keep_keyring.into(),
        sockets,
        socket_names,
        notify_socket: variable("NOTIFY_SOCKET").map(PathBuf::from),
        seccomp_receiver: text("RUN_OCI_SECCOMP_RECEIVER"),
        ..CreateOptions::default()
    })
}

fn exec(
    options: &Options,
    globals: &Globals,
    engine: &Engine,
    terminal: Terminal,
    given: Given,
) -> Result<Started> {
    let process = ExecProcess::File(options.exec_process.clone().unwrap_or_default());
    let preserved = given.descriptors.len().min(globals.preserved);
    engine.exec(
        &options.id,
        &ExecOptions {
            tty: Some(options.terminal),
            terminal,
            streams: given.streams,
            pid_file: options.pid_file.clone(),
            preserve_fds: given.descriptors[..preserved].to_vec(),
            held: true,
            ..ExecOptions::of(process)
        },
    )
}

/// By another program. `said`: what it has written to standard error, for the message of a failure.
pub fn execute(options: &Options, given: &Given, said: BorrowedFd) -> Result<Made> {
    let console = if options.terminal { Some(Console::new()?) } else { None };
    let program = &*options.runtime;
    let mut words: Vec<OsString> = vec![program.into()];
    words.extend(options.runtime_arguments.iter().map(Into::into));
    if options.systemd {
        words.push("--systemd-cgroup".into());
    }
    let pid_file = match &options.pid_file {
        Some(path) => path.clone(),
        None => options.bundle.join(format!("pidfile-{}", options.uuid)),
    };
    let mut push = |all: &[&std::ffi::OsStr]| words.extend(all.iter().map(|word| word.to_os_string()));
    let restore = options.restore.as_deref();
    if options.exec {
        let process = options.exec_process.clone().unwrap_or_default();
        push(&["exec".as_ref(), "--pid-file".as_ref(), pid_file.as_ref()]);
        push(&["--process".as_ref(), process.as_ref(), "--detach".as_ref()]);
    } else {
        let command = if restore.is_some() { "restore" } else { "create" };
        push(&[command.as_ref(), "--bundle".as_ref(), options.bundle.as_ref()]);
        push(&["--pid-file".as_ref(), pid_file.as_ref()]);
        if options.no_pivot {
            push(&["--no-pivot".as_ref()]);
        }
        if options.keep_keyring {
            push(&["--no-new-keyring".as_ref()]);
        }
        if let Some(images) = restore {
            push(&["--detach".as_ref(), "--image-path".as_ref(), images.as_ref()]);
            push(&["--work-path".as_ref(), options.bundle.as_ref()]);
        }
    }
    if let Some(console) = &console {
        push(&["--console-socket".as_ref(), console.path.as_ref()]);
    }
    words.extend(options.runtime_options.iter().map(Into::into));
    words.push(options.id.clone().into());
    if given.sockets > 0 {
        // They are for the process of this number alone, which is not known before it is there.
        let shell = ["/bin/sh", "-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""].map(OsString::from);
        words.splice(0..0, shell);
    }
    let child = spawn(&words, given.streams, &given.descriptors)?;
    let terminal = console.map_or(Ok(None), |console| console.wait(&child))?;
    let ended = wait::reap(child.pidfd.as_fd()).map_err(|e| e.because("wait for the runtime"))?;
    if ended.code() != 0 {
        let mut text = vec![0; 8192];
        let length = file::read(said, &mut text).unwrap_or(0);
        text.truncate(length);
        let text = String::from_utf8_lossy(&text).into_owned();
        let text = if text.is_empty() { format!("the runtime ended with {}", ended.code()) } else { text };
        return Err(Error::new(text));
    }
    if options.terminal && terminal.is_none() {
        return Err(Error::new("the runtime has not sent the terminal"));
    }
    let text = file::read_path(&pid_file, 64);
    let text = text.map_err(|e| e.because(format!("read {}", pid_file.display())))?;
    let pid = String::from_utf8_lossy(&text).trim().parse::<i32>();
    let pid = pid.map_err(|_| {
        Error::argument("--container-pidfile", pid_file.display(), "there is no number in it")
    })?;
    // One that has ended by now was reaped by the keeper, which says how.
    let pidfd = crate::sys::process::pidfd_open(pid).or_else(|_| poll::eventfd());
    let pidfd = pidfd.map_err(|e| e.because(format!("open the process {pid}")))?;
    Ok(Made { pid, pidfd, terminal })
}

/// Runs a program with our environment, and nothing of ours but these.
pub fn spawn(words: &[OsString], streams: Streams, given: &[BorrowedFd]) -> Result<Child> {
    let path = Path::new(&words[0]);
    let failed = |e: Errno| e.because(format!("execute {}", path.display()));
    let program =
        file::openat2(file::cwd(), &c(path).map_err(failed)?, libc::O_RDONLY, 0, 0).map_err(failed)?;
    // Behind the places of what is given; an interpreter opens its script by the number.
    let program = file::duplicate(program.as_raw_fd(), 64 + given.len() as i32).map_err(failed)?;
    let arguments: Vec<CString> =
        words.iter().map(c).collect::<std::result::Result<_, _>>().map_err(failed)?;
    let variables = std::env::vars_os().map(|(name, value)| [name.into_vec(), value.into_vec()].join(&b'='));
    let environment: Vec<CString> = variables.filter_map(|pair| CString::new(pair).ok()).collect();
    let arguments: Vec<&CStr> = arguments.iter().map(|word| &**word).collect();
    let environment: Vec<&CStr> = environment.iter().map(|pair| &**pair).collect();
    let is_script = {
        let mut head = [0; 2];
        nix::sys::uio::pread(&program, &mut head, 0).is_ok_and(|length| length == 2) && &head == b"#!"
    };
    let pass = [program.as_raw_fd()];
    let launch = Launch {
        program: program.as_fd(),
        arguments: &arguments,
        environment: &environment,
        namespaces: 0,
        cgroup: None,
        sleeper: Sleeper::None,
        streams,
        given,
        pass: if is_script { &pass } else { &[] },
        keep_capabilities: false,
    };
    begin(&launch).and_then(|begun| begun.finish()).map_err(|error| match error {
        LaunchError::Clone(errno) | LaunchError::Setup(errno) | LaunchError::Exec(errno) => failed(errno),
    })
}

/// Where another runtime sends the terminal.
struct Console {
    directory: PathBuf,
    path: PathBuf,
    listener: OwnedFd,
}

impl Console {
    fn new() -> Result<Console> {
        let mut bytes = [0; 20];
        random::fill(&mut bytes).map_err(|e| e.because("getrandom"))?;
        let name =
            format!("conmon-term.{:032x}", u128::from_ne_bytes(bytes[..16].try_into().unwrap_or_default()));
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
        let places = runtime.into_iter().chain(["/run", "/tmp"].map(PathBuf::from));
        let mut builder = std::fs::DirBuilder::new();
        builder.mode(0o700);
        let made = places.map(|place| place.join(&name)).find(|path| builder.create(path).is_ok());
        let directory = made.ok_or_else(|| Error::new("there is no directory for the console socket"))?;
        let path = directory.join("console");
        let bound = places::bound(&path, SockType::Stream, 0o600).and_then(|listener| {
            listen(&listener, Backlog::new(1)?)?;
            Ok(listener)
        });
        bound
            .map(|listener| Console { directory, path, listener })
            .map_err(|e| e.because("bind the console socket"))
    }

    /// The terminal; nothing where the runtime ends without sending one.
    fn wait(self, runtime: &Child) -> Result<Option<OwnedFd>> {
        let failed = |e: Errno| e.because("wait for the terminal");
        let watched = |fd| PollFd::new(fd, PollFlags::POLLIN);
        poll::wait(&mut [watched(self.listener.as_fd()), watched(runtime.pidfd.as_fd())], None)
            .map_err(failed)?;
        let Ok(connection) = socket::accept(self.listener.as_fd()) else { return Ok(None) };
        file::set_nonblocking(connection.as_fd(), false).map_err(failed)?;
        let (_, terminal) = socket::receive(connection.as_fd(), &mut [0; 4096]).map_err(failed)?;
        Ok(terminal)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // It is of no use any more.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Takes away what another runtime has begun for a shim that was killed meanwhile.
pub fn delete(options: &Options) -> Result<()> {
    let mut words: Vec<OsString> = vec![options.runtime.clone().into()];
    words.extend(options.runtime_arguments.iter().map(Into::into));
    words.extend(["delete", "--force", &*options.id].map(OsString::from));
    let (null, _write) = pipe::pipe().map_err(|e| e.because("pipe"))?;
    let child = spawn(&words, [Some(null.as_fd()), None, None], &[])?;
    wait::reap(child.pidfd.as_fd()).map(drop).map_err(|e| e.because("wait for the runtime"))
}
