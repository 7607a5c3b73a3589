//! Advisory locks on open file descriptions.

use super::{SysResult, check};
use std::os::fd::{AsRawFd, BorrowedFd};

/// flock(fd, operation) with `LOCK_*`. The lock ends with the last copy of the descriptor.
/// Reference: flock(2).
pub fn flock(fd: BorrowedFd, operation: i32) -> SysResult<()> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::flock(fd.as_raw_fd(), operation) }).map(drop)
}
