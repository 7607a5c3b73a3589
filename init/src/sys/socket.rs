//! Sockets, descriptors that pass over them, and network interfaces.

use super::{Errno, Fd, Sys, call, call_memory, fd};

pub fn socket(family: i32, kind: i32) -> Sys<Fd> {
    call(libc::SYS_socket, [family as usize, (kind | libc::SOCK_CLOEXEC) as usize, 0]).map(fd)
}

/// struct ifreq, as far as flags go.
#[repr(C)]
pub struct InterfaceRequest {
    pub name: [u8; libc::IFNAMSIZ],
    pub flags: u16,
    pub rest: [u8; 22],
}

/// SIOCGIFFLAGS, which fills the flags of the interface that is named, or SIOCSIFFLAGS, which sets them.
pub fn interface_flags(socket: Fd, request: u64, interface: &mut InterfaceRequest) -> Sys<()> {
    let args = [socket.raw(), request as usize, &raw mut *interface as usize];
    // SAFETY: it reads and writes a struct ifreq, of 40 bytes as this one has; no request of a socket has a larger one.
    unsafe { call_memory(libc::SYS_ioctl, args) }.map(drop)
}

/// One control message: its header, and descriptors.
#[repr(C, align(8))]
struct Rights<const COUNT: usize> {
    length: usize,
    level: i32,
    kind: i32,
    descriptors: [i32; COUNT],
}

impl<const COUNT: usize> Rights<COUNT> {
    const HEADER: usize = 16;
    const LENGTH: usize = Self::HEADER + 4 * COUNT;
}

/// A message of one part, and one control message that takes `room`.
fn message<const COUNT: usize>(
    part: *mut libc::iovec,
    rights: *mut Rights<COUNT>,
    room: usize,
) -> libc::msghdr {
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (part, 1);
    (message.msg_control, message.msg_controllen) = (rights.cast(), room as _);
    message
}

/// sendmsg(2) of one message with a descriptor.
pub fn send(socket: Fd, bytes: &[u8], pass: Fd) -> Sys<()> {
    send_with(socket, bytes, Some(pass), 0)
}

fn send_with(socket: Fd, bytes: &[u8], pass: Option<Fd>, flags: i32) -> Sys<()> {
    let part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let rights = Rights {
        length: Rights::<1>::LENGTH,
        level: libc::SOL_SOCKET,
        kind: libc::SCM_RIGHTS,
        descriptors: [pass.map_or(-1, |pass| pass.0)],
    };
    let room = if pass.is_some() { size_of::<Rights<1>>() } else { 0 };
    let message = message((&raw const part).cast_mut(), (&raw const rights).cast_mut(), room);
    let args = [socket.raw(), &raw const message as usize, (libc::MSG_NOSIGNAL | flags) as usize];
    // SAFETY: it reads the message, the bytes and the rights that it leads to, all of which live until it returns.
    unsafe { call_memory(libc::SYS_sendmsg, args) }.map(drop)
}

/// The same without waiting (`EAGAIN` where there is no room), with a descriptor or none.
pub fn send_now(socket: Fd, bytes: &[u8], pass: Option<Fd>) -> Sys<()> {
    send_with(socket, bytes, pass, libc::MSG_DONTWAIT)
}

/// socketpair(AF_UNIX, SOCK_SEQPACKET).
pub fn socket_pair() -> Sys<[Fd; 2]> {
    let mut ends = [0i32; 2];
    let kind = (libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC) as usize;
    let args = [libc::AF_UNIX as usize, kind, 0, ends.as_mut_ptr() as usize];
    // SAFETY: it writes two numbers.
    unsafe { call_memory(libc::SYS_socketpair, args) }?;
    Ok(ends.map(Fd))
}

/// recvmsg(2) of a message that is one descriptor. `None` at the end, or where no descriptor came.
pub fn receive_descriptor(socket: Fd) -> Sys<Option<Fd>> {
    receive(socket, &mut [0]).map(|(_, passed)| passed)
}

/// recvmsg(2) of a message that a descriptor may come with.
pub fn receive(socket: Fd, buffer: &mut [u8]) -> Sys<(usize, Option<Fd>)> {
    let mut passed = [Fd(-1)];
    let (length, count) = receive_with(socket, buffer, &mut passed, 0)?;
    Ok((length, (count == 1).then_some(passed[0])))
}

/// The same without waiting, `EAGAIN` where there is none, of a message that several may come with; how many have come.
pub fn receive_several_now<const MOST: usize>(
    socket: Fd,
    buffer: &mut [u8],
    passed: &mut [Fd; MOST],
) -> Sys<(usize, usize)> {
    receive_with(socket, buffer, passed, libc::MSG_DONTWAIT)
}

fn receive_with<const MOST: usize>(
    socket: Fd,
    buffer: &mut [u8],
    passed: &mut [Fd; MOST],
    flags: i32,
) -> Sys<(usize, usize)> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut rights = Rights { length: 0, level: 0, kind: 0, descriptors: [-1; MOST] };
    let mut message = message(&raw mut part, &raw mut rights, Rights::<MOST>::LENGTH);
    let args = [socket.raw(), &raw mut message as usize, (libc::MSG_CMSG_CLOEXEC | flags) as usize];
    let length = loop {
        // SAFETY: it writes into the buffer and one control message, where the message leads to, and the lengths in it.
        match unsafe { call_memory(libc::SYS_recvmsg, args) } {
            Err(Errno(libc::EINTR)) => {}
            Err(errno) => return Err(errno),
            Ok(length) => break length,
        }
    };
    if rights.level != libc::SOL_SOCKET || rights.kind != libc::SCM_RIGHTS {
        return Ok((length, 0));
    }
    let came = rights.length.saturating_sub(Rights::<MOST>::HEADER) / 4;
    *passed = rights.descriptors.map(Fd);
    Ok((length, came.min(MOST)))
}

/// accept4(2).
pub fn accept(listener: Fd) -> Sys<Fd> {
    call(libc::SYS_accept4, [listener.raw(), 0, 0, libc::SOCK_CLOEXEC as usize]).map(fd)
}
