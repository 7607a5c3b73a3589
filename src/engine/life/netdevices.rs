//! `linux.netDevices`: devices of the host move into the container's network namespace (config-linux.md, Network
//! Devices).
//!
//! ```text
//!  check     nothing has changed: the devices are there, and the container's namespace is not ours
//!  move in   init waits in its namespaces: all devices go in under names that are free, then each gets its own
//!            name and its addresses and is set up
//!  hooks, sysctls, the rest of create: they find the devices in place
//! ```
//!
//! The two rounds let devices swap names, and let us find a device whose name the kernel chooses (`%d`). A move takes
//! the addresses away, so they are read before. If this or any later step of create fails, the devices go back under
//! their names, with their addresses, and up if they were: the kernel would return physical ones under any name, and
//! destroy the others. Once the container is created they are the namespace's, and we never touch them again.
//!
//! What goes back to the host is trusted there. So nothing goes back from a namespace that was joined: its processes
//! can put a device of theirs in the place of the host's, with its number and its name. From a namespace of the
//! container's own goes back only what never left it: the kernel reports every device that goes (RTM_DELLINK), and a
//! socket has listened since before the move.
//!
//! Our own namespace is never left: only a thread that ends at once joins the container's, to open a socket there.

use crate::engine::life::addresses::{settle, stays};
use crate::engine::life::host_namespaces;
use crate::error::{Error, Kind, Result};
use crate::names::namespaces::NETWORK;
use crate::spec::locate::escaped;
use crate::spec::{Linux, NetDevice, Spec};
use crate::sys::netlink::{Address, Departures, Link, NetResult, Netlink, Refused};
use crate::sys::{Errno, SysResult, file, namespace, process};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

/// The devices of the config, each with its JSON pointer.
fn wanted<'a>(linux: &'a Linux) -> impl Iterator<Item = (String, &'a str, &'a NetDevice<'a>)> {
    linux
        .net_devices
        .iter()
        .map(|(name, device)| (format!("/linux/netDevices/{}", escaped(name)), &**name, device))
}

/// What can be known before anything changes.
pub fn check(spec: &Spec) -> Result<()> {
    let Some(linux) = spec.linux.as_ref().filter(|linux| !linux.net_devices.is_empty()) else {
        return Ok(());
    };
    must_not_be_ours(linux)?;
    let mut host = open_host()?;
    let mut problems = Vec::new();
    for (pointer, name, _) in wanted(linux) {
        if let Err(error) = find(&mut host, name) {
            problems.push(error.field(pointer));
        }
    }
    Error::all(problems).map_or(Ok(()), Err)
}

/// A path may name the namespace that we are in, and then nothing would be the container's.
fn must_not_be_ours(linux: &Linux) -> Result<()> {
    let Some((i, path)) = host_namespaces::joined(linux, "network") else { return Ok(()) };
    Err(ours_alone().value(path).remedy(format!(
        "/linux/namespaces/{i}/path is the runtime's own: leave it out, or name another namespace"
    )))
}

