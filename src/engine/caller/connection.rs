//! Connections to the sockets of callers and agents, which may not accept one at once.

use crate::engine::Waits;
use crate::error::{Error, Result};
use crate::sys::{Errno, socket};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a listener whose queue is full may take.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// Connects to a listener; what ends the waits of its caller ends this too.
pub fn connect(path: &Path, waits: &Waits, failed: impl FnOnce(Errno) -> Error) -> Result<OwnedFd> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match socket::connect_stream(path) {
            Err(Errno(libc::EAGAIN)) if Instant::now() < deadline => waits.rest(None, PAUSE)?,
            other => return other.map_err(failed),
        }
    }
}
