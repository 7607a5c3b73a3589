//! POSIX extended regular expressions, by the C library: a crate for them would be a tenth of the binary.

use super::c;
use crate::error::{Error, Kind, Result};
use std::mem::MaybeUninit;

/// A compiled expression. The C library may keep pointers into itself, so it stays where it was made.
pub struct Regex(Box<libc::regex_t>);

impl Regex {
    /// regcomp(3) with REG_EXTENDED. An expression that it does not take is an error with its own words.
    pub fn new(expression: &str) -> Result<Regex> {
        let refused = |reason: String| {
            Error::new(reason)
                .kind(Kind::Argument)
                .field("--regex")
                .value(expression)
                .remedy("write a POSIX extended regular expression: see regex(7)")
        };
        let text = c(expression).map_err(|_| refused("it contains a NUL byte".to_owned()))?;
        let mut compiled: Box<MaybeUninit<libc::regex_t>> = Box::new(MaybeUninit::zeroed());
        // SAFETY: the first argument is room for one regex_t, the second is NUL-terminated.
        let code = unsafe {
            libc::regcomp(compiled.as_mut_ptr(), text.as_ptr(), libc::REG_EXTENDED | libc::REG_NOSUB)
        };
        if code == 0 {
            // SAFETY: regcomp has succeeded, so it has filled the object in.
            return Ok(Regex(unsafe { compiled.assume_init() }));
        }
        let mut words = [0u8; 128];
        // SAFETY: regerror takes the object of a failed regcomp, and writes at most `words.len()` bytes.
        unsafe { libc::regerror(code, compiled.as_ptr(), words.as_mut_ptr().cast(), words.len()) };
        let words = words.split(|&b| b == 0).next().unwrap_or_default();
        Err(refused(String::from_utf8_lossy(words).to_lowercase()))
    }

    /// regexec(3): whether the expression is found anywhere in `text`.
    pub fn is_in(&self, text: &str) -> bool {
        let Ok(text) = c(text) else { return false };
        // SAFETY: the expression is compiled, the text is NUL-terminated, and no matches are asked for.
        unsafe { libc::regexec(&*self.0, text.as_ptr(), 0, std::ptr::null_mut(), 0) == 0 }
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: compiled in `new` and freed only here.
        unsafe { libc::regfree(&mut *self.0) };
    }
}
