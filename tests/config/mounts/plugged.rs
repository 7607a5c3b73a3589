//! `mounts add --device` and `mounts remove --device`: a node of the host's in a running container, and the rule for it.

use crate::support::{Container, Ended, finish};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

/// A node of a driver that no machine has, with an owner of its own: what may be opened is "No such device", what may not is
/// "not permitted".
fn node(container: &Container, name: &str) -> PathBuf {
    let path = container.dir.join(name);
    let mut mknod = Command::new("mknod");
    mknod.arg("-m").arg("640").arg(&path).args(["c", "240", "5"]);
    finish(mknod).ok();
    std::os::unix::fs::chown(&path, Some(12), Some(34)).unwrap();
    path
}

fn sleeper() -> Container {
    Container::new().sh("exec sleep 1000").started()
}

fn mounts(container: &Container, verb: &str, device: &str) -> Ended {
    let mut ended = container.call(&["mounts", verb, "--device", device, &container.id]);
    ended.err = ended.err.replace("\\\"", "\"");
    ended
}

#[test]
fn a_device_comes_with_its_rule_and_goes_with_it() {
    let container = sleeper();
    let host = node(&container, "node");
    let host = host.to_str().unwrap();
    assert!(!container.opens("c 240 5"));
    mounts(&container, "add", &format!("{host}:/dev/snd/mine")).ok();
    assert_eq!(
        container.exec_sh("stat -c '%F %t:%T %a %u:%g' /dev/snd/mine").ok(),
        "character special file f0:5 640 12:34\n"
    );
    let said = container.exec_sh("head -c 1 /dev/snd/mine").fails();
    assert!(said.contains("No such device"), "{said}");
    // With access of one kind only, at another path.
    mounts(&container, "add", &format!("{host}:/dev/second:r")).ok();
    mounts(&container, "remove", "/dev/second").ok();
    assert!(container.opens("c 240 5"), "the first one's rule is still there");
    mounts(&container, "remove", "/dev/snd/mine").ok();
    container.exec_sh("test -e /dev/snd/mine").fails();
    assert!(!container.opens("c 240 5"));
    let error = mounts(&container, "remove", "/dev/snd/mine").fails();
    assert!(error.contains("--device") && error.contains("has made no node"), "{error}");
}

#[test]
fn access_is_as_it_was_asked_for() {
    let container = sleeper();
    let host = node(&container, "node");
    mounts(&container, "add", &format!("{}:/dev/mine:r", host.display())).ok();
    assert!(container.opens("c 240 5"));
    assert!(container.exec_sh("echo > /dev/mine").fails().contains("not permitted"));
}

#[test]
fn what_the_config_allows_stays_when_the_device_goes() {
    let container = Container::new().sh("exec sleep 1000").edit(|config| {
        let rule = json!({"allow": true, "type": "c", "major": 240, "minor": 5, "access": "rwm"});
        config["linux"]["resources"]["devices"].as_array_mut().unwrap().push(rule);
    });
    let container = container.started();
    let host = node(&container, "node");
    mounts(&container, "add", &format!("{}:/dev/mine", host.display())).ok();
    mounts(&container, "remove", "/dev/mine").ok();
    assert!(container.opens("c 240 5"));
}

#[test]
fn nothing_is_replaced_and_a_failure_leaves_nothing() {
    let container = sleeper();
    let host = node(&container, "node");
    container.exec_sh("echo mine > /dev/there; ln -s /tmp /dev/link").ok();
    for (inside, words) in
        [("/dev/there", "something is at this path"), ("/dev/link/x", "a symbolic link is in the way")]
    {
        let error = mounts(&container, "add", &format!("{}:{inside}", host.display())).fails();
        assert!(error.contains(words) && error.contains("--device"), "{inside}: {error}");
    }
    assert_eq!(container.exec_sh("cat /dev/there; ls /tmp").ok(), "mine\n");
    assert!(!container.opens("c 240 5"));
    let ended =
        container.with_a_fixed_record(|| mounts(&container, "add", &format!("{}:/dev/mine", host.display())));
    ended.fails();
    container.exec_sh("test -e /dev/mine").fails();
    assert!(!container.opens("c 240 5"));
}

#[test]
fn what_the_container_has_put_in_its_place_stays_and_the_rule_goes() {
    let container = sleeper();
    let host = node(&container, "node");
    mounts(&container, "add", &format!("{}:/dev/mine", host.display())).ok();
    container.exec_sh("rm /dev/mine; echo other > /dev/mine").ok();
    let ended = mounts(&container, "remove", "/dev/mine");
    assert!(ended.code == 0 && ended.err.contains("something else"), "{ended:?}");
    assert_eq!(container.exec_sh("cat /dev/mine").ok(), "other\n");
    assert!(!container.opens("c 240 5"));
    // One that is gone needs no word.
    mounts(&container, "add", &format!("{}:/dev/gone", host.display())).ok();
    container.exec_sh("rm /dev/gone").ok();
    let ended = mounts(&container, "remove", "/dev/gone");
    assert!(ended.code == 0 && ended.err.is_empty(), "{ended:?}");
}

