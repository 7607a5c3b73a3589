//! Names in a directory that is held open.

use super::{Errno, SysResult, check};
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd};

/// The names of the subdirectories of `dir`, without `.` and `..`. Moves the descriptor's offset, which has to be
/// at the start. Reference: getdents64(2). A file system that does not tell types (`DT_UNKNOWN`) shows none;
/// the kernel's own pseudo file systems all tell.
pub fn subdirectories(dir: BorrowedFd) -> SysResult<Vec<CString>> {
    let mut names = Vec::new();
    let mut buffer = [0_u8; 8192];
    loop {
        // SAFETY: the pointer and the length describe `buffer`, which is exclusively ours for the call.
        let n = check(unsafe {
            libc::syscall(libc::SYS_getdents64, dir.as_raw_fd(), buffer.as_mut_ptr(), buffer.len())
        })? as usize;
        if n == 0 {
            return Ok(names);
        }
        let mut rest = &buffer[..n];
        // struct linux_dirent64: u64 inode, i64 offset, u16 record length, u8 type, NUL-terminated name.
        while rest.len() > 19 {
            let length = usize::from(u16::from_ne_bytes([rest[16], rest[17]]));
            let record = rest.get(..length).ok_or(Errno(libc::EIO))?;
            let name = CStr::from_bytes_until_nul(&record[19..]).map_err(|_| Errno(libc::EIO))?;
            if record[18] == libc::DT_DIR && name != c"." && name != c".." {
                names.push(name.to_owned());
            }
            rest = &rest[length..];
        }
    }
}
