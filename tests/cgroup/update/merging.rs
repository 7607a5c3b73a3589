//! What an update remembers: the next one completes its values from it.

use crate::support::is_v2;
use crate::update::{counts_swap, running, update, value};
use serde_json::json;

const MIB: u64 = 1 << 20;

#[test]
fn swap_alone_is_counted_from_the_memory_limit_of_the_last_update() {
    needs!("memory");
    if !counts_swap() {
        crate::skip!("the kernel does not account swap");
    }
    let swap = |container: &_| value(container, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
    let container = running(json!({"memory": {"limit": 64 * MIB}}));
    update(&container, &["--memory-swap", "96m"]).ok();
    assert_eq!(swap(&container), (if is_v2() { 32 } else { 96 } * MIB).to_string());
    update(&container, &["--memory", "80m"]).ok();
    // The kernel of v1 keeps the sum, that of v2 the swap.
    assert_eq!(swap(&container), (if is_v2() { 32 } else { 96 } * MIB).to_string());
    update(&container, &["--memory-swap", "100m"]).ok();
    assert_eq!(swap(&container), (if is_v2() { 20 } else { 100 } * MIB).to_string());
    let error = update(&container, &["--memory-swap", "79m"]).fails();
    assert!(error.contains("--memory-swap = \"79m\"") && error.contains("below the memory limit"), "{error}");
    assert_eq!(swap(&container), (if is_v2() { 20 } else { 100 } * MIB).to_string());
}

#[test]
fn swap_without_any_memory_limit_is_refused() {
    let container = running(json!({}));
    let error = update(&container, &["--memory-swap", "96m"]).fails();
    assert!(error.contains("--memory-swap") && error.contains("without memory.limit"), "{error}");
}

#[test]
fn a_quota_keeps_the_period_of_the_last_update() {
    needs!("cpu");
    let container = running(json!({"cpu": {"period": 50_000}}));
    let period = || {
        let found = value(&container, "cpu", "cpu.cfs_period_us", "cpu.max");
        found.rsplit(' ').next().unwrap().to_owned()
    };
    let quota = || {
        let found = value(&container, "cpu", "cpu.cfs_quota_us", "cpu.max");
        found.split(' ').next().unwrap().to_owned()
    };
    update(&container, &["--cpu-quota", "20000"]).ok();
    assert_eq!((quota().as_str(), period().as_str()), ("20000", "50000"));
    update(&container, &["--cpu-period", "40000"]).ok();
    assert_eq!((quota().as_str(), period().as_str()), ("20000", "40000"));
    update(&container, &["--cpu-quota", "10000"]).ok();
    assert_eq!((quota().as_str(), period().as_str()), ("10000", "40000"));
}

#[test]
fn a_burst_is_held_against_the_quota_of_the_last_update() {
    needs!("cpu");
    let container = running(json!({"cpu": {"quota": 50_000, "burst": 20_000}}));
    let error = update(&container, &["--cpu-quota", "10000"]).fails();
    assert!(error.contains("--cpu-burst = \"20000\"") && error.contains("above the quota 10000"), "{error}");
    update(&container, &["--cpu-quota", "10000", "--cpu-burst", "5000"]).ok();
    let error = update(&container, &["--cpu-burst", "20000"]).fails();
    assert!(error.contains("--cpu-burst"), "{error}");
    assert_eq!(value(&container, "cpu", "cpu.cfs_burst_us", "cpu.max.burst"), "5000");
}

#[test]
fn a_container_that_was_updated_can_be_entered_killed_and_deleted() {
    needs!("pids");
    let container = running(json!({}));
    update(&container, &["--pids-limit", "60"]).ok();
    assert_eq!(container.status(), "running");
    assert_eq!(container.exec_sh("echo in").ok(), "in\n");
    container.call(&["pause", &container.id]).ok();
    container.call(&["resume", &container.id]).ok();
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id]).ok();
    container.assert_gone();
}
