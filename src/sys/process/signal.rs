//! Signals by number: real-time ones have no name in nix.

use crate::sys::{SysResult, check, last_errno};

/// kill(pid, signal). Reference: kill(2). 0 and negative pids mean groups there and are the caller's to avoid.
pub fn kill(pid: i32, signal: i32) -> SysResult<()> {
    // SAFETY: kill takes two numbers and touches no memory of ours.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// signal(number, SIG_IGN), for the whole process. Reference: signal(2).
pub fn ignore(number: i32) -> SysResult<()> {
    // SAFETY: SIG_IGN is no function, so no code of ours ever runs as a handler.
    let before = unsafe { libc::signal(number, libc::SIG_IGN) };
    if before == libc::SIG_ERR { Err(last_errno()) } else { Ok(()) }
}
