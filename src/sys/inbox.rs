//! Receiving into memory that outlives this process.
//!
//! A process that is killed between recv(2) and the noting of what came has lost it. recvmmsg(2) writes the bytes, and how
//! many they are, to memory; where that is shared with a file that another process holds, the next one finds both there. The
//! kernel does not end a process before the call is over.

use super::mapping::Mapping;
use super::{Errno, SysResult, check, owned};
use std::mem::{offset_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

/// What one call receives at most.
pub const ROOM: usize = 64 * 1024;
/// How much of the file the inbox takes, from its beginning.
pub const SIZE: usize = ROOM + 4096;

/// What lies at the beginning of the file.
#[repr(C)]
struct Laid {
    /// The name of the connection, and how many bytes came of it before; no name: nothing came.
    connection: u64,
    before: u64,
    header: libc::mmsghdr,
    part: libc::iovec,
    bytes: [u8; ROOM],
}

const _: () = assert!(offset_of!(Laid, bytes) <= 4096);

/// For one process at a time.
pub struct Inbox(Mapping<Laid, SIZE>);

// SAFETY: the addresses in the header are of this mapping, and are used by one call at a time.
unsafe impl Send for Inbox {}

impl Inbox {
    pub fn map(file: BorrowedFd) -> SysResult<Inbox> {
        Mapping::of(file).map(Inbox)
    }

    /// What another process has received and has not forgotten: the connection, how many bytes came of it before, and those.
    pub fn left(&self) -> Option<(u64, u64, &[u8])> {
        // SAFETY: the mapping is as long as `Laid`, for which any bytes are a valid value, and no other process writes to
        // it.
        let laid = unsafe { &*self.0.pointer() };
        let length = (laid.header.msg_len as usize).min(ROOM);
        (laid.connection != 0 && length > 0).then(|| (laid.connection, laid.before, &laid.bytes[..length]))
    }

    /// What there is, without waiting; nothing at the end. It stays until the next call, or [`Inbox::forget`].
    pub fn receive(&mut self, socket: BorrowedFd, connection: u64, before: u64) -> SysResult<&[u8]> {
        // SAFETY: as above, and the borrow is ours alone.
        let laid = unsafe { &mut *self.0.pointer() };
        laid.connection = 0;
        laid.part = libc::iovec { iov_base: laid.bytes.as_mut_ptr().cast(), iov_len: ROOM };
        // SAFETY: all zeroes is a valid value of this plain struct.
        laid.header = unsafe { zeroed() };
        (laid.header.msg_hdr.msg_iov, laid.header.msg_hdr.msg_iovlen) = (&raw mut laid.part, 1);
        (laid.before, laid.connection) = (before, connection);
        let none = ptr::null_mut::<libc::timespec>();
        let received = super::uninterrupted(|| {
            let header = &raw mut laid.header;
            // By number, as in `Marks::send`.
            let (file, flags) = (socket.as_raw_fd(), libc::MSG_DONTWAIT);
            // SAFETY: it writes into the bytes of this mapping and the length into its header, which stay mapped.
            check(unsafe { libc::syscall(libc::SYS_recvmmsg, file, header, 1, flags, none) })
        });
        match received {
            Ok(_) => Ok(&laid.bytes[..(laid.header.msg_len as usize).min(ROOM)]),
            Err(errno) => {
                laid.connection = 0;
                Err(errno)
            }
        }
    }

    /// It is noted elsewhere.
    pub fn forget(&mut self) {
        // SAFETY: as above.
        unsafe { (*self.0.pointer()).connection = 0 };
    }
}

/// A descriptor that this process was started with, under this number, and that nothing else in it owns.
pub fn inherited(number: i32) -> SysResult<OwnedFd> {
    let descriptor = super::file::inherited(number).ok_or(Errno(libc::EBADF))?;
    let copy = super::file::duplicate(descriptor.as_raw_fd(), 3)?;
    // SAFETY: `file::inherited` has found it open, and its caller says that nothing owns it.
    drop(unsafe { owned(number as i64) }?);
    Ok(copy)
}
