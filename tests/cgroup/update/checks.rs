//! Wrong values of options, and limits below what is in use.

use crate::update::json::snapshot;
use crate::update::{limited, running, update, update_json};
use serde_json::json;

#[test]
fn a_wrong_value_is_named_by_its_option_and_nothing_changes() {
    let container = running(json!({}));
    let before = snapshot(&container);
    for (option, value) in [
        ("--memory", "64x"),
        ("--memory", "-2"),
        ("--memory", "99999999999999999999"),
        ("--memory-swap", "1k"),
        ("--memory-reservation", "much"),
        ("--cpu-period", "-1"),
        ("--cpu-period", "10"),
        ("--cpu-quota", "1e5"),
        ("--cpu-burst", "-1"),
        ("--cpu-share", "1.5"),
        ("--cpu-idle", "2"),
        ("--cpuset-cpus", "a-b"),
        ("--cpuset-mems", "0-"),
        ("--pids-limit", "many"),
        ("--blkio-weight", "9"),
        ("--blkio-weight", "100000"),
        ("--l3-cache-schema", "L3:0=f"),
        ("--mem-bw-schema", "MB:0=20"),
    ] {
        let error = update(&container, &[option, value]).fails();
        assert!(error.contains(option), "{option} {value}: {error}");
        assert_eq!(snapshot(&container), before, "{option} {value}");
    }
    assert!(update(&container, &["--memroy", "1"]).fails().contains("did you mean --memory"));
}

#[test]
fn a_limit_below_the_memory_in_use_is_refused_where_that_is_asked_for() {
    needs!("memory");
    let container = limited(json!({"memory": {"limit": 268_435_456, "checkBeforeUpdate": true}}))
        .sh("dd if=/dev/zero of=/dev/shm/held bs=1M count=24 2>/dev/null; echo held > /tmp/done; sleep 1000");
    let container = container.started();
    crate::support::wait_until("the memory is in use", || container.exec_sh("cat /tmp/done").out == "held\n");
    let before = snapshot(&container);
    let error = update(&container, &["--memory", "8m"]).fails();
    assert!(error.contains("--memory = \"8m\"") && error.contains("rejecting memory limit"), "{error}");
    let error = update_json(&container, &json!({"memory": {"limit": 8_388_608}})).fails();
    assert!(error.contains("/memory/limit") && error.contains("bytes already"), "{error}");
    assert_eq!(snapshot(&container), before);
    assert_eq!(container.status(), "running");
    update(&container, &["--memory", "128m"]).ok();
}
