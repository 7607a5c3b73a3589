//! Taking a cgroup away.
//!
//! A directory can be removed only when it has no directories below it and no process, and a process that was just killed
//! may take its time. The first try costs one call and usually works. Otherwise the directories below are removed, deepest
//! first, and then the kernel must report that the cgroup is empty: v2 does so by an event, so a hybrid host's v2 leg
//! comes first; v1 alone has to be asked again, with growing pauses. Processes are never moved elsewhere to make room:
//! they would escape their limits.

use super::held::{Cgroup, Held, on};
use super::walk::{below, c};
use crate::cgroup::location::Version;
use crate::error::{Error, Result};
use crate::sys::poll::Rest;
use crate::sys::{Errno, SysResult, file, unless_gone};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

impl Cgroup {
    /// Removes the cgroup in every hierarchy, with the ones below it. One that is gone already is fine.
    /// Error: it still has processes at the deadline; the error has their number.
    pub fn remove(self, deadline: Instant, rest: Rest) -> Result<()> {
        let (v2, v1): (Vec<&Held>, Vec<&Held>) = self.held.iter().partition(|h| h.leg.version == Version::V2);
        for held in v2.into_iter().chain(v1) {
            held.remove(deadline, rest).map_err(|errno| self.occupied(held, errno))?;
        }
        Ok(())
    }
}

impl Cgroup {
    /// Waits until no process is in it.
    pub(in crate::cgroup) fn await_empty(&self, deadline: Instant, rest: Rest) -> Result<()> {
        let Some(held) = self.unified() else {
            let mut time = Duration::from_micros(200);
            while !self.pids()?.is_empty() {
                let left = deadline.saturating_duration_since(Instant::now());
                let Some(held) = self.held.first().filter(|_| left.is_zero()) else {
                    rest(None, time.min(left)).map_err(|errno| errno.because("wait for the cgroup"))?;
                    time = (time * 2).min(Duration::from_millis(20));
                    continue;
                };
                return Err(self.occupied(held, Errno(libc::EBUSY)));
            }
            return Ok(());
        };
        match unless_gone(held.await_event("populated 0", deadline, rest)) {
            Ok(None | Some(true)) => Ok(()),
            Ok(Some(false)) => Err(self.occupied(held, Errno(libc::EBUSY))),
            Err(errno) => Err(self.occupied(held, errno)),
        }
    }

    fn occupied(&self, held: &Held, errno: Errno) -> Error {
        match (errno.0, self.pids()) {
            (libc::EBUSY, Ok(pids)) if !pids.is_empty() => {
                Error::new(format!("the cgroup still has {} process(es)", pids.len()))
                    .value(held.leg.directory())
                    .remedy("kill the processes first (kill --all, delete --force)")
            }
            _ => on(&held.leg, "remove the cgroup", errno),
        }
    }
}

impl Held {
    fn remove(&self, deadline: Instant, rest: Rest) -> SysResult<()> {
        let Some(parent) = unless_gone(self.parent())? else { return Ok(()) };
        let mut time = Duration::from_micros(200);
        loop {
            if rmdir(parent, &self.name)? {
                return Ok(());
            }
            // Deepest first; what is in use stays for the next round.
            below(self.dir.as_fd(), &mut |anchor, path| rmdir(anchor, &c(path)?).map(drop))?;
            if rmdir(parent, &self.name)? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Errno(libc::EBUSY));
            }
            let empty = match self.leg.version {
                Version::V1 => false,
                Version::V2 => unless_gone(self.await_event("populated 0", deadline, rest))?.unwrap_or(true),
            };
            if !empty || time > Duration::from_micros(200) {
                // v1 has no event; on v2 an empty cgroup may still be held for a moment by a child that goes.
                rest(None, time.min(deadline.saturating_duration_since(Instant::now())))?;
            }
            time = (time * 2).min(Duration::from_millis(20));
        }
    }
}

/// Whether the directory is away; false while it is in use.
fn rmdir(parent: BorrowedFd, name: &std::ffi::CStr) -> SysResult<bool> {
    match unless_gone(file::unlinkat(parent, name, libc::AT_REMOVEDIR)) {
        Err(Errno(libc::EBUSY | libc::ENOTEMPTY)) => Ok(false),
        other => other.map(|_| true),
    }
}
