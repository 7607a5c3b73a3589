//! The mount interface by descriptors, as far as the parent needs it.

use super::{Errno, SysResult, c, check, owned};
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

/// open_tree(dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags): a detached copy.
/// Reference: open_tree(2). `AT_RECURSIVE` copies what is mounted below as well.
pub fn clone_tree(dir: BorrowedFd, path: &CStr, flags: i32) -> SysResult<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | flags as u32;
    // SAFETY: path is NUL-terminated; the call returns a new descriptor.
    unsafe { owned(libc::syscall(libc::SYS_open_tree, dir.as_raw_fd(), path.as_ptr(), flags)) }
}

/// move_mount(mount, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH): attaches a detached mount. Reference: move_mount(2).
pub fn attach(mount: BorrowedFd, path: &CStr) -> SysResult<()> {
    let (flags, mount) = (libc::MOVE_MOUNT_F_EMPTY_PATH, mount.as_raw_fd());
    // SAFETY: both paths are NUL-terminated.
    let done = unsafe {
        libc::syscall(libc::SYS_move_mount, mount, c"".as_ptr(), libc::AT_FDCWD, path.as_ptr(), flags)
    };
    check(done).map(drop)
}

/// A new tmpfs that is mounted nowhere.
pub fn detached_tmpfs() -> SysResult<OwnedFd> {
    let context = fsopen(c"tmpfs")?;
    fsconfig(context.as_fd(), libc::FSCONFIG_CMD_CREATE, None, None)?;
    fsmount(context.as_fd(), libc::MOUNT_ATTR_NOSUID)
}

/// A file system that could not be made.
#[derive(Debug)]
pub struct Refused {
    pub errno: Errno,
    /// What it says itself, the first message of the context's log; or the call.
    pub reason: String,
}

/// A new file system that is mounted nowhere. `options` are `key=value` or a flag, `attributes` are `MOUNT_ATTR_*`.
pub fn filesystem(
    kind: &CStr,
    source: &CStr,
    options: &[CString],
    attributes: u64,
) -> Result<OwnedFd, Refused> {
    let context = fsopen(kind).map_err(|errno| Refused { errno, reason: "fsopen".to_owned() })?;
    let context = context.as_fd();
    let said = |call: &'static str| {
        move |errno| {
            let mut log = [0; 1024];
            // Without a message there is the errno alone.
            let length = super::file::read(context, &mut log).unwrap_or(0);
            let text = String::from_utf8_lossy(&log[..length]);
            let said = text.lines().next().unwrap_or_default();
            let said = said.trim_start_matches("e ").trim_start_matches("w ");
            Refused { errno, reason: if said.is_empty() { call } else { said }.to_owned() }
        }
    };
    fsconfig(context, libc::FSCONFIG_SET_STRING, Some(c"source"), Some(source)).map_err(said("fsconfig"))?;
    for option in options {
        let set = match option.to_bytes().iter().position(|byte| *byte == b'=') {
            None => fsconfig(context, libc::FSCONFIG_SET_FLAG, Some(option), None),
            Some(at) => {
                let bytes = option.to_bytes_with_nul();
                let key = c(OsStr::from_bytes(&bytes[..at])).map_err(said("fsconfig"))?;
                let value = CStr::from_bytes_with_nul(&bytes[at + 1..]).ok();
                fsconfig(context, libc::FSCONFIG_SET_STRING, Some(&key), value)
            }
        };
        set.map_err(said("fsconfig"))?;
    }
    fsconfig(context, libc::FSCONFIG_CMD_CREATE, None, None).map_err(said("create the file system"))?;
    fsmount(context, attributes).map_err(said("fsmount"))
}

/// fsopen(kind, FSOPEN_CLOEXEC). Reference: fsopen(2).
fn fsopen(kind: &CStr) -> SysResult<OwnedFd> {
    // SAFETY: the name is NUL-terminated; the call returns a new descriptor.
    unsafe { owned(libc::syscall(libc::SYS_fsopen, kind.as_ptr(), libc::FSOPEN_CLOEXEC)) }
}

/// fsconfig(context, command, key, value, 0). Reference: fsconfig(2).
fn fsconfig(context: BorrowedFd, command: u32, key: Option<&CStr>, value: Option<&CStr>) -> SysResult<()> {
    let text = |text: Option<&CStr>| text.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: key and value are NUL-terminated, or null for commands that take none.
    let done =
        unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, text(key), text(value), 0) };
    check(done).map(drop)
}

/// fsmount(context, FSMOUNT_CLOEXEC, attributes). Reference: fsmount(2).
fn fsmount(context: BorrowedFd, attributes: u64) -> SysResult<OwnedFd> {
    let (context, attributes) = (context.as_raw_fd(), attributes as u32);
    // SAFETY: fsmount takes numbers; the call returns a new descriptor.
    unsafe { owned(libc::syscall(libc::SYS_fsmount, context, libc::FSMOUNT_CLOEXEC, attributes)) }
}

/// mount_setattr(mount, "", AT_EMPTY_PATH) setting `attributes` (`MOUNT_ATTR_*`). Reference: mount_setattr(2).
pub fn set_attributes(mount: BorrowedFd, attributes: u64) -> SysResult<()> {
    mount_setattr(mount, 0, attributes, 0)
}

/// mount_setattr with MOUNT_ATTR_IDMAP: the mount shows owners by the id maps of `namespace`.
/// Reference: mount_setattr(2), ID-mapped mounts; Linux 5.12.
pub fn map_owners(mount: BorrowedFd, namespace: BorrowedFd, recursive: bool) -> SysResult<()> {
    let deep = if recursive { libc::AT_RECURSIVE } else { 0 };
    mount_setattr(mount, deep, libc::MOUNT_ATTR_IDMAP, namespace.as_raw_fd() as u64)
}

fn mount_setattr(mount: BorrowedFd, flags: i32, attr_set: u64, userns_fd: u64) -> SysResult<()> {
    let change = libc::mount_attr { attr_set, attr_clr: 0, propagation: 0, userns_fd };
    let (mount, flags, size) = (mount.as_raw_fd(), libc::AT_EMPTY_PATH | flags, size_of_val(&change));
    // SAFETY: the path is NUL-terminated; change outlives the call and its size is given.
    check(unsafe { libc::syscall(libc::SYS_mount_setattr, mount, c"".as_ptr(), flags, &change, size) })
        .map(drop)
}
