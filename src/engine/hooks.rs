//! Hooks (config.md, POSIX-platform Hooks): programs at six points of a container's life, each with the
//! container's state on its standard input and, where the config says so, a time limit in seconds.
//!
//! prestart, createRuntime, poststart and poststop run on the host. createContainer runs in the container's
//! namespaces with a path of the host, startContainer with a path of the container; both are started by the
//! sealed init, so that nothing of ours is reachable from inside.

use super::tenant as joining;
use crate::cgroup::{Cgroup, Location};
use crate::error::{Error, Result};
use crate::plan::Host;
use crate::plan::tenant::{self, Destination};
use crate::seccomp::Filter;
use crate::spec::{Hook, Process, Spec};
use crate::sys::launch::Child;
use crate::sys::{memory, process, wait};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What is kept of a failing hook's output.
const OUTPUT_LIMIT: u64 = 4096;

/// Runs the hooks of one kind on the host, in order; the first that fails ends it.
pub fn run(kind: &str, hooks: &[Hook], state: &str, bundle: &Path) -> Result<()> {
    for (i, hook) in hooks.iter().enumerate() {
        let named = |error: Error| error.field(format!("/hooks/{kind}/{i}")).value(&hook.path);
        run_on_host(hook, state, bundle).map_err(named)?;
    }
    Ok(())
}

fn run_on_host(hook: &Hook, state: &str, bundle: &Path) -> Result<()> {
    let (output, streams) = output()?;
    let mut command = Command::new(&*hook.path);
    if let Some((name, rest)) = hook.args.split_first() {
        command.arg0(&**name).args(rest.iter().map(|arg| &**arg));
    }
    command.env_clear();
    for variable in &hook.env {
        if let Some((name, value)) = variable.split_once('=') {
            command.env(name, value);
        }
    }
    let input = Stdio::from(input(state)?);
    command.current_dir(bundle).stdin(input).stdout(streams.0).stderr(streams.1);
    let child = command.spawn().map_err(|e| Error::io("start the hook", &e))?;
    let pid = child.id() as i32;
    let pidfd = process::pidfd_open(pid).map_err(|e| e.because("open the hook's process"))?;
    finish(&Child { pid, pidfd }, hook.timeout, output)
}

/// The state as a file in memory: a hook that never reads it holds up nobody, whatever its size.
fn input(state: &str) -> Result<OwnedFd> {
    memory::sealed(c"hook-state", memory::Content::Data, state.as_bytes())
        .and_then(memory::rewound)
        .map_err(|e| e.because("memfd_create for the hook's state"))
}

/// A file in memory for what the hook says, and two ends of it.
fn output() -> Result<(File, (Stdio, Stdio))> {
    let file = memory::scratch(c"hook-output").map_err(|e| e.because("memfd_create"))?;
    let copy = || file.try_clone().map(Stdio::from).map_err(|e| Error::io("dup", &e));
    let streams = (copy()?, copy()?);
    Ok((File::from(file), streams))
}

fn finish(child: &Child, timeout: Option<i64>, mut output: File) -> Result<()> {
    if !ends_in_time(child.pidfd.as_fd(), timeout) {
        child.end();
        let seconds = timeout.unwrap_or_default();
        return Err(Error::new(format!("the hook ran longer than its timeout of {seconds} s"))
            .remedy("raise the timeout (seconds), or see what the hook waits for"));
    }
    let ended = wait::reap(child.pidfd.as_fd()).map_err(|e| e.because("wait for the hook"))?;
    if ended == wait::Ended::Exited(0) {
        return Ok(());
    }
    let mut said = String::new();
    // What it said is a help, not a condition.
    let _ = output.rewind().and_then(|()| output.take(OUTPUT_LIMIT).read_to_string(&mut said));
    let how = match ended {
        wait::Ended::Exited(code) => format!("the hook ended with exit status {code}"),
        wait::Ended::Signaled(signal) => format!("the hook was ended by signal {signal}"),
    };
    let said = said.trim().replace('\n', "; ");
    Err(Error::new(if said.is_empty() { how } else { format!("{how}: {said}") }))
}

fn ends_in_time(pidfd: BorrowedFd, timeout: Option<i64>) -> bool {
    let limit = timeout.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    // A limit beyond the clock's end is none.
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        let timeout = deadline.map_or(PollTimeout::NONE, |deadline| {
            PollTimeout::try_from(deadline.saturating_duration_since(Instant::now()))
                .unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut [PollFd::new(pidfd, PollFlags::POLLIN)], timeout) {
            Err(nix::errno::Errno::EINTR) => {}
            Ok(0) => return false,
            _ => return true,
        }
    }
}

/// Where hooks inside the container go.
pub struct Inside<'a> {
    pub host: &'a Host,
    pub id: &'a str,
    pub namespaces: u64,
    /// The container's first process, by number and by descriptor.
    pub first: (i32, BorrowedFd<'a>),
    pub location: Option<&'a Location>,
    pub cgroup: Option<&'a Cgroup>,
    /// The container's process and filter, for hooks whose program is the image's.
    pub own: Option<(&'a Process<'a>, Option<&'a Filter>)>,
}

/// Runs the hooks of one kind in the container's namespaces.
pub fn run_inside(kind: &str, hooks: &[Hook], state: &str, inside: &Inside) -> Result<()> {
    for (i, hook) in hooks.iter().enumerate() {
        let named = |error: Error| error.field(format!("/hooks/{kind}/{i}")).value(&hook.path);
        run_one_inside(hook, state, inside).map_err(named)?;
    }
    Ok(())
}

fn run_one_inside(hook: &Hook, state: &str, inside: &Inside) -> Result<()> {
    let to = Destination {
        id: inside.id,
        namespaces: inside.namespaces,
        cgroup: inside.location,
        in_resctrl: false,
        own_keyring: false,
    };
    let tenant = match inside.own {
        None => tenant::host_hook(hook, to),
        Some((process, filter)) => tenant::own_hook(hook, process, to, inside.host, filter)?,
    };
    let output = memory::scratch(c"hook-output").map_err(|e| e.because("memfd_create"))?;
    let input = input(state)?;
    let streams = [Some(input.as_fd()), Some(output.as_fd()), Some(output.as_fd())];
    let mut init =
        joining::start(&tenant, inside.first, inside.cgroup, joining::Birthplace::OrBeside, streams, 0)?;
    drop(input);
    // What went wrong is told of the hook's program.
    let program = Process { args: vec![hook.path.clone()], ..Process::default() };
    let spec = Spec { process: Some(program), ..Spec::default() };
    // A seccomp listener is closed at once: what the filter would ask about fails.
    let started = joining::converse(&mut init, &tenant, &spec, None, |_| Ok(()));
    match started {
        Ok(()) => finish(init.process(), hook.timeout, File::from(output)),
        Err(error) => {
            init.process().end();
            Err(error)
        }
    }
}
