//! Waiting for a process whose caller waits for us: signals go on to it, its terminal is ours, its exit is ours.
//!
//! One poll over the process, the signals, the notify socket, and, with a terminal, both directions of its text.
//! SIGCHLD needs no care: the process is watched by its descriptor, so that one that ends at once is not missed.
//!
//! No direction of the text waits for the other, or for anything but this poll: a terminal that nobody reads holds up
//! what the process writes, and neither its signals nor its end.

use crate::engine::caller::{console, notify::Proxy};
use crate::engine::{Orphans, Watch};
use crate::error::Result;
use crate::sys::launch::Child;
use crate::sys::signalfd::Signals;
use crate::sys::terminal::{self, Raw};
use crate::sys::wait::{self, Ended};
use crate::sys::{Errno, file, process};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Waits until `child` has ended.
pub fn wait(
    child: &Child,
    watch: &Watch,
    master: Option<OwnedFd>,
    mut proxy: Option<Proxy>,
    orphans: Orphans,
) -> Result<Ended> {
    let (input, output) = (stdin(), stdout());
    let mut relay = match master {
        Some(master) => Some(Relay::new(master, input.as_fd(), output.as_fd())?),
        None => None,
    };
    let pass = |relay: Option<&Relay>| {
        while let Some(signal) = watch.signals.as_ref().and_then(Signals::next) {
            pass_on(signal, child, relay, orphans);
        }
    };
    // What came while the process was made.
    pass(relay.as_ref());
    loop {
        let mut watched = vec![PollFd::new(child.pidfd.as_fd(), PollFlags::POLLIN)];
        watched.extend(watch.fd().map(|signals| PollFd::new(signals, PollFlags::POLLIN)));
        if let Some(proxy) = &proxy {
            watched.push(PollFd::new(proxy.fd(), PollFlags::POLLIN));
        }
        if let Some(relay) = &relay {
            relay.watch(&mut watched);
        }
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(Errno::from(e).because("poll")),
        }
        // The service manager watches the program by itself from here on; without it there is nobody to tell.
        if proxy.as_mut().is_some_and(|proxy| proxy.hear().is_err()) {
            proxy = None;
        }
        if let Some(relay) = &mut relay {
            relay.copy();
        }
        pass(relay.as_ref());
        if let Some(ended) =
            wait::try_reap(child.pidfd.as_fd()).map_err(|e| e.because("wait for the process"))?
        {
            if let Some(proxy) = &mut proxy {
                proxy.last_words();
            }
            if let Some(relay) = &mut relay {
                relay.drain(watch);
            }
            return Ok(ended);
        }
    }
}

fn pass_on(signal: i32, child: &Child, relay: Option<&Relay>, orphans: Orphans) {
    match signal {
        libc::SIGCHLD if orphans == Orphans::Adopt => reap_orphans(child),
        libc::SIGCHLD => {}
        libc::SIGWINCH if relay.is_some() => {
            if let Some(relay) = relay {
                relay.follow_size();
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
struct Relay<'a> {
    master: OwnedFd,
    input: BorrowedFd<'a>,
    output: BorrowedFd<'a>,
    /// Our output by another way that never waits, where there is one.
    patient_output: Option<OwnedFd>,
    /// From the container to us.
    out: Flow,
    /// From us to the container.
    into: Flow,
    _raw: Option<Raw<'a>>,
}

impl<'a> Relay<'a> {
    fn new(master: OwnedFd, input: BorrowedFd<'a>, output: BorrowedFd<'a>) -> Result<Relay<'a>> {
        let raw = match terminal::raw(input) {
            Ok(raw) => Some(raw),
            // Text from a file or a pipe needs no mode.
            Err(Errno(libc::ENOTTY | libc::EINVAL | libc::ENODEV)) => None,
            Err(e) => return Err(e.because("put the terminal into raw mode")),
        };
        // The master is ours alone.
        file::set_nonblocking(master.as_fd()).map_err(|e| e.because("fcntl on the terminal"))?;
        let patient_output = file::reopen_nonblocking(output);
        let (out, into) = (Flow::default(), Flow::default());
        let relay = Relay { master, input, output, patient_output, out, into, _raw: raw };
        relay.follow_size();
        Ok(relay)
    }

    fn follow_size(&self) {
        console::copy_size(self.input, self.master.as_fd());
    }

    fn watch<'b>(&'b self, watched: &mut Vec<PollFd<'b>>) {
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
            watched.push(PollFd::new(self.output(), PollFlags::POLLOUT));
        }
    }

    fn output(&self) -> BorrowedFd<'_> {
        self.patient_output.as_ref().map_or(self.output, AsFd::as_fd)
    }

    /// Whatever can go on does.
    fn copy(&mut self) {
        let output = self.patient_output.as_ref().map_or(self.output, AsFd::as_fd);
        self.out.step(self.master.as_fd(), output);
        self.into.step(self.input, self.master.as_fd());
        if self.into.ends() {
            // End of input: what a terminal's user types for it.
            let _ = file::write(self.master.as_fd(), &[4]);
        }
    }

    /// What the process wrote before its end, for as long as somebody reads it. A signal to us ends the wait: there is
    /// no process any more that it could be meant for.
    fn drain(&mut self, watch: &Watch) {
        loop {
            let output = self.patient_output.as_ref().map_or(self.output, AsFd::as_fd);
            self.out.step(self.master.as_fd(), output);
            let mut watched: Vec<PollFd> =
                watch.fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).into_iter().collect();
            if self.out.writes() {
                watched.push(PollFd::new(output, PollFlags::POLLOUT));
            } else if !self.out.reads() || !ready(self.master.as_fd(), PollFlags::POLLIN) {
                return;
            } else {
                continue;
            }
            // Without an answer the text is looked at again, which tells more.
            let _ = poll(&mut watched, PollTimeout::NONE);
            if std::iter::from_fn(|| watch.signals.as_ref()?.next())
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
    /// Everything was read, and the reader has not been told yet.
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
                    // Nobody takes it any more.
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
    poll(&mut watched, PollTimeout::ZERO).is_ok_and(|count| count > 0)
}
