//! Mounts, and the process's place among them.

use super::{EMPTY, Fd, Sys, call, call_memory, fd, path};
use core::ffi::CStr;

pub fn chdir(p: &CStr) -> Sys<()> {
    // SAFETY: it reads a path that ends with a NUL.
    unsafe { call_memory(libc::SYS_chdir, [path(p)]) }.map(drop)
}

pub fn fchdir(dir: Fd) -> Sys<()> {
    call(libc::SYS_fchdir, [dir.raw()]).map(drop)
}

pub fn chroot(p: &CStr) -> Sys<()> {
    // SAFETY: it reads a path that ends with a NUL.
    unsafe { call_memory(libc::SYS_chroot, [path(p)]) }.map(drop)
}

pub fn getcwd(buffer: &mut [u8]) -> Sys<&[u8]> {
    // SAFETY: it writes at most the length of this slice, which is ours alone.
    let length = unsafe { call_memory(libc::SYS_getcwd, [buffer.as_mut_ptr() as usize, buffer.len()]) }?;
    Ok(&buffer[..length])
}

pub fn pivot_root(new: &CStr, old: &CStr) -> Sys<()> {
    // SAFETY: it reads two paths, which end with a NUL.
    unsafe { call_memory(libc::SYS_pivot_root, [path(new), path(old)]) }.map(drop)
}

pub fn umount2(p: &CStr, flags: i32) -> Sys<()> {
    // SAFETY: it reads a path that ends with a NUL.
    unsafe { call_memory(libc::SYS_umount2, [path(p), flags as usize]) }.map(drop)
}

/// mount(source, target, kind, flags, data): a new file system.
pub fn mount(source: &CStr, target: &CStr, kind: &CStr, flags: u64, data: &CStr) -> Sys<()> {
    let args = [path(source), path(target), path(kind), flags as usize, path(data)];
    // SAFETY: it reads three strings that end with a NUL; of `data` a page, or less where our memory ends before.
    unsafe { call_memory(libc::SYS_mount, args) }.map(drop)
}

pub fn fsopen(kind: &CStr) -> Sys<Fd> {
    // SAFETY: it reads a name that ends with a NUL.
    unsafe {
        call_memory(libc::SYS_fsopen, [path(kind), 1 /* FSOPEN_CLOEXEC */])
    }
    .map(fd)
}

pub fn fsconfig(context: Fd, command: u32, key: Option<&CStr>, value: Option<&CStr>) -> Sys<()> {
    let args = [context.raw(), command as usize, key.map_or(0, path), value.map_or(0, path), 0];
    // SAFETY: it reads strings that end with a NUL; the kernel refuses one that is absent where it needs it. No command
    // of ours has a value of another form.
    unsafe { call_memory(libc::SYS_fsconfig, args) }.map(drop)
}

/// fsconfig(context, FSCONFIG_SET_FD, key, NULL, file).
pub fn fsconfig_file(context: Fd, key: &CStr, file: Fd) -> Sys<()> {
    let command = 5; // FSCONFIG_SET_FD
    // SAFETY: it reads a key that ends with a NUL.
    unsafe { call_memory(libc::SYS_fsconfig, [context.raw(), command, path(key), 0, file.raw()]) }.map(drop)
}

pub fn fsmount(context: Fd, attributes: u64) -> Sys<Fd> {
    call(libc::SYS_fsmount, [context.raw(), 1 /* FSMOUNT_CLOEXEC */, attributes as usize]).map(fd)
}

/// open_tree(dir, path, OPEN_TREE_CLONE | flags).
pub fn clone_tree(dir: Fd, p: &CStr, flags: i32) -> Sys<Fd> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | flags as u32;
    // SAFETY: it reads a path that ends with a NUL.
    unsafe { call_memory(libc::SYS_open_tree, [dir.raw(), path(p), flags as usize]) }.map(fd)
}

/// move_mount(2): a mount, by descriptor, onto what `to` (and, below it, `p`) is.
pub fn move_mount(mount: Fd, to: Fd, p: &CStr) -> Sys<()> {
    let mut flags = libc::MOVE_MOUNT_F_EMPTY_PATH;
    if p.is_empty() {
        flags |= libc::MOVE_MOUNT_T_EMPTY_PATH;
    }
    let args = [mount.raw(), path(EMPTY), to.raw(), path(p), flags as usize];
    // SAFETY: it reads two paths, which end with a NUL.
    unsafe { call_memory(libc::SYS_move_mount, args) }.map(drop)
}

pub fn mount_setattr(dir: Fd, p: &CStr, flags: i32, attributes: &libc::mount_attr) -> Sys<()> {
    let at = attributes as *const libc::mount_attr as usize;
    let args = [dir.raw(), path(p), flags as usize, at, size_of_val(attributes)];
    // SAFETY: it reads a path that ends with a NUL, and a struct whose size is given.
    unsafe { call_memory(libc::SYS_mount_setattr, args) }.map(drop)
}
