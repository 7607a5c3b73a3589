//! What the kernel says to calls that change nothing. An argument of each is one that every kernel refuses, so a call
//! that is there fails before it does anything.

use super::process::pidfd_open;
use super::{Errno, SysResult, check, owned};
use std::ffi::c_long;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

/// Calls without which no container is made: (name, number, whether a caller who may not mount gets EPERM).
pub const NEEDED: [(&str, c_long, bool); 13] = [
    ("clone3", libc::SYS_clone3, false),
    ("close_range", libc::SYS_close_range, false),
    ("execveat", libc::SYS_execveat, false),
    ("fsconfig", libc::SYS_fsconfig, true),
    ("fsmount", libc::SYS_fsmount, true),
    ("fsopen", libc::SYS_fsopen, true),
    ("memfd_create", libc::SYS_memfd_create, false),
    ("mount_setattr", libc::SYS_mount_setattr, true),
    ("move_mount", libc::SYS_move_mount, true),
    ("open_tree", libc::SYS_open_tree, true),
    ("openat2", libc::SYS_openat2, false),
    ("pidfd_open", libc::SYS_pidfd_open, false),
    ("seccomp", libc::SYS_seccomp, false),
];

/// statmount(2), Linux 6.8: one number for all processors.
const SYS_STATMOUNT: c_long = 457;

/// What the kernel, or a filter, answers to the call `number` of `NEEDED` with -1 for each argument: no descriptor,
/// no flag and no address that could be meant. Of a call that is there it is EINVAL, EBADF, EFAULT, E2BIG or EPERM.
pub fn answer(number: c_long) -> Errno {
    // SAFETY: no memory is at address -1, so the kernel reads and writes none.
    let said = check(unsafe { libc::syscall(number, -1, -1, -1, -1, -1, -1) });
    said.err().unwrap_or(Errno(0))
}

pub fn has_statmount() -> bool {
    answer(SYS_STATMOUNT) != Errno(libc::ENOSYS)
}

/// Whether the kernel describes a process by its pidfd: PIDFD_GET_INFO, Linux 6.13.
pub fn has_pidfd_info() -> bool {
    /// struct pidfd_info in its first version.
    const SIZE: usize = 64;
    const PIDFD_GET_INFO: libc::Ioctl = (3 << 30 | SIZE << 16 | 0xff << 8 | 11) as libc::Ioctl;
    let Ok(own) = pidfd_open(std::process::id() as i32) else { return false };
    let mut info = [0u64; SIZE / 8];
    // SAFETY: the structure is ours for the call, and as long as the number of the call says.
    check(unsafe { libc::ioctl(own.as_raw_fd(), PIDFD_GET_INFO, info.as_mut_ptr()) }).is_ok()
}

/// Whether a proc can be made of another pid namespace, here the caller's own: fsconfig(FSCONFIG_SET_FD, "pidns").
/// `EPERM` for a caller who may not mount. The file system is not made.
pub fn proc_of(pid_namespace: BorrowedFd) -> SysResult<()> {
    // SAFETY: the name is NUL-terminated; the call returns a new descriptor.
    let context: OwnedFd =
        unsafe { owned(libc::syscall(libc::SYS_fsopen, c"proc".as_ptr(), libc::FSOPEN_CLOEXEC)) }?;
    let (key, nothing) = (c"pidns".as_ptr(), ptr::null::<u8>());
    let (context, namespace) = (context.as_raw_fd(), pid_namespace.as_raw_fd());
    // SAFETY: the key is NUL-terminated; this command takes a descriptor and no value.
    let set =
        unsafe { libc::syscall(libc::SYS_fsconfig, context, libc::FSCONFIG_SET_FD, key, nothing, namespace) };
    check(set).map(drop)
}

/// membarrier(MEMBARRIER_CMD_GLOBAL): returns after an RCU grace period, which is what the kernel waits for when a
/// process moves between cgroups. Reference: membarrier(2).
pub fn grace_period() -> SysResult<()> {
    const GLOBAL: i32 = 1;
    // SAFETY: the call takes numbers.
    check(unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL, 0, 0) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_there_refuses_what_nobody_can_mean_and_one_that_is_not_says_so() {
        for (name, number, _) in NEEDED {
            let said = answer(number).0;
            let refusals = [libc::EINVAL, libc::EBADF, libc::EFAULT, libc::E2BIG, libc::EPERM, libc::ENOSYS];
            assert!(refusals.contains(&said), "{name}: {said}");
        }
        assert_eq!(answer(9999), Errno(libc::ENOSYS));
    }
}
