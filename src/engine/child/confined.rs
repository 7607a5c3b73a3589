//! Whether a process has really given up its rights.
//!
//! Behind a filter a call may be answered without being done: by the profile ("errno 0"), by its agent, by a filter that
//! was there before us. So the kernel is asked, before the process is seen by others or waits for them.

use crate::error::{Error, Result};
use crate::plan::program::Sets;
use crate::sys::file;
use crate::sys::process::number;

/// Looks at the process `pid`, which is a child of ours or our own to watch, and waits for our word.
pub fn check(pid: i32, sets: &Sets) -> Result<()> {
    let path = format!("/proc/{pid}/status");
    // It lists up to 65 536 groups.
    let bytes = file::read_path(&path, 1 << 20).map_err(|e| e.because(format!("read {path}")))?;
    let text = String::from_utf8_lossy(&bytes);
    let allowed = [("CapPrm", sets.permitted), ("CapEff", sets.effective), ("CapInh", sets.inheritable)];
    for (name, allowed) in allowed {
        let has = number(&text, name, 16).unwrap_or(u64::MAX);
        if has & !allowed != 0 {
            return Err(Error::new(format!(
                "init could not give up the capabilities that loading the filter took ({name} {has:#x})"
            ))
            .field("/linux/seccomp")
            .remedy("something answers its capset(2) without doing it: allow that call, or set process.noNewPrivileges"));
        }
    }
    if number(&text, "Seccomp", 10) != Some(2) {
        return Err(Error::new("the filter is not in force although it was loaded").field("/linux/seccomp"));
    }
    Ok(())
}
