//! Device rules of a running container: what may be opened before, after, and when an update fails.

use crate::support::{Container, is_v2};
use crate::update::{plain, running, update, update_json};
use serde_json::json;
use std::fs;
use std::path::PathBuf;

/// A driver that no machine has: what may be opened is "No such device", what may not is "not permitted".
const ONE: &str = "c 240 0";
const OTHER: &str = "c 240 1";

fn rule(container: &Container, text: &str) -> crate::support::Ended {
    update(container, &["--device-rule", text])
}

/// The container's group in the devices hierarchy of v1.
fn list(container: &Container) -> String {
    fs::read_to_string(PathBuf::from("/sys/fs/cgroup/devices").join(&container.id).join("devices.list"))
        .unwrap_or_default()
}

#[test]
fn a_rule_opens_devices_and_another_one_closes_them() {
    let container = running(json!({}));
    assert!(!container.opens(ONE));
    rule(&container, "c 240:0 rw").ok();
    assert!(container.opens(ONE) && !container.opens(OTHER));
    // What was changed before is still so.
    rule(&container, "allow c 240:* rw").ok();
    assert!(container.opens(ONE) && container.opens(OTHER));
    update(&container, &[]).ok();
    update_json(&container, &json!({"devices": [{"allow": false, "access": "rwm"}]})).ok();
    assert!(container.opens(ONE), "what engines write of devices is left out");
    rule(&container, "deny c 240:* rw").ok();
    assert!(!container.opens(ONE) && !container.opens(OTHER));
    // What every container has stays, and others stay closed.
    assert_eq!(container.exec_sh("head -c 1 /dev/zero | wc -c").ok(), "1\n");
    assert!(!container.opens("b 240 0"));
    rule(&container, "a *:* rwm").ok();
    assert!(container.opens("b 240 0"));
    rule(&container, "deny a *:* rwm").ok();
    assert!(!container.opens(ONE));
    assert_eq!(container.exec_sh("head -c 1 /dev/zero | wc -c").ok(), "1\n");
}

#[test]
fn several_rules_come_in_their_order_beside_other_limits_or_a_file() {
    let container = running(json!({}));
    update(&container, &["--device-rule", "c 240:* rw", "--device-rule", "c 241:0 r"]).ok();
    assert!(container.opens(OTHER) && container.opens("c 241 0"));
    assert!(
        container.exec_sh("mknod /tmp/x c 241 0; echo > /tmp/x; rm /tmp/x").err.contains("not permitted")
    );
    let file = container.dir.join("resources.json");
    fs::write(&file, "{}").unwrap();
    update(&container, &["-r", file.to_str().unwrap(), "--device-rule", "c 242:0 rw"]).ok();
    assert!(container.opens("c 242 0") && container.opens(ONE));
}

#[test]
fn a_wrong_rule_is_named_and_changes_nothing() {
    let container = running(json!({}));
    let before = list(&container);
    for text in [
        "",
        "c",
        "c 240:0",
        "c 240 rw",
        "x 240:0 rw",
        "c 240:0 rwx",
        "c 240:0 rr",
        "c -1:0 r",
        "c 4096:0 r",
        "c 240:1048576 r",
        "c 240:0 r r",
        "forbid c 240:0 r",
        "c  240:0 r",
    ] {
        let error = rule(&container, text).fails();
        assert!(error.contains("--device-rule") && error.contains("c 10:200 rwm"), "{text}: {error}");
    }
    let error = rule(&container, "deny c 1:3 rwm").fails();
    assert!(error.contains("--device-rule") && error.contains("every container"), "{error}");
    assert_eq!(list(&container), before);
}

#[test]
fn a_part_of_a_wider_rule_is_closed_on_v2_and_refused_on_v1() {
    let container = running(json!({}));
    rule(&container, "c 240:* rw").ok();
    let ended = plain(rule(&container, "deny c 240:0 rw"));
    if is_v2() {
        ended.ok();
        assert!(!container.opens(ONE));
    } else {
        let error = ended.fails();
        assert!(error.contains("cgroup v1 cannot take") && error.contains("--device-rule"), "{error}");
        assert!(container.opens(ONE));
    }
    assert!(container.opens(OTHER));
    // The record has what the kernel has.
    rule(&container, "c 243:0 rw").ok();
    assert_eq!(container.opens(ONE), !is_v2());
}

#[test]
fn an_update_that_fails_in_the_end_takes_its_rules_back() {
    let container = running(json!({}));
    rule(&container, "c 241:0 rw").ok();
    let before = list(&container);
    for text in ["c 240:* rw", "deny c 241:0 w", "a *:* rwm"] {
        let ended = container.with_a_fixed_record(|| rule(&container, text));
        assert!(ended.fails().contains("no limit was changed"), "{text}");
        assert_eq!(list(&container), before, "{text}");
        assert!(!container.opens(ONE) && container.opens("c 241 0"), "{text}");
    }
    rule(&container, "c 240:0 rw").ok();
    assert!(container.opens(ONE));
}

#[test]
fn what_another_program_has_opened_stays_open() {
    if is_v2() {
        skip!("on cgroup v2 rules are in programs, of which each program has its own");
    }
    let container = running(json!({}));
    let group = PathBuf::from("/sys/fs/cgroup/devices").join(&container.id);
    fs::write(group.join("devices.allow"), "c 241:* rw").unwrap();
    rule(&container, "c 240:0 rw").ok();
    assert!(container.opens("c 241 7") && container.opens(ONE));
    rule(&container, "deny c 240:0 rw").ok();
    assert!(container.opens("c 241 7") && !container.opens(ONE));
    // Rules that are of another kind are not ours to change.
    fs::write(group.join("devices.allow"), "a").unwrap();
    let error = rule(&container, "c 240:0 rw").fails();
    assert!(error.contains("another program has changed"), "{error}");
}
