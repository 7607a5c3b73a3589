//! Another runtime, as a program with runc's command line: what containerd's option BinaryName names, where that is not this
//! very file. It is executed as containerd's own shim does it. Its processes are orphaned when its commands end, so the
//! keeper is their parent.

use crate::engine::{Started, Streams};
use crate::error::{Error, Result};
use crate::shim::files;
use crate::sys::{self, file, process, random, socket, spawn};
use serde::Deserialize;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Of its log, and of what it prints.
const LIMIT: usize = 1 << 20;
/// What the command of a killed shim is given to end.
const LONGEST_COMMAND: Duration = Duration::from_secs(10);

pub struct Foreign {
    pub program: PathBuf,
    /// Before the command.
    pub options: Vec<OsString>,
    /// A file of its own for each container: its last line says why a command has failed.
    pub log: PathBuf,
    /// Where sockets may be made.
    pub sockets: PathBuf,
}

/// What is asked of `create`.
pub struct Create<'a> {
    pub id: &'a str,
    pub bundle: &'a Path,
    pub no_pivot: bool,
    pub no_new_keyring: bool,
}

/// Of the container's first process, or of an exec.
pub fn pid_file(bundle: &Path, exec: &str) -> PathBuf {
    bundle.join(format!("{}.pid", if exec.is_empty() { "init" } else { exec }))
}

#[derive(Deserialize)]
struct LogLine {
    #[serde(default)]
    level: String,
    #[serde(default)]
    msg: String,
}

#[derive(Deserialize)]
struct State {
    status: String,
}

impl Foreign {
    pub fn create(&self, create: &Create, terminal: bool, streams: Streams) -> Result<Started> {
        let mut words: Vec<&OsStr> = vec!["create".as_ref(), "--bundle".as_ref(), create.bundle.as_ref()];
        let flags = [("--no-pivot", create.no_pivot), ("--no-new-keyring", create.no_new_keyring)];
        words.extend(flags.iter().filter(|(_, set)| *set).map(|(word, _)| OsStr::new(word)));
        self.begin(&words, create.id, &pid_file(create.bundle, ""), terminal, streams)
    }

    /// `process`: the JSON of what is to run. A caller that is killed meanwhile leaves a pid file ([`end_unknown`]).
    pub fn exec(
        &self,
        id: &str,
        bundle: &Path,
        (exec, process): (&str, &[u8]),
        terminal: bool,
        streams: Streams,
    ) -> Result<Started> {
        let (pid_file, object) = (pid_file(bundle, exec), bundle.join(format!("{exec}.process.json")));
        files::write(&object, process)?;
        let words: [&OsStr; 4] =
            ["exec".as_ref(), "--process".as_ref(), object.as_ref(), "--detach".as_ref()];
        let started = self.begin(&words, id, &pid_file, terminal, streams);
        for path in [&object, &pid_file] {
            // Nothing else is left of it.
            let _ = fs::remove_file(path);
        }
        started
    }

    /// A command that leaves a process.
    fn begin(
        &self,
        words: &[&OsStr],
        id: &str,
        pid_file: &Path,
        terminal: bool,
        streams: Streams,
    ) -> Result<Started> {
        let console = terminal.then(|| Console::listen(&self.sockets)).transpose()?;
        let mut words = words.to_vec();
        words.extend(["--pid-file".as_ref(), pid_file.as_os_str()]);
        if let Some(console) = &console {
            words.extend(["--console-socket".as_ref(), console.path().as_os_str()]);
        }
        words.push(id.as_ref());
        self.run(&words, streams)?;
        started(pid_file, console)
    }

    pub fn start(&self, id: &str) -> Result<()> {
        self.command(&["start", id])
    }

    /// Whether it waits for `start`.
    pub fn is_created(&self, id: &str) -> bool {
        let output = self.run(&["state".as_ref(), id.as_ref()], [None; 3]);
        output.is_ok_and(|output| {
            serde_json::from_slice::<State>(&output.stdout).is_ok_and(|state| state.status == "created")
        })
    }

