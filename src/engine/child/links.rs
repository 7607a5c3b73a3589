//! Where a link of the image, or of a running container, has led the destination of a mount.
//!
//! Below the root a link leads wherever it likes: into a proc, whose files programs trust, or onto a mount that the host
//! has too, where what is mounted shows on the host (a volume of a config whose rootfsPropagation is shared). init asks
//! before it makes or mounts anything behind a link; the answer is about the descriptor on which it then works.

use crate::engine::child::init::Init;
use crate::error::{Error, Kind, Result};
use crate::host::mountinfo::{self, unescape};
use crate::names;
use crate::names::namespaces::MOUNT;
use crate::plan::script::c;
use crate::spec::destination::absolute;
use crate::spec::{Mount, Spec};
use crate::sys::{file, process};
use nix::sys::statfs::{PROC_SUPER_MAGIC, SYSFS_MAGIC, fstatfs};
use std::os::fd::{AsFd, BorrowedFd};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// To a mount that is the container's own, or one that the words name.
    Nowhere,
    /// Into a proc or a sysfs.
    Kernel,
    /// Onto a mount in which the host sees what is mounted.
    Host,
}

/// What is mounted by name: the config's mounts, and those that are added.
pub struct Named<'a> {
    pub mounts: Vec<&'a Mount<'a>>,
    /// Some may be peers of the host's.
    pub shared: bool,
}

impl<'a> Named<'a> {
    pub fn of(spec: &'a Spec<'a>, more: &'a [Mount<'a>], joined: u64) -> Named<'a> {
        let linux = spec.linux.as_ref();
        let mode =
            linux.and_then(|linux| linux.rootfs_propagation.as_deref()).and_then(names::propagation_mode);
        let shared = mode.is_some_and(|(flag, _)| flag == libc::MS_SHARED) || joined & MOUNT != 0;
        Named { mounts: spec.mounts.iter().chain(more).collect(), shared }
    }

    /// The mount below whose place these words are.
    fn entry(&self, words: &str) -> Option<&'a Mount<'a>> {
        let above = |mount: &&&Mount| {
            let place = absolute(&mount.destination);
            place != words && is_below(words, &place)
        };
        let on_the_way = self.mounts.iter().filter(above);
        on_the_way.max_by_key(|mount| absolute(&mount.destination).len()).copied()
    }
}

fn is_below(path: &str, above: &str) -> bool {
    above == "/" || path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `found` is where a link on the way of `words` has led `init`.
pub fn judge(init: &Init, found: BorrowedFd, words: &str, named: &Named) -> Result<Leads> {
    let entry = named.entry(words);
    let system = fstatfs(found).map_err(|e| Error::os("fstatfs", e as i32))?.filesystem_type();
    let kernel = [("proc", PROC_SUPER_MAGIC), ("sysfs", SYSFS_MAGIC)];
    if let Some((kind, _)) = kernel.iter().find(|(_, magic)| *magic == system) {
        let own = entry.is_some_and(|entry| entry.kind.as_deref() == Some(kind));
        return Ok(if own { Leads::Nowhere } else { Leads::Kernel });
    }
    if !named.shared {
        return Ok(Leads::Nowhere);
    }
    let number = mountinfo::id_of(found)?;
    let table = mountinfo::table(init.process().pid)?;
    let line = table.lines().map(Line::of).find(|line| line.number == number);
    // What is not in the table that init sees is nobody's any more.
    let Some(line) = line else { return Ok(Leads::Nowhere) };
    let Some(group) = line.group("shared:") else { return Ok(Leads::Nowhere) };
    if entry.is_some_and(|entry| is_below(&unescape(line.point), &absolute(&entry.destination))) {
        return Ok(Leads::Nowhere);
    }
    let own = mountinfo::table("self")?;
    let receives = |line: Line| line.group("shared:") == Some(group) || line.group("master:") == Some(group);
    Ok(if own.lines().map(Line::of).any(receives) { Leads::Host } else { Leads::Nowhere })
}

/// The first link on the way of `words` below init's root, which is its descriptor `root`: for a message.
pub fn first_link(init: &Init, root: i32, words: &str) -> Option<String> {
    let root = process::pidfd_getfd(init.process().pidfd.as_fd(), root).ok()?;
    let ends = words.match_indices('/').map(|(at, _)| at).skip(1).chain([words.len()]);
    let mut prefixes = ends.map(|end| &words[..end]);
    let scope = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_SYMLINKS;
    let flags = libc::O_PATH | libc::O_NOFOLLOW;
    let is_link = |path: &&str| {
        file::openat2(root.as_fd(), &c(path), flags, 0, scope)
            .and_then(|found| file::kind(found.as_fd()))
            .is_ok_and(|kind| kind == libc::S_IFLNK)
    };
    prefixes.find(is_link).map(str::to_owned)
}

pub fn into_kernel(link: &str) -> Error {
    Error::new(format!("the link {link} leads into a proc or sysfs"))
        .kind(Kind::Config)
        .remedy("name the place itself, or take the link away")
}

pub fn to_the_host(link: &str) -> Error {
    Error::new(format!("the link {link} leads onto a mount that is shared with the host"))
        .kind(Kind::Config)
        .remedy("name the place itself: then it is meant to show on the host")
}

/// One line of mountinfo(5), as far as it counts here.
struct Line<'t> {
    number: u64,
    point: &'t str,
    groups: &'t str,
}

impl<'t> Line<'t> {
    fn of(line: &'t str) -> Line<'t> {
        let left = line.split(" - ").next().unwrap_or_default();
        let mut words = left.splitn(7, ' ');
        let number = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        Line { number, point: words.nth(3).unwrap_or_default(), groups: words.nth(1).unwrap_or_default() }
    }

    fn group(&self, name: &str) -> Option<&'t str> {
        self.groups.split(' ').find_map(|word| word.strip_prefix(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_mount_its_place_and_its_groups() {
        let line = Line::of(r"36 35 98:0 /mnt1 /mnt\0402 rw,noatime shared:7 master:1 - ext3 /dev/root rw");
        assert_eq!((line.number, &*unescape(line.point)), (36, "/mnt 2"));
        assert_eq!((line.group("shared:"), line.group("master:")), (Some("7"), Some("1")));
        let line = Line::of("36 35 98:0 / / rw - tmpfs x rw");
        assert_eq!((line.point, line.group("shared:")), ("/", None));
    }

    #[test]
    fn words_are_below_the_place_that_they_go_through() {
        for (path, above, expected) in [
            ("/a/b", "/a", true),
            ("/a", "/a", true),
            ("/ab", "/a", false),
            ("/a", "/", true),
            ("/", "/a", false),
        ] {
            assert_eq!(is_below(path, above), expected, "{path} {above}");
        }
    }
}
