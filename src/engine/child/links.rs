//! Where a link of the image, or of a running container, has led the destination of a mount.
//!
//! Below the root a link can lead anywhere: into a proc, whose files programs trust, or onto a mount that the host
//! has too, where what is mounted shows on the host (a volume of a config whose rootfsPropagation is shared). init asks
//! before it makes or mounts anything behind a link; the answer is about the descriptor on which it then works.

use crate::engine::child::{init::Init, message::Followed};
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

/// What is mounted by name: the config's mounts, and those that are added.
pub struct KnownMounts<'a> {
    pub mounts: Vec<&'a Mount<'a>>,
    /// Some may be peers of the host's.
    pub shared: bool,
}

impl<'a> KnownMounts<'a> {
    pub fn of(spec: &'a Spec<'a>, more: &'a [Mount<'a>], joined: u64) -> KnownMounts<'a> {
        let linux = spec.linux.as_ref();
        let mode =
            linux.and_then(|linux| linux.rootfs_propagation.as_deref()).and_then(names::propagation_mode);
        let shared = mode.is_some_and(|(flag, _)| flag == libc::MS_SHARED) || joined & MOUNT != 0;
        KnownMounts { mounts: spec.mounts.iter().chain(more).collect(), shared }
    }

    /// The mount that these words go through.
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

/// Where a link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leads {
    /// To a mount that is the container's own, or one that the words name.
    Nowhere,
    /// Into a proc or a sysfs.
    Kernel,
    /// Onto a mount in which the host sees what is mounted.
    Host,
}

/// Looks where a link on the way of `words`, which are in this field, has led init. Into a proc or a sysfs is an error;
/// onto a mount that the host sees is for the caller to judge, who gets the link's name.
pub fn look(
    init: &Init,
    link: &Followed,
    words: &str,
    field: &str,
    named: &KnownMounts,
) -> Result<Option<String>> {
    let name = || first_link(init, link.root, words).unwrap_or_else(|| words.to_owned());
    match judge(init, link.found.as_fd(), words, named)? {
        Leads::Nowhere => Ok(None),
        Leads::Kernel => Err(Error::new(format!("the link {} leads into a proc or sysfs", name()))
            .kind(Kind::Config)
            .field(field)
            .value(words)
            .remedy("name the place itself, or take the link away")),
        Leads::Host => Ok(Some(name())),
    }
}

fn judge(init: &Init, found: BorrowedFd, words: &str, named: &KnownMounts) -> Result<Leads> {
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
    // A mount that is not in init's table is gone.
    let line = mountinfo::lines(&table).find(|line| line.id == number);
    let Some((line, group)) = line.and_then(|line| Some((line, line.group("shared:")?))) else {
        return Ok(Leads::Nowhere);
    };
    if entry.is_some_and(|entry| is_below(&unescape(line.point), &absolute(&entry.destination))) {
        return Ok(Leads::Nowhere);
    }
    let own = mountinfo::table("self")?;
    let receives =
        |line: mountinfo::Line| ["shared:", "master:"].iter().any(|of| line.group(of) == Some(group));
    Ok(if mountinfo::lines(&own).any(receives) { Leads::Host } else { Leads::Nowhere })
}

/// The first link on the way of `words` below init's root, which is its descriptor `root`: for a message.
fn first_link(init: &Init, root: i32, words: &str) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
