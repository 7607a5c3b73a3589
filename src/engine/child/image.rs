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
use std::sync::{Arc, Mutex, PoisonError};

pub static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rruntime-init"));

/// The size of init, which has a budget (`tests/lifecycle/budget`).
pub const IMAGE_SIZE: usize = IMAGE.len();

/// One for all that this process starts, where its caller has asked for that ([`keep_init`]).
static KEPT: Mutex<Keeping> = Mutex::new(Keeping::Off);

enum Keeping {
    Off,
    On(Option<(Arc<OwnedFd>, Attributes)>),
}

/// Mode, owner, and when an attribute was changed last.
type Attributes = (u32, u32, u32, i64, i64);

fn attributes(file: &OwnedFd) -> SysResult<Attributes> {
    let found = nix::sys::stat::fstat(file)?;
    Ok((found.st_mode, found.st_uid, found.st_gid, found.st_ctime, found.st_ctime_nsec))
}

/// From now on this process keeps the memory file and starts each init from it: to write one anew is a tenth of an exec's
/// work. That is for a process that stays, as a shim does; the file takes 50 KB of memory that no process has mapped.
pub fn keep_init() {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(*kept, Keeping::Off) {
        *kept = Keeping::On(None);
    }
}

/// The next init is started from a new file.
pub fn forget() {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Keeping::On(kept) = &mut *kept {
        *kept = None;
    }
}

/// In memory where the host allows that.
///
/// One that is kept runs in many containers. Its seals hold against all of them: nobody can change a byte of it. A process
/// that may trace init can change the mode or the owner of the file that it runs from, or keep it open for writing, which
/// would keep the next one from being started. The former shows in its attributes, the latter at the exec ([`forget`]), and
/// another file takes its place.
pub fn image() -> SysResult<Arc<OwnedFd>> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let Keeping::On(kept) = &mut *kept else {
        drop(kept);
        return sealed(c"rruntime-init", IMAGE).map(Arc::new);
    };
    if let Some((file, made)) = kept
        && attributes(file)? == *made
    {
        return Ok(Arc::clone(file));
    }
    *kept = None;
    match memory::sealed(c"rruntime-init", Content::Program, IMAGE) {
        Ok(file) => {
            let (made, file) = (attributes(&file)?, Arc::new(file));
            *kept = Some((Arc::clone(&file), made));
            Ok(file)
        }
        // What has no seals is for one process.
        Err(Errno(libc::EACCES)) => file_of(IMAGE).map(Arc::new),
        Err(errno) => Err(errno),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::{Mode, fchmod, fstat};

    #[test]
    fn a_kept_image_runs_again_and_again_until_its_mode_was_changed() {
        keep_init();
        let number = |file: &OwnedFd| fstat(file).unwrap().st_ino;
        let first = image().unwrap();
        assert_eq!(number(&image().unwrap()), number(&first));
        fchmod(&*first, Mode::empty()).unwrap();
        let second = image().unwrap();
        assert_ne!(number(&second), number(&first));
        assert_ne!(fstat(&*second).unwrap().st_mode & 0o111, 0);
        assert!(file::write_all(second.as_fd(), b"#!").is_err());
    }
}
