//! A container that rruntime 0.1.0 has created waits on a socket in its state directory. Its init accepts there, asks for
//! its startContainer hooks, and loads its filter only then.

use crate::engine::Waits;
use crate::engine::child::init::out_of_turn;
use crate::engine::child::message::{self, Heard, Trouble};
use crate::error::{Error, Result};
use crate::plan::deeds::{Deed, HookKind};
use crate::state::{Entry, START_SOCKET};
use crate::sys::{SysResult, file, socket};
use crate::wire::Word;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

pub fn connect(entry: &Entry) -> SysResult<OwnedFd> {
    // By the directory's descriptor: a path may be long, and the address of a socket is short.
    let path = format!("/proc/self/fd/{}/{}", entry.dir().as_raw_fd(), START_SOCKET.to_string_lossy());
    socket::connect(path.as_ref())
}

/// The container runs now, or has ended.
pub fn remove(entry: &Entry) -> Result<()> {
    file::unlinkat(entry.dir(), START_SOCKET, 0).map_err(|e| e.because("remove the start socket"))
}

/// Says start, and returns when the program runs; meanwhile init asks for its hooks to be run and its listener to be sent.
/// Which step of its plan failed is unknown: today's plans have other steps.
pub fn start(
    (control, pid): (&OwnedFd, i32),
    waits: &Waits,
    run_hooks: &dyn Fn() -> Result<()>,
    send_listener: &dyn Fn(OwnedFd) -> Result<()>,
) -> std::result::Result<(), (Deed, Error)> {
    let failed = |error| (Deed::AwaitProgram, error);
    message::say(control.as_fd(), Word::Go).map_err(failed)?;
    loop {
        waits.wait(&[control.as_fd()], pid).map_err(failed)?;
        match message::hear(control.as_fd()).map_err(failed)?.heard {
            Heard::Reached(_) => {
                run_hooks().map_err(|error| (Deed::RunHooks(HookKind::StartContainer), error))?;
                message::say(control.as_fd(), Word::Go).map_err(failed)?;
            }
            Heard::Listener(listener) => send_listener(listener).map_err(failed)?,
            Heard::Failed(Trouble { message, .. }) => {
                return Err(failed(Error::os("the container's init failed after start", message.errno)));
            }
            Heard::Closed => return Ok(()),
            _ => return Err(failed(out_of_turn())),
        }
    }
}
