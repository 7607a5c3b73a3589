//! Whether a process has given up what it says to have given up.
//!
//! Behind a filter a call may be answered without being done: by the profile ("errno 0"), by its agent, by a filter that
//! was there before us. So the kernel is asked, before the process is seen by others or waits for them.

use crate::error::{Error, Result};
use crate::plan::program::Sets;
use crate::plan::script::c;
use crate::sys::file::{self, cwd};

/// Looks at the process `pid`, which is a child of ours or our own to watch, and waits for our word.
pub fn check(pid: i32, sets: &Sets) -> Result<()> {
    let path = format!("/proc/{pid}/status");
    let bytes = file::read_at(cwd(), &c(&path), 1 << 16, 0).map_err(|e| e.because(format!("read {path}")))?;
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

/// The number behind `NAME:` at the beginning of a line of /proc/PID/status.
pub fn number(status: &str, name: &str, radix: u32) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    u64::from_str_radix(line.trim(), radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_about_a_process_are_read() {
        let status = "Name:\tx\nCapPrm:\t00000000a80425fb\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(number(status, "CapPrm", 16), Some(0xa804_25fb));
        assert_eq!(number(status, "Seccomp", 10), Some(2));
        assert_eq!(number(status, "CapEff", 16), None);
    }
}
