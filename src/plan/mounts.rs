//! `mounts` of config.json: each entry becomes one new file system, one bind, or one change of a mount
//! (config.md, Mounts; config-linux.md, mount options).

use super::Host;
use super::namespaces::{CGROUP, Namespaces, USER};
use super::script::{Field, Mapping, Open, Opens, Script, StringList, c};
use crate::cgroup::{Leg, Location, Version};
use crate::error::{Error, Kind, Result};
use crate::names;
use crate::names::{Effect, mount_option};
use crate::spec::{Mount, Spec, annotations};
use crate::wire::{Attributes, Step, Strings};
use std::borrow::Cow;
use std::ffi::CString;
use std::path::Path;

/// Files of procfs that may be mounted over; everything else there would let an image fake what the runtime
/// and the container's tools trust (CVE-2019-16884).
const PROC_FILES: [&str; 12] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
    "/proc/net/dev",
    "/proc/mounts",
];

/// File systems whose superblock is the kernel's own: read-only is the mount's affair alone.
const KERNEL_FILESYSTEMS: [&str; 8] =
    ["proc", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts", "tmpfs", "debugfs"];

/// File systems whose files have SELinux contexts of the policy's own, whatever a mount says.
const UNLABELLED: [&str; 5] = ["proc", "sysfs", "cgroup", "cgroup2", "debugfs"];

/// Values of fsconfig(2) that the kernel takes are shorter than this.
const FSCONFIG_VALUE: usize = 256;

/// A mount's options, sorted by what they do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Flags<'a> {
    set: u64,
    clear: u64,
    recursive_set: u64,
    recursive_clear: u64,
    propagation: Option<(u64, bool)>,
    bind: Option<bool>,
    remount: bool,
    copy_up: bool,
    idmap: Option<bool>,
    /// For the file system: `key=value` or `flag`.
    data: Vec<Cow<'a, str>>,
}

