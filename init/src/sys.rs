//! The system calls that init makes: thin, typed, errors as errno. Addresses exist in this file only: every function
//! makes them from references that outlive its call, and takes the length from the same reference.
//!
//! Descriptors are plain numbers here: init opens a few dozen, never shares them, and everything above the
//! standard streams closes at the exec that ends it.

use crate::arch::syscall;
use crate::wire::MountId;
use core::ffi::CStr;

/// An open descriptor, or `Fd::CWD`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fd(pub i32);

impl Fd {
    pub const CWD: Fd = Fd(libc::AT_FDCWD);

    fn raw(self) -> usize {
        self.0 as isize as usize
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

pub type Sys<T> = Result<T, Errno>;

const EMPTY: &CStr = c"";

/// How often a lookup is tried while renames race with it, or signals.
const TRIES: u32 = 128;

fn call(number: i64, args: [usize; 6]) -> Sys<usize> {
    // SAFETY: every caller below passes what its man page asks for, with pointers that outlive the call.
    let returned = unsafe { syscall(number, args) };
    if (-4095..0).contains(&returned) { Err(Errno(-returned as i32)) } else { Ok(returned as usize) }
}

fn path(p: &CStr) -> usize {
    p.as_ptr() as usize
}

fn fd(returned: usize) -> Fd {
    Fd(returned as i32)
}

pub fn exit(code: i32) -> ! {
    // It comes back only where the container's filter refuses this call too, as it refused execve.
    let _ = call(libc::SYS_exit_group, [code as usize, 0, 0, 0, 0, 0]);
    crate::arch::die()
}

pub fn openat2(dir: Fd, p: &CStr, flags: i32, mode: u32, resolve: u64) -> Sys<Fd> {
    let how = [(flags | libc::O_CLOEXEC) as u64, u64::from(mode), resolve];
    let scoped = resolve & (libc::RESOLVE_IN_ROOT | libc::RESOLVE_BENEATH) != 0;
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match call(libc::SYS_openat2, [dir.raw(), path(p), how.as_ptr() as usize, 24, 0, 0]) {
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
    let _ = call(libc::SYS_close, [file.raw(), 0, 0, 0, 0, 0]);
}

pub fn close_range(first: u32, flags: u32) -> Sys<()> {
    call(libc::SYS_close_range, [first as usize, u32::MAX as usize, flags as usize, 0, 0, 0]).map(drop)
}

/// read(2), again where a signal came between.
pub fn read(file: Fd, buffer: &mut [u8]) -> Sys<usize> {
    loop {
        let args = [file.raw(), buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
        match call(libc::SYS_read, args) {
            Err(Errno(libc::EINTR)) => {}
            other => return other,
        }
    }
}

pub fn write(file: Fd, bytes: &[u8]) -> Sys<usize> {
    call(libc::SYS_write, [file.raw(), bytes.as_ptr() as usize, bytes.len(), 0, 0, 0])
}

/// Maps a whole file that nobody can change, for good.
pub fn map_sealed(file: Fd) -> Sys<&'static [u8]> {
    let length = size(file)?;
    let memory = mmap(Some(file), length)?;
    // SAFETY: the kernel has just mapped `length` readable bytes of a sealed file, and nobody unmaps them.
    Ok(unsafe { core::slice::from_raw_parts(memory, length) })
}

/// Room for [`execve`] with `strings` arguments and variables: a null pointer ends each of the two lists.
pub fn pointers(strings: usize) -> Sys<&'static mut [*const u8]> {
    let slots = strings + 2;
    let memory = mmap(None, slots * size_of::<usize>())?.cast::<*const u8>();
    // SAFETY: the mapping has room for `slots` pointers, page aligned, zeroed and ours alone, and stays.
    Ok(unsafe { core::slice::from_raw_parts_mut(memory, slots) })
}

/// Maps `length` bytes of `file` read-only, or anonymous writable memory without a file.
fn mmap(file: Option<Fd>, length: usize) -> Sys<*mut u8> {
    let (protection, flags, descriptor) = match file {
        Some(f) => (libc::PROT_READ, libc::MAP_PRIVATE, f.raw()),
        None => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, usize::MAX),
    };
    call(libc::SYS_mmap, [0, length, protection as usize, flags as usize, descriptor, 0])
        .map(|a| a as *mut u8)
}

fn size(file: Fd) -> Sys<usize> {
    call(libc::SYS_lseek, [file.raw(), 0, libc::SEEK_END as usize, 0, 0, 0])
}

pub struct Stat {
    pub mode: u32,
    pub device: u64,
    pub inode: u64,
    pub rdev: u64,
    pub uid: u32,
    pub gid: u32,
}

/// newfstatat(dir, path, AT_EMPTY_PATH | flags).
pub fn stat(dir: Fd, p: &CStr, flags: i32) -> Sys<Stat> {
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut st: libc::stat = unsafe { core::mem::zeroed() };
    let flags = (flags | libc::AT_EMPTY_PATH) as usize;
    call(libc::SYS_newfstatat, [dir.raw(), path(p), &raw mut st as usize, flags, 0, 0])?;
    Ok(Stat {
        mode: st.st_mode,
        device: st.st_dev,
        inode: st.st_ino,
        rdev: st.st_rdev,
        uid: st.st_uid,
        gid: st.st_gid,
    })
}

/// Where in the mount table a file is.
pub struct Place {
    pub mount: MountId,
    /// The file is the top of its mount.
    pub is_root: bool,
}

/// statx(file, STATX_MNT_ID_UNIQUE, or STATX_MNT_ID on kernels that do not know it).
pub fn place(file: Fd) -> Sys<Place> {
    const MOUNT_ROOT: u64 = 0x2000; // STATX_ATTR_MOUNT_ROOT, Linux 5.8
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut found: libc::statx = unsafe { core::mem::zeroed() };
    let wanted = libc::STATX_MNT_ID | libc::STATX_MNT_ID_UNIQUE | libc::STATX_INO;
    let (flags, mask) = (libc::AT_EMPTY_PATH as usize, wanted as usize);
    call(libc::SYS_statx, [file.raw(), path(EMPTY), flags, mask, &raw mut found as usize, 0])?;
    let mut mount = MountId { number: found.stx_mnt_id, device: 0, inode: 0 };
    if found.stx_mask & libc::STATX_MNT_ID_UNIQUE == 0 {
        mount.device = u64::from(found.stx_dev_major) << 32 | u64::from(found.stx_dev_minor);
        mount.inode = found.stx_ino;
    }
    Ok(Place { mount, is_root: found.stx_attributes & MOUNT_ROOT != 0 })
}

/// fstatfs(file): the magic number of its file system.
pub fn filesystem(file: Fd) -> Sys<i64> {
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut st: libc::statfs64 = unsafe { core::mem::zeroed() };
    call(libc::SYS_fstatfs, [file.raw(), &raw mut st as usize, 0, 0, 0, 0])?;
    Ok(st.f_type as i64)
}

pub fn executable(p: &CStr) -> Sys<()> {
    call(libc::SYS_faccessat, [Fd::CWD.raw(), path(p), libc::X_OK as usize, 0, 0, 0]).map(drop)
}

pub fn readlinkat<'b>(dir: Fd, p: &CStr, buffer: &'b mut [u8]) -> Sys<&'b [u8]> {
    let args = [dir.raw(), path(p), buffer.as_mut_ptr() as usize, buffer.len(), 0, 0];
    let length = call(libc::SYS_readlinkat, args)?;
    Ok(&buffer[..length])
}

