//! Processor time and processors.

use crate::limits::{inside, limited};
use crate::support::is_v2;
use serde_json::json;

/// Some 0.4 s of work.
const WORK: &str = "read up rest < /proc/uptime; end=$(awk \"BEGIN{print int($up*10)+8}\"); \
     while read up rest < /proc/uptime; do set -- ${up%.*}${up#*.}; [ ${1%?} -lt $end ] || break; done";

fn stat(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[test]
fn a_quota_slows_a_busy_program_down() {
    needs!("cpu");
    let file = inside("cpu", "cpu.stat", "cpu.stat");
    let container =
        limited(json!({"cpu": {"quota": 20_000, "period": 100_000}})).sh(&format!("{WORK}; cat {file}"));
    let found = container.run().ok();
    if !found.contains("nr_throttled") {
        crate::skip!("this kernel has no CFS bandwidth");
    }
    assert!(stat(&found, "nr_throttled ") > 0, "{found}");
}

#[test]
fn without_a_quota_nothing_is_slowed_down() {
    needs!("cpu");
    let file = inside("cpu", "cpu.stat", "cpu.stat");
    let found = limited(json!({})).sh(&format!("{WORK}; cat {file}")).run().ok();
    assert!(!found.contains("nr_throttled") || stat(&found, "nr_throttled ") == 0, "{found}");
}

#[test]
fn quota_and_period_are_seen_inside() {
    needs!("cpu");
    let script = if is_v2() {
        "cat /sys/fs/cgroup/cpu.max"
    } else {
        "cd /sys/fs/cgroup/cpu; echo $(cat cpu.cfs_quota_us cpu.cfs_period_us)"
    };
    let of = |cpu: serde_json::Value| limited(json!({"cpu": cpu})).sh(script).run().ok();
    assert_eq!(of(json!({"quota": 30_000, "period": 60_000})), "30000 60000\n");
    assert_eq!(of(json!({"quota": 30_000})), "30000 100000\n");
    let unlimited = if is_v2() { "max" } else { "-1" };
    assert_eq!(of(json!({"quota": -1, "period": 50_000})), format!("{unlimited} 50000\n"));
    assert_eq!(of(json!({"period": 50_000})), format!("{unlimited} 50000\n"));
}

#[test]
fn shares_are_shares_on_v1_and_the_weight_that_means_the_same_on_v2() {
    needs!("cpu");
    let file = inside("cpu", "cpu.weight", "cpu.shares");
    for (shares, weight) in [(2, 1), (1024, 100), (262_144, 10_000)] {
        let found = limited(json!({"cpu": {"shares": shares}})).sh(&format!("cat {file}")).run().ok();
        let expected = if is_v2() { weight } else { shares };
        assert_eq!(found.trim(), expected.to_string());
    }
}

#[test]
fn an_idle_group_and_a_burst_are_seen_inside() {
    needs!("cpu");
    let idle = inside("cpu", "cpu.idle", "cpu.idle");
    let burst = inside("cpu", "cpu.max.burst", "cpu.cfs_burst_us");
    assert_eq!(limited(json!({"cpu": {"idle": 1}})).sh(&format!("cat {idle}")).run().ok(), "1\n");
    let cpu = json!({"cpu": {"quota": 50_000, "period": 100_000, "burst": 25_000}});
    assert_eq!(limited(cpu).sh(&format!("cat {burst}")).run().ok(), "25000\n");
}

#[test]
fn a_set_of_cpus_is_all_that_the_container_can_use() {
    needs!("cpuset");
    let script = "nproc; grep -E '^(Cpus|Mems)_allowed_list' /proc/self/status | tr -d '\\t'";
    let container = limited(json!({"cpu": {"cpus": "0", "mems": "0"}})).sh(&format!("{script}; sleep 1000"));
    let run = limited(json!({"cpu": {"cpus": "0", "mems": "0"}})).sh(script).run().ok();
    assert_eq!(run, "1\nCpus_allowed_list:0\nMems_allowed_list:0\n");
    assert_eq!(container.started().exec_sh(script).ok(), run, "the process of exec too");
}

#[test]
fn cpus_that_do_not_exist_are_an_error_that_names_the_field() {
    needs!("cpuset");
    let error = limited(json!({"cpu": {"cpus": "4000-4001"}})).sh("true").run().fails();
    assert!(error.contains("/linux/resources/cpu/cpus"), "{error}");
}
