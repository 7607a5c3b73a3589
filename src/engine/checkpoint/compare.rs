//! The mounts of a restored container, held against those of its model: the same things at the same places, shown with the
//! same restrictions. What images say beside that would show more of the host, or write to it.

use crate::error::{Error, Result};
use crate::host::mountinfo::{self, unescape};
use std::collections::BTreeMap;
use std::path::Path;

/// What a mount may not lack where the model's has it.
const RESTRICTIONS: [(&str, u64); 5] = [
    ("nosymfollow", 256 /* MS_NOSYMFOLLOW */),
    ("ro", libc::MS_RDONLY),
    ("nosuid", libc::MS_NOSUID),
    ("nodev", libc::MS_NODEV),
    ("noexec", libc::MS_NOEXEC),
];

/// Options of a file system that keep nothing from it: what `is_read_only` has, and what a kernel says of itself.
const INDIFFERENT: [&str; 5] = ["ro", "rw", "seclabel", "inode32", "inode64"];
/// Options of which less is more restricted.
const SIZES: [&str; 3] = ["size", "nr_inodes", "nr_blocks"];

/// What there is to see at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// /dev/null.
    Null,
    /// A directory without entries.
    Empty,
    Other,
}

/// A mount, as a mount table or an image has it.
#[derive(Clone, Debug)]
pub struct Mount {
    pub id: u64,
    /// The mount that it is on.
    pub parent: u64,
    pub point: String,
    pub root: String,
    pub kind: String,
    pub device: String,
    /// `MS_…`
    pub flags: u64,
    /// Its file system, in all mounts of it.
    pub is_read_only: bool,
    /// The other options of its file system.
    pub options: Vec<String>,
}

impl Mount {
    pub fn may_write(&self) -> bool {
        self.flags & libc::MS_RDONLY == 0 && !self.is_read_only
    }
}

pub fn mounts(table: &str) -> Vec<Mount> {
    let flags = |words: &str| {
        let has = |word| words.split(',').any(|has| has == word);
        RESTRICTIONS.iter().filter(|(word, _)| has(*word)).fold(0, |all, (_, flag)| all | flag)
    };
    let mount = |line: mountinfo::Line| Mount {
        id: line.id,
        parent: line.parent,
        point: unescape(line.point),
        root: unescape(line.root),
        kind: line.kind.to_owned(),
        device: line.device.to_owned(),
        flags: flags(line.flags),
        is_read_only: flags(line.options) & libc::MS_RDONLY != 0,
        options: line
            .options
            .split(',')
            .filter(|word| !INDIFFERENT.contains(word))
            .map(str::to_owned)
            .collect(),
    };
    mountinfo::lines(table).map(mount).collect()
}

/// What is compared. With /dev/null, and with a tmpfs that is read-only and empty, runc masks as we do by other mounts.
pub struct Model<'a> {
    pub mounts: &'a [Mount],
    /// The places of what is the host's: the root, and what the config binds.
    pub shown: &'a [&'a str],
}

