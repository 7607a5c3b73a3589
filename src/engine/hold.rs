//! What keeps a process from going on, asked of the kernel.

use crate::sys::process::{self, Stat, number};
use std::fs;

/// What keeps a process from going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// By a signal.
    Stopped,
    Traced {
        tracer: i32,
        /// The name of its program.
        name: String,
    },
    /// Its cgroup is frozen, or one above it.
    Frozen,
    /// It waits for a file system in user space.
    Fuse,
    /// Uninterruptible sleep.
    Asleep,
}

/// Asked of the kernel; a process of which nothing can be read is not held.
pub fn hold(pid: i32) -> Option<Hold> {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let asleep_in = read("wchan");
    if ["do_freezer_trap", "__refrigerator"].contains(&&*asleep_in) {
        return Some(Hold::Frozen);
    }
    match Stat::of(pid).ok()?.state {
        b'T' => Some(Hold::Stopped),
        b't' => {
            let tracer = number(&read("status"), "TracerPid", 10).unwrap_or(0) as i32;
            Some(Hold::Traced { tracer, name: process::name(tracer).unwrap_or_default() })
        }
        _ if asleep_in.contains("request_wait_answer") => Some(Hold::Fuse),
        b'D' => Some(Hold::Asleep),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_that_is_stopped_is_held_and_one_that_sleeps_is_not() {
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        let pid = child.id() as i32;
        let signal = |name: &str| Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
        let state = |wanted: Option<Hold>| {
            for _ in 0..500 {
                if hold(pid) == wanted {
                    return true;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            false
        };
        assert!(state(None));
        signal("-STOP");
        assert!(state(Some(Hold::Stopped)));
        signal("-CONT");
        assert!(state(None));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(state(None));
    }
}