pub fn mkdirat(dir: Fd, p: &CStr, mode: u32) -> Sys<()> {
    call(libc::SYS_mkdirat, [dir.raw(), path(p), mode as usize, 0, 0, 0]).map(drop)
}

pub fn mknodat(dir: Fd, p: &CStr, mode: u32, number: u64) -> Sys<()> {
    call(libc::SYS_mknodat, [dir.raw(), path(p), mode as usize, number as usize, 0, 0]).map(drop)
}

/// getdents64(2): whole entries, as many as fit; none at the end.
pub fn entries(dir: Fd, buffer: &mut [u8]) -> Sys<usize> {
    call(libc::SYS_getdents64, [dir.raw(), buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0])
}

/// sendfile(2): at most `count` bytes from one file to another, both at their positions.
pub fn sendfile(to: Fd, from: Fd, count: usize) -> Sys<usize> {
    call(libc::SYS_sendfile, [to.raw(), from.raw(), 0, count, 0, 0])
}

pub fn fchmod(file: Fd, mode: u32) -> Sys<()> {
    call(libc::SYS_fchmod, [file.raw(), mode as usize, 0, 0, 0, 0]).map(drop)
}

/// fchmodat2(file, "", mode, AT_EMPTY_PATH), Linux 6.6: for what is open as a path.
pub fn fchmodat2(file: Fd, mode: u32) -> Sys<()> {
    const FCHMODAT2: i64 = 452;
    let args = [file.raw(), path(EMPTY), mode as usize, libc::AT_EMPTY_PATH as usize, 0, 0];
    call(FCHMODAT2, args).map(drop)
}

