//! Hosts whose cgroup file systems or proc are not as usual: each in a mount namespace of the test's.

use crate::support::{Container, Ended, finish, limited};
use serde_json::json;
use std::process::{Command, Stdio};

/// `run` where this shell line has changed the mounts.
fn run_where(line: &str, container: &Container, options: &str) -> Ended {
    container.write_config();
    let script = format!(
        "{line} && exec {} --root {} {options} run --bundle {} {}",
        crate::support::RRUNTIME,
        container.state_root().display(),
        container.bundle().display(),
        container.id
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", &script]).stdin(Stdio::null());
    finish(command)
}

/// The last mount first: it may cover others.
const NO_CGROUPS: &str =
    "for m in $(awk '$3 ~ /^cgroup/ {print $2}' /proc/self/mounts | tac); do umount -l $m || :; done";
const READ_ONLY: &str = "for m in $(awk '$3 ~ /^cgroup/ {print $2}' /proc/self/mounts); do \
                         mount -o remount,bind,ro $m 2>/dev/null || :; done";

/// A container that asks for nothing of cgroups, not even to see them.
fn modest() -> Container {
    Container::new().sh("echo inside").edit(|c| {
        for field in ["cgroupsPath", "resources"] {
            c["linux"].as_object_mut().unwrap().remove(field);
        }
        c["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "cgroup");
    })
}

#[test]
fn without_cgroups_the_error_names_both_ways_out_and_the_second_works() {
    let error = run_where(NO_CGROUPS, &Container::new().sh("echo INSIDE"), "").fails();
    for part in ["no cgroup file system is mounted", "mount -t cgroup2", "--cgroup-manager disabled"] {
        assert!(error.contains(part), "{part} is missing: {error}");
    }
    assert_eq!(run_where(NO_CGROUPS, &modest(), "--cgroup-manager disabled").ok(), "inside\n");
    let asks = limited(json!({"pids": {"limit": 9}})).sh("echo INSIDE");
    let asks = asks.edit(|c| drop(c["linux"].as_object_mut().unwrap().remove("cgroupsPath")));
    let error = run_where(NO_CGROUPS, &asks, "--cgroup-manager disabled").fails();
    assert!(error.contains("/linux/resources/pids/limit"), "{error}");
}

#[test]
fn where_cgroups_are_read_only_the_error_says_so_and_a_container_without_one_runs() {
    let error = run_where(READ_ONLY, &Container::new().sh("echo INSIDE"), "").fails();
    for part in ["/linux/cgroupsPath", "read-only", "read-write", "--cgroup-manager disabled"] {
        assert!(error.contains(part), "{part} is missing: {error}");
    }
    assert_eq!(run_where(READ_ONLY, &modest(), "--cgroup-manager disabled").ok(), "inside\n");
}

#[test]
fn without_proc_the_error_says_what_to_mount() {
    for options in ["", "--cgroup-manager disabled"] {
        let container = modest();
        let error = run_where("umount -l /proc", &container, options).fails();
        assert!(error.contains("no proc file system is mounted"), "{error}");
        assert!(error.contains("mount -t proc proc /proc"), "{error}");
        container.assert_gone();
    }
}
