//! `mounts`: destinations, sources, options that contradict each other, owners' mappings.

use super::circumstances::Circumstances;
use super::namespaces::{Held, is_mapped, mappings};
use crate::names::namespaces::USER;
use crate::names::{Atime, Effect, MOUNT_OPTIONS, mount_option, nearest};
use crate::spec::destination::is_root;
use crate::spec::findings::{At, Findings, has_nul};
use crate::spec::idmap::{self, OptionMap};
use crate::spec::{Mount, Spec};

/// Whether a mount shows something that exists instead of a new filesystem.
pub fn is_bind(mount: &Mount) -> bool {
    matches!(mount.kind.as_deref(), Some("bind" | "rbind"))
        || mount.options.iter().any(|o| &**o == "bind" || &**o == "rbind")
}

/// The mounts of a list at `at`, for the container of `spec`.
pub fn list(f: &mut Findings, at: At, mounts: &[Mount], spec: &Spec, facts: &Circumstances) {
    let held = Held::of(spec);
    f.each(at, mounts, |f, at, mount| {
        destination(f, &at.key("destination"), &mount.destination);
        let words = options(f, &at.key("options"), mount);
        if is_root(&mount.destination) && words.covers(mount) {
            let reason = "is the root, which is mounted already: no process would see this mount";
            let remedy =
                "set root.path to use another root, root.readonly or the option remount to change its flags";
            f.refuse(&at.key("destination"), &mount.destination, reason, remedy);
        }
        origin(f, at, mount, &words);
        id_mapping(f, at, mount, &words, (spec, &held), facts);
        owners(f, &at.key("options"), mount, spec, &held);
    });
}

fn destination(f: &mut Findings, at: &At, destination: &str) {
    if destination.is_empty() {
        return f.refuse_field(at, "is missing or empty", "give an absolute path in the container");
    }
    if !destination.starts_with('/') {
        f.warn(at, destination, "is not an absolute path (deprecated): taken relative to /");
    }
    f.no_nul(at, destination);
}

/// What the options of one mount say.
#[derive(Default)]
struct Words<'m> {
    bind: bool,
    remount: bool,
    id_map: bool,
    /// The mapping behind `idmap=`, if there is one.
    option_map: OptionMap,
    copy_up: bool,
    /// The first option that is about links, and the first `r` flag of a superblock.
    links: Option<(usize, &'m str)>,
    recursive_flag: Option<(usize, &'m str)>,
    flag: Option<(usize, &'m str)>,
    propagation: Option<&'m str>,
    /// The first option that is data for the filesystem.
    data: Option<(usize, &'m str)>,
}

impl Words<'_> {
    /// Whether it is a new mount, not a change of an existing one.
    fn covers(&self, mount: &Mount) -> bool {
        !self.remount && (self.bind || !matches!(mount.kind.as_deref(), None | Some("" | "none")))
    }
}

fn options<'m>(f: &mut Findings, at: &At, mount: &'m Mount) -> Words<'m> {
    let mut words = Words { bind: is_bind(mount), ..Words::default() };
    let (mut set, mut cleared) = (0u64, 0u64);
    let mut atime: Option<Atime> = None;
    for (i, option) in mount.options.iter().enumerate() {
        let at = at.index(i);
        if option.is_empty() {
            f.warn(&at, option, "is empty: ignored");
            continue;
        }
        let Some(effect) = mount_option(option) else {
            f.no_nul(&at, option);
            words.data = words.data.or(Some((i, option)));
            continue;
        };
        let contradicts = match effect {
            Effect::Set(bits) => {
                set |= bits;
                cleared & bits != 0
            }
            Effect::Clear(bits) => {
                cleared |= bits;
                set & bits != 0
            }
            Effect::Atime(mode) => atime.replace(mode).is_some_and(|earlier| earlier != mode),
            Effect::Propagation { .. } => words.propagation.replace(option).is_some_and(|p| p != &**option),
            _ => false,
        };
        if contradicts {
            f.warn(&at, option, "contradicts an earlier option: the later one applies");
        }
        match effect {
            Effect::Remount => words.remount = true,
            Effect::IdMap { .. } => {
                words.id_map = true;
                option_map(f, &at, option, &mut words.option_map);
            }
            Effect::Links(_) => words.links = words.links.or(Some((i, option))),
            Effect::Superblock(_) => words.flag = words.flag.or(Some((i, option))),
            Effect::RecSuperblock(_) => words.recursive_flag = words.recursive_flag.or(Some((i, option))),
            Effect::TmpCopyUp => words.copy_up = true,
            _ => {}
        }
    }
    words
}

fn option_map(f: &mut Findings, at: &At, option: &str, map: &mut OptionMap) {
    match option.split_once('=').map(|(_, text)| idmap::parse(text)) {
        None => {}
        Some(Ok(parsed)) => *map = parsed,
        Some(Err(error)) => {
            let detail = error.detail();
            f.refuse(at, option, detail.reason.clone(), detail.remedy.clone().unwrap_or_default());
        }
    }
}

