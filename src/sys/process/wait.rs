//! Waiting for children.

use crate::sys::{Errno, SysResult, check, uninterrupted};
use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// How long the parent of a process that has ended may take to reap it: before that, [`reap`] tells others nothing.
pub const REAPED: Duration = Duration::from_secs(2);
/// How often others than the parent ask for it.
pub const ASK: Duration = Duration::from_millis(10);

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Exited(i32),
    Signaled(i32),
}

impl Ended {
    /// Of a status as wait4(2) gives it.
    pub fn of_status(status: i32) -> Ended {
        match libc::WIFSIGNALED(status) {
            true => Ended::Signaled(libc::WTERMSIG(status)),
            false => Ended::Exited(libc::WEXITSTATUS(status)),
        }
    }

    /// As a shell reports it: the code, or 128 + the signal.
    pub fn code(self) -> i32 {
        match self {
            Ended::Exited(code) => code,
            Ended::Signaled(signal) => 128 + signal,
        }
    }
}

/// waitid(P_PIDFD, WEXITED): waits for a child that is about to end. By descriptor: a number that was reaped before
/// could belong to another child.
///
/// If another part of this program has reaped it, or it was never our child, the kernel may remember (Linux 6.15);
/// otherwise `ECHILD`.
pub fn reap(pidfd: BorrowedFd) -> SysResult<Ended> {
    match wait(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, 0) {
        Ok(Some(ended)) => Ok(ended),
        Ok(None) | Err(Errno(libc::ECHILD)) => remembered(pidfd).ok_or(Errno(libc::ECHILD)),
        Err(e) => Err(e),
    }
}

/// ioctl(pidfd, PIDFD_GET_INFO) of a process that was reaped. Reference: linux/pidfd.h.
fn remembered(pidfd: BorrowedFd) -> Option<Ended> {
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    /// struct pidfd_info in its first version: the mask at its beginning, the exit code at its end.
    const SIZE: usize = 64;
    const PIDFD_GET_INFO: libc::Ioctl = (3 << 30 | SIZE << 16 | 0xff << 8 | 11) as libc::Ioctl;
    let mut info = [0u64; SIZE / 8];
    info[0] = PIDFD_INFO_EXIT;
    // SAFETY: the structure is ours for the call, and as long as the number of the call says.
    check(unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO, info.as_mut_ptr()) }).ok()?;
    let ended = Ended::of_status((info[7] >> 32) as i32);
    (info[0] & PIDFD_INFO_EXIT != 0).then_some(ended)
}

/// How a child has ended that stays to be reaped; `None` while it runs.
pub fn peek(pidfd: BorrowedFd) -> Option<Ended> {
    wait(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, libc::WNOHANG | libc::WNOWAIT).ok().flatten()
}

/// waitid(P_PIDFD, WEXITED | WNOHANG): `None` while the child runs.
pub fn try_reap(pidfd: BorrowedFd) -> SysResult<Option<Ended>> {
    wait(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, libc::WNOHANG)
}

/// True if the process is a child of ours, running or ended.
pub fn is_child(pidfd: BorrowedFd) -> bool {
    wait(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, libc::WNOHANG | libc::WNOWAIT).is_ok()
}

/// Reaps a child other than `pid`, if one has ended.
pub fn reap_other_than(pid: i32) -> bool {
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut info: libc::siginfo_t = unsafe { zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: info is ours for the call.
    let found = check(unsafe { libc::waitid(libc::P_ALL, 0, &mut info, options) });
    // SAFETY: waitid has filled the fields of a child event, or left the pid zero.
    let ended = unsafe { info.si_pid() };
    let other = found.is_ok() && ended != 0 && ended != pid;
    other && wait(libc::P_PID, ended as libc::id_t, 0).is_ok()
}

fn wait(kind: libc::idtype_t, id: libc::id_t, options: i32) -> SysResult<Option<Ended>> {
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut info: libc::siginfo_t = unsafe { zeroed() };
    // SAFETY: info is ours for the call.
    uninterrupted(|| check(unsafe { libc::waitid(kind, id, &mut info, libc::WEXITED | options) }))?;
    // SAFETY: waitid has filled the fields of a child event, or left the pid zero.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    let ended =
        if info.si_code == libc::CLD_EXITED { Ended::Exited(status) } else { Ended::Signaled(status) };
    Ok((pid != 0).then_some(ended))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::process::Command;

    /// A caller may wait for all children at once, ours too.
    #[test]
    fn how_a_child_has_ended_is_known_although_another_has_reaped_it() {
        for (script, wanted) in [("exit 7", Ended::Exited(7)), ("kill -TERM $$", Ended::Signaled(15))] {
            let mut child = Command::new("sh").args(["-c", script]).spawn().unwrap();
            let pidfd = super::super::pidfd_open(child.id() as i32).unwrap();
            child.wait().unwrap();
            match reap(pidfd.as_fd()) {
                Err(Errno(libc::ECHILD)) => eprintln!("skipped: before Linux 6.15"),
                ended => assert_eq!(ended, Ok(wanted)),
            }
        }
    }
}
