//! Whether a container is frozen, asked cheaply. Opening a cgroup as `tree` does takes five calls before the first
//! question; here it is the mount, the group, and the one file that tells, below it and without following links.

use super::held::{enter, is_the_same};
use super::walk::{DIRECTORY, INSIDE, c};
use crate::cgroup::location::{Leg, Location, Version};
use crate::sys::{SysResult, file};
use std::os::fd::AsFd;

/// True if the container's cgroup is frozen or is being frozen. One that cannot be read has no say.
pub fn is_frozen(location: &Location) -> bool {
    let legs = &location.legs;
    let leg = legs.iter().find(|leg| leg.has("freezer"));
    let leg = leg.or_else(|| legs.iter().find(|leg| leg.version == Version::V2));
    leg.is_some_and(|leg| ask(leg).unwrap_or(false))
}

fn ask(leg: &Leg) -> SysResult<bool> {
    let name = match leg.version {
        Version::V1 => c"freezer.state",
        Version::V2 => c"cgroup.freeze",
    };
    let mut word = [0; 16];
    // A record of another user may lead to a pipe.
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    let group = file::openat2(enter(leg)?.as_fd(), &c(&leg.path)?, DIRECTORY, 0, INSIDE)?;
    is_the_same(leg, group.as_fd())?;
    let opened = file::openat2(group.as_fd(), name, flags, 0, INSIDE)?;
    let length = file::read(opened.as_fd(), &mut word)?;
    Ok(!matches!(word[..length].trim_ascii(), b"THAWED" | b"0"))
}
