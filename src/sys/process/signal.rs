//! Signals by number: real-time ones have no name in nix.

use crate::sys::{SysResult, check, last_errno};
use nix::sys::signal::{SigSet, Signal};

/// kill(pid, signal). Reference: kill(2). 0 and negative pids mean groups there and are the caller's to avoid.
pub fn kill(pid: i32, signal: i32) -> SysResult<()> {
    // SAFETY: kill takes two numbers and touches no memory of ours.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// signal(number, SIG_IGN), for the whole process. Reference: signal(2).
pub fn ignore(number: i32) -> SysResult<()> {
    dispose(number, libc::SIG_IGN)
}

/// signal(number, SIG_DFL), for the whole process. Reference: signal(2).
pub fn default(number: i32) -> SysResult<()> {
    dispose(number, libc::SIG_DFL)
}

fn dispose(number: i32, action: libc::sighandler_t) -> SysResult<()> {
    // SAFETY: the two actions above are no functions, so no code of ours ever runs as a handler.
    let before = unsafe { libc::signal(number, action) };
    if before == libc::SIG_ERR { Err(last_errno()) } else { Ok(()) }
}

/// Holds back a signal from this thread, and from those that it starts. Reference: sigprocmask(2).
pub fn block(number: i32) -> SysResult<()> {
    let mut set = SigSet::empty();
    set.add(Signal::try_from(number)?);
    Ok(set.thread_block()?)
}
