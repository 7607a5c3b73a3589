//! Talking to rruntime: one message at a time over a SEQPACKET socket, then over two pipes, before a container can see this
//! process; and once `create` has gone over two pipes with names in the state directory. On the socket an end of file means
//! that rruntime has died, and then so does init: a half-made container must not wait for ever. At the pipes, which init
//! itself holds open, there is none: it waits until the word comes or it is killed.

use crate::Init;
use crate::sys::{self, Errno, Fd};
use crate::wire::{Handle, Message, PAYLOAD, Part, Point, Word};

/// What failed, and how.
#[derive(Clone, Copy)]
pub struct Fail(pub Part, pub Errno);

pub type Outcome<T> = Result<T, Fail>;

/// A step comes before the one that opens what it needs, or has no descriptor where it must have one.
pub const NOT_OPEN: Fail = Fail(Part::Plan, Errno(libc::EBADF));
/// A step that no plan of rruntime's holds.
pub const NO_SENSE: Fail = Fail(Part::Plan, Errno(libc::EPROTO));

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
    /// Notes when the step `number` begins, which is when the one before it was done.
    pub fn stamp(&self, number: u32) {
        if let Some(times) = self.times {
            times.note(number as usize);
        }
    }

    pub fn handle(&self, handle: Handle) -> Outcome<Fd> {
        self.header.descriptor(handle).filter(|number| *number >= 0).map(Fd).ok_or(NOT_OPEN)
    }

    /// The root filesystem; steps that need it come after `Root`, or work on the caller's own root.
    pub fn root(&self) -> Outcome<Fd> {
        self.root.ok_or(NOT_OPEN)
    }

    /// By write(2), which every profile knows: a part of the conversation takes place behind the container's filter.
    pub fn tell(&self, kind: Word, value: i64) -> Outcome<()> {
        self.say(Message { value, step: self.number, ..Message::of(kind) }, &[])
    }

    /// A pipe knows no end of a message, so it goes in one piece with what explains it.
    pub fn say(&self, message: Message, payload: &[u8]) -> Outcome<()> {
        let mut bytes = [0; Message::SIZE + PAYLOAD];
        bytes[..Message::SIZE].copy_from_slice(&message.encode());
        bytes[Message::SIZE..][..payload.len()].copy_from_slice(payload);
        sys::write(self.control, &bytes[..Message::SIZE + payload.len()]).part(Part::Control).map(drop)
    }

    pub fn pass(&self, kind: Word, value: i64, file: Fd) -> Outcome<()> {
        let message = Message { value, step: self.number, ..Message::of(kind) };
        sys::send(self.control, &message.encode(), file).part(Part::Control)
    }

    /// Waits for rruntime's word.
    pub fn hear(&self) -> Outcome<u32> {
        let mut buffer = [0; Message::SIZE];
        let length = sys::read(self.word, &mut buffer).part(Part::Control)?;
        match Message::decode(&buffer[..length]) {
            Some(message) => Ok(message.kind),
            None => Err(Fail(Part::Control, Errno(libc::EPIPE))),
        }
    }

    pub fn sync(&mut self, point: Point) -> Outcome<()> {
        self.tell(Word::Reached, i64::from(point as u32))?;
        if point != Point::Scope {
            return self.expect_go();
        }
        // With the group below the scope that the next process is born in, where there is to be one.
        let mut buffer = [0; Message::SIZE];
        let (length, birthplace) = sys::receive(self.word, &mut buffer).part(Part::Control)?;
        self.birthplace = birthplace;
        match Message::decode(&buffer[..length]) {
            Some(message) if message.kind == Word::Go as u32 => Ok(()),
            _ => Err(Fail(Part::Control, Errno(libc::EPIPE))),
        }
    }

    pub fn expect_go(&self) -> Outcome<()> {
        match self.hear()? {
            kind if kind == Word::Go as u32 => Ok(()),
            _ => Err(Fail(Part::Control, Errno(libc::EPROTO))),
        }
    }

    pub fn guard(&self, first: Handle, second: Handle) -> Outcome<()> {
        let heard = self.expect_go();
        if heard.is_err() {
            // Each whatever becomes of the other, which may have ended.
            let (first, second) = (sys::kill(self.handle(first)?), sys::kill(self.handle(second)?));
            first.and(second).part(Part::Whole)?;
        }
        heard
    }

    /// From here on nothing is open but what the program keeps and the conversation, by two pipes: what is seen of this
    /// process leads to nothing of the host's. A socket would lead to rruntime (SO_PEERPIDFD).
    pub fn confine(&mut self, first: u32, word: Handle, answer: Handle) -> Outcome<()> {
        const ENDS: usize = 4;
        let ends = [Handle::WORD, Handle::ANSWER, word, answer];
        let mut held = [Fd::CWD; ENDS];
        for (held, end) in held.iter_mut().zip(ends) {
            if let Some(end) = self.end(end)? {
                *held = sys::duplicate(end, first + ENDS as u32).part(Part::Dup)?;
            }
        }
        let mut next = first as i32;
        for held in held.iter_mut().filter(|held| **held != Fd::CWD) {
            sys::dup3(*held, next).part(Part::Dup)?;
            *held = Fd(next);
            next += 1;
        }
        sys::close_range(next as u32, 0).part(Part::Whole)?;
        let [heard, told, word, answer] = held;
        (self.word, self.control) = (heard, told);
        self.start = match (word, answer) {
            (Fd::CWD, Fd::CWD) => None,
            (Fd::CWD, _) | (_, Fd::CWD) => return Err(NO_SENSE),
            ends => Some(ends),
        };
        Ok(())
    }

    fn end(&self, handle: Handle) -> Outcome<Option<Fd>> {
        if handle == Handle::NONE { Ok(None) } else { self.handle(handle).map(Some) }
    }

    pub fn await_start(&mut self) -> Outcome<()> {
        self.tell(Word::Ready, 0)?;
        match self.hear()? {
            word if word == Word::Go as u32 => return Ok(()),
            word if word == Word::Detach as u32 => {}
            _ => return Err(Fail(Part::Control, Errno(libc::EPROTO))),
        }
        // `create` ends here. The word may come from any later command; one that died before its word is no start.
        let (word, answer) = self.start.ok_or(NOT_OPEN)?;
        sys::close(self.control);
        sys::close(self.word);
        (self.word, self.control) = (word, answer);
        self.expect_go()
    }

    pub fn report(&self, step: u32, fail: Fail) {
        self.complain(Word::Failed, step, fail);
    }

    /// For something that the container can do without: rruntime words it, and the plan goes on.
    pub fn warn(&self, fail: Fail) {
        self.complain(Word::Warned, self.number, fail);
    }

    fn complain(&self, kind: Word, step: u32, Fail(part, Errno(errno)): Fail) {
        let value = self.noted as i64;
        let message = Message { kind: kind as u32, step, part: part as u32, errno, value };
        // If rruntime is gone there is no one to report to.
        let _ = self.say(message, &self.note[..self.noted]);
    }
}
