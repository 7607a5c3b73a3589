//! What a container is shown of the host: mounts whose content is not CRIU's to write, or to make.

use crate::error::Result;
use crate::host::mountinfo::{self, unescape};
use crate::plan::Script;
use crate::plan::criu::binds;
use crate::sys::file::{self, cwd, openat2};
use std::collections::BTreeMap;
use std::os::fd::AsFd;

/// A mount of the container.
#[derive(Debug, PartialEq, Eq)]
pub struct External {
    /// Where it is, from the container's root: the kernel's word for it, which CRIU goes by.
    pub point: String,
    /// The number of the bind that shows it, and the place below that: what is mounted in a source is shown too.
    pub bind: usize,
    pub below: String,
}

/// Those of the container that process `pid` is of, with the mount table `table`. What a destination leads to is asked of
/// the container's tree: at a dump its processes may have exchanged what is on the way, and harm themselves alone.
pub fn of(pid: i32, table: &str, script: &Script) -> Result<Vec<External>> {
    let root = crate::sys::c(format!("/proc/{pid}/root"));
    let root = root.and_then(|root| openat2(cwd(), &root, libc::O_PATH | libc::O_DIRECTORY, 0, 0));
    let root = root.map_err(|e| e.because("open the container's root"))?;
    let mut shown = BTreeMap::new();
    for (number, bind) in binds(script).enumerate() {
        let resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
        // What is not there any more, the container has unmounted.
        if let Ok(found) = file::openat2(root.as_fd(), bind.target, libc::O_PATH, 0, resolve) {
            shown.insert(mountinfo::id_of(found.as_fd())?, number);
        }
    }
    let lines: BTreeMap<u64, mountinfo::Line> = mountinfo::lines(table).map(|line| (line.id, line)).collect();
    let top = mountinfo::id_of(root.as_fd())?;
    shown.remove(&top);
    let mut externals = Vec::new();
    for line in mountinfo::lines(table) {
        let mut at = Some(&line);
        while let Some(mount) = at {
            if let Some(bind) = shown.get(&mount.id) {
                let (point, base) = (unescape(line.point), unescape(mount.point));
                let below = point.strip_prefix(&base).unwrap_or_default().to_owned();
                externals.push(External { point, bind: *bind, below });
                break;
            }
            // The root's parent is not in the table, or is itself.
            at = lines.get(&mount.parent).filter(|parent| parent.id != mount.id);
        }
    }
    Ok(externals)
}
