//! Which group's memory ran out when processes of a container were killed: the container's own, one that it has made below
//! itself, or one above.
//!
//! The kernel's log knows it of each kill. The counters know less: a group counts that its limit was reached, but not whose
//! process was killed for that, so that of two groups the one nearer to the container is named. v1 counts only how often
//! a charge was refused, which most often ends without a kill.

use super::files::held::{enter, on, sane};
use super::files::walk::{INSIDE, below, c};
use super::location::{Leg, Location, Version};
use super::stats::parse;
use crate::error::Result;
use crate::host::cgroups::Layout;
use crate::sys::{SysResult, file, unless_gone};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Whose memory it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Container,
    /// A group inside.
    Below,
    Above,
    /// None that can be seen from here: the machine's memory, or a group further up.
    Host,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    pub level: Level,
    /// The group's path in the memory hierarchy, where it is known.
    pub group: Option<String>,
    /// Its limit now, in bytes.
    pub limit: Option<u64>,
}

/// The directory that counts a container's memory.
pub struct MemoryGroup<'l> {
    leg: &'l Leg,
    mount: OwnedFd,
    /// From the root of the hierarchy to its mount point, and to the group.
    root: String,
    path: String,
}

impl<'l> MemoryGroup<'l> {
    /// `None` where no memory is counted, or nothing is there any more.
    pub fn of(location: &'l Location, layout: &Layout) -> Result<Option<MemoryGroup<'l>>> {
        let unified = |leg: &&Leg| leg.version == Version::V2;
        let found = location.legs.iter().find(|leg| leg.has("memory"));
        let Some(leg) = found.or_else(|| location.legs.iter().find(unified)) else { return Ok(None) };
        let mount =
            unless_gone(sane(leg).and_then(|()| enter(leg))).map_err(|errno| on(leg, "open", errno))?;
        let v1 = layout.hierarchies.iter().map(|hierarchy| &hierarchy.mount);
        let known = v1.chain(&layout.unified).find(|mount| mount.path == leg.mount);
        let root = known.map_or("", |mount| mount.root.trim_end_matches('/')).to_owned();
        let path = format!("{root}/{}", leg.path);
        Ok(mount.map(|mount| MemoryGroup { leg, mount, root, path }))
    }

    /// Whether this group, by its path from the root of the hierarchy, is the container's or below it.
    pub fn holds(&self, group: &str) -> bool {
        group.strip_prefix(&self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// By what the kernel's log says of a kill.
    pub fn shortage(&self, limited: Option<&str>) -> Shortage {
        let Some(group) = limited else { return Shortage { level: Level::Host, group: None, limit: None } };
        let level = match group {
            group if group == self.path => Level::Container,
            group if self.holds(group) => Level::Below,
            _ => Level::Above,
        };
        let visible = group.strip_prefix(&self.root).map(|path| path.trim_start_matches('/'));
        let limit = visible.and_then(|path| self.limit(path));
        Shortage { level, group: Some(group.to_owned()), limit }
    }

    /// By the counters alone.
    pub fn counted_shortage(&self) -> Result<Shortage> {
        let of = |level, path: &str| Shortage {
            level,
            group: Some(format!("{}/{path}", self.root)),
            limit: self.limit(path),
        };
        let path = &*self.leg.path;
        if self.ran_out(path) {
            return Ok(of(Level::Container, path));
        }
        if let Some(inner) = self.below()? {
            return Ok(of(Level::Below, &format!("{path}/{inner}")));
        }
        let above = std::iter::successors(path.rsplit_once('/'), |(above, _)| above.rsplit_once('/'));
        match above.map(|(above, _)| above).find(|above| self.ran_out(above)) {
            Some(above) => Ok(of(Level::Above, above)),
            None => Ok(Shortage { level: Level::Host, group: None, limit: None }),
        }
    }

    fn below(&self) -> Result<Option<String>> {
        let mut found = None;
        let mut look = |anchor: BorrowedFd, path: &[u8]| {
            if found.is_none() && ran_out(self.leg.version, anchor, &String::from_utf8_lossy(path)) {
                found = Some(String::from_utf8_lossy(path).into_owned());
            }
            Ok(())
        };
        let dir = file::openat2(self.mount.as_fd(), &path_of(&self.leg.path)?, file::DIRECTORY, 0, INSIDE);
        let walked = dir.and_then(|dir| below(dir.as_fd(), &mut look));
        unless_gone(walked).map_err(|errno| on(self.leg, "look below", errno))?;
        Ok(found)
    }

    fn ran_out(&self, path: &str) -> bool {
        ran_out(self.leg.version, self.mount.as_fd(), path)
    }

    fn limit(&self, path: &str) -> Option<u64> {
        let file = if self.leg.version == Version::V1 { "memory.limit_in_bytes" } else { "memory.max" };
        let limit = parse::number(&text(self.mount.as_fd(), path, file)?)?;
        parse::is_limit(limit).then_some(limit)
    }
}

fn path_of(path: &str) -> Result<std::ffi::CString> {
    c(path).map_err(|errno| errno.because("read the path of a cgroup"))
}

/// Whether the limit of this group itself was reached with nothing left to reclaim, or, on v1, reached.
fn ran_out(version: Version, anchor: BorrowedFd, path: &str) -> bool {
    let count = |file: &str| text(anchor, path, file).unwrap_or_default();
    match version {
        Version::V2 => parse::value(&count("memory.events.local"), "oom").is_some_and(|times| times > 0),
        Version::V1 => ["memory", "memory.memsw"].into_iter().any(|kind| {
            let number = |name| parse::number(&count(&format!("{kind}.{name}")));
            // Newer kernels do not count the refusals of memsw, so what was used most counts too: all of the limit, as far
            // as one charge of several pages leaves it.
            let limit = number("limit_in_bytes").filter(|limit| parse::is_limit(*limit));
            let peak = number("max_usage_in_bytes").unwrap_or(0);
            limit.is_some_and(|limit| {
                peak >= limit - limit / 64 || number("failcnt").is_some_and(|times| times > 0)
            })
        }),
    }
}

/// What cannot be read says nothing.
fn text(anchor: BorrowedFd, path: &str, name: &str) -> Option<String> {
    let read =
        || -> SysResult<Vec<u8>> { file::read_at(anchor, &c(format!("{path}/{name}"))?, 4096, INSIDE) };
    Some(String::from_utf8_lossy(&read().ok()?).into_owned())
}
