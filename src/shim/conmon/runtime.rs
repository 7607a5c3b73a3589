//! Making the container, or the exec: by a call of the engine where the runtime is this program, whatever it is called, and
//! otherwise by executing the file that `-r` names, as conmon does.

use crate::engine::{
    CgroupManager, CreateOptions, Engine, ExecOptions, ExecProcess, Force, Observer, OpenFiles, Started,
    Streams, Watch, keep_room, warnings_to,
};
use crate::error::{Error, Result};
use crate::report::{Format, Log, Verbosity};
use crate::shim::conmon::options::Options;
use crate::shim::execute;
use crate::shim::foreign::{self, Console};
use crate::shim::launch::is_this_program;
use crate::state::root::default_root;
use crate::state::{NoRoot, Store};
use crate::sys::{file, identity, pipe, wait};
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;

/// What the process gets of ours.
pub struct Given<'a> {
    pub streams: Streams<'a>,
    /// What was inherited as 3, 4, … up to the first that is missing or the shim's own.
    pub descriptors: Vec<BorrowedFd<'a>>,
    /// How many of them are a service manager's sockets.
    pub sockets: usize,
    /// By which the caller hears of the process, where it does.
    pub sync: Option<BorrowedFd<'a>>,
}

/// What makes the process in this process, by calls of the engine.
pub trait Maker {
    /// `again`: a shim that was killed has begun it.
    fn make(&self, options: &Options, given: Given, observer: Observer, again: bool) -> Result<Started>;
    /// For looks at the container.
    fn engine(&self) -> Result<Engine>;
    /// The caller has ended before it heard of the process.
    fn unheard(&self, _options: &Options) -> Result<()> {
        Ok(())
    }
}

/// What stands before the command, as far as the engine has it. Whatever else there is, is for the program.
pub struct Globals {
    root: PathBuf,
    log: Option<PathBuf>,
    format: Format,
    detail: Verbosity,
    manager: CgroupManager,
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

    fn engine_for(&self, observer: Option<Observer>) -> Result<Engine> {
        keep_room()?;
        identity::keep_owners_rights();
        let usual = warnings_to(Arc::new(self.log()?));
        let observer: Observer = match observer {
            None => usual,
            Some(observer) => Arc::new(move |event| {
                usual(event);
                observer(event);
            }),
        };
        Ok(Engine {
            cgroup_manager: self.manager,
            open_files: OpenFiles::Raise,
            ..Engine::over(Store::open(&self.root, NoRoot::Make)?, Watch::new(None, observer))
        })
    }
}

impl Maker for Globals {
    fn make(&self, options: &Options, given: Given, observer: Observer, again: bool) -> Result<Started> {
        let made = self.engine_for(Some(observer)).and_then(|engine| {
            if options.exec {
                exec(options, self, &engine, given)
            } else {
                create(options, &engine, given, again)
            }
        });
        let command = if options.exec { "exec" } else { "create" };
        let made = made.map_err(|e| e.doing(format!("rruntime {command} failed")));
        if let Err(error) = &made {
            // podman looks for the reason there.
            self.log()?.fatal(error);
        }
        made
    }

    fn engine(&self) -> Result<Engine> {
        self.engine_for(None)
    }
}

fn create(options: &Options, engine: &Engine, given: Given, again: bool) -> Result<Started> {
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
        terminal: options.terminal(),
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

fn exec(options: &Options, globals: &Globals, engine: &Engine, given: Given) -> Result<Started> {
    let process = ExecProcess::File(options.exec_process.clone().unwrap_or_default());
    let preserved = given.descriptors.len().min(globals.preserved);
    engine.exec(
        &options.id,
        &ExecOptions {
            tty: Some(options.terminal),
            terminal: options.terminal(),
            streams: given.streams,
            pid_file: options.pid_file.clone(),
            preserve_fds: given.descriptors[..preserved].to_vec(),
            held: true,
            ..ExecOptions::of(process)
        },
    )
}

/// By another program. `said`: what it has written to standard error, for the message of a failure.
pub fn execute(options: &Options, given: &Given, said: BorrowedFd) -> Result<Started> {
    let console = if options.terminal { Some(console()?) } else { None };
    let program = &*options.runtime;
    let mut words: Vec<OsString> = vec![program.into()];
    words.extend(options.runtime_arguments.iter().map(Into::into));
    if options.systemd {
        words.push("--systemd-cgroup".into());
    }
    let pid_file = pid_file(options);
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
        push(&["--console-socket".as_ref(), console.path().as_ref()]);
    }
    words.extend(options.runtime_options.iter().map(Into::into));
    words.push(options.id.clone().into());
    if given.sockets > 0 {
        // They are for the process of this number alone, which is not known before it is there.
        let shell = ["/bin/sh", "-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""].map(OsString::from);
        words.splice(0..0, shell);
    }
    let child = execute::by_path(&words, given.streams, &given.descriptors)?;
    let ended = wait::reap(child.pidfd.as_fd()).map_err(|e| e.because("wait for the runtime"))?;
    if ended.code() != 0 {
        let mut text = vec![0; 8192];
        let length = file::read(said, &mut text).unwrap_or(0);
        text.truncate(length);
        let text = String::from_utf8_lossy(&text).into_owned();
        let text = if text.is_empty() { format!("the runtime ended with {}", ended.code()) } else { text };
        return Err(Error::new(text));
    }
    foreign::started(&pid_file, console)
}

/// Which file another runtime writes the pid to.
pub fn pid_file(options: &Options) -> PathBuf {
    let own = || options.bundle.join(format!("pidfile-{}", options.uuid));
    options.pid_file.clone().unwrap_or_else(own)
}

/// Where another runtime sends the terminal: below the user's own runtime directory where there is one.
fn console() -> Result<Console> {
    let own = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty());
    Console::listen_below(own.map(PathBuf::from).into_iter().chain(["/run", "/tmp"].map(PathBuf::from)))
}

/// Takes away what another runtime has begun for a shim that was killed meanwhile.
pub fn delete(options: &Options) -> Result<()> {
    let mut words: Vec<OsString> = vec![options.runtime.clone().into()];
    words.extend(options.runtime_arguments.iter().map(Into::into));
    words.extend(["delete", "--force", &*options.id].map(OsString::from));
    let (null, _write) = pipe::pipe().map_err(|e| e.because("pipe"))?;
    let child = execute::by_path(&words, [Some(null.as_fd()), None, None], &[])?;
    wait::reap(child.pidfd.as_fd()).map(drop).map_err(|e| e.because("wait for the runtime"))
}
