//! The master of a container's pseudo terminal: handed to the engine's socket, or joined to our own terminal.

use crate::engine::Wait;
use crate::error::{Error, Kind, Result};
use crate::spec::Process;
use crate::sys::{socket, terminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Who gets the terminal.
#[derive(Debug)]
pub enum Console {
    /// No terminal is asked for.
    None,
    /// The listener at the other end of `--console-socket`.
    Socket(OwnedFd),
    /// Our own terminal, while we wait for the process.
    Own,
}

/// Decides before anything is made. `wait`: what this command does when the process runs.
pub fn plan(process: &Process, socket: Option<&Path>, wait: Wait) -> Result<Console> {
    match (process.terminal, socket, wait) {
        (false, None, _) => Ok(Console::None),
        (false, Some(path), _) => {
            Err(Error::new("there is no terminal to send, because process.terminal is false")
                .kind(Kind::Argument)
                .field("--console-socket")
                .value(path.display())
                .remedy("leave the option out, or ask for a terminal (exec: --tty)"))
        }
        (true, Some(path), _) => connect(path).map(Console::Socket),
        (true, None, Wait::Foreground) => Ok(Console::Own),
        (true, None, Wait::Detach) => Err(Error::new(
            "cannot allocate a terminal for a process that nobody waits for without a console socket",
        )
        .kind(Kind::Argument)
        .field("--console-socket")
        .remedy("set --console-socket, or ask for no terminal (process.terminal; exec: --tty)")),
    }
}

fn connect(path: &Path) -> Result<OwnedFd> {
    socket::connect_stream(path).map_err(|e| {
        e.because("connect to the console socket")
            .field("--console-socket")
            .value(path.display())
            .remedy("the caller listens on this unix socket before it calls the runtime")
    })
}

/// Gives the terminal its size and sends it.
pub fn send(socket: BorrowedFd, master: BorrowedFd, process: &Process) -> Result<()> {
    resize(master, process)?;
    socket::send(socket, b"/dev/ptmx", &[master.as_raw_fd()])
        .map_err(|e| e.because("send the terminal").field("--console-socket"))
}

/// Gives a terminal that stays with us the size of our own before the program looks, or the one that the config
/// asks for where we have none.
pub fn keep(master: BorrowedFd, process: &Process) -> Result<()> {
    resize(master, process)?;
    copy_size(std::io::stdin().as_fd(), master);
    Ok(())
}

/// Without a terminal on our side there is no size to follow.
pub fn copy_size(from: BorrowedFd, to: BorrowedFd) {
    if let Ok((rows, columns)) = terminal::size(from)
        && rows != 0
    {
        // A terminal that has gone needs no size.
        let _ = terminal::set_size(to, rows, columns);
    }
}

/// The size that the config asks for, if it does.
pub fn resize(master: BorrowedFd, process: &Process) -> Result<()> {
    let Some(size) = &process.console_size else { return Ok(()) };
    let narrow = |n: u64| u16::try_from(n).unwrap_or(u16::MAX);
    terminal::set_size(master.as_fd(), narrow(size.height), narrow(size.width))
        .map_err(|e| e.because("set the terminal's size").field("/process/consoleSize"))
}

/// The master of a new terminal: to the socket, or kept (`Some`) for whoever waits here.
pub fn take(master: OwnedFd, console: &Console, process: &Process) -> Result<Option<OwnedFd>> {
    if let Console::Socket(socket) = console {
        send(socket.as_fd(), master.as_fd(), process)?;
        return Ok(None);
    }
    keep(master.as_fd(), process)?;
    Ok(Some(master))
}
