//! Mounts, and the process's place among them.

use super::{EMPTY, Fd, Sys, call_memory, calls, fd, path};
use core::ffi::CStr;

calls! {
    chdir(p: &CStr) = SYS_chdir [path(p)];
    fchdir(dir: Fd) = SYS_fchdir [dir.raw()];
    chroot(p: &CStr) = SYS_chroot [path(p)];
    pivot_root(new: &CStr, old: &CStr) = SYS_pivot_root [path(new), path(old)];
    umount2(p: &CStr, flags: i32) = SYS_umount2 [path(p), flags as usize];
    /// A new file system. Of `data` the kernel reads a page, or less where our memory ends before.
    mount(source: &CStr, target: &CStr, kind: &CStr, flags: u64, data: &CStr) =
        SYS_mount [path(source), path(target), path(kind), flags as usize, path(data)];
    fsopen(kind: &CStr) -> Fd = SYS_fsopen [path(kind), 1 /* FSOPEN_CLOEXEC */];
    /// The kernel refuses a string that is absent where it needs it; no command of ours has a value of another form.
    fsconfig(context: Fd, command: u32, key: Option<&CStr>, value: Option<&CStr>) =
        SYS_fsconfig [context.raw(), command as usize, key.map_or(0, path), value.map_or(0, path), 0];
    /// fsconfig(context, FSCONFIG_SET_FD, key, NULL, file).
    fsconfig_file(context: Fd, key: &CStr, file: Fd) =
        SYS_fsconfig [context.raw(), 5 /* FSCONFIG_SET_FD */, path(key), 0, file.raw()];
    fsmount(context: Fd, attributes: u64) -> Fd =
        SYS_fsmount [context.raw(), 1 /* FSMOUNT_CLOEXEC */, attributes as usize];
    /// open_tree(dir, path, OPEN_TREE_CLONE | flags).
    clone_tree(dir: Fd, p: &CStr, flags: i32) -> Fd = SYS_open_tree [dir.raw(), path(p),
        (libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | flags as u32) as usize];
    mount_setattr(dir: Fd, p: &CStr, flags: i32, attributes: &libc::mount_attr) = SYS_mount_setattr [dir.raw(), path(p),
        flags as usize, &raw const *attributes as usize, size_of_val(attributes)];
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

pub fn getcwd(buffer: &mut [u8]) -> Sys<&[u8]> {
    // SAFETY: it writes at most the length of this slice, which is ours alone.
    let length = unsafe { call_memory(libc::SYS_getcwd, [buffer.as_mut_ptr() as usize, buffer.len()]) }?;
    Ok(&buffer[..length])
}
