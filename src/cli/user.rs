//! `--user` and `--additional-gids` of exec: numbers, exactly.
//!
//! Anything else must be an error, never a default: a parser that reads "1x" as 0 makes a root process
//! (CVE-2026-30892), and 4294967295 means "unchanged" to setuid(2), which here is root.

use crate::engine::UserIds;
use crate::error::{Error, Result};

/// "UID" or "UID:GID".
pub fn parse(text: &str) -> Result<UserIds> {
    let (uid, gid) = match text.split_once(':') {
        Some((uid, gid)) => (uid, Some(gid)),
        None => (text, None),
    };
    let refused = || {
        Error::argument("--user", text, "must be UID or UID:GID, each a number from 0 to 4294967294")
            .remedy("look the numbers up in the container's /etc/passwd")
    };
    let uid = id(uid).ok_or_else(refused)?;
    let gid = gid.map(|gid| id(gid).ok_or_else(refused)).transpose()?;
    Ok(UserIds { uid, gid })
}

/// One value of `--additional-gids`: numbers separated by commas.
pub fn gids(text: &str) -> std::result::Result<Vec<u32>, &'static str> {
    let numbers = text.split(',').map(id).collect::<Option<_>>();
    numbers.ok_or("must be numbers from 0 to 4294967294, separated by commas")
}

fn id(text: &str) -> Option<u32> {
    // Only digits: the number parser would accept a sign too.
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|&id| digits && id != u32::MAX)
}
