//! Waiting for one of several descriptors.

use super::{Errno, Fd, Sys, call_memory};

/// struct pollfd. One without a descriptor is passed over.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Polled {
    fd: i32,
    wanted: i16,
    found: i16,
}

impl Polled {
    pub const NONE: Polled = Polled { fd: -1, wanted: 0, found: 0 };

    pub fn read(fd: Fd) -> Polled {
        Polled { fd: fd.0, wanted: libc::POLLIN, found: 0 }
    }

    /// To be read, or to be written to.
    pub fn both(fd: Fd) -> Polled {
        Polled { wanted: libc::POLLIN | libc::POLLOUT, ..Polled::read(fd) }
    }

    /// There is something to read, or the other end is gone.
    pub fn is_readable(&self) -> bool {
        self.found & !libc::POLLOUT != 0
    }
}

/// ppoll(2) without a time or a mask.
pub fn poll(watched: &mut [Polled]) -> Sys<()> {
    // SAFETY: it reads and writes as many of these structures as there are.
    unsafe { call_memory(libc::SYS_ppoll, [watched.as_mut_ptr() as usize, watched.len(), 0, 0, 0]) }.map(drop)
}

/// nanosleep(2): for so many nanoseconds, less than a second; a signal ends it.
pub fn pause(nanoseconds: u64) {
    let time = [0, nanoseconds];
    // SAFETY: it reads two numbers, and writes no rest. That it was interrupted changes nothing.
    let _: Result<_, Errno> = unsafe { call_memory(libc::SYS_nanosleep, [time.as_ptr() as usize, 0]) };
}

/// Reads what there is, of what never waits.
pub fn drain(fd: Fd) {
    // What cannot be read is not there.
    while matches!(super::read(fd, &mut [0; 512]), Ok(512)) {}
}
