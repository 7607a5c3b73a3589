//! Our streams and those of a detached container, joined by its shim's socket.

use crate::engine::Stop;
use crate::error::{Error, Kind, Result};
use crate::shim::detached::{Place, attach};
use crate::sys::signalfd::Signals;
use crate::sys::{Errno, file, poll, socket, terminal};
use nix::poll::{PollFd, PollFlags};
use std::io::{stderr, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What is read of our input, and written of the output, at once.
const PIECE: usize = 4096;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Our user has typed the keys for it.
    Keys,
    /// The container has ended, or its shim has closed the connection.
    Shim,
    /// Nobody reads the output any more.
    Reader,
}

pub struct Attached<'a> {
    socket: OwnedFd,
    signals: &'a Signals,
    /// What the user types to leave; empty: nothing.
    keys: Vec<u8>,
    /// How many of them have been typed.
    typed: usize,
    /// Of our input, what the shim has not taken yet.
    unsent: Vec<u8>,
    input_ends: bool,
    /// The container has one.
    terminal: bool,
}

impl<'a> Attached<'a> {
    pub fn new(socket: OwnedFd, signals: &'a Signals, keys: Vec<u8>, terminal: bool) -> Attached<'a> {
        Attached { socket, signals, keys, typed: 0, unsent: Vec::new(), input_ends: false, terminal }
    }

    /// Until one of the ends is there. A signal that asks for an end is an error.
    /// `open`: our input goes to the process.
    pub fn join(&mut self, place: &Place, mut open: bool) -> Result<Left> {
        let input = stdin();
        let input = input.as_fd();
        // Input that is no terminal is read as it is.
        let raw = if open && self.terminal { terminal::raw(input).ok() } else { None };
        let follow_size = || match terminal::size(input) {
            Ok(size) if raw.is_some() => attach::resize(place, size),
            _ => Ok(()),
        };
        follow_size()?;
        loop {
            let mut watched = vec![PollFd::new(self.signals.fd(), PollFlags::POLLIN)];
            let waits_for_room = if self.unsent.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
            watched.push(PollFd::new(self.socket.as_fd(), PollFlags::POLLIN | waits_for_room));
            if open && self.unsent.is_empty() {
                watched.push(PollFd::new(input, PollFlags::POLLIN));
            }
            poll::wait(&mut watched, None).map_err(|e| e.because("poll"))?;
            let ready = |at: usize| watched.get(at).is_some_and(|fd| fd.any().unwrap_or(true));
            let (signal, input_ready) = (ready(0), ready(2));
            if signal {
                self.heed(&follow_size)?;
            }
            if input_ready && self.read(input)? {
                return Ok(Left::Keys);
            }
            open &= !self.input_ends;
            self.send()?;
            if let Some(left) = self.show()? {
                return Ok(left);
            }
        }
    }

    fn heed(&self, follow_size: &dyn Fn() -> Result<()>) -> Result<()> {
        let reason = self.signals.reason();
        // It has kept the others, which are nothing to us but this one.
        while let Some(signal) = self.signals.kept() {
            if signal == libc::SIGWINCH {
                follow_size()?;
            }
        }
        reason.map_or(Ok(()), |reason| {
            let ended = Error::new(format!("ended by {reason}; the container goes on"));
            Err(ended.kind(Kind::Interrupted))
        })
    }

    /// `true`: the last of the keys was typed.
    fn read(&mut self, input: BorrowedFd) -> Result<bool> {
        let mut bytes = [0; PIECE];
        let length = match file::read(input, &mut bytes) {
            Ok(length) => length,
            Err(Errno(libc::EAGAIN)) => return Ok(false),
            Err(e) => return Err(e.because("read standard input")),
        };
        if length == 0 {
            self.input_ends = true;
            self.unsent.extend_from_slice(&self.keys[..self.typed]);
        }
        for byte in &bytes[..length] {
            if self.keys.get(self.typed) == Some(byte) {
                self.typed += 1;
                if self.typed == self.keys.len() {
                    return Ok(true);
                }
                continue;
            }
            self.unsent.extend_from_slice(&self.keys[..self.typed]);
            self.typed = usize::from(self.keys.first() == Some(byte));
            if self.typed == 0 {
                self.unsent.push(*byte);
            }
        }
        Ok(false)
    }

    fn send(&mut self) -> Result<()> {
        while !self.unsent.is_empty() {
            match file::write(self.socket.as_fd(), &self.unsent[..self.unsent.len().min(PIECE)]) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(Errno(libc::EAGAIN)) => return Ok(()),
                // It is gone, which its output says next.
                Err(_) => self.unsent.clear(),
            }
        }
        if std::mem::take(&mut self.input_ends) {
            // Whether it is there still, its output says next.
            let _ = match self.terminal {
                // What a terminal's user types for it.
                true => file::write(self.socket.as_fd(), &[4]).map(drop),
                false => socket::end_of_words(self.socket.as_fd()),
            };
        }
        Ok(())
    }

    /// One packet, so that what else there is has its turn too.
    fn show(&mut self) -> Result<Option<Left>> {
        let mut packet = [0; attach::PACKET];
        let (errors, output) = (stderr(), stdout());
        let written = match file::read(self.socket.as_fd(), &mut packet) {
            Ok(0) | Err(Errno(libc::ECONNRESET)) => return Ok(Some(Left::Shim)),
            Ok(length) if packet[0] == attach::ERRORS => self.write(errors.as_fd(), &packet[1..length]),
            Ok(length) => self.write(output.as_fd(), &packet[1..length]),
            Err(Errno(libc::EAGAIN)) => return Ok(None),
            Err(e) => return Err(e.because("read from the shim")),
        }?;
        Ok((!written).then_some(Left::Reader))
    }

    /// A reader that does not read holds up the output, and not our end. `false`: it has gone away.
    fn write(&self, output: BorrowedFd, mut bytes: &[u8]) -> Result<bool> {
        while !bytes.is_empty() {
            let mut watched =
                [PollFd::new(output, PollFlags::POLLOUT), PollFd::new(self.signals.fd(), PollFlags::POLLIN)];
            poll::wait(&mut watched, None).map_err(|e| e.because("poll"))?;
            if watched[1].any().unwrap_or(true) {
                self.heed(&|| Ok(()))?;
            }
            if !watched[0].any().unwrap_or(true) {
                continue;
            }
            match file::write(output, &bytes[..bytes.len().min(PIECE)]) {
                Ok(length) => bytes = &bytes[length..],
                Err(Errno(libc::EAGAIN)) => {}
                Err(Errno(libc::EPIPE)) => return Ok(false),
                Err(e) => return Err(e.because("write the container's output")),
            }
        }
        Ok(true)
    }
}
