//! Mounts, by descriptor only: a file system or a copy of a tree is made detached, gets all its attributes, and
//! is attached to an open destination. No path is looked up twice, so there is nothing to race with.

use crate::Init;
use crate::control::{Fail, In, NOT_OPEN, Outcome};
use crate::copy;
use crate::path::{IN_ROOT, Missing};
use crate::sys::{self, Errno, Fd};
use crate::wire::{
    Attributes, Bind, Filesystem, Handle, Links, Mount, PAYLOAD, Part, Remount, Root, Strings, Word,
};
use core::ffi::CStr;

const FLAG: u32 = libc::FSCONFIG_SET_FLAG;
const STRING: u32 = libc::FSCONFIG_SET_STRING;
const CREATE: u32 = libc::FSCONFIG_CMD_CREATE;

/// mount_setattr on the mount that `mount` is open on.
pub fn set_attributes(mount: Fd, attributes: Attributes, recursive: bool) -> Outcome<()> {
    if attributes.is_none() {
        return Ok(());
    }
    let change = libc::mount_attr {
        attr_set: attributes.set,
        attr_clr: attributes.clear,
        propagation: attributes.propagation,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    sys::mount_setattr(mount, c"", flags, &change).part(Part::MountSetattr)
}

/// Holds what is found at a path now against what rruntime has looked at.
fn same_file(seen: Fd, mount: Fd) -> Outcome<()> {
    let (expected, found) = (sys::fstat(seen), sys::fstat(mount));
    let (expected, found) = (expected.part(Part::Verify)?, found.part(Part::Verify)?);
    if (expected.device, expected.inode) == (found.device, found.inode) {
        Ok(())
    } else {
        Err(Fail(Part::SourceChanged, Errno(libc::ESTALE)))
    }
}

impl Init<'_> {
    pub fn host_propagation(&self, flags: u64, recursive: bool) -> Outcome<()> {
        let change = libc::mount_attr { attr_set: 0, attr_clr: 0, propagation: flags, userns_fd: 0 };
        let at = if recursive { libc::AT_RECURSIVE } else { 0 };
        sys::mount_setattr(Fd::CWD, c"/", at, &change).part(Part::MountSetattr)
    }

    pub fn attach_root(&mut self, Root { tree, path, attach, attributes }: Root) -> Outcome<()> {
        let mount = self.tree(tree, path, libc::AT_RECURSIVE as u32)?;
        set_attributes(mount, attributes, true)?;
        sys::move_mount(mount, Fd::CWD, attach).part(Part::MoveMount)?;
        self.root = Some(mount);
        Ok(())
    }

    /// The detached tree that rruntime has made; or, where it may not make one, a copy made here by path, which
    /// must be of the file that rruntime has looked at.
    fn tree(&self, tree: Handle, path: &CStr, flags: u32) -> Outcome<Fd> {
        if tree == Handle::NONE {
            // What this container's own mounts show there.
            let found = self.lookup(path).part(Part::OpenSource)?;
            let mount =
                sys::clone_tree(found, c"", flags as i32 | libc::AT_EMPTY_PATH).part(Part::OpenTree)?;
            sys::close(found);
            return Ok(mount);
        }
        let seen = self.handle(tree)?;
        if path.is_empty() {
            return Ok(seen);
        }
        let mount = sys::clone_tree(Fd::CWD, path, flags as i32).part(Part::OpenSource)?;
        same_file(seen, mount)?;
        Ok(mount)
    }

    /// Our copies of the host's mounts keep its flags for good: the kernel locked them when this less privileged mount
    /// namespace was made (mount_namespaces(7)), made them slaves of the host's where those are shared, and copies of
    /// copies stay so. A copy that rruntime makes is neither, and root of a user namespace could make a volume writable
    /// that the host has mounted read-only, or mount something on the host: so there is no other copy to fall back on.
    ///
    /// This comes while we still are the caller's user, for whom most directories on the way are open; what is needed
    /// of the host's rights beyond that rruntime does, to this copy.
    pub fn copy_tree(&self, tree: Handle, path: &CStr, flags: u32, mapped: bool) -> Outcome<()> {
        let seen = self.handle(tree)?;
        let mount = match sys::clone_tree(Fd::CWD, path, flags as i32) {
            Err(Errno(libc::EACCES)) => {
                self.tell(Word::Blocked, i64::from(tree.0))?;
                let place = sys::receive_descriptor(self.control).part(Part::Control)?;
                let place = place.ok_or(Fail(Part::OpenSource, Errno(libc::EACCES)))?;
                let mount = sys::clone_tree(place, c"", flags as i32 | libc::AT_EMPTY_PATH);
                sys::close(place);
                mount
            }
            other => other,
        }
        .part(Part::OpenSource)?;
        same_file(seen, mount)?;
        if mapped {
            self.pass(Word::Copied, i64::from(tree.0), mount)?;
            self.expect_go()?;
        }
        sys::dup3(mount, seen.0).part(Part::Dup)?;
        sys::close(mount);
        Ok(())
    }

    pub fn open_root(&mut self, path: &CStr) -> Outcome<()> {
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        self.root = Some(sys::openat2(Fd::CWD, path, flags, 0, 0).part(Part::Open)?);
        Ok(())
    }

    /// A procfs of our pid namespace that is attached nowhere: nothing can be mounted over its files.
    pub fn open_proc(&mut self) -> Outcome<()> {
        let context = sys::fsopen(c"proc").part(Part::FsOpen)?;
        let mount = self.new_filesystem(context, c"proc", Strings::EMPTY, NO_MODE, 0)?;
        self.proc = Some(mount);
        Ok(())
    }

    pub fn filesystem(&mut self, new: Filesystem) -> Outcome<()> {
        let Filesystem { kind, source, target, options, attributes, strict, copy_up, modeless, label, pidns } =
            new;
        // What is copied in could not be written to a mount that is read-only from the start.
        let (first, later) = if copy_up { (0, attributes.set) } else { (attributes.set, 0) };
        let context = match pidns {
            Handle::NONE => sys::fsopen(kind).part(Part::FsOpen)?,
            other => self.proc_context(self.handle(other)?)?,
        };
        // A tmpfs without a mode has that of the directory that it covers.
        let covered = if modeless { self.lookup(target).ok() } else { None };
        let mode = match covered {
            Some(place) => sys::fstat(place).part(Part::Verify)?.mode & 0o7777,
            None => NO_MODE,
        };
        let mount = self.new_filesystem(context, source, options, mode, first)?;
        if let Some(place) = covered {
            sys::close(place);
        }
        if !label.is_empty() {
            set_label(mount, label)?;
        }
        let at = match strict {
            true => self.plain_directory(target)?,
            false => self.destination(target, Missing::Directory)?,
        };
        if copy_up {
            let proc = self.host_proc()?;
            copy::tree(proc, at, mount, mode != NO_MODE).part(Part::Copy)?;
        }
        set_attributes(mount, Attributes { set: later, clear: 0, ..attributes }, false)?;
        self.kept.room()?;
        sys::move_mount(mount, at, c"").part(Part::MoveMount)?;
        sys::close(at);
        self.cover(target, mount, strict)
    }

    /// mount(2), on the working directory: the one form of the destination that is no path.
    pub fn mount_here(&self, Mount { kind, source, target, flags, data }: Mount) -> Outcome<()> {
        self.kept.none()?;
        let at = self.destination(target, Missing::Directory)?;
        sys::fchdir(at).part(Part::Chdir)?;
        sys::close(at);
        sys::mount(source, c".", kind, flags, data).part(Part::Mount)
    }

    /// Keeps the descriptor of a mount that was made on /proc or /sys; one that lies under another is of no use.
    fn cover(&mut self, target: &CStr, mount: Fd, keep: bool) -> Outcome<()> {
        if self.keep_mount(mount)? {
            return Ok(());
        }
        for (place, held) in KERNEL_PLACES.iter().zip(&mut self.kernel_mounts) {
            if target.to_bytes() == &place[..place.len() - 1] || target.to_bytes() == b"/" {
                if let Some(covered) = held.take() {
                    sys::close(covered);
                }
                if keep {
                    *held = Some(mount);
                    return Ok(());
                }
            }
        }
        sys::close(mount);
        Ok(())
    }

    pub fn new_filesystem(
        &mut self,
        context: Fd,
        source: &CStr,
        options: Strings,
        mode: u32,
        attributes: u64,
    ) -> Outcome<Fd> {
        configure(context, source, options, mode).inspect_err(|_| self.note_from(context))?;
        let mount = sys::fsmount(context, attributes).part(Part::FsMount)?;
        sys::close(context);
        Ok(mount)
    }

    /// The context of a proc of another pid namespace. Before Linux 6.18 the kernel takes that of the process that opens it.
    fn proc_context(&mut self, namespace: Fd) -> Outcome<Fd> {
        let context = sys::fsopen(c"proc").part(Part::FsOpen)?;
        match sys::fsconfig_file(context, c"pidns", namespace) {
            Ok(()) => return Ok(context),
            Err(Errno(libc::EINVAL)) => {}
            Err(errno) => {
                self.note_from(context);
                return Err(Fail(Part::FsConfig, errno));
            }
        }
        sys::close(context);
        self.held_context(namespace)
    }

    /// What the kernel has to say about a file system that it refused: the first message of its log.
    fn note_from(&mut self, context: Fd) {
        // Without a message there is just the errno to report.
        self.noted = sys::read(context, &mut self.note[..PAYLOAD]).unwrap_or(0);
    }

    pub fn bind(&mut self, bind: Bind) -> Outcome<()> {
        let Bind { tree, source, flags, target, links, attributes, recursive_attributes } = bind;
        let mount = self.tree(tree, source, flags)?;
        let kind = sys::fstat(mount).part(Part::Verify)?.kind();
        if kind == libc::S_IFLNK && links.has(Links::COPY) {
            return self.copy_link(mount, target);
        }
        set_attributes(mount, attributes, false)?;
        set_attributes(mount, recursive_attributes, true)?;
        let missing = if kind == libc::S_IFDIR { Missing::Directory } else { Missing::File };
        let at = if links.has(Links::KEEP_TARGET) {
            self.link_or_make(target, missing)?
        } else {
            self.destination(target, missing)?
        };
        self.kept.room()?;
        sys::move_mount(mount, at, c"").part(Part::MoveMount)?;
        sys::close(at);
        self.cover(target, mount, false)
    }

    pub fn remount(&self, change: Remount) -> Outcome<()> {
        let Remount { target, attributes, recursive_attributes } = change;
        let mount = match self.kept.last() {
            Some(last) if target.is_empty() => last,
            _ => self.lookup(target).part(Part::OpenTarget)?,
        };
        set_attributes(mount, attributes, false)?;
        set_attributes(mount, recursive_attributes, true)?;
        if !target.is_empty() {
            sys::close(mount);
        }
        Ok(())
    }

    pub fn root_attributes(&self, attributes: Attributes, recursive: bool) -> Outcome<()> {
        set_attributes(self.root()?, attributes, recursive)
    }

    /// pivot_root(".", "."): the old root ends up on top of the new one, and is then taken away.
    pub fn pivot(&self) -> Outcome<()> {
        sys::fchdir(self.root()?).part(Part::Chdir)?;
        sys::pivot_root(c".", c".").part(Part::PivotRoot)?;
        sys::umount2(c".", libc::MNT_DETACH).part(Part::Umount)
    }

    pub fn change_root(&mut self, elsewhere: bool, left_below: Strings) -> Outcome<()> {
        let root = self.root()?;
        sys::fchdir(root).part(Part::Chdir)?;
        if elsewhere {
            sys::move_mount(root, Fd::CWD, c"/").part(Part::MoveMount)?;
        }
        // The root filesystem, attached over /, is not on the way of these paths: they begin below it, at our own root.
        for place in left_below.iter() {
            match sys::umount2(place, libc::MNT_DETACH) {
                // A user namespace may take away nothing that came with its mount table.
                Err(Errno(libc::EINVAL)) => {
                    let empty = self.empty_directory(Strings::EMPTY)?;
                    sys::move_mount(empty, Fd::CWD, place).part(Part::MoveMount)?;
                    sys::close(empty);
                }
                // The host has removed the directory meanwhile, and the kernel with it what was mounted there.
                Err(Errno(libc::ENOENT)) => {}
                other => other.part(Part::Unmount)?,
            }
        }
        sys::chroot(c".").part(Part::PivotRoot)
    }

    pub fn mask(&mut self, path: &CStr, options: Strings) -> Outcome<()> {
        let Some(target) = self.present(path)? else { return Ok(()) };
        let directory = sys::fstat(target).part(Part::Verify)?.kind() == libc::S_IFDIR;
        let mount = if directory {
            match self.empty {
                None => {
                    let mount = self.empty_directory(options)?;
                    self.empty = Some(mount);
                    mount
                }
                Some(first) => sys::clone_tree(first, c"", libc::AT_EMPTY_PATH).part(Part::OpenTree)?,
            }
        } else {
            let null = self.null.ok_or(NOT_OPEN)?;
            sys::clone_tree(null, c"", libc::AT_EMPTY_PATH).part(Part::OpenTree)?
        };
        sys::move_mount(mount, target, c"").part(Part::MoveMount)?;
        if self.empty != Some(mount) {
            sys::close(mount);
        }
        sys::close(target);
        Ok(())
    }

    fn empty_directory(&mut self, options: Strings) -> Outcome<Fd> {
        let context = sys::fsopen(c"tmpfs").part(Part::FsOpen)?;
        self.new_filesystem(context, c"tmpfs", options, NO_MODE, READ_ONLY)
    }

    pub fn readonly(&self, path: &CStr) -> Outcome<()> {
        let Some(target) = self.present(path)? else { return Ok(()) };
        let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
        let mount = sys::clone_tree(target, c"", flags).part(Part::OpenTree)?;
        set_attributes(mount, Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::NONE }, true)?;
        sys::move_mount(mount, target, c"").part(Part::MoveMount)?;
        sys::close(mount);
        sys::close(target);
        Ok(())
    }

    /// Masked and read-only paths that are not there need no work; any other reason not to find one is an error. Those
    /// of /proc and /sys are looked for in the mount that was made there: a process that renames things in the root
    /// filesystem meanwhile would otherwise make them absent, and later present again without their mask. A path that
    /// goes up may leave that mount again.
    fn present(&self, path: &CStr) -> Outcome<Option<Fd>> {
        let goes_up = path.to_bytes().windows(2).any(|two| two == b"..");
        let held = KERNEL_PLACES.iter().zip(self.kernel_mounts).find_map(|(place, mount)| {
            let rest = path.to_bytes_with_nul().strip_prefix(*place)?;
            Some((mount.filter(|_| !goes_up)?, CStr::from_bytes_with_nul(rest).ok()?))
        });
        let found = match held {
            Some((mount, rest)) => sys::openat2(mount, rest, libc::O_PATH, 0, IN_ROOT),
            None => self.lookup(path),
        };
        match found {
            Ok(target) => Ok(Some(target)),
            Err(Errno(libc::ENOENT)) => Ok(None),
            Err(errno) => Err(Fail(Part::OpenTarget, errno)),
        }
    }
}

