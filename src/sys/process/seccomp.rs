//! The listener of a seccomp filter: seccomp_unotify(2).

use crate::sys::{SysResult, check};
use std::os::fd::{AsRawFd, BorrowedFd};

/// A system call that waits for its answer: `struct seccomp_notif`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Notification {
    pub id: u64,
    pub pid: u32,
    flags: u32,
    pub number: u32,
    /// AUDIT_ARCH_*.
    pub arch: u32,
    instruction: u64,
    pub arguments: [u64; 6],
}

#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

const RECEIVE: libc::Ioctl = libc::_IOWR::<Notification>(b'!' as u32, 0);
const SEND: libc::Ioctl = libc::_IOWR::<Response>(b'!' as u32, 1);
const SET_FLAGS: libc::Ioctl = libc::_IOW::<u64>(b'!' as u32, 4);

/// ioctl(SECCOMP_IOCTL_NOTIF_RECV). Waits where poll(2) does not say that there is one; `ENOENT` where its thread was killed
/// meanwhile. Linux 5.0.
pub fn receive(listener: BorrowedFd) -> SysResult<Notification> {
    let mut found = Notification::default();
    // SAFETY: the kernel reads and writes `struct seccomp_notif`, which this is, and which has to be zero.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut found) })?;
    Ok(found)
}

/// ioctl(SECCOMP_IOCTL_NOTIF_SEND) with SECCOMP_USER_NOTIF_FLAG_CONTINUE: the call is carried out as it stands. `ENOENT`
/// where its thread has ended. Linux 5.5.
pub fn go_on(listener: BorrowedFd, id: u64) -> SysResult<()> {
    const CONTINUE: u32 = 1;
    let mut response = Response { id, value: 0, error: 0, flags: CONTINUE };
    // SAFETY: the kernel reads `struct seccomp_notif_resp`, which this is.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw mut response) }).map(drop)
}

/// ioctl(SECCOMP_IOCTL_NOTIF_SET_FLAGS) with SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP: who asks and who answers take turns on one
/// processor. Linux 6.6.
pub fn take_turns(listener: BorrowedFd) -> SysResult<()> {
    const SYNC_WAKE_UP: u64 = 1;
    // SAFETY: the third argument is a number.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), SET_FLAGS, SYNC_WAKE_UP) }).map(drop)
}
