//! Waiting for a process that a container, or somebody on the host, can hold up: stop it, trace it, freeze its cgroup, let
//! it sleep on a file system that does not answer.
//!
//! There is no clock: copying, slow file systems and hooks may take long, and only their author knows how long. Instead
//! the wait says what holds it, and a signal that asks a command to end does end it, with what it has begun.

use crate::engine::Hear;
use crate::error::{Error, Kind, Result};
use crate::names::signal_name;
use crate::sys::Errno;
use crate::sys::signalfd::Signals;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::cell::Cell;
use std::fs;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// What a command's waits have in common.
pub struct Watch {
    /// Signals that end a wait; without them nothing does but what is waited for.
    pub signals: Option<Signals>,
    /// Where it is told who holds a process up.
    pub tell: Hear,
    /// A signal has asked the command to end.
    ended: Cell<bool>,
    /// How often something was read while signals were there.
    preferred: Cell<u32>,
}

/// What asks a command to end.
const ENDING: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];
/// What is read at most before a signal that is there counts.
const MOST_READ: u32 = 64;
/// Milliseconds between two looks at a process that is waited for.
const LOOK: u16 = 1000;
/// The same for what cannot be polled.
const GLANCE: Duration = Duration::from_millis(100);

impl Watch {
    /// Waits without a word, and to the end.
    pub fn none() -> Watch {
        Watch::new(None, Box::new(|_| ()))
    }

    pub fn new(signals: Option<Signals>, tell: Hear) -> Watch {
        Watch { signals, tell, ended: Cell::new(false), preferred: Cell::new(0) }
    }

    /// How long what is killed may take to end. A process that sleeps on a file system that does not answer never does, and
    /// a command that was asked to end leaves it, for `delete --force`.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(if self.ended.get() { 1 } else { 10 })
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
            Some(hold) if *told != Some(hold) => {
                (self.tell)(&format!("still waiting for process {pid}: it {}", hold.words(pid)));
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
        self.preferred.set(if signalled && readable { self.preferred.get() + 1 } else { 0 });
        if signalled && !(1..MOST_READ).contains(&self.preferred.get()) {
            self.check()?;
        }
        Ok(readable)
    }

    /// What to poll beside what is waited for; [`Watch::check`] says what came.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.signals.as_ref().map(Signals::fd)
    }

    /// An error if a signal asks the command to end. Others are kept for the program.
    pub fn check(&self) -> Result<()> {
        let Some(signals) = &self.signals else { return Ok(()) };
        while let Some(signal) = signals.take() {
            if ENDING.contains(&signal) {
                self.ended.set(true);
                let name = signal_name(signal).unwrap_or_else(|| "a signal".to_owned());
                return Err(Error::new(format!("ended by {name} while it waited for the container"))
                    .kind(Kind::Interrupted));
            }
            signals.keep(signal);
        }
        Ok(())
    }
}

/// What keeps a process from going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Stopped,
    Traced(i32),
    Frozen,
    /// A file system in user space.
    Fuse,
    /// Uninterruptible sleep.
    Asleep,
}

impl Hold {
    fn words(self, pid: i32) -> String {
        let end = "SIGTERM ends this command";
        match self {
            Hold::Stopped => format!("has been stopped by a signal (kill -CONT {pid} lets it go on; {end})"),
            Hold::Traced(tracer) => {
                let name = fs::read_to_string(format!("/proc/{tracer}/comm")).unwrap_or_default();
                format!("is held by its tracer, process {tracer} ({}) ({end})", name.trim())
            }
            Hold::Frozen => {
                format!("is in a frozen cgroup, of the container or above it (thaw that group; {end})")
            }
            Hold::Fuse => format!("waits for a file system in user space that does not answer ({end})"),
            Hold::Asleep => {
                format!("sleeps in the kernel, often for a file system that does not answer ({end})")
            }
        }
    }
}

/// Asked of the kernel; what cannot be read holds nobody.
fn hold(pid: i32) -> Option<Hold> {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let asleep_in = read("wchan");
    if ["do_freezer_trap", "__refrigerator"].contains(&&*asleep_in) {
        return Some(Hold::Frozen);
    }
    let stat = read("stat");
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    match state? {
        'T' => Some(Hold::Stopped),
        't' => {
            let tracer =
                crate::engine::child::confined::number(&read("status"), "TracerPid", 10).unwrap_or(0);
            Some(Hold::Traced(tracer as i32))
        }
        _ if asleep_in.contains("request_wait_answer") => Some(Hold::Fuse),
        'D' => Some(Hold::Asleep),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_that_is_stopped_is_held_and_one_that_sleeps_is_not() {
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        let pid = child.id() as i32;
        let signal = |name: &str| Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
        let state = |wanted: Option<Hold>| {
            for _ in 0..500 {
                if hold(pid) == wanted {
                    return true;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            false
        };
        assert!(state(None));
        signal("-STOP");
        assert!(state(Some(Hold::Stopped)));
        signal("-CONT");
        assert!(state(None));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(state(None));
    }
}
