//! Memory: the limit that kills, and the values beside it.

use crate::limits::{inside, limited};
use serde_json::json;

const MIB: i64 = 1 << 20;

/// A program that touches this much memory at once.
fn take(megabytes: u32) -> String {
    format!("dd if=/dev/zero of=/dev/null bs={megabytes}M count=1 2>/dev/null")
}

#[test]
fn the_limit_is_seen_inside() {
    needs!("memory");
    let file = inside("memory", "memory.max", "memory.limit_in_bytes");
    let container = limited(json!({"memory": {"limit": 48 * MIB}})).sh(&format!("cat {file}"));
    assert_eq!(container.run().ok().trim(), (48 * MIB).to_string());
}

#[test]
fn a_first_process_that_takes_more_is_killed_and_run_reports_137() {
    needs!("memory");
    let container =
        limited(json!({"memory": {"limit": 32 * MIB, "swap": 32 * MIB}})).sh(&format!("exec {}", take(128)));
    let ended = container.run();
    assert_eq!(ended.code, 137, "{ended:?}");
    container.assert_gone();
}

#[test]
fn another_process_that_takes_more_is_killed_and_counted() {
    needs!("memory");
    let file = inside("memory", "memory.events", "memory.oom_control");
    let script = format!("{}; echo $?; grep -w oom_kill {file}", take(128));
    let container = limited(json!({"memory": {"limit": 32 * MIB, "swap": 32 * MIB}})).sh(&script);
    assert_eq!(container.run().ok(), "137\noom_kill 1\n");
}

#[test]
fn within_the_limit_nothing_is_killed() {
    needs!("memory");
    let container = limited(json!({"memory": {"limit": 64 * MIB, "swap": 64 * MIB}}))
        .sh(&format!("{} && echo fits", take(16)));
    assert_eq!(container.run().ok(), "fits\n");
}

#[test]
fn files_in_a_tmpfs_of_the_container_count() {
    needs!("memory");
    let script = "dd if=/dev/zero of=/dev/shm/big bs=1M count=60 2>/dev/null; echo $?";
    let container = limited(json!({"memory": {"limit": 32 * MIB, "swap": 32 * MIB}})).sh(script);
    assert_eq!(container.run().ok(), "137\n");
}

#[test]
fn the_process_of_exec_is_under_the_limit_too() {
    needs!("memory");
    let container =
        limited(json!({"memory": {"limit": 32 * MIB, "swap": 32 * MIB}})).sh("sleep 1000").started();
    assert_eq!(container.exec_sh(&format!("exec {}", take(128))).code, 137);
    assert_eq!(container.status(), "running");
}

#[test]
fn a_small_limit_leaves_room_for_a_small_program() {
    needs!("memory");
    let container = limited(json!({"memory": {"limit": 2 * MIB, "swap": 2 * MIB}})).sh("echo fits");
    assert_eq!(container.run().ok(), "fits\n");
}

#[test]
fn swap_counts_memory_and_swap_together() {
    needs!("memory");
    let file = inside("memory", "memory.swap.max", "memory.memsw.limit_in_bytes");
    let expected = if crate::support::is_v2() { 16 * MIB } else { 48 * MIB };
    let container =
        limited(json!({"memory": {"limit": 32 * MIB, "swap": 48 * MIB}})).sh(&format!("cat {file}"));
    let ended = container.run();
    if ended.err.contains("memory/swap") || ended.err.contains("No such file") {
        crate::skip!("this kernel does not account swap: {}", ended.err);
    }
    assert_eq!(ended.ok().trim(), expected.to_string());
}

#[test]
fn the_reservation_is_the_amount_that_is_protected() {
    needs!("memory");
    let file = inside("memory", "memory.low", "memory.soft_limit_in_bytes");
    let container =
        limited(json!({"memory": {"limit": 32 * MIB, "reservation": 16 * MIB}})).sh(&format!("cat {file}"));
    assert_eq!(container.run().ok().trim(), (16 * MIB).to_string());
}

#[test]
fn v1_takes_swappiness_and_an_oom_killer_that_is_off() {
    needs!("memory");
    if crate::support::is_v2() {
        crate::skip!("cgroup v2 has neither");
    }
    let container = limited(
        json!({"memory": {"limit": 32 * MIB, "swappiness": 7, "disableOOMKiller": true}}),
    )
    .sh("cat /sys/fs/cgroup/memory/memory.swappiness; grep disable /sys/fs/cgroup/memory/memory.oom_control");
    assert_eq!(container.run().ok(), "7\noom_kill_disable 1\n");
}

#[test]
fn no_limit_is_minus_one() {
    needs!("memory");
    let file = inside("memory", "memory.max", "memory.limit_in_bytes");
    let container = limited(json!({"memory": {"limit": -1}})).sh(&format!("cat {file}"));
    let found = container.run().ok();
    assert!(["max", "9223372036854771712"].contains(&found.trim()), "{found}");
}
