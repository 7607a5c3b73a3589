//! poll(2), to its deadline whatever signals come between.

use super::{SysResult, owned};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Waits until there is something to say of one of these; `false` at the deadline. Without a deadline it waits for ever. A
/// time beyond what poll takes ends early, after 24 days, and begins again.
pub fn wait(watched: &mut [PollFd], deadline: Option<Instant>) -> SysResult<bool> {
    loop {
        let patience = deadline.map_or(PollTimeout::NONE, |deadline| {
            // Rounded up: a wait never ends a moment before it.
            let left = deadline.saturating_duration_since(Instant::now());
            PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
        });
        match poll(watched, patience) {
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
            Ok(0) if deadline.is_some_and(|deadline| Instant::now() < deadline) => {}
            Ok(count) => return Ok(count > 0),
        }
    }
}

/// The same for one that is to be read.
pub fn readable(fd: BorrowedFd, deadline: Option<Instant>) -> SysResult<bool> {
    wait(&mut [PollFd::new(fd, PollFlags::POLLIN)], deadline)
}

/// Nothing at the other end would read what is written.
pub fn is_unread(fd: BorrowedFd) -> bool {
    let mut watched = [PollFd::new(fd, PollFlags::empty())];
    wait(&mut watched, Some(Instant::now())) == Ok(true)
        && watched[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR))
}

/// How a wait passes the time between two looks, which its caller owns: for that long, or until there is something to say
/// of the descriptor. An error ends the wait.
pub type Rest<'a> = &'a dyn Fn(Option<PollFd>, Duration) -> SysResult<()>;

/// A rest that nothing ends.
pub fn rest(fd: Option<PollFd>, time: Duration) -> SysResult<()> {
    wait(fd.into_iter().collect::<Vec<_>>().as_mut_slice(), Some(Instant::now() + time)).map(drop)
}

/// eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK): a counter to poll, for what takes a descriptor to signal. Reference: eventfd(2).
pub fn eventfd() -> SysResult<OwnedFd> {
    // SAFETY: no pointer is passed; the call returns a new descriptor.
    unsafe { owned(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }
}