/// Where the kernel shows itself, with a slash behind.
const KERNEL_PLACES: [&[u8]; 2] = [b"/proc/", b"/sys/"];

pub const READ_ONLY: u64 =
    libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;

/// A mount's own descriptor is of a path only, and takes no attribute.
fn set_label(mount: Fd, label: &CStr) -> Outcome<()> {
    let root = sys::openat2(mount, c".", libc::O_RDONLY | libc::O_DIRECTORY, 0, IN_ROOT).part(Part::Label)?;
    sys::fsetxattr(root, c"security.selinux", label.to_bytes()).part(Part::Label)?;
    sys::close(root);
    Ok(())
}

/// Of a file system that gets no mode beside its options.
pub const NO_MODE: u32 = u32::MAX;

/// Four digits in base eight, and a NUL.
fn octal(mode: u32) -> [u8; 5] {
    core::array::from_fn(|place| if place < 4 { b'0' + (mode >> (9 - 3 * place) & 7) as u8 } else { 0 })
}

/// Gives a file system context its source and options, and makes the file system.
fn configure(context: Fd, source: &CStr, options: Strings, mode: u32) -> Outcome<()> {
    if mode != NO_MODE {
        let digits = octal(mode);
        let value = CStr::from_bytes_until_nul(&digits).ok();
        sys::fsconfig(context, STRING, Some(c"mode"), value).part(Part::FsConfig)?;
    }
    if !source.is_empty() {
        sys::fsconfig(context, STRING, Some(c"source"), Some(source)).part(Part::FsConfig)?;
    }
    for option in options.iter() {
        let bytes = option.to_bytes_with_nul();
        match bytes.iter().position(|&b| b == b'=') {
            None => sys::fsconfig(context, FLAG, Some(option), None),
            Some(at) => {
                let mut key = [0; 64];
                let name = key.get_mut(..at).ok_or(Fail(Part::FsConfig, Errno(libc::ENAMETOOLONG)))?;
                name.copy_from_slice(&bytes[..at]);
                let key = CStr::from_bytes_until_nul(&key).ok();
                let value = CStr::from_bytes_with_nul(&bytes[at + 1..]).ok();
                sys::fsconfig(context, STRING, key, value)
            }
        }
        .part(Part::FsConfig)?;
    }
    sys::fsconfig(context, CREATE, None, None).part(Part::FsCreate)
}
