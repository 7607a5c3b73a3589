//! epoll(7): many descriptors, each with a name that its owner gives.

use super::{Errno, SysResult, check, owned};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// What is waited for; the other end's going is always told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    pub read: bool,
    pub write: bool,
    /// As cgroup v2's control files tell that they have changed.
    pub priority: bool,
}

impl Interest {
    pub const READ: Interest = Interest { read: true, ..Interest::NOTHING };
    pub const WRITE: Interest = Interest { write: true, ..Interest::NOTHING };
    pub const PRIORITY: Interest = Interest { priority: true, ..Interest::NOTHING };
    const NOTHING: Interest = Interest { read: false, write: false, priority: false };
}

pub struct Epoll(OwnedFd);

/// The most that one wait tells.
const MOST: usize = 64;

impl Epoll {
    pub fn new() -> SysResult<Epoll> {
        // SAFETY: no pointer is passed; the call returns a new descriptor.
        unsafe { owned(libc::epoll_create1(libc::EPOLL_CLOEXEC)) }.map(Epoll)
    }

    /// For another poll: it can be read when there is something to say of one.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Watches it from now on, or for something else than before.
    pub fn watch(&self, fd: BorrowedFd, name: u64, interest: Interest) -> SysResult<()> {
        let flag = |wanted: bool, flag: i32| if wanted { flag } else { 0 };
        let events = flag(interest.read, libc::EPOLLIN)
            | flag(interest.write, libc::EPOLLOUT)
            | flag(interest.priority, libc::EPOLLPRI);
        match self.control(libc::EPOLL_CTL_MOD, fd, name, events) {
            Err(Errno(libc::ENOENT)) => self.control(libc::EPOLL_CTL_ADD, fd, name, events),
            other => other,
        }
    }

    /// Watches a process by its descriptor. Its end is told once, and once more when a tracer lets go of a process that has
    /// ended: until then its parent does not hear how.
    pub fn watch_end(&self, pidfd: BorrowedFd, name: u64) -> SysResult<()> {
        self.control(libc::EPOLL_CTL_ADD, pidfd, name, libc::EPOLLIN | libc::EPOLLET)
    }

    /// Tells once that the other end has gone, whatever else comes.
    pub fn watch_other_end(&self, fd: BorrowedFd, name: u64) -> SysResult<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, name, libc::EPOLLET)
    }

    /// One that is not watched is no error.
    pub fn forget(&self, fd: BorrowedFd) {
        // There is nothing else that it can fail with.
        let _ = self.control(libc::EPOLL_CTL_DEL, fd, 0, 0);
    }

    fn control(&self, operation: i32, fd: BorrowedFd, name: u64, events: i32) -> SysResult<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: name };
        // SAFETY: the event is there for the call, which reads it.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, fd.as_raw_fd(), &raw mut event) })
            .map(drop)
    }

    /// The names of those of which there is something to say; none at the deadline, or after a signal.
    pub fn wait(&self, deadline: Option<Instant>) -> SysResult<Vec<u64>> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; MOST];
        // Rounded up: a wait never ends a moment before its deadline.
        let left = |deadline: Instant| {
            let left = deadline.saturating_duration_since(Instant::now()).min(Duration::from_secs(3600));
            left.as_micros().div_ceil(1000) as i32
        };
        let (room, time) = (MOST as i32, deadline.map_or(-1, left));
        // SAFETY: it writes as many events as there is room for.
        let found = check(unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), room, time) });
        match found {
            Err(Errno(libc::EINTR)) => Ok(Vec::new()),
            found => Ok(events[..found? as usize].iter().map(|event| event.u64).collect()),
        }
    }
}
