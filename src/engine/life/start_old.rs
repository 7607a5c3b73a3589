//! A container that rruntime 0.1.0 has created waits on a socket in its state directory. Its init accepts there, asks for
//! its startContainer hooks, and loads its filter only then.

use crate::error::Result;
use crate::state::{Entry, START_SOCKET};
use crate::sys::{SysResult, file, socket};
use std::os::fd::{AsRawFd, OwnedFd};

pub fn connect(entry: &Entry) -> SysResult<OwnedFd> {
    // By the directory's descriptor: a path may be long, and the address of a socket is short.
    let path = format!("/proc/self/fd/{}/{}", entry.dir().as_raw_fd(), START_SOCKET.to_string_lossy());
    socket::connect(path.as_ref())
}

/// The container runs now, or has ended.
pub fn remove(entry: &Entry) -> Result<()> {
    file::unlinkat(entry.dir(), START_SOCKET, 0).map_err(|e| e.because("remove the start socket"))
}
