//! From processes to files and back.

use super::{checkpoint, count, counting, counts_on, images, needs_criu, restore, running, started};
use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, wait_until};
use serde_json::json;
use std::fs;

#[test]
fn a_process_that_counts_goes_on_counting() {
    needs_criu!();
    let container = started(counting());
    checkpoint(&container, &[]).ok();
    assert_nothing_left(&container);
    let before = count(&container);
    restore(&container, &[]).ok();
    counts_on(&container, before);
    assert_eq!(container.status(), "running");
    assert_eq!(container.exec_sh("echo $((1+1))").ok().trim(), "2");
    container.call(&["pause", &container.id]).ok();
    assert_eq!(container.status(), "paused");
    container.call(&["resume", &container.id]).ok();
    assert!(container.call(&["ps", &container.id]).ok().contains("while"));
    assert!(container.call(&["events", "--stats", &container.id]).ok().contains("\"pids\""));
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id]).ok();
    assert_nothing_left(&container);
}

#[test]
fn it_can_be_restored_in_another_runtime_root_and_once_more() {
    needs_criu!();
    let container = started(counting());
    checkpoint(&container, &[]).ok();
    let other = Container::new();
    fs::remove_dir_all(other.rootfs()).unwrap();
    fs::rename(container.rootfs(), other.rootfs()).unwrap();
    fs::rename(images(&container), images(&other)).unwrap();
    let other = other.edit(|config| *config = container.config.clone());
    other.write_config();
    for _ in 0..2 {
        let before = count(&other);
        restore(&other, &[]).ok();
        counts_on(&other, before);
        checkpoint(&other, &[]).ok();
        assert_nothing_left(&other);
    }
}

#[test]
fn a_container_that_is_left_running_runs_and_can_be_restored_later() {
    needs_criu!();
    let container = started(counting());
    checkpoint(&container, &["--leave-running"]).ok();
    let then = count(&container);
    counts_on(&container, then);
    container.call(&["delete", "--force", &container.id]).ok();
    restore(&container, &[]).ok();
    wait_until("it counts on", || count(&container) > 3);
}

#[test]
fn a_restored_container_is_new_in_everything_that_is_the_hosts() {
    needs_criu!();
    let hook = |kind: &str, dir: &std::path::Path| json!([{"path": "/bin/sh", "args": ["sh", "-c", format!("cat > {}/{kind}", dir.display())]}]);
    let container = counting();
    let dir = container.dir.clone();
    let container = container.edit(|config| {
        if crate::support::has_controller("pids") {
            config["linux"]["resources"]["pids"] = json!({"limit": 40});
        }
        let kinds =
            ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
        config["hooks"] = kinds
            .iter()
            .filter(|kind| **kind != "startContainer")
            .map(|kind| ((*kind).to_owned(), hook(kind, &dir)))
            .collect::<serde_json::Map<_, _>>()
            .into();
    });
    let container = started(container);
    let first = container.state();
    checkpoint(&container, &[]).ok();
    assert!(dir.join("poststop").exists(), "what is checkpointed is deleted");
    for kind in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        fs::remove_file(dir.join(kind)).unwrap();
    }
    let pid_file = dir.join("pid");
    restore(&container, &["--pid-file", pid_file.to_str().unwrap()]).ok();
    let now = container.state();
    assert_ne!(first["pid"], now["pid"]);
    assert!(first["created"].as_str() < now["created"].as_str());
    assert_eq!(fs::read_to_string(pid_file).unwrap(), now["pid"].to_string());
    // The hooks that runc runs at a restore.
    for kind in ["prestart", "createRuntime"] {
        let state: serde_json::Value = serde_json::from_slice(&fs::read(dir.join(kind)).unwrap()).unwrap();
        assert_eq!((&state["id"], &state["pid"]), (&container.id.clone().into(), &now["pid"]), "{kind}");
    }
    assert!(!dir.join("createContainer").exists() && !dir.join("poststart").exists());
    crate::needs!("pids");
    assert_eq!(container.cgroup_file("pids", "pids.max"), "40");
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", now["pid"])).unwrap();
    assert!(groups.lines().any(|line| line.contains("pids:") && line.ends_with(&container.id)), "{groups}");
    let ns = |pid: &str, kind: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
    for kind in ["mnt", "pid", "ipc", "uts", "net", "cgroup"] {
        assert_ne!(ns("self", kind), ns(&now["pid"].to_string(), kind), "{kind}");
    }
    assert!(container.exec_sh("ip addr show lo").ok().contains("127.0.0.1"));
}

#[test]
fn the_foreground_waits_for_the_restored_process_and_has_its_code() {
    needs_criu!();
    let container = running(Container::new().sh("while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 7"));
    checkpoint(&container, &[]).ok();
    let (bundle, images) = (container.bundle(), images(&container));
    let args = [
        "restore",
        "--bundle",
        bundle.to_str().unwrap(),
        "--image-path",
        images.to_str().unwrap(),
        &container.id,
    ];
    let mut waits = super::command(&container, &args).spawn().unwrap();
    wait_until("it runs again", || {
        container.call(&["state", &container.id]).out.contains("\"status\": \"running\"")
    });
    fs::write(container.rootfs().join("tmp/go"), "").unwrap();
    assert_eq!(waits.wait().unwrap().code(), Some(7));
    assert_nothing_left(&container);
}

#[test]
fn a_container_with_a_user_namespace_is_restored_with_its_maps() {
    needs_criu!();
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    let container = counting().namespace("user", None).edit(|config| {
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
    });
    let rootfs = container.rootfs();
    let owned = std::process::Command::new("chown").args(["-R", "100000:100000"]).arg(&rootfs).status();
    assert!(owned.unwrap().success());
    let container = started(container);
    checkpoint(&container, &[]).ok();
    let before = count(&container);
    let said = restore(&container, &[]);
    if said.code != 0 {
        // It mounts cgroups.
        assert!(said.err.contains("--manage-cgroups-mode soft"), "{said:?}");
        restore(&container, &["--manage-cgroups-mode", "soft"]).ok();
    }
    counts_on(&container, before);
    assert!(container.exec_sh("cat /proc/self/uid_map").ok().contains("100000"));
}

#[test]
fn a_process_that_has_ended_and_waits_for_its_parent_is_restored_too() {
    needs_criu!();
    let zombie = "(sleep 0 & exec sleep 1000) & ";
    let container = started(Container::new().sh(&format!("{zombie}{}", super::COUNTS)));
    let zombies = || container.exec_sh("grep -l '^State:.Z' /proc/[0-9]*/status").out.lines().count();
    wait_until("there is one", || zombies() > 0);
    checkpoint(&container, &[]).ok();
    let before = count(&container);
    restore(&container, &[]).ok();
    counts_on(&container, before);
    assert!(zombies() > 0);
}
