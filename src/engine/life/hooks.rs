//! Hooks (config.md, POSIX-platform Hooks): programs at six points of a container's life, each with the
//! container's state on its standard input and, where the config says so, a time limit in seconds.
//!
//! prestart, createRuntime, poststart and poststop run on the host. createContainer runs in the container's
//! namespaces with a path of the host, startContainer with a path of the container; both are started by the
//! sealed init, so that nothing of ours is reachable from inside.

use crate::cgroup::Cgroup;
use crate::engine::caller::listener;
use crate::engine::child::{
    tenant::{self as joining, Beginning, Passed},
    tracers,
};
use crate::engine::status::{Status, state_json};
use crate::engine::{Span, Waits};
use crate::error::{Context, Error, Result};
use crate::names::namespaces::PID;
use crate::plan::Host;
use crate::plan::deeds::Wishes;
use crate::plan::script::c;
use crate::plan::tenant::{self, Destination};
use crate::seccomp::Filter;
use crate::spec::{Hook, Process, Spec, annotations};
use crate::state::Record;
use crate::sys::file::{self, cwd};
use crate::sys::launch::Child;
use crate::sys::{memory, process, spawn, wait};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What is kept of a failing hook's output.
const OUTPUT_LIMIT: u64 = 4096;

/// A point of a container's life at which hooks run.
pub struct Occasion<'a> {
    kind: &'static str,
    record: &'a Record,
    /// What the hooks read: `record` with the status of this point (runtime.md, State).
    state: String,
    /// A process without which the hooks are of no use: when it ends, the hook is ended.
    first: Option<BorrowedFd<'a>>,
    waits: Rc<Waits>,
}

