//! Mounts of type cgroup: with and without a cgroup namespace, read-only and writable, on both kinds of hosts, and
//! in a user namespace (CVE-2023-25809).

use crate::mounts::in_user_namespace;
use crate::support::mountinfo::{MountLine, all_mounts};
use crate::support::{Container, is_v2};
use serde_json::json;

/// Tries to make a group in each cgroup mount, then shows them.
const TRY: &str = "for d in $(awk '$5 ~ \"^/sys/fs/cgroup\" {print $5}' /proc/self/mountinfo); do
        [ -e $d/cgroup.procs ] || continue
        mkdir $d/rr-made 2>/dev/null && echo MADE $d && busybox rmdir $d/rr-made
    done
    cat /proc/self/cgroup /proc/self/mountinfo";

fn container(own_namespace: bool, option: &str) -> Container {
    let container = Container::new().sh(TRY).edit(|config| {
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| mount["type"] != "cgroup");
        mounts.push(json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
            "options": ["nosuid", "noexec", "nodev", "relatime", option]}));
    });
    if own_namespace { container.namespace("cgroup", None) } else { container.without_namespace("cgroup") }
}

/// The mounts of hierarchies.
fn hierarchies(out: &str) -> Vec<MountLine> {
    all_mounts(out)
        .into_iter()
        .filter(|mount| mount.point.starts_with("/sys/fs/cgroup") && mount.kind != "tmpfs")
        .collect()
}

#[test]
fn the_four_combinations_show_and_allow_what_they_say() {
    for own_namespace in [true, false] {
        for option in ["ro", "rw"] {
            let container = container(own_namespace, option);
            let out = container.run().ok();
            let what = format!("own namespace: {own_namespace}, {option}");
            let found = hierarchies(&out);
            assert!(!found.is_empty(), "{what}: {out}");
            for mount in &found {
                assert!(mount.has(option) && mount.has("nosuid") && mount.has("noexec"), "{what}: {mount:?}");
                let kind = if is_v2() { "cgroup2" } else { "cgroup" };
                assert_eq!(mount.kind, kind, "{what}");
                // Without a namespace, v2 shows the hierarchy, and v1 the container's group of each.
                let root = match (own_namespace, is_v2()) {
                    (false, false) => format!("/{}", container.id),
                    _ => "/".to_owned(),
                };
                assert_eq!(mount.root, root, "{what}: {mount:?}");
            }
            let writable = option == "rw";
            assert_eq!(out.contains("MADE /sys/fs/cgroup"), writable, "{what}: {out}");
            let path = if own_namespace { ":/\n".to_owned() } else { format!(":/{}\n", container.id) };
            assert!(out.contains(&path), "{what}: {out}");
            container.assert_gone();
        }
    }
}

#[test]
fn a_user_namespace_without_a_cgroup_namespace_can_write_nothing_on_v2() {
    for option in ["ro", "rw"] {
        let container = in_user_namespace(container(false, option));
        // The helper takes the mount away.
        let container = container.edit(|config| {
            let mount = json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                "options": ["nosuid", "noexec", "nodev", option]});
            config["mounts"].as_array_mut().unwrap().push(mount);
        });
        let out = container.run().ok();
        assert!(!out.contains("MADE"), "{option}: {out}");
        for mount in hierarchies(&out).iter().filter(|_| is_v2()) {
            assert!(mount.has("ro"), "{option}: {mount:?}");
        }
        container.assert_gone();
    }
}

#[test]
fn a_user_namespace_with_a_cgroup_namespace_has_its_own_hierarchy() {
    let container = in_user_namespace(container(true, "rw")).edit(|config| {
        let mount = json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
            "options": ["nosuid", "noexec", "nodev", "rw"]});
        config["mounts"].as_array_mut().unwrap().push(mount);
    });
    let out = container.run().ok();
    let found = hierarchies(&out);
    assert!(!found.is_empty(), "{out}");
    // Root of the namespace does not own the group: it sees it, and makes nothing in it.
    assert!(found.iter().all(|mount| mount.root == "/"), "{found:?}");
    assert!(!out.contains("MADE"), "{out}");
    container.assert_gone();
}
