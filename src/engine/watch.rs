//! Waiting for a process that a container, or somebody on the host, can hold up: stop it, trace it, freeze its cgroup, let
//! it sleep on a file system that does not answer.
//!
//! There is no clock: copying, slow file systems and hooks may take long, and only their author knows how long. Instead
//! the wait says what holds it, and a signal that asks a command to end does end it, with what it has begun.

use crate::engine::event::{Event, Listener};
use crate::engine::hold::{Hold, hold};
use crate::error::{Error, Kind, Result};
use crate::sys::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// What ends the waits of a caller's calls before what they wait for has come.
pub trait Stop: Send + Sync {
    /// Can be read when there is something to look at.
    fn fd(&self) -> BorrowedFd<'_>;
    /// Who or what ends them ("SIGTERM"), if anything does.
    fn reason(&self) -> Option<String>;
}

/// What the waits of a caller have in common.
pub struct Watch {
    /// Without it nothing ends a wait but what is waited for.
    stop: Option<Arc<dyn Stop>>,
    pub listener: Listener,
    /// The caller has been asked to end.
    ended: AtomicBool,
    /// How often something was read while there was something to look at.
    preferred: AtomicU32,
}

/// What is read at most before what asks for an end counts.
const MOST_READ: u32 = 64;
/// Milliseconds between two looks at a process that is waited for.
const LOOK: u16 = 1000;
/// The same for what cannot be polled.
const GLANCE: Duration = Duration::from_millis(100);

impl Watch {
    /// Waits without a word, and to the end.
    pub fn none() -> Watch {
        Watch::new(None, Arc::new(|_| ()))
    }

    pub fn new(stop: Option<Arc<dyn Stop>>, listener: Listener) -> Watch {
        Watch { stop, listener, ended: AtomicBool::new(false), preferred: AtomicU32::new(0) }
    }

    /// How long what is killed may take to end. A process that sleeps on a file system that does not answer never does, and
    /// a command that was asked to end leaves it, for `delete --force`.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(if self.ended.load(Relaxed) { 1 } else { 10 })
    }

    /// Until one of these can be read, which the process `pid` has to do something for.
    pub fn wait(&self, fds: &[BorrowedFd], pid: i32) -> Result<()> {
        self.wait_unless(fds, pid, || false).map(drop)
    }

    /// The same, but not any longer once `over` says so, which is asked now and then; `false` in that case.
    pub fn wait_unless(&self, fds: &[BorrowedFd], pid: i32, over: impl Fn() -> bool) -> Result<bool> {
        let mut told = None;
        let mut patience = PollTimeout::from(LOOK);
        while !self.wait_once(fds, patience)? {
            if over() {
                return Ok(false);
            }
            self.tell_hold(pid, &mut told);
            patience = PollTimeout::from(LOOK);
        }
        Ok(true)
    }

    /// Until `over`, which waits by itself as long as it is told to.
    pub fn wait_until(&self, pid: i32, mut over: impl FnMut(Duration) -> bool) -> Result<()> {
        let mut told = None;
        while !over(GLANCE) {
            self.check()?;
            self.tell_hold(pid, &mut told);
        }
        Ok(())
    }

    fn tell_hold(&self, pid: i32, told: &mut Option<Hold>) {
        match hold(pid) {
            Some(hold) if told.as_ref() != Some(&hold) => {
                (self.listener)(&Event::Held { pid, hold: hold.clone() });
                *told = Some(hold);
            }
            _ => {}
        }
    }

    /// Whether one of them could be read in time. What can be read counts first, for a signal may be meant for a program
    /// that runs already; but it may never end.
    fn wait_once(&self, fds: &[BorrowedFd], patience: PollTimeout) -> Result<bool> {
        let all = fds.iter().copied().chain(self.fd());
        let mut watched: Vec<PollFd> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut watched, patience) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(Errno::from(e).because("poll")),
        }
        let ready = |polled: &PollFd| polled.any().unwrap_or(false);
        let (watched, signals) = watched.split_at(fds.len());
        let readable = watched.iter().any(ready);
        let signalled = signals.iter().any(ready);
        let preferred = if signalled && readable { self.preferred.load(Relaxed) + 1 } else { 0 };
        self.preferred.store(preferred, Relaxed);
        if signalled && !(1..MOST_READ).contains(&preferred) {
            self.check()?;
        }
        Ok(readable)
    }

    /// What to poll beside what is waited for; [`Watch::check`] says what came.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.stop.as_ref().map(|stop| stop.fd())
    }

    /// An error if the caller has been asked to end.
    pub fn check(&self) -> Result<()> {
        let Some(reason) = self.stop.as_ref().and_then(|stop| stop.reason()) else { return Ok(()) };
        self.ended.store(true, Relaxed);
        Err(Error::new(format!("ended by {reason} while it waited for the container"))
            .kind(Kind::Interrupted))
    }
}
