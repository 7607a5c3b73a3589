//! The process itself: its namespaces, children, session and end.

use super::{Errno, Fd, Sys, call, call_memory, path};
use core::ffi::CStr;

pub fn exit(code: i32) -> ! {
    // It comes back only where the container's filter refuses this call too, as it refused execve.
    let _ = call(libc::SYS_exit_group, [code as usize]);
    crate::arch::die()
}

/// getpid(2): in our own pid namespace.
pub fn getpid() -> Sys<i32> {
    call(libc::SYS_getpid, []).map(|pid| pid as i32)
}

pub fn setns(namespace: Fd, flags: u64) -> Sys<()> {
    call(libc::SYS_setns, [namespace.raw(), flags as usize]).map(drop)
}

pub fn unshare(flags: u64) -> Sys<()> {
    call(libc::SYS_unshare, [flags as usize]).map(drop)
}

/// clone(flags | CLONE_PARENT): a child that is a copy of us; our parent is its parent. `None` in the child, where `own`
/// is its number in its own pid namespace. The number that we get is the one in ours.
pub fn clone_sibling(flags: u32, own: &mut i32) -> Sys<Option<u32>> {
    let flags = flags as usize | (libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID) as usize;
    clone_with(flags, Some(own))
}

/// The same in the cgroup v2 directory `group` (CLONE_INTO_CGROUP of clone3(2)).
pub fn clone_sibling_into(group: Fd, flags: u32, own: &mut i32) -> Sys<Option<u32>> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut args: libc::clone_args = unsafe { core::mem::zeroed() };
    args.flags =
        u64::from(flags) | (libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID) as u64 | CLONE_INTO_CGROUP;
    if args.flags & libc::CLONE_VM as u64 != 0 {
        return Err(Errno(libc::EINVAL));
    }
    (args.child_tid, args.cgroup) = (&raw mut *own as u64, group.raw() as u64);
    // SAFETY: it reads the arguments, of which their size is given; the child goes on in a copy of our memory and stack,
    // where its number is written to what was borrowed.
    match unsafe { call_memory(libc::SYS_clone3, [&raw const args as usize, size_of::<libc::clone_args>()]) }?
    {
        0 => Ok(None),
        pid => Ok(Some(pid as u32)),
    }
}

/// As fork(2), without a signal at the child's end; with CLONE_PARENT our parent is the child's too. `None` in the child.
pub fn clone(flags: usize) -> Sys<Option<u32>> {
    clone_with(flags, None)
}

/// Processors differ in the order of the last two arguments: where the child's number goes, and that of a TLS block.
fn clone_with(flags: usize, own: Option<&mut i32>) -> Sys<Option<u32>> {
    if flags & libc::CLONE_VM as usize != 0 {
        return Err(Errno(libc::EINVAL));
    }
    let number = own.map_or(0, |own| &raw mut *own as usize);
    let (fourth, fifth) = if cfg!(target_arch = "x86_64") { (number, 0) } else { (0, number) };
    // SAFETY: the child goes on in a copy of our memory and stack; there, its number is written to what was borrowed.
    match unsafe { call_memory(libc::SYS_clone, [flags, 0, 0, fourth, fifth]) }? {
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

/// wait4(pid, status, WNOHANG | __WALL): that child, or with the largest number any, if it has ended, and its status.
pub fn reap(pid: u32) -> Sys<Option<(u32, u32)>> {
    let mut status = 0u32;
    let args = [pid as i32 as usize, &raw mut status as usize, (libc::WNOHANG | libc::__WALL) as usize, 0];
    // SAFETY: it writes one number, to `status`.
    let pid = unsafe { call_memory(libc::SYS_wait4, args) }?;
    Ok((pid != 0).then_some((pid as u32, status)))
}

/// What is orphaned below us becomes our child. Reference: PR_SET_CHILD_SUBREAPER(2const).
pub fn become_subreaper() -> Sys<()> {
    prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0)
}

/// execveat(program, "", argv, envp, AT_EMPTY_PATH), with the two lists that we were started with; returns only when it
/// fails.
pub fn execveat(program: Fd, arguments: crate::arch::Arguments) -> Errno {
    let (argv, environment) = arguments.addresses();
    let args = [program.raw(), path(super::EMPTY), argv, environment, libc::AT_EMPTY_PATH as usize];
    // SAFETY: the kernel has laid out both lists, whose strings end with a NUL, and they stay.
    match unsafe { call_memory(libc::SYS_execveat, args) } {
        Err(errno) => errno,
        Ok(_) => Errno(0),
    }
}

pub fn sethostname(name: &[u8]) -> Sys<()> {
    // SAFETY: it reads the bytes of this slice.
    unsafe { call_memory(libc::SYS_sethostname, [name.as_ptr() as usize, name.len()]) }.map(drop)
}

pub fn setdomainname(name: &[u8]) -> Sys<()> {
    // SAFETY: it reads the bytes of this slice.
    unsafe { call_memory(libc::SYS_setdomainname, [name.as_ptr() as usize, name.len()]) }.map(drop)
}

/// pidfd_send_signal(2), SIGKILL.
pub fn kill(process: Fd) -> Sys<()> {
    call(libc::SYS_pidfd_send_signal, [process.0 as usize, libc::SIGKILL as usize, 0, 0]).map(drop)
}

pub fn setsid() -> Sys<()> {
    call(libc::SYS_setsid, []).map(drop)
}

/// The name in ps(1), cut after 15 bytes.
pub fn set_name(name: &CStr) -> Sys<()> {
    // SAFETY: it reads 15 bytes, or as many as there are before the NUL.
    unsafe { call_memory(libc::SYS_prctl, [libc::PR_SET_NAME as usize, path(name)]) }.map(drop)
}

pub fn set_dumpable(dumpable: bool) -> Sys<()> {
    prctl(libc::PR_SET_DUMPABLE, usize::from(dumpable), 0)
}

/// For options that take numbers.
pub(super) fn prctl(option: i32, a: usize, b: usize) -> Sys<()> {
    call(libc::SYS_prctl, [option as usize, a, b, 0, 0]).map(drop)
}

/// A descriptor that can be read when a child has ended; its signal is blocked from now on. Reference: signalfd(2).
pub fn child_signals() -> Sys<Fd> {
    let mask = 1u64 << (libc::SIGCHLD - 1);
    let address = &raw const mask as usize;
    // SAFETY: it reads a mask of 8 bytes, and writes no old one.
    unsafe { call_memory(libc::SYS_rt_sigprocmask, [libc::SIG_BLOCK as usize, address, 0, 8]) }?;
    let flags = (libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) as usize;
    // SAFETY: as above.
    unsafe { call_memory(libc::SYS_signalfd4, [usize::MAX, address, 8, flags]) }.map(super::fd)
}
