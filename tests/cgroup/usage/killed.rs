//! After a kill for want of memory: whose memory it was, and which process was killed, from the kernel's log and without it.

use crate::support::{Container, is_v2, limited, wait_until};
use crate::usage::{MIB, look, usage, without_a_log};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// More than any limit here.
const TOO_MUCH: &str = "dd if=/dev/zero of=/dev/null bs=128M count=1 2>/dev/null";

fn memory(limit: u64) -> Value {
    json!({"memory": {"limit": limit, "swap": limit}})
}

/// The group of this path in the hierarchy that counts memory.
fn group(path: &str) -> PathBuf {
    let base = PathBuf::from("/sys/fs/cgroup");
    if is_v2() { base.join(path) } else { base.join("memory").join(path) }
}

fn set_limit(path: &str, bytes: u64) {
    let files: &[&str] = match is_v2() {
        true => &["memory.max", "memory.swap.max"],
        false => &["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"],
    };
    for file in files {
        let path = group(path).join(file);
        let bytes = if file.contains("swap") { 0 } else { bytes };
        if path.exists() {
            fs::write(&path, bytes.to_string()).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        }
    }
}

/// What `stats` says with and without the log: the same level, group and limit.
#[track_caller]
fn level(container: &Container) -> Value {
    let told = usage(container)["oom"].take();
    let arguments = ["stats", "--format", "json", "--interval", "50ms", &container.id];
    let told_without: Value = serde_json::from_str(&without_a_log(container, &arguments)).unwrap();
    let told_without = &told_without["containers"][0]["oom"];
    for key in ["kills", "level", "group", "limit_bytes"] {
        assert_eq!(told[key], told_without[key], "{key}: {told} {told_without}");
    }
    assert_eq!(told_without["processes"], json!([]));
    told
}

#[test]
fn the_containers_own_limit_and_the_process_are_named() {
    needs!("memory");
    let container = limited(memory(32 * MIB)).args(&["sleep", "1000"]).started();
    assert_eq!(container.exec_sh(&format!("exec {TOO_MUCH}")).code, 137);
    let told = level(&container);
    assert_eq!(
        (&told["kills"], &told["level"], &told["limit_bytes"]),
        (&json!(1), &json!("container"), &json!(32 * MIB))
    );
    assert_eq!(told["group"], format!("/{}", container.id));
    let process = &told["processes"][0];
    assert_eq!((&process["name"], &process["uid"]), (&json!("dd"), &json!(0)), "{told}");
    assert!(process["pid"].as_i64() > Some(1) && process["time"].as_str().unwrap().ends_with('Z'), "{told}");
    let table = container.call(&["stats", "--interval", "50ms"]).ok();
    let note = table.lines().last().unwrap();
    let wanted = format!(
        "{}: out of memory, 1 process killed: its own limit of 32.0MiB was reached; last killed: process {} (dd)",
        container.id, process["pid"]
    );
    assert!(note.starts_with(&wanted), "{note}");
    // Another container of the same name has another group, and another life.
    container.call(&["delete", "--force", &container.id]).ok();
    let container = container.started();
    assert_eq!(usage(&container)["oom"], Value::Null);
    assert_eq!(container.exec_sh(&format!("exec {TOO_MUCH}")).code, 137);
    assert_eq!(
        usage(&container)["oom"]["processes"].as_array().unwrap().len(),
        1,
        "the earlier one is not its own"
    );
}

#[test]
fn after_the_end_of_the_container_it_is_still_told() {
    needs!("memory");
    let container = limited(memory(32 * MIB)).sh(&format!("exec {TOO_MUCH}")).started();
    container.wait_for_status("stopped");
    let told = look(&container, &["--all"]);
    let told = &told["containers"][0];
    assert_eq!((&told["pid"], &told["oom"]["level"]), (&json!(0), &json!("container")), "{told}");
    assert_eq!(told["oom"]["processes"][0]["name"], "dd");
}

#[test]
fn the_limit_of_a_group_above_is_told_from_its_own() {
    needs!("memory");
    let above = Container::new();
    let path = format!("/{}/inner", above.id);
    let container =
        limited(memory(256 * MIB)).edit(|config| config["linux"]["cgroupsPath"] = path.clone().into());
    let container = container.args(&["sleep", "1000"]).started();
    set_limit(&above.id, 32 * MIB);
    assert_eq!(container.exec_sh(&format!("exec {TOO_MUCH}")).code, 137);
    let told = level(&container);
    assert_eq!(
        (&told["level"], &told["group"]),
        (&json!("above"), &json!(format!("/{}", above.id))),
        "{told}"
    );
    assert_eq!(told["limit_bytes"], 32 * MIB);
    let table = container.call(&["stats", "--interval", "50ms"]).ok();
    assert!(
        table.contains(&format!("the limit of 32.0MiB of /{}, a group above it, was reached", above.id)),
        "{table}"
    );
    container.call(&["delete", "--force", &container.id]).ok();
    for group in above.cgroups() {
        // It was made for the container, and goes with it where nothing else is in it.
        let _ = fs::remove_dir(group);
    }
}

#[test]
fn the_limit_of_a_group_inside_is_told_from_its_own() {
    needs!("memory");
    let script =
        format!("while [ ! -e /tmp/go ]; do sleep 0.1; done; {TOO_MUCH}; echo > /tmp/done; exec sleep 1000");
    let container = limited(memory(256 * MIB)).sh(&script).started();
    let inner = format!("{}/inner", container.id);
    fs::create_dir(group(&inner)).unwrap();
    for pid in fs::read_to_string(group(&container.id).join("cgroup.procs")).unwrap().lines() {
        // A short-lived sleep may have ended.
        let moved = fs::write(group(&inner).join("cgroup.procs"), pid);
        assert!(moved.is_ok() || pid != container.pid().to_string(), "{moved:?}");
    }
    if is_v2() {
        let hand_down = || fs::write(group(&container.id).join("cgroup.subtree_control"), "+memory").is_ok();
        wait_until("no process in the way", hand_down);
    }
    set_limit(&inner, 32 * MIB);
    fs::write(container.rootfs().join("tmp/go"), "").unwrap();
    wait_until("the kill", || container.rootfs().join("tmp/done").exists());
    let told = level(&container);
    assert_eq!((&told["kills"], &told["level"]), (&json!(1), &json!("below")), "{told}");
    assert_eq!((&told["group"], &told["limit_bytes"]), (&json!(format!("/{inner}")), &json!(32 * MIB)));
}
