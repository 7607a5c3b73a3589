//! Device nodes and links of /dev (config-linux.md, Devices and Default Devices).
//!
//! Where the process may make nodes it makes them; in a user namespace the kernel forbids that, and the host's
//! own nodes are bound instead.

use super::opens::{Copier, Open, Opens};
use super::script::{Field, Script, c};
use crate::error::{Error, Kind, Result};
use crate::spec::destination::absolute;
use crate::spec::validate::is_bind;
use crate::spec::{Device, Spec};
use crate::wire::{self, Attributes, Bind, Links, Step};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Made in every container: path, major, minor.
pub const DEFAULT_DEVICES: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// Made in every container: path, what it points to.
const DEFAULT_LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
];

/// Made where the kernel has what it points to, which most configs mask.
const CORE: (&str, &str) = ("/dev/core", "/proc/kcore");

/// How nodes come into being.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Nodes {
    Make,
    /// Bound from the host.
    Bind(Copier),
}

/// Pushes the steps that fill /dev; nothing if /dev comes from the host as it is.
pub fn push<'a>(
    spec: &'a Spec<'a>,
    nodes: Nodes,
    has_core: bool,
    script: &mut Script,
    opens: &mut Opens<'a>,
) -> Result<()> {
    if dev_is_bound(spec) {
        return Ok(());
    }
    let listed = &spec.linux().devices;
    for (path, major, minor) in DEFAULT_DEVICES {
        if listed.iter().any(|device| absolute(&device.path) == path) {
            continue;
        }
        let node = Node {
            path: Cow::Borrowed(path),
            mode: libc::S_IFCHR | 0o666,
            number: libc::makedev(major, minor),
            uid: 0,
            gid: 0,
            field: Field::None,
        };
        node.push(nodes, script, opens);
    }
    let mut seen = BTreeSet::new();
    for (i, device) in listed.iter().enumerate() {
        let path = absolute(&device.path);
        // Of two the first stays; and that of terminals is the container's own, not a node.
        if path != "/dev/ptmx" && seen.insert(path) {
            node(device, i)?.push(nodes, script, opens);
        }
    }
    for (path, to) in DEFAULT_LINKS.into_iter().chain(has_core.then_some(CORE)) {
        script.push(Field::None, Step::Symlink { to: &c(to), path: &c(path) });
    }
    Ok(())
}

/// The image's user wants the host's /dev: it is not ours to fill.
pub fn dev_is_bound(spec: &Spec) -> bool {
    spec.mounts.iter().any(|mount| absolute(&mount.destination) == "/dev" && is_bind(mount))
}

struct Node<'a> {
    path: Cow<'a, str>,
    mode: u32,
    number: u64,
    uid: u32,
    gid: u32,
    field: Field,
}

fn node<'a>(device: &'a Device<'a>, index: usize) -> Result<Node<'a>> {
    let field = Field::Device(index);
    let kind = match &*device.kind {
        "c" | "u" => libc::S_IFCHR,
        "b" => libc::S_IFBLK,
        "p" => libc::S_IFIFO,
        other => {
            return Err(Error::new("a device's type is c, u, b or p")
                .kind(Kind::Config)
                .field(format!("/linux/devices/{index}/type"))
                .value(other));
        }
    };
    // A path with `..` is for the kernel to find: links may be on the way.
    let path = if device.path.contains("..") { Cow::Borrowed(&*device.path) } else { absolute(&device.path) };
    let owner = |id: Option<u32>| id.filter(|id| *id != u32::MAX).unwrap_or(0);
    let number = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    Ok(Node {
        path,
        mode: kind | device.file_mode.unwrap_or(0o666) & 0o777,
        number: libc::makedev(number(device.major), number(device.minor)),
        uid: owner(device.uid),
        gid: owner(device.gid),
        field,
    })
}

impl<'a> Node<'a> {
    fn push(self, nodes: Nodes, script: &mut Script, opens: &mut Opens<'a>) {
        let target = c(&self.path);
        let fifo = self.mode & libc::S_IFMT == libc::S_IFIFO;
        match nodes {
            Nodes::Bind(copier) if !fifo => {
                let source = if copier == Copier::Late { c(&self.path) } else { c("") };
                let open = Open::Device { path: self.path, number: self.number, copier, field: self.field };
                let bind = Step::Bind(Bind {
                    tree: opens.add(open),
                    source: &source,
                    flags: 0,
                    target: &target,
                    links: Links::FOLLOW,
                    // Of the caller's own user namespace it would be a peer: what is mounted on it would show there.
                    attributes: Attributes {
                        set: libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC,
                        propagation: libc::MS_PRIVATE,
                        ..Attributes::NONE
                    },
                    recursive_attributes: Attributes::NONE,
                });
                script.push(self.field, bind);
            }
            _ => {
                let Node { mode, number, uid, gid, .. } = self;
                let number = if fifo { 0 } else { number };
                script.push(self.field, Step::Device(wire::Device { path: &target, mode, number, uid, gid }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dev_of_the_host_is_known_however_its_place_is_written() {
        for (destination, bound) in [("/dev", true), ("dev", true), ("//dev/.", true), ("/dev/shm", false)] {
            let mount = crate::spec::Mount {
                destination: destination.into(),
                kind: Some("bind".into()),
                ..Default::default()
            };
            assert_eq!(
                dev_is_bound(&Spec { mounts: vec![mount], ..Spec::default() }),
                bound,
                "{destination}"
            );
        }
    }
}
