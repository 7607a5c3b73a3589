//! How a process gets into the cgroup: born there on v2, by itself through a file on v1.
//!
//! Where the container has as many tasks as it may, their limit is raised for a birth and put back. The kernel counts a
//! limit for births alone, so what is above it stays.

use super::controllers::hand_all_down;
use super::held::{Cgroup, Held, enter, on};
use super::make::walk;
use super::walk::{DIRECTORY, INSIDE, c};
use crate::cgroup::location::{Version, membership, own_cgroup};
use crate::error::{Error, Kind, Result};
use crate::sys::{Errno, file};
use nix::fcntl::AtFlags;
use nix::unistd::fchownat;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

impl Cgroup {
    /// The v2 directory to be born in (`CLONE_INTO_CGROUP`), also on a hybrid host.
    pub fn birth(&self) -> Option<BorrowedFd<'_>> {
        self.inner().or(self.unified().map(|held| held.dir.as_fd()))
    }

    /// The group that processes are born in where that is below the container's own.
    pub fn inner(&self) -> Option<BorrowedFd<'_>> {
        self.inner.as_ref().map(AsFd::as_fd)
    }

    /// Makes the groups of this path below the one of v2; the last is to belong to `owner`.
    pub(in crate::cgroup) fn make_inner(&self, path: &str, owner: Option<(u32, u32)>) -> Result<()> {
        let Some(held) = self.unified() else { return Ok(()) };
        let made = || {
            let made = walk(&held.leg, held.dir.as_fd(), path)?.ok_or(Errno(libc::EINVAL))?;
            let Some((uid, gid)) = owner else { return Ok(()) };
            // What delegation hands over (cgroups(7)).
            for file in [c".", c"cgroup.procs", c"cgroup.threads", c"cgroup.subtree_control"] {
                let (uid, gid) = (Some(uid.into()), Some(gid.into()));
                fchownat(&made, file, uid, gid, AtFlags::AT_SYMLINK_NOFOLLOW)?;
            }
            Ok(())
        };
        made().map_err(|errno| on(&held.leg, "make a group below", errno).value(path))
    }

    /// Processes are born at this path below the group of v2 from now on, if it is there: the container itself may have
    /// taken it away.
    pub(in crate::cgroup) fn enter_inner(&mut self, path: &str) -> Result<()> {
        let Some(held) = self.unified() else { return Ok(()) };
        let opened = c(path).and_then(|path| file::openat2(held.dir.as_fd(), &path, DIRECTORY, 0, INSIDE));
        self.inner = match opened {
            Err(Errno(libc::ENOENT)) => None,
            opened => Some(opened.map_err(|errno| on(&held.leg, "open a group below", errno).value(path))?),
        };
        Ok(())
    }

    /// Hands every controller down to the group that processes are born in. No process is above it by now.
    pub(in crate::cgroup) fn hand_to_inner(&self) {
        if let (Some(_), Some(held)) = (&self.inner, self.unified()) {
            hand_all_down(held.dir.as_fd());
        }
    }

    /// Whether this caller may not let a process be born here: that takes the right to write to the processes of the group
    /// that its own and this one have in common (cgroups(7), Delegation).
    pub(in crate::cgroup) fn refuses_births(&self) -> bool {
        let Some(held) = self.unified() else { return false };
        let own = membership("self").unwrap_or_default();
        let own = own_cgroup(&own, "").unwrap_or("/").split('/').filter(|part| !part.is_empty());
        let theirs = held.leg.path.split('/');
        let common: Vec<&str> = own.zip(theirs).take_while(|(a, b)| a == b).map(|(part, _)| part).collect();
        let path = if common.is_empty() { ".".to_owned() } else { common.join("/") };
        let may = enter(&held.leg).and_then(|root| {
            let common = file::openat2(root.as_fd(), &c(&path)?, DIRECTORY, 0, INSIDE)?;
            file::openat2(common.as_fd(), c"cgroup.procs", libc::O_WRONLY, 0, INSIDE).map(drop)
        });
        matches!(may, Err(Errno(libc::EACCES | libc::EPERM | libc::EROFS)))
    }

    /// Whether memory is charged to another hierarchy than the one to be born in: that of cgroup v1.
    pub fn charges_memory_on_v1(&self) -> bool {
        self.held.iter().any(|held| held.leg.version == Version::V1)
    }

    /// The file of the v1 hierarchy at `mount` through which a process enters by writing 0. A thread that moves itself needs
    /// no lock over all processes, and so no RCU grace period, which costs any other move some 12 ms.
    pub fn entrance(&self, mount: &str) -> Result<OwnedFd> {
        let held = self.held.iter().find(|held| held.leg.version == Version::V1 && held.leg.mount == mount);
        let held = held.ok_or_else(|| Error::new("the container has no cgroup here").value(mount))?;
        file::openat2(held.dir.as_fd(), c"tasks", libc::O_WRONLY, 0, INSIDE).map_err(|errno| match errno {
            // It was there a moment ago.
            Errno(libc::ENOENT | libc::ENODEV) => {
                Error::new("the container has ended").kind(Kind::WrongState)
            }
            errno => on(&held.leg, "open the tasks file of", errno),
        })
    }

    /// The directory that process `pid`, one of this cgroup, is in now: below [`Cgroup::birth`] if the container
    /// manages cgroups of its own. A v2 cgroup that hands controllers to children takes no process itself
    /// (EBUSY); a process that joins such a container is born here instead.
    pub fn beside(&self, pid: i32) -> Result<OwnedFd> {
        let doing = || format!("finding the cgroup of process {pid}");
        let held = self.need_unified().map_err(|e| e.doing(doing()))?;
        let text = membership(&pid.to_string()).map_err(|e| e.doing(doing()))?;
        let path = text.lines().find_map(|l| l.strip_prefix("0::/")).unwrap_or_default();
        let below = path.strip_prefix(&held.leg.path).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let Some(below) = below else {
            return Err(Error::new("the process has left the container's cgroup").value(path).doing(doing()));
        };
        let below = if below.is_empty() { "." } else { &below[1..] };
        c(below)
            .and_then(|below| file::openat2(held.dir.as_fd(), &below, DIRECTORY, 0, INSIDE))
            .map_err(|errno| on(&held.leg, "open below", errno).doing(doing()))
    }

    /// The file of the v2 hierarchy through which a process enters by writing 0, for the one that has something to do
    /// before: of the cgroup, or where that hands controllers to children, of the one that process `beside` is in.
    pub fn unified_entrance(&self, beside: Option<i32>) -> Result<OwnedFd> {
        let held = self.need_unified()?;
        let failed = |errno| on(&held.leg, "open the processes of", errno);
        if let Some(inner) = &self.inner {
            return file::openat2(inner.as_fd(), c"cgroup.procs", libc::O_WRONLY, 0, INSIDE).map_err(failed);
        }
        let handed_down =
            file::read_at(held.dir.as_fd(), c"cgroup.subtree_control", 4096, INSIDE).map_err(failed)?;
        let beside = beside.filter(|_| !handed_down.trim_ascii().is_empty());
        let below = beside.map(|pid| self.beside(pid)).transpose()?;
        let dir = below.as_ref().unwrap_or(&held.dir);
        file::openat2(dir.as_fd(), c"cgroup.procs", libc::O_WRONLY, 0, INSIDE).map_err(failed)
    }

    /// How many tasks there are, and may be. `None` where nothing limits them here.
    pub fn tasks(&self) -> Option<(u64, u64)> {
        let held = self.counting()?;
        let number = |name| held.read(name).ok()?.trim().parse().ok();
        Some((number("pids.current")?, number("pids.max")?))
    }

    pub fn limit_tasks(&self, limit: u64) -> Result<()> {
        let Some(held) = self.counting() else { return Ok(()) };
        held.write("pids.max", &limit.to_string()).map_err(|errno| on(&held.leg, "write pids.max of", errno))
    }

    fn counting(&self) -> Option<&Held> {
        self.held.iter().find(|held| held.leg.has("pids")).or_else(|| self.unified())
    }

    fn need_unified(&self) -> Result<&Held> {
        self.unified().ok_or_else(|| Error::new("there is no cgroup v2 here"))
    }
}