pub fn symlinkat(to: &CStr, dir: Fd, p: &CStr) -> Sys<()> {
    call(libc::SYS_symlinkat, [path(to), dir.raw(), path(p), 0, 0, 0]).map(drop)
}

pub fn fchownat(dir: Fd, p: &CStr, uid: u32, gid: u32) -> Sys<()> {
    let flags = (libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH) as usize;
    call(libc::SYS_fchownat, [dir.raw(), path(p), uid as usize, gid as usize, flags, 0]).map(drop)
}

/// getpid(2): in our own pid namespace.
pub fn getpid() -> Sys<i32> {
    call(libc::SYS_getpid, [0; 6]).map(|pid| pid as i32)
}

pub fn umask(mask: u32) {
    // umask(2) cannot fail.
    let _ = call(libc::SYS_umask, [mask as usize, 0, 0, 0, 0, 0]);
}

pub fn chdir(p: &CStr) -> Sys<()> {
    call(libc::SYS_chdir, [path(p), 0, 0, 0, 0, 0]).map(drop)
}

pub fn fchdir(dir: Fd) -> Sys<()> {
    call(libc::SYS_fchdir, [dir.raw(), 0, 0, 0, 0, 0]).map(drop)
}

pub fn chroot(p: &CStr) -> Sys<()> {
    call(libc::SYS_chroot, [path(p), 0, 0, 0, 0, 0]).map(drop)
}

pub fn getcwd(buffer: &mut [u8]) -> Sys<&[u8]> {
    let length = call(libc::SYS_getcwd, [buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0, 0])?;
    Ok(&buffer[..length])
}

pub fn pivot_root(new: &CStr, old: &CStr) -> Sys<()> {
    call(libc::SYS_pivot_root, [path(new), path(old), 0, 0, 0, 0]).map(drop)
}

pub fn umount2(p: &CStr, flags: i32) -> Sys<()> {
    call(libc::SYS_umount2, [path(p), flags as usize, 0, 0, 0, 0]).map(drop)
}

/// mount(source, target, kind, flags, data): a new file system.
pub fn mount(source: &CStr, target: &CStr, kind: &CStr, flags: u64, data: &CStr) -> Sys<()> {
    call(libc::SYS_mount, [path(source), path(target), path(kind), flags as usize, path(data), 0]).map(drop)
}

pub fn fsopen(kind: &CStr) -> Sys<Fd> {
    call(libc::SYS_fsopen, [path(kind), 1 /* FSOPEN_CLOEXEC */, 0, 0, 0, 0]).map(fd)
}

pub fn fsconfig(context: Fd, command: u32, key: Option<&CStr>, value: Option<&CStr>) -> Sys<()> {
    let key = key.map_or(0, path);
    let value = value.map_or(0, path);
    call(libc::SYS_fsconfig, [context.raw(), command as usize, key, value, 0, 0]).map(drop)
}

