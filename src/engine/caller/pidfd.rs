//! A descriptor of the new process for the socket that asked for one: `--pidfd-socket`, and the annotation
//! `run.oci.pidfd_receiver`.
//!
//! A pid may be another process's by the time it is used; a descriptor may not. It is sent before the user's program
//! runs, so that no end of the process is missed. The listener is reached before anything is made: one that is not there
//! changes nothing.

use super::connection;
use crate::engine::Waits;
use crate::error::{Error, Kind, Result};
use crate::spec::Spec;
use crate::spec::annotations::{self, PIDFD_RECEIVER};
use crate::sys::socket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Which process it is: peers send another word for a container's first process than for one that joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    First,
    Tenant,
}

/// A socket that waits for a descriptor.
#[derive(Debug)]
pub struct Receiver {
    socket: OwnedFd,
    payload: &'static str,
    field: String,
    path: String,
}

/// All that ask for the descriptor.
pub fn receivers(option: Option<&Path>, spec: &Spec, role: Role, waits: &Waits) -> Result<Vec<Receiver>> {
    let mut receivers = Vec::new();
    if let Some(path) = option {
        let payload = if role == Role::First { "standard" } else { "setns" };
        receivers.push(connect(path, payload, "--pidfd-socket".to_owned(), waits)?);
    }
    if let Some(path) = annotations::allowed(spec, PIDFD_RECEIVER).filter(|_| role == Role::First) {
        receivers.push(connect(Path::new(path), " ", annotations::pointer(PIDFD_RECEIVER), waits)?);
    }
    Ok(receivers)
}

fn connect(path: &Path, payload: &'static str, field: String, waits: &Waits) -> Result<Receiver> {
    let socket = connection::connect(path, waits, |e| {
        e.because("connect to the receiver of the process descriptor")
            .kind(Kind::Argument)
            .field(&*field)
            .value(path.display())
            .remedy("listen on this unix stream socket before you call the runtime")
    })?;
    Ok(Receiver { socket, payload, field, path: path.display().to_string() })
}

impl Receiver {
    pub fn send(&self, process: BorrowedFd) -> Result<()> {
        socket::send(self.socket.as_fd(), self.payload.as_bytes(), &[process.as_raw_fd()]).map_err(|e| {
            let error: Error = e.because("send the process descriptor");
            error.field(&*self.field).value(&self.path)
        })
    }
}
