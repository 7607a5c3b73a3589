//! `linux.netDevices`: devices of the host move into the container's network namespace (config-linux.md, Network
//! Devices).
//!
//! ```text
//!  check     nothing has changed: the devices are there, and the container's namespace is not ours
//!  move in   init waits in its namespaces: all devices go in under names that nobody has, then each gets its own
//!            name and its addresses and is set up
//!  hooks, sysctls, the rest of create: they find the devices in place
//! ```
//!
//! The two rounds let devices swap names, and let us find a device whose name the kernel chooses (`%d`). A move takes
//! the addresses away, so they are read before. If this or any later step of create fails, the devices go back under
//! their names, with their addresses, and up if they were: the kernel would return physical ones under any name, and
//! destroy the others. Once the container is created they are the namespace's, and we never touch them again.
//!
//! Our own namespace is never left: only a thread that ends at once joins the container's, to open a socket there.

use crate::error::{Error, Kind, Result};
use crate::names;
use crate::spec::{Linux, NetDevice, Spec};
use crate::sys::file::{cwd, openat2};
use crate::sys::netlink::{Address, Link, NetResult, Netlink, Refused};
use crate::sys::{Errno, namespace};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::thread;

const NETWORK: u64 = libc::CLONE_NEWNET as u64;

/// The devices of the config, each with its JSON pointer.
fn wanted<'a>(spec: &'a Spec) -> impl Iterator<Item = (String, &'a str, &'a NetDevice<'a>)> {
    spec.linux.iter().flat_map(|linux| &linux.net_devices).map(|(name, device)| {
        let key = name.replace('~', "~0").replace('/', "~1");
        (format!("/linux/netDevices/{key}"), &**name, device)
    })
}

/// What can be known before anything changes.
pub fn check(spec: &Spec) -> Result<()> {
    let Some(linux) = spec.linux.as_ref().filter(|linux| !linux.net_devices.is_empty()) else {
        return Ok(());
    };
    must_not_be_ours(linux)?;
    let mut host = open_host()?;
    let mut problems = Vec::new();
    for (pointer, name, _) in wanted(spec) {
        if let Err(error) = find(&mut host, name) {
            problems.push(error.field(pointer));
        }
    }
    Error::all(problems).map_or(Ok(()), Err)
}

/// A path may name the namespace that we are in, and then nothing would be the container's.
fn must_not_be_ours(linux: &Linux) -> Result<()> {
    let Ok(ours) = std::fs::metadata(OURS) else { return Ok(()) };
    for (i, wanted) in linux.namespaces.iter().enumerate() {
        let path = wanted.path.as_deref().filter(|path| !path.is_empty());
        let network = names::namespace(&wanted.kind).is_some_and(|known| known.flag == NETWORK);
        let (true, Some(path)) = (network, path) else { continue };
        // One that cannot be opened is told with the other namespaces.
        let Ok(theirs) = std::fs::metadata(path) else { continue };
        if (theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino()) {
            return Err(ours_alone().value(path).remedy(format!(
                "/linux/namespaces/{i}/path is the runtime's own: leave it out, or name another namespace"
            )));
        }
    }
    Ok(())
}

const OURS: &str = "/proc/thread-self/ns/net";

fn ours_alone() -> Error {
    Error::new("the network namespace is the host's: no device can be moved there")
        .kind(Kind::Config)
        .field("/linux/netDevices")
}

fn open_host() -> Result<Netlink> {
    Netlink::open().map_err(|e| e.because("open a netlink socket").field("/linux/netDevices"))
}

/// A device of the host that may move.
fn find(host: &mut Netlink, name: &str) -> Result<Link> {
    let found = host.link(name).map_err(|e| refused(e, "look for the network device"))?;
    let link = found.ok_or_else(|| {
        Error::new("the host has no network device of this name")
            .kind(Kind::Config)
            .remedy("`ip link` lists those in the runtime's network namespace")
    })?;
    if link.flags & libc::IFF_LOOPBACK as u32 != 0 {
        return Err(Error::new("the loopback device cannot be moved: each network namespace has its own")
            .kind(Kind::Config)
            .remedy("leave it out"));
    }
    Ok(link)
}

