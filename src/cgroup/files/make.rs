//! A new container's cgroup. A container never shares one: one that has processes already, or is frozen, is refused,
//! because its limits and its `kill` would hit strangers, and a frozen one would stop the start for ever.

use super::controllers::hand_down;
use super::held::{Cgroup, Held, Origin, enter, on, sane, split};
use super::walk::{DIRECTORY, INSIDE, c};
use crate::cgroup::limits::Limits;
use crate::cgroup::location::{Leg, Location, Version};
use crate::cgroup::render::v2;
use crate::error::{Error, Result};
use crate::sys::{Errno, SysResult, file};
use std::cell::OnceCell;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

impl Cgroup {
    /// Makes the cgroup, or takes an existing one that has no processes and is not frozen.
    ///
    /// Parents that are missing are made; on v2 they hand down the controllers that `limits` need, on v1 new cpuset
    /// directories get the CPUs and memory nodes of their parents. What was made is removed again when something fails.
    pub fn make(location: &Location, limits: &Limits) -> Result<Cgroup> {
        let controllers = v2::controllers(limits);
        let mut cgroup = Cgroup { held: Vec::with_capacity(location.legs.len()), ..Cgroup::default() };
        let mut legs = location.legs.iter();
        let made = legs.try_for_each(|leg| make(leg, &controllers).map(|held| cgroup.held.push(held)));
        made.and_then(|()| cgroup.vacant()).inspect_err(|_| cgroup.forget())?;
        Ok(cgroup)
    }

    /// Refuses a cgroup that others use before anything is recorded: what is recorded as a container's is what a
    /// clean-up ends. Looks at one hierarchy, and says nothing about one that cannot be opened; [`Cgroup::make`]
    /// looks at all of them.
    pub fn refuse_occupied(location: &Location) -> Result<()> {
        match Cgroup::open(&location.freezer()) {
            Ok(Some(cgroup)) => cgroup.vacant(),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Whether the kernel does not let this caller make it. Changes nothing.
    pub fn is_refused(location: &Location) -> bool {
        let refused = |leg| matches!(may_make(leg), Err(Errno(libc::EACCES | libc::EPERM | libc::EROFS)));
        location.legs.iter().any(refused)
    }

    /// Refuses a cgroup that was there before us and is in use.
    fn vacant(&self) -> Result<()> {
        for held in self.held.iter().filter(|h| h.origin == Origin::Found) {
            let count = held.pids()?.len();
            if count > 0 {
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

    /// Removes what `make` made, as far as it goes: the error that led here is the one to report.
    fn forget(&self) {
        for held in self.held.iter().filter(|h| h.origin == Origin::Made) {
            // The caller reports the first error; a directory that stays is empty.
            let _ = held.parent().and_then(|parent| file::unlinkat(parent, &held.name, libc::AT_REMOVEDIR));
        }
    }
}

/// The directory is there, or the deepest of those above it that is there takes another.
fn may_make(leg: &Leg) -> SysResult<()> {
    let root = enter(leg)?;
    let mut path = &*leg.path;
    loop {
        match file::openat2(root.as_fd(), &c(path)?, libc::O_PATH | libc::O_DIRECTORY, 0, INSIDE) {
            Ok(_) if path == leg.path => return Ok(()),
            Ok(there) => return file::may_write(there.as_fd()),
            Err(Errno(libc::ENOENT)) => {}
            Err(errno) => return Err(errno),
        }
        let Some((above, _)) = path.rsplit_once('/') else { return file::may_write(root.as_fd()) };
        path = above;
    }
}

fn make(leg: &Leg, controllers: &[String]) -> Result<Held> {
    let failed = |errno| {
        let error = on(leg, "make the cgroup", errno);
        match errno.0 {
            libc::EROFS => error
                .field("/linux/cgroupsPath")
                .remedy("mount the cgroup file systems read-write, or use --cgroup-manager disabled"),
            libc::EACCES | libc::EPERM => error.field("/linux/cgroupsPath").remedy(
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
    let made = match step(leg, parent.as_fd(), &name) {
        // A parent that others have made may have neither CPUs nor memory itself.
        Err(Errno(libc::ENOSPC)) if leg.has("cpuset") => {
            let root = enter(leg).map_err(failed)?;
            walk(leg, root.as_fd(), above).and_then(|_| step(leg, parent.as_fd(), &name))
        }
        other => other,
    };
    let (dir, origin) = made.map_err(failed)?;
    Ok(Held { leg: leg.clone(), mount: None, above: OnceCell::from(parent), name, dir, origin })
}

/// Opens the directories of `path` below `root`, making what is missing.
fn descend(leg: &Leg, root: BorrowedFd, path: &str) -> SysResult<OwnedFd> {
    match file::openat2(root, &c(path)?, DIRECTORY, 0, INSIDE) {
        Err(Errno(libc::ENOENT)) => {}
        other => return other,
    }
    walk(leg, root, path)?.ok_or(Errno(libc::EINVAL))
}

/// One directory after the other, each made or made fit for use.
pub(super) fn walk(leg: &Leg, root: BorrowedFd, path: &str) -> SysResult<Option<OwnedFd>> {
    let mut at: Option<OwnedFd> = None;
    for component in path.split('/').filter(|component| !component.is_empty()) {
        let parent = at.as_ref().map_or(root, AsFd::as_fd);
        at = Some(step(leg, parent, &c(component)?)?.0);
    }
    Ok(at)
}

/// Makes one directory, or opens the existing one. A new one that cannot be used is removed.
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
            if above.trim_ascii().is_empty() {
                return Err(Errno(libc::ENOSPC));
            }
            file::write_at(dir, name, above.trim_ascii(), INSIDE)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{Uid, setfsuid};
    use std::os::unix::fs::{PermissionsExt, chown};

    /// The plan of an ordinary user's container has no cgroup then, and no deed is about one.
    #[test]
    fn whether_a_group_can_be_made_is_known_before_it_is_tried() {
        const USER: u32 = 65534;
        if !Uid::effective().is_root() {
            return eprintln!("skipped: only root becomes another user");
        }
        let top = std::env::temp_dir().join(format!("rr-refused-{}", std::process::id()));
        for directory in ["theirs", "ours/session"] {
            std::fs::create_dir_all(top.join(directory)).unwrap();
        }
        std::fs::set_permissions(&top, std::fs::Permissions::from_mode(0o755)).unwrap();
        chown(top.join("ours"), Some(USER), None).unwrap();
        let at = |path: &str| {
            let (mount, path) = (top.to_str().unwrap().to_owned(), path.to_owned());
            let leg = Leg { version: Version::V2, controllers: Vec::new(), mount, path, inode: None };
            Location { legs: vec![leg], unit: None }
        };
        let paths =
            ["new", "new/below", "theirs", "theirs/new", "ours/new", "ours/new/below", "ours/session/new"];
        let refused = || paths.map(|path| Cgroup::is_refused(&at(path)));
        assert_eq!(refused(), [false; 7]);
        // The thread's alone.
        setfsuid(Uid::from_raw(USER));
        let found = refused();
        setfsuid(Uid::from_raw(0));
        std::fs::remove_dir_all(&top).unwrap();
        assert_eq!(found, [true, true, false, true, false, false, true]);
    }
}
