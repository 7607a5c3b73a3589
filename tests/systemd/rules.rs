//! Limits and device rules: in files, and as properties that systemd writes again when it is reloaded.

use crate::fixture::{file_of, property, scoped, started, systemctl};
use crate::support::{Container, finish, is_v2};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time has systemd reloaded: a reload writes the control files of all scopes again.
pub fn reloads() -> MutexGuard<'static, ()> {
    static RELOADS: Mutex<()> = Mutex::new(());
    RELOADS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn reload(_: &MutexGuard<()>) {
    let mut command = systemctl();
    command.arg("daemon-reload");
    finish(command).ok();
    // It answers before it writes control files.
    std::thread::sleep(std::time::Duration::from_millis(200));
}

/// Opens the node of a device without a mode that would refuse it: the rules alone decide.
const OPEN: &str = "for device in 7:0:b 10:229:c 1:1:c; do
    IFS=:; set -- $device; mknod /tmp/node $3 $1 $2
    dd if=/tmp/node of=/dev/null bs=1 count=0 2>/tmp/why
    if grep -q 'not permitted' /tmp/why; then echo $1 denied; else echo $1 open; fi
    rm /tmp/node; done";

#[test]
fn an_update_that_fails_in_the_end_is_taken_back_from_systemd_too() {
    under_systemd!(true);
    needs!("memory");
    let container = started(scoped().args(&["sleep", "100"]).edit(|config| {
        config["linux"]["resources"]["memory"] = serde_json::json!({"limit": 64 << 20});
    }));
    let name = if is_v2() { "MemoryMax" } else { "MemoryLimit" };
    assert_eq!(property(&container, name), (64 << 20).to_string());
    let error = container
        .with_a_fixed_record(|| container.call(&["update", "--memory", "33554432", &container.id]))
        .fails();
    assert!(error.contains("no limit was changed"), "{error}");
    assert_eq!(property(&container, name), (64 << 20).to_string());
    container.call(&["delete", "--force", &container.id]).ok();
}

/// A container with these device rules that may make device nodes, to try which of them open.
fn making_nodes(rules: serde_json::Value) -> Container {
    started(scoped().args(&["sleep", "100"]).edit(|config| {
        config["linux"]["resources"]["devices"] = rules;
        let capabilities = config["process"]["capabilities"].as_object_mut().unwrap();
        for set in capabilities.values_mut() {
            set.as_array_mut().unwrap().push("CAP_MKNOD".into());
        }
        config["root"]["readonly"] = false.into();
        config["mounts"]
            .as_array_mut()
            .unwrap()
            .push(serde_json::json!({"destination": "/tmp", "type": "tmpfs",
            "source": "tmpfs", "options": ["dev", "mode=1777"]}));
    }))
}

#[test]
fn reloading_systemd_neither_widens_nor_drops_device_rules() {
    under_systemd!(true);
    let container = making_nodes(serde_json::json!([
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"},
        {"allow": true, "type": "b", "major": 7, "access": "rw"},
    ]));
    let before = container.exec_sh(OPEN).ok();
    assert!(before.contains("1 denied"), "{before}");
    assert!(before.contains("10 open"), "{before}");
    assert_eq!(property(&container, "DevicePolicy"), "strict");
    let alone = reloads();
    for _ in 0..2 {
        reload(&alone);
        assert_eq!(container.exec_sh(OPEN).ok(), before);
    }
    container.call(&["delete", "--force", &container.id]).ok();
}

#[test]
fn a_device_rule_of_an_update_is_a_property_too() {
    under_systemd!(true);
    let container = making_nodes(serde_json::json!([{"allow": false, "access": "rwm"}]));
    let alone = reloads();
    for (rule, fuse) in [("c 10:229 rw", "10 open"), ("deny c 10:229 rw", "10 denied")] {
        container.call(&["update", "--device-rule", rule, &container.id]).ok();
        for _ in 0..2 {
            let found = container.exec_sh(OPEN).ok();
            assert!(found.contains(fuse) && found.contains("1 denied"), "{rule}: {found}");
            let allowed = property(&container, "DeviceAllow");
            assert_eq!(allowed.contains("10:229"), fuse == "10 open", "{allowed}");
            reload(&alone);
        }
    }
    container.call(&["delete", "--force", &container.id]).ok();
}

#[test]
fn limits_are_properties_and_files_and_an_update_changes_both() {
    needs_limits!("memory", "pids", "cpu");
    let container = scoped().args(&["sleep", "100"]).edit(|config| {
        config["linux"]["resources"]["memory"] = serde_json::json!({"limit": 100_000_000});
        config["linux"]["resources"]["pids"] = serde_json::json!({"limit": 50});
        config["linux"]["resources"]["cpu"] =
            serde_json::json!({"shares": 512, "quota": 33_333, "period": 100_000});
    });
    let alone = reloads();
    let container = started(container);
    let memory = if is_v2() { "MemoryMax" } else { "MemoryLimit" };
    let limit =
        || file_of(&container, "memory", if is_v2() { "memory.max" } else { "memory.limit_in_bytes" });
    let quota = || file_of(&container, "cpu", if is_v2() { "cpu.max" } else { "cpu.cfs_quota_us" });
    assert_eq!(property(&container, memory), "100000000");
    assert_eq!(property(&container, "TasksMax"), "50");
    assert_eq!(property(&container, "CPUQuotaPerSecUSec"), "340ms", "up to ten milliseconds");
    assert!(quota().starts_with("33333"), "the file has what was asked for: {}", quota());
    container.call(&["update", "--memory", "200000000", "--pids-limit", "60", &container.id]).ok();
    assert_eq!(property(&container, memory), "200000000");
    assert_eq!(property(&container, "TasksMax"), "60");
    let updated = limit();
    assert!(updated.trim().parse::<u64>().unwrap().abs_diff(200_000_000) < 65_536, "{updated}");
    reload(&alone);
    assert_eq!(limit(), updated);
    container.call(&["delete", "--force", &container.id]).ok();
}