impl Model<'_> {
    pub fn shows(&self, point: &str) -> bool {
        self.shown.contains(&point)
    }

    /// What images do not decide of a mount: all but its flags where it is the host's, or /dev/null; its device; where the
    /// root filesystem lies, which was `top`; and what is compared when it is there, the options of its file system.
    pub fn complete(&self, mount: &mut Mount, is_null: bool, top: &str) {
        let at = |point: &str| self.mounts.iter().find(|known| known.point == point);
        let (Some(known), Some(own)) = (at(&mount.point), at("/")) else { return };
        mount.device.clone_from(&known.device);
        mount.options.clone_from(&known.options);
        if self.shows(&mount.point) || (is_null && known.root == "/null") {
            (mount.root, mount.kind) = (known.root.clone(), known.kind.clone());
            mount.is_read_only = known.is_read_only;
        } else if known.kind.starts_with("cgroup") {
            // To CRIU it begins at the container's group.
            mount.root.clone_from(&known.root);
        } else if known.device == own.device {
            mount.kind.clone_from(&known.kind);
            if let Some(below) = mount.root.strip_prefix(top.trim_end_matches('/')) {
                mount.root = format!("{}{below}", own.root.trim_end_matches('/'));
            }
        }
    }

    /// Compares a mount table with the model's. `host` are the devices that CRIU could have mounted, had the images said so:
    /// none of them is a file system that the container has for itself. Without `content` none is there yet.
    pub fn check(
        &self,
        restored: &[Mount],
        host: &[&str],
        content: Option<&dyn Fn(&str) -> Content>,
    ) -> Result<()> {
        let mut left: Vec<&Mount> = self.mounts.iter().collect();
        let (mut own, mut pairs) = (BTreeMap::new(), BTreeMap::new());
        for mount in restored {
            // What lies above hides what lies below: the same order counts.
            let Some(at) = left.iter().position(|known| known.point == mount.point) else {
                return Err(refused(mount, "a mount that its config does not have".into()));
            };
            let known = left.remove(at);
            pairs.insert(mount.id, known);
            let is_hosts = self.shows(&mount.point) || host.contains(&&*mount.device);
            let device =
                if is_hosts { &known.device } else { own.entry(&known.device).or_insert(&mount.device) };
            let is_masked = |wanted| content.is_none_or(|content| content(&mount.point) == wanted);
            let is_null = known.kind == "tmpfs" && mount.kind == "devtmpfs" && content.is_some();
            if is_null && is_masked(Content::Null) {
                continue;
            }
            let mut lacks = known.flags & !mount.flags;
            // What v1's hierarchies are mounted on is no part of them, and runc leaves it writable.
            if !self.shows(&mount.point) && self.holds_hierarchies(known) {
                lacks &= !libc::MS_RDONLY;
            }
            let is_empty = || mount.flags & libc::MS_RDONLY != 0 && is_masked(Content::Empty);
            if known.kind == "tmpfs" && lacks != 0 && is_empty() {
                lacks = 0;
            }
            let option = || if is_hosts || is_empty() { None } else { other_option(known, mount) };
            if let Some(why) = difference(known, mount, device, lacks).or_else(option) {
                return Err(refused(mount, why));
            }
        }
        // What lies below hides nothing: a mask is on what it masks.
        for mount in restored.iter().filter(|mount| mount.point != "/") {
            let on = |mount: &Mount| pairs.get(&mount.parent).map(|known| known.id);
            if on(mount) != pairs.get(&mount.id).map(|known| known.parent) {
                return Err(refused(
                    mount,
                    "a mount that is not on the one that its config has it on".into(),
                ));
            }
        }
        match left.first() {
            Some(missing) => Err(refused(missing, "no mount, although its config has one".into())),
            None => Ok(()),
        }
    }

    fn holds_hierarchies(&self, mount: &Mount) -> bool {
        let is_on = |other: &Mount| Path::new(&other.point).parent() == Some(Path::new(&mount.point));
        self.mounts.iter().any(|other| other.kind == "cgroup" && is_on(other))
    }
}

fn difference(model: &Mount, restored: &Mount, device: &str, lacks: u64) -> Option<String> {
    if model.kind != restored.kind {
        return Some(format!("a {} instead of a {}", restored.kind, model.kind));
    }
    if model.root != restored.root {
        return Some(format!("{} of a {} instead of {}", restored.root, restored.kind, model.root));
    }
    if restored.device != device {
        return Some(format!("another {}", restored.kind));
    }
    if let Some((word, _)) = RESTRICTIONS.iter().find(|(_, flag)| lacks & flag != 0) {
        return Some(format!("a mount that is not {word}"));
    }
    (model.is_read_only && !restored.is_read_only).then(|| "a file system that is not ro".to_owned())
}

/// The option in which two file systems differ: one lacks it, or has a smaller size.
fn other_option(model: &Mount, restored: &Mount) -> Option<String> {
    let size = |word: &str| {
        let (name, number) = word.split_once('=')?;
        let number = number.strip_suffix('k').unwrap_or(number).parse::<u64>().ok()?;
        SIZES.contains(&name).then(|| (name.to_owned(), number))
    };
    let is_in = |word: &str, others: &[String], least: bool| {
        let fits = |other: &String| match (size(word), size(other)) {
            (Some((name, number)), Some((other, more))) if name == other => !least || number <= more,
            _ => word == other,
        };
        others.iter().any(fits)
    };
    let more = restored.options.iter().find(|word| !is_in(word, &model.options, true));
    let less = model.options.iter().find(|word| !is_in(word, &restored.options, false));
    more.map(|word| format!("a {} with {word}", restored.kind))
        .or_else(|| less.map(|word| format!("a {} without {word}", restored.kind)))
}

/// The error of what the config does not have; `or` is what else helps.
pub fn beyond_config(what: &str, or: &str) -> Error {
    Error::new(format!("the checkpoint has {what}")).remedy(format!(
        "restore it with the config that it was written from; if that is so, do not trust its files, or {or}"
    ))
}

