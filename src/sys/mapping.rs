//! The beginning of a file as a value in memory: what this process writes there is what the next one finds that has the
//! file, however this one ends.

use super::{SysResult, check, last_errno};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

/// `SIZE` bytes, at whose beginning a `T` lies; at first it is what the file has there, or zeroes.
pub struct Mapping<T, const SIZE: usize>(NonNull<T>);

impl<T, const SIZE: usize> Mapping<T, SIZE> {
    /// A file that is not as long yet is made so.
    pub fn of(file: BorrowedFd) -> SysResult<Mapping<T, SIZE>> {
        const { assert!(size_of::<T>() <= SIZE) };
        if nix::sys::stat::fstat(file)?.st_size < SIZE as i64 {
            // SAFETY: ftruncate takes numbers.
            check(unsafe { libc::ftruncate(file.as_raw_fd(), SIZE as i64) })?;
        }
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses the place.
        let mapped =
            unsafe { libc::mmap(ptr::null_mut(), SIZE, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        let mapped = if mapped == libc::MAP_FAILED { None } else { NonNull::new(mapped.cast::<T>()) };
        mapped.map(Mapping).ok_or_else(last_errno)
    }

    /// It stays mapped, and as long, for as long as this value is there.
    pub fn pointer(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T, const SIZE: usize> Drop for Mapping<T, SIZE> {
    fn drop(&mut self) {
        // SAFETY: nothing borrows from the mapping any more. It cannot fail: this is what mmap has given.
        unsafe { libc::munmap(self.0.as_ptr().cast(), SIZE) };
    }
}
