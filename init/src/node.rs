//! Files that init makes or writes: device nodes, links, the console, and the kernel's control files.
//!
//! A destination may hold whatever the image's author likes. What is there is opened without following its last
//! link and verified on the open descriptor; a fake /dev/null or /dev/ptmx is refused (CVE-2025-31133,
//! CVE-2025-52565), and control files are written through a procfs that cannot be mounted over (CVE-2025-52881).

use crate::Init;
use crate::control::{Fail, In, NOT_OPEN, Outcome};
use crate::decimal::{self, DIGITS};
use crate::path::{IN_ROOT, Missing};
use crate::sys::{self, Errno, Fd};
use crate::wire::{Device, Part, Word};
use core::ffi::CStr;

const DEVPTS_MAGIC: i64 = 0x1cd1;
const PROC_MAGIC: i64 = 0x9fa0;
const NULL_DEVICE: u64 = 1 << 8 | 3;
/// Control files: no links, and no step into something mounted over the procfs.
const PRISTINE: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;

/// The directory of `path` (made if it is missing), and the name in it.
pub fn split(path: &CStr) -> (&[u8], &[u8]) {
    let bytes = path.to_bytes();
    match bytes.iter().rposition(|&b| b == b'/') {
        Some(slash) => (&bytes[..slash], &bytes[slash + 1..]),
        None => (&[], bytes),
    }
}

/// A NUL-terminated copy of a name.
pub fn terminated<'b>(name: &[u8], buffer: &'b mut [u8; 4096]) -> Outcome<&'b CStr> {
    let too_long = Fail(Part::OpenTarget, Errno(libc::ENAMETOOLONG));
    buffer.get_mut(..name.len()).ok_or(too_long)?.copy_from_slice(name);
    *buffer.get_mut(name.len()).ok_or(too_long)? = 0;
    CStr::from_bytes_until_nul(buffer).map_err(|_| too_long)
}

