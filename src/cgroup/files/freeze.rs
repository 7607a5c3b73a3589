//! Stopping every process of a cgroup at once, and letting them go on.
//!
//! v2 reports by an event that all have stopped. v1 must be polled, and may need the order again: a task that
//! forks while others freeze keeps the state at FREEZING. A freeze that fails thaws the group before it reports the error,
//! so that nothing stays stopped by accident.

use super::held::{Cgroup, Held, enter, is_the_same, on};
use super::walk::{DIRECTORY, INSIDE, below, c};
use crate::cgroup::location::{Leg, Location, Version};
use crate::error::{Error, Result};
use crate::sys::poll::Rest;
use crate::sys::{SysResult, file, unless_gone};
use nix::poll::{PollFd, PollFlags};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long freezing may take: tasks in uninterruptible sleep hold it up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether this v2 group is frozen, by itself or by one above it: what is born there does not get as far as its exec, and
/// the caller, which waits for that, hears no signal.
pub fn is_frozen_group(group: BorrowedFd) -> bool {
    has_line(group, c"cgroup.events", b"frozen 1")
}

/// Whether it is to freeze, even if not everything in it has stopped yet.
pub fn is_freezing_group(group: BorrowedFd) -> bool {
    has_line(group, c"cgroup.freeze", b"1")
}

/// What cannot be read is found out by the birth.
fn has_line(group: BorrowedFd, file: &CStr, wanted: &[u8]) -> bool {
    file::read_at(group, file, 4096, INSIDE)
        .is_ok_and(|text| text.split(|&byte| byte == b'\n').any(|line| line == wanted))
}

/// Below a threaded group, or one whose children are, a group takes a process when it is threaded itself. Whether that has
/// helped says the next birth.
pub fn join_threads(group: BorrowedFd) -> bool {
    has_line(group, c"cgroup.type", b"domain invalid")
        && file::write_at(group, c"cgroup.type", b"threaded", INSIDE).is_ok()
}

/// What kind of group it is, for an error.
pub fn kind_of(group: BorrowedFd) -> String {
    let kind = file::read_at(group, c"cgroup.type", 4096, INSIDE).unwrap_or_default();
    String::from_utf8_lossy(kind.trim_ascii()).into_owned()
}

/// The file that says whether a group is to be frozen, and its word for one that is not.
fn state_file(leg: &Leg) -> (&'static str, &'static str) {
    match leg.version {
        Version::V1 => ("freezer.state", "THAWED"),
        Version::V2 => ("cgroup.freeze", "0"),
    }
}

/// True if a container's cgroup is frozen or is being frozen, asked cheaply: the mount, the group and the one file that
/// shows, where opening all of the cgroup takes more calls. One that cannot be read has no say.
pub fn is_frozen(location: &Location) -> bool {
    location.freezing_leg().is_some_and(|leg| ask(leg).unwrap_or(false))
}

fn ask(leg: &Leg) -> SysResult<bool> {
    let (name, thawed) = state_file(leg);
    let mut word = [0; 16];
    // A record of another user may lead to a pipe.
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    let group = file::openat2(enter(leg)?.as_fd(), &c(&leg.path)?, DIRECTORY, 0, INSIDE)?;
    is_the_same(leg, group.as_fd())?;
    let opened = file::openat2(group.as_fd(), &c(name)?, flags, 0, INSIDE)?;
    let length = file::read(opened.as_fd(), &mut word)?;
    Ok(word[..length].trim_ascii() != thawed.as_bytes())
}

impl Cgroup {
    /// Stops every process of the cgroup and returns when all have stopped.
    /// Errors: no freezer; not stopped within ten seconds, or the rest has ended the wait (then all run again).
    pub fn freeze(&self, rest: Rest) -> Result<()> {
        self.freeze_within(PATIENCE, rest)
    }

    pub(super) fn freeze_within(&self, patience: Duration, rest: Rest) -> Result<()> {
        let held = self.need_freezer()?;
        let deadline = Instant::now() + patience;
        let frozen = match held.leg.version {
            Version::V1 => held.freeze_v1(deadline, rest),
            Version::V2 => {
                let asked = held.write("cgroup.freeze", "1");
                asked.and_then(|()| held.await_event("frozen 1", deadline, rest))
            }
        };
        match frozen {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.thaw()?;
                Err(Error::new("the processes did not stop in time").value(held.leg.directory()))
            }
            Err(errno) => {
                // The first error is the one to report; a cgroup that cannot be written to is not frozen.
                let _ = self.thaw();
                Err(on(&held.leg, "freeze", errno))
            }
        }
    }

    /// Lets every process of the cgroup go on.
    pub fn thaw(&self) -> Result<()> {
        let held = self.need_freezer()?;
        let (file, thawed) = state_file(&held.leg);
        unless_gone(held.write(file, thawed)).map(drop).map_err(|errno| on(&held.leg, "thaw", errno))
    }

    /// Lets every process go on, those of the groups below too.
    pub fn thaw_all(&self) -> Result<()> {
        if self.is_frozen()? {
            self.thaw()?;
        }
        self.thaw_below()
    }

    /// Thaws the groups below. A container with v1 groups of its own may have frozen itself in one, and what is frozen
    /// there does not die.
    pub fn thaw_below(&self) -> Result<()> {
        let Some(held) = self.freezer().filter(|held| held.leg.version == Version::V1) else { return Ok(()) };
        let thawed = below(held.dir.as_fd(), &mut |anchor, path| {
            let file = c([path, b"/freezer.state"].concat())?;
            unless_gone(file::write_at(anchor, &file, b"THAWED", INSIDE)).map(drop)
        });
        thawed.map_err(|errno| on(&held.leg, "thaw below", errno))
    }

    /// True if the cgroup is frozen or is being frozen. False without a freezer.
    pub fn is_frozen(&self) -> Result<bool> {
        let Some(held) = self.freezer() else { return Ok(false) };
        let (file, thawed) = state_file(&held.leg);
        let state = unless_gone(held.read(file));
        let state = state.map_err(|errno| on(&held.leg, "read the freezer state of", errno))?;
        Ok(state.is_some_and(|state| state.trim() != thawed))
    }

    fn need_freezer(&self) -> Result<&Held> {
        self.freezer().ok_or_else(|| {
            Error::new("this host cannot freeze processes: the v1 freezer controller is not mounted")
                .kind(crate::error::Kind::Unsupported)
                .remedy("mount -t cgroup -o freezer none /sys/fs/cgroup/freezer")
        })
    }
}

impl Held {
    fn freeze_v1(&self, deadline: Instant, rest: Rest) -> SysResult<bool> {
        let mut time = Duration::from_micros(50);
        loop {
            self.write("freezer.state", "FROZEN")?;
            if self.read("freezer.state")?.trim() == "FROZEN" {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            // v1 has no event for this.
            rest(None, time)?;
            time = (time * 2).min(Duration::from_millis(10));
        }
    }

    /// Waits until `cgroup.events` has this line. False at the deadline. v2 only.
    pub(super) fn await_event(&self, line: &str, deadline: Instant, rest: Rest) -> SysResult<bool> {
        loop {
            // Opening makes the present state known; a change after it wakes the poll. Reading the same
            // descriptor again would need a seek.
            let events: OwnedFd =
                file::openat2(self.dir.as_fd(), c"cgroup.events", libc::O_RDONLY, 0, INSIDE)?;
            let text = file::read_all(events.as_fd(), 4096)?;
            if String::from_utf8_lossy(&text).lines().any(|l| l == line) {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            rest(Some(PollFd::new(events.as_fd(), PollFlags::POLLPRI)), left)?;
        }
    }
}
