//! Whether containers are frozen, asked cheaply: for `list`, which asks of a thousand.
//!
//! Opening a cgroup as `tree` does takes five calls before the first question. Here the mount is opened once, and
//! each cgroup costs one open of the one file that tells, below the mount and without following links.

use super::location::{Leg, Location, Version};
use super::tree::{INSIDE, enter};
use crate::sys::{SysResult, file};
use std::cell::RefCell;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

/// The mounts that were asked so far.
#[derive(Debug, Default)]
pub struct Freezers(RefCell<Vec<(String, OwnedFd)>>);

impl Freezers {
    /// True if the container's cgroup is frozen or is being frozen. One that cannot be read has no say.
    pub fn is_frozen(&self, location: &Location) -> bool {
        let legs = &location.legs;
        let leg = legs.iter().find(|leg| leg.has("freezer"));
        let leg = leg.or_else(|| legs.iter().find(|leg| leg.version == Version::V2));
        leg.is_some_and(|leg| self.ask(leg).unwrap_or(false))
    }

    fn ask(&self, leg: &Leg) -> SysResult<bool> {
        let mut mounts = self.0.borrow_mut();
        let known = mounts.iter().position(|(path, _)| *path == leg.mount);
        let at = match known {
            Some(at) => at,
            None => {
                mounts.push((leg.mount.clone(), enter(leg)?));
                mounts.len() - 1
            }
        };
        let name = match leg.version {
            Version::V1 => "freezer.state",
            Version::V2 => "cgroup.freeze",
        };
        let path = CString::new(format!("{}/{name}", leg.path)).unwrap_or_default();
        let mut word = [0; 16];
        let opened = file::openat2(mounts[at].1.as_fd(), &path, libc::O_RDONLY, 0, INSIDE)?;
        let length = file::read(opened.as_fd(), &mut word)?;
        Ok(!matches!(word[..length].trim_ascii(), b"THAWED" | b"0"))
    }
}
