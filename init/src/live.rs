//! Mounts that come to a running container, and go again.
//!
//! The container's processes are its enemies here: between two looks a path may have another meaning. So what is added
//! is held by descriptor until all of it has succeeded, and taken away by that descriptor if it has not; and what is
//! removed is found without following any link, so that nobody can point us at the mounts that mask and protect.

use crate::control::{Fail, In, Outcome};
use crate::path::IN_ROOT;
use crate::sys::{self, Errno, Fd};
use crate::wire::{MOST_KEPT, Part};
use crate::{Init, decimal};
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
        let root = self.root()?;
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let found = sys::openat2(root, path, flags, 0, IN_ROOT | libc::RESOLVE_NO_SYMLINKS);
        let found = found.part(Part::OpenTarget)?;
        let (place, top) = (sys::place(found).part(Part::Verify)?, sys::place(root).part(Part::Verify)?);
        if place.is_root && place.mount != top.mount {
            return Ok(found);
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
        let mut text = *b"self/fd/\0\0\0\0\0\0\0\0\0\0\0\0";
        decimal::write(mount.0.unsigned_abs(), &mut text[8..]);
        let path = CStr::from_bytes_until_nul(&text).map_err(|_| Fail(Part::Plan, Errno(libc::EINVAL)))?;
        sys::umount2(path, libc::MNT_DETACH).part(Part::Unmount)
    }
}
