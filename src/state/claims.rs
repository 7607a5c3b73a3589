//! Which container has which cgroup, so that no two containers of one state directory are given the same: a symbolic link
//! beside their directories, `cgroup:` and a hash of the group's path, whose target is the container's id.
//!
//! A link is made in one step, so of two creates at the same moment one gets the path; and it is found in one step, however
//! many containers there are. It says nothing by itself: the record of the container that it names does. One that a killed
//! command has left, and one that merely has the same hash, does no harm.

use super::id;
use super::store::{Store, names};
use crate::cgroup::{Leg, Location, search};
use crate::error::{Error, Kind, Result};
use crate::sys::poll::Rest;
use crate::sys::{Errno, SysResult, c, file, unless_gone};
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// No id has a colon.
const PREFIX: &str = "cgroup:";

/// Another may take a link while we look whether one is left over.
const ROUNDS: usize = 16;
/// While another command removes such links.
const ROUND: Duration = Duration::from_millis(50);

impl Store {
    /// Refuses a group that another container of this directory has, live or stopped. The caller holds the container's lock
    /// and will write its record afterwards.
    pub fn claim(&self, location: &Location, id: &str, rest: Rest) -> Result<()> {
        let root = self.root()?;
        let name = name(location);
        let failed =
            |e: Errno| e.because(format!("write {}/{}", self.path().display(), name.to_string_lossy()));
        let target = c(id).map_err(failed)?;
        for _ in 0..ROUNDS {
            match file::symlinkat(&target, root, &name) {
                Err(Errno(libc::EEXIST)) => {}
                other => return other.map_err(failed),
            }
            let Some(holder) = holder(root, &name).filter(|holder| holder != id) else { return Ok(()) };
            match self.use_of(location, &holder) {
                Use::Theirs => return Err(refused(location, &holder)),
                Use::Another => return Ok(()),
                Use::None => match self.sweep(location, &name, &holder) {
                    Err(Errno(libc::EWOULDBLOCK)) => rest(None, ROUND).map_err(failed)?,
                    other => other.map_err(failed)?,
                },
            }
        }
        Err(failed(Errno(libc::EAGAIN)))
    }

    /// The container no longer has it. A link that stays does no harm.
    pub fn release(&self, location: &Location, id: &str) {
        let Ok(root) = self.root() else { return };
        release(root, &name(location), id);
    }

    /// The same where it is not known which it had.
    pub fn release_all(&self, id: &str) {
        let Ok(root) = self.root() else { return };
        claims_of(root, id).iter().for_each(|name| release(root, name, id));
    }

    /// The group that the container has by its link, where its record does not say so any more.
    pub fn claimed(&self, id: &str) -> Option<Location> {
        let own = claims_of(self.root().ok()?, id);
        if own.is_empty() { None } else { search(|location| own.contains(&name(location))) }
    }

    /// Whether the container that a link names has the group.
    fn use_of(&self, location: &Location, holder: &str) -> Use {
        let Ok(entry) = self.peek(holder) else { return Use::None };
        match entry.read_record() {
            Ok(record) => match record.cgroup {
                Some(theirs) if theirs.meets(location) => Use::Theirs,
                Some(theirs) if name(&theirs) == name(location) => Use::Another,
                _ => Use::None,
            },
            // It is being made, or its record cannot be read: it may run.
            Err(_) if entry.is_busy() || entry.has_record() => Use::Theirs,
            Err(_) => Use::None,
        }
    }

    /// Removes a link that a killed command has left. Only one command at a time does that, so that none removes what
    /// another has put in its place: `EWOULDBLOCK` for the others.
    fn sweep(&self, location: &Location, name: &CString, left_by: &str) -> SysResult<()> {
        let root = self.root().map_err(|_| Errno(libc::ENOENT))?;
        let lock = file::openat2(root, c".", libc::O_RDONLY | libc::O_DIRECTORY, 0, 0)?;
        file::flock(lock.as_fd(), libc::LOCK_EX | libc::LOCK_NB)?;
        let left = holder(root, name).is_some_and(|holder| holder == left_by);
        if !left || !matches!(self.use_of(location, left_by), Use::None) {
            return Ok(());
        }
        unless_gone(file::unlinkat(root, name, 0)).map(drop)
    }
}

