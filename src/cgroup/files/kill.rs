//! Signals to every process of a cgroup.
//!
//! Races with fork: a list of processes is old when it is read, and a fork bomb outruns any loop. The kernel's own
//! `cgroup.kill` (v2, Linux 5.14) has no such race. Without it the cgroup is frozen first, so that no process forks
//! between the list and the signals, and thawed at the end.

use super::held::{Cgroup, on};
use crate::cgroup::location::Version;
use crate::error::Result;
use crate::sys::poll::Rest;
use crate::sys::{Errno, signal};
use std::time::Duration;

/// How long a signal waits for every process to stop first.
const BRIEFLY: Duration = Duration::from_millis(500);

impl Cgroup {
    /// Sends signal `number` to every process of this cgroup and of the ones below it. A process that is gone already,
    /// and a cgroup that is gone, are fine.
    pub fn kill(&self, number: i32, rest: Rest) -> Result<()> {
        if number == libc::SIGKILL
            && let Some(unified) = self.unified()
        {
            match unified.write("cgroup.kill", "1") {
                Ok(()) if self.held.len() == 1 => return Ok(()),
                Ok(()) | Err(Errno(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP)) => {}
                Err(errno) => return Err(on(&unified.leg, "kill the processes of", errno)),
            }
        }
        self.signal_each(number, rest)
    }

    /// Also the second half on hybrid hosts: a process may have been moved away only in the v2 hierarchy.
    fn signal_each(&self, number: i32, rest: Rest) -> Result<()> {
        let was_frozen = self.is_frozen()?;
        // Where freezing does not work (no freezer, a task in uninterruptible sleep), the signals still go out.
        let stopped = was_frozen || self.freeze_within(BRIEFLY, rest).is_ok();
        let sent = self.signal_listed(number);
        // A task that is frozen on v1 dies only when it is thawed.
        let v1_frozen = was_frozen && self.freezer().is_some_and(|h| h.leg.version == Version::V1);
        if stopped && (!was_frozen || (v1_frozen && number == libc::SIGKILL)) {
            self.thaw()?;
        }
        if number == libc::SIGKILL {
            self.thaw_below()?;
        }
        sent
    }

    fn signal_listed(&self, number: i32) -> Result<()> {
        for pid in self.pids()?.into_iter().filter(|pid| *pid > 0) {
            match signal::kill(pid, number) {
                Ok(()) | Err(Errno(libc::ESRCH)) => {}
                Err(errno) => return Err(errno.because(format!("send signal {number} to process {pid}"))),
            }
        }
        Ok(())
    }
}