impl Init<'_> {
    /// Opens the directory that `path` is in, and gives the rest to `work`.
    pub fn in_directory<T>(&self, path: &CStr, work: impl FnOnce(Fd, &CStr) -> Outcome<T>) -> Outcome<T> {
        let (directory, name) = split(path);
        let mut buffer = [0; 4096];
        let parent = if directory.iter().all(|&b| b == b'/') {
            self.root()?
        } else {
            self.destination(terminated(directory, &mut buffer)?, Missing::Directory { mode: 0o755 })?
        };
        let outcome = work(parent, terminated(name, &mut buffer)?);
        if self.root != Some(parent) {
            sys::close(parent);
        }
        outcome
    }

    pub fn device(&self, Device { path, mode, number, uid, gid }: Device) -> Outcome<()> {
        self.in_directory(path, |parent, name| {
            match sys::mknodat(parent, name, mode, number) {
                Ok(()) if (uid, gid) == (0, 0) => return Ok(()),
                Ok(()) | Err(Errno(libc::EEXIST)) => {}
                Err(errno) => return Err(Fail(Part::Mknod, errno)),
            }
            // Who shares the directory may exchange names: what gets the owner is what was looked at.
            let node =
                sys::openat2(parent, name, libc::O_PATH | libc::O_NOFOLLOW, 0, 0).part(Part::Verify)?;
            let there = sys::stat(node, c"", 0).part(Part::Verify)?;
            let same_kind = there.mode & libc::S_IFMT == mode & libc::S_IFMT;
            let fifo = mode & libc::S_IFMT == libc::S_IFIFO;
            if !same_kind || (!fifo && there.rdev != number) {
                return Err(Fail(Part::Unexpected, Errno(libc::EEXIST)));
            }
            if (uid, gid) != (0, 0) {
                sys::fchownat(node, c"", uid, gid).part(Part::Chown)?;
            }
            sys::close(node);
            Ok(())
        })
    }

    /// `copy-symlink`: the link that `source` is open on, made again at `target`.
    pub fn copy_link(&self, source: Fd, target: &CStr) -> Outcome<()> {
        let mut text = [0; 4096];
        let length = sys::readlinkat(source, c"", &mut text[..4095]).part(Part::OpenSource)?.len();
        let to = CStr::from_bytes_with_nul(&text[..=length])
            .map_err(|_| Fail(Part::OpenSource, Errno(libc::EINVAL)))?;
        self.in_directory(target, |parent, name| match sys::symlinkat(to, parent, name) {
            Ok(()) => Ok(()),
            Err(Errno(libc::EEXIST)) => {
                let mut there = [0; 4096];
                match sys::readlinkat(parent, name, &mut there) {
                    Ok(found) if found == to.to_bytes() => Ok(()),
                    _ => Err(Fail(Part::OtherLink, Errno(libc::EEXIST))),
                }
            }
            Err(errno) => Err(Fail(Part::Symlink, errno)),
        })
    }

    pub fn symlink(&self, to: &CStr, path: &CStr) -> Outcome<()> {
        self.in_directory(path, |parent, name| match sys::symlinkat(to, parent, name) {
            Ok(()) | Err(Errno(libc::EEXIST)) => Ok(()),
            Err(errno) => Err(Fail(Part::Symlink, errno)),
        })
    }

    pub fn open_null(&mut self) -> Outcome<()> {
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let null = sys::openat2(self.root()?, c"dev/null", flags, 0, IN_ROOT).part(Part::OpenTarget)?;
        let found = sys::stat(null, c"", 0).part(Part::Verify)?;
        if found.mode & libc::S_IFMT != libc::S_IFCHR || found.rdev != NULL_DEVICE {
            return Err(Fail(Part::Unexpected, Errno(libc::EEXIST)));
        }
        self.null = Some(null);
        Ok(())
    }

    /// The master of a new pseudo terminal goes to rruntime; with `bind` the slave appears as /dev/console.
    pub fn open_console(&mut self, bind: bool, held: bool) -> Outcome<()> {
        let scope = IN_ROOT | libc::RESOLVE_NO_SYMLINKS;
        let path = libc::O_PATH | libc::O_DIRECTORY;
        let devpts = sys::openat2(self.root()?, c"dev/pts", path, 0, scope).part(Part::OpenTarget)?;
        if sys::filesystem(devpts).part(Part::Verify)? != DEVPTS_MAGIC {
            return Err(Fail(Part::Unexpected, Errno(libc::ENODEV)));
        }
        // Looked at before it is opened: opening a device of the image's choice could do something by itself.
        let terminal = if held {
            sys::setsid().part(Part::Setsid)?;
            hold_terminal(devpts)?
        } else {
            let terminal = new_terminal(devpts, libc::O_NOCTTY)?;
            sys::close(devpts);
            terminal
        };
        let Terminal { master, slave, mode } = terminal;
        self.holds_terminal = held;
        if bind {
            self.bind_console(slave)?;
        }
        self.pass(Word::Console, i64::from(mode), master)?;
        sys::close(master);
        self.console = Some(slave);
        Ok(())
    }

    fn bind_console(&self, slave: Fd) -> Outcome<()> {
        let mount = sys::clone_tree(slave, c"", libc::AT_EMPTY_PATH).part(Part::OpenTree)?;
        let scope = IN_ROOT | libc::RESOLVE_NO_SYMLINKS;
        let path = libc::O_PATH | libc::O_NOFOLLOW;
        let target = match sys::openat2(self.root()?, c"dev/console", path, 0, scope) {
            Err(Errno(libc::ENOENT)) => {
                let make = libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_WRONLY;
                sys::openat2(self.root()?, c"dev/console", make, 0o666, scope).part(Part::MakeTarget)?
            }
            other => other.part(Part::OpenTarget)?,
        };
        sys::move_mount(mount, target, c"").part(Part::MoveMount)?;
        sys::close(target);
        sys::close(mount);
        Ok(())
    }

    pub fn open_host_proc(&mut self) -> Outcome<()> {
        let proc =
            sys::openat2(Fd::CWD, c"/proc", libc::O_PATH | libc::O_DIRECTORY, 0, 0).part(Part::Open)?;
        if sys::filesystem(proc).part(Part::Verify)? != PROC_MAGIC {
            return Err(Fail(Part::Unexpected, Errno(libc::ENODEV)));
        }
        self.host_proc = Some(proc);
        Ok(())
    }

    pub fn close_host_proc(&mut self) {
        if let Some(proc) = self.host_proc.take() {
            sys::close(proc);
        }
    }

    /// The host's procfs; steps that need it come between `OpenHostProc` and `CloseHostProc`.
    pub fn host_proc(&self) -> Outcome<Fd> {
        self.host_proc.ok_or(NOT_OPEN)
    }

    fn pristine_proc(&self) -> Outcome<Fd> {
        self.proc.ok_or(NOT_OPEN)
    }

    pub fn write_self(&self, file: &CStr, value: &[u8]) -> Outcome<()> {
        let proc = self.host_proc()?;
        // "self" is a link, and the only one that this lookup may meet.
        let own = sys::openat2(proc, c"self", libc::O_PATH | libc::O_DIRECTORY, 0, libc::RESOLVE_BENEATH);
        write_control(own.part(Part::Open)?, file, value)
    }

    pub fn write_label(&self, file: &CStr, value: &[u8]) -> Outcome<()> {
        let proc = self.pristine_proc()?;
        let own = sys::openat2(proc, c"self", libc::O_PATH | libc::O_DIRECTORY, 0, libc::RESOLVE_BENEATH);
        write_control(own.part(Part::Open)?, file, value)
    }

    pub fn write_sysctl(&self, path: &CStr, value: &[u8]) -> Outcome<()> {
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let sys_dir = sys::openat2(self.pristine_proc()?, c"sys", flags, 0, PRISTINE).part(Part::Open)?;
        write_control(sys_dir, path, value)
    }

    /// For who has joined: the container's first process may have gone into namespaces of a user namespace of its own, in
    /// which it is root. Of the namespaces that we are in by now, so that nothing can change between the look and the use.
    pub fn belongs(&self, file: &CStr, owner: bool, to: &[u8]) -> Outcome<()> {
        let proc = self.host_proc()?;
        // A magic link, as below.
        let mut found = sys::openat2(proc, file, libc::O_RDONLY, 0, 0).part(Part::Open)?;
        if owner {
            let namespace = found;
            let owner = sys::owner(namespace);
            sys::close(namespace);
            found = match owner {
                // Neither our own nor one below it: no process of the container can have made it.
                Err(Errno(libc::EPERM)) => return Ok(()),
                owner => owner.part(Part::Ioctl)?,
            };
        }
        let number = sys::stat(found, c"", 0).part(Part::Verify)?.inode.to_le_bytes();
        sys::close(found);
        match to.chunks_exact(number.len()).any(|known| known == number) {
            true => Ok(()),
            false => Err(Fail(Part::Stranger, Errno(libc::EPERM))),
        }
    }

    pub fn enter_time_namespace(&self) -> Outcome<()> {
        let proc = self.host_proc()?;
        // A magic link is what a namespace file is; the procfs is the host's and nothing of the container's.
        let namespace =
            sys::openat2(proc, c"self/ns/time_for_children", libc::O_RDONLY, 0, 0).part(Part::Open)?;
        sys::setns(namespace, libc::CLONE_NEWTIME as u64).part(Part::Setns)?;
        sys::close(namespace);
        Ok(())
    }
}

