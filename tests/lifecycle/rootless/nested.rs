//! Root of a user namespace of their own (`unshare --user`, podman without root): every capability, over little.

use crate::support::{Container, Ended, finish};
use std::process::Stdio;

/// `run` below unshare(1) with these options, as the container's user.
fn below_unshare(container: &Container, options: &[&str], before: &str) -> Ended {
    container.write_config();
    let line = format!(
        "{before} exec {} --root {} run --bundle {} {}",
        container.binary().display(),
        container.state_root().display(),
        container.bundle().display(),
        container.id
    );
    let mut command = container.as_user("unshare");
    command.args(["--user", "--map-root-user"]).args(options).args(["sh", "-c", &line]).stdin(Stdio::null());
    finish(command)
}

/// The config names no user namespace: the one around is enough.
fn without_own(container: Container) -> Container {
    container.without_namespace("user").edit(|config| {
        let linux = config["linux"].as_object_mut().expect("linux");
        linux.remove("uidMappings");
        linux.remove("gidMappings");
    })
}

const LOOK: &str = "id -u; stat -c %t:%T /dev/null; ls /proc | grep -c '^1$'; [ -d /sys/class ] && echo sys";

#[test]
fn it_runs_a_container_in_its_own_mount_namespace_without_a_further_user_namespace() {
    let container = without_own(Container::ordinary()).sh(LOOK);
    let ended = below_unshare(&container, &["--mount"], "");
    assert_eq!((&*ended.out, &*ended.err), ("0\n1:3\n1\nsys\n", ""));
}

#[test]
fn it_runs_a_container_in_the_hosts_mount_namespace_too() {
    let container = without_own(Container::ordinary()).sh(LOOK);
    let ended = below_unshare(&container, &[], "");
    assert_eq!((&*ended.out, &*ended.err), ("0\n1:3\n1\nsys\n", ""));
}

#[test]
fn user_namespaces_nest() {
    for options in [&["--mount"][..], &[]] {
        let container = Container::ordinary()
            .sh(&format!("{LOOK}; set -- $(cat /proc/self/uid_map); echo $*"))
            .edit(|config| {
                for map in ["uidMappings", "gidMappings"] {
                    config["linux"][map] = serde_json::json!([{"containerID": 0, "hostID": 0, "size": 1}]);
                }
            });
        let ended = below_unshare(&container, options, "");
        assert_eq!((&*ended.out, &*ended.err), ("0\n1:3\n1\nsys\n0 0 1\n", ""), "unshare {options:?}");
    }
}

#[test]
fn device_rules_are_the_kernels_affair_there() {
    let container =
        without_own(Container::ordinary()).sh("mknod /d c 1 3 2>/dev/null || echo refused").edit(|config| {
            config["linux"]["resources"] =
                serde_json::json!({"devices": [{"allow": false, "access": "rwm"}]});
        });
    let ended = below_unshare(&container, &["--mount"], "");
    assert_eq!((&*ended.out, &*ended.err), ("refused\n", ""));
}
