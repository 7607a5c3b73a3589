//! A rootfs whose owners are mapped, for a container in a user namespace: containerd's options `uidmap=` and `gidmap=`.
//!
//! An overlay has no maps of its own, its layers have: each is copied, and the copy mapped. Such copies have to be
//! mounted somewhere when the overlay is made (Linux takes detached ones since 6.15), and nowhere afterwards. So a thread
//! makes it in a mount namespace of its own, which ends with the thread, whatever happens to the shim.

use crate::engine::Watch;
use crate::engine::child::idmaps;
use crate::error::{Error, Result};
use crate::spec::IdMapping;
use crate::sys::{Errno, c, file, mount};
use nix::mount::{MntFlags, MsFlags, umount2};
use nix::sched::{CloneFlags, unshare};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::thread;

/// The user namespace whose maps these options ask for.
pub fn owners(options: &[String]) -> Result<Option<OwnedFd>> {
    let maps = |name: &str| {
        let option = options.iter().rev().find(|option| option.starts_with(name));
        option.map(|option| ranges(&option[name.len()..]).map_err(|e| e.value(option))).transpose()
    };
    match (maps("uidmap=")?, maps("gidmap=")?) {
        (None, None) => Ok(None),
        (Some(uids), Some(gids)) => {
            idmaps::namespace(&uids, &gids, &Rc::new(Watch::none().waits())).map(Some)
        }
        _ => Err(Error::new("of uidmap= and gidmap= it has one; owners are mapped by both")),
    }
}

/// `CONTAINER:HOST:SIZE,…`
fn ranges(text: &str) -> Result<Vec<IdMapping>> {
    let range = |range: &str| {
        let mut numbers = range.split(':').map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        let range = IdMapping { container_id: next()?, host_id: next()?, size: next()? };
        numbers.next().is_none().then_some(range)
    };
    text.split(',')
        .map(|text| range(text).ok_or_else(|| Error::new("a map is no list of CONTAINER:HOST:SIZE")))
        .collect()
}

/// A copy of what is mounted at `path`, with mapped owners.
fn copy(path: &Path, owners: BorrowedFd, recursive: bool) -> Result<OwnedFd> {
    let deep = if recursive { libc::AT_RECURSIVE } else { 0 };
    let copy = c(path).and_then(|path| mount::clone_tree(file::cwd(), &path, deep));
    let copy = copy.map_err(|e| e.because(format!("copy the mount of {}", path.display())))?;
    mount::map_owners(copy.as_fd(), owners, recursive).map_err(|e| {
        e.because(format!("map the owners of {}", path.display())).remedy(
            "the kernel (Linux 5.12, 5.19 for the layers of an overlay) and the file system must be able to map owners",
        )
    })?;
    Ok(copy)
}

fn attach(mount: BorrowedFd, path: &Path) -> Result<()> {
    c(path)
        .and_then(|path| mount::attach(mount, &path))
        .map_err(|e| e.because(format!("attach a mount to {}", path.display())))
}

/// Maps the owners of what was mounted there.
pub fn map(target: &Path, owners: BorrowedFd, recursive: bool) -> Result<()> {
    let copy = copy(target, owners, recursive)?;
    umount2(target, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW)
        .map_err(|e| Errno::from(e).because(format!("unmount {}", target.display())))?;
    attach(copy.as_fd(), target)
}

/// Mounts an overlay of these layers on `target`. `overlay` makes it, with a target and layers whose names are for the
/// working directory of the thread that calls it.
pub fn overlay(
    layers: &str,
    target: &Path,
    owners: BorrowedFd,
    overlay: impl FnOnce(&Path, &str) -> Result<()> + Send,
) -> Result<()> {
    let copies = layers.split(':').map(|layer| copy(Path::new(layer), owners, false));
    let copies: Vec<OwnedFd> = copies.collect::<Result<_>>()?;
    let made = thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, || apart(&copies, target, overlay));
        let thread = thread.map_err(|e| Error::io("start a thread", &e))?;
        thread.join().unwrap_or_else(|_| Err(Error::new("the thread that makes the overlay has ended")))
    })?;
    attach(made.as_fd(), target)
}

/// In a thread of its own: its mounts and its working directory are no other's.
fn apart(
    copies: &[OwnedFd],
    place: &Path,
    overlay: impl FnOnce(&Path, &str) -> Result<()>,
) -> Result<OwnedFd> {
    let failed = |doing: &'static str| move |e: nix::errno::Errno| Errno::from(e).because(doing);
    unshare(CloneFlags::CLONE_NEWNS).map_err(failed("unshare the mount namespace"))?;
    // What is mounted here reaches no other namespace.
    nix::mount::mount(None::<&str>, "/", None::<&str>, MsFlags::MS_SLAVE | MsFlags::MS_REC, None::<&str>)
        .map_err(failed("make the mounts of a thread its own"))?;
    let room = mount::detached_tmpfs().map_err(|e| e.because("mount a tmpfs"))?;
    attach(room.as_fd(), place)?;
    nix::unistd::chdir(place).map_err(failed("chdir"))?;
    let mut names = Vec::new();
    for (number, copy) in copies.iter().enumerate() {
        let name = number.to_string();
        fs::create_dir(&name).map_err(|e| Error::io("make a directory for a layer", &e))?;
        attach(copy.as_fd(), Path::new(&name))?;
        names.push(name);
    }
    let made = Path::new("made");
    fs::create_dir(made).map_err(|e| Error::io("make a directory for an overlay", &e))?;
    overlay(made, &names.join(":"))?;
    mount::clone_tree(file::cwd(), c"made", 0).map_err(|e| e.because("copy the mount of an overlay"))
}
