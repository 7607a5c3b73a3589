//! Where a container's cgroup is: one directory in each hierarchy, decided once, recorded with the state.
//!
//! The path comes from `linux.cgroupsPath`. Threat: a path that climbs out of the hierarchy's mount (`..`) would
//! let a config write limits and processes anywhere, so `..` is refused, not resolved. `files/held.rs` opens the path
//! below the mount, without following links.

use crate::error::{Error, Kind, Result};
use crate::host::cgroups::{Hierarchy, Layout, Mount};
use serde::{Deserialize, Serialize};
use std::fs;

/// A container's directories, one for each hierarchy; enough to find them again without the config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    pub legs: Vec<Leg>,
    /// The unit of systemd's that it is, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
}

/// A container's directory in one hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    pub version: Version,
    /// v1 only: the controllers mounted together, or the hierarchy's name (`name=systemd`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controllers: Vec<String>,
    pub mount: String,
    /// Below the mount, without a slash at either end, never empty.
    pub path: String,
    /// The inode number of the directory, from when it is made: kernfs gives none twice until the machine starts anew. What
    /// has the path and another number is another group, however like it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
}

/// A scope of systemd's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// "prefix-name.scope".
    pub name: String,
    pub slice: String,
    /// The D-Bus address of the manager that it belongs to.
    pub bus: String,
    /// It is an ordinary user's manager, not the machine's.
    #[serde(default)]
    pub users: bool,
    /// The group below it that the container's processes are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<String>,
    /// The group below that one which is the container's to manage, and which its processes are in then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated: Option<String>,
    /// systemd has made it for this container. Before that a unit of this name may be another's.
    #[serde(default)]
    pub made: bool,
    /// systemd has said that it does not make it.
    #[serde(skip)]
    pub refused: bool,
}

impl Unit {
    /// Where its processes are, below its own directory.
    pub fn inner(&self) -> Option<String> {
        let below = self.below.as_ref()?;
        Some(self.delegated.as_ref().map_or(below.clone(), |delegated| format!("{below}/{delegated}")))
    }
}

/// The version of a hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    V1,
    V2,
}

impl Leg {
    /// The directory's path on the host.
    pub fn directory(&self) -> String {
        format!("{}/{}", self.mount.trim_end_matches('/'), self.path)
    }

    /// Whether systemd may keep processes in this hierarchy itself. It leaves cpuset, freezer, hugetlb, net_cls, perf_event,
    /// rdma and misc of v1 alone.
    pub fn is_systemds(&self) -> bool {
        const KEPT: [&str; 7] = ["name=systemd", "cpu", "cpuacct", "memory", "blkio", "devices", "pids"];
        self.version == Version::V2 || KEPT.iter().any(|controller| self.has(controller))
    }

    /// Whether systemd looks in this hierarchy for what a unit is.
    pub fn is_of_units(&self) -> bool {
        self.version == Version::V2 || self.has("name=systemd")
    }

    pub(super) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|c| c == controller)
    }
}

impl Location {
    /// The directories at these paths, in each hierarchy that has one: asked for the controllers (none: cgroup v2) and the
    /// mount.
    pub fn in_each(
        layout: &Layout,
        path: impl Fn(&[String], &Mount) -> Result<Option<String>>,
    ) -> Result<Location> {
        let v1 = layout.hierarchies.iter().map(|one| (Version::V1, &one.controllers[..], &one.mount));
        let v2 = layout.unified.iter().map(|mount| (Version::V2, &[][..], mount));
        let mut legs = Vec::new();
        for (version, controllers, mount) in v1.chain(v2) {
            if let Some(path) = path(controllers, mount)? {
                let (controllers, mount) = (controllers.to_vec(), mount.path.clone());
                legs.push(Leg { version, controllers, mount, path, inode: None });
            }
        }
        Ok(Location { legs, unit: None })
    }

    /// Whether another group at its path can be recognised. It cannot with a record of 0.1.0.
    pub fn is_known_by_inode(&self) -> bool {
        self.legs.iter().all(|leg| leg.inode.is_some())
    }

    /// On cgroup v2 alone.
    pub fn is_unified(&self) -> bool {
        self.legs.iter().all(|leg| leg.version == Version::V2)
    }

    /// Whether its processes are born in it, and enter none of it by a file: cgroup v2, and a scope where systemd itself
    /// keeps all of its directories.
    pub fn is_entered_by_birth(&self) -> bool {
        self.is_unified() || (self.unit.is_some() && self.legs.iter().all(Leg::is_of_units))
    }

    /// Whether both are at one path in any hierarchy, be it one group or two.
    pub fn meets(&self, other: &Location) -> bool {
        let place = |leg: &Leg| (leg.mount.clone(), leg.path.clone());
        self.legs.iter().any(|leg| other.legs.iter().any(|theirs| place(theirs) == place(leg)))
    }