impl<'a> Occasion<'a> {
    pub fn new(kind: &'static str, record: &'a Record, status: Status, waits: &Rc<Waits>) -> Occasion<'a> {
        let state = state_json(record, status);
        Occasion { kind, record, state, first: None, waits: Rc::clone(waits) }
    }

    /// Ends a hook when this process ends.
    pub fn before(self, first: BorrowedFd<'a>) -> Occasion<'a> {
        Occasion { first: Some(first), ..self }
    }

    /// Runs one, by its field.
    fn one(&self, index: usize, hook: &Hook, run: impl FnOnce() -> Result<()>) -> Result<()> {
        let field = || format!("/hooks/{}/{index}", self.kind);
        let watch = &self.waits.watch;
        let began = watch.begins();
        let done = run().map_err(|error| error.field(field()).value(&hook.path));
        if began.is_some() {
            let span = Span { name: "hook", field: &field(), value: &hook.path };
            watch.passed(span, began, done.as_ref().err());
        }
        done
    }

    /// Runs the hooks on the host, in order; the first that fails ends it.
    pub fn run(&self, hooks: &[Hook]) -> Result<()> {
        self.each_from(0, hooks).find(Result::is_err).unwrap_or(Ok(()))
    }

    /// Runs those behind the first `done` one by one, whatever becomes of them, as the iterator is asked.
    pub fn each_from(&self, done: usize, hooks: &[Hook]) -> impl Iterator<Item = Result<()>> {
        hooks.iter().enumerate().skip(done).map(|(i, hook)| self.one(i, hook, || self.run_on_host(hook)))
    }

    fn run_on_host(&self, hook: &Hook) -> Result<()> {
        let (output, unopened) = match self.output() {
            Ok(output) => (output, None),
            Err(error) if self.is_last() => (Output::new()?, Some(error)),
            Err(error) => return Err(error),
        };
        let mut command = spawn::program(&*hook.path);
        if let Some((name, rest)) = hook.args.split_first() {
            command.arg0(&**name).args(rest.iter().map(|arg| &**arg));
        }
        // Without a word of it a hook has the runtime's environment, as under runc and crun: hooks rely on its PATH.
        if let Some(env) = &hook.env {
            command.env_clear();
            for (name, value) in env.iter().filter_map(|variable| variable.split_once('=')) {
                command.env(name, value);
            }
        }
        command.current_dir(self.directory()).stdin(Stdio::from(self.input()?));
        command.stdout(Stdio::from(output.out)).stderr(Stdio::from(output.err));
        // What the hook starts ends with it when it runs too long.
        command.process_group(0);
        let child = spawn::start(&mut command).map_err(|e| Error::io("start the hook", &e))?;
        self.finish(&child, hook.timeout, output.kept)?;
        unopened.map_or(Ok(()), Err)
    }

    /// These hooks clean up: they run in any case.
    fn is_last(&self) -> bool {
        self.kind == "poststop"
    }

    /// Where hooks of the host begin: in the bundle, which may be gone by the last of them.
    fn directory(&self) -> &Path {
        let bundle = Path::new(&self.record.bundle);
        if self.is_last() && std::fs::metadata(bundle.join(".")).is_err() { Path::new("/") } else { bundle }
    }

    /// The state as a file in memory: a hook that never reads it holds up nothing, whatever its size.
    fn input(&self) -> Result<OwnedFd> {
        memory::sealed(c"hook-state", memory::Content::Data, self.state.as_bytes())
            .and_then(memory::rewound)
            .map_err(|e| e.because("memfd_create for the hook's state"))
    }

    fn output(&self) -> Result<Output> {
        let mut output = Output::new()?;
        for (name, stream) in
            [(annotations::HOOKS_STDOUT, &mut output.out), (annotations::HOOKS_STDERR, &mut output.err)]
        {
            if let Some(path) = self.record.allowed_annotation(name).filter(|path| !path.is_empty()) {
                *stream = open_log(path).at(|| annotations::pointer(name))?;
            }
        }
        Ok(output)
    }

    fn finish(&self, child: &Child, timeout: Option<i64>, output: OwnedFd) -> Result<()> {
        let limit = timeout.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        // A limit beyond the clock's end is none.
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let watched = [Some(child.pidfd.as_fd()), self.first];
        let watched: Vec<BorrowedFd> = watched.into_iter().flatten().collect();
        let error = match self.waits.first(&watched, child.pid, deadline) {
            Ok(Some(0)) => None,
            Ok(Some(_)) => Some(Error::new("the container's process was ended while the hook ran")),
            Ok(None) => {
                let seconds = timeout.unwrap_or_default();
                let late = Error::new(format!("the hook ran longer than its timeout of {seconds} s"));
                Some(late.remedy("raise the timeout (seconds), or see what the hook waits for"))
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            self.end_all(child);
            return Err(error);
        }
        let ended = wait::reap(child.pidfd.as_fd()).map_err(|e| e.because("wait for the hook"))?;
        if ended == wait::Ended::Exited(0) {
            return Ok(());
        }
        let how = match ended {
            wait::Ended::Exited(code) => format!("the hook ended with exit status {code}"),
            wait::Ended::Signaled(signal) => format!("the hook was ended by signal {signal}"),
        };
        let said = memory::written(output, OUTPUT_LIMIT).replace('\n', "; ");
        if said.is_empty() {
            let remedy =
                "it printed nothing: run it by hand, with the output of `rruntime state` as its input";
            return Err(Error::new(how).remedy(remedy));
        }
        Err(Error::new(format!("{how}: {said}")))
    }

    /// Ends the hook and what it has started: it leads a process group of its own.
    fn end_all(&self, child: &Child) {
        // Whatever has left the group, or has ended by itself, is no concern of ours.
        let _ = process::kill_group(child.pidfd.as_fd(), child.pid, libc::SIGKILL);
        self.waits.end(child);
    }
}

/// Where a hook's words go, and what is kept of them for an error.
struct Output {
    kept: OwnedFd,
    out: OwnedFd,
    err: OwnedFd,
}

impl Output {
    /// Everything is kept.
    fn new() -> Result<Output> {
        let kept = memory::scratch(c"hook-output").map_err(|e| e.because("memfd_create"))?;
        let again = || kept.try_clone().map_err(|e| Error::io("dup", &e));
        let (out, err) = (again()?, again()?);
        Ok(Output { kept, out, err })
    }
}

/// A file that hooks add to. A pipe without a reader is an error, not a wait. A device does something when it
/// is opened (a watchdog reboots the host), and the annotation may be an image's: only /dev/null is as good as a file.
fn open_log(path: &str) -> Result<OwnedFd> {
    const NULL: u64 = libc::makedev(1, 3);
    let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_NOCTTY | libc::O_NONBLOCK;
    let refused = |e: crate::sys::Errno| e.because("open the hook output file").value(path);
    if let Ok(there) = file::openat2(cwd(), &c(path), libc::O_PATH, 0, 0)
        && file::device_number(there.as_fd()).map_err(refused)?.is_some_and(|number| number != NULL)
    {
        return Err(Error::new("hook output cannot go to a device").value(path));
    }
    let opened = file::openat2(cwd(), &c(path), flags, 0o600, 0).map_err(refused)?;
    file::set_nonblocking(opened.as_fd(), false).map_err(refused)?;
    Ok(opened)
}

/// Where hooks inside the container go.
pub struct Inside<'a> {
    pub spec: &'a Spec<'a>,
    pub host: &'a Host,
    /// The container's first process, by number and by descriptor.
    pub first: (i32, BorrowedFd<'a>),
    pub cgroup: Option<&'a Cgroup>,
    /// The container's process and filter, for hooks whose program is the image's.
    pub own: Option<(&'a Process<'a>, Option<&'a Filter>)>,
}

impl Occasion<'_> {
    /// Runs the hooks in the container's namespaces, in order; the first that fails ends it.
    pub fn run_inside(&self, hooks: &[Hook], inside: &Inside) -> Result<()> {
        for (i, hook) in hooks.iter().enumerate() {
            self.one(i, hook, || self.run_one_inside(hook, inside))?;
        }
        Ok(())
    }

    fn run_one_inside(&self, hook: &Hook, inside: &Inside) -> Result<()> {
        let there = inside.cgroup.map(Cgroup::there);
        let mover = inside.cgroup.and_then(Cgroup::mover);
        let to = Destination { mover, ..joining::destination(self.record, there.as_ref()) };
        let tenant = match inside.own {
            None => {
                // It has all of our rights: it is not born where neighbours could trace it.
                let joined = u64::from(self.record.namespaces_joined) & PID;
                let to = Destination { namespaces: to.namespaces & !joined, ..to };
                tenant::host_hook(hook, &self.record.rootfs, to)
            }
            Some((process, filter)) => {
                let tracers = tracers::of(process, filter, false, to.namespaces, inside.first.0)?;
                tenant::own_hook(hook, process, to, inside.host, filter, tracers)?
            }
        };
        let output = self.output()?;
        let input = self.input()?;
        let streams = [Some(input.as_fd()), Some(output.out.as_fd()), Some(output.err.as_fd())];
        let beginning = Beginning { streams, ..Beginning::beside(inside.first, inside.cgroup) };
        // Errors name the hook's program.
        let program = Process { args: vec![hook.path.clone()], ..Process::default() };
        let linux = inside.spec.linux.clone();
        let spec = Spec { process: Some(program), linux, ..Spec::default() };
        // The agent that answers for the container answers for a hook under the same filter.
        let passed = |passed: Passed| match passed {
            Passed::Console(_) | Passed::Pidfd(_) | Passed::Pid(..) => Ok(()),
            Passed::Listener(profile, fd) => {
                listener::send(profile, self.record, Status::Created, inside.first.0, fd.as_fd(), &self.waits)
            }
            // No step of a hook's plan can be done without.
            Passed::Warning(warning) => Err(warning),
        };
        let init = joining::join(&tenant, (&spec, None), beginning, Wishes::default(), &self.waits, passed)?;
        self.finish(init.process(), hook.timeout, output.kept)
    }
}
