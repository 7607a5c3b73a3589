//! Unix sockets of whole messages, with descriptors in them.

use super::poll::Rest;
use super::{Errno, SysResult, check, file, uninterrupted};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, recvmsg,
    sendmsg,
};
use nix::sys::time::TimeVal;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a peer may let us wait.
const PATIENCE: TimeVal = TimeVal::new(10, 0);

/// socketpair(AF_UNIX, SOCK_SEQPACKET). Reference: unix(7).
pub fn pair() -> SysResult<(OwnedFd, OwnedFd)> {
    Ok(nix::sys::socket::socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Connects to the SEQPACKET socket at `path`.
pub fn connect(path: &Path) -> SysResult<OwnedFd> {
    connected(new(SockType::SeqPacket)?, path)
}

/// Connects to the STREAM socket at `path`: engines' console sockets are of this kind. `EAGAIN` where the queue of its
/// listener is full.
pub fn connect_stream(path: &Path) -> SysResult<OwnedFd> {
    let socket = new(SockType::Stream)?;
    file::set_nonblocking(socket.as_fd(), true)?;
    let socket = connected(socket, path)?;
    file::set_nonblocking(socket.as_fd(), false)?;
    Ok(socket)
}

/// The same to a listener whose queue may be full for a while. A path that begins with a NUL is an abstract name.
pub fn connect_patiently(path: &Path, deadline: Instant, rest: Rest) -> SysResult<OwnedFd> {
    const PAUSE: Duration = Duration::from_millis(10);
    loop {
        match connect_stream(path) {
            Err(Errno(libc::EAGAIN)) if Instant::now() < deadline => rest(None, PAUSE)?,
            other => return other,
        }
    }
}

/// Connects to the DGRAM socket at `path`; one that begins with @ is an abstract name (sd_notify(3)). What is sent may
/// wait for room so many seconds, then `EAGAIN`.
pub fn connect_datagram(path: &Path, patience: i64) -> SysResult<OwnedFd> {
    let socket = new(SockType::Datagram)?;
    let address = match path.as_os_str().as_bytes() {
        [b'@', name @ ..] => UnixAddr::new_abstract(name)?,
        _ => UnixAddr::new(path)?,
    };
    let patience = TimeVal::new(patience, 0);
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::SendTimeout, &patience)?;
    nix::sys::socket::connect(socket.as_raw_fd(), &address)?;
    Ok(socket)
}

/// A DGRAM socket bound to `path`. Where the kernel knows how (Linux 6.16), a message with descriptors is refused to its
/// sender (`EPERM`): its sender decides how long closing the descriptors takes.
pub fn bind_datagram(path: &Path) -> SysResult<OwnedFd> {
    const SO_PASSRIGHTS: libc::c_int = 83;
    let socket = new(SockType::Datagram)?;
    // An older kernel has no such option.
    let _ = set_option(socket.as_fd(), libc::SOL_SOCKET, SO_PASSRIGHTS, 0);
    nix::sys::socket::bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket)
}

/// One datagram, cut to the buffer, without waiting and without the descriptors that come with it.
pub fn receive_datagram(socket: BorrowedFd, buffer: &mut [u8]) -> SysResult<usize> {
    uninterrupted(|| Ok(nix::sys::socket::recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT)?))
}

/// accept4(listener): the next connection, which never waits.
pub fn accept(listener: BorrowedFd) -> SysResult<OwnedFd> {
    let (none, flags) = (std::ptr::null_mut(), libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
    // SAFETY: it is told of no room for an address; the call returns a new descriptor.
    unsafe { super::owned(libc::accept4(listener.as_raw_fd(), none, std::ptr::null_mut(), flags)) }
}

/// shutdown(socket, SHUT_WR): the other end hears that no more is said.
pub fn end_of_words(socket: BorrowedFd) -> SysResult<()> {
    Ok(nix::sys::socket::shutdown(socket.as_raw_fd(), nix::sys::socket::Shutdown::Write)?)
}

/// setsockopt(socket, level, option, value), for options that are a number and that nix does not know.
pub(super) fn set_option(socket: BorrowedFd, level: i32, option: i32, value: libc::c_int) -> SysResult<()> {
    let (at, size) = ((&raw const value).cast(), size_of_val(&value) as libc::socklen_t);
    // SAFETY: the pointer and the size are those of `value`, which outlives the call.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, at, size) }).map(drop)
}

fn new(kind: SockType) -> SysResult<OwnedFd> {
    Ok(nix::sys::socket::socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None)?)
}

