//! A limit that the kernel refuses after others were written: they are set back.

use crate::support::is_v2;
use crate::update::json::snapshot;
use crate::update::{running, update, update_json};
use serde_json::json;

/// No machine has this processor, so the kernel refuses it; nothing else can know before.
const NO_CPU: &str = "4000";

#[test]
fn limits_that_were_written_before_the_refused_one_are_set_back() {
    needs!("cpuset", "cpu", "memory", "pids");
    let container = running(json!({
        "memory": {"limit": 67_108_864}, "cpu": {"quota": 50_000, "period": 100_000}, "pids": {"limit": 50}
    }));
    let before = snapshot(&container);
    let all = ["--memory", "128m", "--pids-limit", "60", "--cpu-quota", "70000", "--cpu-burst", "100"];
    let error =
        update(&container, &[&all[..], &["--cpu-share", "3000", "--cpuset-cpus", NO_CPU]].concat()).fails();
    assert!(error.contains("--cpuset-cpus = \"4000\"") && error.contains("no limit was changed"), "{error}");
    assert_eq!(snapshot(&container), before);
    // Nor does the container remember what it does not have.
    update(&container, &["--cpu-burst", "40000"]).ok();
}

#[test]
fn rates_of_devices_are_set_back_to_none() {
    needs!("blkio", "pids");
    let Some((major, minor)) = crate::update::disk() else { crate::skip!("no block device here") };
    let container = running(json!({}));
    let before = snapshot(&container);
    let rate = |major: u64, minor: u64| json!({"major": major, "minor": minor, "rate": 1_048_576});
    // There is no device of the second number.
    let wanted = json!({"blockIO": {"throttleReadBpsDevice": [rate(major, minor), rate(4000, 77)]},
        "pids": {"limit": 44}});
    let error = update_json(&container, &wanted).fails();
    assert!(error.contains("/blockIO/throttleReadBpsDevice/1"), "{error}");
    assert!(error.contains("no limit was changed"), "{error}");
    let file = if is_v2() { "io.max" } else { "blkio.throttle.read_bps_device" };
    assert_eq!(container.cgroup_file("blkio", file), "");
    assert_eq!(snapshot(&container), before);
}
