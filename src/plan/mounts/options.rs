//! The options of one mount, sorted by what they do: attributes of the mount, of the tree below it, flags and data of
//! the file system, links, owners (config-linux.md, mount options; crun.1).

use crate::error::Result;
use crate::names::{Atime, Effect, mount_option};
use crate::spec::Mount;
use crate::spec::idmap::{self, OptionMap};
use crate::wire::{Attributes, Links};
use std::borrow::Cow;

/// A mount's options, sorted by what they do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Flags<'a> {
    pub set: u64,
    pub clear: u64,
    pub recursive_set: u64,
    pub recursive_clear: u64,
    /// The flag, and whether it goes to the mounts below as well.
    pub propagation: Option<(u64, bool)>,
    /// A bind, and whether it takes the mounts below along.
    pub bind: Option<bool>,
    /// An access time mode is asked for.
    pub atime: bool,
    pub remount: bool,
    pub copy_up: bool,
    /// Owners are mapped, and whether those of the mounts below are.
    pub idmap: Option<bool>,
    /// What stands behind `idmap=`.
    pub own_map: OptionMap,
    pub links: Links,
    /// For the file system: `key=value` or `flag`.
    pub data: Vec<Cow<'a, str>>,
}

impl<'a> Flags<'a> {
    pub fn of(mount: &'a Mount<'a>, index: usize) -> Result<Flags<'a>> {
        let mut flags = Flags::default();
        for (i, option) in mount.options.iter().enumerate() {
            match mount_option(option) {
                None if option.is_empty() => {}
                None => flags.data.push(Cow::Borrowed(option)),
                Some(effect) => flags
                    .apply(effect, option)
                    .map_err(|e| e.field(format!("/mounts/{index}/options/{i}")).value(option))?,
            }
        }
        if matches!(mount.kind.as_deref(), Some("bind" | "rbind")) && flags.bind.is_none() {
            flags.bind = Some(mount.kind.as_deref() == Some("rbind"));
        }
        if flags.bind.is_none() {
            flags.links = Links::FOLLOW;
        }
        Ok(flags)
    }

    fn apply(&mut self, effect: Effect, option: &str) -> Result<()> {
        match effect {
            Effect::Set(bits) => self.change(bits, 0),
            Effect::Clear(bits) => self.change(0, bits),
            Effect::Atime(mode) => {
                self.atime = true;
                self.change(mode.bits(), libc::MOUNT_ATTR__ATIME);
            }
            Effect::NotAtime(mode) => {
                self.atime = false;
                if self.set & libc::MOUNT_ATTR__ATIME == mode.bits()
                    || self.clear & libc::MOUNT_ATTR__ATIME == 0
                {
                    let other = if mode == Atime::Relative { Atime::Strict } else { Atime::Relative };
                    self.change(other.bits(), libc::MOUNT_ATTR__ATIME);
                }
            }
            Effect::RecSet(bits) => {
                self.recursive_set |= bits;
                self.recursive_clear &= !bits;
            }
            Effect::RecClear(bits) => {
                self.recursive_set &= !bits;
                self.recursive_clear |= bits;
            }
            Effect::RecAtime(mode) => {
                self.recursive_set = self.recursive_set & !libc::MOUNT_ATTR__ATIME | mode.bits();
                self.recursive_clear |= libc::MOUNT_ATTR__ATIME;
            }
            Effect::Superblock(flag) | Effect::RecSuperblock(flag) => self.data.push(Cow::Borrowed(flag)),
            Effect::Propagation { flag, recursive } => self.propagation = Some((flag, recursive)),
            // Recursive wins, whichever comes first.
            Effect::Bind { recursive } => self.bind = Some(recursive || self.bind == Some(true)),
            Effect::Remount => self.remount = true,
            Effect::IdMap { recursive } => {
                self.idmap = Some(recursive);
                if let Some((_, map)) = option.split_once('=') {
                    self.own_map = idmap::parse(map)?;
                }
            }
            Effect::Links(bits) => self.links = self.links.with(bits),
            Effect::TmpCopyUp => self.copy_up = true,
            Effect::Ignored => {}
        }
        Ok(())
    }

    /// Of two options that contradict each other the later wins.
    fn change(&mut self, set: u64, clear: u64) {
        self.set = self.set & !clear | set;
        self.clear = self.clear & !set | clear;
    }

    pub fn attributes(&self) -> Attributes {
        Attributes {
            set: self.set,
            clear: self.clear & !(self.set & !libc::MOUNT_ATTR__ATIME),
            propagation: 0,
        }
    }

    /// A bind that asks for any flag has no others: those of its source are cleared, which is as runc and the specification
    /// have it, and not as mount(8). An access time mode stays unless another is asked for.
    pub fn replacing(&self) -> Attributes {
        const FLAGS: u64 = libc::MOUNT_ATTR_RDONLY
            | libc::MOUNT_ATTR_NOSUID
            | libc::MOUNT_ATTR_NODEV
            | libc::MOUNT_ATTR_NOEXEC
            | libc::MOUNT_ATTR_NOSYMFOLLOW;
        const ATIMES: u64 = libc::MOUNT_ATTR__ATIME | libc::MOUNT_ATTR_NODIRATIME;
        if self.set | self.clear == 0 {
            return Attributes::NONE;
        }
        let asked = self.atime || self.set & libc::MOUNT_ATTR_NODIRATIME != 0;
        let kinds = if asked { FLAGS | ATIMES } else { FLAGS | self.clear & libc::MOUNT_ATTR_NODIRATIME };
        let set = self.set & kinds;
        Attributes { set, clear: kinds & !(set & !libc::MOUNT_ATTR__ATIME), propagation: 0 }
    }

    pub fn recursive_attributes(&self) -> Attributes {
        Attributes { set: self.recursive_set, clear: self.recursive_clear, propagation: 0 }
    }
}

