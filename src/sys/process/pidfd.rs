//! Processes by descriptor: a pid may be reused between a look and a signal, a pidfd may not.

use super::wait;
use crate::sys::{Errno, SysResult, check, owned};
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
    send_signal(pidfd, signal, 0)
}

/// SIGKILL. A process that has ended by itself needs none, which is no error.
pub fn pidfd_kill(pidfd: BorrowedFd) {
    let _ = pidfd_send_signal(pidfd, libc::SIGKILL);
}

fn send_signal(pidfd: BorrowedFd, signal: i32, flags: u32) -> SysResult<()> {
    let (pidfd, info) = (pidfd.as_raw_fd(), ptr::null::<libc::siginfo_t>());
    // SAFETY: a null siginfo asks the kernel to fill it as kill(2) does; no other pointer is passed.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, info, flags) }).map(drop)
}

/// Every process of the group that `leader` leads, or led: pidfd_send_signal with PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9.
/// Before, kill(-number, signal), and only while the leader is a child of ours that is not reaped: after that another group
/// may have its number.
pub fn kill_group(leader: BorrowedFd, number: i32, signal: i32) -> SysResult<()> {
    const PROCESS_GROUP: u32 = 1 << 2;
    match send_signal(leader, signal, PROCESS_GROUP) {
        Err(Errno(libc::EINVAL)) if wait::is_child(leader) => super::signal::kill(-number, signal),
        other => other,
    }
}

/// pidfd_getfd(pidfd, number, 0): a copy of a descriptor of that process, which the caller must be allowed to trace.
/// Reference: pidfd_getfd(2), Linux 5.6.
pub fn pidfd_getfd(pidfd: BorrowedFd, number: i32) -> SysResult<OwnedFd> {
    // SAFETY: no pointer is passed; the call returns a new descriptor.
    unsafe { owned(libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::os::fd::AsFd;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    /// A caller may wait for all children at once, the leader of a group too.
    #[test]
    fn a_group_ends_by_its_leaders_descriptor_although_the_leader_is_reaped() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & echo $!"]).stdout(Stdio::piped()).process_group(0);
        let mut leader = command.spawn().unwrap();
        let number = leader.id() as i32;
        let held = pidfd_open(number).unwrap();
        let mut member = String::new();
        BufReader::new(leader.stdout.take().unwrap()).read_line(&mut member).unwrap();
        let member = pidfd_open(member.trim().parse().unwrap()).unwrap();
        leader.wait().unwrap();
        match kill_group(held.as_fd(), number, libc::SIGKILL) {
            Err(Errno(libc::EINVAL)) => {
                eprintln!("skipped: before Linux 6.9");
                pidfd_send_signal(member.as_fd(), libc::SIGKILL).unwrap();
            }
            killed => assert_eq!(killed, Ok(())),
        }
        let soon = std::time::Instant::now() + std::time::Duration::from_secs(10);
        assert_eq!(crate::sys::poll::readable(member.as_fd(), Some(soon)), Ok(true));
    }
}
