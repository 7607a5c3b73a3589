//! Id maps for an ordinary user's config that has a new user namespace and no maps (what `crun spec --rootless`
//! writes): the user is root inside, and the ids that /etc/subuid and /etc/subgid give him follow from 1 on.

use crate::error::{Error, Result};
use crate::host::subordinate::{self, ranges};
use crate::host::{self, survey};
use crate::spec::{IdMapping, Spec};
use crate::state::owner::UserNames;
use crate::sys::identity;

/// The maps of users and groups that the config lacks; none where it has them, or needs none.
pub fn missing(spec: &Spec, warnings: &mut Vec<Error>) -> Result<[Vec<IdMapping>; 2]> {
    let linux = spec.linux();
    let new = linux
        .namespaces
        .iter()
        .any(|namespace| &*namespace.kind == "user" && namespace.path.as_deref().is_none_or(str::is_empty));
    let has_maps = !linux.uid_mappings.is_empty() || !linux.gid_mappings.is_empty();
    if !new || has_maps {
        return Ok(Default::default());
    }
    if host::probe()?.administrator {
        // All ids that the caller has, as crun does it.
        let own = |file: &str| {
            let text = std::fs::read_to_string(file).map_err(|e| Error::io(format!("read {file}"), &e))?;
            Ok(text.lines().filter_map(identity_of).collect::<Vec<IdMapping>>())
        };
        let warning = Error::new("is missing for the new user namespace: all of the caller's ids are mapped");
        warnings.push(warning.field("/linux/uidMappings"));
        return Ok([own("/proc/self/uid_map")?, own("/proc/self/gid_map")?]);
    }
    let (uid, gid) = (identity::euid(), identity::egid());
    let name = UserNames::of_host().name(uid);
    // Without the helpers, an ordinary user can write only one id.
    let helpers = ["newuidmap", "newgidmap"].iter().all(|name| survey::program(name).is_some());
    let (uids, gids) = if helpers {
        (ranges(subordinate::UIDS, &name, uid), ranges(subordinate::GIDS, &name, uid))
    } else {
        Default::default()
    };
    Ok([maps(uid, &uids), maps(gid, &gids)])
}

/// A line of /proc/self/uid_map, each of whose ids is mapped to itself.
fn identity_of(line: &str) -> Option<IdMapping> {
    let mut numbers = line.split_whitespace().map(str::parse::<u32>);
    let (first, _, size) = (numbers.next()?.ok()?, numbers.next()?, numbers.next()?.ok()?);
    Some(IdMapping { container_id: first, host_id: first, size })
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
    fn ranges_follow_the_users_own_id() {
        let found = maps(1000, &[(100_000, 65536), (300_000, 10)]);
        let flat: Vec<_> = found.iter().map(|map| (map.container_id, map.host_id, map.size)).collect();
        assert_eq!(flat, [(0, 1000, 1), (1, 100_000, 65536), (65537, 300_000, 10)]);
        assert_eq!(maps(1000, &[(1, u32::MAX), (1, 1)]).len(), 1);
    }
}
