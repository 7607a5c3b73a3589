//! Our terminal and the container's, joined.
//!
//! No direction of the text waits for the other, or for anything but the poll of the caller: a terminal without a reader
//! holds up what the process writes, and neither its signals nor its end. An engine's waits are for something to read, and
//! end the call at a signal; here signals go on to the process, and there is something to write.

use crate::engine::copy_size;
use crate::error::Result;
use crate::sys::signalfd::Signals;
use crate::sys::terminal::{self, Raw};
use crate::sys::{Errno, file, poll};
use nix::poll::{PollFd, PollFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

pub struct Relay<'a> {
    master: OwnedFd,
    input: BorrowedFd<'a>,
    output: BorrowedFd<'a>,
    /// From the container to us.
    out: Flow,
    /// From us to the container.
    into: Flow,
    _raw: Option<Raw<'a>>,
}

impl<'a> Relay<'a> {
    pub fn new(master: OwnedFd, input: BorrowedFd<'a>, output: BorrowedFd<'a>) -> Result<Relay<'a>> {
        let raw = match terminal::raw(input) {
            Ok(raw) => Some(raw),
            // Text from a file or a pipe needs no mode.
            Err(Errno(libc::ENOTTY | libc::EINVAL | libc::ENODEV)) => None,
            Err(e) => return Err(e.because("put the terminal into raw mode")),
        };
        // No other process has the master.
        file::set_nonblocking(master.as_fd(), true).map_err(|e| e.because("fcntl on the terminal"))?;
        let (out, into) = (Flow::default(), Flow::default());
        let relay = Relay { master, input, output, out, into, _raw: raw };
        relay.follow_size();
        Ok(relay)
    }

    pub fn follow_size(&self) {
        copy_size(self.input, self.master.as_fd());
    }

    pub fn watch<'b>(&'b self, watched: &mut Vec<PollFd<'b>>) {
        let mut events = PollFlags::empty();
        events.set(PollFlags::POLLIN, self.out.reads());
        events.set(PollFlags::POLLOUT, self.into.writes());
        if !events.is_empty() {
            watched.push(PollFd::new(self.master.as_fd(), events));
        }
        if self.into.reads() {
            watched.push(PollFd::new(self.input, PollFlags::POLLIN));
        }
        if self.out.writes() {
            watched.push(PollFd::new(self.output, PollFlags::POLLOUT));
        }
    }

    /// Whatever can go on does.
    pub fn copy(&mut self) {
        self.out.step(self.master.as_fd(), self.output);
        self.into.step(self.input, self.master.as_fd());
        if self.into.ends() {
            // End of input: what a terminal's user types for it.
            let _ = file::write(self.master.as_fd(), &[4]);
        }
    }

    /// What the process wrote before its end, for as long as it has a reader. A signal to us ends the wait: there is
    /// no process any more that it could be meant for.
    pub fn drain(&mut self, signals: &Signals) {
        loop {
            self.out.step(self.master.as_fd(), self.output);
            let mut watched = vec![PollFd::new(signals.fd(), PollFlags::POLLIN)];
            if self.out.writes() {
                watched.push(PollFd::new(self.output, PollFlags::POLLOUT));
            } else if !self.out.reads() || !ready(self.master.as_fd(), PollFlags::POLLIN) {
                return;
            } else {
                continue;
            }
            // Without an answer the text is looked at again, which tells more.
            let _ = poll::wait(&mut watched, None);
            if std::iter::from_fn(|| signals.next())
                .any(|signal| signal != libc::SIGCHLD && signal != libc::SIGWINCH)
            {
                return;
            }
        }
    }
}

/// Text on its way: read when there is room, written when there is a taker.
struct Flow {
    buffer: Vec<u8>,
    /// What of it is written already.
    written: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Everything was read, and the reader does not know yet.
    Ending,
    Over,
}

/// What is read at once, and held at most.
const ROOM: usize = 8192;
/// What a pipe that poll(2) calls writable takes without waiting.
const PIECE: usize = 4096;

impl Default for Flow {
    fn default() -> Flow {
        Flow { buffer: Vec::with_capacity(ROOM), written: 0, state: State::Open }
    }
}

impl Flow {
    fn reads(&self) -> bool {
        self.state == State::Open && self.buffer.is_empty()
    }

    fn writes(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// True once: everything that was read is written, and no more comes.
    fn ends(&mut self) -> bool {
        let ends = self.state == State::Ending && self.buffer.is_empty();
        if ends {
            self.state = State::Over;
        }
        ends
    }

    /// One read, one write, neither of which waits. A terminal whose other end is closed gives `EIO`.
    fn step(&mut self, from: BorrowedFd, to: BorrowedFd) {
        if self.reads() && ready(from, PollFlags::POLLIN) {
            self.buffer.resize(ROOM, 0);
            let read = file::read(from, &mut self.buffer);
            self.buffer.truncate(read.unwrap_or(0));
            self.written = 0;
            if !matches!(read, Ok(1..) | Err(Errno(libc::EAGAIN))) {
                self.state = State::Ending;
            }
        }
        if self.writes() && ready(to, PollFlags::POLLOUT) {
            let rest = &self.buffer[self.written..];
            match file::write(to, &rest[..rest.len().min(PIECE)]) {
                Ok(count) => self.written += count,
                Err(Errno(libc::EAGAIN)) => {}
                Err(_) => {
                    // There is no reader any more.
                    self.written = self.buffer.len();
                    self.state = State::Over;
                }
            }
            if self.written == self.buffer.len() {
                self.buffer.clear();
            }
        }
    }
}

fn ready(fd: BorrowedFd, events: PollFlags) -> bool {
    let mut watched = [PollFd::new(fd, events)];
    // An error is found by the call that follows.
    poll::wait(&mut watched, Some(Instant::now())) == Ok(true)
}