fn origin(f: &mut Findings, at: &At, mount: &Mount, words: &Words) {
    let kind = mount.kind.as_deref().unwrap_or_default();
    let source = mount.source.as_deref().unwrap_or_default();
    let options = at.key("options");
    f.no_nul(&at.key("type"), kind);
    f.no_nul(&at.key("source"), source);
    if words.bind {
        if source.is_empty() && !words.remount {
            f.refuse_field(&at.key("source"), "is missing or empty", "name the file or directory to bind");
        }
        if let Some((i, data)) = words.data {
            let meant = nearest(data, MOUNT_OPTIONS.iter().map(|option| option.name));
            let remedy = meant.map_or_else(|| "remove it".into(), |name| format!("did you mean {name:?}?"));
            f.refuse(&options.index(i), data, "is no option of a bind mount", remedy);
        }
        if let Some((i, flag)) = words.flag.filter(|_| !words.remount) {
            f.warn(&options.index(i), flag, "applies to the file system, not to a bind mount of it: ignored");
        }
        if let Some((i, flag)) = words.recursive_flag {
            let reason = "is a flag of the file system, which a bind mount cannot change";
            f.refuse(&options.index(i), flag, reason, "mount the file system with this flag on the host");
        }
    }
    if let Some((i, option)) = words.links.filter(|_| !words.bind || words.remount) {
        f.warn(&options.index(i), option, "applies only to a new bind mount: ignored");
    }
    if !words.bind && (kind.is_empty() || kind == "none") && !words.remount && words.propagation.is_none() {
        let remedy = "name a filesystem type, or add the option \"bind\"";
        match words.data.and_then(|(i, data)| Some((i, data, nearest(data, ["bind", "rbind"].into_iter())?)))
        {
            Some((i, data, meant)) => {
                let remedy = format!("did you mean {meant:?}?");
                f.refuse(&options.index(i), data, "is no option of a mount without a type", remedy);
            }
            None if kind.is_empty() => f.refuse_field(&at.key("type"), "is missing", remedy),
            None => f.refuse(&at.key("type"), kind, "stands for no file system", remedy),
        }
    }
    if words.copy_up && kind != "tmpfs" {
        f.warn(&at.key("options"), "tmpcopyup", "applies only to a tmpfs: ignored");
    }
}

fn id_mapping(
    f: &mut Findings,
    at: &At,
    mount: &Mount,
    words: &Words,
    (spec, held): (&Spec, &Held),
    facts: &Circumstances,
) {
    let (uids, gids) = (&mount.uid_mappings, &mount.gid_mappings);
    mappings(f, &at.key("uidMappings"), uids);
    mappings(f, &at.key("gidMappings"), gids);
    if !words.id_map && uids.is_empty() && gids.is_empty() {
        return;
    }
    if !words.bind {
        let remedy = "add the option \"bind\", or remove the mapping";
        f.refuse_field(at, "is id-mapped but not a bind mount", remedy);
    }
    if facts.unprivileged {
        let remedy = "remove the mapping, or run as root";
        f.refuse_field(at, "is id-mapped, which an ordinary user may not do", remedy);
    }
    let option = &words.option_map;
    if !option.uids.is_empty() {
        if !uids.is_empty() || !gids.is_empty() {
            let reason = "has a mapping in its options and another one in uidMappings";
            f.refuse_field(at, reason, "keep one of them");
        }
        return option_ranges(f, &at.key("options"), option, spec);
    }
    let mut both = |key, reason| f.refuse_field(&at.key(key), reason, "set both");
    match (uids.is_empty(), gids.is_empty()) {
        (true, true) if !held.has(USER) => {
            let remedy = "add uidMappings and gidMappings to the mount, or a user namespace";
            f.refuse_field(at, "is id-mapped without a mapping", remedy);
        }
        (true, false) => both("uidMappings", "is missing, but gidMappings is set"),
        (false, true) => both("gidMappings", "is missing, but uidMappings is set"),
        _ => {}
    }
}

/// What the kernel will be given for the ranges of an option.
fn option_ranges(f: &mut Findings, at: &At, option: &OptionMap, spec: &Spec) {
    let own = spec.linux();
    for (ranges, own) in [(&option.uids, &own.uid_mappings), (&option.gids, &own.gid_mappings)] {
        match idmap::resolve(ranges, own) {
            Ok(ranges) => mappings(f, at, &ranges),
            Err(error) => {
                let detail = error.detail();
                f.refuse_field(at, detail.reason.clone(), detail.remedy.clone().unwrap_or_default());
            }
        }
    }
}

/// tmpfs and devpts resolve `uid=` and `gid=` in the user namespace: an unmapped id is EINVAL there.
fn owners(f: &mut Findings, at: &At, mount: &Mount, spec: &Spec, held: &Held) {
    let linux = spec.linux();
    if !held.makes(USER) || !matches!(mount.kind.as_deref(), Some("tmpfs" | "devpts")) {
        return;
    }
    for (i, option) in mount.options.iter().enumerate() {
        let (id, ranges) = match option.split_once('=') {
            Some(("uid", id)) => (id, &linux.uid_mappings),
            Some(("gid", id)) => (id, &linux.gid_mappings),
            _ => continue,
        };
        if let Ok(id) = id.parse::<u32>()
            && !is_mapped(ranges, id)
            && !has_nul(option)
        {
            let remedy = "remove it, or map the id";
            f.refuse(&at.index(i), option, "names an id that the user namespace does not map", remedy);
        }
    }
}
