//! Directories of a container's cgroup: made, opened and held.
//!
//! Each hierarchy is entered once, at its mount; from there every step is relative to a held descriptor and is
//! resolved below it (no links, no `..`, no other file system). A container never shares a cgroup: one that has
//! processes already, or is frozen, is refused, because its limits and its `kill` would hit strangers, and a
//! frozen one would stop the start for ever.

use super::controllers::hand_down;
use super::location::{Leg, Location, Version};
use super::write::on;
use crate::error::{Error, Kind, Result};
use crate::sys::{Errno, SysResult, dents, file};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How every step below a mount resolves.
pub(super) const INSIDE: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;

pub(super) const DIRECTORY: i32 = libc::O_RDONLY | libc::O_DIRECTORY;

/// A container's cgroup, open in every hierarchy.
pub struct Cgroup {
    pub(super) held: Vec<Held>,
}

/// One hierarchy's directory, and its parent, from which it is removed.
pub(super) struct Held {
    pub leg: Leg,
    pub parent: OwnedFd,
    pub name: CString,
    pub dir: OwnedFd,
    pub origin: Origin,
}

/// Who made the directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// We did, just now: nothing is attached to it.
    Made,
    Found,
}

impl Cgroup {
    /// Makes the cgroup, or takes an existing one that has no processes and is not frozen.
    ///
    /// `controllers` are the v2 controllers that the limits need ([`super::Limits::controllers`]). Parents that
    /// are missing are made; on v2 they hand down what is missing, on v1 new cpuset directories get the CPUs and
    /// memory nodes of their parents. What was made is removed again when something fails.
    pub fn create(location: &Location, controllers: &[String]) -> Result<Cgroup> {
        let mut cgroup = Cgroup { held: Vec::with_capacity(location.legs.len()) };
        for leg in &location.legs {
            match make(leg, controllers) {
                Ok(held) => cgroup.held.push(held),
                Err(error) => {
                    cgroup.forget();
                    return Err(error);
                }
            }
        }
        if let Err(error) = cgroup.vacant() {
            cgroup.forget();
            return Err(error);
        }
        Ok(cgroup)
    }

    /// Refuses a cgroup that others use before anything is recorded: what is recorded as a container's is what a
    /// clean-up ends. Looks at one hierarchy, and says nothing about one that cannot be opened; [`Cgroup::create`]
    /// looks at all of them.
    pub fn refuse_occupied(location: &Location) -> Result<()> {
        match Cgroup::open(&location.freezer()) {
            Ok(Some(cgroup)) => cgroup.vacant(),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Where it is, with the numbers by which it will be known.
    pub fn location(&self) -> Result<Location> {
        let identified = |held: &Held| {
            let number = inode(held.dir.as_fd()).map_err(|errno| on(&held.leg, "look at", errno))?;
            Ok(Leg { inode: Some(number), ..held.leg.clone() })
        };
        Ok(Location { legs: self.held.iter().map(identified).collect::<Result<_>>()? })
    }

    /// Opens the cgroup; `None` if it is gone, also where another has its path. In a hierarchy where only this leg is gone, the rest counts.
    pub fn open(location: &Location) -> Result<Option<Cgroup>> {
        let mut held = Vec::with_capacity(location.legs.len());
        for leg in &location.legs {
            match find(leg) {
                Ok(found) => held.push(found),
                Err(Errno(libc::ENOENT | libc::ENODEV)) => {}
                Err(errno) => return Err(on(leg, "open", errno)),
            }
        }
        Ok((!held.is_empty()).then_some(Cgroup { held }))
    }

    /// The v2 directory to be born in (`CLONE_INTO_CGROUP`), also on a hybrid host.
    pub fn birth(&self) -> Option<BorrowedFd<'_>> {
        self.unified().map(|held| held.dir.as_fd())
    }

    /// The file of the v1 hierarchy at `mount` through which a process enters by writing 0; `None` if the hierarchy's
    /// directory is gone. A thread that moves itself needs no lock over all processes, and so no RCU grace
    /// period, which costs any other move some 12 ms.
    pub fn entrance(&self, mount: &str) -> Result<Option<OwnedFd>> {
        let held = self.held.iter().find(|held| held.leg.version == Version::V1 && held.leg.mount == mount);
        held.map(|held| {
            file::openat2(held.dir.as_fd(), c"tasks", libc::O_WRONLY, 0, INSIDE).map_err(
                |errno| match errno {
                    // It was there a moment ago.
                    Errno(libc::ENOENT | libc::ENODEV) => {
                        Error::new("the container has ended meanwhile").kind(Kind::WrongState)
                    }
                    errno => on(&held.leg, "open the tasks file of", errno),
                },
            )
        })
        .transpose()
    }

    /// The directory that process `pid`, one of this cgroup, is in now: below [`Cgroup::birth`] if the container
    /// manages cgroups of its own. A v2 cgroup that hands controllers to children takes no process itself
    /// (EBUSY); who joins such a container is born here instead.
    pub fn beside(&self, pid: i32) -> Result<OwnedFd> {
        let doing = || format!("finding the cgroup of process {pid}");
        let held = self.unified().ok_or_else(|| Error::new("there is no cgroup v2 here").doing(doing()))?;
        let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))
            .map_err(|e| Error::io(format!("read /proc/{pid}/cgroup"), &e).doing(doing()))?;
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
    /// `None` without v2.
    pub fn unified_entrance(&self, beside: Option<i32>) -> Result<Option<OwnedFd>> {
        let Some(held) = self.unified() else { return Ok(None) };
        let failed = |errno| on(&held.leg, "open the processes of", errno);
        let handed_down =
            file::read_at(held.dir.as_fd(), c"cgroup.subtree_control", 4096, INSIDE).map_err(failed)?;
        let beside = beside.filter(|_| !handed_down.trim_ascii().is_empty());
        let below = beside.map(|pid| self.beside(pid)).transpose()?;
        let dir = below.as_ref().unwrap_or(&held.dir);
        file::openat2(dir.as_fd(), c"cgroup.procs", libc::O_WRONLY, 0, INSIDE).map(Some).map_err(failed)
    }

