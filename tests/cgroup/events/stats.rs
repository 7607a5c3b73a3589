//! `events --stats`: each number beside the file that it comes from.

use crate::events::{limited, stats};
use crate::support::{Container, is_v2, transferring, wait_until};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// What is told lies between the kernel's count before and after.
#[track_caller]
fn between(before: u64, told: &Value, after: u64) {
    let told = told.as_u64().unwrap_or(0);
    assert!(before <= told && told <= after, "{before} <= {told} <= {after}");
}

#[test]
fn processor_time_is_the_kernels_in_nanoseconds() {
    let container = Container::new().sh("while :; do :; done").started();
    let kernel = || match is_v2() {
        true => container.counted("", "cpu.stat", "usage_usec ") * 1000,
        false => container.counted("cpuacct", "cpuacct.usage", ""),
    };
    wait_until("some work", || kernel() > 30_000_000);
    let before = kernel();
    let told = stats(&container);
    let usage = &told["cpu"]["usage"];
    between(before, &usage["total"], kernel());
    assert!(usage["user"].as_u64().unwrap() + usage["kernel"].as_u64().unwrap() > 0, "{usage}");
    if !is_v2() {
        let sum = |list: &Value| list.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>();
        between(before, &json!(sum(&usage["percpu"])), kernel());
        let modes = usage["percpu_user"].as_array().unwrap().len();
        assert_eq!(modes, usage["percpu"].as_array().unwrap().len());
    }
}

#[test]
fn a_quotas_pauses_are_counted() {
    needs!("cpu");
    let container =
        limited(json!({"cpu": {"quota": 10_000, "period": 100_000}})).sh("while :; do :; done").started();
    let kernel = |name| container.counted("cpu", "cpu.stat", name);
    wait_until("a pause", || kernel("nr_throttled ") > 1);
    let before = (kernel("nr_periods "), kernel("nr_throttled "));
    let told = stats(&container);
    let throttling = &told["cpu"]["throttling"];
    between(before.0, &throttling["periods"], kernel("nr_periods "));
    between(before.1, &throttling["throttledPeriods"], kernel("nr_throttled "));
    assert!(throttling["throttledTime"].as_u64().unwrap() > 1_000_000, "nanoseconds: {throttling}");
}

#[test]
fn memory_is_told_with_its_limit_and_what_it_is_used_for() {
    needs!("memory");
    let script = "dd if=/dev/zero of=/dev/shm/big bs=1M count=20 2>/dev/null; exec sleep 1000";
    let container = limited(json!({"memory": {"limit": 64 * MIB}})).sh(script).started();
    let (file, peak) = match is_v2() {
        true => ("memory.current", "memory.peak"),
        false => ("memory.usage_in_bytes", "memory.max_usage_in_bytes"),
    };
    wait_until("20 MiB in use", || container.counted("memory", file, "") > 20 * MIB);
    wait_until("the last program", || container.exec_sh("ps").ok().contains("sleep 1000"));
    let told = stats(&container);
    let memory = &told["memory"];
    assert_eq!(memory["usage"]["limit"], 64 * MIB);
    let usage = memory["usage"]["usage"].as_u64().unwrap();
    assert!((20 * MIB..64 * MIB).contains(&usage), "{memory}");
    if !is_v2() || container.cgroups()[0].join(peak).exists() {
        assert!(memory["usage"]["max"].as_u64().unwrap() >= usage, "{memory}");
    }
    assert!(memory["cache"].as_u64().unwrap() >= 20 * MIB, "a tmpfs is cache: {memory}");
    let raw = memory["raw"].as_object().unwrap();
    let text = container.cgroup_file("memory", "memory.stat");
    let names: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(raw.len(), names.len());
    assert!(names.iter().all(|name| raw.contains_key(*name)), "{raw:?}");
    if is_v2() {
        assert!(memory["swap"]["usage"].as_u64().unwrap() >= usage, "memory and swap: {memory}");
    }
}

