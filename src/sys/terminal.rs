//! Terminals: size and raw mode.

use super::{SysResult, check, owned};
use nix::sys::stat::{Mode, fchmod};
use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd};

/// ioctl(TIOCSWINSZ). Reference: ioctl_tty(2).
pub fn set_size(terminal: BorrowedFd, rows: u16, columns: u16) -> SysResult<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: size is valid for the call, which reads a struct winsize.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &size) }).map(drop)
}

/// ioctl(TIOCGWINSZ): (rows, columns).
pub fn size(terminal: BorrowedFd) -> SysResult<(u16, u16)> {
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut size: libc::winsize = unsafe { zeroed() };
    // SAFETY: size is ours for the call, which fills a struct winsize.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &mut size) })?;
    Ok((size.ws_row, size.ws_col))
}

/// ioctl(TIOCGPTN): the number of a terminal in its devpts, by its master. Reference: ioctl_tty(2).
pub fn number(master: BorrowedFd) -> SysResult<u32> {
    let mut number: libc::c_uint = 0;
    // SAFETY: number is ours for the call, which fills an unsigned int.
    check(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN, &mut number) })?;
    Ok(number)
}

/// ioctl(TIOCGPTPEER) and fchmod(2): the mode of a terminal, by its master. Reference: ioctl_tty(2).
pub fn set_mode(master: BorrowedFd, mode: u32) -> SysResult<()> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the argument is a number; the call returns a new descriptor.
    let peer = unsafe { owned(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags)) }?;
    Ok(fchmod(peer, Mode::from_bits_retain(mode))?)
}

/// Lets the lines that are written to the terminal of this master end as they are written: `\n` stays `\n`. Reference:
/// termios(3).
pub fn keep_line_ends(master: BorrowedFd) -> SysResult<()> {
    // A master answers for its terminal.
    let mut mode = mode(master)?;
    mode.c_oflag &= !libc::ONLCR;
    // SAFETY: mode is valid for the call.
    check(unsafe { libc::tcsetattr(master.as_raw_fd(), libc::TCSANOW, &mode) }).map(drop)
}

fn mode(terminal: BorrowedFd) -> SysResult<libc::termios> {
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut mode: libc::termios = unsafe { zeroed() };
    // SAFETY: mode is ours for the call.
    check(unsafe { libc::tcgetattr(terminal.as_raw_fd(), &mut mode) })?;
    Ok(mode)
}

/// A terminal in raw mode; dropped, it is as it was, to the last bit: nix keeps only the flags that it knows.
pub struct Raw<'a> {
    terminal: BorrowedFd<'a>,
    before: libc::termios,
}

/// Puts a terminal into raw mode. `ENOTTY` if it is none. Reference: termios(3).
pub fn raw(terminal: BorrowedFd) -> SysResult<Raw> {
    let before = mode(terminal)?;
    let mut raw = before;
    // SAFETY: raw is ours for both calls.
    check(unsafe {
        libc::cfmakeraw(&mut raw);
        libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &raw)
    })?;
    Ok(Raw { terminal, before })
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        // SAFETY: before is a copy of what tcgetattr gave. A terminal that has gone needs no repair.
        unsafe { libc::tcsetattr(self.terminal.as_raw_fd(), libc::TCSANOW, &self.before) };
    }
}