/// The network namespace of this thread.
fn ours() -> SysResult<OwnedFd> {
    process::open_of("thread-self", "ns/net", libc::O_RDONLY)
}

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
    let link = host.link(name).to("look for the network device")?.ok_or_else(|| {
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

/// Who is in the network namespace that the devices go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// It was made for the container, whose program has not run yet.
    Alone,
    /// It was there before, and others are in it.
    Shared,
}

/// Devices that have left the host.
pub struct Moved {
    host: Netlink,
    home: OwnedFd,
    inside: Inside,
    company: Company,
    devices: Vec<Device>,
}

/// The container's network namespace.
struct Inside {
    socket: Netlink,
    /// Hears which devices leave it.
    departures: Departures,
    namespace: OwnedFd,
}

/// Moves the config's devices into the network namespace of `process`, sets them up, and restores their addresses.
/// On an error everything is as before, unless the namespace is shared; `warn` hears what stays there.
pub fn move_in(linux: &Linux, process: BorrowedFd, company: Company, warn: &dyn Fn(Error)) -> Result<Moved> {
    let failed = |e: Errno| e.because("open our own network namespace").field("/linux/netDevices");
    let home = ours().map_err(failed)?;
    let inside = enter(process)?;
    let [here, there] = [&home, &inside.namespace].map(|namespace| file::identity(namespace.as_fd()));
    if here.map_err(failed)? == there.map_err(failed)? {
        return Err(ours_alone());
    }
    let mut moved = Moved { host: open_host()?, home, inside, company, devices: Vec::new() };
    match moved.take_all(linux) {
        Ok(()) => Ok(moved),
        Err(error) => {
            moved.give_back(warn);
            Err(error)
        }
    }
}

/// Sockets in the network namespace of `process`, and that namespace.
fn enter(process: BorrowedFd) -> Result<Inside> {
    let there = || -> Result<Inside> {
        namespace::enter(process, NETWORK).map_err(|e| {
            let remedy = "this needs CAP_SYS_ADMIN and CAP_SYS_PTRACE over the container";
            e.because("join the container's network namespace").remedy(remedy)
        })?;
        let (socket, departures) = Netlink::open()
            .and_then(|socket| Ok((socket, Departures::open()?)))
            .map_err(|e| e.because("open a netlink socket"))?;
        let namespace = ours().map_err(|e| e.because("open the container's network namespace"))?;
        Ok(Inside { socket, departures, namespace })
    };
    let joined = thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, there);
        let thread = thread.map_err(|e| Error::io("start a thread", &e))?;
        thread.join().unwrap_or_else(|_| Err(Error::new("the thread in the container's namespace has died")))
    });
    joined.map_err(|error| error.field("/linux/netDevices"))
}

impl Moved {
    fn take_all(&mut self, linux: &Linux) -> Result<()> {
        for (pointer, key, device) in wanted(linux) {
            self.must_be_free(key, device, &pointer)?;
        }
        for (pointer, key, device) in wanted(linux) {
            self.take(key, device, &pointer).map_err(|error| error.field(pointer))?;
        }
        for i in 0..self.devices.len() {
            self.furnish(i).map_err(|error| error.field(self.devices[i].pointer.clone()))?;
        }
        Ok(())
    }

    /// The specification wants a name that is taken to be an error; the kernel reports it only after the move.
    fn must_be_free(&mut self, key: &str, wanted: &NetDevice, pointer: &str) -> Result<()> {
        let (name, pointer) = match wanted.name.as_deref() {
            Some(name) if name.ends_with("%d") => return Ok(()),
            Some(name) if !name.is_empty() => (name, format!("{pointer}/name")),
            _ => (key, pointer.to_owned()),
        };
        match self.inside.socket.link(name).to("look into the container's network namespace")? {
            Some(_) => Err(taken().field(pointer).value(name)),
            None => Ok(()),
        }
    }

    /// First round: out of the host, under a name that is free.
    fn take(&mut self, key: &str, wanted: &NetDevice, pointer: &str) -> Result<()> {
        let link = find(&mut self.host, key)?;
        let name = wanted.name.as_deref().filter(|name| !name.is_empty());
        let name = name.unwrap_or(&link.name).to_owned();
        let mut addresses = self.host.addresses(link.index).to("read the device's addresses")?;
        addresses.retain(stays);
        let passage = passage(self.devices.len());
        let result = self.host.move_link(link.index, self.inside.namespace.as_fd(), &passage);
        // Where only the new name was refused, the device is over there under its old one.
        let arrived = match &result {
            Ok(()) => self.inside.socket.link(&passage),
            Err(_) if matches!(self.host.link(&link.name), Ok(None)) => self.inside.socket.link(&link.name),
            Err(_) => Ok(None),
        };
        let arrived = arrived.to("find the device in the container");
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
        result.to("move the device into the container")?;
        match arrived? {
            Some(_) => Ok(()),
            None => Err(Error::new("the device has left the container's network namespace at once")),
        }
    }

