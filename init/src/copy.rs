//! `tmpcopyup`: a tmpfs that begins with what the image has at its place.
//!
//! Both trees are open; every name is opened without following a link, below a held descriptor. The source is the
//! image's, so its author may try to keep us busy: depth is bounded, and size by the tmpfs. Directories, files
//! and links are copied with owner and mode; device nodes, sockets and pipes are left out.

use crate::control::{Fail, In, Outcome};
use crate::sys::{self, Errno, Fd};
use crate::wire::Part;
use core::ffi::CStr;

/// Deeper trees are refused: each level takes a few kilobytes of the stack.
const DEEPEST: u32 = 64;
const CHUNK: usize = 1 << 20;
const PLAIN: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;

/// Copies what is in `from` into `to`, and the mode and owner of `from` itself. Both may be O_PATH descriptors.
pub fn tree(from: Fd, to: Fd) -> Outcome<()> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY;
    let source = sys::openat2(from, c".", flags, 0, PLAIN).part(Part::Copy)?;
    let target = sys::openat2(to, c".", flags, 0, PLAIN).part(Part::Copy)?;
    directory(source, target, 0)?;
    sys::close(source);
    sys::close(target);
    Ok(())
}

fn directory(source: Fd, target: Fd, depth: u32) -> Outcome<()> {
    if depth > DEEPEST {
        return Err(Fail(Part::Copy, Errno(libc::ELOOP)));
    }
    let mut buffer = [0u8; 2048];
    loop {
        let filled = sys::entries(source, &mut buffer).part(Part::Copy)?;
        if filled == 0 {
            break;
        }
        let mut rest = &buffer[..filled];
        // struct linux_dirent64: inode u64, offset u64, length u16, kind u8, name.
        while let Some(length) = rest.get(16..18).map(|l| usize::from(u16::from_ne_bytes([l[0], l[1]]))) {
            let (Some(entry), Some(after)) = (rest.get(19..length), rest.get(length..)) else { break };
            rest = after;
            let Ok(name) = CStr::from_bytes_until_nul(entry) else { continue };
            if !matches!(name.to_bytes(), b"." | b"..") {
                one(source, target, name, depth)?;
            }
        }
    }
    own(source, target)
}

fn one(source: Fd, target: Fd, name: &CStr, depth: u32) -> Outcome<()> {
    let found = sys::stat(source, name, libc::AT_SYMLINK_NOFOLLOW).part(Part::Copy)?;
    match found.mode & libc::S_IFMT {
        libc::S_IFDIR => {
            sys::mkdirat(target, name, 0o700).part(Part::Copy)?;
            let flags = libc::O_RDONLY | libc::O_DIRECTORY;
            let below = sys::openat2(source, name, flags, 0, PLAIN);
            // Something mounted there belongs to somebody else.
            let Ok(below) = below else { return Ok(()) };
            let copy = sys::openat2(target, name, flags, 0, PLAIN).part(Part::Copy)?;
            directory(below, copy, depth + 1)?;
            sys::close(below);
            sys::close(copy);
        }
        libc::S_IFREG => {
            let opened =
                sys::openat2(source, name, libc::O_RDONLY | libc::O_NONBLOCK, 0, PLAIN).part(Part::Copy)?;
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
            let copy = sys::openat2(target, name, flags, 0o600, PLAIN).part(Part::Copy)?;
            while sys::sendfile(copy, opened, CHUNK).part(Part::Copy)? != 0 {}
            own(opened, copy)?;
            sys::close(opened);
            sys::close(copy);
        }
        libc::S_IFLNK => {
            let mut text = [0u8; libc::PATH_MAX as usize];
            let room = text.len() - 1;
            let length = sys::readlinkat(source, name, &mut text[..room]).part(Part::Copy)?.len();
            text[length] = 0;
            let to = CStr::from_bytes_until_nul(&text).map_err(|_| Fail(Part::Copy, Errno(libc::EINVAL)))?;
            sys::symlinkat(to, target, name).part(Part::Copy)?;
            sys::fchownat(target, name, found.uid, found.gid).part(Part::Copy)?;
        }
        _ => {}
    }
    Ok(())
}

/// Owner first: changing it takes set-id bits away.
fn own(from: Fd, to: Fd) -> Outcome<()> {
    let found = sys::stat(from, c"", 0).part(Part::Copy)?;
    sys::fchownat(to, c"", found.uid, found.gid).part(Part::Copy)?;
    sys::fchmod(to, found.mode & 0o7777).part(Part::Copy)
}
