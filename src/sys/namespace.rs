//! Namespaces by descriptor.

use super::{SysResult, check, owned};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// NS_GET_NSTYPE: the `CLONE_NEW…` flag of an open namespace; `ENOTTY` if it is none. Reference: ioctl_nsfs(2).
pub fn kind(namespace: BorrowedFd) -> SysResult<u64> {
    const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
    // SAFETY: this request takes no argument.
    check(unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_NSTYPE as _) }).map(|flag| flag as u64)
}

/// setns(pidfd, flags) for the calling thread alone: into the namespaces `flags` of a process. Reference: setns(2),
/// Linux 5.8 for a pidfd.
pub fn enter(process: BorrowedFd, flags: u64) -> SysResult<()> {
    // SAFETY: the call takes numbers.
    check(unsafe { libc::setns(process.as_raw_fd(), flags as libc::c_int) }).map(drop)
}

/// NS_GET_PARENT: the one above a user or pid namespace; `EPERM` if that is above the caller's. Reference: ioctl_nsfs(2).
pub fn parent(namespace: BorrowedFd) -> SysResult<OwnedFd> {
    const NS_GET_PARENT: libc::c_ulong = 0xb702;
    // SAFETY: this request takes no argument, and returns a new descriptor.
    unsafe { owned(libc::ioctl(namespace.as_raw_fd(), NS_GET_PARENT as _)) }
}

/// NS_GET_USERNS: the user namespace that owns an open namespace; `EPERM` if that is not the caller's or one below
/// it. Reference: ioctl_nsfs(2).
pub fn owner(namespace: BorrowedFd) -> SysResult<OwnedFd> {
    const NS_GET_USERNS: libc::c_ulong = 0xb701;
    // SAFETY: this request takes no argument, and returns a new descriptor.
    unsafe { owned(libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS as _)) }
}
