//! Id maps for an ordinary user's config that has a new user namespace and no maps (what `crun spec --rootless`
//! writes): the user is root inside, and the ids that /etc/subuid and /etc/subgid give him follow from 1 on.

use crate::error::Result;
use crate::host;
use crate::spec::{IdMapping, Spec};
use crate::state::owner::Owners;
use crate::sys::identity;
use std::path::Path;

/// Gives the config its maps, if it is an ordinary user's and has none.
pub fn complete(spec: &mut Spec) -> Result<()> {
    let Some(linux) = &mut spec.linux else { return Ok(()) };
    let new = linux
        .namespaces
        .iter()
        .any(|namespace| &*namespace.kind == "user" && namespace.path.as_deref().is_none_or(str::is_empty));
    let has_maps = !linux.uid_mappings.is_empty() || !linux.gid_mappings.is_empty();
    if !new || has_maps || host::probe()?.administrator {
        return Ok(());
    }
    let (uid, gid) = (identity::euid(), identity::egid());
    let name = Owners::of_host().name(uid);
    // Without their helpers, nobody can write more than one id.
    let helpers = ["newuidmap", "newgidmap"].iter().all(|program| in_path(program));
    let (uids, gids) = if helpers {
        (ranges("/etc/subuid", &name, uid), ranges("/etc/subgid", &name, uid))
    } else {
        Default::default()
    };
    linux.uid_mappings = maps(uid, &uids);
    linux.gid_mappings = maps(gid, &gids);
    Ok(())
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// (first, count) of each line for this user. A file that cannot be read gives nothing.
fn ranges(file: &str, name: &str, uid: u32) -> Vec<(u32, u32)> {
    let text = std::fs::read_to_string(Path::new(file)).unwrap_or_default();
    parse(&text, name, uid)
}

fn parse(text: &str, name: &str, uid: u32) -> Vec<(u32, u32)> {
    let range = |line: &str| {
        let mut parts = line.trim().split(':');
        let who = parts.next()?;
        let whose = who == name || who.parse() == Ok(uid);
        let (first, count) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        (whose && count > 0).then_some((first, count))
    };
    text.lines().filter_map(range).collect()
}

/// The user's own id, then one range after the other.
fn maps(own: u32, ranges: &[(u32, u32)]) -> Vec<IdMapping> {
    let mut maps = vec![IdMapping { container_id: 0, host_id: own, size: 1 }];
    let mut next = 1u32;
    for &(host_id, size) in ranges {
        let Some(after) = next.checked_add(size) else { break };
        maps.push(IdMapping { container_id: next, host_id, size });
        next = after;
    }
    maps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_of_a_user_are_found_by_name_and_by_number() {
        let text = "other:1:2\nme:100000:65536\n\nbroken\n1000:200000:10\nme:5:0\n";
        assert_eq!(parse(text, "me", 1000), [(100_000, 65536), (200_000, 10)]);
        assert!(parse(text, "you", 7).is_empty());
    }

    #[test]
    fn ranges_follow_the_users_own_id() {
        let found = maps(1000, &[(100_000, 65536), (300_000, 10)]);
        let flat: Vec<_> = found.iter().map(|map| (map.container_id, map.host_id, map.size)).collect();
        assert_eq!(flat, [(0, 1000, 1), (1, 100_000, 65536), (65537, 300_000, 10)]);
        assert_eq!(maps(1000, &[(1, u32::MAX), (1, 1)]).len(), 1);
    }
}
