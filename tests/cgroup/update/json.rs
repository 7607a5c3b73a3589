//! `update -r`: what only a file can ask for, and wrong files.

use crate::support::{Container, is_v2};
use crate::update::{disk, missing, running, update, update_json, value};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_file_and_standard_input_are_read_alike() {
    needs!("pids");
    let container = running(json!({}));
    let file = container.dir.join("limits.json");
    fs::write(&file, "{\"pids\": {\"limit\": 31}}").unwrap();
    update(&container, &["--resources", file.to_str().unwrap()]).ok();
    assert_eq!(container.cgroup_file("pids", "pids.max"), "31");
    update_json(&container, &json!({"pids": {"limit": 32}})).ok();
    assert_eq!(container.cgroup_file("pids", "pids.max"), "32");
}

#[test]
fn the_file_that_docker_writes_with_zeros_for_what_is_not_asked_changes_one_limit() {
    needs!("memory", "cpu");
    let container =
        running(json!({"memory": {"limit": 67_108_864}, "cpu": {"shares": 512, "quota": 50_000}}));
    update_json(
        &container,
        &json!({"memory": {"limit": 0, "reservation": 33_554_432}, "cpu": {"shares": 0, "quota": 0, "period": 0,
            "cpus": "", "mems": ""}, "blockIO": {"weight": 0}}),
    )
    .ok();
    assert_eq!(value(&container, "memory", "memory.limit_in_bytes", "memory.max"), "67108864");
    assert_eq!(value(&container, "memory", "memory.soft_limit_in_bytes", "memory.low"), "33554432");
    assert!(value(&container, "cpu", "cpu.cfs_quota_us", "cpu.max").starts_with("50000"));
}

#[test]
fn other_options_beside_a_file_are_ignored_with_a_word() {
    needs!("pids");
    let container = running(json!({"pids": {"limit": 50}}));
    let file = container.dir.join("limits.json");
    fs::write(&file, "{}").unwrap();
    let ended = update(&container, &["-r", file.to_str().unwrap(), "--pids-limit", "7"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("--pids-limit is ignored"), "{}", ended.err);
    assert_eq!(container.cgroup_file("pids", "pids.max"), "50");
}

#[test]
fn rates_of_a_device_are_set_changed_and_taken_away() {
    needs!("blkio");
    let Some((major, minor)) = disk() else { crate::skip!("no block device here") };
    let container = running(json!({}));
    let device = |rate: u64| json!([{"major": major, "minor": minor, "rate": rate}]);
    let rates = |read: u64, write: u64, reads: u64, writes: u64| {
        json!({"blockIO": {"throttleReadBpsDevice": device(read), "throttleWriteBpsDevice": device(write),
            "throttleReadIOPSDevice": device(reads), "throttleWriteIOPSDevice": device(writes)}})
    };
    update_json(&container, &rates(1 << 20, 2 << 20, 100, 200)).ok();
    if is_v2() {
        let expected = format!("{major}:{minor} rbps=1048576 wbps=2097152 riops=100 wiops=200");
        assert_eq!(container.cgroup_file("io", "io.max"), expected);
    } else {
        for (file, rate) in
            [("read_bps", 1 << 20), ("write_bps", 2 << 20), ("read_iops", 100), ("write_iops", 200)]
        {
            let found = container.cgroup_file("blkio", &format!("blkio.throttle.{file}_device"));
            assert_eq!(found, format!("{major}:{minor} {rate}"));
        }
    }
    update_json(&container, &json!({"blockIO": {"throttleReadBpsDevice": device(4 << 20)}})).ok();
    let found = value(&container, "blkio", "blkio.throttle.read_bps_device", "io.max");
    assert!(found.contains("4194304"), "{found}");
    update_json(&container, &rates(0, 0, 0, 0)).ok();
    assert_eq!(value(&container, "blkio", "blkio.throttle.read_bps_device", "io.max"), "");
}

#[test]
fn weights_of_a_device() {
    needs!("blkio");
    let Some((major, minor)) = disk() else { crate::skip!("no block device here") };
    let container = running(json!({}));
    let wanted = json!({"blockIO": {"weightDevice": [{"major": major, "minor": minor, "weight": 300}]}});
    let ended = update_json(&container, &wanted);
    if ended.code != 0 {
        // Weights need a scheduler that has them.
        assert!(ended.err.contains("/blockIO/weightDevice/0"), "{}", ended.err);
        crate::skip!("{}", ended.err.trim());
    }
    let files = ["blkio.bfq.weight_device", "blkio.weight_device", "io.bfq.weight", "io.weight"];
    let found = container.cgroups().into_iter().flat_map(|dir| files.map(|file| dir.join(file)));
    let text: String = found.filter_map(|file| fs::read_to_string(file).ok()).collect();
    assert!(text.contains(&format!("{major}:{minor} ")), "{text}");
}

#[test]
fn huge_pages_and_files_of_cgroup_v2() {
    if !is_v2() {
        crate::skip!("unified parameters are cgroup v2's");
    }
    needs!("memory", "pids");
    let container = running(json!({}));
    update_json(&container, &json!({"unified": {"memory.high": "50331648", "pids.max": "33"}})).ok();
    assert_eq!(container.cgroup_file("memory", "memory.high"), "50331648");
    assert_eq!(container.cgroup_file("pids", "pids.max"), "33");
    if let Some(reason) = missing("hugetlb") {
        crate::skip!("{reason}");
    }
    update_json(&container, &json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 4_194_304}]})).ok();
    assert_eq!(container.cgroup_file("hugetlb", "hugetlb.2MB.max"), "4194304");
    assert_eq!(container.cgroup_file("hugetlb", "hugetlb.2MB.rsvd.max"), "4194304");
}