/// A device on its way, or in the container.
struct Device {
    pointer: String,
    /// Its name on the host, its name inside.
    home_name: String,
    name: String,
    /// Its number inside.
    index: i32,
    was_up: bool,
    addresses: Vec<Address>,
}

/// Devices that have left the host.
pub struct Moved {
    host: Netlink,
    home: OwnedFd,
    inside: Netlink,
    devices: Vec<Device>,
}

/// Moves the config's devices into the network namespace of `process`, sets them up, and restores their addresses.
/// On an error everything is as before; what cannot be put back is told to `warn`.
pub fn move_in(spec: &Spec, process: BorrowedFd, warn: &dyn Fn(&str)) -> Result<Moved> {
    let home = openat2(cwd(), c"/proc/thread-self/ns/net", libc::O_RDONLY, 0, 0)
        .map_err(|e| e.because("open our own network namespace").field("/linux/netDevices"))?;
    let (inside, there) = enter(process)?;
    if inode(&home)? == inode(&there)? {
        return Err(ours_alone());
    }
    let mut moved = Moved { host: open_host()?, home, inside, devices: Vec::new() };
    match moved.take_all(spec, there.as_fd()) {
        Ok(()) => Ok(moved),
        Err(error) => {
            moved.give_back(warn);
            Err(error)
        }
    }
}

fn inode(namespace: &OwnedFd) -> Result<(u64, u64)> {
    let file = namespace.try_clone().and_then(|fd| std::fs::File::from(fd).metadata());
    let file = file.map_err(|e| Error::io("look at a network namespace", &e))?;
    Ok((file.dev(), file.ino()))
}

/// A socket in the network namespace of `process`, and that namespace.
fn enter(process: BorrowedFd) -> Result<(Netlink, OwnedFd)> {
    let there = || -> Result<(Netlink, OwnedFd)> {
        namespace::enter(process, NETWORK).map_err(|e| {
            let remedy = "it takes CAP_SYS_ADMIN and CAP_SYS_PTRACE over the container";
            e.because("join the container's network namespace").remedy(remedy)
        })?;
        let socket = Netlink::open().map_err(|e| e.because("open a netlink socket"))?;
        let namespace = openat2(cwd(), c"/proc/thread-self/ns/net", libc::O_RDONLY, 0, 0)
            .map_err(|e| e.because("open the container's network namespace"))?;
        Ok((socket, namespace))
    };
    let joined = thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, there);
        let thread = thread.map_err(|e| Error::io("start a thread", &e))?;
        thread.join().unwrap_or_else(|_| Err(Error::new("the thread in the container's namespace has died")))
    });
    joined.map_err(|error| error.field("/linux/netDevices"))
}

impl Moved {
    fn take_all(&mut self, spec: &Spec, there: BorrowedFd) -> Result<()> {
        for (pointer, _, device) in wanted(spec) {
            let name = device.name.as_deref().filter(|name| !name.is_empty());
            self.must_be_free(name, &pointer)?;
        }
        for (pointer, key, device) in wanted(spec) {
            self.take(key, device, &pointer, there).map_err(|error| error.field(pointer))?;
        }
        for i in 0..self.devices.len() {
            self.furnish(i).map_err(|error| error.field(self.devices[i].pointer.clone()))?;
        }
        Ok(())
    }

    /// The specification wants a name that is taken to be an error; the kernel tells it after the move.
    fn must_be_free(&mut self, name: Option<&str>, pointer: &str) -> Result<()> {
        let Some(name) = name.filter(|name| !name.ends_with("%d")) else { return Ok(()) };
        let found = self.inside.link(name);
        if found.map_err(|e| refused(e, "look into the container's network namespace"))?.is_none() {
            return Ok(());
        }
        Err(taken().field(format!("{pointer}/name")).value(name))
    }

