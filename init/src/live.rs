//! Mounts that come to a running container, and go again.
//!
//! The container's processes are the attackers here: between two looks a path may change its meaning. So what is added is
//! held by descriptor until all of it has succeeded, and taken away by that descriptor if a part fails. What is removed
//! is the very mount that was added, wherever its path leads by then.

use crate::Init;
use crate::control::{Fail, In, NO_SENSE, Outcome};
use crate::path::{DESCRIPTOR_PATH, IN_ROOT, descriptor_path};
use crate::sys::{self, Errno, Fd};
use crate::wire::{MOST_KEPT, Message, MountId, Part, Word};
use core::ffi::CStr;

const TOO_MANY: Fail = Fail(Part::TooMany, Errno(libc::E2BIG));

/// Mounts that this plan has attached.
pub struct AttachedMounts {
    /// Absent: they are the container's for good.
    count: Option<usize>,
    mounts: [Fd; MOST_KEPT],
}

impl AttachedMounts {
    pub const NOTHING: AttachedMounts = AttachedMounts { count: None, mounts: [Fd::CWD; MOST_KEPT] };

    /// Whether one more can be kept: asked before it is attached.
    pub fn room(&self) -> Outcome<()> {
        match self.count {
            Some(MOST_KEPT..) => Err(TOO_MANY),
            _ => Ok(()),
        }
    }

    /// What is attached would stay if a later step failed: `Mount` has no descriptor to take it away by.
    pub fn none(&self) -> Outcome<()> {
        if self.count.is_none() { Ok(()) } else { Err(NO_SENSE) }
    }

    pub fn last(&self) -> Option<Fd> {
        self.mounts.get(self.count?.checked_sub(1)?).copied()
    }
}

impl Init<'_> {
    pub fn keep_mounts(&mut self) {
        self.kept.count = Some(0);
    }

    /// Takes the descriptor of what was attached, if mounts are kept, and reports which mount it is.
    pub fn keep_mount(&mut self, mount: Fd) -> Outcome<bool> {
        let Some(count) = &mut self.kept.count else { return Ok(false) };
        *self.kept.mounts.get_mut(*count).ok_or(TOO_MANY)? = mount;
        *count += 1;
        self.tell_mount(mount)?;
        Ok(true)
    }

    fn tell_mount(&self, mount: Fd) -> Outcome<()> {
        let MountId { number, device, inode } = sys::place(mount).part(Part::Verify)?.mount;
        let message = Message { step: self.number, value: number as i64, ..Message::of(Word::Mount) };
        self.say(message, [device.to_le_bytes(), inode.to_le_bytes()].as_flattened())
    }

    /// A step has failed: what the steps before have attached goes again, the last first.
    pub fn take_back(&mut self) {
        let count = self.kept.count.take().unwrap_or(0);
        for mount in self.kept.mounts[..count].iter().rev() {
            // The failure that led here is the one to report, and rruntime tries what this one cannot do.
            let _ = self.detach(*mount).and_then(|()| self.tell_mount(*mount));
        }
    }

    pub fn find_mount(&self, path: &CStr, mount: MountId) -> Outcome<()> {
        self.mounted(path, mount).map(sys::close)
    }

    pub fn unmount(&self, path: &CStr, mount: MountId) -> Outcome<()> {
        let top = self.mounted(path, mount)?;
        self.detach(top)?;
        self.tell_mount(top)?;
        sys::close(top);
        Ok(())
    }

    /// Opens the top of this mount, which is at `path`: on a link at its end, or where the link leads. The container may
    /// have changed what is on the way, but not which mount it is.
    fn mounted(&self, path: &CStr, mount: MountId) -> Outcome<Fd> {
        let root = self.root()?;
        let mut part = Part::NoMount;
        for link in [libc::O_NOFOLLOW, 0] {
            let found = sys::openat2(root, path, libc::O_PATH | link, 0, IN_ROOT).part(Part::OpenTarget)?;
            let place = sys::place(found).part(Part::Verify)?;
            if place.is_root && place.mount == mount {
                return Ok(found);
            }
            if place.is_root {
                part = Part::OtherMount;
            }
            sys::close(found);
        }
        Err(Fail(part, Errno(libc::EINVAL)))
    }

    /// umount2(2) takes a path only: that of our own descriptor, in the host's procfs.
    fn detach(&self, mount: Fd) -> Outcome<()> {
        let proc = self.host_proc()?;
        sys::fchdir(proc).part(Part::Chdir)?;
        sys::umount2(descriptor_path(mount, &mut [0; DESCRIPTOR_PATH]), libc::MNT_DETACH).part(Part::Unmount)
    }
}
