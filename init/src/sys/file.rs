//! Files and directories.

use super::{EMPTY, Errno, Fd, Sys, call, call_memory, fd, path};
use crate::wire::MountId;
use core::ffi::CStr;

/// How often a lookup is tried while renames race with it, or signals.
const TRIES: u32 = 128;

pub fn openat2(dir: Fd, p: &CStr, flags: i32, mode: u32, resolve: u64) -> Sys<Fd> {
    let how = [(flags | libc::O_CLOEXEC) as u64, u64::from(mode), resolve];
    let scoped = resolve & (libc::RESOLVE_IN_ROOT | libc::RESOLVE_BENEATH) != 0;
    let args = [dir.raw(), path(p), how.as_ptr() as usize, size_of_val(&how)];
    let mut tries = TRIES;
    loop {
        tries -= 1;
        // SAFETY: it reads a path that ends with a NUL, and `how`, whose size is given.
        match unsafe { call_memory(libc::SYS_openat2, args) } {
            // A rename raced with a ".." step of a scoped lookup. Without a scope it is a lease, which its holder
            // may keep for 45 seconds.
            Err(Errno(libc::EAGAIN)) if scoped && tries > 0 => {}
            Err(Errno(libc::EINTR)) if tries > 0 => {}
            other => return other.map(fd),
        }
    }
}

pub fn close(file: Fd) {
    // Nothing can be done about an error, and none of our files is written late.
    let _ = call(libc::SYS_close, [file.raw()]);
}

pub fn close_range(first: u32, flags: u32) -> Sys<()> {
    call(libc::SYS_close_range, [first as usize, u32::MAX as usize, flags as usize]).map(drop)
}

/// read(2), again where a signal came between.
pub fn read(file: Fd, buffer: &mut [u8]) -> Sys<usize> {
    loop {
        // SAFETY: it writes at most the length of this slice, which is ours alone.
        match unsafe { call_memory(libc::SYS_read, [file.raw(), buffer.as_mut_ptr() as usize, buffer.len()]) }
        {
            Err(Errno(libc::EINTR)) => {}
            other => return other,
        }
    }
}

pub fn write(file: Fd, bytes: &[u8]) -> Sys<usize> {
    // SAFETY: it reads the bytes of this slice.
    unsafe { call_memory(libc::SYS_write, [file.raw(), bytes.as_ptr() as usize, bytes.len()]) }
}

pub fn size(file: Fd) -> Sys<usize> {
    call(libc::SYS_lseek, [file.raw(), 0, libc::SEEK_END as usize])
}

pub struct Stat {
    pub mode: u32,
    pub device: u64,
    pub inode: u64,
    pub rdev: u64,
    pub uid: u32,
    pub gid: u32,
}

impl Stat {
    /// `S_IF…`
    pub fn kind(&self) -> u32 {
        self.mode & libc::S_IFMT
    }
}

/// Of an open file.
pub fn fstat(file: Fd) -> Sys<Stat> {
    stat(file, EMPTY, 0)
}

/// newfstatat(dir, path, AT_EMPTY_PATH | flags).
pub fn stat(dir: Fd, p: &CStr, flags: i32) -> Sys<Stat> {
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut st: libc::stat = unsafe { core::mem::zeroed() };
    let flags = (flags | libc::AT_EMPTY_PATH) as usize;
    // SAFETY: it reads a path that ends with a NUL, and fills the struct that the kernel has for this processor.
    unsafe { call_memory(libc::SYS_newfstatat, [dir.raw(), path(p), &raw mut st as usize, flags]) }?;
    let libc::stat { st_mode: mode, st_dev: device, st_ino: inode, st_rdev: rdev, .. } = st;
    Ok(Stat { mode, device, inode, rdev, uid: st.st_uid, gid: st.st_gid })
}

/// Where in the mount table a file is.
pub struct Mounted {
    pub mount: MountId,
    /// The file is the top of its mount.
    pub is_root: bool,
}

/// statx(file, STATX_MNT_ID_UNIQUE, or STATX_MNT_ID on kernels that do not know it).
pub fn place(file: Fd) -> Sys<Mounted> {
    const MOUNT_ROOT: u64 = 0x2000; // STATX_ATTR_MOUNT_ROOT, Linux 5.8
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut found: libc::statx = unsafe { core::mem::zeroed() };
    let wanted = libc::STATX_MNT_ID | libc::STATX_MNT_ID_UNIQUE | libc::STATX_INO;
    let (flags, mask) = (libc::AT_EMPTY_PATH as usize, wanted as usize);
    let args = [file.raw(), path(EMPTY), flags, mask, &raw mut found as usize];
    // SAFETY: it reads an empty path, and fills the struct, whose size is the kernel's for good.
    unsafe { call_memory(libc::SYS_statx, args) }?;
    let mut mount = MountId { number: found.stx_mnt_id, device: 0, inode: 0 };
    if found.stx_mask & libc::STATX_MNT_ID_UNIQUE == 0 {
        mount.device = u64::from(found.stx_dev_major) << 32 | u64::from(found.stx_dev_minor);
        mount.inode = found.stx_ino;
    }
    Ok(Mounted { mount, is_root: found.stx_attributes & MOUNT_ROOT != 0 })
}

/// fstatfs(file): the magic number of its file system.
pub fn filesystem(file: Fd) -> Sys<i64> {
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut st: libc::statfs64 = unsafe { core::mem::zeroed() };
    // SAFETY: it fills the struct that the kernel has for this processor.
    unsafe { call_memory(libc::SYS_fstatfs, [file.raw(), &raw mut st as usize]) }?;
    Ok(st.f_type as i64)
}

