//! Kills: of the shim proper, of its keeper, of the command that waits.

use super::{assert_no_shim, detached, keeper, kill, log, place, shims};
use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, wait_until};
use serde_json::json;
use std::fs;
use std::process::Child;
use std::time::Duration;

const LINES: u32 = 12_000;

fn talker() -> Container {
    Container::new().sh(&format!("i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i+1)); done; exit 9"))
}

fn assert_whole(container: &Container) {
    let shown = container.call(&["logs", &container.id]).ok();
    let wanted: String = (0..LINES).map(|number| format!("line {number}\n")).collect();
    assert!(shown == wanted, "{} lines of {LINES}", shown.lines().count());
}

#[test]
fn kills_of_the_shim_proper_lose_nothing() {
    let container = talker();
    detached(&container, &[]).ok();
    let keeper = keeper(&container);
    for round in 0..12 {
        std::thread::sleep(Duration::from_millis(10 + 7 * round));
        shims(keeper).into_iter().for_each(|shim| kill(shim, libc::SIGKILL));
    }
    assert_eq!(container.call(&["wait", &container.id]).out, "9\n");
    assert_whole(&container);
    assert_no_shim(&container);
}

#[test]
fn a_killed_keeper_takes_nothing_along() {
    let container = talker();
    detached(&container, &[]).ok();
    kill(keeper(&container), libc::SIGKILL);
    assert_eq!(container.call(&["wait", &container.id]).out, "9\n");
    assert_whole(&container);
    assert_no_shim(&container);
}

#[test]
fn a_container_goes_on_without_keeper_and_shim() {
    let container = Container::new().args(&["sleep", "1000"]);
    detached(&container, &[]).ok();
    let keeper = keeper(&container);
    let all: Vec<i32> = [keeper].into_iter().chain(shims(keeper)).collect();
    all.into_iter().for_each(|pid| kill(pid, libc::SIGKILL));
    assert_no_shim(&container);
    assert_eq!(container.status(), "running");
    let error = container.call(&["attach", &container.id]).fails();
    assert!(error.contains("shim"), "{error}");
    container.call(&["delete", "--force", &container.id]).ok();
    assert_nothing_left(&container);
    // And the id is free again.
    let container = container.sh("exit 2");
    detached(&container, &[]).ok();
    assert_eq!(container.call(&["wait", &container.id]).out, "2\n");
}

/// A hook holds the creation up.
fn held(container: &Container) -> Child {
    container.write_config();
    let mut command = container.command(&["run", "--detach", "--log-output"]);
    command.arg(log(container)).arg("--bundle").arg(container.bundle()).arg(&container.id);
    let running = command.spawn().expect("run can be started");
    wait_until("the hook", || container.bundle().join("hook").exists());
    running
}

fn with_a_hook_that_waits() -> Container {
    let container = Container::new().args(&["sleep", "1000"]);
    let script = format!("touch {}; exec sleep 1000", container.bundle().join("hook").display());
    container.edit(|config| {
        config["hooks"] = json!({"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]});
    })
}

#[test]
fn a_command_that_is_ended_while_its_container_is_made_leaves_nothing() {
    for signal in [libc::SIGTERM, libc::SIGKILL] {
        let container = with_a_hook_that_waits();
        let mut running = held(&container);
        kill(running.id() as i32, signal);
        assert!(!running.wait().expect("it is our child").success());
        assert_no_shim(&container);
        assert_nothing_left(&container);
        assert!(!place(&container).exists(), "what the shim knew is left after signal {signal}");
    }
}

#[test]
fn a_shim_that_is_killed_while_it_makes_the_container_makes_it_again() {
    let container = Container::new().sh("echo once; exit 4");
    let marks = container.bundle().join("marks");
    let script = format!("echo x >> {0}; [ $(wc -l < {0}) -gt 1 ] || exec sleep 5", marks.display());
    let container = container.edit(|config| {
        config["hooks"] = json!({"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]});
    });
    container.write_config();
    let mut command = container.command(&["run", "--detach", "--log-output"]);
    command.arg(log(&container)).arg("--bundle").arg(container.bundle()).arg(&container.id);
    let mut running = command.spawn().expect("run can be started");
    wait_until("the hook", || marks.exists());
    shims(keeper(&container)).into_iter().for_each(|shim| kill(shim, libc::SIGKILL));
    assert!(running.wait().expect("it is our child").success());
    assert_eq!(container.call(&["wait", &container.id]).out, "4\n");
    assert_eq!(container.call(&["logs", &container.id]).ok(), "once\n");
    assert_eq!(fs::read_to_string(marks).expect("the hook has run").lines().count(), 2);
}
