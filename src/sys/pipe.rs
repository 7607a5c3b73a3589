//! Pipes, and moving what is in them without reading it.

use super::{Errno, SysResult, check, file, uninterrupted};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

/// Its end to read and its end to write to.
pub fn pipe() -> SysResult<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}

/// The same; the end to read never waits.
pub fn to_read() -> SysResult<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe()?;
    file::set_nonblocking(ours.as_fd(), true)?;
    Ok((ours, theirs))
}

/// The same; the end to write to never waits, and comes first.
pub fn to_write() -> SysResult<(OwnedFd, OwnedFd)> {
    let (theirs, ours) = pipe()?;
    file::set_nonblocking(ours.as_fd(), true)?;
    Ok((ours, theirs))
}

/// fcntl(F_SETPIPE_SZ): how many bytes it takes. A user who has many large pipes is refused.
pub fn set_size(pipe: BorrowedFd, bytes: i32) -> SysResult<()> {
    // SAFETY: it takes numbers.
    check(unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, bytes) }).map(drop)
}

/// fcntl(F_GETPIPE_SZ): how many bytes it takes where each of its buffers is full.
pub fn size(pipe: BorrowedFd) -> SysResult<i32> {
    // SAFETY: it takes numbers.
    check(unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_GETPIPE_SZ) }).map(|size| size as i32)
}

/// splice(from, to): moves bytes, without waiting, of which one end is a pipe; 0 at the end of `from`. What has left `from`
/// is in `to`, also where the caller is killed meanwhile. `EAGAIN` where there are none, or is no room.
pub fn splice(from: BorrowedFd, to: BorrowedFd, most: usize) -> SysResult<usize> {
    let flags = libc::SPLICE_F_NONBLOCK | libc::SPLICE_F_MOVE;
    let (from, to, none) = (from.as_raw_fd(), to.as_raw_fd(), ptr::null_mut());
    // SAFETY: it takes numbers, and no offsets.
    uninterrupted(|| check(unsafe { libc::splice(from, none, to, none, most, flags) } as i64))
        .map(|moved| moved as usize)
}

/// ioctl(FIONREAD): how many bytes of a pipe, or of a terminal, can be read.
pub fn unread(fd: BorrowedFd) -> SysResult<usize> {
    number(fd, libc::FIONREAD)
}

/// ioctl(SIOCOUTQ): how much memory what was sent and is not read yet takes. Reference: unix(7).
pub fn unsent(socket: BorrowedFd) -> SysResult<usize> {
    number(socket, libc::TIOCOUTQ)
}

fn number(fd: BorrowedFd, request: libc::Ioctl) -> SysResult<usize> {
    let mut number: libc::c_int = 0;
    // SAFETY: it writes one number.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request, &raw mut number) })?;
    usize::try_from(number).map_err(|_| Errno(libc::EOVERFLOW))
}

/// tee(from, to): copies what is in one pipe to another, without waiting, and leaves it there.
pub fn tee(from: BorrowedFd, to: BorrowedFd, most: usize) -> SysResult<usize> {
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    // SAFETY: it takes numbers.
    uninterrupted(|| check(unsafe { libc::tee(from, to, most, libc::SPLICE_F_NONBLOCK) } as i64))
        .map(|copied| copied as usize)
}
