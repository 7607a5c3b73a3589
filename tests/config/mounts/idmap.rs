//! Binds whose owners are mapped: uidMappings, the container's own mapping, crun's `idmap=`.

use crate::mounts::in_user_namespace;
use crate::support::Container;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::chown;

/// The ids in a container of a directory whose files belong to 0:0, 5:6 and 1000:1000 on the disk.
fn seen(container: Container, options: &[&str], more: Value) -> Result<String, String> {
    let source = container.dir.join("source");
    fs::create_dir(&source).unwrap();
    for (name, uid, gid) in [("a", 0, 0), ("b", 5, 6), ("c", 1000, 1000)] {
        fs::write(source.join(name), "").unwrap();
        chown(source.join(name), Some(uid), Some(gid)).unwrap();
    }
    let mut mount = json!({"destination": "/x", "type": "bind", "source": source, "options": options});
    mount.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let container = container
        .edit(|config| config["mounts"].as_array_mut().unwrap().push(mount))
        .sh("for f in a b c; do stat -c %u:%g /x/$f; done | tr '\\n' ' '");
    let ended = container.run();
    if ended.code == 0 { Ok(ended.out.trim().to_owned()) } else { Err(ended.err) }
}

fn plain(options: &[&str], more: Value) -> Result<String, String> {
    seen(Container::new(), options, more)
}

fn inside(options: &[&str], more: Value) -> Result<String, String> {
    seen(in_user_namespace(Container::new()), options, more)
}

#[test]
fn own_mappings_are_ids_of_the_host() {
    let map = json!([{"containerID": 0, "hostID": 3000, "size": 10}]);
    let own = json!({"uidMappings": map, "gidMappings": map});
    for options in [&["bind", "idmap"][..], &["rbind", "ridmap"], &["bind"]] {
        assert_eq!(plain(options, own.clone()).unwrap(), "3000:3000 3005:3006 65534:65534");
    }
    let map = json!([{"containerID": 0, "hostID": 100_050, "size": 10}]);
    assert_eq!(
        inside(&["bind", "idmap"], json!({"uidMappings": map, "gidMappings": map})).unwrap(),
        "50:50 55:56 65534:65534"
    );
}

#[test]
fn without_a_mapping_the_containers_own_is_taken() {
    for option in ["idmap", "ridmap", "idmap="] {
        assert_eq!(inside(&["rbind", option], json!({})).unwrap(), "0:0 5:6 1000:1000", "{option}");
    }
    // Without any option the host's owners show, which have no ids here.
    assert_eq!(inside(&["rbind"], json!({})).unwrap(), "65534:65534 65534:65534 65534:65534");
}

#[test]
fn a_mapping_in_the_option_is_as_crun_has_it() {
    let absolute = "idmap=uids=0-1000-5#5-2000-1;gids=0-3000-10";
    assert_eq!(plain(&["bind", absolute], json!({})).unwrap(), "1000:3000 2000:3006 65534:65534");
    let relative = "ridmap=uids=@0-10-6;gids=@0-20-7";
    assert_eq!(inside(&["rbind", relative], json!({})).unwrap(), "10:20 15:26 65534:65534");
    let mixed = "idmap=uids=@0-10-5#5-100077-1;gids=0-100020-7";
    assert_eq!(inside(&["rbind", mixed], json!({})).unwrap(), "10:20 77:26 65534:65534");
}

#[test]
fn the_mapping_of_a_user_namespace_that_is_joined_is_taken() {
    let first = in_user_namespace(Container::new()).sh("sleep 1000").started();
    let path = format!("/proc/{}/ns/user", first.pid());
    let container = in_user_namespace(Container::new()).namespace("user", Some(&path)).edit(|config| {
        let linux = config["linux"].as_object_mut().unwrap();
        linux.remove("uidMappings");
        linux.remove("gidMappings");
    });
    assert_eq!(seen(container, &["rbind", "idmap"], json!({})).unwrap(), "0:0 5:6 1000:1000");
}

#[test]
fn a_mapping_that_cannot_be_is_refused_by_its_field() {
    let map = json!([{"containerID": 0, "hostID": 3000, "size": 10}]);
    for (options, more, word) in [
        (vec!["bind", "idmap"], json!({}), "without a mapping"),
        (vec!["bind", "idmap=uids=0-1-2"], json!({}), "both uids and gids"),
        (vec!["bind", "idmap=uids=0-1;gids=0-1-2"], json!({}), "three numbers"),
        (vec!["bind", "idmap=x=0-1-2"], json!({}), "other than uids and gids"),
        (vec!["bind", "idmap=uids=@0-1-2;gids=0-1-2"], json!({}), "no single mapping"),
        (vec!["bind", "idmap=uids=0-1-0;gids=0-1-2"], json!({}), "empty range"),
        (
            vec!["bind", "idmap=uids=0-1-2;gids=0-1-2"],
            json!({"uidMappings": map, "gidMappings": map}),
            "another one",
        ),
        (vec!["bind", "idmap"], json!({"uidMappings": map}), "both"),
    ] {
        let err = plain(&options, more).unwrap_err();
        assert!(err.contains("/mounts/7") && err.contains(word), "{options:?}: {err}");
    }
    let err = inside(&["bind", "idmap=uids=@65530-65530-10;gids=@0-0-1"], json!({})).unwrap_err();
    assert!(err.contains("no single mapping"), "{err}");
}
