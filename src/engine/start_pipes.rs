//! The two pipes in the state directory by which a created container is told to start: `start.word` is read by its init,
//! `start.answer` is written by it.
//!
//! Behind the container's filter init can read and write, and little else; a process of a neighbour that takes it over
//! finds two ends of pipes. That somebody holds the reading end says that the program has not begun: both close at its
//! exec, also where the command that gave the word has not lived to see it.
//!
//! A container of rruntime 0.1.0 waits on a socket instead, `start.sock` (`start_old.rs`).

use super::init::{self, Said};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::spec::Spec;
use crate::state::{Entry, START_ANSWER, START_WORD};
use crate::sys::{Errno, SysResult, file};
use crate::wire::{Kind, Message};
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

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

/// init's ends.
pub struct Pipes {
    pub word: OwnedFd,
    pub answer: OwnedFd,
}

/// Makes both. init holds them open in both directions: it waits where nobody has come yet, and no signal ends it where
/// nobody listens any more.
pub fn make(entry: &Entry) -> Result<Pipes> {
    let made = |name: &CStr| {
        file::mkfifoat(entry.dir(), name, 0o600)?;
        file::openat2(entry.dir(), name, libc::O_RDWR | libc::O_NOFOLLOW, 0, 0)
    };
    let both = || Ok(Pipes { word: made(START_WORD)?, answer: made(START_ANSWER)? });
    both().map_err(|e: Errno| e.because("make the pipes of start"))
}

/// Our ends.
pub struct Ends {
    word: OwnedFd,
    pub answer: OwnedFd,
}

/// `ENXIO` where nobody waits for the word.
pub fn open(entry: &Entry) -> SysResult<Ends> {
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let word = file::openat2(entry.dir(), START_WORD, libc::O_WRONLY | flags, 0, 0)?;
    let answer = file::openat2(entry.dir(), START_ANSWER, libc::O_RDONLY | flags, 0, 0)?;
    file::set_blocking(answer.as_fd())?;
    Ok(Ends { word, answer })
}

impl Ends {
    pub fn say(&self, kind: Kind) -> Result<()> {
        let written = file::write(self.word.as_fd(), &Message::of(kind).encode());
        written.map(drop).map_err(|e| match e {
            // Nobody reads it any more.
            Errno(libc::EPIPE) => Error::new("the container has ended meanwhile").kind(ErrorKind::WrongState),
            e => e.because("give the container the word to start"),
        })
    }

    /// What init answers; the end of it once the program runs, or init is dead.
    pub fn hear(&self) -> Result<Said> {
        let mut buffer = [0; init::LONGEST];
        let length = file::read(self.answer.as_fd(), &mut buffer)
            .map_err(|e| e.because("read init's answer to start"))?;
        init::decode(&buffer[..length], None)
    }
}

/// The container runs now, or has ended.
pub fn remove(entry: &Entry) -> Result<()> {
    let remove = |name| file::unlinkat(entry.dir(), name, 0);
    remove(START_WORD).and_then(|()| remove(START_ANSWER)).map_err(|e| e.because("remove the pipes of start"))
}
