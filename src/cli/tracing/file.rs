//! The file of a trace. Several commands may write to one file: each adds its events to those that are there, and the file
//! is whole JSON after each. Nothing is written into a file that does not begin and end as a trace of ours.

use crate::error::{Error, Kind, Result};
use crate::sys::{self, Errno, file, identity};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat};
use nix::sys::uio::pread;
use nix::unistd::ftruncate;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

const HEAD: &str =
    "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"producer\":\"rruntime\"},\"traceEvents\":[\n";
const END: &str = "\n]}\n";
/// How long another command may take to add its events.
const PATIENCE: Duration = Duration::from_secs(2);

pub struct TraceFile {
    file: OwnedFd,
    path: PathBuf,
}

impl TraceFile {
    /// It is for its owner alone, since a trace has values of the config. A link is not followed: the directory may be one
    /// where others make links.
    pub fn open(path: &Path) -> Result<TraceFile> {
        let failed = |e: Errno| {
            let error = e.because("open the trace file").field("--trace").value(path.display());
            match e {
                Errno(libc::ELOOP) => error.remedy("it is a link: name the file itself"),
                _ => error.remedy("its directory must exist and be writable"),
            }
        };
        let name = sys::c(path).map_err(failed)?;
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_NOFOLLOW | libc::O_NOCTTY | libc::O_NONBLOCK;
        let opened = file::openat2(file::cwd(), &name, flags, 0o600, 0).map_err(failed)?;
        let trace = TraceFile { file: opened, path: path.to_owned() };
        if trace.end()? == 0 {
            // One that was there, empty, is as good as new.
            fchmod(trace.file.as_fd(), Mode::S_IRUSR | Mode::S_IWUSR).map_err(|e| failed(e.into()))?;
        }
        Ok(trace)
    }

    /// Where the list of events ends; 0 in a file that has nothing yet.
    fn end(&self) -> Result<u64> {
        let about = fstat(self.file.as_fd()).map_err(|e| self.failed(e.into()))?;
        let refused = |reason| {
            Error::argument("--trace", self.path.display(), reason).remedy(
                "name another file: one that is there must be a trace, to which the command adds its own",
            )
        };
        if SFlag::from_bits_truncate(about.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
            return Err(refused("is not a regular file"));
        }
        if about.st_uid != identity::euid() {
            return Err(refused("belongs to another user, who could read what is written"));
        }
        let size = about.st_size as u64;
        let has = |text: &str, at: u64| {
            let mut bytes = [0; HEAD.len()];
            let bytes = &mut bytes[..text.len()];
            pread(self.file.as_fd(), bytes, at as i64).is_ok_and(|length| bytes[..length] == *text.as_bytes())
        };
        match size.checked_sub(END.len() as u64) {
            _ if size == 0 => Ok(0),
            Some(end) if has(HEAD, 0) && has(END, end) => Ok(end),
            _ => Err(refused("is not a trace that rruntime has written")),
        }
    }

    /// Adds events, which are JSON with commas between them.
    pub fn add(&self, events: &str) -> Result<()> {
        file::lock_within(self.file.as_fd(), PATIENCE).map_err(|e| self.failed(e))?;
        let written = self.end().and_then(|end| {
            let text = [if end == 0 { HEAD } else { ",\n" }, events, END].concat();
            self.write(text.as_bytes(), end).inspect_err(|_| {
                // What was there before stays a trace.
                let _ = self.write(if end == 0 { b"" } else { END.as_bytes() }, end);
                let _ =
                    ftruncate(self.file.as_fd(), if end == 0 { 0 } else { end as i64 + END.len() as i64 });
            })
        });
        // It ends with the descriptor in any case.
        let _ = file::flock(self.file.as_fd(), libc::LOCK_UN);
        written
    }

    fn write(&self, bytes: &[u8], at: u64) -> Result<()> {
        file::pwrite_all(self.file.as_fd(), bytes, at).map_err(|e| self.failed(e))
    }

    fn failed(&self, errno: Errno) -> Error {
        errno.because("write the trace").kind(Kind::Other).field("--trace").value(self.path.display())
    }
}
