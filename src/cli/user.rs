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
pub fn parse_gids(text: &str) -> Result<Vec<u32>> {
    text.split(',').map(id).collect::<Option<_>>().ok_or_else(|| {
        let reason = "must be numbers from 0 to 4294967294, separated by commas";
        Error::argument("--additional-gids", text, reason)
    })
}

/// Whether [`parse_gids`] takes it.
pub fn is_gids(text: &str) -> std::result::Result<(), &'static str> {
    parse_gids(text).map(drop).map_err(|_| "must be numbers from 0 to 4294967294, separated by commas")
}

fn id(text: &str) -> Option<u32> {
    // Only digits: the number parser would accept a sign too.
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|&id| digits && id != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_numbers_make_a_user() {
        for (text, wanted) in [
            ("0", (0, None)),
            ("1:2", (1, Some(2))),
            ("0:0", (0, Some(0))),
            ("4294967294", (4_294_967_294, None)),
        ] {
            assert_eq!(parse(text).map(|user| (user.uid, user.gid)).unwrap(), wanted, "{text:?}");
        }
        let numbers = ["1:2:3", "0x1", "4294967295", "4294967296", "1:4294967295", "18446744073709551616"];
        let others = ["", ":", "1:", ":2", "-1", "+1", "1x", " 1", "1:-1", "abc", "root"];
        for text in numbers.iter().chain(&others) {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn additional_groups_may_stand_together() {
        assert_eq!(parse_gids("1,20").unwrap(), [1, 20]);
        for text in ["", "1,", "-1", "4294967295", "wheel"] {
            assert!(parse_gids(text).is_err(), "{text:?}");
        }
    }
}
