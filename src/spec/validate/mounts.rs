//! `mounts`: destinations, sources, options that contradict each other, owners' mappings.

use super::Facts;
use super::findings::{At, Findings, ROOT, has_nul};
use super::namespaces::{Held, is_mapped, mappings};
use crate::names::{Atime, Effect, mount_option};
use crate::spec::{Mount, Spec};

/// Whether a mount shows something that exists instead of a new filesystem.
pub fn is_bind(mount: &Mount) -> bool {
    matches!(mount.kind.as_deref(), Some("bind" | "rbind"))
        || mount.options.iter().any(|o| &**o == "bind" || &**o == "rbind")
}

pub fn mounts(f: &mut Findings, spec: &Spec, facts: &Facts) {
    let held = Held::of(spec);
    let at = ROOT.key("mounts");
    for (i, mount) in spec.mounts.iter().enumerate() {
        let at = at.index(i);
        destination(f, &at.key("destination"), &mount.destination);
        let words = options(f, &at.key("options"), mount);
        origin(f, &at, mount, &words);
        id_mapping(f, &at, mount, &words, &held, facts);
        owners(f, &at.key("options"), mount, spec, &held);
    }
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
    copy_up: bool,
    propagation: Option<&'m str>,
    /// The first option that is data for the filesystem.
    data: Option<&'m str>,
}

fn options<'m>(f: &mut Findings, at: &At, mount: &'m Mount) -> Words<'m> {
    let mut words = Words { bind: mount.kind.as_deref() == Some("bind"), ..Words::default() };
    let (mut set, mut cleared) = (0u64, 0u64);
    let mut atime: Option<Atime> = None;
    for (i, option) in mount.options.iter().enumerate() {
        let at = at.index(i);
        let Some(effect) = mount_option(option) else {
            f.no_nul(&at, option);
            if option.starts_with("idmap=") || option.starts_with("ridmap=") {
                // As data of a bind mount it would be ignored, and the owners would be the host's.
                f.refuse(
                    &at,
                    option,
                    "is not a form of idmap that is known here",
                    "use uidMappings and gidMappings",
                );
            }
            words.data = words.data.or(Some(option));
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
            f.warn(&at, option, "contradicts an option before it: this one counts");
        }
        match effect {
            Effect::Bind { .. } => words.bind = true,
            Effect::Remount => words.remount = true,
            Effect::IdMap { .. } => words.id_map = true,
            Effect::TmpCopyUp => words.copy_up = true,
            _ => {}
        }
    }
    words
}

fn origin(f: &mut Findings, at: &At, mount: &Mount, words: &Words) {
    let kind = mount.kind.as_deref().unwrap_or_default();
    let source = mount.source.as_deref().unwrap_or_default();
    f.no_nul(&at.key("type"), kind);
    f.no_nul(&at.key("source"), source);
    if words.bind {
        if source.is_empty() && !words.remount {
            f.refuse_field(&at.key("source"), "is missing or empty", "say what the bind mount shows");
        }
        if let Some(data) = words.data {
            f.warn(&at.key("options"), data, "means nothing to a bind mount: ignored");
        }
    } else if (kind.is_empty() || kind == "none") && !words.remount && words.propagation.is_none() {
        f.refuse_field(&at.key("type"), "is missing", "name a filesystem type, or add the option \"bind\"");
    }
    if words.copy_up && kind != "tmpfs" {
        f.warn(&at.key("options"), "tmpcopyup", "works on a tmpfs alone: ignored");
    }
}

fn id_mapping(f: &mut Findings, at: &At, mount: &Mount, words: &Words, held: &Held, facts: &Facts) {
    let (uids, gids) = (&mount.uid_mappings, &mount.gid_mappings);
    mappings(f, &at.key("uidMappings"), uids);
    mappings(f, &at.key("gidMappings"), gids);
    if !words.id_map && uids.is_empty() && gids.is_empty() {
        return;
    }
    if !words.bind {
        let remedy = "add the option \"bind\", or remove the mapping";
        f.refuse_field(at, "is id-mapped and not a bind mount", remedy);
    }
    if facts.unprivileged {
        f.refuse_field(
            at,
            "is id-mapped, which an ordinary user may not do",
            "remove the mapping, or run as root",
        );
    }
    match (uids.is_empty(), gids.is_empty()) {
        (true, true) if !held.has(libc::CLONE_NEWUSER as u64) => {
            let remedy = "add uidMappings and gidMappings to the mount, or a user namespace";
            f.refuse_field(at, "is id-mapped without a mapping", remedy);
        }
        (true, false) => f.refuse_field(&at.key("uidMappings"), "is missing beside gidMappings", "give both"),
        (false, true) => f.refuse_field(&at.key("gidMappings"), "is missing beside uidMappings", "give both"),
        _ => {}
    }
}

/// tmpfs and devpts resolve `uid=` and `gid=` in the user namespace: an unmapped id is EINVAL there.
fn owners(f: &mut Findings, at: &At, mount: &Mount, spec: &Spec, held: &Held) {
    let Some(linux) = &spec.linux else { return };
    if !held.makes(libc::CLONE_NEWUSER as u64) || !matches!(mount.kind.as_deref(), Some("tmpfs" | "devpts")) {
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
