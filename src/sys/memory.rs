//! Memory files: programs and plans that no process can change once they are sealed.

use super::{Errno, SysResult, check, owned};
use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

const SEALS: i32 = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

/// May the file's content be executed?
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Program,
    Data,
}

/// memfd_create(2), filled with `bytes` and sealed.
/// `EACCES` for a program where `vm.memfd_noexec` forbids it.
pub fn sealed(name: &CStr, content: Content, bytes: &[u8]) -> SysResult<OwnedFd> {
    let execution = match content {
        Content::Program => libc::MFD_EXEC,
        Content::Data => libc::MFD_NOEXEC_SEAL,
    };
    let common = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let file = match memfd_create(name, common | execution) {
        // Before Linux 6.3 every memory file could be executed and there was no flag to say so.
        Err(Errno(libc::EINVAL)) => memfd_create(name, common)?,
        other => other?,
    };
    super::file::write_all(file.as_fd(), bytes)?;
    // SAFETY: F_ADD_SEALS takes numbers.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEALS) })?;
    Ok(file)
}

fn memfd_create(name: &CStr, flags: u32) -> SysResult<OwnedFd> {
    // SAFETY: name is NUL-terminated; the call returns a new descriptor.
    unsafe { owned(libc::memfd_create(name.as_ptr(), flags)) }
}

/// An empty memory file to write to.
pub fn scratch(name: &CStr) -> SysResult<OwnedFd> {
    memfd_create(name, libc::MFD_CLOEXEC)
}

/// Lets go of this program's code and constants, which come again from its file when they are used: what a process that
/// waits holds of them is memory that nobody needs. Reference: madvise(2), MADV_DONTNEED.
pub fn let_go_of_code() -> SysResult<()> {
    let text =
        std::fs::read_to_string("/proc/self/maps").map_err(|e| Errno(e.raw_os_error().unwrap_or(0)))?;
    let code = |line: &&str| line.split(' ').nth(1).is_some_and(|rights| rights == "r-xp");
    let Some(last) = text.lines().find(code) else { return Ok(()) };
    let file = last.rsplit(' ').next();
    // Up to the code: what lies behind it has been relocated, or written to, and is nowhere else.
    for line in text.lines().filter(|line| line.rsplit(' ').next() == file) {
        let mut words = line.split([' ', '-']);
        let mut address = || words.next().and_then(|word| usize::from_str_radix(word, 16).ok());
        let (Some(from), Some(to)) = (address(), address()) else { break };
        if line.contains(" r--p ") || line == last {
            // SAFETY: neither part was ever written to, so that the kernel has the same bytes to give again; that of the
            // code in which we are, too.
            check(unsafe { libc::madvise(from as *mut libc::c_void, to - from, libc::MADV_DONTNEED) })?;
        }
        if line == last {
            break;
        }
    }
    Ok(())
}

/// What has been written to such a file, as text; no more than `limit` bytes.
pub fn written(file: OwnedFd, limit: u64) -> String {
    let mut bytes = Vec::new();
    // What cannot be read is missing in a message.
    let _ = rewound(file).map(|file| File::from(file).take(limit).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// The file with its position at the beginning, for a reader that shares it.
pub fn rewound(file: OwnedFd) -> SysResult<OwnedFd> {
    // SAFETY: lseek takes numbers.
    check(unsafe { libc::lseek(file.as_raw_fd(), 0, libc::SEEK_SET) })?;
    Ok(file)
}
