//! Room for the descriptors of a plan: each bind is one, and the usual soft limit is 1024.
//!
//! Where the caller allows it, the soft limit is raised while they are open and init is started, and then is what it was.
//! init is born with the raised one; its plan sets the caller's again before the program (`plan::container`). Nothing else
//! of the process changes, and a thread that starts a container meanwhile passes on at most a higher soft limit.

use crate::engine::OpenFiles;
use crate::error::{Error, Result};
use crate::plan::Opens;
use crate::sys::{SysResult, identity};

/// RLIMIT_NOFILE of this process: soft, hard.
pub fn open_files() -> SysResult<(u64, u64)> {
    identity::prlimit(0, libc::RLIMIT_NOFILE, None)
}

/// A soft limit that is raised until this is dropped.
#[derive(Debug)]
pub struct Room {
    before: (u64, u64),
}

impl Room {
    /// `None` if there is room anyway.
    pub fn for_plan(opens: &Opens, allowed: OpenFiles) -> Result<Option<Room>> {
        if opens.are_few() {
            return Ok(None);
        }
        let before = open_files().map_err(|e| e.because("getrlimit"))?;
        if !opens.exceed(before.0) {
            return Ok(None);
        }
        if allowed == OpenFiles::Keep {
            let (wanted, limit) = (opens.iter().count(), before.0);
            let reason = format!("the plan opens {wanted} files, and this process may have {limit} open");
            return Err(Error::new(reason)
                .field("/mounts")
                .remedy("raise its limit of open files (RLIMIT_NOFILE)"));
        }
        identity::prlimit(0, libc::RLIMIT_NOFILE, Some((before.1, before.1)))
            .map_err(|e| e.because("raise the limit of open files"))?;
        Ok(Some(Room { before }))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Lowering one's own soft limit is always allowed.
        let _ = identity::prlimit(0, libc::RLIMIT_NOFILE, Some(self.before));
    }
}
