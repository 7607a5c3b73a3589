//! The cgroup of a container whose record is lost: looked for by a mark that its maker left, below the mounts of this host.

use super::walk;
use crate::cgroup::location::{Leg, Location};
use crate::host::cgroups::detect;
use crate::sys::{Errno, c, file};
use std::os::fd::AsFd;
use std::path::Path;

/// The first group whose location is `wanted`, in the hierarchies that have it.
pub fn search(wanted: impl Fn(&Location) -> bool) -> Option<Location> {
    // Every hierarchy of this host, as legs without a path.
    let everywhere = Location::in_each(&detect().ok()?, |_, _| Ok(Some(String::new()))).ok()?;
    let top = everywhere.freezing_leg().or(everywhere.legs.first())?.mount.clone();
    let dir = file::openat2(file::cwd(), &c(&*top).ok()?, walk::DIRECTORY, 0, 0).ok()?;
    let mut found = None;
    // Where the walk fails, it has found nothing; the error of its end is our own.
    let _ = walk::below(dir.as_fd(), &mut |_, path| {
        let path = String::from_utf8_lossy(path);
        let at = |leg: &Leg| Leg { path: path.clone().into_owned(), ..leg.clone() };
        let candidate = Location { legs: everywhere.legs.iter().map(at).collect(), unit: None };
        if !wanted(&candidate) {
            return Ok(());
        }
        found = Some(candidate);
        Err(Errno(libc::EEXIST))
    });
    let mut found = found?;
    found.legs.retain(|leg| Path::new(&leg.directory()).is_dir());
    Some(found)
}
