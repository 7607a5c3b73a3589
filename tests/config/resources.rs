//! `linux.resources`, as the kernel's cgroup files show them and as the program feels them.

use crate::support::{Container, has_controller, is_v2};
use serde_json::{Value, json};

fn limited(resources: Value, script: &str) -> Container {
    Container::new()
        .edit(|c| {
            for (key, value) in resources.as_object().unwrap() {
                c["linux"]["resources"][key] = value.clone();
            }
        })
        .sh(script)
}

/// The text of the first file on v1, of the second on v2.
fn value(container: &Container, controller: &str, v1: &str, v2: &str) -> String {
    container.cgroup_file(controller, if is_v2() { v2 } else { v1 })
}

#[test]
fn memory_limits_are_set() {
    if !has_controller("memory") {
        skip!("no memory controller");
    }
    let memory = json!({"memory": {"limit": 67_108_864, "reservation": 33_554_432, "swappiness": 10}});
    let container = limited(memory, "sleep 1000").started();
    assert_eq!(value(&container, "memory", "memory.limit_in_bytes", "memory.max"), "67108864");
    assert_eq!(value(&container, "memory", "memory.soft_limit_in_bytes", "memory.low"), "33554432");
    if !is_v2() {
        assert_eq!(container.cgroup_file("memory", "memory.swappiness"), "10");
    }
}