    pub fn kill(&self, id: &str, signal: i32, all: bool) -> Result<()> {
        let signal = signal.to_string();
        if all { self.command(&["kill", "--all", id, &signal]) } else { self.command(&["kill", id, &signal]) }
    }

    pub fn delete(&self, id: &str) -> Result<()> {
        self.command(&["delete", "--force", id])
    }

    pub fn pause(&self, id: &str) -> Result<()> {
        self.command(&["pause", id])
    }

    pub fn resume(&self, id: &str) -> Result<()> {
        self.command(&["resume", id])
    }

    pub fn update(&self, id: &str, bundle: &Path, resources: &[u8]) -> Result<()> {
        let file = bundle.join("resources.json");
        files::write(&file, resources)?;
        let words = ["update".as_ref(), "--resources".as_ref(), file.as_os_str(), id.as_ref()];
        let updated = self.run(&words, [None; 3]).map(drop);
        // Nothing else is left of it.
        let _ = fs::remove_file(&file);
        updated
    }

    fn command(&self, words: &[&str]) -> Result<()> {
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        self.run(&words, [None; 3]).map(drop)
    }

    /// To its end. With streams, which the process that it leaves has too, nothing of its output is ours to read.
    fn run(&self, words: &[&OsStr], streams: Streams) -> Result<Output> {
        // A line of an earlier command would be taken for this one's.
        let _ = fs::remove_file(&self.log);
        let mut command = spawn::program(&self.program);
        // Where wrappers look for config.json.
        if let Some(bundle) = self.log.parent().filter(|bundle| bundle.is_dir()) {
            command.current_dir(bundle);
        }
        let log: [&OsStr; 4] =
            ["--log".as_ref(), self.log.as_ref(), "--log-format".as_ref(), "json".as_ref()];
        command.args(log).args(&self.options).args(words);
        let given = streams.iter().any(Option::is_some);
        let [input, output, error] = streams;
        let of = |fd: Option<std::os::fd::BorrowedFd>, other: Stdio| -> Result<Stdio> {
            let copy = fd.map(|fd| fd.try_clone_to_owned()).transpose();
            let copy = copy.map_err(|e| Error::io("duplicate a standard stream", &e))?;
            Ok(copy.map_or(other, Stdio::from))
        };
        let other = || if given { Stdio::null() } else { Stdio::piped() };
        command.stdin(of(input, Stdio::null())?).stdout(of(output, other())?).stderr(of(error, other())?);
        let program = self.program.display();
        let done = command.output().map_err(|e| Error::io(format!("execute {program}"), &e))?;
        if done.status.success() {
            return Ok(done);
        }
        Err(Error::new(self.reason(&done)).doing(format!("{program} {}", words[0].to_string_lossy())))
    }

    /// The last error of its log; or what it has printed.
    fn reason(&self, done: &Output) -> String {
        let log = file::read_path(&self.log, LIMIT).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines = log.lines().filter_map(|line| serde_json::from_str::<LogLine>(line).ok());
        let logged = lines.rev().find(|line| line.level == "error" || line.level == "fatal");
        let printed = String::from_utf8_lossy(&done.stderr);
        match (logged, printed.trim()) {
            (Some(line), _) => line.msg,
            (None, "") => done.status.to_string(),
            (None, text) => text.to_owned(),
        }
    }
}

/// A shim was killed while it executed a runtime that writes this pid file: the command is waited for, and the process that
/// it has started is ended, so that none runs that no shim knows. Both are the keeper's children now.
pub fn end_unknown(pid_file: &Path) -> Result<()> {
    let keeper = nix::unistd::getppid().as_raw();
    let is_left =
        |pid: i32| process::Stat::of(pid).is_ok_and(|stat| stat.parent == keeper && stat.state != b'Z');
    let deadline = Instant::now() + LONGEST_COMMAND;
    while processes()?.any(|pid| names(pid, pid_file) && is_left(pid)) {
        if Instant::now() > deadline {
            let text = "a runtime that a killed shim has executed does not end, and may start a process";
            return Err(Error::new(text).value(pid_file.display()));
        }
        thread::sleep(Duration::from_millis(20));
    }
    let text = file::read_path(pid_file, 64).unwrap_or_default();
    if let Ok(pid) = String::from_utf8_lossy(&text).trim().parse::<i32>()
        && let Ok(pidfd) = process::pidfd_open(pid)
        && is_left(pid)
    {
        process::pidfd_kill(pidfd.as_fd());
    }
    // Without a process there is none as a rule.
    let _ = fs::remove_file(pid_file);
    Ok(())
}