    /// The processes of this cgroup and of the ones below it, in no order. On v1, of one hierarchy: the freezer's
    /// or the first.
    pub fn pids(&self) -> Result<Vec<i32>> {
        let Some(held) = self.freezer().or(self.held.first()) else { return Ok(Vec::new()) };
        let mut pids = Vec::new();
        collect(held.dir.as_fd(), &mut pids)
            .map_err(|errno| on(&held.leg, "list the processes of", errno))?;
        Ok(pids)
    }

    pub(super) fn unified(&self) -> Option<&Held> {
        self.held.iter().find(|h| h.leg.version == Version::V2)
    }

    /// The hierarchy that can freeze: the v1 freezer, or v2.
    pub(super) fn freezer(&self) -> Option<&Held> {
        self.held.iter().find(|h| h.leg.has("freezer")).or_else(|| self.unified())
    }

    /// Refuses a cgroup that was there before us and is in use.
    fn vacant(&self) -> Result<()> {
        for held in self.held.iter().filter(|h| h.origin == Origin::Found) {
            let mut pids = Vec::new();
            collect(held.dir.as_fd(), &mut pids)
                .map_err(|errno| on(&held.leg, "list the processes of", errno))?;
            if !pids.is_empty() {
                let count = pids.len();
                return Err(Error::new(format!(
                    "container's cgroup is not empty: {count} process(es) found"
                ))
                .field("/linux/cgroupsPath")
                .value(held.leg.directory())
                .remedy("choose another path, or end the processes"));
            }
        }
        let found = self.freezer().filter(|h| h.origin == Origin::Found);
        if let Some(held) = found
            && self.is_frozen()?
        {
            return Err(Error::new("container's cgroup unexpectedly frozen")
                .field("/linux/cgroupsPath")
                .value(held.leg.directory())
                .remedy("choose another path, or thaw the cgroup"));
        }
        Ok(())
    }

    /// Removes what `create` made, as far as it goes: the error that led here is the one to report.
    fn forget(&self) {
        for held in self.held.iter().filter(|h| h.origin == Origin::Made) {
            // The caller reports the first error; a directory that stays is empty.
            let _ = file::unlinkat(held.parent.as_fd(), &held.name, libc::AT_REMOVEDIR);
        }
    }
}

