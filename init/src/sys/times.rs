//! Where init notes its moments: memory that it shares with rruntime. A moment costs no system call, which a filter could
//! refuse, and the memory is there until the exec.

use super::{Errno, Fd, Sys, call};
use crate::arch::ticks;
use core::ptr::NonNull;

/// That many moments, as ticks of the processor (u64).
#[derive(Clone, Copy)]
pub struct Times {
    first: NonNull<u64>,
    places: usize,
}

impl Times {
    /// Maps a file that has room for them.
    pub fn of(file: Fd, places: usize) -> Sys<Times> {
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let length = places * size_of::<u64>();
        let memory =
            call(libc::SYS_mmap, [0, length, protection, libc::MAP_SHARED as usize, file.raw(), 0])?;
        let first = NonNull::new(memory as *mut u64).ok_or(Errno(libc::EFAULT))?;
        Ok(Times { first, places })
    }

    pub fn note(self, place: usize) {
        if place < self.places {
            // SAFETY: the mapping has room for `places` numbers, is page aligned, and is never taken away; only rruntime
            // reads them, by the file.
            unsafe { self.first.add(place).write_volatile(ticks()) };
        }
    }
}
