//! Directories of cgroups: how a path below a mount is resolved, and a walk over what is below a directory.
//!
//! Every step is relative to a held descriptor and is resolved below it: no links, no `..`, no other file system.

use crate::sys::{self, Errno, SysResult, file, unless_gone};
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

pub(in crate::cgroup) use crate::sys::file::{DIRECTORY, INSIDE};

/// Adds the processes of a directory and of those below it. A directory that vanishes meanwhile has none.
pub(in crate::cgroup) fn collect(dir: BorrowedFd, pids: &mut Vec<i32>) -> SysResult<()> {
    collect_from(dir, b"cgroup.procs", pids)?;
    below(dir, &mut |anchor, path| collect_from(anchor, &[path, b"/cgroup.procs"].concat(), pids))
}

fn collect_from(dir: BorrowedFd, path: &[u8], pids: &mut Vec<i32>) -> SysResult<()> {
    const LIMIT: usize = 16 << 20;
    match file::read_at(dir, &c(path)?, LIMIT, INSIDE) {
        Ok(bytes) => {
            pids.extend(String::from_utf8_lossy(&bytes).lines().filter_map(|l| l.parse::<i32>().ok()));
            Ok(())
        }
        // A threaded v2 cgroup lists its processes in the domain above it.
        Err(Errno(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP)) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// What [`below`] calls for a directory: a descriptor, and the path from it.
type Visit<'v> = dyn FnMut(BorrowedFd, &[u8]) -> SysResult<()> + 'v;

/// Visits every directory below `dir`, deepest first. A container with cgroups of its own may make thousands, side by side
/// and one in another, so nothing is open but what a path cannot reach: one descriptor for each 4 KB of path.
pub(in crate::cgroup) fn below(dir: BorrowedFd, visit: &mut Visit) -> SysResult<()> {
    walk(dir, &mut Vec::new(), visit)
}

fn walk(anchor: BorrowedFd, path: &mut Vec<u8>, visit: &mut Visit) -> SysResult<()> {
    /// With one more name and a file's it still is a path.
    const LONG: usize = libc::PATH_MAX as usize - 600;
    // Another command may have removed it.
    let Some((dir, names)) = unless_gone(open_and_list(anchor, path))? else { return Ok(()) };
    if path.len() > LONG {
        return each(dir.as_fd(), &mut Vec::new(), names, visit);
    }
    drop(dir);
    each(anchor, path, names, visit)
}

fn each(anchor: BorrowedFd, path: &mut Vec<u8>, names: Vec<CString>, visit: &mut Visit) -> SysResult<()> {
    let length = path.len();
    for name in names {
        if length > 0 {
            path.push(b'/');
        }
        path.extend(name.as_bytes());
        walk(anchor, path, visit).and_then(|()| visit(anchor, path))?;
        path.truncate(length);
    }
    Ok(())
}

/// Apart from its caller, which calls itself: the buffer of a listing is large.
#[inline(never)]
fn open_and_list(anchor: BorrowedFd, path: &[u8]) -> SysResult<(OwnedFd, Vec<CString>)> {
    let dir = file::openat2(anchor, &c(if path.is_empty() { b"." } else { path })?, DIRECTORY, 0, INSIDE)?;
    let names = file::subdirectories(dir.as_fd())?;
    Ok((dir, names))
}

pub(in crate::cgroup) fn c(path: impl AsRef<[u8]>) -> SysResult<CString> {
    sys::c(OsStr::from_bytes(path.as_ref()))
}
