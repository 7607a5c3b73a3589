//! The end of a container's first process, for callers that are not its parent.

use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::state::Process;
use crate::sys::wait::{self, Ended};
use crate::sys::{Errno, poll};
use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::Instant;

impl Engine {
    /// The container's first process, whether it runs or has ended; `None` while it is being made.
    pub fn first_process(&self, id: &str) -> Result<Option<Process>> {
        Ok(self.look(id)?.1.process)
    }

    /// Waits until the first process ends; how it did so Linux tells others than its parent from 6.15 on.
    pub fn await_end(&self, id: &str) -> Result<Ended> {
        let unknown = |reason: &'static str| {
            Error::new(reason)
                .kind(Kind::WrongState)
                .value(id)
                .remedy("`rruntime run --detach --log-output FILE` keeps the exit status of a container")
        };
        let opened = self.first_process(id)?.ok_or(Errno(libc::ESRCH)).and_then(|process| process.open());
        let pidfd = opened.map_err(|e| match e {
            Errno(libc::ESRCH) => {
                unknown("the container has ended already, and its exit status was not kept")
            }
            e => e.because("pidfd_open"),
        })?;
        poll::readable(pidfd.as_fd(), None).map_err(|e| e.because("poll"))?;
        // Linux knows it from the moment on at which its parent has reaped it.
        let deadline = Instant::now() + wait::REAPED;
        loop {
            match wait::reap(pidfd.as_fd()) {
                Ok(ended) => return Ok(ended),
                Err(_) if Instant::now() < deadline => sleep(wait::ASK),
                Err(_) => {
                    return Err(unknown("the container has ended; its exit status is its parent's alone"));
                }
            }
        }
    }
}