    /// The one hierarchy that can freeze, and on which every process of a container is: the v1 freezer, or v2.
    pub fn freezer(&self) -> Location {
        Location { legs: self.freezing_leg().cloned().into_iter().collect(), unit: None }
    }

    pub(super) fn freezing_leg(&self) -> Option<&Leg> {
        let unified = |leg: &&Leg| leg.version == Version::V2;
        self.legs.iter().find(|leg| leg.has("freezer")).or_else(|| self.legs.iter().find(unified))
    }

    /// The hierarchies that a recorded cgroup is in, without asking the host for its mounts.
    pub fn layout(&self) -> Layout {
        let mut layout = Layout::default();
        for leg in &self.legs {
            let mount = Mount { path: leg.mount.clone(), root: "/".to_owned() };
            match leg.version {
                Version::V1 => {
                    layout.hierarchies.push(Hierarchy { controllers: leg.controllers.clone(), mount })
                }
                Version::V2 => layout.unified = Some(mount),
            }
        }
        layout
    }
}

/// Decides where the cgroup of container `id` is.
///
/// An absolute `cgroups_path` begins at the mount of each hierarchy. A relative one, or the id where there is no
/// path, begins at the caller's own cgroup on v1 and at its parent on v2 (a v2 cgroup with processes cannot hand
/// controllers to children), as runc does.
///
/// What looks like a slice of systemd's (`slice:prefix:name`) is the name of a directory: engines that have not been told of
/// systemd write it.
///
/// Errors: `..` in the path, an empty path after normalising.
pub fn locate(layout: &Layout, cgroups_path: Option<&str>, id: &str) -> Result<Location> {
    let own = match cgroups_path {
        Some(path) if path.starts_with('/') => String::new(),
        _ => membership("self").map_err(|e| e.doing("finding the caller's own cgroup"))?,
    };
    place(layout, cgroups_path, id, &own)
}

/// The text of /proc/`process`/cgroup.
pub fn membership(process: &str) -> Result<String> {
    let path = format!("/proc/{process}/cgroup");
    fs::read_to_string(&path).map_err(|e| Error::io(format!("read {path}"), &e))
}

/// The directory on the host of the caller's own cgroup, in the hierarchy that has this controller, or in cgroup v2.
pub fn own_directory(layout: &Layout, controller: Option<&str>) -> Option<String> {
    let membership = membership("self").ok()?;
    let has = |names: &[String]| names.iter().any(|name| Some(&**name) == controller);
    let mount = match controller {
        None => layout.unified.as_ref()?,
        Some(_) => &layout.hierarchies.iter().find(|hierarchy| has(&hierarchy.controllers))?.mount,
    };
    let below = inside(mount, own_cgroup(&membership, controller.unwrap_or_default())?).ok()?;
    Some(format!("{}/{below}", mount.path).trim_end_matches('/').to_owned())
}

/// [`locate`] with the text of /proc/self/cgroup given; it is not looked at for an absolute path.
fn place(layout: &Layout, cgroups_path: Option<&str>, id: &str, membership: &str) -> Result<Location> {
    let wanted = cgroups_path.unwrap_or_default();
    let path = match cgroups_path {
        None | Some("") => normal(id)?,
        Some(path) => normal(path)?,
    };
    if path.is_empty() {
        return Err(refused(wanted, "the root of the hierarchy cannot be the cgroup of a container")
            .remedy("name a directory below it"));
    }
    Location::in_each(layout, |controllers, mount| {
        if wanted.starts_with('/') {
            return Ok(Some(path.clone()));
        }
        let own = own_cgroup(membership, controllers.first().map_or("", String::as_str)).unwrap_or("/");
        let own = inside(mount, if layout.is_unified() { parent(own) } else { own })?;
        Ok(Some(if own.is_empty() { path.clone() } else { format!("{own}/{path}") }))
    })
}

fn refused(path: &str, reason: &'static str) -> Error {
    Error::new(reason).kind(Kind::Config).field("/linux/cgroupsPath").value(path)
}

/// With the mount before it, and a file's name after it, a path must stay below PATH_MAX.
const LONGEST_PATH: usize = 3072;
const LONGEST_NAME: usize = 255;

/// The components of a path, joined by one slash each.
fn normal(path: &str) -> Result<String> {
    let components: Vec<&str> = path.split('/').filter(|c| !c.is_empty() && *c != ".").collect();
    if components.contains(&"..") {
        return Err(
            refused(path, "a cgroup path must not contain \"..\"").remedy("write the path without it")
        );
    }
    if path.contains('\0') || path.contains('\n') {
        return Err(refused(path, "a cgroup path must not contain a newline or a NUL character"));
    }
    let path = components.join("/");
    if path.len() > LONGEST_PATH || components.iter().any(|component| component.len() > LONGEST_NAME) {
        // Shown in part: all of it would bury the message.
        let begin: String = path.chars().take(80).collect();
        return Err(refused(&begin, "the cgroup path is too long")
            .remedy("use at most 3072 bytes, and 255 in one name"));
    }
    Ok(path)
}

