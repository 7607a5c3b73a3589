//! `mounts` of type cgroup: the v2 file system, or a directory with all the v1 hierarchies.
//!
//! Without a cgroup namespace of its own a container is shown part of the host's hierarchies; in a user namespace that
//! part is read-only, no matter which user owns it on the host (CVE-2023-25809).

use super::options::Flags;
use super::{Listed, Mounts, Source, label_option};
use crate::cgroup::Version;
use crate::names::namespaces::{CGROUP, USER};
use crate::plan::Field;
use crate::plan::script::{StringList, c};
use crate::spec::destination::absolute;
use crate::wire::{Attributes, Filesystem, Step, Strings};
use std::borrow::Cow;
use std::ffi::CStr;

const HARMLESS: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;

impl<'a> Mounts<'a, '_> {
    pub(super) fn push_cgroup(&mut self, entry: Listed<'a, '_>) {
        match self.host.cgroups.only_v2() {
            Some(mount) => self.push_unified(entry, &mount.path),
            None => self.push_hierarchies(entry),
        }
    }

    /// The v2 file system.
    fn push_unified(&mut self, entry: Listed<'a, '_>, host_mount: &str) {
        let field = Field::Mount(entry.index);
        if self.has(CGROUP) || !self.has(USER) {
            let source = c(entry.mount.source.as_deref().unwrap_or("cgroup"));
            let attributes = Attributes { set: entry.flags.set, ..Attributes::NONE };
            let target = entry.target;
            self.script.push(field, filesystem(c"cgroup2", &source, target, Strings::EMPTY, attributes));
            return;
        }
        // A user namespace without a cgroup namespace may not mount cgroups; what it is shown of the host's must not
        // be writable, no matter which user owns it there (CVE-2023-25809), nor what else is mounted below it.
        let recursive_set = libc::MOUNT_ATTR_RDONLY;
        let flags = Flags { set: entry.flags.set, recursive_set, bind: Some(true), ..Flags::default() };
        let source = Source { path: Cow::Owned(host_mount.to_owned()), mapping: None };
        self.push_tree(source, Listed { flags: &flags, ..entry }, flags.attributes());
        if !self.host.privileged {
            let label = StringList::of(label_option(self.spec));
            self.script.push(field, Step::Mask { path: entry.target, options: label.wire() });
        }
    }

    /// A directory with the v1 hierarchies, by name.
    fn push_hierarchies(&mut self, entry: Listed<'a, '_>) {
        let Listed { mount, index, flags, target } = entry;
        let field = Field::Mount(index);
        // Whatever the options say: nothing in there is a device, or can be run.
        let flags = &Flags { set: flags.set | HARMLESS, ..Flags::default() };
        let options = StringList::of(label_option(self.spec).into_iter().chain(["mode=755".to_owned()]));
        let attributes = Attributes { set: flags.set & !libc::MOUNT_ATTR_RDONLY, ..Attributes::NONE };
        self.script.push(field, filesystem(c"tmpfs", c"tmpfs", target, options.wire(), attributes));
        let legs = self.host.cgroup.as_ref().map_or(&[][..], |location| &location.legs);
        for leg in legs.iter().filter(|leg| leg.version == Version::V1) {
            let name = leg.mount.rsplit('/').next().unwrap_or_default();
            let below = c(&format!("{}/{name}", absolute(&mount.destination)));
            if self.has(CGROUP) {
                let controllers = StringList::of(&leg.controllers);
                let attributes = Attributes { set: flags.set, ..Attributes::NONE };
                let source =
                    if leg.controllers.iter().any(|c| c == "name=systemd") { c"systemd" } else { c"cgroup" };
                self.script
                    .push(field, filesystem(c"cgroup", source, &below, controllers.wire(), attributes));
            } else {
                let source = Source { path: Cow::Owned(leg.directory()), mapping: None };
                let shown = Flags { set: flags.set, bind: Some(false), ..Flags::default() };
                let shown = Listed { flags: &shown, target: &below, ..entry };
                self.push_tree(source, shown, shown.flags.attributes());
            }
            for alias in leg.controllers.iter().filter(|alias| *alias != name && !alias.contains('=')) {
                let path = c(&format!("{}/{alias}", absolute(&mount.destination)));
                self.script.push(field, Step::Symlink { to: &c(name), path: &path });
            }
        }
        if flags.set & libc::MOUNT_ATTR_RDONLY != 0 {
            let change = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::NONE };
            self.push_change(index, target, change, Attributes::NONE);
        }
    }
}

fn filesystem<'s>(
    kind: &'s CStr,
    source: &'s CStr,
    target: &'s CStr,
    options: Strings<'s>,
    attributes: Attributes,
) -> Step<'s> {
    Step::Filesystem(Filesystem { options, ..Filesystem::plain(kind, source, target, attributes) })
}
