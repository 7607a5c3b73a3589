//! The mount interface by descriptors, as far as the parent needs it.

use super::{SysResult, check};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// open_tree(dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags): a detached copy.
/// Reference: open_tree(2). `AT_RECURSIVE` copies what is mounted below as well.
pub fn clone_tree(dir: BorrowedFd, path: &CStr, flags: i32) -> SysResult<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | flags as u32;
    // SAFETY: path is NUL-terminated.
    let fd = check(unsafe { libc::syscall(libc::SYS_open_tree, dir.as_raw_fd(), path.as_ptr(), flags) })?;
    // SAFETY: the kernel has just returned this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A new tmpfs that is mounted nowhere. Reference: fsopen(2), fsmount(2).
pub fn detached_tmpfs() -> SysResult<OwnedFd> {
    // SAFETY: the name is NUL-terminated.
    let context = check(unsafe {
        libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), 1 /* FSOPEN_CLOEXEC */)
    })?;
    // SAFETY: the kernel has just returned this descriptor to us alone.
    let context = unsafe { OwnedFd::from_raw_fd(context as i32) };
    let no_text: *const libc::c_char = ptr::null();
    // SAFETY: FSCONFIG_CMD_CREATE takes neither key nor value.
    check(unsafe {
        libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), libc::FSCONFIG_CMD_CREATE, no_text, no_text, 0)
    })?;
    // SAFETY: fsmount takes numbers.
    let mount = check(unsafe {
        libc::syscall(
            libc::SYS_fsmount,
            context.as_raw_fd(),
            1, /* FSMOUNT_CLOEXEC */
            libc::MOUNT_ATTR_NOSUID,
        )
    })?;
    // SAFETY: the kernel has just returned this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(mount as i32) })
}

/// mount_setattr(mount, "", AT_EMPTY_PATH) setting `attributes` (`MOUNT_ATTR_*`). Reference: mount_setattr(2).
pub fn set_attributes(mount: BorrowedFd, attributes: u64) -> SysResult<()> {
    let change = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    mount_setattr(mount, libc::AT_EMPTY_PATH, &change)
}

/// mount_setattr with MOUNT_ATTR_IDMAP: the mount shows owners by the id maps of `namespace`.
/// Reference: mount_setattr(2), ID-mapped mounts; Linux 5.12.
pub fn map_owners(mount: BorrowedFd, namespace: BorrowedFd, recursive: bool) -> SysResult<()> {
    let change = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: namespace.as_raw_fd() as u64,
    };
    let deep = if recursive { libc::AT_RECURSIVE } else { 0 };
    mount_setattr(mount, libc::AT_EMPTY_PATH | deep, &change)
}

fn mount_setattr(mount: BorrowedFd, flags: i32, change: &libc::mount_attr) -> SysResult<()> {
    // SAFETY: change outlives the call and its size is given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            change,
            size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}
