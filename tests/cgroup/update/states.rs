//! Which containers can be updated.

use crate::support::{Container, finish};
use crate::update::{limited, plain, running, update};
use serde_json::json;

#[test]
fn a_created_container_keeps_its_new_limit_when_it_starts() {
    needs!("pids");
    let container = limited(json!({"pids": {"limit": 50}})).sh("sleep 1000");
    let created = container.create();
    assert_eq!(created.code, 0, "{}", created.err);
    update(&container, &["--pids-limit", "40"]).ok();
    assert_eq!(container.status(), "created");
    container.start().ok();
    assert_eq!(container.cgroup_file("pids", "pids.max"), "40");
}

#[test]
fn a_paused_container_stays_paused() {
    needs!("pids", "memory");
    let container = running(json!({}));
    container.call(&["pause", &container.id]).ok();
    update(&container, &["--pids-limit", "40", "--memory", "64m"]).ok();
    assert_eq!(container.cgroup_file("pids", "pids.max"), "40");
    assert_eq!(container.status(), "paused");
}

#[test]
fn a_container_that_runs_in_the_foreground_can_be_updated() {
    needs!("pids");
    let container = limited(json!({"pids": {"limit": 50}})).sh("sleep 1000");
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id);
    let mut run = command.spawn().expect("the command can be started");
    crate::support::wait_until("the container runs", || {
        container.call(&["state", &container.id]).out.contains("\"running\"")
    });
    update(&container, &["--pids-limit", "41"]).ok();
    assert_eq!(container.cgroup_file("pids", "pids.max"), "41");
    container.call(&["kill", &container.id, "KILL"]).ok();
    run.wait().expect("run ends with its container");
    container.assert_gone();
}

#[test]
fn a_stopped_container_cannot_be_updated() {
    let container = Container::new().sh("true").started();
    container.wait_for_status("stopped");
    let error = update(&container, &["--pids-limit", "40"]).fails();
    assert!(error.contains("container not running"), "{error}");
}

#[test]
fn an_unknown_container_and_a_missing_id_are_told_apart() {
    let container = Container::new();
    let error = update(&container, &["--pids-limit", "40"]).fails();
    assert!(error.contains("container does not exist"), "{error}");
    let error = plain(finish(container.command(&["update"]))).fails();
    assert!(error.contains("\"update\" requires exactly 1 argument"), "{error}");
}

#[test]
fn a_container_without_a_cgroup_has_no_limits_to_change() {
    let container = Container::ordinary().sh("sleep 1000").started();
    let error = update(&container, &["--memory", "64m"]).fails();
    assert!(error.contains("a container without a cgroup cannot be updated"), "{error}");
}