enum Use {
    Theirs,
    /// It has another, whose hash is the same.
    Another,
    /// The link is left over.
    None,
}

/// Every link of the container.
fn claims_of(root: BorrowedFd, id: &str) -> Vec<CString> {
    let claims = names(root).into_iter().filter(|name| name.to_bytes().starts_with(PREFIX.as_bytes()));
    claims.filter(|name| is_of(root, name, id)).collect()
}

fn is_of(root: BorrowedFd, name: &CString, id: &str) -> bool {
    holder(root, name).is_some_and(|holder| holder == id)
}

fn release(root: BorrowedFd, name: &CString, id: &str) {
    if is_of(root, name, id) {
        // Ignored: a link that stays does no harm.
        let _ = file::unlinkat(root, name, 0);
    }
}

/// `None` if the link is gone, or is not a claim.
fn holder(root: BorrowedFd, name: &CString) -> Option<String> {
    let mut buffer = [0; 512];
    let target = file::readlinkat(root, name, &mut buffer).ok()?;
    String::from_utf8(target.to_vec()).ok().filter(|holder| id::is_valid(holder))
}

fn name(location: &Location) -> CString {
    c(format!("{PREFIX}{}", short_name(&directory(location)))).expect("a number holds no NUL")
}

fn directory(location: &Location) -> String {
    let freezer = location.freezer();
    freezer.legs.first().or(location.legs.first()).map_or(String::new(), Leg::directory)
}

/// Of a longer name, in 16 digits: the same in every version of this program (FNV-1a). Two longer names may have the same
/// one, if somebody wants it so.
pub fn short_name(name: &str) -> String {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", name.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fold))
}

fn refused(location: &Location, holder: &str) -> Error {
    Error::new(format!("container {holder} uses this cgroup"))
        .kind(Kind::Config)
        .field("/linux/cgroupsPath")
        .value(directory(location))
        .remedy("choose another path, or delete that container")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Version;
    use crate::state::{NoRoot, Record};
    use crate::sys::poll::rest;
    use std::fs;

    fn at(path: &str) -> Location {
        let leg = |version, mount: &str| Leg {
            version,
            controllers: Vec::new(),
            mount: mount.into(),
            path: path.into(),
            inode: None,
        };
        Location { legs: vec![leg(Version::V1, "/a"), leg(Version::V2, "/b")], unit: None }
    }

    #[test]
    fn a_group_has_one_container_as_long_as_its_record_names_it() {
        let scratch = std::env::temp_dir().join(format!("rruntime-claims-{}", std::process::id()));
        let store = Store::open(&scratch, NoRoot::Make).unwrap();
        let links = || fs::read_dir(&scratch).unwrap().flatten().filter(|e| e.path().is_symlink()).count();
        let first = store.create("first", &rest).unwrap();
        store.claim(&at("x"), "first", &rest).unwrap();
        store.claim(&at("x"), "first", &rest).unwrap();
        let text = |e: Error| e.to_string();
        assert!(
            text(store.claim(&at("x"), "other", &rest).unwrap_err()).contains("container first uses"),
            "it is made"
        );
        let version = crate::state::record::VERSION;
        let record = Record { version, id: "first".into(), cgroup: Some(at("x")), ..Record::default() };
        first.write(&record).unwrap();
        first.unlock();
        assert!(text(store.claim(&at("x"), "other", &rest).unwrap_err()).contains("container first uses"));
        store.release(&at("x"), "other");
        store.claim(&at("y"), "other", &rest).unwrap();
        assert_eq!(links(), 2);

        // Its record names another group: the link is left over.
        first.write(&Record { cgroup: Some(at("z")), ..record }).unwrap();
        store.claim(&at("x"), "other", &rest).unwrap();
        // There is no such container.
        store.claim(&at("y"), "third", &rest).unwrap();
        store.release(&at("y"), "third");
        assert_eq!(links(), 1);
        store.release_all("other");
        assert_eq!(links(), 0);
        fs::remove_dir_all(&scratch).unwrap();
    }
}
