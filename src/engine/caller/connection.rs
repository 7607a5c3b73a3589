//! Connections to the sockets of callers and agents, which may not accept one at once.

use crate::engine::Waits;
use crate::error::{Error, Result};
use crate::sys::{Errno, socket};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a listener whose queue is full may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects to a listener; what ends the waits of its caller ends this too.
pub fn connect(path: &Path, waits: &Waits, failed: impl FnOnce(Errno) -> Error) -> Result<OwnedFd> {
    let deadline = Instant::now() + PATIENCE;
    waits.resting(|rest| socket::connect_patiently(path, deadline, rest).map_err(failed))
}
