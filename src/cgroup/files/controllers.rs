//! Controllers of a v2 cgroup: they have to be handed down by every parent.
//!
//! A parent does it for all its children, also other people's; so only what is missing is written, and nothing is
//! ever taken away. Writing costs a lock over all of the hierarchy, reading one short file does not.

use super::held::{Held, enter, split};
use super::walk::{DIRECTORY, INSIDE, c};
use crate::sys::{Errno, file};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Handed down to every container even without limits: engines read their statistics.
const ACCOUNTING: [&str; 4] = ["cpu", "io", "memory", "pids"];

/// Makes every parent of a v2 cgroup hand down the controllers that the limits need and the statistics read.
///
/// Reads one file where all is well, two where the host lacks a controller. Errors are left to the limit that
/// then finds its file missing: it knows the field, and a container without limits may run without controllers
/// (an ordinary user's, a host with a real-time process).
pub(super) fn hand_down(root: BorrowedFd, above: &str, parent: Option<BorrowedFd>, controllers: &[String]) {
    let last = parent.unwrap_or(root);
    let mut wanted: Vec<&str> = ACCOUNTING.to_vec();
    wanted.extend(controllers.iter().map(String::as_str));
    let Some(given) = words(last, c"cgroup.subtree_control") else { return };
    wanted.retain(|w| !given.iter().any(|g| g == w));
    if wanted.is_empty() {
        return;
    }
    let Some(present) = words(root, c"cgroup.controllers") else { return };
    wanted.retain(|w| present.iter().any(|p| p == w));
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return;
    }
    enable(root, &wanted);
    let mut at: Option<OwnedFd> = None;
    for component in above.split('/').filter(|c| !c.is_empty()) {
        let from = at.as_ref().map_or(root, AsFd::as_fd);
        let Ok(name) = c(component) else { return };
        let Ok(next) = file::openat2(from, &name, DIRECTORY, 0, INSIDE) else { return };
        enable(next.as_fd(), &wanted);
        at = Some(next);
    }
}

/// Makes a directory hand down all that it has. As above, what it does not hand down is what nothing below can limit.
pub(super) fn hand_all_down(dir: BorrowedFd) {
    let present = words(dir, c"cgroup.controllers").unwrap_or_default();
    enable(dir, &present.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Writes what is missing in one `cgroup.subtree_control`; one by one where they do not go together.
///
/// A directory with processes (not the root) hands down no domain controllers: EBUSY. It would hand down the
/// threaded ones, and that alone would make the directories below invalid for any process. So EBUSY ends it.
fn enable(dir: BorrowedFd, wanted: &[&str]) {
    let given = words(dir, c"cgroup.subtree_control").unwrap_or_default();
    let (threaded, domain): (Vec<&str>, Vec<&str>) = wanted
        .iter()
        .filter(|w| !given.iter().any(|g| g == *w))
        .partition(|w| ["cpu", "cpuset", "perf_event", "pids"].contains(w));
    let missing: Vec<String> = domain.into_iter().chain(threaded).map(|w| format!("+{w}")).collect();
    let put = |text: &str| file::write_at(dir, c"cgroup.subtree_control", text.as_bytes(), INSIDE);
    if missing.is_empty() {
        return;
    }
    match put(&missing.join(" ")) {
        Ok(()) | Err(Errno(libc::EBUSY)) => return,
        Err(_) => {}
    }
    for one in &missing {
        // A limit that needs a controller reports its absence, with its field.
        if put(one) == Err(Errno(libc::EBUSY)) {
            return;
        }
    }
}

/// The words of a short control file. The kernel hands such a file over in one read.
fn words(dir: BorrowedFd, name: &CStr) -> Option<Vec<String>> {
    let open = file::openat2(dir, name, libc::O_RDONLY, 0, INSIDE).ok()?;
    let mut buffer = [0; 4096];
    let n = file::read(open.as_fd(), &mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..n]).split_whitespace().map(str::to_owned).collect())
}

impl Held {
    /// Makes the parents hand down these controllers; true if this directory has them now.
    pub(super) fn hand_down(&self, controllers: &[String]) -> bool {
        let has = || {
            words(self.dir.as_fd(), c"cgroup.controllers")
                .is_some_and(|has| controllers.iter().all(|c| has.contains(c)))
        };
        if has() {
            // The controller exists; only the file is missing.
            return false;
        }
        let Ok(root) = enter(&self.leg) else { return false };
        let (above, _) = split(&self.leg);
        let parent = (!above.is_empty()).then(|| self.parent()).transpose();
        let Ok(parent) = parent else { return false };
        hand_down(root.as_fd(), above, parent, controllers);
        has()
    }

    /// True if processes in the parent keep it from handing controllers down.
    pub(super) fn parent_is_populated(&self) -> bool {
        let (above, _) = split(&self.leg);
        // The root may have processes and children with controllers.
        let pids = || words(self.parent().ok()?, c"cgroup.procs");
        !above.is_empty() && pids().is_some_and(|pids| !pids.is_empty())
    }
}
