//! What init and rruntime say to each other: one message at a time, read from bytes that a container may have written.

use crate::engine::child::born::Hidden;
use crate::error::{Error, Kind, Result};
use crate::plan::script::Talk;
use crate::sys::socket;
use crate::wire::Word::{
    self, Blocked, Console, Copied, Failed, Listener, Mount, Reached, Ready, Spawned, Warned,
};
use crate::wire::{Message, MountId, PAYLOAD};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// A message: what it says, and at which step.
#[derive(Debug)]
pub struct Said {
    pub heard: Heard,
    pub step: u32,
}

/// What init says.
#[derive(Debug)]
pub enum Heard {
    Reached(u32),
    /// This process does the rest.
    Spawned(i32),
    Ready,
    Failed(Trouble),
    Console(Hidden),
    /// The container can do without what a step could not do.
    Warned(Trouble),
    Listener(OwnedFd),
    /// The seccomp listener is this descriptor of init's.
    ListenerAt(i32),
    /// `step` has attached this mount; the second time: it is detached.
    Mount {
        step: u32,
        mount: MountId,
    },
    Link(Followed),
    /// A copy of a source whose owners are to be mapped; answered by [`Init::hear`].
    Copied(u32, OwnedFd),
    /// A source that it cannot reach; answered by [`Init::hear`].
    Blocked(u32),
    /// The socket is closed: the user's program runs, or init is dead.
    Closed,
}

impl Heard {
    /// Whether this is what a script lets init say.
    pub fn is(&self, talk: Talk) -> bool {
        match self {
            Heard::Reached(number) => matches!(talk, Talk::Reached(point) if point as u32 == *number),
            Heard::Spawned(_) => talk == Talk::Spawned,
            Heard::Ready => talk == Talk::Ready,
            Heard::Console(_) => talk == Talk::Console,
            Heard::Listener(_) | Heard::ListenerAt(_) => talk == Talk::Listener,
            _ => false,
        }
    }
}

/// What a step could not do, and what explains it.
#[derive(Debug)]
pub struct Trouble {
    pub message: Message,
    pub note: Vec<u8>,
}

/// `step` has followed a link to what is found, below its descriptor `root`, and waits for an answer.
#[derive(Debug)]
pub struct Followed {
    pub step: u32,
    pub found: OwnedFd,
    pub root: i32,
}

/// What init may say.
const HEARD: [Word; 11] =
    [Reached, Spawned, Ready, Failed, Console, Listener, Warned, Mount, Word::Link, Copied, Blocked];

/// The error for what no step of the plan says.
pub fn out_of_turn() -> Error {
    Error::new("the container's init sent an unexpected message")
        .remedy("a process of the container may be speaking for it")
}

/// The most that a message takes.
pub const LONGEST: usize = Message::SIZE + PAYLOAD;

/// One message from the other end.
///
/// Without a deadline: a step takes as long as the file systems of the config take, and only its author knows how
/// long that is (a network file system, a large `tmpcopyup`). A caller that waits for the process first (`watch.rs`) hears
/// what holds it, and can be ended; and `delete --force` ends the process without waiting for our lock.
pub fn hear(control: BorrowedFd) -> Result<Said> {
    let mut buffer = [0; LONGEST];
    let (length, passed) =
        socket::receive(control, &mut buffer).map_err(|e| e.because("receive from the container's init"))?;
    decode(&buffer[..length], passed)
}

/// A message with what came along; without any bytes the other end is closed.
pub fn decode(bytes: &[u8], passed: Option<OwnedFd>) -> Result<Said> {
    if bytes.is_empty() {
        return Ok(Said { heard: Heard::Closed, step: 0 });
    }
    let garbled = || Error::new("the container's init sent bytes that are not a message");
    let message = Message::decode(bytes).ok_or_else(garbled)?;
    let kind = HEARD.into_iter().find(|kind| *kind as u32 == message.kind).ok_or_else(garbled)?;
    let Message { step, value, .. } = message;
    let rest = &bytes[Message::SIZE..];
    let heard = match (kind, passed) {
        (Reached, _) => Heard::Reached(value as u32),
        (Spawned, _) => Heard::Spawned(value as i32),
        (Ready, _) => Heard::Ready,
        (Failed, _) => Heard::Failed(Trouble { message, note: rest.to_vec() }),
        (Warned, _) => Heard::Warned(Trouble { message, note: rest.to_vec() }),
        (Console, Some(master)) => Heard::Console(Hidden { master, mode: value as u32 & 0o7777 }),
        (Listener, Some(listener)) => Heard::Listener(listener),
        (Listener, None) => Heard::ListenerAt(i32::try_from(value).map_err(|_| garbled())?),
        (Mount, _) => {
            let (Some((device, inode)), 16) = (rest.split_first_chunk(), rest.len()) else {
                return Err(garbled());
            };
            let (device, inode) =
                (u64::from_le_bytes(*device), inode.try_into().map_or(0, u64::from_le_bytes));
            Heard::Mount { step, mount: MountId { number: value as u64, device, inode } }
        }
        (Word::Link, Some(found)) => Heard::Link(Followed { step, found, root: value as i32 }),
        (Copied, Some(copy)) => Heard::Copied(value as u32, copy),
        (Blocked, None) => Heard::Blocked(value as u32),
        _ => return Err(garbled()),
    };
    Ok(Said { heard, step })
}

/// One word to the other end.
pub fn say(control: BorrowedFd, word: Word, pass: Option<BorrowedFd>) -> Result<()> {
    let pass: Vec<RawFd> = pass.iter().map(AsRawFd::as_raw_fd).collect();
    socket::send(control, &Message::of(word).encode(), &pass).map_err(|e| {
        e.because("send to the container's init").kind(Kind::Other).remedy("the process has ended")
    })
}
