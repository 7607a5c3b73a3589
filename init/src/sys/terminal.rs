//! ioctl(2): terminals, and namespaces.

use super::{Fd, Sys, call, call_memory, fd};

/// NS_GET_USERNS: the user namespace that owns this namespace.
pub fn owner(namespace: Fd) -> Sys<Fd> {
    const NS_GET_USERNS: u64 = 0xb701;
    ioctl(namespace, NS_GET_USERNS, 0).map(fd)
}

/// TIOCGPTN: the name of the other end in its devpts.
pub fn terminal_number(master: Fd) -> Sys<u32> {
    let mut number = 0u32;
    let args = [master.raw(), libc::TIOCGPTN as usize, &raw mut number as usize];
    // SAFETY: it writes one number, to `number`; so does every other device that knows this request.
    unsafe { call_memory(libc::SYS_ioctl, args) }?;
    Ok(number)
}

/// TIOCSPTLCK with 0.
pub fn unlock_terminal(master: Fd) -> Sys<()> {
    let unlock = 0i32;
    let args = [master.raw(), libc::TIOCSPTLCK as usize, &raw const unlock as usize];
    // SAFETY: it reads one number.
    unsafe { call_memory(libc::SYS_ioctl, args) }.map(drop)
}

/// TIOCGPTPEER: the other end, whatever is mounted where its name points. Without `O_NOCTTY` a session leader has it as its
/// terminal from that moment on, if no session has it yet.
pub fn open_slave(master: Fd, noctty: i32) -> Sys<Fd> {
    let flags = libc::O_RDWR | noctty | libc::O_CLOEXEC;
    ioctl(master, libc::TIOCGPTPEER, flags as usize).map(fd)
}

/// TIOCSCTTY.
pub fn control_terminal(terminal: Fd) -> Sys<()> {
    ioctl(terminal, libc::TIOCSCTTY, 0).map(drop)
}

/// For requests that take a number.
fn ioctl(file: Fd, request: u64, argument: usize) -> Sys<usize> {
    call(libc::SYS_ioctl, [file.raw(), request as usize, argument])
}
