//! The two pipes by which a created container is told to start: its init reads the word from one and writes its answer to
//! the other.
//!
//! Behind the container's filter init can read and write, and little else; a process of a neighbour that takes it over
//! finds two ends of pipes. They have no names, by which such a process could come to the host's file system
//! (open_by_handle_at(2)); `start` takes copies from init. Only where the kernel may refuse it that, the pipes stand in the
//! state directory. That init holds them says that the program has not begun: both close at its exec, also where the
//! command that gave the word did not live to see it.
//!
//! A container of rruntime 0.1.0 waits on a socket instead, `start.sock` (`start_old.rs`).

use crate::engine::child::pipes::{Pipes, Theirs};
use crate::error::{Error, Result};
use crate::host::Facts;
use crate::plan::StartWord;
use crate::spec::Spec;
use crate::state::{Awaited, Entry, Record, START_ANSWER, START_AWAITED, START_WORD, awaited_at};
use crate::sys::{Errno, SysResult, file, process};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Who says start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    /// Another command, later, by these pipes.
    Command,
    /// This process.
    Us,
}

/// Whether the container's state is "created" for a while. startContainer hooks ask for it.
pub fn shows(starter: Starter, spec: &Spec) -> bool {
    let hooks = spec.hooks.as_ref().is_some_and(|hooks| !hooks.start_container.is_empty());
    starter == Starter::Command || hooks
}

/// How the container hears the word. `start` may take something from a process if it has CAP_SYS_PTRACE over it, which
/// the owner of its user namespace has; and if Yama does not forbid it altogether.
pub fn word(starter: Starter, spec: &Spec, facts: &Facts) -> StartWord {
    const CAP_SYS_PTRACE: u32 = 19;
    let own_user = spec
        .linux
        .as_ref()
        .is_some_and(|linux| linux.namespaces.iter().any(|namespace| &*namespace.kind == "user"));
    let may = own_user || facts.permitted & 1 << CAP_SYS_PTRACE != 0;
    match starter {
        Starter::Us => StartWord::Maker,
        Starter::Command if may && !tracing_is_forbidden() => StartWord::Taken,
        Starter::Command => StartWord::Named,
    }
}

/// Whether the host forbids ptrace(2) and its like to all.
fn tracing_is_forbidden() -> bool {
    let scope = file::read_at(file::cwd(), c"/proc/sys/kernel/yama/ptrace_scope", 16, 0);
    scope.is_ok_and(|scope| scope.trim_ascii() == b"3")
}

/// Makes both. init holds them open in both directions: it waits as long as no other end is open, and no signal
/// ends it once the other end is closed.
pub fn make(entry: &Entry, word: StartWord) -> Result<Option<Theirs>> {
    let both = || match word {
        StartWord::Maker => Ok(None),
        StartWord::Taken => Ok(Some(Theirs { word: nameless()?, answer: nameless()? })),
        StartWord::Named => {
            Ok(Some(Theirs { word: named(entry, START_WORD)?, answer: named(entry, START_ANSWER)? }))
        }
    };
    both().map_err(|e: Errno| e.because("make the pipes of start"))
}

fn named(entry: &Entry, name: &CStr) -> SysResult<OwnedFd> {
    file::mkfifoat(entry.dir(), name, 0o600)?;
    file::openat2(entry.dir(), name, libc::O_RDWR | libc::O_NOFOLLOW, 0, 0)
}

fn nameless() -> SysResult<OwnedFd> {
    let (end, _) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(Errno::from)?;
    file::reopen(end.as_fd(), libc::O_RDWR)
}

/// From now on the container's state is "created", as long as init waits: at these pipes, or without any in the conversation
/// with this process.
pub fn show(entry: &Entry, record: &Record, pipes: Option<&Theirs>) -> Result<()> {
    let note = || {
        let Some(Theirs { word, answer }) = pipes else { return entry.await_start(None) };
        // Behind the ends of the conversation with `create`: `Step::Confine`.
        let descriptor = 3 + record.preserve_fds as i32 + 2;
        entry.await_start(Some(Awaited { descriptor, word: inode(word)?, answer: inode(answer)? }))
    };
    note().map_err(|e: Errno| e.because("write start.awaited"))
}

fn inode(end: &OwnedFd) -> SysResult<u64> {
    nix::sys::stat::fstat(end).map(|found| found.st_ino).map_err(Errno::from)
}

/// Our ends to `first`. `ENOENT` where a container has neither of these pipes, `ENXIO` where no init waits for the word.
pub fn open(entry: &Entry, pid: i32, first: BorrowedFd) -> SysResult<(Pipes, StartWord)> {
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let Some(awaited) = entry.awaited() else {
        let word = file::openat2(entry.dir(), START_WORD, libc::O_WRONLY | flags, 0, 0)?;
        let answer = file::openat2(entry.dir(), START_ANSWER, libc::O_RDONLY | flags, 0, 0)?;
        return Ok((Pipes::of(word, answer), StartWord::Named));
    };
    let Awaited { descriptor, word, answer } = awaited.ok_or(Errno(libc::ENXIO))?;
    let take = |number: i32, inode: u64, flags| {
        let end = process::pidfd_getfd(first, number)?;
        // By its name in /proc, for which no file system is asked: a container's own may never answer.
        let name = file::link_of(end.as_fd())?;
        let same = name == Awaited::name(inode).as_bytes();
        if same { file::reopen(end.as_fd(), flags | libc::O_NONBLOCK) } else { Err(Errno(libc::EBADF)) }
    };
    if !awaited_at(pid, descriptor, word) {
        return Err(Errno(libc::ENXIO));
    }
    let word = take(descriptor, word, libc::O_WRONLY)?;
    Ok((Pipes::of(word, take(descriptor + 1, answer, libc::O_RDONLY)?), StartWord::Taken))
}

/// The error for a start that does not reach its init.
pub fn unreachable(e: Errno) -> Error {
    let error = e.because("reach the container's init");
    match e {
        Errno(libc::EPERM) => error.remedy("start needs CAP_SYS_PTRACE, as create had it"),
        _ => error,
    }
}

/// Takes away what shows that the container waits: it runs now, or has ended.
pub fn remove(entry: &Entry, word: StartWord) -> Result<()> {
    let names: &[&CStr] = match word {
        StartWord::Named => &[START_WORD, START_ANSWER],
        StartWord::Taken | StartWord::Maker => &[START_AWAITED],
    };
    let removed = names.iter().try_for_each(|name| file::unlinkat(entry.dir(), name, 0));
    removed.map_err(|e| e.because("remove the pipes of start"))
}
