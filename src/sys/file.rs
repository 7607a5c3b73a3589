//! Files relative to held descriptors: openat2, mkdirat, whole-file reads and one-call writes.

use super::{Errno, SysResult, c, check, owned, poll, uninterrupted};
use nix::sys::stat::{Mode, fstat};
use std::ffi::{CStr, CString, OsStr};
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The caller's working directory as a descriptor argument.
pub fn cwd() -> BorrowedFd<'static> {
    // SAFETY: AT_FDCWD is not a descriptor that can be closed; every *at call accepts it.
    unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) }
}

/// How every step below a held directory of a kernel's file system resolves: no links, no `..`, no other file system.
pub const INSIDE: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;
pub const DIRECTORY: i32 = libc::O_RDONLY | libc::O_DIRECTORY;

/// How often a lookup is tried while renames race with it, or signals.
const TRIES: u32 = 128;

/// Whether the caller may make something in a directory: faccessat2(dir, ".", W_OK | X_OK, AT_EACCESS).
pub fn may_write(dir: BorrowedFd) -> SysResult<()> {
    use nix::unistd::{AccessFlags, faccessat};
    let wanted = AccessFlags::W_OK | AccessFlags::X_OK;
    faccessat(dir, c".", wanted, nix::fcntl::AtFlags::AT_EACCESS).map_err(Errno::from)
}

/// openat2(dir, path, {flags | O_CLOEXEC, mode, resolve}).
/// Reference: openat2(2). `resolve` takes `RESOLVE_*`; 0 resolves as open(2) does.
pub fn openat2(dir: BorrowedFd, path: &CStr, flags: i32, mode: u32, resolve: u64) -> SysResult<OwnedFd> {
    // SAFETY: open_how is plain data for which all zeroes is a valid value.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (flags | libc::O_CLOEXEC) as u64;
    how.mode = u64::from(mode);
    how.resolve = resolve;
    let scoped = resolve & (libc::RESOLVE_IN_ROOT | libc::RESOLVE_BENEATH) != 0;
    let size = size_of::<libc::open_how>();
    let mut tries = TRIES;
    loop {
        tries -= 1;
        // SAFETY: path is NUL-terminated and how outlives the call; the size is that of the struct passed. The call returns
        // a new descriptor.
        let opened =
            unsafe { owned(libc::syscall(libc::SYS_openat2, dir.as_raw_fd(), path.as_ptr(), &how, size)) };
        match opened {
            // RESOLVE_IN_ROOT and RESOLVE_BENEATH return EAGAIN when a rename raced with a ".." step. Without them it
            // is a lease, which its holder may keep for 45 seconds.
            Err(Errno(libc::EAGAIN)) if scoped && tries > 0 => {}
            Err(Errno(libc::EINTR)) if tries > 0 => {}
            other => return other,
        }
    }
}

/// ioctl(FIONBIO): O_NONBLOCK in one call. All that share the open file share the flag.
pub fn set_nonblocking(fd: BorrowedFd, never_waits: bool) -> SysResult<()> {
    let flag = libc::c_int::from(never_waits);
    // SAFETY: the number is there for the call, which reads it.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONBIO, &raw const flag) }).map(drop)
}

/// The same file, open once more: its flags are ours alone.
pub fn reopen(fd: BorrowedFd, flags: i32) -> SysResult<OwnedFd> {
    openat2(cwd(), &c(format!("/proc/self/fd/{}", fd.as_raw_fd()))?, flags, 0, 0)
}

/// A pipe or a terminal, open once more for writing, so that O_NONBLOCK is ours alone. `None` for what never waits
/// (a regular file has a position that must stay shared) and for what cannot be opened again.
pub fn reopen_nonblocking(fd: BorrowedFd) -> Option<OwnedFd> {
    if !matches!(kind(fd), Ok(libc::S_IFIFO | libc::S_IFCHR)) {
        return None;
    }
    reopen(fd, libc::O_WRONLY | libc::O_NONBLOCK | libc::O_NOCTTY).ok()
}

/// mkdirat(dir, path, mode). Reference: mkdir(2).
pub fn mkdirat(dir: BorrowedFd, path: &CStr, mode: u32) -> SysResult<()> {
    Ok(nix::sys::stat::mkdirat(dir, path, Mode::from_bits_retain(mode))?)
}

/// mkfifoat(dir, path, mode). Reference: mkfifo(3).
pub fn mkfifoat(dir: BorrowedFd, path: &CStr, mode: u32) -> SysResult<()> {
    Ok(nix::unistd::mkfifoat(dir, path, Mode::from_bits_retain(mode))?)
}

