//! What a caller says through the environment, and no other part of the program reads: sockets of a service manager,
//! its notify socket, a seccomp agent.

use crate::engine::Listening;
use crate::error::{Error, Result};
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// LISTEN_FDS and LISTEN_FDNAMES, where LISTEN_PID says that they are meant for this process (sd_listen_fds(3)). A
/// variable left over from a parent of ours describes another program's descriptors.
pub fn listening() -> Result<Listening> {
    let mine = env::var("LISTEN_PID").is_ok_and(|pid| pid.parse() == Ok(std::process::id()));
    if !mine {
        return Ok(Listening::default());
    }
    let Some(count) = env::var_os("LISTEN_FDS") else { return Ok(Listening::default()) };
    let count = count.to_string_lossy();
    let Ok(count) = count.parse() else {
        return Err(Error::argument("LISTEN_FDS", count, "must be a number of descriptors"));
    };
    Ok(Listening { count, names: text("LISTEN_FDNAMES")? })
}

/// A variable whose value goes into the config or the record, which are text.
pub fn text(variable: &str) -> Result<Option<String>> {
    let refused = |value: OsString| Error::argument(variable, value.to_string_lossy(), "not UTF-8");
    env::var_os(variable).map(OsString::into_string).transpose().map_err(refused)
}

/// A variable that names a socket.
pub fn socket(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
