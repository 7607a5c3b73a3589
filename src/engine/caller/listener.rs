//! The seccomp listener goes to the agent that the config names (config-linux.md, The Container Process State).

use super::connection;
use crate::engine::Waits;
use crate::engine::status::{Status, state_json};
use crate::error::{Error, Kind, Result};
use crate::spec::Seccomp;
use crate::state::Record;
use crate::sys::socket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

/// Sends the listener of the process `pid`.
pub fn send(
    profile: &Seccomp,
    record: &Record,
    status: Status,
    pid: i32,
    listener: BorrowedFd,
    waits: &Waits,
) -> Result<()> {
    let path = profile.listener_path.as_deref().unwrap_or_default();
    let named = |error: Error| error.field("/linux/seccomp/listenerPath").value(path);
    if path.is_empty() {
        return Err(named(Error::new("SCMP_ACT_NOTIFY needs an agent").kind(Kind::Config)));
    }
    let agent = connection::connect(Path::new(path), waits, |e| {
        named(e.because("connect to the seccomp agent").remedy("start the agent before the container"))
    })?;
    let metadata = profile.listener_metadata.as_deref().unwrap_or_default();
    let quoted = |text: &str| serde_json::to_string(text).expect("a string can always be encoded");
    let metadata =
        if metadata.is_empty() { String::new() } else { format!(r#""metadata":{},"#, quoted(metadata)) };
    let message = format!(
        r#"{{"ociVersion":{},"fds":["seccompFd"],"pid":{pid},{metadata}"state":{}}}"#,
        quoted(crate::engine::SPEC_VERSION),
        state_json(record, status)
    );
    socket::send(agent.as_fd(), message.as_bytes(), &[listener.as_raw_fd()])
        .map_err(|e| named(e.because("send to the seccomp agent")))
}
