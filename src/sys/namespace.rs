//! Namespaces by descriptor.

use super::{SysResult, check};
use std::os::fd::{AsRawFd, BorrowedFd};

/// NS_GET_NSTYPE: the `CLONE_NEW…` flag of an open namespace; `ENOTTY` if it is none. Reference: ioctl_nsfs(2).
pub fn kind(namespace: BorrowedFd) -> SysResult<u64> {
    const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
    // SAFETY: this request takes no argument.
    check(unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_NSTYPE as _) }.into()).map(|flag| flag as u64)
}