/// Both ends of a new terminal, and the mode of the second.
struct Terminal {
    master: Fd,
    slave: Fd,
    mode: u32,
}

/// Its mode is taken away while it is locked, so that no process without CAP_DAC_OVERRIDE can open it.
fn new_terminal(devpts: Fd, noctty: i32) -> Outcome<Terminal> {
    let flags = libc::O_RDWR | libc::O_NOCTTY;
    let master = sys::openat2(devpts, c"ptmx", flags, 0, PRISTINE).part(Part::OpenTarget)?;
    let mode = hide(devpts, master)?;
    sys::unlock_terminal(master).part(Part::Ioctl)?;
    let slave = sys::open_slave(master, noctty).part(Part::Ioctl)?;
    Ok(Terminal { master, slave, mode })
}

/// A terminal that is our own from the moment on at which it is open. A session leader of the container's that may open
/// what has no mode, and that opens everything, can be faster: then it has that one, and we take the next.
fn hold_terminal(devpts: Fd) -> Outcome<Terminal> {
    const TRIES: u32 = 32;
    let mut taken = [Fd::CWD; TRIES as usize];
    let mut outcome = Err(Fail(Part::Ioctl, Errno(libc::EPERM)));
    for place in &mut taken {
        let terminal = new_terminal(devpts, 0)?;
        if sys::control_terminal(terminal.slave).is_ok() {
            outcome = Ok(terminal);
            break;
        }
        sys::close(terminal.slave);
        // Kept open for now: its number is not to come again at once.
        *place = terminal.master;
    }
    for master in taken.iter().filter(|fd| **fd != Fd::CWD) {
        sys::close(*master);
    }
    sys::close(devpts);
    outcome
}

/// Takes the mode of a terminal that is still locked away, and returns it: until the terminal is the program's, no one
/// else can open it and make it their own. Locking it instead would break every later open. 0 on kernels that cannot
/// change the mode of what is only open as a path (before 6.6).
fn hide(devpts: Fd, master: Fd) -> Outcome<u32> {
    let number = sys::terminal_number(master).part(Part::Ioctl)?;
    let mut text = [0; DIGITS + 1];
    decimal::write(number, &mut text);
    let name = CStr::from_bytes_until_nul(&text).map_err(|_| Fail(Part::Plan, Errno(libc::EINVAL)))?;
    let found =
        sys::openat2(devpts, name, libc::O_PATH | libc::O_NOFOLLOW, 0, PRISTINE).part(Part::OpenTarget)?;
    let mode = sys::stat(found, c"", 0).part(Part::Verify)?.mode & 0o7777;
    let hidden = sys::fchmodat2(found, 0);
    sys::close(found);
    match hidden {
        Ok(()) => Ok(mode),
        Err(Errno(libc::ENOSYS)) => Ok(0),
        Err(errno) => Err(Fail(Part::Chmod, errno)),
    }
}

fn write_control(directory: Fd, file: &CStr, value: &[u8]) -> Outcome<()> {
    let flags = libc::O_WRONLY | libc::O_NOCTTY;
    let opened = sys::openat2(directory, file, flags, 0, PRISTINE).part(Part::Open)?;
    let written = sys::write(opened, value).part(Part::Write)?;
    sys::close(opened);
    sys::close(directory);
    if written == value.len() { Ok(()) } else { Err(Fail(Part::Write, Errno(libc::EIO))) }
}
