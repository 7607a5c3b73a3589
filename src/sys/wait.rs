//! Waiting for children.

use super::{Errno, SysResult, check};
use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd};

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Exited(i32),
    Signaled(i32),
}

impl Ended {
    /// As a shell reports it: the code, or 128 + the signal.
    pub fn code(self) -> i32 {
        match self {
            Ended::Exited(code) => code,
            Ended::Signaled(signal) => 128 + signal,
        }
    }
}

/// waitid(P_PIDFD, WEXITED): waits for a child that is about to end. By descriptor: a number that was reaped before
/// could be another child's by now.
pub fn reap(pidfd: BorrowedFd) -> SysResult<Ended> {
    let ended = wait(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, 0)?;
    Ok(ended.expect("a blocking wait has a result"))
}

/// waitid(P_PID, WEXITED) for an orphan that `ended_other_than` has found.
pub fn reap_orphan(pid: i32) -> SysResult<()> {
    wait(libc::P_PID, pid as libc::id_t, 0).map(drop)
}

/// waitid(P_PIDFD, WEXITED | WNOHANG): `None` while the child runs.
pub fn try_reap(pidfd: BorrowedFd) -> SysResult<Option<Ended>> {
    wait(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, libc::WNOHANG)
}

/// True if the process is a child of ours, running or ended.
pub fn is_child(pidfd: BorrowedFd) -> bool {
    wait(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, libc::WNOHANG | libc::WNOWAIT).is_ok()
}

/// A child other than `pid` that has ended and waits to be reaped.
pub fn ended_other_than(pid: i32) -> Option<i32> {
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut info: libc::siginfo_t = unsafe { zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: info is ours for the call.
    let found = check(unsafe { libc::waitid(libc::P_ALL, 0, &mut info, options) }.into());
    // SAFETY: waitid has filled the fields of a child event, or left the pid zero.
    let ended = unsafe { info.si_pid() };
    (found.is_ok() && ended != 0 && ended != pid).then_some(ended)
}

fn wait(kind: libc::idtype_t, id: libc::id_t, options: i32) -> SysResult<Option<Ended>> {
    loop {
        // SAFETY: all zeroes is a valid value of this plain struct.
        let mut info: libc::siginfo_t = unsafe { zeroed() };
        // SAFETY: info is ours for the call.
        match check(unsafe { libc::waitid(kind, id, &mut info, libc::WEXITED | options) }.into()) {
            Err(Errno(libc::EINTR)) => {}
            Err(errno) => return Err(errno),
            // SAFETY: waitid has filled the fields of a child event, or left the pid zero.
            Ok(_) => return Ok(unsafe { (info.si_pid() != 0).then(|| ended(&info)) }),
        }
    }
}

/// # Safety
/// `info` must come from waitid.
unsafe fn ended(info: &libc::siginfo_t) -> Ended {
    // SAFETY: as promised by the caller.
    let status = unsafe { info.si_status() };
    if info.si_code == libc::CLD_EXITED { Ended::Exited(status) } else { Ended::Signaled(status) }
}