/// fsconfig(context, FSCONFIG_SET_FD, key, NULL, file).
pub fn fsconfig_file(context: Fd, key: &CStr, file: Fd) -> Sys<()> {
    let command = 5; // FSCONFIG_SET_FD
    call(libc::SYS_fsconfig, [context.raw(), command, path(key), 0, file.raw(), 0]).map(drop)
}

pub fn fsmount(context: Fd, attributes: u64) -> Sys<Fd> {
    call(libc::SYS_fsmount, [context.raw(), 1 /* FSMOUNT_CLOEXEC */, attributes as usize, 0, 0, 0]).map(fd)
}

/// open_tree(dir, path, OPEN_TREE_CLONE | flags).
pub fn clone_tree(dir: Fd, p: &CStr, flags: i32) -> Sys<Fd> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | flags as u32;
    call(libc::SYS_open_tree, [dir.raw(), path(p), flags as usize, 0, 0, 0]).map(fd)
}

/// move_mount(2): a mount, by descriptor, onto what `to` (and, below it, `p`) is.
pub fn move_mount(mount: Fd, to: Fd, p: &CStr) -> Sys<()> {
    let mut flags = libc::MOVE_MOUNT_F_EMPTY_PATH;
    if p.is_empty() {
        flags |= libc::MOVE_MOUNT_T_EMPTY_PATH;
    }
    call(libc::SYS_move_mount, [mount.raw(), path(EMPTY), to.raw(), path(p), flags as usize, 0]).map(drop)
}

pub fn mount_setattr(dir: Fd, p: &CStr, flags: i32, attributes: &libc::mount_attr) -> Sys<()> {
    let size = size_of::<libc::mount_attr>();
    let at = attributes as *const libc::mount_attr as usize;
    call(libc::SYS_mount_setattr, [dir.raw(), path(p), flags as usize, at, size, 0]).map(drop)
}

/// fsetxattr(file, name, value, 0).
pub fn fsetxattr(file: Fd, name: &CStr, value: &[u8]) -> Sys<()> {
    call(libc::SYS_fsetxattr, [file.raw(), path(name), value.as_ptr() as usize, value.len(), 0, 0]).map(drop)
}

pub fn setns(namespace: Fd, flags: u64) -> Sys<()> {
    call(libc::SYS_setns, [namespace.raw(), flags as usize, 0, 0, 0, 0]).map(drop)
}

pub fn unshare(flags: u64) -> Sys<()> {
    call(libc::SYS_unshare, [flags as usize, 0, 0, 0, 0, 0]).map(drop)
}

/// clone(flags | CLONE_PARENT): a child that is a copy of us; our parent is its parent. `None` in the child, where `own`
/// is its number in its own pid namespace. The number that we get is the one in ours.
pub fn clone_sibling(flags: u32, own: &mut i32) -> Sys<Option<u32>> {
    clone_with(
        flags as usize | (libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID) as usize,
        &raw mut *own as usize,
    )
}

/// As fork(2), without a signal at the child's end; with CLONE_PARENT our parent is the child's too. `None` in the child.
pub fn clone(flags: usize) -> Sys<Option<u32>> {
    clone_with(flags, 0)
}

/// Processors differ in the order of the last two arguments: where the child's number goes, and that of a TLS block.
fn clone_with(flags: usize, number: usize) -> Sys<Option<u32>> {
    let (fourth, fifth) = if cfg!(target_arch = "x86_64") { (number, 0) } else { (0, number) };
    match call(libc::SYS_clone, [flags, 0, 0, fourth, fifth, 0])? {
        0 => Ok(None),
        pid => Ok(Some(pid as u32)),
    }
}

/// wait4(-1, status, __WALL): the exit code of a child that has ended, or 128 and the signal.
pub fn wait() -> Sys<i32> {
    let mut status = 0i32;
    loop {
        let args = [usize::MAX, &raw mut status as usize, libc::__WALL as usize, 0, 0, 0];
        match call(libc::SYS_wait4, args) {
            Err(Errno(libc::EINTR)) => {}
            Err(errno) => return Err(errno),
            Ok(_) if status & 0x7f == 0 => return Ok(status >> 8 & 0xff),
            Ok(_) => return Ok(128 + (status & 0x7f)),
        }
    }
}

