//! Standard input, output and error.

use super::face::{Face, Manner};
use crate::error::{Error, Result};
use crate::report::json;
use crate::sys::signal;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, IntoRawFd};

/// Opens /dev/null wherever a caller left 0, 1 or 2 closed. Otherwise the next file that is opened gets that
/// number, and a message is written into it.
pub fn open_closed() {
    let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let mut polled =
        [input.as_fd(), output.as_fd(), error.as_fd()].map(|fd| PollFd::new(fd, PollFlags::empty()));
    // Ignored: a call with three descriptors and no wait does not fail; if it did, no descriptor would look closed.
    let _ = poll(&mut polled, PollTimeout::ZERO);
    let closed = |fd: &&PollFd| fd.revents().is_some_and(|events| events.contains(PollFlags::POLLNVAL));
    for _ in polled.iter().filter(closed) {
        // The lowest free number is taken, so these land on the closed ones, which stay open for good.
        if let Ok(null) = open("/dev/null", OFlag::O_RDWR, Mode::empty()) {
            let _stays_open = null.into_raw_fd();
        }
    }
}

/// What a caller has chosen for itself, and the defaults of the kernel, must not decide what becomes of our work. Programs
/// that are started from here find the defaults: std sees to it for hooks, init for the container's process.
pub fn settle_signals() {
    // Ignored: these calls fail for signals that do not exist.
    // A hook that does not read its input must not end the runtime half-way.
    let _ = signal::ignore(libc::SIGPIPE);
    // A caller that ignores it would take the exit codes of our children from us.
    let _ = signal::default(libc::SIGCHLD);
    // A limit on the size of files is an error of the file that is written, and not the end of the runtime.
    let _ = signal::block(libc::SIGXFSZ);
}

/// Writes all of a command's output.
pub fn print(text: &str) -> Result<()> {
    say(text).map(drop)
}

/// Writes a part of a command's output. A reader that went away (`list | head -1`) has read enough.
pub fn say(text: &str) -> Result<ControlFlow<()>> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(e) => Err(Error::io("write to standard output", &e)),
    }
}

/// `print` for a value as JSON on several lines.
pub fn print_pretty_json(value: &impl serde::Serialize) -> Result<()> {
    print(&(json::pretty(value, "  ") + "\n"))
}

/// `print` for a list as JSON, as the readers of runc or crun expect it. A list that nothing was put into is Go's null.
pub fn print_list<T: serde::Serialize>(face: &Face, list: &[T]) -> Result<()> {
    match face.manner {
        Manner::Crun => print_pretty_json(&list),
        Manner::Runc if list.is_empty() => print("null\n"),
        Manner::Runc => print(&(json::compact(&list) + "\n")),
    }
}
