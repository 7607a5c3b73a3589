//! `mounts` of type cgroup: the v2 file system, or a directory with all the v1 hierarchies.
//!
//! Without a cgroup namespace of its own a container is shown part of the host's hierarchies; in a user namespace that
//! part is read-only, whoever owns it on the host (CVE-2023-25809).

use super::mount_options::Flags;
use super::mounts::{Mounts, Source, absolute};
use super::namespaces::{CGROUP, USER};
use super::script::{Opens, Script, StringList, c};
use crate::cgroup::{Leg, Location, Version};
use crate::host::cgroups::Layout;
use crate::plan::Field;
use crate::spec::Mount;
use crate::wire::{Attributes, Step, Strings};
use std::borrow::Cow;
use std::ffi::CString;

impl<'a> Mounts<'a, '_> {
    /// The `cgroup` type: the v2 file system, or a directory with all the v1 hierarchies.
    pub(super) fn push_cgroup(
        &self,
        mount: &'a Mount<'a>,
        i: usize,
        flags: &Flags<'a>,
        target: &CString,
        script: &mut Script,
        opens: &mut Opens<'a>,
    ) {
        let own_namespace = self.has(CGROUP);
        let attributes = Attributes { set: flags.set, ..Attributes::NONE };
        let field = Field::Mount(i);
        if let Layout::Unified { mount: host_mount } = &self.host.cgroups {
            if own_namespace || !self.has(USER) {
                let step = Step::Filesystem {
                    kind: c"cgroup2",
                    source: &c(mount.source.as_deref().unwrap_or("cgroup")),
                    target,
                    options: Strings::EMPTY,
                    strict: false,
                    copy_up: false,
                    attributes,
                };
                script.push(field, step);
            } else {
                // A user namespace without a cgroup namespace may not mount cgroups; what it is shown of the
                // host's must not be writable, whoever owns it there (CVE-2023-25809).
                // Nor what else is mounted below it.
                let recursive_set = libc::MOUNT_ATTR_RDONLY;
                let shown = Flags { set: flags.set, recursive_set, bind: Some(true), ..Flags::default() };
                let source = Source { path: Cow::Owned(host_mount.clone()), mapping: None };
                self.push_tree(source, &shown, field, target, script, opens);
                if !self.host.privileged {
                    script.push(field, Step::Mask { path: target });
                }
            }
            return;
        }
        let mode = StringList::of(["mode=755"]);
        let step = Step::Filesystem {
            kind: c"tmpfs",
            source: c"tmpfs",
            target,
            options: mode.wire(),
            strict: false,
            copy_up: false,
            attributes: Attributes { set: flags.set & !libc::MOUNT_ATTR_RDONLY, ..Attributes::NONE },
        };
        script.push(field, step);
        for leg in self.v1_legs() {
            let name = leg.mount.rsplit('/').next().unwrap_or_default();
            let below = c(&format!("{}/{name}", absolute(&mount.destination)));
            if own_namespace {
                let controllers = StringList::of(&leg.controllers);
                let step = Step::Filesystem {
                    kind: c"cgroup",
                    source: c"cgroup",
                    target: &below,
                    options: controllers.wire(),
                    strict: false,
                    copy_up: false,
                    attributes,
                };
                script.push(field, step);
            } else {
                let source = Source { path: Cow::Owned(leg.directory()), mapping: None };
                let shown =
                    Flags { set: flags.set, clear: flags.clear, bind: Some(false), ..Flags::default() };
                self.push_tree(source, &shown, field, &below, script, opens);
            }
            for alias in leg.controllers.iter().filter(|alias| *alias != name && !alias.contains('=')) {
                let path = c(&format!("{}/{alias}", absolute(&mount.destination)));
                script.push(field, Step::Symlink { to: &c(name), path: &path });
            }
        }
        if flags.set & libc::MOUNT_ATTR_RDONLY != 0 {
            let change = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::NONE };
            self.push_change(i, target, change, Attributes::NONE, script);
        }
    }

    fn v1_legs(&self) -> impl Iterator<Item = &Leg> {
        let legs = self.host.cgroup.as_ref().map_or(&[][..], |location: &Location| &location.legs);
        legs.iter().filter(|leg| leg.version == Version::V1)
    }
}
