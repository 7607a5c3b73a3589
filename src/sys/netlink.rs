//! rtnetlink(7): network devices and their addresses, of the namespace that the calling thread is in when the socket
//! is opened. The socket stays in that namespace, and keeps it alive, whatever the thread does later.
//!
//! Every length that the kernel sends is held against the end of the buffer; a message that does not fit is EBADMSG.
//! The answers to a request lie in the socket when the request returns, so nothing here ever waits.

use super::socket::set_option;
use super::{Errno, SysResult};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A network device.
#[derive(Clone, Debug)]
pub struct Link {
    pub index: i32,
    /// `IFF_…`
    pub flags: u32,
    pub name: String,
}

/// An address of a device, with the attributes (`IFA_…`) as the kernel has them.
#[derive(Clone, Debug)]
pub struct Address {
    pub index: i32,
    pub family: u8,
    pub prefix: u8,
    pub scope: u8,
    pub attributes: Vec<(u16, Vec<u8>)>,
}

/// A request that the kernel refused, with what it says about it (often nothing).
#[derive(Debug)]
pub struct Refused {
    pub errno: Errno,
    pub words: String,
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Refused { errno, words: String::new() }
    }
}

pub type NetResult<T> = Result<T, Refused>;

/// A socket in one network namespace.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

const HEADER: usize = 16;
const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const ACK: u16 = libc::NLM_F_ACK as u16;
/// A link with all its attributes has some two kilobytes, and the kernel fills at most this much by itself.
const BUFFER: usize = 32 << 10;

impl Netlink {
    /// socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) in the thread's network namespace.
    pub fn open() -> SysResult<Netlink> {
        let socket = socket()?;
        set_option(socket.as_fd(), libc::SOL_NETLINK, libc::NETLINK_EXT_ACK, 1)?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// The device of this name; `None` if there is none.
    pub fn link(&mut self, name: &str) -> NetResult<Option<Link>> {
        let request = Request::new(libc::RTM_GETLINK, REQUEST).link(0, 0, 0).name(name);
        let mut found = None;
        let asked = self.ask(request, |kind, payload| {
            if kind == libc::RTM_NEWLINK {
                found = Some(link(payload)?);
            }
            Some(())
        });
        match asked {
            Err(Refused { errno: Errno(libc::ENODEV), .. }) => Ok(None),
            other => other.map(|()| found),
        }
    }

    /// Every address of the device `index`, in the kernel's order.
    pub fn addresses(&mut self, index: i32) -> NetResult<Vec<Address>> {
        let mut request = Request::new(libc::RTM_GETADDR, REQUEST | libc::NLM_F_DUMP as u16);
        // struct ifaddrmsg: all families, all devices.
        request.bytes.extend_from_slice(&[0; 8]);
        let mut found = Vec::new();
        self.ask(request, |kind, payload| {
            if kind == libc::RTM_NEWADDR {
                found.push(address(payload)?);
            }
            Some(())
        })?;
        found.retain(|address: &Address| address.index == index);
        Ok(found)
    }

    /// Moves the device into another namespace, and gives it this name there: one request, but not one act. A name
    /// that is taken is refused when the device is there already, under its old name.
    pub fn move_link(&mut self, index: i32, namespace: BorrowedFd, name: &str) -> NetResult<()> {
        let number = namespace.as_raw_fd().to_ne_bytes();
        self.order(Request::change(index, 0, 0).name(name).attribute(libc::IFLA_NET_NS_FD, &number))
    }

    /// Gives the device another name; one that ends in `%d` is a pattern.
    pub fn rename(&mut self, index: i32, name: &str) -> NetResult<()> {
        self.order(Request::change(index, 0, 0).name(name))
    }

    pub fn set_up(&mut self, index: i32) -> NetResult<()> {
        let up = libc::IFF_UP as u32;
        self.order(Request::change(index, up, up))
    }

    /// Gives the device an address as another one had it.
    pub fn add_address(&mut self, index: i32, address: &Address) -> NetResult<()> {
        let flags = REQUEST | ACK | (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
        let mut request = Request::new(libc::RTM_NEWADDR, flags);
        // struct ifaddrmsg; all flags are in the attribute.
        request.bytes.extend_from_slice(&[address.family, address.prefix, 0, address.scope]);
        request.bytes.extend_from_slice(&index.to_ne_bytes());
        for (kind, value) in &address.attributes {
            request = request.attribute(*kind, value);
        }
        self.order(request)
    }

    /// Sends a request that is only acknowledged.
    fn order(&mut self, request: Request) -> NetResult<()> {
        self.ask(request, |_, _| Some(()))
    }

    /// Sends a request and takes its answers, each by kind and payload, to the last.
    fn ask(&mut self, request: Request, mut each: impl FnMut(u16, &[u8]) -> Option<()>) -> NetResult<()> {
        self.sequence += 1;
        let dump = request.flags & libc::NLM_F_DUMP as u16 == libc::NLM_F_DUMP as u16;
        let acknowledged = request.flags & ACK != 0 || dump;
        let bytes = request.finish(self.sequence);
        send(self.socket.as_raw_fd(), &bytes, MsgFlags::empty()).map_err(Errno::from)?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT);
            for message in parts(&buffer[..length.map_err(Errno::from)?], message) {
                let message = message?;
                if message.sequence != self.sequence {
                    continue;
                }
                match i32::from(message.kind) {
                    // The payload of a dump's end is its errno too.
                    libc::NLMSG_ERROR | libc::NLMSG_DONE => return outcome(&message),
                    _ => each(message.kind, message.payload).ok_or(DAMAGED)?,
                }
                if !acknowledged {
                    return Ok(());
                }
            }
        }
    }
}

