//! Descriptors of the caller that the container's process gets under their own numbers: first the sockets that a service
//! manager has opened for it (LISTEN_FDS, sd_listen_fds(3)), then those of `--preserve-fds`.
//!
//! A number that the caller has not opened would be one of our own by now: a directory of the host, inside the
//! container (the class of CVE-2024-21626). What we open closes on exec and what we have inherited does not, so that
//! flag tells them apart.

use crate::engine::Listening;
use crate::error::{Error, Kind, Result};
use crate::sys::file;

/// More descriptors than any process may have open.
const MOST: u32 = 1 << 20;

/// How many descriptors after 2 the process gets: of `--preserve-fds` no more than are open. Refuses a gap among them, and
/// sockets that are announced and not there, before anything is made.
pub fn check(listening: &Listening, count: u32) -> Result<u32> {
    let total = listening.count.saturating_add(count);
    let given = |index: u32| file::close_on_exec(index as i32 + 3).is_ok_and(|closes| !closes);
    for index in 0..total.min(MOST) {
        let number = index as i32 + 3;
        if !given(index) {
            if index >= listening.count && !(index..total.min(MOST)).any(given) {
                return Ok(index);
            }
            let (field, value) = if index < listening.count {
                ("LISTEN_FDS", listening.count)
            } else {
                ("--preserve-fds", count)
            };
            return Err(Error::new(format!("descriptor {number} is not open"))
                .kind(Kind::Argument)
                .field(field)
                .value(value)
                .remedy(format!(
                    "the caller opens 3 to {} and leaves them open over exec",
                    u64::from(total) + 2
                )));
        }
    }
    Ok(total)
}
