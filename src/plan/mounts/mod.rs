//! `mounts` of config.json: each entry becomes one new file system, one bind, or one change of a mount
//! (config.md, Mounts; config-linux.md, mount options).

mod cgroup;
pub(super) mod legacy;
pub mod options;
pub mod small_table;

use crate::error::{Error, Kind, Result};
use crate::names::namespaces::USER;
use crate::plan::Host;
use crate::plan::opens::{Copier, Mapping, Moment, Open, Opens, Owners};
use crate::plan::script::{Field, Script, StringList, c};
use crate::spec::destination::{absolute, in_bundle};
use crate::spec::text::given;
use crate::spec::{Mount, Spec, annotations, idmap};
use crate::wire::{self, Attributes, Bind, Filesystem, Handle, Links, Remount, Step};
use legacy::is_long;
use options::Flags;
use std::borrow::Cow;
use std::ffi::{CStr, CString};

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

/// File systems with a superblock of the kernel's own: read-only is a matter of the mount alone.
const KERNEL_FILESYSTEMS: [&str; 8] =
    ["proc", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts", "tmpfs", "debugfs"];

/// File systems that take the SELinux contexts of their files from the policy, whatever a mount says.
const UNLABELLED: [&str; 5] = ["proc", "sysfs", "cgroup", "cgroup2", "debugfs"];

/// File systems that are on a device. Beside this list, every file system with a source below /dev is.
const ON_DEVICES: [&str; 18] = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "f2fs", "vfat", "msdos", "exfat", "ntfs3", "iso9660",
    "udf", "squashfs", "erofs", "jfs", "nilfs2", "fuseblk",
];

/// What fsconfig(2) takes as a source.
const LONGEST_SOURCE: usize = 255;

/// What all entries have in common.
pub struct Mounts<'a, 'p> {
    pub script: &'p mut Script,
    pub opens: &'p mut Opens<'a>,
    pub list: &'a [Mount<'a>],
    /// The container's config; its `mounts` may be others than these.
    pub spec: &'a Spec<'a>,
    pub bundle: &'a str,
    pub host: &'p Host,
    /// `CLONE_NEW…` of the namespaces that are the container's, made or joined.
    pub namespaces: u64,
    /// The propagation that a copy of a host's tree gets before its own options: `MS_SLAVE`, unless
    /// `rootfsPropagation` says otherwise.
    pub base_propagation: u64,
    pub moment: Moment,
    /// The pid namespace that a proc shows, where it is not the one of the process that mounts it.
    pub pidns: Handle,
}

/// One entry.
#[derive(Clone, Copy)]
pub(super) struct Listed<'a, 'e> {
    pub mount: &'a Mount<'a>,
    pub index: usize,
    pub flags: &'e Flags<'a>,
    /// Where it goes, from the root.
    pub target: &'e CStr,
}

