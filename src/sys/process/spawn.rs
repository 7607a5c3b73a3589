//! Programs of the host that this one calls: hooks, newuidmap, ps.

use super::{launch::Child, pidfd_open};
use crate::sys::check;
use std::ffi::OsStr;
use std::io;
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
            closed.map(drop).map_err(|errno| io::Error::from_raw_os_error(errno.0))
        });
    }
    command
}

/// Starts it; it is waited for by its descriptor, not by std.
pub fn start(command: &mut Command) -> io::Result<Child> {
    let pid = command.spawn()?.id() as i32;
    let pidfd = pidfd_open(pid).map_err(|errno| io::Error::from_raw_os_error(errno.0))?;
    Ok(Child { pid, pidfd })
}
