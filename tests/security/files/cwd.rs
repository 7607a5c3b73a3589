//! process.cwd is the image's as far as links and permissions go: nothing is made behind a door that is closed to the
//! program.

use crate::support::Container;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::PathBuf;

/// An ordinary user without capabilities, as engines make it.
fn ordinary(cwd: &str) -> Container {
    Container::new().sh("pwd").edit(|c| {
        c["process"]["cwd"] = cwd.into();
        c["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        c["process"]["capabilities"] = json!({});
    })
}

fn directory(container: &Container, name: &str, mode: u32, owner: (u32, u32)) -> PathBuf {
    let path = container.rootfs().join(name);
    fs::create_dir(&path).unwrap();
    chown(&path, Some(owner.0), Some(owner.1)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// Root is 100000 on the host; so are its files.
fn in_user_namespace(config: &mut Value) {
    config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
    for map in ["uidMappings", "gidMappings"] {
        config["linux"][map] = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
    }
}

#[track_caller]
fn assert_refused(container: &Container, closed: &PathBuf) {
    let err = container.run().fails();
    assert!(err.contains("/process/cwd") && err.contains("permission denied"), "{err}");
    assert!(fs::read_dir(closed).unwrap().next().is_none(), "something was made");
    container.assert_gone();
}

#[test]
fn no_directory_is_made_where_the_user_may_not_search() {
    for cwd in ["/closed/a/b", "/closed/a", "/way/a"] {
        let container = ordinary(cwd);
        let closed = directory(&container, "closed", 0o700, (0, 0));
        symlink("/closed", container.rootfs().join("way")).unwrap();
        assert_refused(&container, &closed);
    }
}

#[test]
fn nor_in_a_user_namespace() {
    let container = ordinary("/closed/a/b").edit(in_user_namespace);
    chown(container.rootfs(), Some(100_000), Some(100_000)).unwrap();
    let closed = directory(&container, "closed", 0o700, (100_000, 100_000));
    assert_refused(&container, &closed);
    let container = ordinary("/open/a/b").edit(in_user_namespace);
    chown(container.rootfs(), Some(100_000), Some(100_000)).unwrap();
    directory(&container, "open", 0o711, (100_000, 100_000));
    assert_eq!(container.run().ok(), "/open/a/b\n");
    assert_eq!(container.rootfs().join("open/a/b").metadata().unwrap().uid(), 100_000);
}

#[test]
fn nor_for_a_root_that_has_no_capabilities() {
    let container = ordinary("/closed/a").edit(|c| c["process"]["user"] = json!({"uid": 0, "gid": 0}));
    let closed = directory(&container, "closed", 0o700, (1000, 1000));
    assert_refused(&container, &closed);
    let container = Container::new().sh("pwd").edit(|c| c["process"]["cwd"] = "/closed/a".into());
    directory(&container, "closed", 0o700, (1000, 1000));
    assert_eq!(container.run().ok(), "/closed/a\n");
}

#[test]
fn what_is_missing_is_made_by_root_where_the_user_may_search() {
    let cases: [(u32, (u32, u32)); 4] =
        [(0o711, (0, 0)), (0o700, (1000, 0)), (0o710, (0, 1000)), (0o710, (0, 2000))];
    for (mode, owner) in cases {
        let container =
            ordinary("/open/a/b").edit(|c| c["process"]["user"]["additionalGids"] = json!([2000]));
        directory(&container, "open", mode, owner);
        assert_eq!(container.run().ok(), "/open/a/b\n", "{mode:o} {owner:?}");
        let made = container.rootfs().join("open/a/b").metadata().unwrap();
        assert_eq!((made.uid(), made.gid(), made.mode() & 0o7777), (0, 0, 0o755));
    }
}

#[test]
fn the_groups_of_the_caller_open_no_door() {
    let container = ordinary("/closed/a");
    let closed = directory(&container, "closed", 0o710, (0, 0));
    assert_refused(&container, &closed);
}

/// As with runc: volumes that only root may enter, and those that only their owner may.
#[test]
fn a_directory_that_exists_is_entered_by_root_if_the_user_may_not() {
    for owner in [(0, 0), (1000, 1000)] {
        let container = ordinary("/closed");
        directory(&container, "closed", 0o700, owner);
        assert_eq!(container.run().ok(), "/closed\n");
    }
}

/// The rights for a moment leave nothing behind.
#[test]
fn the_process_is_what_it_would_be_without_a_missing_directory() {
    let status = "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs)' /proc/self/status";
    for user in [json!({"uid": 0, "gid": 0}), json!({"uid": 1000, "gid": 1000, "additionalGids": [7]})] {
        let of = |cwd: &str| {
            let container = ordinary(cwd).sh(status).edit(|c| {
                c["process"]["user"] = user.clone();
                let some = json!(["CAP_KILL", "CAP_CHOWN"]);
                c["process"]["capabilities"] =
                    json!({"bounding": some, "effective": some, "permitted": some});
            });
            container.run().ok()
        };
        assert_eq!(of("/not/there"), of("/"));
    }
}
