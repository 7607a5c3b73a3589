//! `--pid-file`: the number of the new process, for the program that started us.

use crate::error::{Error, Kind, Result};
use crate::sys::{c, file};
use std::ffi::OsString;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A pipe or a device like /dev/null, by its own name: written to as it is. A link may be another user's.
fn stream(path: &Path) -> Option<OwnedFd> {
    let found = file::openat2(file::cwd(), &c(path).ok()?, libc::O_PATH | libc::O_NOFOLLOW, 0, 0).ok()?;
    matches!(file::kind(found.as_fd()), Ok(libc::S_IFCHR | libc::S_IFIFO)).then_some(found)
}

/// Refuses a name where a file would stand in the place of something else.
pub fn check(path: &Path) -> Result<()> {
    if file::is_replaceable(path) || stream(path).is_some() { Ok(()) } else { Err(no_file(path)) }
}

fn no_file(path: &Path) -> Error {
    let error = Error::argument("--pid-file", path.display(), "is there, and is not a regular file");
    error.remedy("name a file, which is written anew, or leave the option out")
}

/// Written beside and renamed: a reader sees the whole number or nothing.
pub fn write(path: &Path, pid: i32) -> Result<()> {
    let refused = |e: std::io::Error| {
        let error = Error::io("write the pid file", &e).field("--pid-file").value(path.display());
        error.remedy("its directory must exist and be writable")
    };
    if !file::is_replaceable(path) {
        let found = stream(path).ok_or_else(|| no_file(path))?;
        let flags = libc::O_WRONLY | libc::O_NOCTTY | libc::O_NONBLOCK;
        let opened = file::reopen(found.as_fd(), flags);
        let written = opened.and_then(|opened| file::write_all(opened.as_fd(), pid.to_string().as_bytes()));
        return written.map_err(|e| {
            let error = e.because("write the pid file").field("--pid-file").value(path.display());
            error.remedy("a pipe needs a reader")
        });
    }
    let name = path.file_name().ok_or_else(|| {
        Error::new("the pid file needs a name").kind(Kind::Argument).field("--pid-file").value(path.display())
    })?;
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(temporary);
    // The directory may be another user's and the umask anything: what stands at this name is not written
    // through, and no other user may change the number.
    let _ = std::fs::remove_file(&temporary);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o644).open(&temporary).map_err(refused)?;
    file.write_all(pid.to_string().as_bytes()).map_err(refused)?;
    std::fs::rename(&temporary, path).map_err(|e| {
        // It is needed no more.
        let _ = std::fs::remove_file(&temporary);
        refused(e)
    })
}
