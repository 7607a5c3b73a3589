//! Files that init makes or writes: device nodes, links, the console, and the kernel's control files.
//!
//! A destination may hold whatever the image's author likes. What is there is opened without following its last
//! link and verified on the open descriptor; a fake /dev/null or /dev/ptmx is refused (CVE-2025-31133,
//! CVE-2025-52565), and control files are written through a procfs that cannot be mounted over (CVE-2025-52881).

use crate::Init;
use crate::control::{Fail, In, NOT_OPEN, Outcome};
use crate::decimal::{self, DIGITS};
use crate::path::{IN_ROOT, Missing, Text, Way};
use crate::sys::{self, Errno, Fd};
use crate::wire::{Device, Part, Step, Word};
use core::ffi::CStr;

const DEVPTS_MAGIC: i64 = 0x1cd1;
const PROC_MAGIC: i64 = 0x9fa0;
const NULL_DEVICE: u64 = 1 << 8 | 3;
/// Control files: no links, and no step into something mounted over the procfs.
const PRISTINE: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;

impl Init<'_> {
    /// Opens the directory that `path` is in, and gives the rest to `work`.
    pub fn in_directory<T>(&self, path: &CStr, work: impl FnOnce(Fd, &CStr) -> Outcome<T>) -> Outcome<T> {
        let bytes = path.to_bytes();
        let (directory, name) = match bytes.iter().rposition(|&b| b == b'/') {
            Some(slash) => (&bytes[..slash], &bytes[slash + 1..]),
            None => (&[][..], bytes),
        };
        let (parent, way) = match self.dev.get().filter(|_| directory == b"/dev") {
            Some(dev) => (dev, Way::Plain),
            None if directory.iter().all(|&b| b == b'/') => (self.root()?, Way::Plain),
            None => self.destination_by(Text::new(directory)?.c()?, Missing::Directory)?,
        };
        let outcome = work(parent, Text::new(name)?.c()?);
        // Where a link leads, rruntime is asked each time: it warns of a device, not of the one before.
        if directory == b"/dev" && way == Way::Plain {
            self.dev.set(Some(parent));
        } else {
            self.close_unless_root(parent);
        }
        outcome
    }

    /// What other steps do may put another directory there.
    pub fn leave_dev(&self, step: &Step) {
        if !matches!(step, Step::Device(_) | Step::Symlink { .. }) {
            self.dev.take().into_iter().for_each(sys::close);
        }
    }

    pub fn device(&self, Device { path, mode, number, uid, gid }: Device) -> Outcome<()> {
        self.in_directory(path, |parent, name| {
            match sys::mknodat(parent, name, mode, number) {
                Ok(()) if (uid, gid) == (0, 0) => return Ok(()),
                Ok(()) | Err(Errno(libc::EEXIST)) => {}
                Err(errno) => return Err(Fail(Part::Mknod, errno)),
            }
            own_node(parent, name, (mode, number), (uid, gid))
        })
    }

    pub fn new_device(&self, Device { path, mode, number, uid, gid }: Device) -> Outcome<()> {
        let (directory, name) = split(path)?;
        let parent = self.plain_directory(directory.c()?)?;
        let name = name.c()?;
        sys::mknodat(parent, name, mode, number).part(Part::Mknod)?;
        own_node(parent, name, (mode, number), (uid, gid)).inspect_err(|_| {
            // The failure that led here is the one to report.
            let _ = sys::unlinkat(parent, name);
        })
    }

    /// A process that may exchange names in the directory may remove what is there as well.
    pub fn remove_device(&self, path: &CStr, mode: u32, number: u64) -> Outcome<()> {
        let (directory, name) = split(path)?;
        let parent = match self.lookup_plain(directory.c()?) {
            Err(Errno(libc::ENOENT)) => return Ok(()),
            found => found.part(Part::OpenTarget)?,
        };
        let name = name.c()?;
        match own_node(parent, name, (mode, number), (0, 0)) {
            Ok(()) => sys::unlinkat(parent, name).part(Part::Unlink),
            Err(Fail(_, Errno(libc::ENOENT))) => Ok(()),
            other => other,
        }
    }

    /// `copy-symlink`: the link that `source` is open on, made again at `target`.
    pub fn copy_link(&self, source: Fd, target: &CStr) -> Outcome<()> {
        let mut text = [0; libc::PATH_MAX as usize];
        let to = sys::link_text(source, c"", &mut text).part(Part::OpenSource)?;
        self.in_directory(target, |parent, name| match sys::symlinkat(to, parent, name) {
            Ok(()) => Ok(()),
            Err(Errno(libc::EEXIST)) => {
                match sys::link_text(parent, name, &mut [0; libc::PATH_MAX as usize]) {
                    Ok(found) if found == to => Ok(()),
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
        let found = sys::fstat(null).part(Part::Verify)?;
        if found.kind() != libc::S_IFCHR || found.rdev != NULL_DEVICE {
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

    /// The procfs that cannot be mounted over.
    pub fn pristine_proc(&self) -> Outcome<Fd> {
        self.proc.ok_or(NOT_OPEN)
    }

    /// For a process that has joined: the container's first process may have entered namespaces of a user namespace of its
    /// own, in which it is root. Looks at the namespaces that this process is in, so that nothing can change between the
    /// look and the use.
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
        let number = sys::fstat(found).part(Part::Verify)?.inode.to_le_bytes();
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

/// A terminal that is our own from the moment it is open. A session leader in the container that may open a file
/// without a mode, and opens everything, can be faster: then it has that terminal, and we take the next.
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
        // Kept open for now, so that its number is not given out again at once.
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
    let mode = sys::fstat(found).part(Part::Verify)?.mode & 0o7777;
    let hidden = sys::fchmodat2(found, 0);
    sys::close(found);
    match hidden {
        Ok(()) => Ok(mode),
        Err(Errno(libc::ENOSYS)) => Ok(0),
        Err(errno) => Err(Fail(Part::Chmod, errno)),
    }
}

/// Writes a file about ourselves. "self" is a link, and the only one that this lookup may meet.
pub fn write_self(proc: Fd, file: &CStr, value: &[u8]) -> Outcome<()> {
    write_control(proc, c"self", libc::RESOLVE_BENEATH, file, value)
}

/// The directory of an absolute path, and the name in it.
#[inline(never)]
fn split(path: &CStr) -> Outcome<(Text, Text)> {
    let bytes = path.to_bytes();
    let slash = bytes.iter().rposition(|&b| b == b'/').unwrap_or(0);
    Ok((Text::new(&bytes[..=slash])?, Text::new(&bytes[slash + 1..])?))
}

/// What is at `name` has to be this node. Another process may exchange names in the directory: the owner is set on what was
/// looked at.
#[inline(never)]
fn own_node(parent: Fd, name: &CStr, (mode, number): (u32, u64), (uid, gid): (u32, u32)) -> Outcome<()> {
    let node = sys::openat2(parent, name, libc::O_PATH | libc::O_NOFOLLOW, 0, 0).part(Part::Verify)?;
    let there = sys::fstat(node).part(Part::Verify)?;
    let same_kind = there.kind() == mode & libc::S_IFMT;
    let fifo = mode & libc::S_IFMT == libc::S_IFIFO;
    if !same_kind || (!fifo && there.rdev != number) {
        return Err(Fail(Part::Unexpected, Errno(libc::EEXIST)));
    }
    if (uid, gid) != (0, 0) {
        sys::fchownat(node, c"", uid, gid).part(Part::Chown)?;
    }
    sys::close(node);
    Ok(())
}

pub fn write_sysctl(proc: Fd, path: &CStr, value: &[u8]) -> Outcome<()> {
    write_control(proc, c"sys", PRISTINE, path, value)
}

fn write_control(proc: Fd, directory: &CStr, resolve: u64, file: &CStr, value: &[u8]) -> Outcome<()> {
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    let directory = sys::openat2(proc, directory, flags, 0, resolve).part(Part::Open)?;
    let opened =
        sys::openat2(directory, file, libc::O_WRONLY | libc::O_NOCTTY, 0, PRISTINE).part(Part::Open)?;
    let written = sys::write(opened, value).part(Part::Write)?;
    sys::close(opened);
    sys::close(directory);
    if written == value.len() { Ok(()) } else { Err(Fail(Part::Write, Errno(libc::EIO))) }
}