    /// First round: out of the host, under a name that nobody has.
    fn take(&mut self, key: &str, wanted: &NetDevice, pointer: &str, there: BorrowedFd) -> Result<()> {
        let link = find(&mut self.host, key)?;
        let name = wanted.name.as_deref().filter(|name| !name.is_empty());
        let name = name.unwrap_or(&link.name).to_owned();
        let addresses = self.host.addresses(link.index);
        let mut addresses = addresses.map_err(|e| refused(e, "read the device's addresses"))?;
        addresses.retain(stays);
        // 15 characters hold the highest pid and the highest number of an entry that any config has.
        let passage = format!("rr{}-{}", std::process::id(), self.devices.len());
        let result = self.host.move_link(link.index, there, &passage);
        // Where only the new name was refused, the device is over there under its old one.
        let arrived = match &result {
            Ok(()) => self.inside.link(&passage),
            Err(_) if matches!(self.host.link(&link.name), Ok(None)) => self.inside.link(&link.name),
            Err(_) => Ok(None),
        };
        let arrived = arrived.map_err(|e| refused(e, "find the device in the container"));
        if let Ok(Some(arrived)) = &arrived {
            self.devices.push(Device {
                pointer: pointer.to_owned(),
                home_name: link.name,
                name,
                index: arrived.index,
                was_up: link.flags & libc::IFF_UP as u32 != 0,
                addresses,
            });
        }
        result.map_err(|e| refused(e, "move the device into the container"))?;
        match arrived? {
            Some(_) => Ok(()),
            None => Err(Error::new("the device has left the container's network namespace at once")),
        }
    }

    /// Second round: its name, its addresses, up.
    fn furnish(&mut self, i: usize) -> Result<()> {
        let device = &self.devices[i];
        let renamed = self.inside.rename(device.index, &device.name);
        renamed.map_err(|e| match e.errno {
            Errno(libc::EEXIST) => taken().value(&device.name),
            _ => refused(e, "name the device").value(&device.name),
        })?;
        settle(&mut self.inside, device.index, device, &device.name)
            .map_err(|e| refused(e, "give the device its addresses in the container"))?;
        self.inside.set_up(device.index).map_err(|e| refused(e, "set the device up in the container"))
    }

    /// Returns every device as it was.
    pub fn give_back(mut self, warn: &dyn Fn(&str)) {
        for device in std::mem::take(&mut self.devices).iter().rev() {
            if let Err(error) = self.return_one(device) {
                let name = &device.home_name;
                warn(&format!("the network device {name} could not be put back as it was: {error}"));
            }
        }
    }

    fn return_one(&mut self, device: &Device) -> Result<()> {
        let back = self.inside.move_link(device.index, self.home.as_fd(), &device.home_name);
        back.map_err(|e| refused(e, "move it to the host"))?;
        let found = self.host.link(&device.home_name).map_err(|e| refused(e, "find it on the host"))?;
        let link = found.ok_or_else(|| Error::new("it is not on the host"))?;
        settle(&mut self.host, link.index, device, &device.home_name)
            .map_err(|e| refused(e, "give it its addresses"))?;
        if device.was_up {
            self.host.set_up(link.index).map_err(|e| refused(e, "set it up"))?;
        }
        Ok(())
    }
}

fn taken() -> Error {
    Error::new("the container's network namespace has a device of this name already")
        .kind(Kind::Config)
        .remedy("give another \"name\"; one that ends in %d lets the kernel choose a number")
}

/// Attributes of an address (linux/if_addr.h).
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const IFA_RT_PRIORITY: u16 = 9;
const IFA_PROTO: u16 = 11;

/// The flags that somebody has asked for; the others are the kernel's own, and it sets them again.
const ASKED: u32 = libc::IFA_F_NODAD
    | libc::IFA_F_HOMEADDRESS
    | libc::IFA_F_MANAGETEMPADDR
    | libc::IFA_F_NOPREFIXROUTE
    | libc::IFA_F_MCAUTOJOIN;

fn flags(value: &[u8]) -> u32 {
    value.try_into().map_or(0, u32::from_ne_bytes)
}

/// Permanent, and valid everywhere: what the specification wants preserved.
fn stays(address: &Address) -> bool {
    let flags = address.attributes.iter().find(|(kind, _)| *kind == IFA_FLAGS).map_or(0, |(_, v)| flags(v));
    flags & libc::IFA_F_PERMANENT != 0 && address.scope == libc::RT_SCOPE_UNIVERSE
}

