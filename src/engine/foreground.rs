//! Waiting for a process whose caller waits for us: signals go on to it, its terminal is ours, its exit is ours.
//!
//! One poll over the process, the signals, and, with a terminal, both directions of its text. SIGCHLD needs no
//! care: the process is watched by its descriptor, so that one that ends at once is not missed.

use super::console;
use crate::error::Result;
use crate::sys::file;
use crate::sys::launch::Child;
use crate::sys::signalfd::Signals;
use crate::sys::terminal::{self, Raw};
use crate::sys::wait::{self, Ended};
use crate::sys::{Errno, process};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Holds signals back from the moment on at which a process may exist to receive them.
pub fn hold_signals() -> Result<Signals> {
    Signals::hold().map_err(|e| e.because("signalfd"))
}

/// Waits until `child` has ended. `adopt`: reap the orphans that come to us meanwhile.
pub fn wait(child: &Child, signals: &Signals, master: Option<OwnedFd>, adopt: bool) -> Result<Ended> {
    let (input, output) = (stdin(), stdout());
    let mut session = match master {
        Some(master) => Some(Session::new(master, input.as_fd(), output.as_fd())?),
        None => None,
    };
    loop {
        let mut watched = vec![
            PollFd::new(child.pidfd.as_fd(), PollFlags::POLLIN),
            PollFd::new(signals.fd(), PollFlags::POLLIN),
        ];
        if let Some(session) = &session {
            session.watch(&mut watched);
        }
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(Errno::from(e).because("poll")),
        }
        let ready: Vec<bool> =
            watched.iter().map(|fd| fd.revents().is_some_and(|events| !events.is_empty())).collect();
        if let Some(session) = &mut session {
            session.copy(&ready[2..]);
        }
        while let Some(signal) = signals.next() {
            pass_on(signal, child, session.as_ref(), adopt);
        }
        if let Some(ended) =
            wait::try_reap(child.pidfd.as_fd()).map_err(|e| e.because("wait for the process"))?
        {
            if let Some(session) = &mut session {
                session.drain();
            }
            return Ok(ended);
        }
    }
}

fn pass_on(signal: i32, child: &Child, session: Option<&Session>, adopt: bool) {
    match signal {
        libc::SIGCHLD if adopt => reap_orphans(child),
        libc::SIGCHLD => {}
        libc::SIGWINCH if session.is_some() => {
            if let Some(session) = session {
                session.follow_size();
            }
        }
        // A process that has just ended gets no signal, and its end is what we are about to see.
        _ => {
            let _ = process::pidfd_send_signal(child.pidfd.as_fd(), signal);
        }
    }
}

/// Orphans of the container that came to us; our own child is left to its descriptor.
fn reap_orphans(child: &Child) {
    while wait::ended_other_than(child.pid).is_some_and(|pid| wait::reap_orphan(pid).is_ok()) {}
}

/// Our terminal and the container's, joined.
struct Session<'a> {
    master: OwnedFd,
    input: BorrowedFd<'a>,
    output: BorrowedFd<'a>,
    input_open: bool,
    output_open: bool,
    _raw: Option<Raw<'a>>,
}

impl<'a> Session<'a> {
    fn new(master: OwnedFd, input: BorrowedFd<'a>, output: BorrowedFd<'a>) -> Result<Session<'a>> {
        let raw = match terminal::raw(input) {
            Ok(raw) => Some(raw),
            // Text from a file or a pipe needs no mode.
            Err(Errno(libc::ENOTTY | libc::EINVAL | libc::ENODEV)) => None,
            Err(e) => return Err(e.because("put the terminal into raw mode")),
        };
        let session = Session { master, input, output, input_open: true, output_open: true, _raw: raw };
        session.follow_size();
        Ok(session)
    }

    fn follow_size(&self) {
        console::copy_size(self.input, self.master.as_fd());
    }

    fn watch<'b>(&'b self, watched: &mut Vec<PollFd<'b>>) {
        if self.output_open {
            watched.push(PollFd::new(self.master.as_fd(), PollFlags::POLLIN));
        }
        if self.input_open {
            watched.push(PollFd::new(self.input, PollFlags::POLLIN));
        }
    }

    /// `ready` in the order of `watch`.
    fn copy(&mut self, ready: &[bool]) {
        let mut ready = ready.iter();
        if self.output_open && ready.next() == Some(&true) {
            self.output_open = copy_some(self.master.as_fd(), self.output);
        }
        if self.input_open && ready.next() == Some(&true) {
            let more = copy_some(self.input, self.master.as_fd());
            if !more {
                self.input_open = false;
                // End of input: what a terminal's user types for it.
                let _ = file::write(self.master.as_fd(), &[4]);
            }
        }
    }

    /// What the process wrote before its end.
    fn drain(&mut self) {
        while self.output_open {
            let mut watched = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
            match poll(&mut watched, PollTimeout::ZERO) {
                Ok(0) => return,
                _ => self.output_open = copy_some(self.master.as_fd(), self.output),
            }
        }
    }
}

/// Copies what is there; `false` at the end. A terminal whose other end is closed gives `EIO`.
fn copy_some(from: BorrowedFd, to: BorrowedFd) -> bool {
    let mut buffer = [0; 8192];
    let Ok(count @ 1..) = file::read(from, &mut buffer) else { return false };
    let mut rest = &buffer[..count];
    while !rest.is_empty() {
        match file::write(to, rest) {
            Ok(written) => rest = &rest[written..],
            Err(_) => return false,
        }
    }
    true
}
