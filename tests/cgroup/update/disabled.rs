//! `--cgroup-manager disabled`: no cgroup is made or touched.

use crate::support::{Container, Ended};
use crate::update::{limited, update};
use serde_json::json;
use std::fs;

fn call(container: &Container, words: &[&str]) -> Ended {
    container.call(&[&["--cgroup-manager", "disabled"], words].concat())
}

fn run(container: &Container) -> Ended {
    container.write_config();
    let bundle = container.bundle();
    call(container, &["run", "--bundle", bundle.to_str().unwrap(), &container.id])
}

fn started(container: Container) -> Container {
    container.write_config();
    let bundle = container.bundle();
    let mut command = container.command(&["--cgroup-manager", "disabled", "create", "--bundle"]);
    command.arg(bundle).arg(&container.id);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    assert!(command.status().expect("the command can be started").success());
    container.start().ok();
    container
}

#[test]
fn the_container_stays_in_the_callers_cgroup() {
    let container = Container::new().without_namespace("cgroup").sh("cat /proc/self/cgroup");
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let ended = run(&container);
    assert_eq!(ended.out, own, "{}", ended.err);
    assert!(ended.err.contains("/linux/resources/devices has no effect"), "{}", ended.err);
    container.assert_gone();
}

#[test]
fn a_limit_is_refused_by_its_field() {
    let container = limited(json!({"pids": {"limit": 50}})).sh("echo INSIDE");
    let ended = run(&container);
    assert!(!ended.out.contains("INSIDE"));
    let error = ended.fails();
    assert!(error.contains("/linux/resources/pids/limit") && error.contains("--cgroup-manager"), "{error}");
    container.assert_gone();
}

#[test]
fn commands_that_need_a_cgroup_say_so_and_the_others_work() {
    let container = started(Container::new().sh("sleep 1000"));
    assert!(container.cgroups().is_empty());
    assert_eq!(container.status(), "running");
    let without = |ended: Ended| {
        let error = ended.fails();
        assert!(error.contains("a container without a cgroup"), "{error}");
    };
    without(container.call(&["pause", &container.id]));
    without(update(&container, &["--pids-limit", "5"]));
    without(container.call(&["kill", "--all", &container.id, "USR1"]));
    without(container.call(&["exec", "--cgroup", "a", &container.id, "true"]));
    let ps = container.call(&["ps", "--format", "json", &container.id]);
    assert!(ps.err.contains("only its first process is known"), "{}", ps.err);
    assert_eq!(ps.ok(), format!("[{}]\n", container.pid()));
    assert_eq!(container.exec_sh("echo in").ok(), "in\n");
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id]).ok();
    container.assert_gone();
}

#[test]
fn delete_by_force_ends_a_running_one() {
    let container = started(Container::new().sh("sleep 1000"));
    container.call(&["delete", "--force", &container.id]).ok();
    container.assert_gone();
}

#[test]
fn the_managers_are_three_words_and_contradictions_are_refused() {
    let container = Container::new().sh("echo INSIDE");
    container.write_config();
    let bundle = container.bundle();
    let with = |words: &[&str]| {
        container.call(&[words, &["run", "--bundle", bundle.to_str().unwrap(), &container.id]].concat())
    };
    assert_eq!(with(&["--cgroup-manager", "cgroupfs"]).ok(), "INSIDE\n");
    assert!(with(&["--cgroup-manager", "none"]).fails().contains("cgroupfs, systemd or disabled"));
    let error = with(&["--systemd-cgroup", "--cgroup-manager", "disabled"]).fails();
    assert!(error.contains("conflicts with --systemd-cgroup"), "{error}");
}
