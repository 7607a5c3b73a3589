//! The two pipes in the state directory by which a created container is told to start: `start.word` is read by its init,
//! `start.answer` is written by it.
//!
//! Behind the container's filter init can read and write, and little else; a process of a neighbour that takes it over
//! finds two ends of pipes. That somebody holds the reading end says that the program has not begun: both close at its
//! exec, also where the command that gave the word has not lived to see it.
//!
//! A container of rruntime 0.1.0 waits on a socket instead, `start.sock` (`start_old.rs`).

use super::pipes::{Pipes, Theirs};
use crate::error::Result;
use crate::spec::Spec;
use crate::state::{Entry, START_ANSWER, START_WORD};
use crate::sys::{Errno, SysResult, file};
use std::ffi::CStr;

/// Who says start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    /// Another command, later, by these pipes.
    Command,
    /// This process.
    Us,
}

/// Whether the container has them. startContainer hooks ask for its state, which is "created".
pub fn wanted(starter: Starter, spec: &Spec) -> bool {
    let hooks = spec.hooks.as_ref().is_some_and(|hooks| !hooks.start_container.is_empty());
    starter == Starter::Command || hooks
}

/// Makes both. init holds them open in both directions: it waits where nobody has come yet, and no signal ends it where
/// nobody listens any more.
pub fn make(entry: &Entry) -> Result<Theirs> {
    let made = |name: &CStr| {
        file::mkfifoat(entry.dir(), name, 0o600)?;
        file::openat2(entry.dir(), name, libc::O_RDWR | libc::O_NOFOLLOW, 0, 0)
    };
    let both = || Ok(Theirs { word: made(START_WORD)?, answer: made(START_ANSWER)? });
    both().map_err(|e: Errno| e.because("make the pipes of start"))
}

/// Our ends. `ENXIO` where nobody waits for the word.
pub fn open(entry: &Entry) -> SysResult<Pipes> {
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let word = file::openat2(entry.dir(), START_WORD, libc::O_WRONLY | flags, 0, 0)?;
    let answer = file::openat2(entry.dir(), START_ANSWER, libc::O_RDONLY | flags, 0, 0)?;
    Ok(Pipes::of(word, answer))
}

/// The container runs now, or has ended.
pub fn remove(entry: &Entry) -> Result<()> {
    let remove = |name| file::unlinkat(entry.dir(), name, 0);
    remove(START_WORD).and_then(|()| remove(START_ANSWER)).map_err(|e| e.because("remove the pipes of start"))
}