pub fn sethostname(name: &[u8]) -> Sys<()> {
    call(libc::SYS_sethostname, [name.as_ptr() as usize, name.len(), 0, 0, 0, 0]).map(drop)
}

pub fn setdomainname(name: &[u8]) -> Sys<()> {
    call(libc::SYS_setdomainname, [name.as_ptr() as usize, name.len(), 0, 0, 0, 0]).map(drop)
}

pub fn setsid() -> Sys<()> {
    call(libc::SYS_setsid, [0; 6]).map(drop)
}

pub fn dup3(from: Fd, to: i32) -> Sys<()> {
    let flags = if to < 3 { 0 } else { libc::O_CLOEXEC };
    call(libc::SYS_dup3, [from.raw(), to as usize, flags as usize, 0, 0, 0]).map(drop)
}

/// fcntl(F_DUPFD_CLOEXEC): another number for `file`, at least `from`.
pub fn duplicate(file: Fd, from: u32) -> Sys<Fd> {
    call(libc::SYS_fcntl, [file.raw(), libc::F_DUPFD_CLOEXEC as usize, from as usize, 0, 0, 0]).map(fd)
}

pub fn socket(family: i32, kind: i32) -> Sys<Fd> {
    call(libc::SYS_socket, [family as usize, (kind | libc::SOCK_CLOEXEC) as usize, 0, 0, 0, 0]).map(fd)
}

/// NS_GET_USERNS: the user namespace that owns this namespace.
pub fn owner(namespace: Fd) -> Sys<Fd> {
    const NS_GET_USERNS: u64 = 0xb701;
    ioctl(namespace, NS_GET_USERNS, 0).map(fd)
}

/// SIOCGIFFLAGS: fills the flags of the interface that `request` names.
pub fn interface_flags(socket: Fd, request: &mut InterfaceRequest) -> Sys<()> {
    ioctl(socket, libc::SIOCGIFFLAGS, request as *mut InterfaceRequest as usize).map(drop)
}

/// SIOCSIFFLAGS.
pub fn set_interface_flags(socket: Fd, request: &InterfaceRequest) -> Sys<()> {
    ioctl(socket, libc::SIOCSIFFLAGS, request as *const InterfaceRequest as usize).map(drop)
}

/// struct ifreq, as far as flags go.
#[repr(C)]
pub struct InterfaceRequest {
    pub name: [u8; libc::IFNAMSIZ],
    pub flags: u16,
    pub rest: [u8; 22],
}

/// TIOCGPTN: the name of the other end in its devpts.
pub fn terminal_number(master: Fd) -> Sys<u32> {
    let mut number = 0u32;
    ioctl(master, libc::TIOCGPTN, &raw mut number as usize)?;
    Ok(number)
}

/// TIOCSPTLCK with 0.
pub fn unlock_terminal(master: Fd) -> Sys<()> {
    let unlock = 0i32;
    ioctl(master, libc::TIOCSPTLCK, &raw const unlock as usize).map(drop)
}

/// TIOCGPTPEER: the other end, whatever is mounted where its name points. Without `O_NOCTTY` a session leader has it as its
/// terminal from that moment on, if it is nobody's yet.
pub fn open_slave(master: Fd, noctty: i32) -> Sys<Fd> {
    let flags = libc::O_RDWR | noctty | libc::O_CLOEXEC;
    ioctl(master, libc::TIOCGPTPEER, flags as usize).map(fd)
}

/// TIOCSCTTY.
pub fn control_terminal(terminal: Fd) -> Sys<()> {
    ioctl(terminal, libc::TIOCSCTTY, 0).map(drop)
}

fn ioctl(file: Fd, request: u64, argument: usize) -> Sys<usize> {
    call(libc::SYS_ioctl, [file.raw(), request as usize, argument, 0, 0, 0])
}

/// One control message: its header (16 bytes), the descriptor, padding.
#[repr(C, align(8))]
struct Rights {
    length: usize,
    level: i32,
    kind: i32,
    descriptor: i32,
    padding: i32,
}

