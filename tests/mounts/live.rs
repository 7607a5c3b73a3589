//! `mounts add` and `mounts remove`, as crun has them.

use crate::support::mountinfo::{all_mounts, mount_at};
use crate::support::{Container, Ended, RRUNTIME, finish};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

pub const STAY: &str = "while :; do sleep 60; done";

/// `mounts VERB` with this list.
pub fn mounts(container: &Container, verb: &str, list: Value) -> Ended {
    let file = container.dir.join("mounts.json");
    fs::write(&file, list.to_string()).unwrap();
    container.call(&["mounts", verb, &container.id, file.to_str().unwrap()])
}

pub fn mountinfo(container: &Container) -> String {
    container.exec_sh("cat /proc/self/mountinfo").ok()
}

fn points(container: &Container) -> Vec<String> {
    all_mounts(&mountinfo(container)).into_iter().map(|mount| mount.point).collect()
}

/// A directory beside the bundle, with a file in it.
fn source(container: &Container) -> PathBuf {
    let directory = container.dir.join("source");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("text"), "from the host").unwrap();
    directory
}

fn in_user_namespace(container: Container) -> Container {
    let container = container.namespace("user", None).edit(|config| {
        let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "cgroup");
    });
    let mut chown = std::process::Command::new("chown");
    assert!(chown.args(["-hR", "100000:100000"]).arg(container.rootfs()).status().unwrap().success());
    container
}

#[test]
fn file_systems_and_binds_come_and_go() {
    let container = Container::new().sh(STAY).started();
    let source = source(&container);
    let list = json!([
        {"destination": "/scratch/deep", "type": "tmpfs", "source": "mine", "options": ["size=1m", "nosuid", "ro"]},
        {"destination": "/data", "type": "bind", "source": source, "options": ["rbind", "ro", "nodev"]},
        {"destination": "/file", "type": "bind", "source": source.join("text"), "options": ["bind"]},
    ]);
    assert_eq!(mounts(&container, "add", list.clone()).ok(), "");
    let table = mountinfo(&container);
    let scratch = mount_at(&table, "/scratch/deep");
    assert!(scratch.kind == "tmpfs" && scratch.source == "mine" && scratch.has("ro") && scratch.has("nosuid"));
    assert!(scratch.superblock.iter().any(|option| option == "size=1024k"), "{scratch:?}");
    let data = mount_at(&table, "/data");
    assert!(data.has("ro") && data.has("nodev"), "{data:?}");
    assert_eq!(container.exec_sh("cat /data/text /file").ok(), "from the hostfrom the host");
    assert_eq!(mounts(&container, "remove", list).ok(), "");
    let left = points(&container);
    assert!(!left.iter().any(|point| ["/scratch/deep", "/data", "/file"].contains(&&**point)), "{left:?}");
    assert!(source.join("text").exists());
}