/// Adds the processes of a directory and of those below it. A directory that vanishes meanwhile has none.
pub(super) fn collect(dir: BorrowedFd, pids: &mut Vec<i32>) -> SysResult<()> {
    collect_from(dir, b"cgroup.procs", pids)?;
    below(dir, &mut |anchor, path| collect_from(anchor, &[path, b"/cgroup.procs"].concat(), pids))
}

fn collect_from(dir: BorrowedFd, path: &[u8], pids: &mut Vec<i32>) -> SysResult<()> {
    const LIMIT: usize = 16 << 20;
    match file::read_at(dir, &c_bytes(path)?, LIMIT, INSIDE) {
        Ok(bytes) => {
            pids.extend(String::from_utf8_lossy(&bytes).lines().filter_map(|l| l.parse::<i32>().ok()));
            Ok(())
        }
        // A threaded v2 cgroup lists its processes in the domain above it.
        Err(Errno(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP)) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// What [`below`] calls for a directory: a descriptor, and the path from it.
type Visit<'v> = dyn FnMut(BorrowedFd, &[u8]) -> SysResult<()> + 'v;

/// Visits every directory below `dir`, deepest first. A container with cgroups of its own may make thousands, side by side
/// and one in another, so nothing is open but what a path cannot reach: one descriptor for each 4 KB of path.
pub(super) fn below(dir: BorrowedFd, visit: &mut Visit) -> SysResult<()> {
    walk(dir, &mut Vec::new(), visit)
}

fn walk(anchor: BorrowedFd, path: &mut Vec<u8>, visit: &mut Visit) -> SysResult<()> {
    /// With one more name and a file's it still is a path.
    const LONG: usize = libc::PATH_MAX as usize - 600;
    let (dir, names) = match open_and_list(anchor, path) {
        // Removed by another command.
        Err(Errno(libc::ENOENT | libc::ENODEV)) => return Ok(()),
        other => other?,
    };
    if path.len() > LONG {
        return each(dir.as_fd(), &mut Vec::new(), names, visit);
    }
    drop(dir);
    each(anchor, path, names, visit)
}

fn each(anchor: BorrowedFd, path: &mut Vec<u8>, names: Vec<CString>, visit: &mut Visit) -> SysResult<()> {
    let length = path.len();
    for name in names {
        if length > 0 {
            path.push(b'/');
        }
        path.extend(name.as_bytes());
        walk(anchor, path, visit).and_then(|()| visit(anchor, path))?;
        path.truncate(length);
    }
    Ok(())
}

/// Apart from its caller, which calls itself: the buffer of a listing is large.
#[inline(never)]
fn open_and_list(anchor: BorrowedFd, path: &[u8]) -> SysResult<(OwnedFd, Vec<CString>)> {
    let dir =
        file::openat2(anchor, &c_bytes(if path.is_empty() { b"." } else { path })?, DIRECTORY, 0, INSIDE)?;
    let names = dents::subdirectories(dir.as_fd())?;
    Ok((dir, names))
}

pub(super) fn c_bytes(path: &[u8]) -> SysResult<CString> {
    CString::new(path).map_err(|_| Errno(libc::EINVAL))
}

pub(super) fn c(text: &str) -> SysResult<CString> {
    CString::new(text).map_err(|_| Errno(libc::EINVAL))
}

/// The hierarchy's mount. It comes from the kernel's table or is the usual place, so links in it are the host's.
pub(super) fn enter(leg: &Leg) -> SysResult<OwnedFd> {
    file::openat2(file::cwd(), &c(&leg.mount)?, DIRECTORY, 0, 0)
}

/// The path above the last component ("" for none), and the last component.
pub(super) fn split(leg: &Leg) -> (&str, &str) {
    leg.path.rsplit_once('/').unwrap_or(("", &leg.path))
}

/// Names of state files are checked again here: they decide what is removed.
fn sane(leg: &Leg) -> SysResult<()> {
    let bad = leg.path.split('/').any(|c| c.is_empty() || c == "." || c == "..");
    if bad { Err(Errno(libc::EINVAL)) } else { Ok(()) }
}

/// `ENOENT` where the directory is another than the recorded one, which is gone then.
pub(super) fn is_the_same(leg: &Leg, dir: BorrowedFd) -> SysResult<()> {
    match leg.inode {
        Some(number) if inode(dir)? != number => Err(Errno(libc::ENOENT)),
        _ => Ok(()),
    }
}

fn inode(dir: BorrowedFd) -> SysResult<u64> {
    Ok(nix::sys::stat::fstat(dir)?.st_ino)
}

fn find(leg: &Leg) -> SysResult<Held> {
    sane(leg)?;
    let (above, name) = split(leg);
    let mut parent = enter(leg)?;
    if !above.is_empty() {
        parent = file::openat2(parent.as_fd(), &c(above)?, DIRECTORY, 0, INSIDE)?;
    }
    let name = c(name)?;
    let dir = file::openat2(parent.as_fd(), &name, DIRECTORY, 0, INSIDE)?;
    is_the_same(leg, dir.as_fd())?;
    Ok(Held { leg: leg.clone(), parent, name, dir, origin: Origin::Found })
}

fn make(leg: &Leg, controllers: &[String]) -> Result<Held> {
    let failed = |errno| {
        let error = on(leg, "make the cgroup", errno);
        match errno.0 {
            libc::EACCES | libc::EPERM | libc::EROFS => error.field("/linux/cgroupsPath").remedy(
                "an ordinary user needs a delegated cgroup (systemd-run --user --scope), or no limits and no \
                 cgroupsPath",
            ),
            _ => error,
        }
    };
    sane(leg).map_err(failed)?;
    let (above, name) = split(leg);
    let name = c(name).map_err(failed)?;
    let root = enter(leg).map_err(|errno| errno.because(format!("open {}", leg.mount)))?;
    let parent =
        if above.is_empty() { None } else { Some(descend(leg, root.as_fd(), above).map_err(failed)?) };
    if leg.version == Version::V2 {
        hand_down(root.as_fd(), above, parent.as_ref().map(AsFd::as_fd), controllers);
    }
    let parent = parent.unwrap_or(root);
    let (dir, origin) = step(leg, parent.as_fd(), &name).map_err(failed)?;
    Ok(Held { leg: leg.clone(), parent, name, dir, origin })
}

/// Opens the directories of `path` below `root`, making what is missing.
fn descend(leg: &Leg, root: BorrowedFd, path: &str) -> SysResult<OwnedFd> {
    match file::openat2(root, &c(path)?, DIRECTORY, 0, INSIDE) {
        Err(Errno(libc::ENOENT)) => {}
        other => return other,
    }
    let mut at: Option<OwnedFd> = None;
    for component in path.split('/') {
        let parent = at.as_ref().map_or(root, AsFd::as_fd);
        at = Some(step(leg, parent, &c(component)?)?.0);
    }
    at.ok_or(Errno(libc::EINVAL))
}

/// Makes one directory, or opens the one that is there. A new one that cannot be used does not stay.
fn step(leg: &Leg, parent: BorrowedFd, name: &CStr) -> SysResult<(OwnedFd, Origin)> {
    let origin = match file::mkdirat(parent, name, 0o755) {
        Ok(()) => Origin::Made,
        Err(Errno(libc::EEXIST)) => Origin::Found,
        Err(errno) => return Err(errno),
    };
    let opened = file::openat2(parent, name, DIRECTORY, 0, INSIDE).and_then(|dir| {
        if leg.has("cpuset") {
            inherit_cpuset(parent, dir.as_fd(), origin)?;
        }
        Ok(dir)
    });
    if opened.is_err() && origin == Origin::Made {
        // The caller reports why; a directory that stays is empty.
        let _ = file::unlinkat(parent, name, libc::AT_REMOVEDIR);
    }
    Ok((opened?, origin))
}

/// A new v1 cpuset has no CPUs and no memory, and takes no process until it has.
fn inherit_cpuset(parent: BorrowedFd, dir: BorrowedFd, origin: Origin) -> SysResult<()> {
    const LIMIT: usize = 64 << 10;
    for name in [c"cpuset.cpus", c"cpuset.mems"] {
        let empty =
            origin == Origin::Made || file::read_at(dir, name, LIMIT, INSIDE)?.trim_ascii().is_empty();
        if empty {
            let above = file::read_at(parent, name, LIMIT, INSIDE)?;
            file::write_at(dir, name, above.trim_ascii(), INSIDE)?;
        }
    }
    Ok(())
}