impl Rights {
    const LENGTH: usize = 20;
}

/// sendmsg(2) of one message with a descriptor.
pub fn send(socket: Fd, bytes: &[u8], pass: Fd) -> Sys<()> {
    let part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let rights = Rights {
        length: Rights::LENGTH,
        level: libc::SOL_SOCKET,
        kind: libc::SCM_RIGHTS,
        descriptor: pass.0,
        padding: 0,
    };
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
    message.msg_iov = (&raw const part).cast_mut();
    message.msg_iovlen = 1;
    message.msg_control = (&raw const rights).cast_mut().cast();
    message.msg_controllen = size_of::<Rights>() as _;
    let args = [socket.raw(), &raw const message as usize, libc::MSG_NOSIGNAL as usize, 0, 0, 0];
    call(libc::SYS_sendmsg, args).map(drop)
}

/// socketpair(AF_UNIX, SOCK_SEQPACKET).
pub fn socket_pair() -> Sys<[Fd; 2]> {
    let mut ends = [0i32; 2];
    let kind = (libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC) as usize;
    call(libc::SYS_socketpair, [libc::AF_UNIX as usize, kind, 0, ends.as_mut_ptr() as usize, 0, 0])?;
    Ok(ends.map(Fd))
}

/// recvmsg(2) of a message that is one descriptor. `None` at the end, or where no descriptor came.
pub fn receive_descriptor(socket: Fd) -> Sys<Option<Fd>> {
    let mut byte = 0u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut rights = Rights { length: 0, level: 0, kind: 0, descriptor: -1, padding: 0 };
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut rights).cast();
    message.msg_controllen = Rights::LENGTH as _;
    let args = [socket.raw(), &raw mut message as usize, libc::MSG_CMSG_CLOEXEC as usize, 0, 0, 0];
    loop {
        match call(libc::SYS_recvmsg, args) {
            Err(Errno(libc::EINTR)) => {}
            Err(errno) => return Err(errno),
            Ok(_) => break,
        }
    }
    let passed = rights.level == libc::SOL_SOCKET && rights.kind == libc::SCM_RIGHTS;
    Ok((passed && rights.descriptor >= 0).then_some(Fd(rights.descriptor)))
}

pub fn set_dumpable(dumpable: bool) -> Sys<()> {
    prctl(libc::PR_SET_DUMPABLE, usize::from(dumpable), 0)
}

/// The name in ps(1), cut after 15 bytes.
pub fn set_name(name: &CStr) -> Sys<()> {
    prctl(libc::PR_SET_NAME, path(name), 0)
}

pub fn set_no_new_privileges() -> Sys<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0)
}

/// Permitted capabilities stay through the next change of user.
pub fn keep_capabilities() -> Sys<()> {
    prctl(libc::PR_SET_KEEPCAPS, 1, 0)
}

pub fn drop_from_bounding(capability: u32) -> Sys<()> {
    prctl(libc::PR_CAPBSET_DROP, capability as usize, 0)
}

pub fn clear_ambient() -> Sys<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as usize, 0)
}

pub fn raise_ambient(capability: u32) -> Sys<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as usize, capability as usize)
}

fn prctl(option: i32, a: usize, b: usize) -> Sys<()> {
    call(libc::SYS_prctl, [option as usize, a, b, 0, 0, 0]).map(drop)
}

/// A key by its number.
#[derive(Clone, Copy)]
pub struct Key(usize);

/// keyctl(KEYCTL_JOIN_SESSION_KEYRING).
pub fn join_session_keyring(name: &CStr) -> Sys<Key> {
    call(libc::SYS_keyctl, [1 /* KEYCTL_JOIN_SESSION_KEYRING */, path(name), 0, 0, 0, 0]).map(Key)
}

/// add_key(2): a keyring of this name in the keyring of this process, which goes with the next execve.
pub fn add_keyring(name: &CStr) -> Sys<Key> {
    const PROCESS_KEYRING: isize = -2;
    call(libc::SYS_add_key, [path(c"keyring"), path(name), 0, 0, PROCESS_KEYRING as usize, 0]).map(Key)
}

