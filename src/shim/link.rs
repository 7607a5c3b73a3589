//! The shim proper's end of the conversation with its keeper: what is to outlive this process is handed over here.

use crate::error::{Error, Result};
use crate::sys::{Errno, SysResult, inbox, socket};
use crate::wire::keeper::{CHANNEL, KeeperMessage, Note};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The conversation. Any thread may say something: a message is one call.
pub struct Keeper {
    channel: OwnedFd,
}

/// What a keeper says.
#[derive(Debug)]
pub enum Said {
    /// It holds this, under this name.
    Held(u64, OwnedFd),
    /// How a process of its own has ended.
    Ended(i32, u32),
    /// All that there was at our beginning is said; and how the shim before us ended, as wait4(2) has it.
    All(u32),
    /// It is gone.
    Gone,
}

impl Keeper {
    /// For a process that a keeper has started.
    pub fn take() -> Result<Keeper> {
        let missing = |e: Errno| e.because("find the keeper that started this").remedy("use `start`");
        Ok(Keeper { channel: inbox::inherited(CHANNEL).map_err(missing)? })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }

    /// What comes next; `None` where nothing has come, and `wait` is false.
    pub fn hear(&self, wait: bool) -> Result<Option<Said>> {
        let mut buffer = [0; KeeperMessage::SIZE];
        let receive = if wait { socket::receive } else { socket::receive_now };
        let (length, passed) = match receive(self.fd(), &mut buffer) {
            Ok(received) => received,
            Err(Errno(libc::EAGAIN)) => return Ok(None),
            Err(e) => return Err(e.because("read what the keeper says")),
        };
        if length == 0 {
            return Ok(Some(Said::Gone));
        }
        let message = KeeperMessage::decode(&buffer[..length]);
        let said = message.and_then(|message| match (Note::of(message.note)?, passed) {
            (Note::Held, Some(fd)) => Some(Said::Held(message.name, fd)),
            (Note::Ended, _) => Some(Said::Ended(message.name as i32, message.status)),
            (Note::All, _) => Some(Said::All(message.status)),
            _ => None,
        });
        said.map(Some).ok_or_else(|| Error::new("the keeper says something that is not known"))
    }

    /// A successor gets it under this name. A keeper that is gone holds nothing, which is no error: nothing that this
    /// process holds is lost by that.
    pub fn hold(&self, name: u64, fd: BorrowedFd) -> Result<()> {
        let message = KeeperMessage::of(Note::Hold, name, 0).encode();
        unless_gone(socket::send(self.fd(), &message, &[fd.as_raw_fd()]))
    }

    pub fn let_go(&self, name: u64) -> Result<()> {
        self.say(Note::Drop, name)
    }

    /// The end of this process is noted.
    pub fn heard(&self, pid: i32) -> Result<()> {
        self.say(Note::Heard, pid as u64)
    }

    /// Everything that there is by now is said, and then [`Said::All`].
    pub fn ask(&self) -> Result<()> {
        self.say(Note::Ask, 0)
    }

    /// No successor is to be started, and this is what the keeper ends with.
    pub fn finish(&self, status: u32) -> Result<()> {
        let message = KeeperMessage::of(Note::Finish, 0, status).encode();
        unless_gone(socket::send(self.fd(), &message, &[]))
    }

    fn say(&self, note: Note, name: u64) -> Result<()> {
        unless_gone(socket::send(self.fd(), &KeeperMessage::of(note, name, 0).encode(), &[]))
    }
}

fn unless_gone(sent: SysResult<()>) -> Result<()> {
    match sent {
        Ok(()) | Err(Errno(libc::EPIPE | libc::ECONNRESET)) => Ok(()),
        Err(e) => Err(e.because("say something to the keeper")),
    }
}
