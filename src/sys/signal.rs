//! Signals by number: real-time ones have no name in nix.

use super::{SysResult, check};

/// kill(pid, signal). Reference: kill(2). 0 and negative pids mean groups there and are the caller's to avoid.
pub fn kill(pid: i32, signal: i32) -> SysResult<()> {
    // SAFETY: kill takes two numbers and touches no memory of ours.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}
