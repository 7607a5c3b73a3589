//! Processes by descriptor: a pid may be reused between a look and a signal, a pidfd may not.

use super::{SysResult, check};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// pidfd_open(pid, 0). The descriptor is close-on-exec. Reference: pidfd_open(2), Linux 5.3.
pub fn pidfd_open(pid: i32) -> SysResult<OwnedFd> {
    // SAFETY: no pointer is passed.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel has just returned this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// pidfd_open(tid, PIDFD_THREAD): of one thread. `EINVAL` on a kernel that has no such descriptors. Reference:
/// pidfd_open(2), Linux 6.9.
pub fn pidfd_open_thread(tid: i32) -> SysResult<OwnedFd> {
    const PIDFD_THREAD: libc::c_int = libc::O_EXCL;
    // SAFETY: no pointer is passed.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, tid, PIDFD_THREAD) })?;
    // SAFETY: the kernel has just returned this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// pidfd_send_signal(pidfd, signal, NULL, 0); signal 0 only checks. Reference: pidfd_send_signal(2), Linux 5.1.
pub fn pidfd_send_signal(pidfd: BorrowedFd, signal: i32) -> SysResult<()> {
    // SAFETY: a null siginfo asks the kernel to fill it as kill(2) does; no other pointer is passed.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            ptr::null::<libc::siginfo_t>(),
            0,
        )
    })
    .map(drop)
}

/// kill(-leader, signal): every process of the group that `leader` leads. The caller has not reaped `leader`, so
/// no other process has the number. Reference: kill(2).
pub fn kill_group(leader: i32, signal: i32) -> SysResult<()> {
    // SAFETY: kill takes numbers.
    check(unsafe { libc::kill(-leader, signal) }.into()).map(drop)
}

/// pidfd_getfd(pidfd, number, 0): a copy of a descriptor of that process, which the caller must be allowed to trace.
/// Reference: pidfd_getfd(2), Linux 5.6.
pub fn pidfd_getfd(pidfd: BorrowedFd, number: i32) -> SysResult<OwnedFd> {
    // SAFETY: no pointer is passed.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0) })?;
    // SAFETY: the kernel has just returned this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// sched_setattr(pid, attributes, 0): `attributes` is a struct sched_attr, its own size first. Reference:
/// sched_setattr(2).
pub fn sched_setattr(pid: i32, attributes: &[u8]) -> SysResult<()> {
    // SAFETY: the structure says its own size in its first word, and the slice is that long.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, pid, attributes.as_ptr(), 0) }).map(drop)
}
