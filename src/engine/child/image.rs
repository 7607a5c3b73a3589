//! The sealed init as a file that can be executed.
//!
//! Nothing of rruntime's own binary is ever visible in a container: what runs there is a memory file that no
//! process can write, or, where the host forbids to execute memory files, a file on a read-only tmpfs that is mounted
//! nowhere (CVE-2019-5736).

use crate::sys::memory::{self, Content};
use crate::sys::{Errno, SysResult, file, mount};
use nix::sys::statvfs::{FsFlags, fstatvfs};
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

pub static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rruntime-init"));

/// The size of init, which has a budget (`tests/lifecycle/budget`).
pub const IMAGE_SIZE: usize = IMAGE.len();

/// In memory where the host allows that. Each init has a file of its own: seals hold off what would change it, and not a
/// lease, which lets everybody's next exec of the file wait, nor a watch on it.
pub fn image() -> SysResult<OwnedFd> {
    sealed(c"rruntime-init", IMAGE)
}

/// The same of another program.
pub fn sealed(name: &CStr, program: &[u8]) -> SysResult<OwnedFd> {
    match memory::sealed(name, Content::Program, program) {
        // vm.memfd_noexec=2
        Err(Errno(libc::EACCES)) => file_of(program),
        other => other,
    }
}

/// init as a file of a tmpfs that is mounted nowhere and read-only by the time it runs.
pub fn image_file() -> SysResult<OwnedFd> {
    file_of(IMAGE)
}

fn file_of(program: &[u8]) -> SysResult<OwnedFd> {
    let tmpfs = match mount::detached_tmpfs() {
        // An ordinary user may mount nothing here.
        Err(Errno(libc::EPERM)) => return nameless_file(program),
        other => other?,
    };
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
    file::write_all(file::openat2(tmpfs.as_fd(), c"init", flags, 0o500, 0)?.as_fd(), program)?;
    mount::set_attributes(tmpfs.as_fd(), libc::MOUNT_ATTR_RDONLY)?;
    file::openat2(tmpfs.as_fd(), c"init", libc::O_RDONLY, 0, 0)
}

/// A file that has never had a name and is used for this one process. The container's root, who is the
/// user, could write to it once init is gone: then no process runs it any more.
fn nameless_file(program: &[u8]) -> SysResult<OwnedFd> {
    let mut refused = Errno(libc::EACCES);
    for place in [c"/dev/shm", c"/tmp", c"/var/tmp"] {
        let flags = libc::O_TMPFILE | libc::O_EXCL | libc::O_RDWR;
        let made = file::openat2(file::cwd(), place, flags, 0o500, 0).and_then(|writable| {
            file::write_all(writable.as_fd(), program)?;
            let executable =
                fstatvfs(&writable).is_ok_and(|found| !found.flags().contains(FsFlags::ST_NOEXEC));
            // A program cannot be executed while it is open for writing.
            let readable = file::reopen(writable.as_fd(), libc::O_RDONLY)?;
            if executable { Ok(readable) } else { Err(Errno(libc::EACCES)) }
        });
        match made {
            Ok(file) => return Ok(file),
            Err(errno) => refused = errno,
        }
    }
    Err(refused)
}
