//! LISTEN_PID: a program takes the sockets of LISTEN_FDS only if this names the program itself, by the number that it
//! has in its own pid namespace (sd_listen_fds(3)). Only the process itself knows that number.

use crate::decimal::{self, DIGITS};
use core::ffi::CStr;

const NAME: &[u8] = b"LISTEN_PID=";

/// `LISTEN_PID=` with a number, NUL-terminated.
pub struct Variable([u8; NAME.len() + DIGITS + 1]);

impl Variable {
    pub fn as_c_str(&self) -> Option<&CStr> {
        CStr::from_bytes_until_nul(&self.0).ok()
    }
}

pub fn variable(pid: i32) -> Variable {
    let mut text = [0; NAME.len() + DIGITS + 1];
    text[..NAME.len()].copy_from_slice(NAME);
    decimal::write(pid.unsigned_abs(), &mut text[NAME.len()..]);
    Variable(text)
}
