//! The attach socket, as its clients see it.

use crate::error::{Error, Kind, Result};
use crate::shim::detached::Place;
use crate::sys::{Errno, c, file, socket};
use std::os::fd::{AsFd, OwnedFd};

pub use crate::shim::conmon::clients::{ERRORS, PACKET};

/// Connects to the shim; neither end waits for the other.
pub fn connect(place: &Place) -> Result<OwnedFd> {
    let path = place.path.join("attach");
    let connected = socket::connect(&path).and_then(|socket| {
        file::set_nonblocking(socket.as_fd(), true)?;
        Ok(socket)
    });
    connected.map_err(|e| match e {
        Errno(libc::ENOENT) => Error::new("the container has ended")
            .kind(Kind::WrongState)
            .value(&place.id)
            .remedy("`rruntime logs` shows its output, `rruntime wait` its exit code"),
        Errno(libc::ECONNREFUSED) => {
            Error::new("the keeper of its shim was killed: nobody can attach any more")
                .kind(Kind::WrongState)
                .value(&place.id)
                .remedy("`rruntime logs` shows what the shim, if it still runs, writes on")
        }
        e => e.because(format!("connect to {}", path.display())),
    })
}

/// Gives the container's terminal a size.
pub fn resize(place: &Place, (rows, columns): (u16, u16)) -> Result<()> {
    let path = place.path.join("winsz");
    let failed = |e: Errno| e.because(format!("write to {}", path.display()));
    let fifo =
        c(&path).and_then(|path| file::openat2(file::cwd(), &path, libc::O_WRONLY | libc::O_NONBLOCK, 0, 0));
    match fifo {
        Ok(fifo) => file::write_all(fifo.as_fd(), format!("{rows} {columns}\n").as_bytes()).map_err(failed),
        // The container has ended.
        Err(Errno(libc::ENXIO | libc::ENOENT)) => Ok(()),
        Err(e) => Err(failed(e)),
    }
}
