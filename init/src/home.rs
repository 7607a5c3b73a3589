//! HOME, as passwd(5) of the container has it. The file is the image's: it may be a device that never ends, a pipe,
//! or a link to either, so only a regular file is read, and no more than a bounded part of it (CVE-2026-47262).
//! The id is compared as a number and nothing else: an image cannot name itself into another user.

use crate::sys::{self, Fd};
use core::ffi::CStr;

/// What is read of the file at most.
const LIMIT: usize = 1 << 20;
const LONGEST: usize = 512;
const NAME: &[u8] = b"HOME=";

/// `HOME=` with a directory, NUL-terminated.
pub struct Variable([u8; LONGEST]);

impl Variable {
    fn of(directory: &[u8]) -> Variable {
        let mut text = [0; LONGEST];
        let room = LONGEST - NAME.len() - 1;
        let fits = !directory.is_empty() && directory.len() <= room;
        let directory = if fits { directory } else { b"/" };
        text[..NAME.len()].copy_from_slice(NAME);
        text[NAME.len()..NAME.len() + directory.len()].copy_from_slice(directory);
        Variable(text)
    }

    pub fn as_c_str(&self) -> Option<&CStr> {
        CStr::from_bytes_until_nul(&self.0).ok()
    }
}

/// The variable for user `uid`; `/` where the file knows no such user.
pub fn variable(uid: u32) -> Option<Variable> {
    Some(find(uid).unwrap_or_else(|| Variable::of(b"/")))
}

fn find(uid: u32) -> Option<Variable> {
    let regular =
        |file, path| sys::stat(file, path, 0).is_ok_and(|found| found.mode & libc::S_IFMT == libc::S_IFREG);
    // Before it is opened, because opening a device can do something by itself; and after, for what we have got.
    if !regular(Fd::CWD, c"/etc/passwd") {
        return None;
    }
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = sys::openat2(Fd::CWD, c"/etc/passwd", flags, 0, libc::RESOLVE_NO_MAGICLINKS).ok()?;
    let variable = if regular(file, c"") { search(file, uid) } else { None };
    sys::close(file);
    variable
}

/// Reads line by line through one buffer; a line that is longer than the buffer is nobody's.
fn search(file: Fd, uid: u32) -> Option<Variable> {
    let mut buffer = [0u8; 4096];
    let (mut filled, mut total, mut too_long) = (0, 0, false);
    loop {
        let count = sys::read(file, &mut buffer[filled..]).ok()?;
        total += count;
        filled += count;
        let mut begin = 0;
        while let Some(length) = buffer[begin..filled].iter().position(|&b| b == b'\n') {
            let line = &buffer[begin..begin + length];
            begin += length + 1;
            if !core::mem::take(&mut too_long)
                && let Some(directory) = home_in(line, uid)
            {
                return Some(Variable::of(directory));
            }
        }
        if count == 0 || total > LIMIT {
            let last = &buffer[begin..filled];
            return home_in(last, uid).filter(|_| !too_long).map(Variable::of);
        }
        if begin == 0 && filled == buffer.len() {
            too_long = true;
            filled = 0;
        } else {
            buffer.copy_within(begin..filled, 0);
            filled -= begin;
        }
    }
}

/// The sixth field, if the third is `uid`.
fn home_in(line: &[u8], uid: u32) -> Option<&[u8]> {
    let mut fields = line.split(|&b| b == b':');
    let number = fields.nth(2)?;
    if number.is_empty() || number.len() > 10 {
        return None;
    }
    let mut id = 0u64;
    for digit in number {
        id = id * 10 + u64::from(digit.checked_sub(b'0').filter(|d| *d < 10)?);
    }
    if id == u64::from(uid) { fields.nth(2) } else { None }
}
