//! Talking to rruntime: one message at a time over a SEQPACKET socket. An end of file means that rruntime has
//! died, and then so does init: a half-made container must not wait for ever.

use crate::Init;
use crate::sys::{self, Errno, Fd};
use crate::wire::{Handle, Kind, Message, Part};

/// What failed, and how.
#[derive(Clone, Copy)]
pub struct Fail(pub Part, pub Errno);

pub type Outcome<T> = Result<T, Fail>;

/// Names the part of a step that a system call stands for.
pub trait In<T> {
    fn part(self, part: Part) -> Outcome<T>;
}

impl<T> In<T> for sys::Sys<T> {
    fn part(self, part: Part) -> Outcome<T> {
        self.map_err(|errno| Fail(part, errno))
    }
}

impl Init<'_> {
    pub fn handle(&self, handle: Handle) -> Outcome<Fd> {
        self.header.descriptor(handle).map(Fd).ok_or(Fail(Part::Plan, Errno(libc::EBADF)))
    }

    /// The root filesystem; steps that need it come after `Root`, or work on the caller's own root.
    pub fn root(&self) -> Outcome<Fd> {
        self.root.ok_or(Fail(Part::Plan, Errno(libc::EBADF)))
    }

    pub fn tell(&self, kind: Kind, value: i64, pass: Option<Fd>) -> Outcome<()> {
        let message = Message { value, ..Message::of(kind) };
        sys::send(self.control, &message.encode(), &[], pass).part(Part::Control)
    }

    /// Waits for rruntime's word.
    pub fn hear(&self) -> Outcome<u32> {
        let mut buffer = [0; Message::SIZE];
        let length = sys::recv(self.control, &mut buffer).part(Part::Control)?;
        match Message::decode(&buffer[..length]) {
            Some(message) => Ok(message.kind),
            None => Err(Fail(Part::Control, Errno(libc::EPIPE))),
        }
    }

    pub fn sync(&self, point: u32) -> Outcome<()> {
        self.tell(Kind::Reached, i64::from(point), None)?;
        self.expect_go()
    }

    fn expect_go(&self) -> Outcome<()> {
        match self.hear()? {
            kind if kind == Kind::Go as u32 => Ok(()),
            _ => Err(Fail(Part::Control, Errno(libc::EPROTO))),
        }
    }

    pub fn await_start(&mut self, listener: Handle) -> Outcome<()> {
        self.tell(Kind::Ready, 0, None)?;
        if self.hear()? == Kind::Go as u32 {
            return Ok(());
        }
        // `create` ends here; whoever starts the container connects to the socket in the state directory.
        let listener = self.handle(listener)?;
        loop {
            sys::close(self.control);
            self.control = sys::accept(listener).part(Part::Accept)?;
            // A `start` that died before its word is no start.
            if self.expect_go().is_ok() {
                return Ok(());
            }
        }
    }

    pub fn report(&self, step: u32, Fail(part, Errno(errno)): Fail) {
        let message = Message { kind: Kind::Failed as u32, step, part: part as u32, errno, value: 0 };
        // If rruntime is gone there is nobody left to tell.
        let _ = sys::send(self.control, &message.encode(), &self.note[..self.noted], None);
    }
}
