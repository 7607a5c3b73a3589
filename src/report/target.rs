//! Where log records go: standard error, a file, the systemd journal, or syslog.
//!
//! The two services are reached by datagrams on their well-known sockets. No command waits for a service that hangs, or for
//! the reader of a pipe: a record that is not taken within a moment is lost, and the error of the command is on stderr
//! anyway.

use super::escape::{Notation, escaped, is_hidden};
use super::line::{self, Format, Level};
use crate::error::{Error, Result};
use crate::sys::memory::{self, Content};
use crate::sys::{Errno, SysResult, c, file, poll, socket};
use nix::poll::{PollFd, PollFlags};
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// How long a service or a reader may take for one record.
const PATIENCE_SECONDS: i64 = 1;
/// `LOG_USER`, shifted as in a priority (RFC 3164, 4.1.1).
const FACILITY: u8 = 1 << 3;

#[derive(Clone, Copy, Debug)]
pub enum Service {
    Journal,
    Syslog,
}

/// How `--log` begins where it names a service, and the service's socket.
const SERVICES: [(&str, &str, Service); 2] = [
    ("journald:", "/run/systemd/journal/socket", Service::Journal),
    ("syslog:", "/dev/log", Service::Syslog),
];

/// An opened place.
#[derive(Debug)]
pub enum Target {
    Stderr,
    File(OwnedFd),
    /// With the identifier of the records.
    Service(Service, OwnedFd, String),
}

impl Target {
    /// Opens what `--log` names: "[file:]PATH", "journald:ID" or "syslog:ID". A file is made if it is missing, and
    /// appended to.
    pub fn open(place: &Path) -> Result<Target> {
        let bytes = place.as_os_str().as_bytes();
        let known = |row: &(_, _, _)| Some((*row, bytes.strip_prefix(str::as_bytes(row.0))?));
        let Some(((_, path, service), id)) = SERVICES.iter().find_map(known) else {
            // In the journal nothing would be found, and in the working directory a file.
            if matches!(bytes, b"journal" | b"journald" | b"syslog") {
                let reason = "names a service without an identifier for the records";
                let remedy = "write it as in journald:web or syslog:web; a file of this name is ./NAME";
                return Err(Error::argument("--log", place.display(), reason).remedy(remedy));
            }
            let path = bytes.strip_prefix(b"file:").unwrap_or(bytes);
            return open_file(Path::new(OsStr::from_bytes(path))).map(Target::File);
        };
        match std::str::from_utf8(id) {
            Ok(id) if !id.is_empty() && !id.contains(is_hidden) => {
                let socket = socket::connect_datagram(Path::new(path), PATIENCE_SECONDS).map_err(|e| {
                    e.because(format!("connect to {path}"))
                        .field("--log")
                        .remedy("start the service on this host, or name a file")
                })?;
                Ok(Target::Service(service, socket, id.to_owned()))
            }
            _ => {
                let reason = "the service's name must be followed by an identifier for the records";
                Err(Error::argument("--log", place.display(), reason).remedy("write it as in journald:web"))
            }
        }
    }

    /// `error`: what the message is made of, for a format that has a place for its parts.
    pub fn write(&self, format: Format, level: Level, message: &str, error: Option<&Error>) {
        let line = || line::render(format, level, message, error, SystemTime::now());
        // Ignored: there is no other place to report that the log is full or gone.
        let _ = match self {
            Target::Stderr => file::write(std::io::stderr().as_fd(), line().as_bytes()).map(drop),
            Target::File(file) => append(file.as_fd(), line().as_bytes()),
            Target::Service(Service::Journal, socket, id) => {
                journal(socket, id, level, &escaped(message, Notation::Plain, &['\n']))
            }
            Target::Service(Service::Syslog, socket, id) => {
                let record = syslog_record(id, level, &escaped(message, Notation::Plain, &[]));
                socket::send(socket.as_fd(), record.as_bytes(), &[])
            }
        };
    }
}

fn open_file(path: &Path) -> Result<OwnedFd> {
    let failed = |e: Errno| {
        e.because("open the log file")
            .field("--log")
            .value(path.display())
            .remedy("the directory must exist and be writable, and a pipe must have a reader")
    };
    let name = c(path).map_err(failed)?;
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_NOCTTY | libc::O_NONBLOCK;
    file::openat2(file::cwd(), &name, flags, 0o644, 0).map_err(failed)
}

/// A whole record; the rest of one that a pipe's reader leaves there is lost.
fn append(file: BorrowedFd, mut rest: &[u8]) -> SysResult<()> {
    while !rest.is_empty() {
        match file::write(file, rest) {
            Ok(written) => rest = &rest[written..],
            Err(Errno(libc::EAGAIN)) => {
                let deadline = Instant::now() + Duration::from_secs(PATIENCE_SECONDS as u64);
                if !poll::wait(&mut [PollFd::new(file, PollFlags::POLLOUT)], Some(deadline))? {
                    return Err(Errno(libc::EAGAIN));
                }
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// The journal's native protocol: one field a line. A message with line ends is given with its length (64 bits,
/// little-endian) instead. What does not fit into a datagram is passed as a sealed memory file.
fn journal(socket: &OwnedFd, id: &str, level: Level, message: &str) -> SysResult<()> {
    let record = journal_record(id, level, message);
    match socket::send(socket.as_fd(), &record, &[]) {
        Err(Errno(libc::EMSGSIZE | libc::ENOBUFS)) => {
            let file = memory::sealed(c"rruntime-log", Content::Data, &record)?;
            socket::send(socket.as_fd(), &[], &[file.as_raw_fd()])
        }
        sent => sent,
    }
}

/// With the identifier twice: as crun's users find it (`ID=`), and as `journalctl --identifier` does.
fn journal_record(id: &str, level: Level, message: &str) -> Vec<u8> {
    let priority = level.known_as().1;
    let mut record = format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER={id}\nID={id}\nMESSAGE").into_bytes();
    if message.contains('\n') {
        record.push(b'\n');
        record.extend((message.len() as u64).to_le_bytes());
    } else {
        record.push(b'=');
    }
    record.extend(message.as_bytes());
    record.push(b'\n');
    record
}

/// "<11>web: message". The daemon adds the time by its own clock: local time costs a reader of time zone files, which is
/// a twentieth of the binary.
fn syslog_record(id: &str, level: Level, message: &str) -> String {
    format!("<{}>{id}: {message}", FACILITY | level.known_as().1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_gets_the_length_of_a_message_with_line_ends() {
        let two = journal_record("web", Level::Warning, "a\nb");
        assert!(two.ends_with(b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n"), "{two:?}");
    }
}
