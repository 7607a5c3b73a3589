//! What a call has started: the caller's to wait for, whenever and however it likes.

use crate::engine::caller::notify::Proxy;
use crate::sys::launch::Child;
use std::os::fd::OwnedFd;

/// A process that runs, or waits for start. It is a child of the calling process where that has made it, and then the
/// caller fetches its exit code: waitid(P_PIDFD).
#[derive(Debug)]
pub struct Started {
    pub pid: i32,
    /// Can be read when the process has ended.
    pub pidfd: OwnedFd,
    /// The master of its terminal, where the caller gets it.
    pub terminal: Option<OwnedFd>,
    /// What a service manager waits for, where there is one.
    pub readiness: Option<Proxy>,
}

impl Started {
    pub(in crate::engine) fn of(process: Child, terminal: Option<OwnedFd>) -> Started {
        Started { pid: process.pid, pidfd: process.pidfd, terminal, readiness: None }
    }
}