/// Hears which devices leave a namespace, from when it is opened.
#[derive(Debug)]
pub struct Departures {
    socket: OwnedFd,
    heard: Vec<i32>,
    /// Why some were not heard.
    deaf: Option<Errno>,
}

impl Departures {
    /// bind(2) to RTNLGRP_LINK, in the thread's network namespace.
    pub fn open() -> SysResult<Departures> {
        let socket = socket()?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, libc::RTMGRP_LINK as u32))?;
        Ok(Departures { socket, heard: Vec::new(), deaf: None })
    }

    /// How many devices that had this number have left until now. The kernel sends the news before it answers the
    /// request that caused it. News that had no room are an error from then on.
    pub fn of(&mut self, index: i32) -> SysResult<usize> {
        if let Err(errno) = self.listen() {
            self.deaf = Some(errno);
        }
        match self.deaf {
            Some(errno) => Err(errno),
            None => Ok(self.heard.iter().filter(|&&heard| heard == index).count()),
        }
    }

    fn listen(&mut self) -> SysResult<()> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Err(nix::errno::Errno::EAGAIN) => return Ok(()),
                other => other?,
            };
            for message in parts(&buffer[..length], message) {
                let message = message?;
                // Of another family than "any" are ports that leave a bridge.
                if message.kind == libc::RTM_DELLINK && message.payload.first() == Some(&0) {
                    self.heard.push(link(message.payload).ok_or(DAMAGED)?.index);
                }
            }
        }
    }
}

fn socket() -> SysResult<OwnedFd> {
    let kind = (AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute);
    Ok(nix::sys::socket::socket(kind.0, kind.1, kind.2, kind.3)?)
}

const DAMAGED: Errno = Errno(libc::EBADMSG);

/// A request in the making: the header, a fixed part, attributes.
struct Request {
    kind: u16,
    flags: u16,
    bytes: Vec<u8>,
}

impl Request {
    fn new(kind: u16, flags: u16) -> Request {
        Request { kind, flags, bytes: vec![0; HEADER] }
    }

    /// A change of a device's name, place or flags.
    fn change(index: i32, flags: u32, change: u32) -> Request {
        Request::new(libc::RTM_SETLINK, REQUEST | ACK).link(index, flags, change)
    }

    /// struct ifinfomsg.
    fn link(mut self, index: i32, flags: u32, change: u32) -> Request {
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&index.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&change.to_ne_bytes());
        self
    }

    fn name(self, name: &str) -> Request {
        let name: Vec<u8> = name.bytes().chain([0]).collect();
        self.attribute(libc::IFLA_IFNAME, &name)
    }

    /// struct rtattr, the value, and zeroes up to the next multiple of four.
    fn attribute(mut self, kind: u16, value: &[u8]) -> Request {
        self.bytes.extend_from_slice(&((4 + value.len()) as u16).to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(aligned(self.bytes.len()), 0);
        self
    }

    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = self.bytes.len() as u32;
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[4..6].copy_from_slice(&self.kind.to_ne_bytes());
        self.bytes[6..8].copy_from_slice(&self.flags.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}

/// struct nlmsghdr and what follows it.
struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
}

const fn aligned(length: usize) -> usize {
    (length + 3) & !3
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// All messages, or all attributes, that the kernel has put one behind the other.
fn parts<'a, T>(
    mut rest: &'a [u8],
    first: impl Fn(&mut &'a [u8]) -> Option<T>,
) -> impl Iterator<Item = SysResult<T>> {
    std::iter::from_fn(move || (!rest.is_empty()).then(|| first(&mut rest).ok_or(DAMAGED)))
}

/// Takes the first message off `rest`.
fn message<'a>(rest: &mut &'a [u8]) -> Option<Message<'a>> {
    let bytes = *rest;
    let length = u32_at(bytes, 0)? as usize;
    let payload = bytes.get(HEADER..length)?;
    *rest = bytes.get(aligned(length)..).unwrap_or_default();
    Some(Message { kind: u16_at(bytes, 4)?, flags: u16_at(bytes, 6)?, sequence: u32_at(bytes, 8)?, payload })
}