/// A process's cgroup in the hierarchy of a v1 controller, or in the unified one (""), as /proc/self/cgroup
/// says. Lines are `number:controllers:path`.
pub(super) fn own_cgroup<'a>(membership: &'a str, controller: &str) -> Option<&'a str> {
    membership.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        controllers.split(',').any(|c| c == controller).then_some(path)
    })
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(front, _)| front)
}

/// A cgroup as seen below the mount point; the mount may show only a part of the hierarchy.
pub(super) fn inside(mount: &Mount, own: &str) -> Result<String> {
    let root = mount.root.trim_end_matches('/');
    let own = match own.strip_prefix(root) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
        _ => own,
    };
    if own.split('/').any(|c| c == "..") {
        return Err(Error::new("the caller's own cgroup is outside its cgroup namespace")
            .value(own)
            .remedy("give an absolute /linux/cgroupsPath"));
    }
    normal(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "4:memory:/box/inner\n1:cpu,cpuacct:/\n0::/user/shell\n";

    fn hybrid() -> Layout {
        let mount =
            |name: &str, root: &str| Mount { path: format!("/sys/fs/cgroup/{name}"), root: root.into() };
        let cpu =
            Hierarchy { controllers: vec!["cpu".into(), "cpuacct".into()], mount: mount("cpu,cpuacct", "/") };
        let memory = Hierarchy { controllers: vec!["memory".into()], mount: mount("memory", "/box") };
        Layout { hierarchies: vec![cpu, memory], unified: Some(mount("unified", "/")) }
    }

    fn unified() -> Layout {
        Layout::v2("/sys/fs/cgroup")
    }

    fn paths(location: &Location) -> Vec<String> {
        location.legs.iter().map(Leg::directory).collect()
    }

    #[test]
    fn an_absolute_path_begins_at_every_mount() {
        let at = place(&hybrid(), Some("//docker/./abc/"), "id", "").unwrap();
        assert_eq!(
            paths(&at),
            [
                "/sys/fs/cgroup/cpu,cpuacct/docker/abc",
                "/sys/fs/cgroup/memory/docker/abc",
                "/sys/fs/cgroup/unified/docker/abc"
            ]
        );
        let at = place(&unified(), Some("/docker/abc"), "id", "").unwrap();
        assert_eq!(paths(&at), ["/sys/fs/cgroup/docker/abc"]);
        assert!(matches!(&at.legs[..], [Leg { version: Version::V2, .. }]));
    }

    #[test]
    fn no_path_means_the_id_below_the_callers_cgroup_on_v1_and_beside_it_on_v2() {
        let at = place(&hybrid(), None, "id", OWN).unwrap();
        assert_eq!(
            paths(&at),
            [
                "/sys/fs/cgroup/cpu,cpuacct/id",
                "/sys/fs/cgroup/memory/inner/id",
                "/sys/fs/cgroup/unified/user/shell/id"
            ]
        );
        assert_eq!(paths(&place(&unified(), Some(""), "id", OWN).unwrap()), ["/sys/fs/cgroup/user/id"]);
        assert_eq!(paths(&place(&unified(), Some("a/b"), "id", "0::/\n").unwrap()), ["/sys/fs/cgroup/a/b"]);
    }

    #[test]
    fn a_cgroup_path_cannot_leave_the_mount() {
        for path in ["../x", "/..", "/a/../../b", "a/..", "/", "//.", "/a\n/b"] {
            let error = place(&unified(), Some(path), "id", "0::/\n").unwrap_err();
            assert_eq!(error.detail().field.as_deref(), Some("/linux/cgroupsPath"), "{path}");
            assert_eq!(error.detail().kind, Kind::Config);
        }
        let found = place(&unified(), Some("/system.slice:rr:x"), "id", "0::/\n").unwrap();
        assert_eq!(paths(&found), ["/sys/fs/cgroup/system.slice:rr:x"]);
    }

    #[test]
    fn a_caller_outside_of_its_cgroup_namespace_needs_an_absolute_path() {
        assert!(place(&unified(), None, "id", "0::/../other/x\n").is_err());
        assert!(place(&unified(), Some("/a"), "id", "0::/../other/x\n").is_ok());
    }

    #[test]
    fn a_location_survives_the_state_file() {
        let at = place(&hybrid(), Some("/a"), "id", "").unwrap();
        let text = serde_json::to_string(&at).unwrap();
        assert_eq!(serde_json::from_str::<Location>(&text).unwrap(), at);
    }
}
