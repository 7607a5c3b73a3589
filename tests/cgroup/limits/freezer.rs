//! pause and resume.

use crate::support::{Container, has_controller, is_v2, wait_until};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

/// A container that keeps counting in /count; `None` where nothing can freeze it.
fn counting() -> Option<Container> {
    if !is_v2() && !has_controller("freezer") {
        return None;
    }
    let container =
        Container::new().sh("n=0; while :; do n=$((n+1)); echo $n > /count; sleep 0.01; done").started();
    wait_until("the container counts", || count(&container) > 2);
    Some(container)
}

const NONE: &str = "no freezer is mounted";

fn count(container: &Container) -> u64 {
    let text = fs::read_to_string(container.rootfs().join("count")).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// Two looks at the count, a little apart; between write and truncation the file is empty.
fn moves(container: &Container) -> bool {
    let raw = || fs::read_to_string(container.rootfs().join("count")).unwrap_or_default();
    let before = raw();
    sleep(Duration::from_millis(150));
    raw() != before
}

#[test]
fn a_paused_container_does_nothing_and_goes_on_when_resumed() {
    let Some(container) = counting() else { crate::skip!("{NONE}") };
    container.call(&["pause", &container.id]).ok();
    assert_eq!(container.status(), "paused");
    assert!(!moves(&container), "it counts on while it is paused");
    container.call(&["resume", &container.id]).ok();
    assert_eq!(container.status(), "running");
    wait_until("it counts again", || moves(&container));
}

#[test]
fn a_paused_container_can_be_killed() {
    let Some(container) = counting() else { crate::skip!("{NONE}") };
    container.call(&["pause", &container.id]).ok();
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id]).ok();
    container.assert_gone();
}

#[test]
fn a_paused_container_can_be_deleted_by_force() {
    let Some(container) = counting() else { crate::skip!("{NONE}") };
    container.call(&["pause", &container.id]).ok();
    container.call(&["delete", "--force", &container.id]).ok();
    container.assert_gone();
}

#[test]
fn exec_in_a_paused_container_is_refused() {
    let Some(container) = counting() else { crate::skip!("{NONE}") };
    container.call(&["pause", &container.id]).ok();
    let error = container.exec_sh("true").fails();
    assert!(error.contains("paused"), "{error}");
}

#[test]
fn pausing_twice_and_resuming_a_running_container_are_errors_or_nothing() {
    let Some(container) = counting() else { crate::skip!("{NONE}") };
    container.call(&["resume", &container.id]);
    assert_eq!(container.status(), "running");
    container.call(&["pause", &container.id]).ok();
    container.call(&["pause", &container.id]);
    assert_eq!(container.status(), "paused");
    container.call(&["resume", &container.id]).ok();
    assert_eq!(container.status(), "running");
}
