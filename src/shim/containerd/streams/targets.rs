//! Where output goes: what a client names by a path or a URI.
//!
//! A program as a logger is run as root. Only a file that root or we own, in directories that no other user may write to, is
//! executed, by the descriptor that was looked at. That keeps other users' programs out, and no more: who may choose the
//! URI may choose `sh`, so an engine must not take it from an image's labels (CVE-2026-53488).

use crate::error::{Error, Result};
use crate::shim::execute::Program;
use crate::sys::launch::{Child, LaunchError};
use crate::sys::{Errno, c, file, identity, poll};
use nix::sys::stat::fstat;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Fifo(PathBuf),
    /// Both streams, behind what is there.
    File(PathBuf),
    /// A program that reads both streams, with its arguments.
    Program(PathBuf, Vec<String>),
}

/// How long a logger may take to say that it is ready.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// Starts a logger, and waits until it is ready. `output`: the ends to read of the two streams.
pub fn start_logger(
    path: &Path,
    words: &[String],
    variables: &[(&'static str, String)],
    output: [BorrowedFd; 2],
) -> Result<Child> {
    let doing = |e: Error| e.doing(format!("start the logger {}", path.display()));
    let program = open_program(path).map_err(doing)?;
    let words = std::iter::once(path.to_string_lossy().into_owned()).chain(words.iter().cloned());
    let text = |word: String| c(&word).map_err(|_| Error::argument("stdout", word, "it has a NUL in it"));
    let arguments: Vec<CString> = words.map(text).collect::<Result<_>>()?;
    let (ready, theirs) = crate::sys::pipe::pipe().map_err(|e| e.because("pipe"))?;
    let null = file::openat2(file::cwd(), c"/dev/null", libc::O_RDWR, 0, 0)
        .map_err(|e| e.because("open /dev/null"))?;
    let [stdout, stderr] = output;
    let program = Program {
        file: program.as_fd(),
        arguments: &arguments,
        variables,
        streams: [Some(null.as_fd()), Some(null.as_fd()), None],
        given: &[stdout, stderr, theirs.as_fd()],
        // An interpreter opens its script by the number.
        pass: &[program.as_raw_fd()],
    };
    let child = program.start().map_err(|error| match error {
        LaunchError::Clone(errno) | LaunchError::Setup(errno) => errno.because("clone3"),
        LaunchError::Exec(errno) => errno.because("execute it"),
    });
    let child = child.map_err(doing)?;
    drop(theirs);
    match poll::readable(ready.as_fd(), Some(Instant::now() + PATIENCE)) {
        Ok(true) => Ok(child),
        _ => {
            // It may have ended by itself.
            let _ = crate::sys::process::pidfd_send_signal(child.pidfd.as_fd(), libc::SIGKILL);
            // It is ours, and was killed.
            let _ = crate::sys::wait::reap(child.pidfd.as_fd());
            Err(doing(Error::new(format!("it was not ready in {} s", PATIENCE.as_secs()))))
        }
    }
}

/// Each step of its path, and the file itself, may be changed by root and by us alone.
fn open_program(path: &Path) -> Result<OwnedFd> {
    let refused = |what: &Path, reason: &'static str| {
        Error::new(reason)
            .value(what.display())
            .remedy("use a program that root owns, below directories that root owns")
    };
    let trusted = |fd: BorrowedFd, what: &Path| -> Result<()> {
        let found = fstat(fd).map_err(|e| Errno::from(e).because(format!("stat {}", what.display())))?;
        if found.st_uid != 0 && found.st_uid != identity::euid() {
            return Err(refused(what, "another user owns it"));
        }
        if found.st_mode & 0o022 != 0 {
            return Err(refused(what, "other users may write to it"));
        }
        Ok(())
    };
    let open = |dir: BorrowedFd, name: &CStr, flags: i32, what: &Path| {
        file::openat2(dir, name, flags | libc::O_NOFOLLOW, 0, 0)
            .map_err(|e| e.because(format!("open {}", what.display())))
    };
    let path = std::fs::canonicalize(path).map_err(|e| Error::io(format!("find {}", path.display()), &e))?;
    let mut here = PathBuf::from("/");
    let mut fd = open(file::cwd(), c"/", libc::O_PATH | libc::O_DIRECTORY, &here)?;
    trusted(fd.as_fd(), &here)?;
    for step in path.components() {
        let Component::Normal(name) = step else { continue };
        here.push(name);
        let flags =
            if here == path { libc::O_RDONLY | libc::O_NONBLOCK } else { libc::O_PATH | libc::O_DIRECTORY };
        let name = c(name).map_err(|e| e.because("a name with a NUL"))?;
        fd = open(fd.as_fd(), &name, flags, &here)?;
        trusted(fd.as_fd(), &here)?;
    }
    if file::kind(fd.as_fd()) != Ok(libc::S_IFREG) {
        return Err(refused(&path, "this is no ordinary file"));
    }
    // Behind the places of what it is given.
    file::duplicate(fd.as_raw_fd(), 10).map_err(|e| e.because("duplicate a descriptor"))
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

    #[test]
    fn a_program_that_another_user_can_change_is_not_executed() {
        assert!(open_program(Path::new("/bin/true")).is_ok());
        let directory = std::env::temp_dir().join(format!("rr-logger-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let copy = directory.join("true");
        std::fs::copy("/bin/true", &copy).unwrap();
        // /tmp is anyone's to write to.
        let refused = open_program(&copy).unwrap_err();
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(refused.to_string().contains("other users may write to it"), "{refused}");
    }
}