/// unlinkat(dir, path, flags). Reference: unlink(2); `AT_REMOVEDIR` removes a directory.
pub fn unlinkat(dir: BorrowedFd, path: &CStr, flags: i32) -> SysResult<()> {
    // SAFETY: path is NUL-terminated; the call keeps no pointer.
    check(unsafe { libc::unlinkat(dir.as_raw_fd(), path.as_ptr(), flags) }).map(drop)
}

/// renameat(dir, from, dir, to). Reference: rename(2).
pub fn renameat(dir: BorrowedFd, from: &CStr, to: &CStr) -> SysResult<()> {
    Ok(nix::fcntl::renameat(dir, from, dir, to)?)
}

/// symlinkat(target, dir, path). Reference: symlink(2).
pub fn symlinkat(target: &CStr, dir: BorrowedFd, path: &CStr) -> SysResult<()> {
    Ok(nix::unistd::symlinkat(target, dir, path)?)
}

/// What /proc shows of an open file, which asks no file system. Reference: proc_pid_fd(5).
pub fn link_of(fd: BorrowedFd) -> SysResult<Vec<u8>> {
    link_of_process("self", fd.as_raw_fd())
}

/// The same of a descriptor of another process. `EACCES` where that may not be looked at.
pub fn link_of_process(pid: impl std::fmt::Display, number: i32) -> SysResult<Vec<u8>> {
    readlinkat(cwd(), &c(format!("/proc/{pid}/fd/{number}"))?, &mut [0; 256]).map(<[u8]>::to_vec)
}

/// readlinkat(dir, path): as much of the target as `buffer` takes. Reference: readlink(2).
pub fn readlinkat<'b>(dir: BorrowedFd, path: &CStr, buffer: &'b mut [u8]) -> SysResult<&'b [u8]> {
    // SAFETY: path is NUL-terminated; the pointer and the length describe `buffer`, which outlives the call.
    let length = check(unsafe {
        libc::readlinkat(dir.as_raw_fd(), path.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len())
    } as i64)?;
    Ok(&buffer[..length as usize])
}

/// write(fd, bytes), once. Control files of the kernel take a value in one write. Reference: write(2).
pub fn write(fd: BorrowedFd, bytes: &[u8]) -> SysResult<usize> {
    uninterrupted(|| Ok(nix::unistd::write(fd, bytes)?))
}

/// All of them, in as many writes as it takes.
pub fn write_all(fd: BorrowedFd, mut bytes: &[u8]) -> SysResult<()> {
    while !bytes.is_empty() {
        bytes = &bytes[write(fd, bytes)?..];
    }
    Ok(())
}

/// read(fd, buffer), once. Reference: read(2).
pub fn read(fd: BorrowedFd, buffer: &mut [u8]) -> SysResult<usize> {
    uninterrupted(|| Ok(nix::unistd::read(fd, buffer)?))
}

/// Opens `path` below `dir`, writes `bytes` in one write, closes.
pub fn write_at(dir: BorrowedFd, path: &CStr, bytes: &[u8], resolve: u64) -> SysResult<()> {
    let file = openat2(dir, path, libc::O_WRONLY | libc::O_NOCTTY, 0, resolve)?;
    let written = write(file.as_fd(), bytes)?;
    if written == bytes.len() { Ok(()) } else { Err(Errno(libc::EIO)) }
}

/// Reads at most `limit` bytes of the file at `path` below `dir`; a longer file is `EFBIG`.
pub fn read_at(dir: BorrowedFd, path: &CStr, limit: usize, resolve: u64) -> SysResult<Vec<u8>> {
    let file = openat2(dir, path, libc::O_RDONLY | libc::O_NOCTTY | libc::O_NONBLOCK, 0, resolve)?;
    read_all(file.as_fd(), limit)
}

/// The same for a path of the host, as it is: its bytes need not be text. It may be a pipe: one without a name (`<(…)` of a
/// shell, /dev/stdin) is read to its end, however long that takes its writer. A named one may lie in wait for us, so it has
/// to come to its end within [`PATIENCE`]; after that it is [`SILENT`].
pub fn read_path(path: impl AsRef<OsStr>, limit: usize) -> SysResult<Vec<u8>> {
    read_path_by(path, limit, 0)
}

/// The same of a file that its directory's owner chooses; a device is `ENODEV`. It is looked at before it is opened: to open
/// a device may do something by that alone (a watchdog begins to count).
pub fn read_no_device(path: impl AsRef<OsStr>, limit: usize) -> SysResult<Vec<u8>> {
    let found = openat2(cwd(), &c(path)?, libc::O_PATH, 0, 0)?;
    if matches!(kind(found.as_fd())?, libc::S_IFCHR | libc::S_IFBLK) {
        return Err(Errno(libc::ENODEV));
    }
    // What was looked at, whatever has its name by now.
    read_path(format!("/proc/self/fd/{}", found.as_raw_fd()), limit)
}

