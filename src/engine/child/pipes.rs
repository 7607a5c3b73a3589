//! A conversation over two pipes, for what a container can see: a process that takes over one end finds nothing behind it.
//!
//! A socket would lead to us: the other end of a pair answers SO_PEERPIDFD with a descriptor of the process that made it
//! (Linux 6.5), whatever pid namespace asks, and a process that may trace can take descriptors out of that one. Nothing here
//! waits: a message that comes in pieces, or an end that is not read, keeps no command from its signals.

use crate::engine::child::message::{LONGEST, Said, decode};
use crate::error::{Error, Kind, Result};
use crate::sys::{Errno, SysResult, file};
use crate::wire::{Message, PAYLOAD, Word};
use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Our ends, neither of which waits.
pub struct Pipes {
    word: OwnedFd,
    answer: OwnedFd,
    /// What has come of the next message.
    begun: RefCell<Vec<u8>>,
}

/// The ends of init.
pub struct Theirs {
    pub word: OwnedFd,
    pub answer: OwnedFd,
}

pub fn pair() -> SysResult<(Pipes, Theirs)> {
    let pipe = || nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(Errno::from);
    let (heard, word) = pipe()?;
    let (answer, told) = pipe()?;
    file::set_nonblocking(word.as_fd(), true)?;
    file::set_nonblocking(answer.as_fd(), true)?;
    Ok((Pipes::of(word, answer), Theirs { word: heard, answer: told }))
}

/// Tells the process of an exec, whose maker has ended, to become its program ([`Event::Releasing`]). One that was told
/// already has closed its end.
///
/// [`Event::Releasing`]: crate::engine::Event::Releasing
pub fn release(word: BorrowedFd) -> SysResult<()> {
    match file::write(word, &Message::of(Word::Go).encode()) {
        Ok(_) | Err(Errno(libc::EPIPE)) => Ok(()),
        Err(e) => Err(e),
    }
}

impl Pipes {
    /// Of two ends with O_NONBLOCK.
    pub fn of(word: OwnedFd, answer: OwnedFd) -> Pipes {
        Pipes { word, answer, begun: RefCell::default() }
    }

    /// Our two ends: to write to, and to read.
    pub fn ends(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        (self.word.as_fd(), self.answer.as_fd())
    }

    /// What can be read when there is something to hear.
    pub fn answer(&self) -> BorrowedFd<'_> {
        self.answer.as_fd()
    }

    pub fn say(&self, word: Word) -> Result<()> {
        file::write(self.word.as_fd(), &Message::of(word).encode()).map(drop).map_err(|e| match e {
            Errno(libc::EPIPE) => Error::new("the container has ended").kind(Kind::WrongState),
            e => e.because("say something to the container's init"),
        })
    }

    /// The next message if all of it is there; the end once all of theirs are closed.
    pub fn hear(&self) -> Result<Option<Said>> {
        let mut begun = self.begun.borrow_mut();
        if let Some(said) = whole(&mut begun)? {
            return Ok(Some(said));
        }
        let mut buffer = [0; LONGEST];
        match file::read(self.answer.as_fd(), &mut buffer) {
            Ok(0) => return decode(&[], None).map(Some),
            Ok(length) => begun.extend_from_slice(&buffer[..length]),
            Err(Errno(libc::EAGAIN)) => {}
            Err(e) => return Err(e.because("read the answer of the container's init")),
        }
        whole(&mut begun)
    }
}

/// Takes a message from the front. What comes with one that failed, or warns, is as long as its value says.
fn whole(begun: &mut Vec<u8>) -> Result<Option<Said>> {
    let Some(message) = Message::decode(begun) else { return Ok(None) };
    let explained = message.kind == Word::Failed as u32 || message.kind == Word::Warned as u32;
    let payload = if explained { usize::try_from(message.value).unwrap_or(usize::MAX) } else { 0 };
    if payload > PAYLOAD {
        return Err(Error::new("the container's init sent bytes that are not a message"));
    }
    let length = Message::SIZE + payload;
    if begun.len() < length {
        return Ok(None);
    }
    let rest = begun.split_off(length);
    let bytes = std::mem::replace(begun, rest);
    decode(&bytes, None).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::child::message::{Heard, Trouble};

    #[test]
    fn messages_come_whole_however_they_were_written() {
        let (ours, theirs) = pair().unwrap();
        let failed = Message { kind: Word::Failed as u32, step: 7, part: 0, errno: 2, value: 3 };
        let mut bytes = Message::of(Word::Ready).encode().to_vec();
        bytes.extend_from_slice(&failed.encode());
        bytes.extend_from_slice(b"abc");
        assert!(ours.hear().unwrap().is_none());
        for piece in bytes.chunks(10) {
            file::write(theirs.answer.as_fd(), piece).unwrap();
        }
        let mut heard = Vec::new();
        for _ in 0..4 {
            heard.extend(ours.hear().unwrap().map(|said| said.heard));
        }
        assert!(
            matches!(&heard[..], [Heard::Ready, Heard::Failed(Trouble { note, .. })] if note == b"abc"),
            "{heard:?}"
        );
        drop(theirs);
        assert!(matches!(ours.hear().unwrap().unwrap().heard, Heard::Closed));
        assert!(ours.say(Word::Go).is_err());
    }

    #[test]
    fn what_is_too_long_is_no_message_and_who_reads_nothing_holds_up_nobody() {
        let (ours, theirs) = pair().unwrap();
        let long = Message { kind: Word::Failed as u32, step: 0, part: 0, errno: 0, value: 1 << 40 };
        file::write(theirs.answer.as_fd(), &long.encode()).unwrap();
        assert!(ours.hear().is_err());
        assert!((0..100_000).any(|_| ours.say(Word::Go).is_err()));
    }
}