#[test]
fn tasks_are_told_with_their_limit() {
    needs!("pids");
    let script = "sleep 1000 & sleep 1000 & exec sleep 1000";
    let container = limited(json!({"pids": {"limit": 7}})).sh(script).started();
    wait_until("three tasks", || container.counted("pids", "pids.current", "") == 3);
    assert_eq!(stats(&container)["pids"], json!({"current": 3, "limit": 7}));
}

#[test]
fn without_the_pids_controller_processes_are_counted() {
    if !is_v2() || crate::support::has_controller("pids") {
        crate::skip!("this host's cgroup v2 has a pids controller, or it is not what counts");
    }
    let container = Container::new().sh("sleep 1000 & exec sleep 1000").started();
    wait_until("two processes", || stats(&container)["pids"] == json!({"current": 2}));
}

#[test]
fn transfers_are_told_by_device_and_kind() {
    needs!(if is_v2() { "io" } else { "blkio" });
    let (container, file) = transferring();
    let text = container.cgroup_file("blkio", file);
    let device = match is_v2() {
        true => text.lines().find(|line| line.contains("rbytes=") && line.contains("wbytes=")),
        false => text.lines().find(|line| line.contains(" Write ")),
    };
    let Some(device) = device.and_then(|line| line.split(' ').next()) else {
        crate::skip!("the files of this test are on no counted device: {text:?}");
    };
    let (major, minor) = device.split_once(':').unwrap();
    let number = |text: &str| text.parse::<u64>().unwrap();
    let told = stats(&container);
    let value = |table: &str, op: &str| {
        let entries = told["blkio"][table].as_array().cloned().unwrap_or_default();
        let of = |entry: &&Value, name: &str| entry[name].as_u64().unwrap_or(0);
        let found = entries.iter().find(|entry| {
            entry["op"] == op && of(entry, "major") == number(major) && of(entry, "minor") == number(minor)
        });
        found.map_or(0, |entry| of(&entry, "value"))
    };
    for op in ["Read", "Write"] {
        assert!(value("ioServiceBytesRecursive", op) >= 4 * MIB, "{op}: {}", told["blkio"]);
        assert!(value("ioServicedRecursive", op) >= 4, "{op}: {}", told["blkio"]);
    }
}

#[test]
fn huge_pages_are_told_by_size() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    let told = stats(&container);
    let sizes: Vec<&String> = told["hugetlb"].as_object().unwrap().keys().collect();
    let files: Vec<String> = container
        .cgroups()
        .iter()
        .flat_map(|directory| std::fs::read_dir(directory).unwrap().flatten())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    for size in &sizes {
        assert!(files.iter().any(|file| file.starts_with(&format!("hugetlb.{size}."))), "{size}: {files:?}");
        assert_eq!(told["hugetlb"][size.as_str()]["failcnt"], 0);
    }
    let counted =
        files.iter().filter(|file| file.ends_with("B.current") || file.ends_with("B.usage_in_bytes"));
    assert_eq!(counted.count(), sizes.len(), "{files:?}");
}

#[test]
fn pressure_is_told_where_the_kernel_counts_it() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    let counts = container.cgroups().iter().any(|directory| {
        std::fs::read_to_string(directory.join("cpu.pressure")).is_ok_and(|text| text.contains("some"))
    });
    let told = stats(&container);
    for part in ["cpu", "memory", "blkio"] {
        assert_eq!(told[part]["psi"]["some"]["total"].is_u64(), counts, "{part}: {told}");
    }
}

#[test]
fn a_created_and_a_paused_container_have_statistics_too() {
    let container = Container::new().args(&["sleep", "1000"]);
    container.create().ok();
    assert_eq!(stats(&container)["intel_rdt"], json!({}));
    container.start().ok();
    container.call(&["pause", &container.id]).ok();
    assert_eq!(stats(&container)["network_interfaces"], Value::Null);
}
