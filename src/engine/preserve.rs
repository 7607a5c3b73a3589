//! `--preserve-fds`: descriptors of the caller that the container's process gets under their own numbers.
//!
//! A number that the caller has not opened would be one of our own by now: a directory of the host, inside the
//! container (the class of CVE-2024-21626). What we open closes on exec and what we have inherited does not, so that
//! flag tells them apart.

use crate::error::{Error, Kind, Result};
use crate::sys::file;

/// Refuses what is not open, before anything is made.
pub fn check(count: u32) -> Result<()> {
    for index in 0..count {
        let inherited = match i32::try_from(i64::from(index) + 3) {
            Ok(number) => file::close_on_exec(number).is_ok_and(|closes| !closes),
            Err(_) => false,
        };
        if !inherited {
            return Err(Error::new(format!("descriptor {} is not open", u64::from(index) + 3))
                .kind(Kind::Argument)
                .field("--preserve-fds")
                .value(count)
                .remedy(format!(
                    "the caller opens 3 to {} and leaves them open over exec",
                    u64::from(count) + 2
                )));
        }
    }
    Ok(())
}
