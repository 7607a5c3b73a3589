//! A process that is born into namespaces and ends at once: whether the caller may make them, and what they cost.

use super::raw::{call, clone3_on_stack, end};
use super::wait;
use crate::sys::{Errno, SysResult};
use std::mem::zeroed;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

/// The child makes one system call.
const STACK: usize = 16 << 10;

/// clone3(CLONE_VM | CLONE_VFORK | CLONE_PIDFD | `namespaces`) with a child that calls unshare(`inside`), unless that
/// is 0, and ends; it is reaped. Errors: what clone3 says; what unshare says. Reference: clone(2).
pub fn brief(namespaces: u64, inside: u64) -> SysResult<()> {
    let mut stack: Vec<u128> = Vec::with_capacity(STACK / size_of::<u128>());
    let mut pidfd = -1;
    // SAFETY: all zeroes is a valid value of this plain struct.
    let nothing: libc::clone_args = unsafe { zeroed() };
    let args = libc::clone_args {
        flags: (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD) as u64 | namespaces,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.as_mut_ptr() as u64,
        stack_size: STACK as u64,
        ..nothing
    };
    let argument = inside as usize as *mut libc::c_void;
    // SAFETY: the stack is the child's until it has ended, which CLONE_VFORK waits for; `child` does not return, and
    // its argument is a number.
    let returned = unsafe { clone3_on_stack(&args, child, argument) };
    if returned < 0 {
        return Err(Errno(-returned as i32));
    }
    // SAFETY: the kernel has made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    match wait::reap(pidfd.as_fd())?.code() {
        0 => Ok(()),
        errno => Err(Errno(errno)),
    }
}

/// Of our memory it touches its own stack alone.
extern "C" fn child(inside: *mut libc::c_void) -> ! {
    let inside = inside as usize;
    // SAFETY: unshare takes a number.
    let errno = match unsafe { call(libc::SYS_unshare, [inside, 0, 0, 0, 0, 0]) } {
        Err(Errno(errno)) if inside != 0 => errno as usize,
        _ => 0,
    };
    end(libc::SYS_exit_group, errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_at_once_and_says_what_refused_it() {
        assert_eq!(brief(0, 0), Ok(()));
        assert_eq!(brief(0, 1), Err(Errno(libc::EINVAL)));
        assert_eq!(brief(1, 0), Err(Errno(libc::EINVAL)));
    }
}