/// With the ids and capabilities that an execve(2) would be judged by.
pub fn executable(p: &CStr) -> Sys<()> {
    let args = [Fd::CWD.raw(), path(p), libc::X_OK as usize, libc::AT_EACCESS as usize];
    // SAFETY: it reads a path that ends with a NUL.
    unsafe { call_memory(libc::SYS_faccessat2, args) }.map(drop)
}

fn readlinkat<'b>(dir: Fd, p: &CStr, buffer: &'b mut [u8]) -> Sys<&'b [u8]> {
    let args = [dir.raw(), path(p), buffer.as_mut_ptr() as usize, buffer.len()];
    // SAFETY: it reads a path that ends with a NUL, and writes at most the length of this slice.
    let length = unsafe { call_memory(libc::SYS_readlinkat, args) }?;
    Ok(&buffer[..length])
}

pub fn mkdirat(dir: Fd, p: &CStr, mode: u32) -> Sys<()> {
    // SAFETY: it reads a path that ends with a NUL.
    unsafe { call_memory(libc::SYS_mkdirat, [dir.raw(), path(p), mode as usize]) }.map(drop)
}

pub fn mknodat(dir: Fd, p: &CStr, mode: u32, number: u64) -> Sys<()> {
    // SAFETY: it reads a path that ends with a NUL.
    unsafe { call_memory(libc::SYS_mknodat, [dir.raw(), path(p), mode as usize, number as usize]) }.map(drop)
}

pub fn unlinkat(dir: Fd, p: &CStr) -> Sys<()> {
    // SAFETY: it reads a path that ends with a NUL.
    unsafe { call_memory(libc::SYS_unlinkat, [dir.raw(), path(p), 0]) }.map(drop)
}

/// The text of a link, with its NUL.
pub fn link_text<'b>(dir: Fd, p: &CStr, buffer: &'b mut [u8; libc::PATH_MAX as usize]) -> Sys<&'b CStr> {
    let room = buffer.len() - 1;
    let length = readlinkat(dir, p, &mut buffer[..room])?.len();
    buffer[length] = 0;
    CStr::from_bytes_until_nul(buffer).map_err(|_| Errno(libc::EINVAL))
}

/// getdents64(2): whole entries, as many as fit; none at the end.
pub fn entries(dir: Fd, buffer: &mut [u8]) -> Sys<usize> {
    // SAFETY: it writes at most the length of this slice, which is ours alone.
    unsafe { call_memory(libc::SYS_getdents64, [dir.raw(), buffer.as_mut_ptr() as usize, buffer.len()]) }
}

/// sendfile(2): at most `count` bytes from one file to another, both at their positions.
pub fn sendfile(to: Fd, from: Fd, count: usize) -> Sys<usize> {
    call(libc::SYS_sendfile, [to.raw(), from.raw(), 0, count])
}

pub fn fchmod(file: Fd, mode: u32) -> Sys<()> {
    call(libc::SYS_fchmod, [file.raw(), mode as usize]).map(drop)
}

/// fchmodat2(file, "", mode, AT_EMPTY_PATH), Linux 6.6: for what is open as a path.
pub fn fchmodat2(file: Fd, mode: u32) -> Sys<()> {
    const FCHMODAT2: i64 = 452;
    let args = [file.raw(), path(EMPTY), mode as usize, libc::AT_EMPTY_PATH as usize];
    // SAFETY: it reads an empty path.
    unsafe { call_memory(FCHMODAT2, args) }.map(drop)
}

pub fn symlinkat(to: &CStr, dir: Fd, p: &CStr) -> Sys<()> {
    // SAFETY: it reads two strings, which end with a NUL.
    unsafe { call_memory(libc::SYS_symlinkat, [path(to), dir.raw(), path(p)]) }.map(drop)
}

pub fn fchownat(dir: Fd, p: &CStr, uid: u32, gid: u32) -> Sys<()> {
    let flags = (libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH) as usize;
    // SAFETY: it reads a path that ends with a NUL.
    unsafe { call_memory(libc::SYS_fchownat, [dir.raw(), path(p), uid as usize, gid as usize, flags]) }
        .map(drop)
}

/// fsetxattr(file, name, value, 0).
pub fn fsetxattr(file: Fd, name: &CStr, value: &[u8]) -> Sys<()> {
    let args = [file.raw(), path(name), value.as_ptr() as usize, value.len(), 0];
    // SAFETY: it reads a name that ends with a NUL, and the bytes of this slice.
    unsafe { call_memory(libc::SYS_fsetxattr, args) }.map(drop)
}

pub fn umask(mask: u32) {
    // umask(2) cannot fail.
    let _ = call(libc::SYS_umask, [mask as usize]);
}

pub fn dup3(from: Fd, to: i32) -> Sys<()> {
    let flags = if to < 3 { 0 } else { libc::O_CLOEXEC };
    call(libc::SYS_dup3, [from.raw(), to as usize, flags as usize]).map(drop)
}

/// fcntl(F_SETFD, 0): it stays open over an exec.
pub fn keep_over_exec(file: Fd) -> Sys<()> {
    call(libc::SYS_fcntl, [file.raw(), libc::F_SETFD as usize, 0]).map(drop)
}

/// fcntl(F_DUPFD_CLOEXEC): another number for `file`, at least `from`.
pub fn duplicate(file: Fd, from: u32) -> Sys<Fd> {
    call(libc::SYS_fcntl, [file.raw(), libc::F_DUPFD_CLOEXEC as usize, from as usize]).map(fd)
}
