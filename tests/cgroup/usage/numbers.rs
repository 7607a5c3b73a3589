//! Each number beside the file that it comes from.

use crate::support::{Container, has_controller, is_v2, limited, transferring, wait_until};
use crate::usage::{MIB, usage};
use serde_json::{Value, json};

#[track_caller]
fn between(before: f64, told: &Value, after: f64) {
    let number = told.as_f64().unwrap_or_else(|| panic!("no number: {told}"));
    // Six digits behind the point are told.
    assert!(before - 1e-6 <= number && number <= after + 1e-6, "{before} <= {number} <= {after}");
}

#[test]
fn a_quota_shows_in_the_share_of_a_processor_and_in_how_long_it_held_processes_back() {
    needs!("cpu");
    let container =
        limited(json!({"cpu": {"quota": 20_000, "period": 100_000}})).sh("while :; do :; done").started();
    let kernel = |name| container.counted("cpu", "cpu.stat", name);
    let time = || match is_v2() {
        true => kernel("usage_usec ") as f64 / 1e6,
        false => container.counted("cpuacct", "cpuacct.usage", "") as f64 / 1e9,
    };
    let held = || match is_v2() {
        true => kernel("throttled_usec ") as f64 / 1e6,
        false => kernel("throttled_time ") as f64 / 1e9,
    };
    wait_until("a pause", || kernel("nr_throttled ") > 1);
    let before = (time(), held(), kernel("nr_periods "), kernel("nr_throttled "));
    let text = container.call(&["stats", "--format", "json", "--interval", "1s", &container.id]).ok();
    let told: Value = serde_json::from_str(&text).unwrap();
    let cpu = &told["containers"][0]["cpu"];
    between(before.0, &cpu["usage_seconds"], time());
    between(before.1, &cpu["throttled_seconds"], held());
    between(before.2 as f64, &cpu["periods"], kernel("nr_periods ") as f64);
    between(before.3 as f64, &cpu["throttled_periods"], kernel("nr_throttled ") as f64);
    // In a second at most eleven periods begin and one is under way.
    let percent = cpu["percent"].as_f64().unwrap();
    assert!(percent > 0.0 && percent <= 24.0, "{percent}");
    assert!(cpu["user_seconds"].as_f64().unwrap() + cpu["system_seconds"].as_f64().unwrap() > 0.0, "{cpu}");
}

#[test]
fn memory_is_told_without_files_that_are_idle_and_beside_its_limit() {
    needs!("memory");
    let script = "dd if=/dev/zero of=/tmp/file bs=1M count=20 2>/dev/null; echo > /tmp/done; exec sleep 1000";
    let container = limited(json!({"memory": {"limit": 64 * MIB}})).sh(script).started();
    wait_until("the file", || container.rootfs().join("tmp/done").exists());
    wait_until("the last program", || container.exec_sh("ps").ok().contains("sleep 1000"));
    let told = usage(&container);
    let memory = &told["memory"];
    let number = |name: &str| memory[name].as_u64().unwrap();
    assert_eq!(number("limit_bytes"), 64 * MIB);
    assert!((20 * MIB..64 * MIB).contains(&number("usage_bytes")), "the page cache counts: {memory}");
    assert!(number("working_set_bytes") + 15 * MIB < number("usage_bytes"), "and is idle: {memory}");
    let percent = number("working_set_bytes") as f64 * 100.0 / (64 * MIB) as f64;
    between(percent, &memory["percent"], percent);
    assert_eq!(number("oom_kills"), 0);
    assert_eq!(told["oom"], Value::Null);
}

