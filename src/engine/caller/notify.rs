//! NOTIFY_SOCKET: a service manager (systemd, `Type=notify`) that runs us wants to know when the container's program is
//! ready (sd_notify(3)).
//!
//! Its socket is not given to the container. A directory of our own is bound to /run/notify, and `start` makes a socket
//! in it, reads what comes, and passes on one thing: that the program is ready. Where we end now, its pid goes with that,
//! and the service manager watches that process instead of us. A `run` in the foreground stays what it watches: of a
//! process that is not its child it learns no exit code, and would restart nothing.
//!
//! ```text
//!  service manager            rruntime start (run)            container
//!        │                        │  makes notify.sock            │
//!        │                        │◀──────────── READY=1 … ───────│
//!        │◀─ READY=1 ─────────────│  nothing else is passed on    │
//!        │◀─ MAINPID=n ───────────│  only where we end now        │
//!        │◀─ BARRIER=1 + pipe ────│                               │
//! ```
//!
//! Whatever the container sends is bounded, never parsed beyond one fixed line, and never copied; descriptors that come
//! with it are refused by the kernel or, before Linux 6.16, closed by a thread that nothing waits for
//! (`notify_reader`). The wait ends when the process does. The lock is not held meanwhile: the container
//! can be looked at, killed and deleted.

use crate::engine::Waits;
use crate::engine::caller::notify_reader;
use crate::error::{Error, Kind, Result};
use crate::state::Entry;
use crate::sys::{Errno, SysResult, file, poll, socket};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

const DIRECTORY: &CStr = c"notify";
const SOCKET: &CStr = c"notify/notify.sock";
/// How long the service manager may take to have read what we sent: a peer without BARRIER=1 never says so.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the reader may take for what was said before the program ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Seconds that it may take to have room for a message.
const SEND_PATIENCE: i64 = 10;

/// Makes the directory that is bound. Whatever the umask is, the container's user may look for the socket in it.
pub fn make_directory(entry: &Entry) -> Result<()> {
    let made = file::mkdirat(entry.dir(), DIRECTORY, 0o755).and_then(|()| {
        let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let directory = file::openat2(entry.dir(), DIRECTORY, flags, 0, libc::RESOLVE_BENEATH)?;
        Ok(nix::sys::stat::fchmod(&directory, nix::sys::stat::Mode::from_bits_retain(0o755))?)
    });
    made.map_err(|e| e.because("make the directory of the notify socket"))
}

/// The two ends.
#[derive(Debug)]
pub struct Proxy {
    /// The reader of what the container writes.
    news: OwnedFd,
    /// What the service manager reads.
    host: OwnedFd,
    pid: i32,
    told: bool,
}

impl Proxy {
    /// Makes the container's socket, and finds the service manager's, before the program runs.
    pub fn new(entry: &Entry, host: &Path, pid: i32) -> Result<Proxy> {
        let named = |error: Error| error.field("NOTIFY_SOCKET").value(host.display());
        let manager = socket::connect_datagram(host, SEND_PATIENCE).map_err(|e| {
            named(e.because("connect to the service manager").kind(Kind::Argument).remedy(
                "the variable names the socket of the service manager that runs us; unset it if there is none",
            ))
        })?;
        let news = bind(entry).and_then(notify_reader::start);
        let news = news.map_err(|e| named(e.because("make the container's notify socket")))?;
        Ok(Proxy { news, host: manager, pid, told: false })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }

    /// Looks for news; `true` once the program has said that it is ready.
    pub fn hear(&mut self) -> Result<bool> {
        match socket::receive_datagram(self.news.as_fd(), &mut [0; 16]) {
            Ok(1..) if !self.told => {
                self.told = true;
                self.tell(b"READY=1\n")?;
            }
            Ok(1..) | Err(Errno(libc::EAGAIN)) => {}
            Ok(0) => return Err(Error::new("the container's notify socket is not read any more")),
            Err(e) => return Err(e.because("read from the container's notify socket")),
        }
        Ok(self.told)
    }

    /// The program has ended: what it said before counts, as far as the reader can say it.
    pub fn last_words(&mut self) -> bool {
        let deadline = Instant::now() + LAST_WORDS;
        if socket::end_of_words(self.news.as_fd()).is_err() {
            return self.told;
        }
        while !self.told {
            match poll::readable(self.news.as_fd(), Some(deadline)) {
                // The reader has ended, or the service manager: no one is left to tell.
                Ok(true) if self.hear().is_ok() => {}
                _ => break,
            }
        }
        self.told
    }

    fn tell(&self, message: &[u8]) -> Result<()> {
        socket::send(self.host.as_fd(), message, &[]).map_err(refused)
    }

    /// Waits until the program is ready, or has ended; then until the service manager has read it, because it asks the
    /// kernel who we are, and we are about to end.
    pub fn wait(mut self, process: BorrowedFd, waits: &Waits) -> Result<()> {
        loop {
            let first = waits.first(&[self.news.as_fd(), process], self.pid, None)?;
            let (said, ended) = (first == Some(0), first == Some(1));
            if (said && self.hear()?) || (ended && self.last_words()) {
                self.tell(format!("MAINPID={}\n", self.pid).as_bytes())?;
                return self.barrier(waits);
            }
            if ended {
                return Ok(());
            }
        }
    }

    /// BARRIER=1 with the end of a pipe: it is closed when everything before it was read (sd_notify(3)).
    fn barrier(&self, waits: &Waits) -> Result<()> {
        let (ours, theirs) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)
            .map_err(|e| Errno::from(e).because("pipe for the service manager"))?;
        socket::send(self.host.as_fd(), b"BARRIER=1", &[theirs.as_raw_fd()]).map_err(refused)?;
        drop(theirs);
        // Closed, or the other end knows no barriers.
        waits.wait_once(&[ours.as_fd()], Instant::now() + PATIENCE).map(drop)
    }
}

fn refused(errno: Errno) -> Error {
    errno.because("tell the service manager that the container is ready").field("NOTIFY_SOCKET")
}

/// A socket that every process of the container may write to. A container with all rights could write to the directory:
/// what gets the permissions is held by a descriptor, and is a socket.
fn bind(entry: &Entry) -> SysResult<OwnedFd> {
    match file::unlinkat(entry.dir(), SOCKET, 0) {
        // What an earlier `start` that was killed has left.
        Ok(()) | Err(Errno(libc::ENOENT)) => {}
        Err(e) => return Err(e),
    }
    let path = format!("/proc/self/fd/{}/notify/notify.sock", entry.dir().as_raw_fd());
    let socket = socket::bind_datagram(Path::new(&path))?;
    let resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS;
    let made = file::openat2(entry.dir(), SOCKET, libc::O_PATH | libc::O_NOFOLLOW, 0, resolve)?;
    if file::kind(made.as_fd())? != libc::S_IFSOCK {
        return Err(Errno(libc::EEXIST));
    }
    let path = format!("/proc/self/fd/{}", made.as_raw_fd());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))
        .map_err(|e| Errno(e.raw_os_error().unwrap_or(libc::EIO)))?;
    Ok(socket)
}
