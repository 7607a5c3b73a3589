//! The administrator's lists in /etc/rruntime, of what an engine's clients or an image may ask for: one entry a line, `#`
//! begins a comment. A list that others than root can change is an error: it would be theirs.

use crate::error::{Error, Kind, Result};
use crate::sys::file::{self, cwd};
use crate::sys::{Errno, c};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

const LIMIT: usize = 64 * 1024;

/// The entries of the list at this path; `None` where there is none.
pub fn read(path: &str) -> Result<Option<Vec<String>>> {
    let named = |error: Error| error.kind(Kind::Config).value(path);
    let open = |e: Errno| named(e.because("open the administrator's list"));
    let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let list = match file::openat2(cwd(), &c(path).map_err(open)?, flags, 0, 0) {
        Ok(list) => list,
        Err(Errno(libc::ENOENT | libc::ENOTDIR)) => return Ok(None),
        Err(e) => return Err(open(e)),
    };
    let found = list.try_clone().and_then(|list| File::from(list).metadata());
    let found = found.map_err(|e| named(Error::io("look at the administrator's list", &e)))?;
    // In a user namespace the host's root, who owns the root directory, has another number.
    let root = std::fs::metadata("/").map_err(|e| Error::io("look at /", &e))?.uid();
    if !found.is_file() || found.mode() & 0o022 != 0 || (found.uid() != 0 && found.uid() != root) {
        return Err(named(
            Error::new("the administrator's list can be changed by others than root")
                .remedy("it must be a regular file that only root owns and may write"),
        ));
    }
    let bytes = file::read_all(list.as_fd(), LIMIT);
    let bytes = bytes.map_err(|e| named(e.because("read the administrator's list")))?;
    Ok(Some(entries(&String::from_utf8_lossy(&bytes)).map(str::to_owned).collect()))
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    let words = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    words.filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::entries;

    #[test]
    fn a_list_has_one_entry_a_line_and_comments() {
        let text = "# a.b\n\n a.c # why\n#\na.d\n";
        assert_eq!(entries(text).collect::<Vec<_>>(), ["a.c", "a.d"]);
    }
}
