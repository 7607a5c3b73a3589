//! Numbers in memory that outlives this process, and sending so that a successor knows what was sent.
//!
//! A process that is killed between a call and the noting of what came of it leaves its successor in doubt. A number here
//! stays as it was set. sendmmsg(2) writes how much it has sent to memory; where that is here, the next one finds it.

use super::mapping::Mapping;
use super::{SysResult, check, uninterrupted};
use std::mem::{offset_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

const NUMBERS: usize = 256;
const SIZE: usize = 4096;

/// What lies at the beginning of the file.
#[repr(C)]
struct Laid {
    numbers: [AtomicU64; NUMBERS],
    header: libc::mmsghdr,
}

const _: () = assert!(offset_of!(Laid, header) == NUMBERS * 8);

/// For one process at a time.
pub struct Marks(Mapping<Laid, SIZE>);

// SAFETY: the addresses in the header are used by one call at a time.
unsafe impl Send for Marks {}

impl Marks {
    pub fn map(file: BorrowedFd) -> SysResult<Marks> {
        Mapping::of(file).map(Marks)
    }

    fn number(&self, place: usize) -> &AtomicU64 {
        // SAFETY: the mapping is as long as `Laid`; its numbers are changed by atomic operations alone.
        unsafe { &(*self.0.pointer()).numbers[place] }
    }

    pub fn at(&self, place: usize) -> u64 {
        self.number(place).load(SeqCst)
    }

    pub fn set(&self, place: usize, number: u64) {
        self.number(place).store(number, SeqCst);
    }

    /// Sends the datagram; that it was this one can be asked ([`Marks::has_sent`]) until the next.
    pub fn send(&mut self, socket: BorrowedFd, bytes: &[u8], which: u32) -> SysResult<()> {
        let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        self.forget();
        // SAFETY: the mapping is as long as `Laid`, and the header is ours alone.
        let header = unsafe { &raw mut (*self.0.pointer()).header };
        // SAFETY: all zeroes is a valid value of this plain struct.
        let mut made: libc::msghdr = unsafe { zeroed() };
        (made.msg_iov, made.msg_iovlen) = (&raw mut part, 1);
        // The kernel does not look at it where something is sent.
        made.msg_flags = which as i32;
        // SAFETY: as above; volatile, because another process reads it when this one is killed.
        unsafe { ptr::write_volatile(&raw mut (*header).msg_hdr, made) };
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: it reads the header, the part and the bytes, and writes the length into the header: all stay for the call.
        // By number: a C library may send one by one, and write the length itself, after the call and too late.
        let sent = || unsafe { libc::syscall(libc::SYS_sendmmsg, socket.as_raw_fd(), header, 1, flags) };
        uninterrupted(|| check(sent())).map(drop)
    }

    /// Whether the last datagram that was sent is this one.
    pub fn has_sent(&self, which: u32) -> bool {
        // SAFETY: as above.
        let header = unsafe { ptr::read_volatile(&raw const (*self.0.pointer()).header) };
        header.msg_len != 0 && header.msg_hdr.msg_flags == which as i32
    }

    pub fn forget(&mut self) {
        // SAFETY: as above.
        unsafe { ptr::write_volatile(&raw mut (*self.0.pointer()).header.msg_len, 0) };
    }
}