impl<'a> Mounts<'a, '_> {
    pub fn push(mut self) -> Result<()> {
        for (i, mount) in self.list.iter().enumerate() {
            let flags = &Flags::of(mount, i)?;
            let target: &CStr = &c(&absolute(&mount.destination));
            let entry = Listed { mount, index: i, flags, target };
            check_proc(entry)?;
            if flags.remount {
                let (attributes, recursive_attributes) = (flags.attributes(), flags.recursive_attributes());
                let step = Step::Remount(Remount { target, attributes, recursive_attributes });
                self.script.push(Field::Mount(i), step);
            } else if flags.bind.is_some() {
                self.push_bind(entry)?;
            } else if mount.kind.as_deref() == Some("cgroup") {
                self.push_cgroup(entry);
            } else {
                self.push_filesystem(entry)?;
            }
            self.push_propagation(entry);
        }
        Ok(())
    }

    pub(super) fn has(&self, namespace: u64) -> bool {
        self.namespaces & namespace != 0
    }

    fn push_filesystem(&mut self, entry: Listed<'a, '_>) -> Result<()> {
        let Listed { mount, index: i, flags, target } = entry;
        let field = Field::Mount(i);
        let kind = mount.kind.as_deref().unwrap_or_default();
        // Furnished first, read-only last.
        let set = if self.is_furnished(entry) { flags.set & !libc::MOUNT_ATTR_RDONLY } else { flags.set };
        let words = flags.data.iter().flat_map(|option| options::words(option));
        let mut data: Vec<Cow<str>> = words.map(|word| Cow::Owned(word.to_owned())).collect();
        if flags.set & libc::MOUNT_ATTR_RDONLY != 0 && !KERNEL_FILESYSTEMS.contains(&kind) {
            data.push(Cow::Borrowed("ro"));
        }
        // The superblock of an mqueue is as old as the ipc namespace: SELinux does not allow a change of its context.
        let on_root = if kind == "mqueue" { mount_label(self.spec) } else { None };
        if on_root.is_none() && !UNLABELLED.contains(&kind) {
            data.extend(label_option(self.spec).map(Cow::Owned));
        }
        let named = given(&mount.source).unwrap_or(kind);
        // Of a file system without a device it is a name and nothing else, of which the kernel takes so much.
        let end = named.floor_char_boundary(LONGEST_SOURCE);
        let source = c(if KERNEL_FILESYSTEMS.contains(&kind) { &named[..end] } else { named });
        let copy_up = flags.copy_up && kind == "tmpfs";
        if let Some(long) = data.iter().find(|option| is_long(option)) {
            if kind != "overlay" || self.moment == Moment::Running {
                return Err(Error::new("the kernel takes at most 255 bytes in one option of a file system")
                    .kind(Kind::Unsupported)
                    .field(format!("/mounts/{i}/options"))
                    .value(long)
                    .remedy("mount it on the host and bind it"));
            }
            let (flags, data) = legacy::arguments(flags.set, &data, i)?;
            let (kind, source) = (&c(kind), &source);
            self.script.push(field, Step::Mount(wire::Mount { kind, source, target, flags, data: &data }));
        } else if self.is_on_device(kind, named) {
            let open = Open::Filesystem {
                kind: Cow::Borrowed(kind),
                source: Cow::Borrowed(named),
                options: data,
                attributes: flags.set,
                field,
            };
            let tree = self.opens.add(open);
            self.script.push(field, Step::Bind(Bind::plain(tree, target)));
        } else {
            let options = StringList::of(&data);
            let strict =
                matches!((kind, &*absolute(&mount.destination)), ("proc", "/proc") | ("sysfs", "/sys"));
            let step = Step::Filesystem(Filesystem {
                kind: &c(kind),
                source: &source,
                target,
                options: options.wire(),
                strict,
                copy_up,
                modeless: kind == "tmpfs" && !data.iter().any(|word| word.starts_with("mode=")),
                label: &c(on_root.unwrap_or_default()),
                pidns: if kind == "proc" { self.pidns } else { Handle::NONE },
                attributes: Attributes { set, ..Attributes::NONE },
            });
            // For a running container it stays open.
            let opens_proc = copy_up && self.moment == Moment::Building;
            if opens_proc {
                self.script.push(field, Step::OpenHostProc {});
            }
            self.script.push(field, step);
            if opens_proc {
                self.script.push(Field::None, Step::CloseHostProc {});
            }
        }
        if !flags.recursive_attributes().is_none() {
            self.push_change(i, target, Attributes::NONE, flags.recursive_attributes());
        }
        Ok(())
    }

    /// A read-only tmpfs on or in which more is to be made: it becomes read-only when all is there.
    fn is_furnished(&self, Listed { mount, index, flags, target }: Listed) -> bool {
        let read_only = flags.set & libc::MOUNT_ATTR_RDONLY != 0 && self.moment == Moment::Building;
        if !read_only || flags.bind.is_some() || mount.kind.as_deref() != Some("tmpfs") {
            return false;
        }
        let below = |path: &str| {
            let path = absolute(path);
            let rest = path.as_bytes().strip_prefix(target.to_bytes());
            rest.is_some_and(|rest| rest.starts_with(b"/"))
        };
        let devices = self.spec.linux.as_ref().map_or(&[][..], |linux| &linux.devices);
        target == c"/dev"
            || self.list[index + 1..].iter().any(|later| below(&later.destination))
            || devices.iter().any(|device| below(&device.path))
    }

    /// Those that become read-only when devices and all else are there: the place in the list, and the destination.
    pub fn furnished(&self) -> Result<Vec<(usize, CString)>> {
        let mut found = Vec::new();
        for (index, mount) in self.list.iter().enumerate() {
            // Most have nothing of it.
            if !mount.options.iter().any(|option| &**option == "ro") {
                continue;
            }
            let (flags, target) = (&Flags::of(mount, index)?, c(&absolute(&mount.destination)));
            if self.is_furnished(Listed { mount, index, flags, target: &target }) {
                found.push((index, target));
            }
        }
        Ok(found)
    }

    /// The engine makes it, because the container's device rules do not apply there: it is enough that the config names the
    /// device, as with runc. In a user namespace the kernel refuses such a mount, and the engine could not help.
    fn is_on_device(&self, kind: &str, source: &str) -> bool {
        let ours = self.host.privileged && !self.host.in_user_namespace && !self.has(USER);
        let on_device = ON_DEVICES.contains(&kind) && source.starts_with('/') || source.starts_with("/dev/");
        ours && self.moment == Moment::Building && on_device
    }

    fn push_bind(&mut self, entry: Listed<'a, '_>) -> Result<()> {
        let Listed { mount, index: i, .. } = entry;
        let Some(source) = given(&mount.source) else {
            return Err(Error::new("a bind mount needs a source")
                .kind(Kind::Config)
                .field(format!("/mounts/{i}/source")));
        };
        let mapping = self.mapping(mount, i, entry.flags)?;
        // In a user namespace the flags of the host's mounts are locked, and none goes.
        let locked = !self.host.privileged || self.host.in_user_namespace || self.has(USER);
        let attributes = if locked { entry.flags.attributes() } else { entry.flags.replacing() };
        let path = in_bundle(self.bundle, source);
        match self.inside(&path, entry).filter(|_| mapping.is_none()) {
            Some(inside) => self.push_own(inside, entry, attributes),
            None => self.push_tree(Source { path, mapping }, entry, attributes),
        }
        Ok(())
    }

    /// The entry's own map of owners, that of its `idmap=`, or with `idmap` alone that of the container's user
    /// namespace.
    fn mapping(&self, mount: &Mount, i: usize, flags: &Flags) -> Result<Option<Mapping<'a>>> {
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
        let (uids, gids) = (&self.spec.linux().uid_mappings, &self.spec.linux().gid_mappings);
        let option = &flags.own_map;
        let at_option = |e: Error| e.field(format!("/mounts/{i}/options"));
        let owners = if own {
            Owners::Ranges { uids: mount.uid_mappings.clone(), gids: mount.gid_mappings.clone() }
        } else if !option.uids.is_empty() {
            Owners::Ranges {
                uids: idmap::resolve(&option.uids, uids).map_err(at_option)?,
                gids: idmap::resolve(&option.gids, gids).map_err(at_option)?,
            }
        } else if let Some(path) = self.joined_user_namespace() {
            Owners::Namespace(path)
        } else if !uids.is_empty() {
            Owners::Ranges { uids: uids.clone(), gids: gids.clone() }
        } else {
            return Err(unmapped("the option idmap needs a mapping", "add uidMappings and gidMappings"));
        };
        Ok(Some(Mapping { owners, recursive: flags.idmap == Some(true) }))
    }

    /// Its mappings are its own, whatever the config says.
    fn joined_user_namespace(&self) -> Option<Cow<'a, str>> {
        let namespaces = &self.spec.linux().namespaces;
        let user = namespaces.iter().find(|namespace| &*namespace.kind == "user")?;
        given(&user.path).map(Cow::Borrowed)
    }

    /// The path in the container of a source that lies in the root filesystem, where an earlier entry of the list has
    /// mounted something on the way to it or below: the host does not see that.
    fn inside<'p>(&self, path: &'p str, Listed { index, flags, .. }: Listed) -> Option<&'p str> {
        if self.moment == Moment::Running {
            return None;
        }
        let root = in_bundle(self.bundle, &self.spec.root.as_ref()?.path);
        let inside = path.strip_prefix(root.trim_end_matches('/'))?;
        let inside = if inside.is_empty() { "/" } else { inside };
        let within = |path: &str, tree: &str| {
            let rest = path.strip_prefix(tree.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut earlier = self.list[..index].iter().map(|mount| absolute(&mount.destination));
        let shows = |place: &str| within(inside, place) || flags.bind == Some(true) && within(place, inside);
        (inside.starts_with('/') && earlier.any(|place| shows(&place))).then_some(inside)
    }

    /// Shows what is at a path of the container itself.
    fn push_own(&mut self, inside: &str, entry: Listed<'a, '_>, attributes: Attributes) {
        let Listed { index, flags, target, .. } = entry;
        let step = Step::Bind(Bind {
            tree: Handle::NONE,
            source: &c(inside),
            flags: if flags.bind == Some(true) { libc::AT_RECURSIVE as u32 } else { 0 },
            target,
            links: flags.links,
            attributes,
            recursive_attributes: self.tree_attributes(flags),
        });
        self.script.push(Field::Mount(index), step);
    }

    /// What all of a tree gets. Options that change the propagation of everything replace the base, the others come after
    /// it.
    fn tree_attributes(&self, flags: &Flags) -> Attributes {
        let propagation = match flags.propagation {
            Some((flag, true)) if flag != libc::MS_SHARED => flag,
            _ => self.base_propagation,
        };
        Attributes { propagation, ..flags.recursive_attributes() }
    }

    /// Shows `source` at the entry's target.
    pub(super) fn push_tree(&mut self, source: Source<'a>, entry: Listed<'a, '_>, attributes: Attributes) {
        let Listed { index, flags, target, .. } = entry;
        let field = Field::Mount(index);
        let Source { path: source, mapping } = source;
        let copier = Copier::of(self.host, self.namespaces, self.moment);
        let path = if copier == Copier::Late { c(&source) } else { c("") };
        let mut tree = if flags.bind == Some(true) { libc::AT_RECURSIVE as u32 } else { 0 };
        if flags.links.has(Links::KEEP_SOURCE) || flags.links.has(Links::COPY) {
            tree |= libc::AT_SYMLINK_NOFOLLOW as u32;
        }
        let open = Open::Tree { path: source, flags: tree, mapping, copier, field };
        let step = Step::Bind(Bind {
            tree: self.opens.add(open),
            source: &path,
            flags: tree,
            target,
            links: flags.links,
            attributes,
            recursive_attributes: self.tree_attributes(flags),
        });
        self.script.push(field, step);
    }

    /// The mount's own propagation, where `push_tree` could not give it along.
    fn push_propagation(&mut self, Listed { index: i, flags, target, .. }: Listed) {
        let Some((flag, recursive)) = flags.propagation else { return };
        if recursive && flag != libc::MS_SHARED && flags.bind.is_some() && !flags.remount {
            return;
        }
        let change = Attributes { propagation: flag, ..Attributes::NONE };
        if recursive {
            self.push_change(i, target, Attributes::NONE, change);
        } else {
            self.push_change(i, target, change, Attributes::NONE);
        }
    }

    /// An empty target is what init has mounted last: where the container runs already, a path could have another
    /// meaning by now.
    pub(super) fn push_change(&mut self, i: usize, target: &CStr, one: Attributes, tree: Attributes) {
        let target = if self.moment == Moment::Running { c"" } else { target };
        let step = Remount { target, attributes: one, recursive_attributes: tree };
        self.script.push(Field::Mount(i), Step::Remount(step));
    }
}

/// Nothing but a procfs belongs on /proc, and little may cover what is in it.
fn check_proc(Listed { mount, index: i, flags, .. }: Listed) -> Result<()> {
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

fn mount_label<'s>(spec: &'s Spec) -> Option<&'s str> {
    given(&spec.linux().mount_label)
}

/// The option by which a file system gets `linux.mountLabel`.
pub(super) fn label_option(spec: &Spec) -> Option<String> {
    let word = annotations::find(&spec.annotations, annotations::MOUNT_CONTEXT).unwrap_or("context");
    mount_label(spec).map(|label| format!("{word}={label}"))
}

/// What a bind shows.
pub(super) struct Source<'a> {
    pub path: Cow<'a, str>,
    pub mapping: Option<Mapping<'a>>,
}