pub fn read_path_by(path: impl AsRef<OsStr>, limit: usize, resolve: u64) -> SysResult<Vec<u8>> {
    let flags = libc::O_RDONLY | libc::O_NOCTTY | libc::O_NONBLOCK;
    let file = openat2(cwd(), &c(path)?, flags, 0, resolve)?;
    let fd = file.as_fd();
    let (mut begun, mut deadline) = (false, None);
    let patient = |buffer: &mut [u8]| {
        loop {
            let got = read(fd, buffer);
            let named = match got {
                Ok(0) if !begun && kind(fd)? == libc::S_IFIFO => is_named(fd)?,
                Err(Errno(libc::EAGAIN)) if kind(fd)? == libc::S_IFIFO => is_named(fd)?,
                _ => {
                    begun = true;
                    return got;
                }
            };
            if named {
                deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
            } else if got.is_ok() {
                return got;
            }
            // That a writer has come and gone without a word is something to be said too.
            begun = true;
            if !poll::readable(fd, deadline)? {
                return Err(SILENT);
            }
        }
    };
    read_by(patient, limit)
}

/// How long a named pipe that is read like a file may take to its end.
const PATIENCE: Duration = Duration::from_secs(5);
/// A pipe did not come to its end. No call that is made here ends with this error.
pub const SILENT: Errno = Errno(libc::ETIME);

/// Whether a pipe has a name in a file system.
fn is_named(fd: BorrowedFd) -> SysResult<bool> {
    // Of include/uapi/linux/magic.h.
    const PIPEFS_MAGIC: u32 = 0x5049_5045;
    Ok(nix::sys::statfs::fstatfs(fd)?.filesystem_type() != nix::sys::statfs::FsType(PIPEFS_MAGIC as _))
}

/// Whether a new file may take the place of what has this name: nothing, a file, or a link to either. What
/// leads to a device or to an open file is as good as one: /dev/stdout.
pub fn is_replaceable(path: &std::path::Path) -> bool {
    let found = c(path).and_then(|path| openat2(cwd(), &path, libc::O_PATH, 0, libc::RESOLVE_NO_MAGICLINKS));
    match found.and_then(|found| kind(found.as_fd())) {
        Ok(kind) => kind == libc::S_IFREG,
        // What else is wrong with the path is told by the one who writes there.
        Err(errno) => errno != Errno(libc::ELOOP),
    }
}

/// Reads `fd` to its end; more than `limit` bytes is `EFBIG`.
pub fn read_all(fd: BorrowedFd, limit: usize) -> SysResult<Vec<u8>> {
    read_by(|buffer| read(fd, buffer), limit)
}