#[test]
fn swap_is_limited_together_with_memory() {
    if !has_controller("memory") {
        skip!("no memory controller");
    }
    let memory = json!({"memory": {"limit": 67_108_864, "swap": 100_663_296}});
    let container = limited(memory, "sleep 1000").sh("sleep 1000");
    if !is_v2() && !std::path::Path::new("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").exists() {
        skip!("the kernel does not account swap");
    }
    let container = container.started();
    let expected = if is_v2() { "33554432" } else { "100663296" };
    assert_eq!(value(&container, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max"), expected);
}

#[test]
fn a_program_that_takes_more_memory_than_allowed_is_killed() {
    if !has_controller("memory") {
        skip!("no memory controller");
    }
    let memory = json!({"memory": {"limit": 16_777_216}});
    // tail keeps all of a line that does not end.
    let ended = limited(memory, "head -c 200000000 /dev/zero | tail -n 1 > /dev/null; echo $?").run();
    assert_eq!(ended.out, "137\n", "{ended:?}");
}

#[test]
fn cpu_time_and_weight_are_set() {
    if !has_controller("cpu") {
        skip!("no cpu controller");
    }
    let cpu = json!({"cpu": {"shares": 512, "quota": 50_000, "period": 100_000}});
    let container = limited(cpu, "sleep 1000").started();
    if is_v2() {
        assert_eq!(container.cgroup_file("cpu", "cpu.max"), "50000 100000");
        assert_ne!(container.cgroup_file("cpu", "cpu.weight"), "100");
    } else {
        assert_eq!(container.cgroup_file("cpu", "cpu.shares"), "512");
        assert_eq!(container.cgroup_file("cpu", "cpu.cfs_quota_us"), "50000");
        assert_eq!(container.cgroup_file("cpu", "cpu.cfs_period_us"), "100000");
    }
}

#[test]
fn a_program_gets_no_more_cpu_time_than_its_quota() {
    if !has_controller("cpu") {
        skip!("no cpu controller");
    }
    let cpu = json!({"cpu": {"quota": 10_000, "period": 100_000}});
    // Two seconds of work in turns: the container's own clock of cpu time says how much it got.
    let script = "end=$(($(date +%s) + 3)); while [ $(date +%s) -lt $end ]; do :; done; cat /proc/self/cgroup >/dev/null; times";
    let out = limited(cpu, script).run().ok();
    let seconds: f64 = out
        .split_whitespace()
        .map(|time| {
            let (minutes, rest) = time.split_once('m').expect("XmY.Zs");
            minutes.parse::<f64>().unwrap() * 60.0 + rest.trim_end_matches('s').parse::<f64>().unwrap()
        })
        .sum();
    assert!(seconds < 1.5, "{out}");
}

#[test]
fn the_number_of_processes_is_limited() {
    if !has_controller("pids") {
        skip!("no pids controller");
    }
    let container = limited(
        json!({"pids": {"limit": 5}}),
        "for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; sleep 0.1; echo end",
    );
    assert!(container.run().err.contains("fork"), "the shell cannot fork any more");
    let container = limited(json!({"pids": {"limit": 77}}), "sleep 1000").started();
    assert_eq!(container.cgroup_file("pids", "pids.max"), "77");
    let container = limited(json!({"pids": {"limit": -1}}), "sleep 1000").started();
    assert_eq!(container.cgroup_file("pids", "pids.max"), "max");
}

#[test]
fn the_program_is_bound_to_its_processors() {
    if !has_controller("cpuset") {
        skip!("no cpuset controller");
    }
    let container = limited(
        json!({"cpu": {"cpus": "0", "mems": "0"}}),
        "nproc; grep -E '_allowed_list' /proc/self/status",
    );
    let out = container.run().ok();
    assert!(out.starts_with("1\n") && out.contains("Cpus_allowed_list:\t0\n"), "{out}");
}

#[test]
fn a_device_that_is_not_allowed_cannot_be_opened() {
    if !is_v2() && !has_controller("devices") {
        skip!("no device control");
    }
    // No driver has the major number 240: where the rules allow it the kernel finds no driver.
    let script = "head -c 1 /dev/zero | wc -c; mknod /tmp/x c 240 0 && head -c 1 /tmp/x";
    let ended = Container::new().sh(script).run();
    assert_eq!(ended.out, "1\n");
    assert!(ended.fails().contains("not permitted"));
    let rule = json!({"devices": [{"allow": true, "type": "c", "major": 240, "access": "r"}]});
    let ended = limited(rule, script).run();
    assert!(ended.err.contains("No such device"), "{ended:?}");
}

#[test]
fn device_rules_tell_reading_from_writing() {
    if !is_v2() && !has_controller("devices") {
        skip!("no device control");
    }
    let devices = json!({"devices": [
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 240, "minor": 1, "access": "r"},
        {"allow": true, "type": "c", "major": 240, "minor": 2, "access": "w"},
        {"allow": true, "type": "c", "major": 240, "minor": 3, "access": "rw"},
        {"allow": false, "type": "c", "major": 240, "minor": 3, "access": "w"},
    ]});
    let script = "for n in 1 2 3 4; do mknod /tmp/$n c 240 $n; head -c 1 /tmp/$n; echo x > /tmp/$n; done";
    let ended = limited(devices, script).run();
    let told = ended.err.lines().map(|line| line.contains("No such device")).collect::<Vec<_>>();
    assert_eq!(told, [true, false, false, true, true, false, false, false], "{ended:?}");
}

#[test]
fn device_rules_of_block_devices_are_their_own() {
    if !is_v2() && !has_controller("devices") {
        skip!("no device control");
    }
    let rule = json!({"devices": [
        {"allow": false, "access": "rwm"}, {"allow": true, "type": "b", "major": 240, "access": "rwm"},
    ]});
    let script = "mknod /tmp/b b 240 0; mknod /tmp/c c 240 0; head -c 1 /tmp/b; head -c 1 /tmp/c";
    let ended = limited(rule, script).run();
    let told = ended.err.lines().map(|line| line.contains("No such device")).collect::<Vec<_>>();
    assert_eq!(told, [true, false], "{ended:?}");
}

#[test]
fn with_a_rule_that_allows_all_every_device_can_be_used_as_far_as_capabilities_go() {
    let container = Container::new()
        .edit(|c| c["linux"]["resources"]["devices"] = json!([{"allow": true, "access": "rwm"}]))
        .sh("mknod /tmp/x c 240 9 && head -c 1 /tmp/x");
    assert!(container.run().err.contains("No such device"));
}

#[test]
fn the_default_devices_can_be_made_and_used_under_a_rule_that_denies_all() {
    if !is_v2() && !has_controller("devices") {
        skip!("no device control");
    }
    let container = Container::new()
        .edit(|c| c["linux"]["resources"]["devices"] = json!([{"allow": false, "access": "rwm"}]))
        .sh("stat -c %t:%T /dev/null /dev/full; echo end");
    assert_eq!(container.run().ok(), "1:3\n1:7\nend\n");
}

#[test]
fn the_container_is_in_the_cgroup_of_its_config() {
    let container = Container::new().sh("sleep 1000");
    let path = format!("/{}/below/it", container.id);
    let container = container.edit(|c| c["linux"]["cgroupsPath"] = path.clone().into()).started();
    let cgroups = std::fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).unwrap();
    assert!(cgroups.lines().any(|line| line.ends_with(&format!(":{path}"))), "{cgroups}");
    container.call(&["delete", "--force", &container.id]).ok();
    for parent in container.cgroups() {
        assert!(!parent.join("below/it").exists());
        // The directories above it were made on the way, as peers make them; they are not the container's.
        for directory in [parent.join("below"), parent] {
            // The test that made them removes them here.
            let _ = std::fs::remove_dir(directory);
        }
    }
}
