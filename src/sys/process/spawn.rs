//! Programs of the host that this one calls: hooks, newuidmap, ps.

use super::{launch::Child, pidfd_open};
use crate::sys::{Errno, check, socket};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A program that gets no descriptor but its standard streams: one that our caller has left open over exec, or has given
/// for the container (`--preserve-fds`, LISTEN_FDS), is not the program's. Reference: close_range(2).
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    // SAFETY: between fork and exec the closure makes one system call, which takes numbers and sets a flag in the
    // child's own table of descriptors; it takes no memory and no lock. std's own descriptors have the flag already.
    unsafe {
        command.pre_exec(|| {
            let closed = check(libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC));
            closed.map(drop).map_err(failed)
        });
    }
    command
}

fn failed(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.0)
}

/// Starts it; it is waited for by its descriptor, not by std. The child opens that descriptor itself: a caller that reaps
/// every child would have taken one that ends at once before its parent could open it.
pub fn start(command: &mut Command) -> io::Result<Child> {
    let (ours, theirs) = socket::pair().map_err(failed)?;
    let number = theirs.as_raw_fd();
    // SAFETY: between fork and exec the closure makes two system calls on descriptors that are open there, `theirs` until
    // the exec. It asks for a few bytes of memory, which glibc keeps usable over fork.
    unsafe {
        command.pre_exec(move || {
            let itself = pidfd_open(std::process::id() as i32).map_err(failed)?;
            socket::send(BorrowedFd::borrow_raw(number), b"p", &[itself.as_raw_fd()]).map_err(failed)
        });
    }
    let pid = command.spawn()?.id() as i32;
    let (_, pidfd) = socket::receive(ours.as_fd(), &mut [0]).map_err(failed)?;
    Ok(Child { pid, pidfd: pidfd.ok_or_else(|| failed(Errno(libc::ESRCH)))? })
}