/// Several words may stand in one, as for mount(2); a comma in quotes or behind a backslash belongs to its word. A word that
/// is empty, or begins with `=`, says nothing to the kernel.
pub fn words(option: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut before) = (false, ' ');
    let split = option.split(move |character| {
        quoted ^= character == '"';
        let ends = character == ',' && !quoted && before != '\\';
        before = character;
        ends
    });
    split.filter(|word| !word.is_empty() && !word.starts_with('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart_as_the_kernel_does() {
        let all = |option| words(option).collect::<Vec<_>>();
        assert_eq!(all("size=1m,mode=700"), ["size=1m", "mode=700"]);
        assert_eq!(all(r#"context="a:c1,c2",x"#), [r#"context="a:c1,c2""#, "x"]);
        assert_eq!(all(r"lowerdir=/a\,b"), [r"lowerdir=/a\,b"]);
        assert!(all("=").is_empty() && all(",").is_empty());
    }

    fn flags(options: &[&'static str]) -> (u64, u64) {
        let options = options.iter().map(|option| (*option).into()).collect();
        let mount = Mount { options, ..Mount::default() };
        let flags = Flags::of(&mount, 0).expect("these options are known");
        (flags.attributes().set, flags.attributes().clear)
    }

    #[test]
    fn the_later_of_two_contradicting_options_wins() {
        assert_eq!(flags(&["ro", "rw"]), (0, libc::MOUNT_ATTR_RDONLY));
        assert_eq!(flags(&["rw", "ro"]), (libc::MOUNT_ATTR_RDONLY, 0));
    }

    #[test]
    fn an_access_time_mode_replaces_the_one_that_is_there() {
        assert_eq!(flags(&["noatime"]), (libc::MOUNT_ATTR_NOATIME, libc::MOUNT_ATTR__ATIME));
        assert_eq!(
            flags(&["noatime", "strictatime"]),
            (libc::MOUNT_ATTR_STRICTATIME, libc::MOUNT_ATTR__ATIME)
        );
    }
}
