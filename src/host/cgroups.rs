//! Which cgroup hierarchies this host has mounted, and where.
//!
//! On a unified host this costs one statfs(2): mountinfo takes a lock that every mount in the machine takes too,
//! so the common path must not read it. Only v1 and hybrid hosts pay for it, once.
//!
//! Mount points found here are trusted as the kernel's own answer; nothing is looked up by guessing names.

use super::mountinfo::{lines, table, unescape};
use crate::error::{Error, Kind, Result};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

/// Where the hierarchies are usually mounted.
pub const MOUNT: &str = "/sys/fs/cgroup";

/// Controllers that a v1 mount may carry. The options of a v1 mount mix them with flags (`rw`, `xattr`,
/// `clone_children` …), so only a list distinguishes them.
const V1_CONTROLLERS: [&str; 14] = [
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
    "pids",
    "net_cls",
    "net_prio",
    "perf_event",
    "hugetlb",
    "rdma",
    "misc",
];

/// The hierarchies of this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// cgroup v1.
    pub hierarchies: Vec<Hierarchy>,
    /// cgroup v2: alone, or beside v1 on a hybrid host.
    pub unified: Option<Mount>,
}

/// One v1 hierarchy: the controllers that are mounted together, or a named one without any (`name=systemd`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    pub controllers: Vec<String>,
    pub mount: Mount,
}

/// A mount of a hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The mount point.
    pub path: String,
    /// The directory of the hierarchy that is visible at the mount point: `/`, except where a container got
    /// only its own part of the hierarchy bind-mounted.
    pub root: String,
}

impl Layout {
    /// cgroup v2 alone, mounted here as a whole.
    pub fn v2(path: impl Into<String>) -> Layout {
        let mount = Mount { path: path.into(), root: "/".to_owned() };
        Layout { hierarchies: Vec::new(), unified: Some(mount) }
    }

    /// The mount of cgroup v2 where it is alone, and so controls the resources.
    pub fn only_v2(&self) -> Option<&Mount> {
        self.unified.as_ref().filter(|_| self.hierarchies.is_empty())
    }

    pub fn is_unified(&self) -> bool {
        self.only_v2().is_some()
    }

    /// True if a v1 hierarchy has this controller.
    pub fn has_v1(&self, controller: &str) -> bool {
        self.hierarchies.iter().any(|h| h.controllers.iter().any(|c| c == controller))
    }
}

/// Finds the hierarchies. Errors: no cgroup file system is mounted; mountinfo is unreadable.
pub fn detect() -> Result<Layout> {
    if statfs(MOUNT).is_ok_and(|s| s.filesystem_type() == CGROUP2_SUPER_MAGIC) {
        return Ok(Layout::v2(MOUNT));
    }
    from_mountinfo(&table("self").map_err(|e| e.doing("finding the cgroup mounts"))?)
}

/// Finds the hierarchies in the text of proc_pid_mountinfo(5).
pub fn from_mountinfo(table: &str) -> Result<Layout> {
    let Layout { mut hierarchies, mut unified } = Layout::default();
    for line in lines(table) {
        let mount = Mount { path: unescape(line.point), root: unescape(line.root) };
        match line.kind {
            "cgroup2" if preferred(unified.as_ref(), &mount) => unified = Some(mount),
            "cgroup" => {
                let controllers: Vec<String> = line
                    .options
                    .split(',')
                    .filter(|o| V1_CONTROLLERS.contains(o) || o.starts_with("name="))
                    .map(str::to_owned)
                    .collect();
                match hierarchies.iter_mut().find(|h| h.controllers == controllers) {
                    Some(known) if preferred(Some(&known.mount), &mount) => known.mount = mount,
                    Some(_) => {}
                    None if controllers.is_empty() => {}
                    None => hierarchies.push(Hierarchy { controllers, mount }),
                }
            }
            _ => {}
        }
    }
    if hierarchies.is_empty() && unified.is_none() {
        return Err(Error::new("no cgroup file system is mounted")
            .kind(Kind::Unsupported)
            .remedy("mount -t cgroup2 none /sys/fs/cgroup, or use --cgroup-manager disabled"));
    }
    Ok(Layout { hierarchies, unified })
}

/// A hierarchy may be mounted more than once (containers with a cgroup mount show up in the host's table):
/// the usual place wins, then the first.
fn preferred(known: Option<&Mount>, found: &Mount) -> bool {
    let usual = |m: &Mount| m.path.starts_with(MOUNT);
    known.is_none_or(|known| !usual(known) && usual(found))
}

/// Where file systems of this kind are mounted by their top directory, in the order of the kernel's table.
pub fn mounts_of(kind: &str) -> Result<Vec<String>> {
    let table = table("thread-self").map_err(|e| e.doing(format!("finding the mounts of {kind}")))?;
    let found = lines(&table).filter(|line| line.kind == kind && line.root == "/");
    Ok(found.map(|line| unescape(line.point)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /docker/x /srv/c1/sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
36 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/a\\040b rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
";

    #[test]
    fn a_hybrid_table_gives_every_hierarchy_and_the_v2_leg() {
        let Layout { hierarchies, unified } = from_mountinfo(HYBRID).unwrap();
        assert_eq!(unified.unwrap().path, "/sys/fs/cgroup/unified");
        let found: Vec<_> =
            hierarchies.iter().map(|h| (h.controllers.join(","), h.mount.path.as_str())).collect();
        assert_eq!(
            found,
            [
                ("cpu,cpuacct".to_owned(), "/sys/fs/cgroup/cpu,cpuacct"),
                ("memory".to_owned(), "/sys/fs/cgroup/memory"),
                ("name=systemd".to_owned(), "/sys/fs/cgroup/a b"),
            ]
        );
    }

    #[test]
    fn a_table_with_only_cgroup2_is_unified_wherever_it_is_mounted() {
        let table = "41 31 0:38 / /run/cg rw - cgroup2 cgroup2 rw\n";
        assert_eq!(from_mountinfo(table).unwrap(), Layout::v2("/run/cg"));
    }

    #[test]
    fn a_table_without_cgroups_is_an_error_with_a_remedy() {
        let error = from_mountinfo("23 1 8:1 / / rw - ext4 /dev/sda1 rw\n").unwrap_err();
        assert_eq!(error.detail().kind, Kind::Unsupported);
        assert!(error.to_string().contains("mount -t cgroup2"), "{error}");
    }
}
