//! Container ids. An id names a directory, so it is checked before it comes near a path.

use crate::error::{Error, Kind, Result};

/// The longest file name that Linux file systems take.
const LONGEST: usize = 255;

/// Ids are ASCII letters, digits, `_`, `+`, `-` and `.`; "." and ".." are paths, not ids.
pub fn is_valid(id: &str) -> bool {
    let character = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-' | b'.');
    !id.is_empty() && id.len() <= LONGEST && id != "." && id != ".." && id.bytes().all(character)
}

/// Refuses what [`is_valid`] refuses, with the text that engines look for.
pub fn check(id: &str) -> Result<()> {
    if is_valid(id) {
        return Ok(());
    }
    let remedy = match id {
        "" => "give the container a name of letters and digits",
        "." | ".." => "this names a directory: add a letter or a digit",
        _ => "use letters, digits and _ + - . only, 255 at most",
    };
    let error = Error::new("invalid container ID format").kind(Kind::Argument).field("container-id");
    Err(error.value(id).remedy(remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_engines_make_are_valid() {
        for id in ["a", "web.1", "buildkit+x", "a_b-c", "0123456789abcdef", &"x".repeat(255)] {
            assert!(is_valid(id), "{id}");
        }
    }

    #[test]
    fn an_id_cannot_leave_the_root() {
        for id in ["", ".", "..", "a/b", "/a", "../a", "a\0b", "a b", "é", "a\n", &"x".repeat(256)] {
            assert!(!is_valid(id), "{id:?}");
        }
    }
}
