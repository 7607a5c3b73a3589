//! Room for the descriptors of a plan: each bind is one, and the usual soft limit is 1024.
//!
//! Where the caller allows it, the soft limit is raised while they are open and init is started, and after the last plan
//! that needs it the limit is what it was. init is born with the raised one; its plan sets the caller's again before the
//! program (`plan::container`). Nothing else of the process changes.

use crate::engine::OpenFiles;
use crate::error::{Error, Result};
use crate::names;
use crate::plan::opens::SPARE;
use crate::sys::{SysResult, identity};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// RLIMIT_NOFILE of this process, soft and hard, as it is where no plan has raised it.
pub fn open_files() -> SysResult<(u64, u64)> {
    limits(*raised())
}

/// Whether the limit is another one now: what is started has to be given that of before.
pub fn is_raised() -> bool {
    raised().0 > 0
}

fn limits((users, before): (usize, (u64, u64))) -> SysResult<(u64, u64)> {
    if users > 0 { Ok(before) } else { identity::prlimit(0, names::RLIMIT_NOFILE, None) }
}

/// Enough for every command whose plan opens few files: a cgroup of v1 alone is a dozen descriptors, and a failure
/// needs some to undo what was done.
const FEW: u64 = 128;

/// Raises a limit of this process that is smaller, for good: for a process that makes one call and ends. What it starts gets
/// the limit that it had.
pub fn keep_room() -> Result<()> {
    keep_room_for(FEW)
}

/// The same for a process that has many containers: as far as it goes.
pub fn keep_all_room() -> Result<()> {
    keep_room_for(u64::MAX)
}

fn keep_room_for(files: u64) -> Result<()> {
    let mut raised = raised();
    let before = limits(*raised).map_err(|e| e.because("getrlimit"))?;
    if before.0 < files.min(before.1) {
        identity::prlimit(0, names::RLIMIT_NOFILE, Some((before.1.min(files), before.1)))
            .map_err(|e| e.because("raise the limit of open files"))?;
        *raised = (raised.0 + 1, before);
    }
    Ok(())
}

/// A soft limit that is raised until this and all others are dropped.
#[derive(Debug)]
pub struct RaisedLimit(());

/// Of this process: how many plans have it raised, and what the limits were before the first of them.
static RAISED: Mutex<(usize, (u64, u64))> = Mutex::new((0, (0, 0)));

fn raised() -> MutexGuard<'static, (usize, (u64, u64))> {
    RAISED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RaisedLimit {
    /// For so many files and what else is open; `None` if there is room anyway.
    pub fn for_files(wanted: usize, allowed: OpenFiles) -> Result<Option<RaisedLimit>> {
        if wanted < SPARE {
            return Ok(None);
        }
        let mut raised = raised();
        let before = limits(*raised).map_err(|e| e.because("getrlimit"))?;
        if (wanted + SPARE) as u64 <= before.0 {
            return Ok(None);
        }
        if allowed == OpenFiles::Keep {
            let reason =
                format!("the plan opens {wanted} files, and this process may have {} open", before.0);
            return Err(Error::new(reason)
                .field("/mounts")
                .remedy("raise its limit of open files (RLIMIT_NOFILE)"));
        }
        identity::prlimit(0, names::RLIMIT_NOFILE, Some((before.1, before.1)))
            .map_err(|e| e.because("raise the limit of open files"))?;
        *raised = (raised.0 + 1, before);
        Ok(Some(RaisedLimit(())))
    }
}

impl Drop for RaisedLimit {
    fn drop(&mut self) {
        let mut raised = raised();
        raised.0 -= 1;
        if raised.0 == 0 {
            // Lowering one's own soft limit is always allowed.
            let _ = identity::prlimit(0, names::RLIMIT_NOFILE, Some(raised.1));
        }
    }
}
