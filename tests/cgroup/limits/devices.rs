//! Device rules: by file on v1, by program on v2; and what they let the container do.

use crate::limits::limited;
use serde_json::{Value, json};

/// Tries to read and to write a node that the script makes itself (kmsg, 1:11: no other rule is about it).
const TRY: &str = "mknod /d c 1 11 && echo made || echo not-made; \
     (exec 3</d) 2>/dev/null && echo read || echo not-read; \
     (exec 3>>/d) 2>/dev/null && echo write || echo not-write";

/// Docker's rules, and the capability that the kernel asks from readers of kmsg.
fn docker() -> crate::support::Container {
    limited(json!({})).edit(|config| {
        for set in ["bounding", "effective", "permitted"] {
            let list = config["process"]["capabilities"][set].as_array_mut().expect("Docker's capabilities");
            list.push("CAP_SYSLOG".into());
        }
    })
}

/// What the script says with these rules after Docker's.
fn with(rules: &[Value]) -> Vec<String> {
    let container = docker().sh(TRY).edit(|config| {
        let list = config["linux"]["resources"]["devices"].as_array_mut().expect("Docker's rules");
        list.extend(rules.iter().cloned());
    });
    container.run().ok().lines().map(str::to_owned).collect()
}

#[test]
fn a_device_without_a_rule_can_be_made_and_not_opened() {
    assert_eq!(with(&[]), ["made", "not-read", "not-write"]);
}

#[test]
fn a_rule_allows_the_access_that_it_names_and_no_more() {
    let rule = |access: &str| json!({"allow": true, "access": access, "type": "c", "major": 1, "minor": 11});
    assert_eq!(with(&[rule("r")]), ["made", "read", "not-write"]);
    assert_eq!(with(&[rule("w")]), ["made", "not-read", "write"]);
    assert_eq!(with(&[rule("rwm")]), ["made", "read", "write"]);
}

#[test]
fn the_last_rule_that_fits_decides() {
    let allow = json!({"allow": true, "access": "rwm", "type": "c", "major": 1});
    let deny = json!({"allow": false, "access": "w", "type": "c", "major": 1, "minor": 11});
    if crate::support::is_v2() {
        assert_eq!(with(&[allow.clone(), deny.clone()]), ["made", "read", "not-write"]);
    }
    assert_eq!(with(&[deny, allow]), ["made", "read", "write"]);
}

/// The kernel's v1 files read the highest number as every number.
#[test]
fn a_number_that_no_device_has_opens_none() {
    for (major, minor) in [(1, u32::MAX), (u32::MAX, 11)] {
        let rule = json!({"allow": true, "access": "rw", "type": "c", "major": major, "minor": minor});
        assert_eq!(with(&[rule]), ["made", "not-read", "not-write"]);
    }
}

#[test]
fn thousands_of_rules_for_a_part_of_the_access_are_loaded() {
    let rule = |minor| json!({"allow": true, "access": "r", "type": "c", "major": 9, "minor": minor});
    let rules: Vec<Value> = (0..3000).map(rule).collect();
    assert_eq!(with(&rules), ["made", "not-read", "not-write"]);
}

#[test]
fn a_whole_class_can_be_allowed() {
    assert_eq!(with(&[json!({"allow": true, "access": "rwm", "type": "c"})]), ["made", "read", "write"]);
    assert_eq!(with(&[json!({"allow": true, "access": "rwm"})]), ["made", "read", "write"]);
}

#[test]
fn the_default_devices_work_with_nothing_allowed_but_them() {
    let script = "echo x > /dev/null && head -c 4 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c && : < /dev/full";
    let container = limited(json!({"devices": [{"allow": false, "access": "rwm"}]})).sh(script);
    assert_eq!(container.run().ok(), "4\n4\n");
}

#[test]
fn making_nodes_can_be_denied() {
    let container = limited(json!({"devices": [
        {"allow": false, "access": "rwm"},
        {"allow": true, "access": "rwm", "type": "c", "major": 1, "minor": 3},
    ]}));
    let out = container
        .sh("mknod /l b 7 0 2>/dev/null && echo made; [ -b /l ]; (exec 3</l) 2>/dev/null || echo closed")
        .run()
        .out;
    assert!(out.ends_with("closed\n"), "{out}");
}

#[test]
fn the_rules_hold_for_exec() {
    let container = docker().sh("sleep 1000").started();
    assert_eq!(container.exec_sh(TRY).ok(), "made\nnot-read\nnot-write\n");
}

/// A process in the container's cgroup tries to open kmsg (1:11) before anything of the container runs: a hook on the
/// host goes there by itself.
#[test]
fn the_rules_stand_before_anything_of_the_container_is_opened() {
    let first = crate::support::Container::new().sh("sleep 1000").started();
    let pid_namespace = format!("/proc/{}/ns/pid", first.pid());
    for staged in [false, true] {
        let container = limited(json!({})).args(&["true"]);
        let container = if staged { container.namespace("pid", Some(&pid_namespace)) } else { container };
        let (seen, id) = (container.dir.join("seen"), container.id.clone());
        let entrance = if crate::support::is_v2() {
            format!("/sys/fs/cgroup/{id}/cgroup.procs")
        } else {
            format!("/sys/fs/cgroup/devices/{id}/tasks")
        };
        let script = format!(
            "sh -c 'echo $$ > {entrance} && {{ (exec 3</dev/kmsg) 2>/dev/null && echo opened || echo refused; }} \
             > {}'",
            seen.display()
        );
        let container = container.edit(|config| {
            let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", script]});
            config["hooks"] = json!({"createRuntime": [hook]});
        });
        container.run().ok();
        assert_eq!(std::fs::read_to_string(seen).unwrap(), "refused\n", "staged: {staged}");
    }
}
