//! `tmpcopyup`: a tmpfs that begins with what the image has at its place.
//!
//! Both trees are open; every name is opened without following a link, below a held descriptor. The source is the
//! image's, and may be a running container's: what is behind a name may be another thing at the next look. So it is
//! opened once, by O_PATH, which does nothing to it; what that descriptor is of decides, and only a file or a directory
//! is opened for reading, through the descriptor. Depth is bounded, and size by the tmpfs. Directories, files and links
//! are copied with owner and mode; device nodes, sockets and pipes are left out.

use crate::path;
use crate::sys::{self, Errno, Fd, Stat, Sys};
use core::ffi::CStr;

/// Deeper trees are refused: each level takes a few kilobytes of the stack.
const DEEPEST: u32 = 64;
const CHUNK: usize = 1 << 20;
const PLAIN: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;

/// Copies what is in `from` into `to`, and the owner of `from` itself, and perhaps its mode. Both may be O_PATH descriptors.
/// `proc` is a procfs in which this process is.
pub fn tree(proc: Fd, from: Fd, to: Fd, with_mode: bool) -> Sys<()> {
    let source = readable_directory(from)?;
    let target = readable_directory(to)?;
    directory(proc, source, target, 0)?;
    let found = sys::fstat(source)?;
    if with_mode {
        own(&found, target)?;
    } else {
        sys::fchownat(target, c"", found.uid, found.gid)?;
    }
    sys::close(source);
    sys::close(target);
    Ok(())
}

fn readable_directory(found: Fd) -> Sys<Fd> {
    sys::openat2(found, c".", libc::O_RDONLY | libc::O_DIRECTORY, 0, PLAIN)
}

fn directory(proc: Fd, source: Fd, target: Fd, depth: u32) -> Sys<()> {
    if depth > DEEPEST {
        return Err(Errno(libc::ELOOP));
    }
    let mut buffer = [0u8; 2048];
    loop {
        let filled = sys::entries(source, &mut buffer)?;
        if filled == 0 {
            break;
        }
        let mut rest = &buffer[..filled];
        while !rest.is_empty() {
            let name;
            (name, rest) = entry(rest).ok_or(Errno(libc::EIO))?;
            if !matches!(name.to_bytes(), b"." | b"..") {
                one(proc, source, target, name, depth)?;
            }
        }
    }
    Ok(())
}

/// The first name, and what is behind its entry. struct linux_dirent64: inode u64, offset u64, length u16, kind u8, name.
fn entry(entries: &[u8]) -> Option<(&CStr, &[u8])> {
    let length = u16::from_ne_bytes(entries.get(16..18)?.try_into().ok()?);
    let (entry, after) = entries.split_at_checked(usize::from(length))?;
    Some((CStr::from_bytes_until_nul(entry.get(19..)?).ok()?, after))
}

fn one(proc: Fd, source: Fd, target: Fd, name: &CStr, depth: u32) -> Sys<()> {
    let flags = libc::O_PATH | libc::O_NOFOLLOW;
    let opened = match sys::openat2(source, name, flags, 0, PLAIN) {
        // It has gone since the directory was read.
        Err(Errno(libc::ENOENT)) => return Ok(()),
        // What is mounted there belongs to others; of a directory the place is made.
        Err(Errno(libc::EXDEV)) if is_directory(source, name) => {
            return sys::mkdirat(target, name, 0o700);
        }
        other => other?,
    };
    let found = sys::fstat(opened)?;
    match found.kind() {
        libc::S_IFDIR => {
            sys::mkdirat(target, name, 0o700)?;
            let below = readable_directory(opened)?;
            let flags = libc::O_RDONLY | libc::O_DIRECTORY;
            let copy = sys::openat2(target, name, flags, 0, PLAIN)?;
            directory(proc, below, copy, depth + 1)?;
            own(&found, copy)?;
            sys::close(below);
            sys::close(copy);
        }
        libc::S_IFREG => {
            let readable = path::reopen(proc, opened, libc::O_RDONLY)?;
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
            let copy = sys::openat2(target, name, flags, 0o600, PLAIN)?;
            while sys::sendfile(copy, readable, CHUNK)? != 0 {}
            own(&found, copy)?;
            sys::close(readable);
            sys::close(copy);
        }
        libc::S_IFLNK => {
            let mut text = [0u8; libc::PATH_MAX as usize];
            let to = sys::link_text(opened, c"", &mut text)?;
            sys::symlinkat(to, target, name)?;
            sys::fchownat(target, name, found.uid, found.gid)?;
        }
        _ => {}
    }
    sys::close(opened);
    Ok(())
}

fn is_directory(parent: Fd, name: &CStr) -> bool {
    sys::stat(parent, name, libc::AT_SYMLINK_NOFOLLOW).is_ok_and(|found| found.kind() == libc::S_IFDIR)
}

/// Owner first: changing it takes set-id bits away.
fn own(found: &Stat, to: Fd) -> Sys<()> {
    sys::fchownat(to, c"", found.uid, found.gid)?;
    sys::fchmod(to, found.mode & 0o7777)
}