    /// Second round: its name, its addresses, up.
    fn furnish(&mut self, i: usize) -> Result<()> {
        let device = &self.devices[i];
        let renamed = self.inside.socket.rename(device.index, &device.name);
        renamed.map_err(|e| match e.errno {
            Errno(libc::EEXIST) => taken().value(&device.name),
            _ => refused(e, "name the device").value(&device.name),
        })?;
        settle(&mut self.inside.socket, device.index, &device.addresses, (&device.home_name, &device.name))
            .to("give the device its addresses in the container")?;
        self.inside.socket.set_up(device.index).to("set the device up in the container")
    }

    /// Returns every device as it was, where no process can have put another in its place.
    pub fn give_back(mut self, warn: &dyn Fn(Error)) {
        let devices = std::mem::take(&mut self.devices);
        for (i, device) in devices.iter().enumerate().rev() {
            let Device { home_name, name, .. } = device;
            if self.company == Company::Shared {
                warn(Error::new(format!(
                    "the network device {home_name} (there: {name}) stays in the network namespace that the container \
                     was to join: processes that are there could have put another device in its place"
                )));
            } else if let Err(error) = self.return_one(device, i) {
                warn(error.doing(format!("the network device {home_name} could not be put back as it was")));
            }
        }
    }

    fn return_one(&mut self, device: &Device, i: usize) -> Result<()> {
        if self.departures(device)? != 0 {
            return Err(replaced());
        }
        let passage = passage(i);
        self.inside.socket.move_link(device.index, self.home.as_fd(), &passage).to("move it to the host")?;
        let found = self.host.link(&passage).to("find it on the host")?;
        let link = found.ok_or_else(|| Error::new("it is not on the host"))?;
        // The one that left just now has to be the only one that ever did under this number.
        if !matches!(self.departures(device), Ok(1)) {
            let away = self.host.move_link(link.index, self.inside.namespace.as_fd(), &passage);
            away.to("move what came in its place away from the host")?;
            return Err(replaced());
        }
        self.host.rename(link.index, &device.home_name).to("give it its name")?;
        settle(&mut self.host, link.index, &device.addresses, (&device.home_name, &device.home_name))
            .to("give it its addresses")?;
        if device.was_up { self.host.set_up(link.index).to("set it up") } else { Ok(()) }
    }

    /// How often a device with this one's number has left the container's namespace.
    fn departures(&mut self, device: &Device) -> Result<usize> {
        let heard = self.inside.departures.of(device.index);
        heard.map_err(|e| e.because("hear which devices have left the container's network namespace"))
    }
}

fn replaced() -> Error {
    Error::new("it has left the container's network namespace, and another device may have its number there")
}

/// A name that no other device has, nor one of another thread; 15 characters hold the highest number of a thread and the
/// highest number of an entry that any config has.
fn passage(entry: usize) -> String {
    format!("rr{}-{entry}", nix::unistd::gettid())
}

fn taken() -> Error {
    Error::new("the container's network namespace has a device of this name already")
        .kind(Kind::Config)
        .remedy("give another \"name\"; one that ends in %d lets the kernel choose a number")
}

/// What was asked of the kernel, for an error.
trait To<T> {
    fn to(self, doing: &'static str) -> Result<T>;
}

impl<T> To<T> for NetResult<T> {
    fn to(self, doing: &'static str) -> Result<T> {
        self.map_err(|e| refused(e, doing))
    }
}

/// A request that the kernel has refused, in its own words if it has any.
fn refused(refused: Refused, doing: &'static str) -> Error {
    let Refused { errno, words } = refused;
    let error = if words.is_empty() { errno.because(doing) } else { errno.because(words).doing(doing) };
    match errno.0 {
        libc::EPERM => error.remedy("this needs CAP_NET_ADMIN over both network namespaces"),
        libc::EINVAL => error.remedy("some kinds of devices belong to their namespace, and cannot be moved"),
        libc::EEXIST => error.remedy("another device has the name, or an alternative name, of this one"),
        libc::EBUSY => error.remedy("something on the host uses the device"),
        _ => error,
    }
}
