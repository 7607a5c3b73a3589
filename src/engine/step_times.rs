//! How long each step of init took: init writes the moments to a memory file, read when init is ready or has failed.
//!
//! The file is open in init alone, and closed with everything else before the container's filter is loaded: the steps
//! behind that have no times.

use crate::engine::Waits;
use crate::engine::event::Event;
use crate::error::Result;
use crate::sys::memory;
use nix::sys::uio::pread;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The moments of one init.
pub struct StepTimes(OwnedFd);

impl StepTimes {
    /// Where a caller wants them.
    pub fn wanted(waits: &Waits) -> Result<Option<StepTimes>> {
        let make = || memory::scratch(c"rruntime-times").map_err(|e| e.because("memfd_create for times"));
        waits.is_timed().then(make).transpose().map(|made| made.map(StepTimes))
    }

    pub fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Reports the steps that were done; `steps` is how many the script has. What is written may come from a tracer of init:
    /// it is taken for times, and nothing else.
    pub fn tell(self, waits: &Waits, steps: usize) {
        let mut bytes = vec![0; (steps + 1) * size_of::<u64>()];
        let Ok(length) = pread(self.0.as_fd(), &mut bytes, 0) else { return };
        let moments = bytes[..length].as_chunks().0.iter().map(|moment| u64::from_le_bytes(*moment));
        let moments: Vec<u64> = moments.collect();
        let (here, now) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        let before = |moment| here.checked_sub(now.saturating_sub(Duration::from_nanos(moment)));
        for (number, pair) in moments.windows(2).enumerate() {
            if let Some(began) = before(pair[0]) {
                let took = Duration::from_nanos(pair[1].saturating_sub(pair[0]));
                waits.tell(&Event::StepDone { number, began, took });
            }
        }
    }
}