fn refused(mount: &Mount, why: String) -> Error {
    let left_out = "leave out what the container or `mounts add` has mounted";
    beyond_config(&format!("{why} at {}", mount.point), left_out).field("/mounts").value(&mount.point)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "1 0 8:1 /img / rw,relatime - ext4 /dev/x rw\n\
                         2 1 0:40 / /proc rw,nosuid,nodev,noexec - proc proc rw\n\
                         3 2 0:40 /sys /proc/sys ro,nosuid - proc proc rw\n\
                         5 2 0:41 / /proc/acpi ro,nosuid - tmpfs tmpfs rw\n\
                         6 2 0:41 / /proc/scsi ro,nosuid - tmpfs tmpfs rw\n\
                         7 2 0:41 /null /proc/keys ro,nosuid - tmpfs tmpfs rw\n\
                         8 2 0:41 /null /proc/kcore ro,nosuid - tmpfs tmpfs rw\n\
                         4 1 8:2 /vol /data ro - ext4 /dev/y rw\n";

    fn check(restored: &str, content: &dyn Fn(&str) -> Content) -> Result<()> {
        let model = Model { mounts: &mounts(MODEL), shown: &["/", "/data"] };
        model.check(&mounts(restored), &["0:22", "8:1", "8:2"], Some(content))
    }

    fn said(from: &str, to: &str) -> String {
        let restored = MODEL.replace(from, to);
        assert_ne!(restored, MODEL, "{from}");
        let content = |point: &str| match point {
            "/proc/acpi" => Content::Empty,
            "/proc/keys" => Content::Null,
            _ => Content::Other,
        };
        check(&restored, &content).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn a_container_with_the_mounts_of_its_model_passes() {
        assert!(check(MODEL, &|_| Content::Other).is_ok());
        assert_eq!(said("0:40", "0:77"), "", "its own file systems have other numbers");
        assert_eq!(said("rw,relatime", "ro,nodev"), "", "more restrictions do no harm");
        assert_eq!(
            said("/proc/acpi ro,nosuid", "/proc/acpi ro"),
            "",
            "nothing is in it, or can be put there"
        );
    }

    #[test]
    fn options_of_file_systems_are_the_models_or_smaller() {
        let mounted = |kind: &str, options: &str| {
            mounts(&format!("1 0 0:9 / / rw - {kind} x {options}")).pop().expect("a mount")
        };
        for (kind, model, restored, word) in [
            ("proc", "rw,hidepid=invisible", "rw", "without hidepid=invisible"),
            ("proc", "rw,gid=5,subset=pid", "ro,subset=pid", "without gid=5"),
            ("tmpfs", "rw,size=64k,mode=755,inode64", "rw,mode=755,size=32k,seclabel", ""),
            ("tmpfs", "rw,size=64k", "rw,size=65k", "with size=65k"),
            ("tmpfs", "rw,size=64k", "rw", "without size=64k"),
            ("tmpfs", "rw", "rw,nr_inodes=7", "with nr_inodes=7"),
            ("tmpfs", "rw,size=64k", "rw,nr_inodes=1,size=64k", "with nr_inodes=1"),
            ("devpts", "rw,mode=620,ptmxmode=000", "rw,mode=620,ptmxmode=666", "with ptmxmode=666"),
        ] {
            let said = other_option(&mounted(kind, model), &mounted(kind, restored));
            let wanted = (!word.is_empty()).then(|| format!("a {kind} {word}"));
            assert_eq!(said, wanted, "{model}: {restored}");
        }
    }

    #[test]
    fn what_shows_more_than_the_model_is_refused() {
        let null = |place: &str| {
            said(
                &format!("0:41 /null {place} ro,nosuid - tmpfs"),
                &format!("0:5 /null {place} rw - devtmpfs"),
            )
        };
        assert_eq!(null("/proc/keys"), "");
        assert!(null("/proc/kcore").contains("a devtmpfs instead of a tmpfs"));
        assert!(said("/proc/acpi ro,nosuid", "/proc/acpi rw").contains("not ro at /proc/acpi"));
        assert!(said("/proc/scsi ro,nosuid", "/proc/scsi ro").contains("not nosuid at /proc/scsi"));
        assert!(said("/data ro", "/data rw").contains("not ro at /data"));
        assert!(said("8:2 /vol", "8:2 /").contains("/ of a ext4 instead of /vol at /data"));
        assert!(said("8:2 /vol", "8:3 /vol").contains("another ext4 at /data"));
        assert!(said("8:1 /img", "8:1 /").contains("at /"));
        assert!(said("- proc proc", "- sysfs sysfs").contains("a sysfs instead of a proc"));
        assert!(said("3 2 0:40 /sys /proc/sys ro,nosuid - proc proc rw\n", "").contains("/proc/sys"));
        assert!(said("4 1", "5 1 0:9 / /debug rw - debugfs x rw\n4 1").contains("does not have at /debug"));
        assert!(
            said("3 2 0:40", "3 1 0:40").contains("not on the one that its config has it on at /proc/sys")
        );
        assert!(said("noexec", "exec").contains("not noexec at /proc"));
        assert!(said("proc proc rw", "proc proc rw,subset=pid").contains("a proc with subset=pid"));
        assert!(said("0:40", "0:22").contains("another proc at /proc"), "the host's");
        assert!(
            said("0:40 /sys", "0:42 /sys").contains("another proc at /proc/sys"),
            "of another than its own"
        );
    }
}