fn processes() -> Result<impl Iterator<Item = i32>> {
    let entries = fs::read_dir("/proc").map_err(|e| Error::io("list /proc", &e))?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
}

/// Whether this is a word of its command line.
fn names(pid: i32, word: &Path) -> bool {
    let line = file::read_path(format!("/proc/{pid}/cmdline"), LIMIT).unwrap_or_default();
    line.split(|byte| *byte == 0).any(|other| other == word.as_os_str().as_bytes())
}

/// What a command has left that has ended by now: the process of its pid file, and the terminal that it has sent.
pub fn started(pid_file: &Path, console: Option<Console>) -> Result<Started> {
    let text =
        file::read_path(pid_file, 64).map_err(|e| e.because(format!("read {}", pid_file.display())))?;
    let pid = String::from_utf8_lossy(&text).trim().parse::<i32>();
    let pid = pid.map_err(|_| Error::new("the runtime wrote no pid there").value(pid_file.display()))?;
    // One that has ended by now was reaped by the keeper, which says how.
    let pidfd = sys::process::pidfd_open(pid).or_else(|_| sys::poll::eventfd());
    let pidfd = pidfd.map_err(|e| e.because(format!("open the process {pid}")))?;
    let terminal = console.map(Console::take).transpose()?;
    Ok(Started { pid, pidfd, terminal, readiness: None })
}

/// Where a runtime sends the master of a terminal.
pub struct Console {
    listener: UnixListener,
    path: PathBuf,
    /// Made for it.
    directory: Option<PathBuf>,
}

impl Console {
    /// In a directory that no other user may look into.
    pub fn listen(directory: &Path) -> Result<Console> {
        let path = directory.join(random::name().map_err(|e| e.because("getrandom"))?);
        let listener =
            UnixListener::bind(&path).map_err(|e| Error::io(format!("bind {}", path.display()), &e))?;
        Ok(Console { listener, path, directory: None })
    }

    /// In a new directory of that kind, in the first of these places where one can be made.
    pub fn listen_below(places: impl Iterator<Item = PathBuf>) -> Result<Console> {
        let name = random::name().map_err(|e| e.because("getrandom"))?;
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700);
        let mut made = places.map(|place| place.join(format!("conmon-term.{name}")));
        let directory = made
            .find(|path| builder.create(path).is_ok())
            .ok_or_else(|| Error::new("there is no directory for the console socket"))?;
        let path = directory.join("console");
        match UnixListener::bind(&path) {
            Ok(listener) => Ok(Console { listener, path, directory: Some(directory) }),
            Err(e) => {
                // It is empty.
                let _ = fs::remove_dir(&directory);
                Err(Error::io(format!("bind {}", path.display()), &e))
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was sent: the command has ended by now.
    fn take(self) -> Result<OwnedFd> {
        let missing = || Error::new("the runtime sent no terminal");
        self.listener.set_nonblocking(true).map_err(|e| Error::io("set the socket's mode", &e))?;
        let (connection, _) = self.listener.accept().map_err(|_| missing())?;
        let (_, master) = socket::receive_now(connection.as_fd(), &mut [0; 256]).map_err(|_| missing())?;
        master.ok_or_else(missing)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // In a directory that no other user may look into.
        let _ = fs::remove_file(&self.path);
        if let Some(directory) = &self.directory {
            // Nothing else was put there.
            let _ = fs::remove_dir(directory);
        }
    }
}