/// Takes the first attribute off `rest`: its kind without flags, and its value.
fn attribute<'a>(rest: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    const KIND: u16 = 0x3fff;
    let bytes = *rest;
    let length = usize::from(u16_at(bytes, 0)?);
    let value = bytes.get(4..length)?;
    *rest = bytes.get(aligned(length)..).unwrap_or_default();
    Some((u16_at(bytes, 2)? & KIND, value))
}

/// struct nlmsgerr: a negative errno, and behind the message that it is about, the kernel's words.
fn outcome(message: &Message) -> NetResult<()> {
    const CAPPED: u16 = 0x100;
    const WITH_WORDS: u16 = 0x200;
    const WORDS: u16 = 1;
    let errno = (u32_at(message.payload, 0).ok_or(DAMAGED)? as i32).wrapping_neg();
    if errno == 0 {
        return Ok(());
    }
    let mut words = String::new();
    if i32::from(message.kind) == libc::NLMSG_ERROR && message.flags & WITH_WORDS != 0 {
        let about = u32_at(message.payload, 4).ok_or(DAMAGED)? as usize;
        let about = if message.flags & CAPPED != 0 { HEADER } else { aligned(about) };
        for attribute in parts(message.payload.get(4 + about..).unwrap_or_default(), attribute) {
            if let (WORDS, value) = attribute? {
                words = text(value);
            }
        }
    }
    Err(Refused { errno: Errno(errno), words })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|&b| b == 0).next().unwrap_or_default()).into_owned()
}

fn link(payload: &[u8]) -> Option<Link> {
    let mut name = String::new();
    for attribute in parts(payload.get(16..)?, attribute) {
        if let (libc::IFLA_IFNAME, value) = attribute.ok()? {
            name = text(value);
        }
    }
    Some(Link { index: u32_at(payload, 4)? as i32, flags: u32_at(payload, 8)?, name })
}

fn address(payload: &[u8]) -> Option<Address> {
    let copied = |part: SysResult<(u16, &[u8])>| part.ok().map(|(kind, value)| (kind, value.to_vec()));
    let attributes = parts(payload.get(8..)?, attribute).map(copied).collect::<Option<_>>()?;
    let index = u32_at(payload, 4)? as i32;
    Some(Address { index, family: payload[0], prefix: payload[1], scope: payload[3], attributes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_a_request_comes_back() {
        let request = Request::new(libc::RTM_NEWLINK, ACK).link(7, 1, 1).name("eth0").attribute(99, &[1; 5]);
        let bytes = request.finish(3);
        let mut rest = &bytes[..];
        let message = message(&mut rest).unwrap();
        assert_eq!((message.kind, message.flags, message.sequence), (libc::RTM_NEWLINK, ACK, 3));
        assert!(rest.is_empty());
        let link = link(message.payload).unwrap();
        assert_eq!((link.index, link.flags, &*link.name), (7, 1, "eth0"));
    }

    #[test]
    fn lengths_that_do_not_fit_are_no_message() {
        let whole = Request::new(libc::RTM_NEWLINK, 0).link(7, 0, 0).name("eth0").finish(1);
        for cut in 0..whole.len() {
            assert!(message(&mut &whole[..cut]).is_none(), "{cut}");
        }
        for length in [0u32, 3, 15, 1 << 20, u32::MAX] {
            let mut bytes = whole.clone();
            bytes[0..4].copy_from_slice(&length.to_ne_bytes());
            assert!(message(&mut &bytes[..]).is_none(), "{length}");
        }
        for length in [0u16, 3, 100, u16::MAX] {
            let mut bytes = whole[HEADER..].to_vec();
            bytes[16..18].copy_from_slice(&length.to_ne_bytes());
            assert!(link(&bytes).is_none(), "{length}");
        }
        assert!(link(&[0; 15]).is_none() && address(&[0; 7]).is_none());
    }

    #[test]
    fn the_loopback_device_is_found_and_a_device_that_is_missing_is_not() {
        let mut netlink = Netlink::open().unwrap();
        let lo = netlink.link("lo").unwrap().unwrap();
        assert_eq!(lo.name, "lo");
        assert!(lo.flags & libc::IFF_LOOPBACK as u32 != 0);
        assert!(netlink.link("rr-missing").unwrap().is_none());
        assert!(netlink.addresses(lo.index).unwrap().iter().all(|address| address.index == lo.index));
        assert!(netlink.addresses(i32::MAX).unwrap().is_empty());
    }

    #[test]
    fn the_kernel_says_why_it_refuses() {
        let mut netlink = Netlink::open().unwrap();
        let refused = netlink.rename(i32::MAX - 1, "x").unwrap_err();
        assert!(matches!(refused.errno, Errno(libc::ENODEV | libc::EPERM)), "{refused:?}");
    }
}
