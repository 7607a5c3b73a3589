//! The master of a container's pseudo terminal: sent to a socket, or given to the caller.

use super::connection;
use super::pidfd::Role;
use crate::engine::{Terminal, Waits};
use crate::error::{Error, Kind, Result};
use crate::spec::Process;
use crate::sys::{socket, terminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// What gets the terminal.
#[derive(Debug)]
pub enum Console<'a> {
    /// No terminal is asked for.
    None,
    /// The listener at the other end of `--console-socket`.
    Socket(OwnedFd),
    /// The caller, who has a terminal like this, and writes what comes of it there.
    Caller(Option<BorrowedFd<'a>>, Option<BorrowedFd<'a>>),
}

/// Decides before anything is made.
pub fn plan<'a>(process: &Process, wanted: &Terminal<'a>, role: Role, waits: &Waits) -> Result<Console<'a>> {
    let by = |create, exec| if role == Role::First { create } else { exec };
    match (process.terminal, wanted) {
        (false, Terminal::None | Terminal::Caller { .. }) => Ok(Console::None),
        (false, Terminal::Socket(path)) => {
            Err(Error::new("there is no terminal to send, because process.terminal is false")
                .kind(Kind::Argument)
                .field("--console-socket")
                .value(path.display())
                .remedy(by(
                    "set process.terminal to true, or leave the option out",
                    "add --tty, or leave the option out",
                )))
        }
        (true, Terminal::Socket(path)) => connect(path, waits).map(Console::Socket),
        (true, Terminal::Caller { like, output }) => Ok(Console::Caller(*like, *output)),
        (true, Terminal::None) => Err(no_socket(by(
            "add --console-socket, or set process.terminal to false",
            "add --console-socket, or leave --tty out",
        ))),
    }
}

/// A terminal would have no other end.
pub fn no_socket(remedy: &'static str) -> Error {
    let error = Error::new("a detached process with a terminal needs a console socket");
    error.kind(Kind::Argument).field("--console-socket").remedy(remedy)
}

fn connect(path: &Path, waits: &Waits) -> Result<OwnedFd> {
    connection::connect(path, waits, |e| {
        e.because("connect to the console socket")
            .field("--console-socket")
            .value(path.display())
            .remedy("listen on this unix socket before you call the runtime")
    })
}

/// A file that is no terminal has no size to follow.
pub fn copy_size(from: BorrowedFd, to: BorrowedFd) {
    if let Ok((rows, columns)) = terminal::size(from)
        && rows != 0
    {
        // A terminal that has gone needs no size.
        let _ = terminal::set_size(to, rows, columns);
    }
}

fn is_terminal(fd: BorrowedFd) -> bool {
    terminal::size(fd).is_ok()
}

/// The size that the config asks for, if it does.
fn resize(master: BorrowedFd, process: &Process) -> Result<()> {
    let Some(size) = &process.console_size else { return Ok(()) };
    let narrow = |n: u64| u16::try_from(n).unwrap_or(u16::MAX);
    terminal::set_size(master.as_fd(), narrow(size.height), narrow(size.width))
        .map_err(|e| e.because("set the terminal's size").field("/process/consoleSize"))
}

/// The master of a new terminal: to the socket, or kept (`Some`) for the caller. What the caller has itself is its size
/// before the program looks, else what the config asks for.
pub fn take(master: OwnedFd, console: &Console, process: &Process) -> Result<Option<OwnedFd>> {
    if !matches!(console, Console::None) {
        resize(master.as_fd(), process)?;
    }
    match console {
        Console::Socket(socket) => {
            let sent = socket::send(socket.as_fd(), b"/dev/ptmx", &[master.as_raw_fd()]);
            sent.map(|()| None).map_err(|e| e.because("send the terminal").field("--console-socket"))
        }
        Console::Caller(like, output) => {
            // A file gets the text as the program wrote it; to a terminal that stays as it is, its own mode adds the rest.
            // Between two terminals ours is raw, and the container's stays a terminal like any other.
            if output.is_some_and(|output| !is_terminal(output) || !like.is_some_and(is_terminal)) {
                terminal::keep_line_ends(master.as_fd())
                    .map_err(|e| e.because("set the terminal's mode").field("/process/terminal"))?;
            }
            like.iter().for_each(|like| copy_size(*like, master.as_fd()));
            Ok(Some(master))
        }
        // Validation and the plan have no terminal without a taker.
        Console::None => Ok(None),
    }
}
