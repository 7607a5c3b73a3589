//! Who is joined: a first process that has gone into a user namespace of its own making is not followed, one that stays
//! in the container's is.

use crate::canary::in_user_namespace;
use crate::support::{Container, Ended, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn program(container: &Container, path: &str, text: &str) {
    let file = container.rootfs().join(path);
    fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// An image with a trusted program, and one that an ordinary user puts in its place.
fn with_programs(container: Container) -> Container {
    program(&container, "bin/trusted", "echo TRUSTED $(id -u)");
    program(&container, "bin/evil", "echo EVIL $(id -u)");
    fs::create_dir_all(container.rootfs().join("data")).unwrap();
    for open in ["tmp", "data"] {
        fs::set_permissions(container.rootfs().join(open), fs::Permissions::from_mode(0o777)).unwrap();
    }
    container.edit(|config| {
        config["linux"].as_object_mut().unwrap().remove("seccomp");
    })
}

/// Its first process is an ordinary user's, who may make a user namespace.
fn ordinary(container: Container, script: &str) -> Option<Container> {
    let container = with_programs(container.sh(script)).edit(|config| {
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    });
    let container = container.started();
    let said =
        || ["moved", "refused"].into_iter().find(|name| container.rootfs().join("tmp").join(name).exists());
    wait_until("the first process has moved", || said().is_some());
    (said() == Some("moved")).then_some(container)
}

fn add(container: &Container) -> Ended {
    let file = container.dir.join("mounts.json");
    fs::write(&file, json!([{"destination": "/data", "type": "tmpfs", "source": "tmpfs"}]).to_string())
        .unwrap();
    container.call(&["mounts", "add", &container.id, file.to_str().unwrap()])
}

fn trusted(container: &Container) -> Ended {
    container.call(&["exec", "--user", "0", &container.id, "/bin/trusted"])
}

/// Each with what the user namespace gives it besides.
const MOVES: [&str; 2] = [
    "unshare -Ur -m sh -c 'mount --bind /bin/evil /bin/trusted && touch /tmp/moved && exec sleep 1000' || touch /tmp/refused
        exec sleep 1000",
    "unshare -Ur -n sh -c 'touch /tmp/moved && exec sleep 1000' || touch /tmp/refused; exec sleep 1000",
];

fn attack(make: fn() -> Container) {
    for script in MOVES {
        // The first process itself has to move.
        let script = script.replacen("unshare", "exec unshare", 1);
        let Some(container) = ordinary(make(), &script) else {
            crate::skip!("an ordinary user may make no user namespace here");
        };
        let ended = trusted(&container);
        assert!(!ended.out.contains("EVIL") && !ended.out.contains("TRUSTED"), "{ended:?}");
        assert!(ended.fails().contains("has left the container's user namespace"), "{script}");
        if script.contains("-m") {
            assert!(add(&container).fails().contains("has left the container's user namespace"), "{script}");
            let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", container.pid())).unwrap();
            assert!(mounts.contains("/bin/trusted") && !mounts.contains(" /data "), "{mounts}");
        }
        container.call(&["kill", &container.id, "KILL"]).ok();
        container.wait_for_status("stopped");
        container.call(&["delete", &container.id]).ok();
        container.assert_gone();
    }
}

#[test]
fn exec_does_not_follow_an_ordinary_user_into_a_user_namespace() {
    attack(Container::new);
}

#[test]
fn nor_where_the_container_has_a_user_namespace_of_its_own() {
    attack(|| in_user_namespace(Container::new()));
}

/// Who may do so in the container's own user namespace gives itself another mount namespace.
#[test]
fn a_first_process_that_stays_in_the_containers_user_namespace_is_followed() {
    let plain: fn() -> Container = Container::new;
    for make in [plain, || in_user_namespace(Container::new())] {
        let script = "exec unshare -m sh -c 'mount --bind /bin/evil /bin/trusted && touch /tmp/moved; exec sleep 1000'";
        let container = with_programs(make().sh(script)).edit(|config| {
            for set in ["bounding", "effective", "permitted"] {
                config["process"]["capabilities"][set].as_array_mut().unwrap().push(json!("CAP_SYS_ADMIN"));
            }
        });
        let container = container.started();
        wait_until("the first process has moved", || container.rootfs().join("tmp/moved").exists());
        assert_eq!(trusted(&container).ok(), "EVIL 0\n");
        add(&container).ok();
        let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", container.pid())).unwrap();
        assert!(mounts.contains(" /data "), "{mounts}");
    }
}

/// As a record of 0.1.0, which noted none.
#[test]
fn a_record_without_user_namespaces_gets_them_at_the_first_command() {
    let plain: fn() -> Container = Container::new;
    for make in [plain, || in_user_namespace(Container::new())] {
        for command in [trusted as fn(&Container) -> Ended, add] {
            let container = with_programs(make().args(&["sleep", "1000"])).started();
            let file = container.state_root().join(&container.id).join("state.json");
            let read = || serde_json::from_slice::<Value>(&fs::read(&file).unwrap()).unwrap();
            let mut record = read();
            let noted = record.as_object_mut().unwrap().remove("user_namespaces").unwrap();
            fs::write(&file, record.to_string()).unwrap();
            command(&container).ok();
            assert_eq!(read()["user_namespaces"], noted);
        }
    }
}

/// Namespaces of another container, which belong to another user namespace.
#[test]
fn a_container_with_namespaces_of_a_container_in_a_user_namespace_is_joined() {
    let other = in_user_namespace(Container::new().args(&["sleep", "1000"])).started();
    let path = format!("/proc/{}/ns/net", other.pid());
    let container =
        with_programs(Container::new().args(&["sleep", "1000"])).namespace("network", Some(&path));
    let container = container.started();
    assert_eq!(trusted(&container).ok(), "TRUSTED 0\n");
}
