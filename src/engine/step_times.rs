//! How long each step of init took: init notes the moments in a memory file that it has mapped, up to its exec. They are
//! read when it is ready, when it has failed, and when its program runs.

use crate::engine::Waits;
use crate::engine::event::{End, Event};
use crate::error::Result;
use crate::sys::clock::{Reading, has_ticks};
use crate::sys::{file, memory};
use nix::sys::uio::pread;
use std::cell::Cell;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

/// The moments of one init.
pub struct StepTimes {
    file: OwnedFd,
    steps: usize,
    begun: Reading,
    /// How many steps have been told, and when the last of them was done.
    told: Cell<(usize, Instant)>,
}

/// What has become of init.
pub enum Now {
    Goes,
    /// At this step, with this errno.
    Failed(u32, i32),
    /// By the exec, if it came as far.
    Ended,
}

impl StepTimes {
    /// Where a caller wants them.
    pub fn wanted(waits: &Waits, steps: usize) -> Result<Option<StepTimes>> {
        if !waits.is_timed() || !has_ticks() {
            return Ok(None);
        }
        let failed = "memfd_create for times";
        let made = memory::scratch(c"rruntime-times").map_err(|e| e.because(failed))?;
        // Written, so that it is ours and not of the container's memory.
        file::write_all(made.as_fd(), &vec![0; (steps + 1) * size_of::<u64>()])
            .map_err(|e| e.because(failed))?;
        let begun = Reading::now();
        Ok(Some(StepTimes { file: made, steps, begun, told: Cell::new((0, begun.instant())) }))
    }

    pub fn number(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Reports the steps that were done since it was last asked. What is written may come from a tracer of init: it is taken
    /// for times, and nothing else.
    pub fn tell(&self, waits: &Waits, init: i32, now: Now) {
        let (mut number, last) = self.told.get();
        let mut bytes = vec![0; (self.steps + 1 - number) * size_of::<u64>()];
        let offset = (number * size_of::<u64>()) as i64;
        let Ok(length) = pread(self.file.as_fd(), &mut bytes, offset) else { return };
        let here = Reading::now();
        let mut moments = bytes[..length]
            .as_chunks()
            .0
            .iter()
            .map(|moment| u64::from_le_bytes(*moment))
            .take_while(|ticks| *ticks != 0)
            .map(|ticks| self.begun.moment(here, ticks));
        // No two looks at both clocks agree to the last nanosecond.
        let Some(mut began) = moments.next().map(|began| began.max(last)) else { return };
        let step = |number, began, took, end| {
            waits.tell(&Event::StepDone { init, number, began, took, end });
        };
        for next in moments {
            step(number, began, next.saturating_duration_since(began), End::Done);
            (began, number) = (next.max(began), number + 1);
        }
        let took = here.instant().saturating_duration_since(began);
        let end = match now {
            Now::Failed(failed, errno) if failed as usize == number => Some(End::Failed(errno)),
            Now::Ended if number < self.steps => Some(End::Ended),
            _ => None,
        };
        if let Some(end) = end {
            step(number, began, took, end);
            // Nothing comes after it.
            number = self.steps;
        }
        self.told.set((number, began));
    }
}
