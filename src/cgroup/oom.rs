//! OOM events: learning that the kernel killed a process of the cgroup because memory ran out.
//!
//! v2 counts kills in memory.events, which can be polled; v1 signals an eventfd that is named in cgroup.event_control.
//! Traps: a v2 file is polled against the time of its last read, so it is read again from its start after every
//! wake-up, and before the first; v1 signals the descriptor once more when the cgroup is removed, and as soon as memory has
//! run out: before a process is killed, and again if that was not enough, so that one kill may be reported twice there.

use super::files::held::{Cgroup, Held, on};
use super::files::walk::INSIDE;
use super::location::{Leg, Version};
use super::stats::{parse, source::again};
use crate::error::Result;
use crate::sys::epoll::Interest;
use crate::sys::{Errno, SysResult, file, poll, unless_gone};
use nix::poll::{PollFd, PollFlags};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Something to poll that reports kills.
pub struct OomKills {
    source: Source,
    leg: Leg,
}

enum Source {
    V1 {
        signal: OwnedFd,
        control: OwnedFd,
    },
    V2 {
        events: OwnedFd,
        /// How many were killed when it was read last.
        killed: u64,
    },
}

/// What happened since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Nothing,
    Killed,
    /// The cgroup was removed: there is nothing to watch any more.
    Gone,
}

impl Cgroup {
    /// Begins to watch. `None` where memory is not counted for this cgroup.
    pub fn watch_oom(&self) -> Result<Option<OomKills>> {
        let counts = |held: &&Held| held.leg.version == Version::V2 || held.leg.has("memory");
        for held in self.held.iter().filter(counts) {
            let source = match held.leg.version {
                Version::V1 => v1(held),
                Version::V2 => v2(held),
            };
            let source = unless_gone(source).map_err(|errno| on(&held.leg, "watch the memory of", errno))?;
            if let Some(source) = source {
                return Ok(Some(OomKills { source, leg: held.leg.clone() }));
            }
        }
        Ok(None)
    }
}

fn v1(held: &Held) -> SysResult<Source> {
    let control = file::openat2(held.dir.as_fd(), c"memory.oom_control", libc::O_RDONLY, 0, INSIDE)?;
    let signal = poll::eventfd()?;
    let request = format!("{} {}", signal.as_raw_fd(), control.as_raw_fd());
    file::write_at(held.dir.as_fd(), c"cgroup.event_control", request.as_bytes(), INSIDE)?;
    Ok(Source::V1 { signal, control })
}

fn v2(held: &Held) -> SysResult<Source> {
    let events = file::openat2(held.dir.as_fd(), c"memory.events", libc::O_RDONLY, 0, INSIDE)?;
    let killed = kills(&events)?;
    Ok(Source::V2 { events, killed })
}

impl OomKills {
    /// What to poll for; it becomes ready when [`OomKills::look`] has something to see.
    pub fn poll(&self) -> PollFd<'_> {
        match &self.source {
            Source::V1 { signal, .. } => PollFd::new(signal.as_fd(), PollFlags::POLLIN),
            Source::V2 { events, .. } => PollFd::new(events.as_fd(), PollFlags::POLLPRI),
        }
    }

    /// The same for epoll(7).
    pub fn watched(&self) -> (BorrowedFd<'_>, Interest) {
        match &self.source {
            Source::V1 { signal, .. } => (signal.as_fd(), Interest::READ),
            Source::V2 { events, .. } => (events.as_fd(), Interest::PRIORITY),
        }
    }

    /// Does not wait. Several kills since the last look count as one.
    pub fn look(&mut self) -> Result<Seen> {
        let seen = match &mut self.source {
            Source::V1 { signal, control } => look_v1(signal, control),
            Source::V2 { events, killed } => kills(events).map(|count| {
                let more = count > *killed;
                *killed = count;
                if more { Seen::Killed } else { Seen::Nothing }
            }),
        };
        let seen = unless_gone(seen).map_err(|errno| on(&self.leg, "watch the memory of", errno))?;
        Ok(seen.unwrap_or(Seen::Gone))
    }
}

fn look_v1(signal: &OwnedFd, control: &OwnedFd) -> SysResult<Seen> {
    let mut count = [0; 8];
    match file::read(signal.as_fd(), &mut count) {
        Ok(_) => {}
        Err(Errno(libc::EAGAIN)) => return Ok(Seen::Nothing),
        Err(errno) => return Err(errno),
    }
    match again(control) {
        Ok(_) => Ok(Seen::Killed),
        // One of the signals is the removal's.
        Err(Errno(libc::ENODEV)) if u64::from_ne_bytes(count) > 1 => Ok(Seen::Killed),
        Err(errno) => Err(errno),
    }
}

/// The count of memory.events, whose other lines count limits that were only touched.
fn kills(events: &OwnedFd) -> SysResult<u64> {
    Ok(parse::value(&again(events)?, "oom_kill").unwrap_or(0))
}
