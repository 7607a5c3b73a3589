//! A process that ends before it is its program: its filter, or a limit, has ended init without a word.

use crate::error::Error;
use crate::names::signal_name;
use crate::state::is_init;
use crate::sys::launch::Child;
use crate::sys::wait::{self, Ended};
use std::os::fd::AsFd;

/// The warning of that, where the process has ended under the name that init gives itself.
pub fn end(process: &Child) -> Option<Error> {
    let ended = wait::peek(process.pidfd.as_fd())?;
    if !is_init(process.pid) {
        return None;
    }
    Some(match ended {
        Ended::Signaled(libc::SIGKILL) => Error::new("the process was killed before its program began")
            .field("/linux/resources/memory/limit")
            .remedy("probably by the kernel's out-of-memory killer: raise the limit"),
        Ended::Signaled(signal) => {
            let name = signal_name(signal).unwrap_or_else(|| signal.to_string());
            Error::new(format!("the process was ended by signal {signal} ({name}) before its program began"))
                .field("/linux/seccomp")
                .remedy("the filter has to allow what the start of a program needs: execve, read, write, exit_group …")
        }
        Ended::Exited(code) => {
            Error::new(format!("the process ended with exit status {code} before its program began"))
        }
    })
}
