//! What init adds to the program's environment: HOME (`home`), and LISTEN_PID, by which a program takes the sockets of
//! LISTEN_FDS only if it names the program itself, by the number that it has in its own pid namespace (sd_listen_fds(3)).
//! Only the process itself knows that number.

use core::ffi::CStr;

const LONGEST: usize = 512;

/// `NAME=value`, with zeros behind it.
pub struct Variable([u8; LONGEST]);

impl Variable {
    /// `name` is with its equals sign. `None` where there is no room for both, and a NUL.
    pub fn of(name: &[u8], value: &[u8]) -> Option<Variable> {
        let mut text = [0; LONGEST];
        let (front, rest) = text[..LONGEST - 1].split_at_mut_checked(name.len())?;
        front.copy_from_slice(name);
        rest.get_mut(..value.len())?.copy_from_slice(value);
        Some(Variable(text))
    }

    pub fn as_c_str(&self) -> Option<&CStr> {
        CStr::from_bytes_until_nul(&self.0).ok()
    }
}
