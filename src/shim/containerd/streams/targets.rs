//! Where output goes: what a client names by a path or a URI.

use crate::error::{Error, Result};
use crate::sys::{Errno, c, file};
use nix::sys::stat::fstat;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Fifo(PathBuf),
    /// Both streams, behind what is there.
    File(PathBuf),
    /// A program that reads both streams, with its arguments.
    Program(PathBuf, Vec<String>),
}

impl Target {
    pub fn of(place: &str) -> Result<Target> {
        let Some((scheme, rest)) = place.split_once("://") else {
            return Ok(Target::Fifo(PathBuf::from(place)));
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let wrong = |reason: &'static str| Error::argument("stdout", place, reason);
        let path = PathBuf::from(decoded(path).ok_or_else(|| wrong("its path has an escape that is none"))?);
        if !path.is_absolute() {
            return Err(wrong("its path is not absolute"));
        }
        match scheme {
            "fifo" => Ok(Target::Fifo(path)),
            "file" => Ok(Target::File(path)),
            "binary" => {
                let pairs = query.split('&').filter(|pair| !pair.is_empty());
                let words = pairs.flat_map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    [key, value].into_iter().filter(|word| !word.is_empty())
                });
                let words: Option<Vec<String>> = words.map(|word| decoded(&word.replace('+', " "))).collect();
                let words = words.ok_or_else(|| wrong("its arguments have an escape that is none"))?;
                Ok(Target::Program(path, words))
            }
            _ => Err(wrong("unknown STDIO scheme").remedy("use a fifo's path, file:// or binary://")),
        }
    }
}

/// Without the escapes of a URI.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// The file, made if it is missing, to be written to behind its end. Not with O_APPEND, which splice(2) refuses: the place
/// is that of the open file, which a successor gets.
pub fn open_file(path: &Path) -> Result<OwnedFd> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)
            .map_err(|e| Error::io(format!("make {}", directory.display()), &e))?;
    }
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_NOCTTY | libc::O_NONBLOCK;
    let opened = c(path).and_then(|path| file::openat2(file::cwd(), &path, flags, 0o644, 0));
    let opened = opened.map_err(|e| e.because(format!("open {}", path.display())))?;
    if file::kind(opened.as_fd()) != Ok(libc::S_IFREG) {
        return Err(Error::argument("stdout", path.display(), "this is no ordinary file"));
    }
    to_the_end(opened.as_fd())?;
    Ok(opened)
}

fn to_the_end(file: BorrowedFd) -> Result<()> {
    nix::unistd::lseek(file, 0, nix::unistd::Whence::SeekEnd)
        .map(drop)
        .map_err(|e| Errno::from(e).because("find the end of a log file"))
}

/// Where another process has made the file shorter, what comes next is written to its new end.
pub fn follow_truncation(file: BorrowedFd) {
    use nix::unistd::{Whence, lseek};
    let place = lseek(file, 0, Whence::SeekCur);
    let length = fstat(file).map(|found| found.st_size);
    if let (Ok(place), Ok(length)) = (place, length)
        && length < place
    {
        // It is where it was otherwise.
        let _ = lseek(file, 0, Whence::SeekEnd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_fifo_a_file_or_a_program_with_its_words() {
        let of = |place| Target::of(place).ok();
        assert_eq!(of("/run/fifo"), Some(Target::Fifo("/run/fifo".into())));
        assert_eq!(of("file:///var/log/a%20b"), Some(Target::File("/var/log/a b".into())));
        let words = ["id", "x y", "flag"].map(str::to_owned).to_vec();
        assert_eq!(
            of("binary:///bin/logger?id=x+y&flag="),
            Some(Target::Program("/bin/logger".into(), words))
        );
        for wrong in ["http://x/y", "file://relative", "binary:///x?a=%zz", "file:///%"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