#[test]
fn without_a_limit_there_is_none_and_what_is_not_counted_is_no_zero() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    let told = usage(&container);
    assert_eq!((&told["memory"]["limit_bytes"], &told["pids"]["limit"]), (&Value::Null, &Value::Null));
    assert_eq!(told["memory"]["usage_bytes"].is_null(), container_lacks(&container, "memory"), "{told}");
    assert_eq!(told["io"]["read_bytes"].is_null(), container_lacks(&container, "io"), "{told}");
    assert_eq!(told["pids"]["current"], 1);
    let table = container.call(&["stats", "--interval", "50ms", &container.id]).ok();
    let line = table.lines().nth(1).unwrap();
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(cells.len(), table.lines().next().unwrap().split_whitespace().count(), "{table}");
    assert_eq!((cells[0], cells[3], cells[4], cells[8], cells[9]), (&*container.id, "-", "-", "1", "-"));
}

/// The container's group counts none of it.
fn container_lacks(container: &Container, what: &str) -> bool {
    let files = ["memory.stat", "io.stat", "blkio.throttle.io_serviced_recursive"];
    let files = files.iter().filter(|file| match what {
        "io" => !file.starts_with("memory"),
        what => file.starts_with(what),
    });
    !files.into_iter().any(|file| container.cgroups().iter().any(|group| group.join(file).exists()))
}

#[test]
fn tasks_are_told_with_their_limit() {
    needs!("pids");
    let script = "sleep 1000 & sleep 1000 & exec sleep 1000";
    let container = limited(json!({"pids": {"limit": 7}})).sh(script).started();
    wait_until("three tasks", || container.counted("pids", "pids.current", "") == 3);
    assert_eq!(usage(&container)["pids"], json!({"current": 3, "limit": 7}));
    let table = container.call(&["stats", "--interval", "50ms"]).ok();
    assert!(table.lines().nth(1).unwrap().contains("  3/7  "), "{table}");
}

#[test]
fn processes_that_wait_for_a_processor_press() {
    let container =
        Container::new().sh("while :; do :; done & while :; do :; done & while :; do :; done").started();
    let groups = container.cgroups();
    let Some(file) = groups.iter().map(|group| group.join("cpu.pressure")).find(|file| file.exists()) else {
        crate::skip!("this host measures no pressure");
    };
    let total = || {
        let text = std::fs::read_to_string(&file).unwrap();
        let total = text.lines().next().unwrap().rsplit('=').next().unwrap().parse::<f64>().unwrap();
        total / 1e6
    };
    wait_until("pressure", || total() > 0.0);
    let before = total();
    let told = usage(&container);
    between(before, &told["pressure"]["cpu"]["some"]["total_seconds"], total());
    assert!(told["pressure"]["memory"]["full"]["avg10"].is_number(), "{told}");
}

#[test]
fn transfers_are_the_sum_over_all_devices() {
    needs!(if is_v2() { "io" } else { "blkio" });
    let (container, file) = transferring();
    let sum = || -> u64 {
        let text = container.cgroup_file("blkio", file);
        let v1 = text.lines().filter_map(|line| line.split_once(" Write ")?.1.parse::<u64>().ok());
        let v2 = text.split_whitespace().filter_map(|word| word.strip_prefix("wbytes=")?.parse::<u64>().ok());
        v1.chain(v2).sum()
    };
    if sum() < 4 * MIB {
        crate::skip!("the files of this test are on no counted device");
    }
    let before = sum();
    let told = usage(&container);
    between(before as f64, &told["io"]["written_bytes"], sum() as f64);
    assert!(told["io"]["read_bytes"].as_u64().unwrap() >= 4 * MIB, "{told}");
    assert!(told["io"]["writes"].as_u64().unwrap() >= 4, "{told}");
}

#[test]
fn it_tells_what_events_tells() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    let event: Value =
        serde_json::from_str(&container.call(&["events", "--stats", &container.id]).ok()).unwrap();
    let told = usage(&container);
    let seconds = event["data"]["cpu"]["usage"]["total"].as_u64().unwrap_or(0) as f64 / 1e9;
    between(seconds, &told["cpu"]["usage_seconds"], seconds + 1.0);
    assert_eq!(told["pids"]["current"], event["data"]["pids"]["current"]);
    if has_controller("memory") {
        assert!(told["memory"]["usage_bytes"].as_u64() > Some(0), "{told}");
    }
}
