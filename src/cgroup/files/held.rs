//! A container's cgroup, held: one directory in each hierarchy.
//!
//! Each hierarchy is entered once, at its mount; from there every step is relative to a held descriptor and is resolved
//! below it. A directory that has the path and another inode number is another group: the recorded one is gone then.

use super::walk::{DIRECTORY, INSIDE, c, collect};
use crate::cgroup::location::{Leg, Location, Unit, Version};
use crate::error::{Error, Result};
use crate::sys::{Errno, SysResult, file, unless_gone};
use std::cell::OnceCell;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A container's cgroup, open in every hierarchy.
#[derive(Default)]
pub struct Cgroup {
    pub(in crate::cgroup) held: Vec<Held>,
    /// The group below that of v2 that its processes are born in, where that is not itself.
    pub(in crate::cgroup) inner: Option<OwnedFd>,
    /// The unit whose manager has to move what enters it, because this caller may not.
    pub(in crate::cgroup) moved_by: Option<Unit>,
}

/// One hierarchy's directory.
pub(in crate::cgroup) struct Held {
    pub leg: Leg,
    /// The hierarchy's mount, where the parent is another directory and not open yet.
    pub mount: Option<OwnedFd>,
    /// The parent, from which it is removed ([`Held::parent`]).
    pub above: OnceCell<OwnedFd>,
    pub name: CString,
    pub dir: OwnedFd,
    pub origin: Origin,
}

/// Who made the directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::cgroup) enum Origin {
    /// We did, just now: nothing is attached to it.
    Made,
    Found,
}

impl Cgroup {
    /// Where it is, with the numbers by which it will be known.
    pub fn location(&self) -> Result<Location> {
        let identified = |held: &Held| {
            let number = inode(held.dir.as_fd()).map_err(|errno| on(&held.leg, "look at", errno))?;
            Ok(Leg { inode: Some(number), ..held.leg.clone() })
        };
        Ok(Location { legs: self.held.iter().map(identified).collect::<Result<_>>()?, unit: None })
    }

    /// Whether any of it is there.
    pub fn is_there(&self) -> bool {
        !self.held.is_empty()
    }

    /// As far as it is there: what a process can enter.
    pub fn there(&self) -> Location {
        Location { legs: self.held.iter().map(|held| held.leg.clone()).collect(), unit: None }
    }

    /// The unit whose manager has to move what enters it.
    pub fn mover(&self) -> Option<&Unit> {
        self.moved_by.as_ref()
    }

    /// Opens the cgroup; `None` if it is gone, also where another has its path. In a hierarchy where only this leg is gone,
    /// the rest counts.
    pub fn open(location: &Location) -> Result<Option<Cgroup>> {
        let mut held = Vec::with_capacity(location.legs.len());
        for leg in &location.legs {
            held.extend(unless_gone(find(leg)).map_err(|errno| on(leg, "open", errno))?);
        }
        Ok((!held.is_empty()).then_some(Cgroup { held, ..Cgroup::default() }))
    }

    /// The processes of this cgroup and of the ones below it, in no order. On v1, of one hierarchy: the freezer's
    /// or the first.
    pub fn pids(&self) -> Result<Vec<i32>> {
        let Some(held) = self.freezer().or(self.held.first()) else { return Ok(Vec::new()) };
        held.pids()
    }

    pub(in crate::cgroup) fn unified(&self) -> Option<&Held> {
        self.held.iter().find(|h| h.leg.version == Version::V2)
    }

    /// The hierarchy that can freeze: the v1 freezer, or v2.
    pub(in crate::cgroup) fn freezer(&self) -> Option<&Held> {
        self.held.iter().find(|h| h.leg.has("freezer")).or_else(|| self.unified())
    }
}

/// The hierarchy's mount. It comes from the kernel's table or is the usual place, so links in it are the host's.
pub(in crate::cgroup) fn enter(leg: &Leg) -> SysResult<OwnedFd> {
    file::openat2(file::cwd(), &c(&leg.mount)?, DIRECTORY, 0, 0)
}

/// The path above the last component ("" for none), and the last component.
pub(in crate::cgroup) fn split(leg: &Leg) -> (&str, &str) {
    leg.path.rsplit_once('/').unwrap_or(("", &leg.path))
}

/// Names of state files are checked again here: they decide what is removed.
pub(in crate::cgroup) fn sane(leg: &Leg) -> SysResult<()> {
    let bad = leg.path.split('/').any(|c| c.is_empty() || c == "." || c == "..");
    if bad { Err(Errno(libc::EINVAL)) } else { Ok(()) }
}

/// `ENOENT` where the directory is another than the recorded one, which is gone then.
pub(in crate::cgroup) fn is_the_same(leg: &Leg, dir: BorrowedFd) -> SysResult<()> {
    match leg.inode {
        Some(number) if inode(dir)? != number => Err(Errno(libc::ENOENT)),
        _ => Ok(()),
    }
}

fn inode(dir: BorrowedFd) -> SysResult<u64> {
    Ok(nix::sys::stat::fstat(dir)?.st_ino)
}

impl Held {
    /// Its parent, which only few need.
    pub(in crate::cgroup) fn parent(&self) -> SysResult<BorrowedFd<'_>> {
        if let (None, Some(mount)) = (self.above.get(), &self.mount) {
            let (above, _) = split(&self.leg);
            // Another thread never has this.
            let _ = self.above.set(file::openat2(mount.as_fd(), &c(above)?, DIRECTORY, 0, INSIDE)?);
        }
        self.above.get().map(AsFd::as_fd).ok_or(Errno(libc::ENOENT))
    }

    /// Writes a file of this directory; never creates one.
    pub(in crate::cgroup) fn write(&self, name: &str, value: &str) -> SysResult<()> {
        file::write_at(self.dir.as_fd(), &c(name)?, value.as_bytes(), INSIDE)
    }

    /// Reads a file of this directory.
    pub(in crate::cgroup) fn read(&self, name: &str) -> SysResult<String> {
        const LIMIT: usize = 16 << 20;
        let bytes = file::read_at(self.dir.as_fd(), &c(name)?, LIMIT, INSIDE)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The processes of this directory and of those below it, in no order.
    pub(in crate::cgroup) fn pids(&self) -> Result<Vec<i32>> {
        let mut pids = Vec::new();
        collect(self.dir.as_fd(), &mut pids)
            .map_err(|errno| on(&self.leg, "list the processes of", errno))?;
        Ok(pids)
    }
}

fn find(leg: &Leg) -> SysResult<Held> {
    sane(leg)?;
    let mount = enter(leg)?;
    let dir = file::openat2(mount.as_fd(), &c(&leg.path)?, DIRECTORY, 0, INSIDE)?;
    is_the_same(leg, dir.as_fd())?;
    let (above, name) = split(leg);
    let (mount, above) = match above {
        "" => (None, OnceCell::from(mount)),
        _ => (Some(mount), OnceCell::new()),
    };
    Ok(Held { leg: leg.clone(), mount, above, name: c(name)?, dir, origin: Origin::Found })
}

/// For messages that are about a whole leg.
pub(in crate::cgroup) fn on(leg: &Leg, doing: &str, errno: Errno) -> Error {
    errno.because(format!("{doing} {}", leg.directory()))
}
