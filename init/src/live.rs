//! Mounts that come to a running container, and go again.
//!
//! The container's processes are its enemies here: between two looks a path may have another meaning. So what is added
//! is held by descriptor until all of it has succeeded, and taken away by that descriptor if it has not; and what is
//! removed is found without following any link, so that nobody can point us at the mounts that mask and protect.

use crate::Init;
use crate::control::{Fail, In, Outcome};
use crate::node::{self, NULL_DEVICE};
use crate::path::{DESCRIPTOR_PATH, IN_ROOT, descriptor_path};
use crate::sys::{self, Errno, Fd};
use crate::wire::{MOST_KEPT, Part};
use core::ffi::CStr;

/// Mounts that this plan has attached.
pub struct Kept {
    /// Absent: they are the container's for good.
    count: Option<usize>,
    mounts: [Fd; MOST_KEPT],
}

impl Kept {
    pub const NOTHING: Kept = Kept { count: None, mounts: [Fd::CWD; MOST_KEPT] };

    /// Whether one more can be kept: asked before it is attached.
    pub fn room(&self) -> Outcome<()> {
        match self.count {
            Some(MOST_KEPT..) => Err(Fail(Part::TooMany, Errno(libc::E2BIG))),
            _ => Ok(()),
        }
    }

    /// Takes the descriptor, if mounts are kept.
    pub fn keep(&mut self, mount: Fd) -> bool {
        let Some(count) = &mut self.count else { return false };
        if let Some(place) = self.mounts.get_mut(*count) {
            *place = mount;
            *count += 1;
        }
        true
    }

    pub fn last(&self) -> Option<Fd> {
        self.mounts.get(self.count?.checked_sub(1)?).copied()
    }
}

impl Init<'_> {
    pub fn keep_mounts(&mut self) {
        self.kept.count = Some(0);
    }

    /// A step has failed: what the steps before have attached goes again, the last first.
    pub fn take_back(&mut self) {
        let count = self.kept.count.take().unwrap_or(0);
        for mount in self.kept.mounts[..count].iter().rev() {
            // The failure that led here is the one to report.
            let _ = self.detach(*mount);
        }
    }

    pub fn find_mount(&self, path: &CStr) -> Outcome<()> {
        self.mounted(path).map(sys::close)
    }

    pub fn unmount(&self, path: &CStr) -> Outcome<()> {
        let mount = self.mounted(path)?;
        self.detach(mount)?;
        sys::close(mount);
        Ok(())
    }

    /// Opens the top of the mount at `path`.
    fn mounted(&self, path: &CStr) -> Outcome<Fd> {
        const PLAIN: u64 = IN_ROOT | libc::RESOLVE_NO_SYMLINKS;
        let root = self.root()?;
        let (directory, name) = node::split(path);
        let mut buffer = [0; 4096];
        let parent = if directory.iter().all(|&b| b == b'/') {
            root
        } else {
            let flags = libc::O_PATH | libc::O_DIRECTORY;
            sys::openat2(root, node::terminated(directory, &mut buffer)?, flags, 0, PLAIN)
                .part(Part::OpenTarget)?
        };
        let name = node::terminated(name, &mut buffer)?;
        let found = sys::openat2(parent, name, libc::O_PATH | libc::O_NOFOLLOW, 0, PLAIN);
        let found = found.part(Part::OpenTarget)?;
        let (place, top) = (sys::place(found).part(Part::Verify)?, sys::place(root).part(Part::Verify)?);
        if place.is_root && place.mount != top.mount {
            return if guards(found, parent, name)? {
                Err(Fail(Part::Guard, Errno(libc::EPERM)))
            } else {
                Ok(found)
            };
        }
        let kind = sys::stat(found, c"", 0).part(Part::Verify)?.mode & libc::S_IFMT;
        Err(match kind {
            _ if place.is_root => Fail(Part::RootMount, Errno(libc::EBUSY)),
            libc::S_IFLNK => Fail(Part::OpenTarget, Errno(libc::ELOOP)),
            _ => Fail(Part::NoMount, Errno(libc::EINVAL)),
        })
    }

    /// umount2(2) takes a path only: that of our own descriptor, in the host's procfs.
    fn detach(&self, mount: Fd) -> Outcome<()> {
        let proc = self.host_proc.ok_or(Fail(Part::Plan, Errno(libc::EBADF)))?;
        sys::fchdir(proc).part(Part::Chdir)?;
        sys::umount2(descriptor_path(mount, &mut [0; DESCRIPTOR_PATH]), libc::MNT_DETACH).part(Part::Unmount)
    }
}

/// Whether a mount looks like those that mask and protect: the null device, an empty read-only tmpfs, or the very thing
/// that it covers. What the config calls them says nothing any more once the container has renamed a directory on the way.
fn guards(mount: Fd, parent: Fd, name: &CStr) -> Outcome<bool> {
    // The size of a tmpfs directory with nothing but "." and "..".
    const EMPTY: i64 = 40;
    let found = sys::stat(mount, c"", 0).part(Part::Verify)?;
    match found.mode & libc::S_IFMT {
        libc::S_IFCHR if found.rdev == NULL_DEVICE => return Ok(true),
        libc::S_IFDIR if found.size <= EMPTY && is_mask(mount)? => return Ok(true),
        _ => {}
    }
    // The parent's own mount, without what is mounted in it. The kernel does not copy one with locked mounts in it, which
    // came from the host and not from this container's config.
    let Ok(bare) = sys::clone_tree(parent, c"", libc::AT_EMPTY_PATH) else { return Ok(false) };
    let below = sys::stat(bare, name, libc::AT_SYMLINK_NOFOLLOW).part(Part::Verify)?;
    sys::close(bare);
    Ok((below.device, below.inode) == (found.device, found.inode))
}

/// A tmpfs as `Mask` makes it.
fn is_mask(directory: Fd) -> Outcome<bool> {
    const TMPFS: i64 = 0x0102_1994;
    const FLAGS: u64 = libc::ST_RDONLY | libc::ST_NOSUID | libc::ST_NODEV | libc::ST_NOEXEC;
    let (kind, flags) = sys::filesystem_and_flags(directory).part(Part::Verify)?;
    Ok(kind == TMPFS && flags & FLAGS == FLAGS)
}
