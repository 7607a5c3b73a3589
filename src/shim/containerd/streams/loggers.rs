//! Programs that read the output: `binary://`. They are run as root, and an engine may have taken the URI from an image's
//! label (CVE-2026-53488).
//!
//! Only a file that root or we own, in directories that no other user may write to, is executed, by the descriptor that was
//! looked at: that keeps other users' programs out. It does not keep `sh` out, which the URI can give any words: that is
//! what the administrator's list is for. Where there is one, only what it names is executed.

use crate::error::{Error, Kind, Result};
use crate::host::lists;
use crate::shim::execute::Program;
use crate::sys::launch::{Child, LaunchError};
use crate::sys::{Errno, c, file, identity, poll};
use nix::sys::stat::fstat;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

/// Programs, and directories of programs.
const LIST: &str = "/etc/rruntime/loggers.allow";
/// How long a logger may take to say that it is ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a logger, and waits until it is ready. `output`: the ends to read of the two streams.
pub fn start(
    path: &Path,
    words: &[String],
    variables: &[(&'static str, String)],
    output: [BorrowedFd; 2],
) -> Result<Child> {
    let doing = |e: Error| e.doing(format!("start the logger {}", path.display()));
    if lists::read(LIST)?.is_some_and(|list| !names(&list, path)) {
        let error = Error::new("the administrator's list of loggers does not name it").kind(Kind::Argument);
        return Err(doing(
            error.field("stdout").remedy(format!("a line with its path, or its directory, in {LIST}")),
        ));
    }
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
            crate::sys::process::pidfd_kill(child.pidfd.as_fd());
            // It is ours, and was killed.
            let _ = crate::sys::wait::reap(child.pidfd.as_fd());
            Err(doing(Error::new(format!("it was not ready in {} s", PATIENCE.as_secs()))))
        }
    }
}

/// By the path that the URI has: `/bin/logger` may be the same file as `/bin/sh`, which does something else by its name.
fn names(list: &[String], path: &Path) -> bool {
    list.iter().map(Path::new).any(|entry| path == entry || path.parent() == Some(entry))
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
    fn a_list_names_programs_and_what_is_in_a_directory() {
        let list = ["/bin/logger", "/usr/lib/loggers/"].map(str::to_owned);
        let named = |path: &str| names(&list, Path::new(path));
        assert!(named("/bin/logger") && named("/usr/lib/loggers/x") && named("/usr/lib//loggers/x"));
        for other in
            ["/bin/sh", "/bin", "/usr/lib/loggers/../sh", "/usr/lib/loggers/x/y", "/bin/logger/../sh", "/"]
        {
            assert!(!named(other), "{other}");
        }
        assert!(!names(&[], Path::new("/bin/logger")));
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
