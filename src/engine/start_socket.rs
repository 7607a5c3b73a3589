//! The socket in the state directory on which a created container waits for start.
//!
//! That it is there says that the program has not begun: `state` reads it so, and hooks that run after start have to
//! find it so.

use crate::error::Result;
use crate::spec::Spec;
use crate::state::{Entry, START_SOCKET};
use crate::sys::{SysResult, file, socket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

/// Who says start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    /// Another command, later, through this socket.
    Command,
    /// This process.
    Us,
}

/// Whether the container has one.
pub fn wanted(starter: Starter, spec: &Spec) -> bool {
    let hooks = spec.hooks.as_ref().is_some_and(|hooks| !hooks.start_container.is_empty());
    starter == Starter::Command || hooks
}

pub fn listen(entry: &Entry) -> Result<OwnedFd> {
    socket::listen(&path(entry)).map_err(|e| e.because("listen on the start socket"))
}

pub fn connect(entry: &Entry) -> SysResult<OwnedFd> {
    socket::connect(&path(entry))
}

/// The container runs now, or has ended.
pub fn remove(entry: &Entry) -> Result<()> {
    file::unlinkat(entry.dir(), START_SOCKET, 0).map_err(|e| e.because("remove the start socket"))
}

/// By the directory's descriptor: a path may be long, and the address of a socket is short.
fn path(entry: &Entry) -> PathBuf {
    format!("/proc/self/fd/{}/{}", entry.dir().as_raw_fd(), START_SOCKET.to_string_lossy()).into()
}