#[test]
fn what_is_no_device_and_wrong_words_are_refused() {
    let container = sleeper();
    for (device, words) in [
        ("/etc/passwd", "is no device"),
        ("/nowhere/at/all", "no such file"),
        ("relative", "absolute paths"),
        ("/dev/null:relative:r", "absolute paths"),
        ("/dev/null:/dev/x:rx", "the letters r, w and m"),
        ("/dev/null:/dev/x:r:w", "the letters r, w and m"),
        ("/dev/null:/", "needs a path"),
    ] {
        let error = mounts(&container, "add", device).fails();
        assert!(error.contains("--device") && error.contains(words), "{device}: {error}");
    }
    for arguments in [
        &["mounts", "add", &container.id][..],
        &["mounts", "add", "--device", "/dev/null", &container.id, "file"],
    ] {
        let error = container.call(arguments).fails();
        assert!(error.contains("--device"), "{error}");
    }
    let mapped = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    let other = Container::new().sh("exec sleep 1000").namespace("user", None).edit(|config| {
        config["linux"]["uidMappings"] = mapped.clone();
        config["linux"]["gidMappings"] = mapped;
    });
    let created = other.create();
    if created.code != 0 {
        skip!("no container with a user namespace here: {}", created.err);
    }
    let error = mounts(&other, "add", "/dev/null:/dev/mine").fails();
    assert!(error.contains("user namespace") && error.contains("bind the host's node"), "{error}");
}

#[test]
fn no_path_leaves_the_containers_root() {
    let container = sleeper();
    let host = node(&container, "node");
    let outside = container.dir.join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, container.rootfs().join("way")).unwrap();
    mounts(&container, "add", &format!("{}:/way/mine", host.display())).fails();
    mounts(&container, "add", &format!("{}:/../../../../../..{}/mine", host.display(), outside.display()))
        .ok();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

/// On the host it would stay when the container is gone.
#[test]
fn no_node_is_made_in_a_volume() {
    let container = Container::new().sh("exec sleep 1000");
    let volume = container.dir.join("volume");
    fs::create_dir_all(volume.join("inner")).unwrap();
    let source = volume.to_str().unwrap().to_owned();
    let container = container
        .edit(|config| {
            let bind = json!({"destination": "/vol", "source": source, "options": ["rbind"]});
            let tmpfs = json!({"destination": "/vol/inner", "type": "tmpfs", "source": "tmpfs"});
            config["mounts"].as_array_mut().unwrap().extend([bind, tmpfs]);
        })
        .started();
    let host = node(&container, "node");
    let file = container.dir.join("mounts.json");
    fs::write(&file, json!([{"destination": "/more", "source": source, "options": ["bind"]}]).to_string())
        .unwrap();
    container.call(&["mounts", "add", &container.id, file.to_str().unwrap()]).ok();
    for inside in ["/vol/x", "/vol/a/../x", "/vol/made/x", "/more/x", "/sys/x"] {
        let error = mounts(&container, "add", &format!("{}:{inside}", host.display())).fails();
        assert!(
            error.contains("outlive the container") && error.contains("such as /dev"),
            "{inside}: {error}"
        );
    }
    assert!(!container.opens("c 240 5"));
    assert_eq!(fs::read_dir(&volume).unwrap().count(), 1, "nothing but the directory that was there");
    for inside in ["/vol/inner/x", "/volx", "/dev/x"] {
        mounts(&container, "add", &format!("{}:{inside}", host.display())).ok();
    }
    assert_eq!(fs::read_dir(volume.join("inner")).unwrap().count(), 0);
}

/// Whatever instant the command is killed at, the node can be taken away, or made by the next one.
#[test]
fn a_command_that_is_killed_leaves_no_node_that_nothing_knows() {
    let container = sleeper();
    let host = node(&container, "node");
    let device = format!("{}:/dev/mine", host.display());
    let mut left = 0;
    for micros in (0..6000).step_by(150) {
        let mut child =
            container.command(&["mounts", "add", "--device", &device, &container.id]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(micros));
        child.kill().unwrap();
        child.wait().unwrap();
        let made = container.exec_sh("test -e /dev/mine").code == 0;
        left += u32::from(made);
        if made && micros % 300 == 0 && !container.opens("c 240 5") {
            mounts(&container, "add", &device).ok();
        }
        let removed = mounts(&container, "remove", "/dev/mine");
        assert!(
            removed.code == 0 || !made && removed.err.contains("has made no node"),
            "{micros}: {removed:?}"
        );
        container.exec_sh("test -e /dev/mine").fails();
        assert!(!container.opens("c 240 5"), "{micros}");
    }
    eprintln!("{left} commands had made the node");
}