fn connected(socket: OwnedFd, path: &Path) -> SysResult<OwnedFd> {
    // A listener that does not accept or read does not hold us up for ever: EAGAIN.
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::SendTimeout, &PATIENCE)?;
    let address = match path.as_os_str().as_bytes() {
        [0, name @ ..] => UnixAddr::new_abstract(name),
        _ => UnixAddr::new(path),
    };
    match address {
        Ok(address) => nix::sys::socket::connect(socket.as_raw_fd(), &address)?,
        // A name longer than the kernel has room for: by a descriptor of the socket's file it is short.
        Err(nix::errno::Errno::ENAMETOOLONG) => {
            let file = file::openat2(file::cwd(), &super::c(path)?, libc::O_PATH, 0, 0)?;
            let short = format!("/proc/self/fd/{}", file.as_raw_fd());
            nix::sys::socket::connect(socket.as_raw_fd(), &UnixAddr::new(Path::new(&short))?)?;
        }
        Err(errno) => return Err(errno.into()),
    }
    Ok(socket)
}

/// Whether the other end was made by root, or by our own user: SO_PEERCRED, unix(7).
pub fn is_of_root_or_us(socket: BorrowedFd) -> bool {
    let peer = nix::sys::socket::getsockopt(&socket, nix::sys::socket::sockopt::PeerCredentials);
    peer.is_ok_and(|peer| [0, super::identity::euid()].contains(&peer.uid()))
}

/// Sends one message, with the descriptors `pass`. A stream whose reader is slow takes it in pieces: all of them, or it
/// is an error.
pub fn send(socket: BorrowedFd, mut bytes: &[u8], pass: &[RawFd]) -> SysResult<()> {
    let rights = [ControlMessage::ScmRights(pass)];
    let mut control = if pass.is_empty() { &[][..] } else { &rights[..] };
    loop {
        let (parts, flags) = ([IoSlice::new(bytes)], MsgFlags::MSG_NOSIGNAL);
        let sent = uninterrupted(|| Ok(sendmsg::<()>(socket.as_raw_fd(), &parts, control, flags, None)?))?;
        if sent >= bytes.len() {
            return Ok(());
        }
        (bytes, control) = (&bytes[sent..], &[]);
    }
}

/// Receives one message; no bytes means that the other end has closed.
pub fn receive(socket: BorrowedFd, buffer: &mut [u8]) -> SysResult<(usize, Option<OwnedFd>)> {
    receive_with(socket, buffer, MsgFlags::empty())
}

/// The same without waiting: `EAGAIN` where there is none.
pub fn receive_now(socket: BorrowedFd, buffer: &mut [u8]) -> SysResult<(usize, Option<OwnedFd>)> {
    receive_with(socket, buffer, MsgFlags::MSG_DONTWAIT)
}

fn receive_with(
    socket: BorrowedFd,
    buffer: &mut [u8],
    flags: MsgFlags,
) -> SysResult<(usize, Option<OwnedFd>)> {
    let mut space = nix::cmsg_space!([RawFd; 2]);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = flags | MsgFlags::MSG_CMSG_CLOEXEC;
    let received = uninterrupted(|| {
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
        let mut passed = None;
        for part in message.cmsgs()? {
            let ControlMessageOwned::ScmRights(numbers) = part else { continue };
            for number in numbers {
                // SAFETY: the kernel has just put this descriptor into our table, for us alone.
                passed = Some(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
        Ok((message.bytes, passed))
    });
    match received {
        // The other end died with messages of ours unread: the same as closed.
        Err(Errno(libc::ECONNRESET)) => Ok((0, None)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_takes_only_a_part_is_an_error() {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_write_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
        assert_eq!(send(ours.as_fd(), &[0; 8 << 20], &[]), Err(Errno(libc::EAGAIN)));
    }
}
