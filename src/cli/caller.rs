//! What a caller gives beside its arguments, and no other part of the program looks for: in the environment, sockets of a
//! service manager, its notify socket, a seccomp agent; and open descriptors.

use crate::error::{Error, Result};
use crate::sys::file;
use std::env;
use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// LISTEN_FDS and LISTEN_FDNAMES, where LISTEN_PID says that they are meant for this process (sd_listen_fds(3)). A
/// variable left over from a parent of ours describes another program's descriptors.
pub fn listening() -> Result<(u32, Option<String>)> {
    let mine = env::var("LISTEN_PID").is_ok_and(|pid| pid.parse() == Ok(std::process::id()));
    let Some(count) = env::var_os("LISTEN_FDS").filter(|_| mine) else { return Ok((0, None)) };
    let count = count.to_string_lossy();
    let Ok(count) = count.parse() else {
        return Err(Error::argument("LISTEN_FDS", count, "must be a number of descriptors"));
    };
    Ok((count, text("LISTEN_FDNAMES")?))
}

/// More descriptors than any process may have open.
const MOST: u32 = 1 << 20;

type Descriptors = Vec<BorrowedFd<'static>>;

/// The sockets of a service manager, from 3 on, and those of `--preserve-fds` behind them, of which no more than are open.
/// Refuses a gap among them, and sockets that are announced and not there.
///
/// A number that the caller left closed may by now name a descriptor of ours, such as a directory of the host; inside the
/// container that is a way out (the class of CVE-2024-21626).
pub fn descriptors(sockets: u32, preserved: u32) -> Result<(Descriptors, Descriptors)> {
    let total = sockets.saturating_add(preserved);
    let open = |index: u32| file::inherited(index as i32 + 3);
    let mut given = Vec::new();
    for index in 0..total.min(MOST) {
        if let Some(fd) = open(index) {
            given.push(fd);
        } else if index >= sockets && !(index..total.min(MOST)).any(|later| open(later).is_some()) {
            break;
        } else {
            let (field, value) =
                if index < sockets { ("LISTEN_FDS", sockets) } else { ("--preserve-fds", preserved) };
            return Err(Error::argument(field, value, format!("descriptor {} is not open", index + 3))
                .remedy(format!(
                    "the caller opens 3 to {} and leaves them open over exec",
                    u64::from(total) + 2
                )));
        }
    }
    let preserved = given.split_off(given.len().min(sockets as usize));
    Ok((given, preserved))
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