/// Gives a device, which has the number `index` and the name `name` by now, its addresses again.
fn settle(netlink: &mut Netlink, index: i32, device: &Device, name: &str) -> NetResult<()> {
    for address in &device.addresses {
        let attributes = address.attributes.iter();
        let attributes =
            attributes.filter_map(|(kind, value)| carried(*kind, value, &device.home_name, name));
        let address = Address { attributes: attributes.collect(), ..address.clone() };
        match netlink.add_address(index, &address) {
            // On the host the kernel, or a daemon, may have been faster.
            Ok(()) | Err(Refused { errno: Errno(libc::EEXIST), .. }) => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(())
}

/// An attribute as it goes to the renamed device; a label names the device that it is on (`eth0:1`).
fn carried(kind: u16, value: &[u8], old: &str, new: &str) -> Option<(u16, Vec<u8>)> {
    const LONGEST: usize = libc::IFNAMSIZ - 1;
    match kind {
        IFA_ADDRESS | IFA_LOCAL | IFA_BROADCAST | IFA_CACHEINFO | IFA_RT_PRIORITY | IFA_PROTO => {
            Some((kind, value.to_vec()))
        }
        IFA_FLAGS => Some((kind, (flags(value) & ASKED).to_ne_bytes().to_vec())),
        IFA_LABEL => {
            let label = std::str::from_utf8(value).ok()?.trim_end_matches('\0');
            let suffix = label.strip_prefix(old).filter(|suffix| suffix.starts_with(':'))?;
            let label = format!("{new}{suffix}");
            let fits = label.len() <= LONGEST && !new.contains('%');
            fits.then(|| (kind, label.bytes().chain([0]).collect()))
        }
        _ => None,
    }
}

/// A request that the kernel has refused, in its own words if it has any.
fn refused(refused: Refused, doing: &'static str) -> Error {
    let Refused { errno, words } = refused;
    let error = if words.is_empty() { errno.because(doing) } else { errno.because(words).doing(doing) };
    match errno.0 {
        libc::EPERM => error.remedy("it takes CAP_NET_ADMIN over both network namespaces"),
        libc::EINVAL => error.remedy("some kinds of devices belong to their namespace, and cannot be moved"),
        libc::EEXIST => error.remedy("another device has the name, or an alternative name, of this one"),
        libc::EBUSY => error.remedy("something on the host uses the device"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8], new: &str) -> Option<Vec<u8>> {
        carried(kind, value, "eth0", new).map(|(_, value)| value)
    }

    #[test]
    fn a_label_follows_the_name_of_its_device() {
        assert_eq!(attribute(IFA_LABEL, b"eth0:1\0", "c0"), Some(b"c0:1\0".to_vec()));
        // The kernel makes the plain label itself.
        assert_eq!(attribute(IFA_LABEL, b"eth0\0", "c0"), None);
        assert_eq!(attribute(IFA_LABEL, b"eth0:1\0", "c%d"), None);
        assert_eq!(attribute(IFA_LABEL, b"eth0:1234567\0", "fourteen-chars"), None);
    }

    #[test]
    fn flags_that_are_the_kernels_own_stay_behind() {
        let all = u32::MAX.to_ne_bytes();
        assert_eq!(attribute(IFA_FLAGS, &all, "c0"), Some(ASKED.to_ne_bytes().to_vec()));
        assert_eq!(attribute(77, &all, "c0"), None);
    }

    #[test]
    fn only_permanent_addresses_of_global_scope_are_kept() {
        let address = |flags: u32, scope: u8| Address {
            index: 1,
            family: 2,
            prefix: 24,
            scope,
            attributes: vec![(IFA_FLAGS, flags.to_ne_bytes().to_vec())],
        };
        assert!(stays(&address(libc::IFA_F_PERMANENT, 0)));
        assert!(!stays(&address(0, 0)));
        assert!(!stays(&address(libc::IFA_F_PERMANENT, libc::RT_SCOPE_LINK)));
    }
}
