//! Processes by descriptor: a pid may be reused between a look and a signal, a pidfd may not.

use crate::sys::{SysResult, check, owned};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

/// pidfd_open(pid, 0). The descriptor is close-on-exec. Reference: pidfd_open(2), Linux 5.3.
pub fn pidfd_open(pid: i32) -> SysResult<OwnedFd> {
    // SAFETY: no pointer is passed; the call returns a new descriptor.
    unsafe { owned(libc::syscall(libc::SYS_pidfd_open, pid, 0)) }
}

/// pidfd_open(tid, PIDFD_THREAD): of one thread. `EINVAL` on a kernel that has no such descriptors. Reference:
/// pidfd_open(2), Linux 6.9.
pub fn pidfd_open_thread(tid: i32) -> SysResult<OwnedFd> {
    const PIDFD_THREAD: libc::c_int = libc::O_EXCL;
    // SAFETY: no pointer is passed; the call returns a new descriptor.
    unsafe { owned(libc::syscall(libc::SYS_pidfd_open, tid, PIDFD_THREAD)) }
}

/// pidfd_send_signal(pidfd, signal, NULL, 0); signal 0 only checks. Reference: pidfd_send_signal(2), Linux 5.1.
pub fn pidfd_send_signal(pidfd: BorrowedFd, signal: i32) -> SysResult<()> {
    let (pidfd, info) = (pidfd.as_raw_fd(), ptr::null::<libc::siginfo_t>());
    // SAFETY: a null siginfo asks the kernel to fill it as kill(2) does; no other pointer is passed.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, info, 0) }).map(drop)
}

/// pidfd_getfd(pidfd, number, 0): a copy of a descriptor of that process, which the caller must be allowed to trace.
/// Reference: pidfd_getfd(2), Linux 5.6.
pub fn pidfd_getfd(pidfd: BorrowedFd, number: i32) -> SysResult<OwnedFd> {
    // SAFETY: no pointer is passed; the call returns a new descriptor.
    unsafe { owned(libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0)) }
}
