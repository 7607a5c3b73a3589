//! The mounts of a rootfs that containerd asks for, in the bundle's directory `rootfs`: a snapshot, as a rule an overlay.

use crate::error::{Error, Result};
use crate::names::{Atime, Effect, mount_option};
use crate::shim::containerd::mapped;
use crate::shim::containerd::protocol::messages::Mount;
use crate::sys::{Errno, c, file};
use nix::mount::{MntFlags, MsFlags, umount2};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

/// What mount(2) takes of options for a file system.
const DATA: usize = 4095;
/// The option that names the layers of an overlay.
const LAYERS: &str = "lowerdir=";

/// All of them, in their order; of several that fail none is left.
pub fn mount(mounts: &[Mount], rootfs: &Path) -> Result<()> {
    for (number, wanted) in mounts.iter().enumerate() {
        if let Err(error) = mount_one(wanted, rootfs) {
            // The error that led here is the one to report.
            let _ = unmount(rootfs);
            let doing = format!("mount the rootfs ({} of {})", number + 1, mounts.len());
            return Err(error.doing(doing).value(&wanted.source));
        }
    }
    Ok(())
}

fn mount_one(wanted: &Mount, rootfs: &Path) -> Result<()> {
    let target = match wanted.target.trim_start_matches('/') {
        "" => rootfs.to_owned(),
        below => rootfs.join(below),
    };
    let (mut flags, mut data) = (MsFlags::empty(), Vec::new());
    let is_of_owners = |option: &String| option.starts_with("uidmap=") || option.starts_with("gidmap=");
    for option in wanted.options.iter().filter(|option| !is_of_owners(option)) {
        match flag(option) {
            Some((set, clear)) => flags = (flags - clear) | set,
            None => data.push(option.clone()),
        }
    }
    if matches!(&*wanted.kind, "bind" | "rbind") && !flags.contains(MsFlags::MS_BIND) {
        flags |= MsFlags::MS_BIND;
    }
    let call = |target: &Path, flags: MsFlags, data: &str| {
        if data.len() > DATA {
            return Err(Error::new("its options are longer than the kernel takes").value(data.len()));
        }
        nix::mount::mount(Some(&*wanted.source), target, Some(&*wanted.kind), flags, Some(data))
            .map_err(|e| Errno::from(e).because(format!("mount {} on {}", wanted.kind, target.display())))
    };
    let owners = mapped::owners(&wanted.options)?;
    let owners = owners.as_ref().map(AsFd::as_fd);
    let layers = data.iter().position(|option| option.starts_with(LAYERS));
    if let (Some(owners), "overlay", Some(layers)) = (owners, &*wanted.kind, layers) {
        let layers = data.remove(layers);
        return mapped::overlay(&layers[LAYERS.len()..], &target, owners, |target, layers| {
            data.push(format!("{LAYERS}{layers}"));
            call(target, flags, &data.join(","))
        });
    }
    let opened = shorten(&mut data)?;
    let bind = flags.contains(MsFlags::MS_BIND);
    call(&target, if bind { flags & (MsFlags::MS_BIND | MsFlags::MS_REC) } else { flags }, &data.join(","))?;
    drop(opened);
    // A bind takes other flags only when it is there.
    if bind && !(flags - (MsFlags::MS_BIND | MsFlags::MS_REC)).is_empty() {
        call(&target, flags | MsFlags::MS_REMOUNT, "")?;
    }
    owners.map_or(Ok(()), |owners| mapped::map(&target, owners, flags.contains(MsFlags::MS_REC)))
}

/// What an option that is no data sets and clears.
fn flag(option: &str) -> Option<(MsFlags, MsFlags)> {
    let (none, atime) =
        (MsFlags::empty(), MsFlags::MS_NOATIME | MsFlags::MS_RELATIME | MsFlags::MS_STRICTATIME);
    let attribute = |bits: u64| match bits {
        libc::MOUNT_ATTR_RDONLY => MsFlags::MS_RDONLY,
        libc::MOUNT_ATTR_NOSUID => MsFlags::MS_NOSUID,
        libc::MOUNT_ATTR_NODEV => MsFlags::MS_NODEV,
        libc::MOUNT_ATTR_NOEXEC => MsFlags::MS_NOEXEC,
        libc::MOUNT_ATTR_NODIRATIME => MsFlags::MS_NODIRATIME,
        _ => MsFlags::empty(),
    };
    Some(match mount_option(option)? {
        Effect::Set(bits) => (attribute(bits), none),
        Effect::Clear(bits) => (none, attribute(bits)),
        Effect::Bind { recursive: false } => (MsFlags::MS_BIND, none),
        Effect::Bind { recursive: true } => (MsFlags::MS_BIND | MsFlags::MS_REC, none),
        Effect::Atime(Atime::Never) => (MsFlags::MS_NOATIME, atime),
        Effect::Atime(Atime::Relative) => (MsFlags::MS_RELATIME, atime),
        Effect::Atime(Atime::Strict) => (MsFlags::MS_STRICTATIME, atime),
        Effect::NotAtime(_) | Effect::Ignored => (none, none),
        Effect::Superblock("sync") => (MsFlags::MS_SYNCHRONOUS, none),
        Effect::Superblock("dirsync") => (MsFlags::MS_DIRSYNC, none),
        _ => return None,
    })
}

/// The layers of an image with many of them are a list of paths that is longer than a page: each is opened, and named by the
/// number of its descriptor. Those have to stay open for the mount.
fn shorten(data: &mut [String]) -> Result<Vec<OwnedFd>> {
    let mut opened = Vec::new();
    if data.iter().map(|option| option.len() + 1).sum::<usize>() <= DATA {
        return Ok(opened);
    }
    for option in data.iter_mut() {
        let Some(layers) = option.strip_prefix(LAYERS) else { continue };
        let mut short = Vec::new();
        for layer in layers.split(':') {
            let flags = libc::O_PATH | libc::O_DIRECTORY;
            let fd = c(layer).and_then(|path| file::openat2(file::cwd(), &path, flags, 0, 0));
            let fd = fd.map_err(|e| e.because(format!("open the layer {layer}")))?;
            short.push(format!("/proc/self/fd/{}", fd.as_raw_fd()));
            opened.push(fd);
        }
        *option = format!("{LAYERS}{}", short.join(":"));
    }
    Ok(opened)
}

/// What is mounted there, all of it. Nothing is no error, nor is that the directory is gone.
pub fn unmount(rootfs: &Path) -> Result<()> {
    loop {
        match umount2(rootfs, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
            Ok(()) => {}
            Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOENT) => return Ok(()),
            Err(e) => return Err(Errno::from(e).because(format!("unmount {}", rootfs.display()))),
        }
    }
}
