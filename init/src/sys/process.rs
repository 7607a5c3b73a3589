//! The process itself: its namespaces, children, session and end.

use super::{Errno, Fd, Sys, call, call_memory, calls, path};
use core::ffi::CStr;

pub fn exit(code: i32) -> ! {
    // It comes back only where the container's filter refuses this call too, as it refused execve.
    let _ = call(libc::SYS_exit_group, [code as usize]);
    crate::arch::die()
}

/// As fork(2), without a signal at the child's end; with CLONE_PARENT our parent is the child's too. `None` in the child;
/// with CLONE_CHILD_SETTID `own` is there its number in its own pid namespace. The number that we get is the one in ours.
///
/// Processors differ in the order of the last two arguments: where the child's number goes, and that of a TLS block.
pub fn clone(flags: u32, own: Option<&mut i32>) -> Sys<Option<u32>> {
    if flags & libc::CLONE_VM as u32 != 0 {
        return Err(Errno(libc::EINVAL));
    }
    let number = own.map_or(0, |own| &raw mut *own as usize);
    let (fourth, fifth) = if cfg!(target_arch = "x86_64") { (number, 0) } else { (0, number) };
    // SAFETY: the child goes on in a copy of our memory and stack; there, its number is written to what was borrowed.
    match unsafe { call_memory(libc::SYS_clone, [flags as usize, 0, 0, fourth, fifth]) }? {
        0 => Ok(None),
        pid => Ok(Some(pid as u32)),
    }
}

/// wait4(-1, status, __WALL): the exit code of a child that has ended, or 128 and the signal.
pub fn wait() -> Sys<i32> {
    let mut status = 0i32;
    let args = [usize::MAX, &raw mut status as usize, libc::__WALL as usize, 0];
    loop {
        // SAFETY: it writes one number, to `status`.
        match unsafe { call_memory(libc::SYS_wait4, args) } {
            Err(Errno(libc::EINTR)) => {}
            Err(errno) => return Err(errno),
            Ok(_) if status & 0x7f == 0 => return Ok(status >> 8 & 0xff),
            Ok(_) => return Ok(128 + (status & 0x7f)),
        }
    }
}

calls! {
    /// In our own pid namespace.
    getpid() -> usize = SYS_getpid [];
    setns(namespace: Fd, flags: u64) = SYS_setns [namespace.raw(), flags as usize];
    unshare(flags: u64) = SYS_unshare [flags as usize];
    sethostname(name: &[u8]) = SYS_sethostname [name.as_ptr() as usize, name.len()];
    setdomainname(name: &[u8]) = SYS_setdomainname [name.as_ptr() as usize, name.len()];
    setsid() = SYS_setsid [];
    /// The name in ps(1), cut after 15 bytes.
    set_name(name: &CStr) = SYS_prctl [libc::PR_SET_NAME as usize, path(name)];
    set_dumpable(dumpable: bool) = SYS_prctl [libc::PR_SET_DUMPABLE as usize, usize::from(dumpable), 0, 0, 0];
    personality(value: u64) = SYS_personality [value as usize];
    ioprio_set(value: u32) = SYS_ioprio_set [1 /* IOPRIO_WHO_PROCESS */, 0, value as usize];
    sched_setaffinity(mask: &[u8]) = SYS_sched_setaffinity [0, mask.len(), mask.as_ptr() as usize];
}
