//! ioctl(2): terminals, and namespaces.

use super::{Fd, Sys, call_memory, calls, fd};

const NS_GET_USERNS: usize = 0xb701;

calls! {
    /// The user namespace that owns this namespace.
    owner(namespace: Fd) -> Fd = SYS_ioctl [namespace.raw(), NS_GET_USERNS, 0];
    unlock_terminal(master: Fd) = SYS_ioctl [master.raw(), libc::TIOCSPTLCK as usize, &raw const UNLOCK as usize];
    /// TIOCGPTPEER: the other end, whatever is mounted where its name points. Without `O_NOCTTY` a session leader has it as
    /// its terminal from that moment on, if no session has it yet.
    open_slave(master: Fd, noctty: i32) -> Fd = SYS_ioctl [master.raw(), libc::TIOCGPTPEER as usize,
        (libc::O_RDWR | noctty | libc::O_CLOEXEC) as usize];
    control_terminal(terminal: Fd) = SYS_ioctl [terminal.raw(), libc::TIOCSCTTY as usize, 0];
}

static UNLOCK: i32 = 0;

/// TIOCGPTN: the name of the other end in its devpts.
pub fn terminal_number(master: Fd) -> Sys<u32> {
    let mut number = 0u32;
    let args = [master.raw(), libc::TIOCGPTN as usize, &raw mut number as usize];
    // SAFETY: it writes one number, to `number`; so does every other device that knows this request.
    unsafe { call_memory(libc::SYS_ioctl, args) }?;
    Ok(number)
}
