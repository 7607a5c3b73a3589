//! A counter that can be polled, for kernel interfaces that take a descriptor to signal.

use super::{SysResult, owned};
use std::os::fd::OwnedFd;

/// eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK). Reference: eventfd(2).
pub fn eventfd() -> SysResult<OwnedFd> {
    // SAFETY: no pointer is passed; the call returns a new descriptor.
    unsafe { owned(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }
}