fn read_by(mut read: impl FnMut(&mut [u8]) -> SysResult<usize>, limit: usize) -> SysResult<Vec<u8>> {
    let mut bytes = vec![0; 4096.min(limit + 1)];
    let mut filled = 0;
    loop {
        if filled == bytes.len() {
            if filled > limit {
                return Err(Errno(libc::EFBIG));
            }
            bytes.resize((filled * 4).min(limit + 1), 0);
        }
        match read(&mut bytes[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    if filled > limit {
        return Err(Errno(libc::EFBIG));
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// The descriptor of this number, if our caller has left it open over exec. What we open closes on exec and what we have
/// inherited does not, so that flag tells them apart. Reference: fcntl(2), F_GETFD.
pub fn inherited(number: i32) -> Option<BorrowedFd<'static>> {
    // SAFETY: F_GETFD takes a number and touches no memory of ours.
    let flags = check(unsafe { libc::fcntl(number, libc::F_GETFD) }).ok()?;
    // SAFETY: it is open, and no part of this program owns it: it stays open until we end.
    (flags & i64::from(libc::FD_CLOEXEC) == 0).then(|| unsafe { BorrowedFd::borrow_raw(number) })
}

/// The same open file under a number that is not less than `least`. Reference: fcntl(2), F_DUPFD_CLOEXEC.
pub fn duplicate(number: RawFd, least: RawFd) -> SysResult<OwnedFd> {
    // SAFETY: the call takes numbers and returns a new descriptor.
    unsafe { owned(libc::fcntl(number, libc::F_DUPFD_CLOEXEC, least)) }
}

/// What `path` leads to, as the kernel has it: the server of a network or FUSE file system is not asked.
/// Reference: statx(2), AT_STATX_DONT_SYNC.
pub fn known(path: &CStr) -> SysResult<libc::statx> {
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    let (flags, mask) = (libc::AT_STATX_DONT_SYNC, libc::STATX_BASIC_STATS);
    // SAFETY: the path ends with a zero byte, and `found` is ours and large enough for the answer.
    check(unsafe { libc::statx(libc::AT_FDCWD, path.as_ptr(), flags, mask, found.as_mut_ptr()) })?;
    // SAFETY: all zeros are a value of it, and the kernel has written another one.
    Ok(unsafe { found.assume_init() })
}

/// The kind (`S_IFMT`) of what `fd` is open on. Reference: fstat(2).
pub fn kind(fd: BorrowedFd) -> SysResult<u32> {
    Ok(fstat(fd)?.st_mode & libc::S_IFMT)
}

/// The number of the device node that `fd` is open on; `None` if it is no device.
pub fn device_number(fd: BorrowedFd) -> SysResult<Option<u64>> {
    let found = fstat(fd)?;
    let device = matches!(found.st_mode & libc::S_IFMT, libc::S_IFCHR | libc::S_IFBLK);
    Ok(device.then_some(found.st_rdev))
}

/// Device and inode of what `fd` is open on.
pub fn identity(fd: BorrowedFd) -> SysResult<(u64, u64)> {
    let found = fstat(fd)?;
    Ok((found.st_dev, found.st_ino))
}

/// Whether `fd` is open on a procfs. Reference: fstatfs(2).
pub fn is_procfs(fd: BorrowedFd) -> SysResult<bool> {
    Ok(nix::sys::statfs::fstatfs(fd)?.filesystem_type() == nix::sys::statfs::PROC_SUPER_MAGIC)
}

/// Whether a program's file gives capabilities: getxattr(path, "security.capability", NULL, 0). Reference: getxattr(2).
pub fn has_capabilities(path: impl AsRef<OsStr>) -> bool {
    let name = c"security.capability".as_ptr();
    // SAFETY: both texts are NUL-terminated; with size 0 nothing is written.
    c(path).is_ok_and(|path| unsafe { libc::getxattr(path.as_ptr(), name, std::ptr::null_mut(), 0) } > 0)
}

/// flock(fd, operation) with `LOCK_*`. The lock ends with the last copy of the descriptor.
/// Reference: flock(2).
pub fn flock(fd: BorrowedFd, operation: i32) -> SysResult<()> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::flock(fd.as_raw_fd(), operation) }).map(drop)
}

/// The whole file's lock, for which another holder may take that long; `EWOULDBLOCK` after that. Reference: flock(2).
pub fn lock_within(fd: BorrowedFd, patience: Duration) -> SysResult<()> {
    let deadline = Instant::now() + patience;
    loop {
        match flock(fd, libc::LOCK_EX | libc::LOCK_NB) {
            Err(Errno(libc::EWOULDBLOCK)) if Instant::now() < deadline => sleep(Duration::from_millis(5)),
            locked => return locked,
        }
    }
}

/// Writes all of `bytes` at a place of a file. Reference: pwrite(2).
pub fn pwrite_all(fd: BorrowedFd, mut bytes: &[u8], mut place: u64) -> SysResult<()> {
    while !bytes.is_empty() {
        let written = uninterrupted(|| Ok(nix::sys::uio::pwrite(fd, bytes, place as i64)?))?;
        (bytes, place) = (&bytes[written..], place + written as u64);
    }
    Ok(())
}

/// The names of the subdirectories of `dir`, without `.` and `..`. Moves the descriptor's offset, which has to be
/// at the start. Reference: getdents64(2). A file system that does not tell types (`DT_UNKNOWN`) shows none;
/// the kernel's own pseudo file systems all tell.
pub fn subdirectories(dir: BorrowedFd) -> SysResult<Vec<CString>> {
    let mut names = Vec::new();
    let mut buffer = [0_u8; 8192];
    loop {
        // SAFETY: the pointer and the length describe `buffer`, which is exclusively ours for the call.
        let n = check(unsafe {
            libc::syscall(libc::SYS_getdents64, dir.as_raw_fd(), buffer.as_mut_ptr(), buffer.len())
        })? as usize;
        if n == 0 {
            return Ok(names);
        }
        let mut rest = &buffer[..n];
        // struct linux_dirent64: u64 inode, i64 offset, u16 record length, u8 type, NUL-terminated name.
        while rest.len() > 19 {
            let length = usize::from(u16::from_ne_bytes([rest[16], rest[17]]));
            let record = rest.get(..length).ok_or(Errno(libc::EIO))?;
            let name = CStr::from_bytes_until_nul(&record[19..]).map_err(|_| Errno(libc::EIO))?;
            if record[18] == libc::DT_DIR && name != c"." && name != c".." {
                names.push(name.to_owned());
            }
            rest = &rest[length..];
        }
    }
}