/// keyctl(KEYCTL_CHOWN): the group stays.
pub fn give_key(key: Key, uid: u32) -> Sys<()> {
    call(libc::SYS_keyctl, [4 /* KEYCTL_CHOWN */, key.0, uid as usize, u32::MAX as usize, 0, 0]).map(drop)
}

/// keyctl(KEYCTL_DESCRIBE): "type;uid;gid;permissions;description", permissions in hexadecimal.
pub fn describe_key(key: Key, text: &mut [u8]) -> Sys<()> {
    call(libc::SYS_keyctl, [6 /* KEYCTL_DESCRIBE */, key.0, text.as_mut_ptr() as usize, text.len(), 0, 0])
        .map(drop)
}

/// keyctl(KEYCTL_SETPERM).
pub fn set_key_permissions(key: Key, permissions: u32) -> Sys<()> {
    call(libc::SYS_keyctl, [5 /* KEYCTL_SETPERM */, key.0, permissions as usize, 0, 0, 0]).map(drop)
}

pub fn prlimit(resource: u32, soft: u64, hard: u64) -> Sys<()> {
    let limit = [soft, hard];
    call(libc::SYS_prlimit64, [0, resource as usize, limit.as_ptr() as usize, 0, 0, 0]).map(drop)
}

/// setgroups(2); `ids` holds little-endian u32, which is how both processors have them in memory.
pub fn setgroups(ids: &[u8]) -> Sys<()> {
    if ids.len() % 4 != 0 {
        return Err(Errno(libc::EINVAL));
    }
    // The kernel reads the list with copies of any alignment.
    call(libc::SYS_setgroups, [ids.len() / 4, ids.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

pub fn setresgid(gid: u32) -> Sys<()> {
    call(libc::SYS_setresgid, [gid as usize, gid as usize, gid as usize, 0, 0, 0]).map(drop)
}

pub fn setresuid(uid: u32) -> Sys<()> {
    call(libc::SYS_setresuid, [uid as usize, uid as usize, uid as usize, 0, 0, 0]).map(drop)
}

/// setresuid(2) of the real user id alone: what the rights of this process come from stays.
pub fn set_real_user(uid: u32) -> Sys<()> {
    let same = u32::MAX as usize;
    call(libc::SYS_setresuid, [uid as usize, same, same, 0, 0, 0]).map(drop)
}

/// setfsuid(2): the one before.
pub fn setfsuid(uid: u32) -> u32 {
    call(libc::SYS_setfsuid, [uid as usize, 0, 0, 0, 0, 0]).map_or(u32::MAX, |before| before as u32)
}

/// setfsgid(2): the one before.
pub fn setfsgid(gid: u32) -> u32 {
    call(libc::SYS_setfsgid, [gid as usize, 0, 0, 0, 0, 0]).map_or(u32::MAX, |before| before as u32)
}

/// capget(2) of ourselves: effective, permitted, inheritable.
pub fn capget() -> Sys<(u64, u64, u64)> {
    let header: [u32; 2] = [0x2008_0522 /* _LINUX_CAPABILITY_VERSION_3 */, 0];
    let mut data = [0u32; 6];
    call(libc::SYS_capget, [header.as_ptr() as usize, data.as_mut_ptr() as usize, 0, 0, 0, 0])?;
    let set = |at: usize| u64::from(data[at + 3]) << 32 | u64::from(data[at]);
    Ok((set(0), set(1), set(2)))
}

/// capset(2) on ourselves.
pub fn capset(effective: u64, permitted: u64, inheritable: u64) -> Sys<()> {
    let header: [u32; 2] = [0x2008_0522 /* _LINUX_CAPABILITY_VERSION_3 */, 0];
    let low = |set: u64| set as u32;
    let high = |set: u64| (set >> 32) as u32;
    let data = [
        low(effective),
        low(permitted),
        low(inheritable),
        high(effective),
        high(permitted),
        high(inheritable),
    ];
    call(libc::SYS_capset, [header.as_ptr() as usize, data.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

/// seccomp(SECCOMP_SET_MODE_FILTER): `program` holds whole instructions of 8 bytes.
pub fn seccomp(flags: u32, program: &[u8]) -> Sys<Fd> {
    #[repr(C)]
    struct Program {
        length: u16,
        instructions: *const u8,
    }
    let whole = program.len() % 8 == 0;
    let length = u16::try_from(program.len() / 8).ok().filter(|_| whole).ok_or(Errno(libc::EINVAL))?;
    let program = Program { length, instructions: program.as_ptr() };
    let args = [1 /* SECCOMP_SET_MODE_FILTER */, flags as usize, &raw const program as usize, 0, 0, 0];
    call(libc::SYS_seccomp, args).map(fd)
}

pub fn personality(value: u64) -> Sys<()> {
    call(libc::SYS_personality, [value as usize, 0, 0, 0, 0, 0]).map(drop)
}

pub fn sched_setaffinity(mask: &[u8]) -> Sys<()> {
    call(libc::SYS_sched_setaffinity, [0, mask.len(), mask.as_ptr() as usize, 0, 0, 0]).map(drop)
}

/// sched_setattr(2): `attributes` begins with its own length.
pub fn sched_setattr(attributes: &[u8]) -> Sys<()> {
    if attributes.first_chunk() != Some(&(attributes.len() as u32).to_le_bytes()) {
        return Err(Errno(libc::EINVAL));
    }
    call(libc::SYS_sched_setattr, [0, attributes.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

pub fn ioprio_set(value: u32) -> Sys<()> {
    call(libc::SYS_ioprio_set, [1 /* IOPRIO_WHO_PROCESS */, 0, value as usize, 0, 0, 0]).map(drop)
}

pub fn set_mempolicy(mode: u32, nodes: &[u8]) -> Sys<()> {
    let (at, bits) = if nodes.is_empty() { (0, 0) } else { (nodes.as_ptr() as usize, nodes.len() * 8 + 1) };
    call(libc::SYS_set_mempolicy, [mode as usize, at, bits, 0, 0, 0]).map(drop)
}

/// What callers ignore: nohup(1) and daemons, shells for their jobs in the background, runtimes of languages.
const OFTEN_IGNORED: [i32; 9] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGPIPE,
    libc::SIGTERM,
    libc::SIGCHLD,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
];

/// Nothing of the caller's is ignored, and no signal blocked: what a program expects to find.
pub fn default_signals() {
    let action = [0u64; 4];
    for signal in OFTEN_IGNORED {
        // Cannot fail with these arguments; nor can the next.
        let _ = call(libc::SYS_rt_sigaction, [signal as usize, action.as_ptr() as usize, 0, 8, 0, 0]);
    }
    let none = 0u64;
    let _ =
        call(libc::SYS_rt_sigprocmask, [libc::SIG_SETMASK as usize, &raw const none as usize, 0, 8, 0, 0]);
}

/// execve(2); returns only when it fails. `room` is that of [`pointers`] for all the strings.
pub fn execve<'s>(
    p: &CStr,
    room: &mut [*const u8],
    argv: impl Iterator<Item = &'s CStr>,
    env: impl Iterator<Item = &'s CStr>,
) -> Errno {
    let Some((argv, rest)) = lay_out(argv, room) else { return Errno(libc::E2BIG) };
    let Some((env, _)) = lay_out(env, rest) else { return Errno(libc::E2BIG) };
    match call(libc::SYS_execve, [path(p), argv.as_ptr() as usize, env.as_ptr() as usize, 0, 0, 0]) {
        Err(errno) => errno,
        Ok(_) => Errno(0),
    }
}

/// The list with its null pointer, and the room behind it.
fn lay_out<'s, 'r>(
    strings: impl Iterator<Item = &'s CStr>,
    room: &'r mut [*const u8],
) -> Option<(&'r [*const u8], &'r mut [*const u8])> {
    let mut used = 0;
    for pointer in strings.map(CStr::as_ptr).chain([core::ptr::null()]) {
        *room.get_mut(used)? = pointer.cast();
        used += 1;
    }
    let (list, rest) = room.split_at_mut(used);
    Some((list, rest))
}
