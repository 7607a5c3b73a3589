//! Waiting for a process whose caller waits for us: signals go on to it, its terminal is ours, its exit is ours.
//!
//! One poll over the process, the signals, the notify socket, and, with a terminal, both directions of its text.
//! SIGCHLD needs no care: the process is watched by its descriptor, so that one that ends at once is not missed.

pub mod attached;
mod relay;

use crate::engine::{Meanwhile, Started};
use crate::error::Result;
use crate::sys::signalfd::Signals;
use crate::sys::wait::{self, Ended};
use crate::sys::{file, poll, process};
use nix::poll::{PollFd, PollFlags};
use relay::Relay;
use std::io::{stdin, stdout};
use std::os::fd::AsFd;

/// Who becomes the parent of the container's orphans while `run` waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orphans {
    /// This process (a child subreaper), which reaps them.
    #[default]
    Adopt,
    Leave,
}

/// Waits until `child` has ended, and does meanwhile what there is to do.
pub fn wait(
    child: &mut Started,
    signals: &Signals,
    orphans: Orphans,
    meanwhile: Option<&dyn Meanwhile>,
) -> Result<Ended> {
    let mut proxy = child.readiness.take();
    let master = child.terminal.take();
    let child = &*child;
    let (input, output) = (stdin(), stdout());
    // Our output by a way that never waits, where there is one.
    let patient = master.as_ref().and_then(|_| file::reopen_nonblocking(output.as_fd()));
    let output = patient.as_ref().map_or(output.as_fd(), AsFd::as_fd);
    let mut relay = master.map(|master| Relay::new(master, input.as_fd(), output)).transpose()?;
    // Signals that came while the process was made. The descriptor reports later ones.
    while let Some(signal) = signals.kept() {
        pass_on(signal, child, relay.as_ref(), orphans);
    }
    loop {
        let mut watched =
            [child.pidfd.as_fd(), signals.fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN)).to_vec();
        if let Some(proxy) = &proxy {
            watched.push(PollFd::new(proxy.fd(), PollFlags::POLLIN));
        }
        if let Some(relay) = &relay {
            relay.watch(&mut watched);
        }
        watched.extend(meanwhile.map(|meanwhile| PollFd::new(meanwhile.fd(), PollFlags::POLLIN)));
        poll::wait(&mut watched, None).map_err(|e| e.because("poll"))?;
        if let Some(meanwhile) = meanwhile
            && watched.last().is_some_and(|polled| polled.any().unwrap_or(false))
        {
            meanwhile.act();
        }
        // The service manager watches the program by itself from here on; without it there is no one to report to.
        if proxy.as_mut().is_some_and(|proxy| proxy.hear().is_err()) {
            proxy = None;
        }
        if let Some(relay) = &mut relay {
            relay.copy();
        }
        while let Some(signal) = signals.next() {
            pass_on(signal, child, relay.as_ref(), orphans);
        }
        if let Some(ended) =
            wait::try_reap(child.pidfd.as_fd()).map_err(|e| e.because("wait for the process"))?
        {
            if let Some(proxy) = &mut proxy {
                proxy.last_words();
            }
            if let Some(relay) = &mut relay {
                relay.drain(signals);
            }
            return Ok(ended);
        }
    }
}

fn pass_on(signal: i32, child: &Started, relay: Option<&Relay>, orphans: Orphans) {
    match (signal, relay) {
        // Orphans of the container that came to us; our own child is left to its descriptor.
        (libc::SIGCHLD, _) if orphans == Orphans::Adopt => while wait::reap_other_than(child.pid) {},
        (libc::SIGCHLD, _) => {}
        (libc::SIGWINCH, Some(relay)) => relay.follow_size(),
        // A program without a terminal of ours is not told that ours has another size, as by the peers.
        (libc::SIGWINCH, None) => {}
        // A process that has just ended gets no signal, and its end is what we are about to see.
        _ => {
            let _ = process::pidfd_send_signal(child.pidfd.as_fd(), signal);
        }
    }
}
