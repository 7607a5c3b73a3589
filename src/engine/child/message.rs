//! What init and rruntime say to each other: one message at a time, read from bytes that a container may have written.

use crate::error::{Error, Kind, Result};
use crate::sys::socket;
use crate::wire::{Message, MountId, PAYLOAD, Word};
use std::os::fd::{BorrowedFd, OwnedFd};

/// A message: what it says, at which step, and with `Spawned` the pid.
#[derive(Debug)]
pub struct Said {
    pub event: Event,
    pub step: u32,
    pub pid: Option<i32>,
}

/// What init says.
#[derive(Debug)]
pub enum Event {
    Reached(u32),
    Spawned,
    Ready,
    Failed {
        message: Message,
        note: Vec<u8>,
    },
    /// The master of a terminal, and the mode that was taken away from its other end (0: none was).
    Console {
        master: OwnedFd,
        mode: u32,
    },
    /// The container can do without what a step could not do.
    Warned {
        message: Message,
        note: Vec<u8>,
    },
    Listener(OwnedFd),
    /// The seccomp listener is this descriptor of init's.
    ListenerAt(i32),
    /// `step` has attached this mount; the second time: it is detached.
    Mount {
        step: u32,
        mount: MountId,
    },
    /// `step` has followed a link to this, below its descriptor `root`, and waits for an answer.
    Link {
        step: u32,
        found: OwnedFd,
        root: i32,
    },
    /// A copy of a source whose owners are to be mapped; answered by [`Init::hear`].
    Copied(u32, OwnedFd),
    /// A source that it cannot reach; answered by [`Init::hear`].
    Blocked(u32),
    /// The socket is closed: the user's program runs, or init is dead.
    Closed,
}

/// The most that a message takes.
pub const LONGEST: usize = Message::SIZE + PAYLOAD;

/// One message from whoever is at the other end.
///
/// Without a deadline: a step takes as long as the file systems of the config take, and nobody but its author knows how
/// long that is (a network file system, a large `tmpcopyup`). Who waits for the process first (`watch.rs`) is told what
/// holds it, and can be ended; and `delete --force` ends the process without waiting for our lock.
pub fn hear(control: BorrowedFd) -> Result<Said> {
    let mut buffer = [0; LONGEST];
    let (length, passed) =
        socket::receive(control, &mut buffer).map_err(|e| e.because("receive from the container's init"))?;
    decode(&buffer[..length], passed)
}

/// A message with what came along; without any bytes the other end is closed.
pub fn decode(bytes: &[u8], passed: Option<OwnedFd>) -> Result<Said> {
    if bytes.is_empty() {
        return Ok(Said { event: Event::Closed, step: 0, pid: None });
    }
    let garbled = || Error::new("the container's init has sent something that is no message");
    let message = Message::decode(bytes).ok_or_else(garbled)?;
    let kinds = [
        Word::Reached,
        Word::Spawned,
        Word::Ready,
        Word::Failed,
        Word::Console,
        Word::Listener,
        Word::Warned,
        Word::Mount,
        Word::Link,
        Word::Copied,
        Word::Blocked,
    ];
    let kind = kinds.into_iter().find(|kind| *kind as u32 == message.kind).ok_or_else(garbled)?;
    let rest = &bytes[Message::SIZE..];
    let event = match (kind, passed) {
        (Word::Reached, _) => Event::Reached(message.value as u32),
        (Word::Spawned, _) => Event::Spawned,
        (Word::Ready, _) => Event::Ready,
        (Word::Console, Some(master)) => Event::Console { master, mode: message.value as u32 & 0o7777 },
        (Word::Listener, Some(listener)) => Event::Listener(listener),
        (Word::Listener, None) => Event::ListenerAt(i32::try_from(message.value).map_err(|_| garbled())?),
        (Word::Warned, _) => Event::Warned { message, note: rest.to_vec() },
        (Word::Mount, _) => {
            let (Some((device, inode)), 16) = (rest.split_first_chunk(), rest.len()) else {
                return Err(garbled());
            };
            let inode = inode.try_into().map_or(0, u64::from_le_bytes);
            let mount = MountId { number: message.value as u64, device: u64::from_le_bytes(*device), inode };
            Event::Mount { step: message.step, mount }
        }
        (Word::Link, Some(found)) => Event::Link { step: message.step, found, root: message.value as i32 },
        (Word::Copied, Some(copy)) => Event::Copied(message.value as u32, copy),
        (Word::Blocked, None) => Event::Blocked(message.value as u32),
        (Word::Failed, _) => Event::Failed { message, note: rest.to_vec() },
        _ => return Err(garbled()),
    };
    let pid = (kind == Word::Spawned).then_some(message.value as i32);
    Ok(Said { event, step: message.step, pid })
}

/// One word to whoever is at the other end.
pub fn say(control: BorrowedFd, word: Word) -> Result<()> {
    socket::send(control, &Message::of(word).encode(), &[]).map_err(|e| {
        e.because("send to the container's init").kind(Kind::Other).remedy("the process has ended")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A container that rruntime 0.1.0 has created waits for these numbers.
    #[test]
    fn the_words_for_a_waiting_init_keep_their_numbers() {
        assert_eq!((Word::Reached as u32, Word::Failed as u32, Word::Listener as u32), (1, 4, 6));
        assert_eq!((Word::Go as u32, Word::Detach as u32), (7, 8));
    }
}