#[test]
fn device_rules_in_a_file_are_ignored_with_a_word() {
    let container = running(json!({}));
    let ended = update_json(&container, &json!({"devices": [{"allow": true, "access": "rwm"}]}));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("/devices is ignored"), "{}", ended.err);
    assert!(container.exec_sh("mknod /tmp/x c 240 0 && head -c 1 /tmp/x").fails().contains("not permitted"));
}

/// Every limit of a container, to see that nothing has changed.
pub fn snapshot(container: &Container) -> String {
    let mut text = String::new();
    for dir in container.cgroups() {
        let mut names: Vec<_> = fs::read_dir(&dir).unwrap().flatten().map(|entry| entry.path()).collect();
        names.sort();
        for file in names {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let is_limit =
                ["max", "shares", "weight", "_us", "bytes", "idle", "low", "high", "cpus", "mems", "burst"]
                    .iter()
                    .any(|end| name.ends_with(end));
            if is_limit
                && !name.contains("usage")
                && !name.contains("io_service")
                && !name.contains("peak")
                && !name.contains("max_")
            {
                text += &format!("{name} {}", fs::read_to_string(&file).unwrap_or_default());
            }
        }
    }
    text
}

#[test]
fn a_wrong_value_is_named_by_its_pointer_and_nothing_changes() {
    needs!("pids");
    let container = running(json!({"pids": {"limit": 50}}));
    let before = snapshot(&container);
    let pids = json!({"limit": 20});
    let rows: [(Value, &str); 22] = [
        (json!({"memory": {"limit": "64m"}}), "/memory/limit"),
        (json!({"memory": {"limit": 1.5}}), "/memory/limit"),
        (json!({"memory": {"limit": -2}}), "/memory/limit"),
        (json!({"memory": {"reservation": -7}}), "/memory/reservation"),
        (json!({"memory": {"limit": 2000, "swap": 1000}}), "/memory/swap"),
        (json!({"memory": {"swap": 1000}}), "/memory/swap"),
        (json!({"memory": {"swappiness": 101}}), "/memory/swappiness"),
        (json!({"memory": "all"}), "/memory"),
        (json!({"cpu": {"quota": 999}}), "/cpu/quota"),
        (json!({"cpu": {"period": 999}}), "/cpu/period"),
        (json!({"cpu": {"period": 1_000_001}}), "/cpu/period"),
        (json!({"cpu": {"quota": 2000, "burst": 3000}}), "/cpu/burst"),
        (json!({"cpu": {"idle": 2}}), "/cpu/idle"),
        (json!({"cpu": {"cpus": "0-"}}), "/cpu/cpus"),
        (json!({"cpu": {"mems": "zero"}}), "/cpu/mems"),
        (json!({"cpu": {"shares": -1}}), "/cpu/shares"),
        (json!({"blockIO": {"weight": 1001}}), "/blockIO/weight"),
        (
            json!({"blockIO": {"throttleReadBpsDevice": [{"major": -1, "minor": 0, "rate": 1}]}}),
            "/blockIO/throttleReadBpsDevice/0/major",
        ),
        (json!({"hugepageLimits": [{"pageSize": "../2MB", "limit": 1}]}), "/hugepageLimits/0/pageSize"),
        (json!({"unified": {"../pids.max": "7"}}), "/unified/..~1pids.max"),
        (json!({"unified": {"cgroup.kill": "1"}}), "/unified/cgroup.kill"),
        (json!({"rdma": {"mlx5_0": {}}}), "/rdma/mlx5_0"),
    ];
    for (mut resources, pointer) in rows {
        if resources.get("pids").is_none() {
            resources["pids"] = pids.clone();
        }
        let error = update_json(&container, &resources).fails();
        let named = [" must ", ": ", " = ", " is ", " has ", " needs "]
            .iter()
            .any(|behind| error.contains(&format!("{pointer}{behind}")));
        assert!(named, "{resources}: {error}");
        assert_eq!(snapshot(&container), before, "{resources}");
    }
}

#[test]
fn what_is_no_json_is_refused_by_name() {
    let container = running(json!({}));
    let file = container.dir.join("limits.json");
    for text in ["", "{", "7", "nonsense", "{} {}", "{\"memory\":{\"limit\":1}"] {
        fs::write(&file, text).unwrap();
        let error = update(&container, &["-r", file.to_str().unwrap()]).fails();
        assert!(error.contains("limits.json"), "{text}: {error}");
    }
    fs::write(&file, format!("{{}}{}", " ".repeat(16 << 20))).unwrap();
    let error = update(&container, &["-r", file.to_str().unwrap()]).fails();
    assert!(error.contains("larger than 16 MiB") && error.contains("--resources"), "{error}");
    let error = update(&container, &["-r", "/nowhere/limits.json"]).fails();
    assert!(error.contains("--resources = \"/nowhere/limits.json\""), "{error}");
}
