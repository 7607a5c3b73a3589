//! Each option of `update`, as the kernel's file shows it.

use crate::support::is_v2;
use crate::update::{counts_swap, running, update, value};
use serde_json::json;

#[test]
fn memory_in_bytes_and_with_units() {
    needs!("memory");
    let container = running(json!({"memory": {"limit": 67_108_864}}));
    for (given, expected) in [("50331648", "50331648"), ("40m", "41943040"), ("0.03125g", "33554432")] {
        update(&container, &["--memory", given]).ok();
        assert_eq!(value(&container, "memory", "memory.limit_in_bytes", "memory.max"), expected);
    }
    update(&container, &["--memory=-1"]).ok();
    let unlimited = value(&container, "memory", "memory.limit_in_bytes", "memory.max");
    assert!(unlimited == "max" || unlimited.len() > 15, "{unlimited}");
}

#[test]
fn memory_reservation() {
    needs!("memory");
    let container = running(json!({}));
    update(&container, &["--memory-reservation", "16m"]).ok();
    assert_eq!(value(&container, "memory", "memory.soft_limit_in_bytes", "memory.low"), "16777216");
}

#[test]
fn memory_and_swap_are_raised_and_lowered_together() {
    needs!("memory");
    if !counts_swap() {
        crate::skip!("the kernel does not account swap");
    }
    let container = running(json!({"memory": {"limit": 67_108_864, "swap": 67_108_864}}));
    for megabytes in [128_u64, 48, 256, 32] {
        let (limit, swap) = (format!("{megabytes}m"), format!("{}m", megabytes * 2));
        update(&container, &["--memory", &limit, "--memory-swap", &swap]).ok();
        let bytes = megabytes << 20;
        assert_eq!(value(&container, "memory", "memory.limit_in_bytes", "memory.max"), bytes.to_string());
        let expected = if is_v2() { bytes } else { 2 * bytes };
        let found = value(&container, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
        assert_eq!(found, expected.to_string());
    }
    update(&container, &["--memory-swap", "-1"]).ok();
    let found = value(&container, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
    assert!(found == "max" || found.len() > 15, "{found}");
}

#[test]
fn quota_period_and_burst() {
    needs!("cpu");
    let container = running(json!({}));
    update(&container, &["--cpu-quota", "50000", "--cpu-period", "200000"]).ok();
    if is_v2() {
        assert_eq!(container.cgroup_file("cpu", "cpu.max"), "50000 200000");
    } else {
        assert_eq!(container.cgroup_file("cpu", "cpu.cfs_quota_us"), "50000");
        assert_eq!(container.cgroup_file("cpu", "cpu.cfs_period_us"), "200000");
    }
    update(&container, &["--cpu-burst", "30000"]).ok();
    assert_eq!(value(&container, "cpu", "cpu.cfs_burst_us", "cpu.max.burst"), "30000");
    update(&container, &["--cpu-burst", "0"]).ok();
    assert_eq!(value(&container, "cpu", "cpu.cfs_burst_us", "cpu.max.burst"), "0");
    // Smaller than the old period allows for the old quota, and the other way round.
    for (quota, period) in [("2000", "2000"), ("900000", "1000000"), ("1000", "10000")] {
        update(&container, &["--cpu-period", period, "--cpu-quota", quota]).ok();
        let found = value(&container, "cpu", "cpu.cfs_quota_us", "cpu.max");
        assert_eq!(found.split(' ').next(), Some(quota));
    }
    update(&container, &["--cpu-quota", "-1"]).ok();
    assert_eq!(
        value(&container, "cpu", "cpu.cfs_quota_us", "cpu.max"),
        if is_v2() { "max 10000" } else { "-1" }
    );
}

#[test]
fn shares_and_idleness() {
    needs!("cpu");
    let container = running(json!({"cpu": {"shares": 512}}));
    update(&container, &["--cpu-share", "2048"]).ok();
    let weight = value(&container, "cpu", "cpu.shares", "cpu.weight");
    assert!(if is_v2() { weight.parse::<u32>().unwrap() > 100 } else { weight == "2048" }, "{weight}");
    update(&container, &["--cpu-idle", "1"]).ok();
    assert_eq!(container.cgroup_file("cpu", "cpu.idle"), "1");
    let refused = update(&container, &["--cpu-share", "300"]).fails();
    assert!(refused.contains("--cpu-share") && refused.contains("idle"), "{refused}");
    // No longer idle, it has the weight that it was given last.
    update(&container, &["--cpu-idle", "0"]).ok();
    assert_eq!(container.cgroup_file("cpu", "cpu.idle"), "0");
    assert_eq!(value(&container, "cpu", "cpu.shares", "cpu.weight"), weight);
}

#[test]
fn processors_and_memory_nodes() {
    needs!("cpuset");
    let container = running(json!({}));
    update(&container, &["--cpuset-cpus", "0", "--cpuset-mems", "0"]).ok();
    assert_eq!(container.cgroup_file("cpuset", "cpuset.cpus"), "0");
    assert_eq!(container.cgroup_file("cpuset", "cpuset.mems"), "0");
    let allowed = container.exec_sh("grep Cpus_allowed_list /proc/1/status").ok();
    assert_eq!(allowed.trim(), "Cpus_allowed_list:\t0", "the process that was there is bound too");
}

#[test]
fn the_number_of_tasks() {
    needs!("pids");
    let container = running(json!({"pids": {"limit": 50}}));
    update(&container, &["--pids-limit", "7"]).ok();
    assert_eq!(container.cgroup_file("pids", "pids.max"), "7");
    update(&container, &["--pids-limit", "0"]).ok();
    assert_eq!(container.cgroup_file("pids", "pids.max"), "7", "zero asks for nothing, as under runc");
    for (none, again) in [("-1", "0x10"), ("-2", "1_6")] {
        update(&container, &["--pids-limit", none]).ok();
        assert_eq!(container.cgroup_file("pids", "pids.max"), "max", "{none}");
        update(&container, &["--pids-limit", again]).ok();
        assert_eq!(container.cgroup_file("pids", "pids.max"), "16", "{again}");
    }
}

#[test]
fn the_weight_of_block_io() {
    needs!("blkio");
    let container = running(json!({}));
    let files = ["blkio.bfq.weight", "blkio.weight", "io.bfq.weight", "io.weight"];
    let found = container.cgroups().into_iter().flat_map(|dir| files.map(|file| dir.join(file)));
    let Some(file) = found.into_iter().find(|file| file.exists()) else {
        crate::skip!("this kernel has no weights for block I/O");
    };
    update(&container, &["--blkio-weight", "500"]).ok();
    let text = std::fs::read_to_string(file).unwrap();
    let number = text.lines().next().unwrap().rsplit(' ').next().unwrap();
    assert!(["500", "4950"].contains(&number), "{text}");
}

#[test]
fn real_time_limits_are_v1s() {
    needs!("cpu");
    let container = running(json!({}));
    let given = ["--cpu-rt-period", "1000000", "--cpu-rt-runtime", "1000"];
    let ended = update(&container, &given);
    if is_v2() {
        let error = ended.fails();
        assert!(
            error.contains("--cpu-rt-runtime") && error.contains("cgroup v2 has no real-time"),
            "{error}"
        );
    } else if !std::path::Path::new("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists() {
        let error = ended.fails();
        assert!(error.contains("--cpu-rt-period") && error.contains("this kernel has no"), "{error}");
    } else if ended.code != 0 {
        // The parent has to have as much, and here it has what the host gives it.
        assert!(ended.err.contains("--cpu-rt-runtime"), "{}", ended.err);
    } else {
        assert_eq!(container.cgroup_file("cpu", "cpu.rt_runtime_us"), "1000");
    }
}

#[test]
fn kernel_memory_is_taken_and_said_to_be_without_effect() {
    let container = running(json!({}));
    for option in ["--kernel-memory", "--kernel-memory-tcp"] {
        let ended = update(&container, &[option, "64m"]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert!(ended.err.contains("is ignored"), "{}", ended.err);
        assert!(!container.call(&["update", "--help"]).ok().contains(option), "it is not shown");
    }
}

#[test]
fn options_without_a_value_or_without_any_change_nothing() {
    needs!("pids");
    let container = running(json!({"pids": {"limit": 50}}));
    update(&container, &[]).ok();
    update(&container, &["--memory", "", "--pids-limit", "", "--cpu-share", "0", "--memory-swap=0"]).ok();
    assert_eq!(container.cgroup_file("pids", "pids.max"), "50");
}

#[test]
fn device_rules_survive_an_update() {
    needs!("pids");
    let container = running(json!({}));
    update(&container, &["--pids-limit", "60"]).ok();
    let ended = container.exec_sh("mknod /tmp/x c 240 0 && head -c 1 /tmp/x");
    assert!(ended.fails().contains("not permitted"), "the rules are in force");
    assert_eq!(container.exec_sh("head -c 1 /dev/zero | wc -c").ok(), "1\n");
}
