//! A counter that can be polled, for kernel interfaces that take a descriptor to signal.

use super::{SysResult, check};
use std::os::fd::{FromRawFd, OwnedFd};

/// eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK). Reference: eventfd(2).
pub fn eventfd() -> SysResult<OwnedFd> {
    // SAFETY: no pointer is passed.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }.into())?;
    // SAFETY: the kernel has just returned this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