impl<'a> Flags<'a> {
    pub fn of(mount: &'a Mount<'a>, index: usize) -> Result<Flags<'a>> {
        let mut flags = Flags::default();
        for (i, option) in mount.options.iter().enumerate() {
            match mount_option(option) {
                None => flags.data.push(Cow::Borrowed(option)),
                Some(effect) => flags.apply(effect).map_err(|e| {
                    e.field(format!("/mounts/{index}/options/{i}")).value(option).kind(Kind::Unsupported)
                })?,
            }
        }
        if matches!(mount.kind.as_deref(), Some("bind" | "rbind")) && flags.bind.is_none() {
            flags.bind = Some(mount.kind.as_deref() == Some("rbind"));
        }
        Ok(flags)
    }

    fn apply(&mut self, effect: Effect) -> Result<()> {
        match effect {
            Effect::Set(bits) => self.change(bits, 0),
            Effect::Clear(bits) => self.change(0, bits),
            Effect::Atime(mode) => self.change(mode.bits(), libc::MOUNT_ATTR__ATIME),
            Effect::NotAtime(mode) => {
                if self.set & libc::MOUNT_ATTR__ATIME == mode.bits()
                    || self.clear & libc::MOUNT_ATTR__ATIME == 0
                {
                    let other = if mode == names::Atime::Relative {
                        names::Atime::Strict
                    } else {
                        names::Atime::Relative
                    };
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
            Effect::Superblock(flag) => self.data.push(Cow::Borrowed(flag)),
            Effect::Propagation { flag, recursive } => self.propagation = Some((flag, recursive)),
            Effect::Bind { recursive } => self.bind = Some(recursive),
            Effect::Remount => self.remount = true,
            Effect::IdMap { recursive } => self.idmap = Some(recursive),
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

    fn attributes(&self) -> Attributes {
        Attributes {
            set: self.set,
            clear: self.clear & !(self.set & !libc::MOUNT_ATTR__ATIME),
            propagation: 0,
        }
    }

    fn recursive_attributes(&self) -> Attributes {
        Attributes { set: self.recursive_set, clear: self.recursive_clear, propagation: 0 }
    }
}

/// What all entries have in common.
pub struct Mounts<'a, 'p> {
    pub spec: &'a Spec<'a>,
    pub bundle: &'a Path,
    pub host: &'p Host,
    pub namespaces: &'p Namespaces,
    /// The propagation that a copy of a host's tree gets before its own options: `MS_SLAVE`, unless
    /// `rootfsPropagation` says otherwise.
    pub base_propagation: u64,
}

impl<'a> Mounts<'a, '_> {
    pub fn push(&self, script: &mut Script, opens: &mut Opens<'a>) -> Result<()> {
        for (i, mount) in self.spec.mounts.iter().enumerate() {
            let flags = Flags::of(mount, i)?;
            let target = c(&absolute(&mount.destination));
            self.check_proc(mount, i, &flags)?;
            if flags.remount {
                let step = Step::Remount {
                    target: &target,
                    attributes: flags.attributes(),
                    recursive_attributes: flags.recursive_attributes(),
                };
                script.push(Field::Mount(i), step);
            } else if flags.bind.is_some() {
                self.push_bind(mount, i, &flags, &target, script, opens)?;
            } else if mount.kind.as_deref() == Some("cgroup") {
                self.push_cgroup(mount, i, &flags, &target, script, opens);
            } else {
                self.push_filesystem(mount, i, &flags, &target, script)?;
            }
            self.push_propagation(i, &flags, &target, script);
        }
        Ok(())
    }

    fn push_filesystem(
        &self,
        mount: &'a Mount<'a>,
        i: usize,
        flags: &Flags<'a>,
        target: &CString,
        script: &mut Script,
    ) -> Result<()> {
        let kind = mount.kind.as_deref().unwrap_or_default();
        if kind.is_empty() {
            return Err(Error::new("a mount needs a type, or the option bind or rbind")
                .kind(Kind::Config)
                .field(format!("/mounts/{i}/type")));
        }
        if flags.idmap.is_some() || !mount.uid_mappings.is_empty() {
            return Err(Error::new("only a bind mount can map owners")
                .kind(Kind::Unsupported)
                .field(format!("/mounts/{i}/uidMappings")));
        }
        let mut options = StringList::default();
        for option in &flags.data {
            if option.split_once('=').is_some_and(|(_, value)| value.len() >= FSCONFIG_VALUE) {
                return Err(Error::new("the kernel takes at most 255 bytes in one option of a file system")
                    .kind(Kind::Unsupported)
                    .field(format!("/mounts/{i}/options"))
                    .value(option)
                    .remedy("mount it on the host and bind it"));
            }
            options.push(option);
        }
        if flags.set & libc::MOUNT_ATTR_RDONLY != 0 && !KERNEL_FILESYSTEMS.contains(&kind) {
            options.push("ro");
        }
        if let Some(label) = self.mount_label().filter(|_| !UNLABELLED.contains(&kind)) {
            let kind =
                annotations::find(&self.spec.annotations, annotations::MOUNT_CONTEXT).unwrap_or("context");
            options.push(&format!("{kind}={label}"));
        }
        let strict = matches!((kind, &*absolute(&mount.destination)), ("proc", "/proc") | ("sysfs", "/sys"));
        let source = mount.source.as_deref().filter(|source| !source.is_empty()).unwrap_or(kind);
        let step = Step::Filesystem {
            kind: &c(kind),
            source: &c(source),
            target,
            options: options.wire(),
            strict,
            copy_up: flags.copy_up && kind == "tmpfs",
            attributes: Attributes { set: flags.set, ..Attributes::NONE },
        };
        script.push(Field::Mount(i), step);
        if !flags.recursive_attributes().is_none() {
            self.push_change(i, target, Attributes::NONE, flags.recursive_attributes(), script);
        }
        Ok(())
    }

    fn mount_label(&self) -> Option<&str> {
        let label = self.spec.linux.as_ref()?.mount_label.as_deref()?;
        (!label.is_empty()).then_some(label)
    }

    fn push_bind(
        &self,
        mount: &'a Mount<'a>,
        i: usize,
        flags: &Flags<'a>,
        target: &CString,
        script: &mut Script,
        opens: &mut Opens<'a>,
    ) -> Result<()> {
        let Some(source) = mount.source.as_deref().filter(|source| !source.is_empty()) else {
            return Err(Error::new("a bind mount needs a source")
                .kind(Kind::Config)
                .field(format!("/mounts/{i}/source")));
        };
        let mapping = self.mapping(mount, i, flags)?;
        let source =
            Source { path: in_bundle(self.bundle, source), recursive: flags.bind == Some(true), mapping };
        self.push_tree(source, flags, Field::Mount(i), target, script, opens);
        Ok(())
    }

    /// The entry's own map of owners, or with `idmap` alone that of the container's user namespace.
    fn mapping(&self, mount: &Mount, i: usize, flags: &Flags) -> Result<Option<Mapping>> {
        let own = !mount.uid_mappings.is_empty() || !mount.gid_mappings.is_empty();
        if !own && flags.idmap.is_none() {
            return Ok(None);
        }
        let unmapped = |reason: &'static str, remedy: &'static str| {
            Error::new(reason)
                .kind(Kind::Unsupported)
                .field(format!("/mounts/{i}/uidMappings"))
                .remedy(remedy)
        };
        if !self.host.privileged {
            return Err(unmapped(
                "mapping the owners of a mount needs CAP_SYS_ADMIN on the host",
                "leave the mapping out, or give the files to the container's ids on the host",
            ));
        }
        let linux = self.spec.linux.as_ref();
        let (uids, gids) = match linux {
            _ if own => (&mount.uid_mappings, &mount.gid_mappings),
            Some(linux) if !linux.uid_mappings.is_empty() => (&linux.uid_mappings, &linux.gid_mappings),
            _ => {
                return Err(unmapped("the option idmap needs a mapping", "add uidMappings and gidMappings"));
            }
        };
        let recursive = flags.idmap == Some(true);
        Ok(Some(Mapping { uids: uids.clone(), gids: gids.clone(), recursive }))
    }

    fn push_tree(
        &self,
        source: Source<'a>,
        flags: &Flags<'a>,
        field: Field,
        target: &CString,
        script: &mut Script,
        opens: &mut Opens<'a>,
    ) {
        let Source { path: source, recursive, mapping } = source;
        let path = if self.host.privileged { c("") } else { c(&source) };
        let open = if self.host.privileged {
            Open::Tree { path: source, recursive, mapping, field }
        } else {
            Open::Witness { path: source, field }
        };
        // Options that change the propagation of everything replace the base, the others come after it.
        let propagation = match flags.propagation {
            Some((flag, true)) if flag != libc::MS_SHARED => flag,
            _ => self.base_propagation,
        };
        let step = Step::Bind {
            tree: opens.add(open),
            source: &path,
            recursive,
            target,
            attributes: flags.attributes(),
            recursive_attributes: Attributes { propagation, ..flags.recursive_attributes() },
        };
        script.push(field, step);
    }

    /// The mount's own propagation, where `push_tree` could not give it along.
    fn push_propagation(&self, i: usize, flags: &Flags, target: &CString, script: &mut Script) {
        let Some((flag, recursive)) = flags.propagation else { return };
        if recursive && flag != libc::MS_SHARED && flags.bind.is_some() && !flags.remount {
            return;
        }
        let change = Attributes { propagation: flag, ..Attributes::NONE };
        if recursive {
            self.push_change(i, target, Attributes::NONE, change, script);
        } else {
            self.push_change(i, target, change, Attributes::NONE, script);
        }
    }

    fn push_change(
        &self,
        i: usize,
        target: &CString,
        one: Attributes,
        tree: Attributes,
        script: &mut Script,
    ) {
        script.push(Field::Mount(i), Step::Remount { target, attributes: one, recursive_attributes: tree });
    }

    /// The `cgroup` type: the v2 file system, or a directory with all the v1 hierarchies.
    fn push_cgroup(
        &self,
        mount: &'a Mount<'a>,
        i: usize,
        flags: &Flags<'a>,
        target: &CString,
        script: &mut Script,
        opens: &mut Opens<'a>,
    ) {
        let own_namespace = self.namespaces.has(CGROUP);
        let attributes = Attributes { set: flags.set, ..Attributes::NONE };
        let field = Field::Mount(i);
        if let crate::host::cgroups::Layout::Unified { mount: host_mount } = &self.host.cgroups {
            if own_namespace || !self.namespaces.has(USER) {
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
                let shown = Flags { set: flags.set | libc::MOUNT_ATTR_RDONLY, ..Flags::default() };
                let path = Cow::Owned(host_mount.clone());
                let source = Source { path, recursive: true, mapping: None };
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
                let source = Source { path: Cow::Owned(leg.directory()), recursive: false, mapping: None };
                self.push_tree(source, flags, field, &below, script, opens);
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

    /// Nothing but a procfs belongs on /proc, and little may cover what is in it.
    fn check_proc(&self, mount: &Mount, i: usize, flags: &Flags) -> Result<()> {
        let path = absolute(&mount.destination);
        let refuse = |reason: &'static str| {
            Err(Error::new(reason)
                .kind(Kind::Config)
                .field(format!("/mounts/{i}/destination"))
                .value(&mount.destination)
                .remedy("mount a proc file system there, or choose another destination"))
        };
        if path == "/proc" && mount.kind.as_deref() != Some("proc") && flags.bind.is_none() {
            return refuse("only a file system of type proc may be mounted on /proc");
        }
        let inside = path.starts_with("/proc/");
        if inside && !PROC_FILES.contains(&&*path) && mount.kind.as_deref() != Some("proc") {
            return refuse("a mount inside /proc could fake what the runtime and the container trust there");
        }
        Ok(())
    }
}

/// What a bind shows.
struct Source<'a> {
    path: Cow<'a, str>,
    recursive: bool,
    mapping: Option<Mapping>,
}

/// Relative sources are relative to the bundle (config.md, Mounts).
pub fn in_bundle<'a>(bundle: &Path, path: &'a str) -> Cow<'a, str> {
    if path.starts_with('/') {
        return Cow::Borrowed(path);
    }
    Cow::Owned(bundle.join(path).to_string_lossy().into_owned())
}

/// A destination from the root, without repeated slashes, `.` and a slash at the end; `..` stays for the kernel,
/// which resolves it inside the root.
pub fn absolute(path: &str) -> Cow<'_, str> {
    let plain = path.starts_with('/')
        && (path.len() == 1 || !path.ends_with('/'))
        && !path.contains("//")
        && !path.contains("/./")
        && !path.contains("..")
        && !path.ends_with("/.");
    if plain {
        return Cow::Borrowed(path);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    Cow::Owned(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn destinations_are_taken_from_the_root() {
        for (given, expected) in [
            ("/a/b", "/a/b"),
            ("a", "/a"),
            ("/a//b/", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/", "/"),
            ("/../a/../b", "/b"),
        ] {
            assert_eq!(absolute(given), expected);
        }
    }

    #[test]
    fn relative_sources_are_in_the_bundle() {
        assert_eq!(in_bundle(Path::new("/b"), "x/y"), "/b/x/y");
        assert_eq!(in_bundle(Path::new("/b"), "/x"), "/x");
    }
}
