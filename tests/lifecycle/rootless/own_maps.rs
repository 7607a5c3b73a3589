//! A config with a user namespace and no maps, as `crun spec --rootless` writes it.

use super::ranges::ranges;
use crate::support::Container;
use crate::support::ordinary::ordinary_ids;
use serde_json::Value;

const SHOW: &str =
    "for f in uid gid; do while read line; do set -- $line; echo $*; done < /proc/self/${f}_map; done";

fn without_maps(config: &mut Value) {
    let linux = config["linux"].as_object_mut().expect("the config has linux");
    linux.remove("uidMappings");
    linux.remove("gidMappings");
}

#[test]
fn the_user_alone_is_mapped_where_no_ids_are_allotted() {
    let container = Container::ordinary().sh(SHOW).edit(without_maps);
    let (uid, gid) = ordinary_ids();
    assert_eq!(container.run().ok(), format!("0 {uid} 1\n0 {gid} 1\n"));
}

#[test]
fn the_ids_that_are_allotted_follow() {
    let Some(ranges) = ranges() else { crate::skip!("nothing can be allotted here") };
    let container = Container::ordinary().with_ranges(&ranges).sh(SHOW).edit(without_maps);
    let (uid, gid) = ordinary_ids();
    let (first, count) = ranges.allotted;
    let expected = format!("0 {uid} 1\n1 {first} {count}\n0 {gid} 1\n1 {first} {count}\n");
    assert_eq!(container.run().ok(), expected);
}

#[test]
fn exec_and_mounts_work_in_it() {
    let container = Container::ordinary().sh("sleep 1000").edit(without_maps).started();
    assert_eq!(container.exec_sh("id -u").ok(), "0\n");
    let file = container.dir.join("mounts.json");
    let source = container.dir.join("source");
    std::fs::create_dir(&source).expect("the directory is writable");
    let list = serde_json::json!([
        {"destination": "/x", "type": "tmpfs", "source": "x"},
        {"destination": "/y", "type": "bind", "source": source, "options": ["rbind", "ro"]},
    ]);
    std::fs::write(&file, list.to_string()).expect("the directory is writable");
    let file = file.to_str().expect("a path");
    container.call(&["mounts", "add", &container.id, file]).ok();
    let out =
        container.exec_sh("touch /x/file; touch /y/file; grep -e ' /x ' -e ' /y ' /proc/self/mountinfo").ok();
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(!source.join("file").exists());
    container.call(&["mounts", "remove", &container.id, file]).ok();
    assert_eq!(container.exec_sh("grep -c ' /x ' /proc/self/mountinfo").out, "0\n");
}
