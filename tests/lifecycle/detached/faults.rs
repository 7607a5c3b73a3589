//! Kills: of the shim proper, of its keeper, of the command that waits.

use super::{assert_no_shim, command, detached, keeper, kill, kill_both, log, place, shims};
use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, finish, wait_until};
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
    kill_both(&container);
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
    let running = command(container, log(container), &[]).spawn().expect("run can be started");
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
    let mut running = command(&container, log(&container), &[]).spawn().expect("run can be started");
    wait_until("the hook", || marks.exists());
    shims(keeper(&container)).into_iter().for_each(|shim| kill(shim, libc::SIGKILL));
    assert!(running.wait().expect("it is our child").success());
    assert_eq!(container.call(&["wait", &container.id]).out, "4\n");
    assert_eq!(container.call(&["logs", &container.id]).ok(), "once\n");
    assert_eq!(fs::read_to_string(marks).expect("the hook has run").lines().count(), 2);
}

/// A device that is full stands for a disk that is.
#[test]
fn on_a_full_disk_a_client_sees_each_byte_once() {
    let container = Container::new().sh("while [ ! -e /tmp/go ]; do sleep 0.05; done; echo once; sleep 1");
    finish(command(&container, "/dev/full", &[])).ok();
    let mut command = container.command(&["attach", &container.id]);
    let attached = command.stdout(std::process::Stdio::piped()).spawn().expect("attach can be started");
    std::thread::sleep(Duration::from_millis(200));
    fs::write(container.rootfs().join("tmp/go"), "").expect("the rootfs is writable");
    let ended = attached.wait_with_output().expect("attach ends");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "once\n");
}

/// A process that waits for its log is no riddle, and neither is output that no log has.
#[test]
fn output_that_finds_no_room_is_told_of() {
    let container = Container::new().sh("printf 0123456789; exit 6");
    container.write_config();
    let records = container.dir.join("records");
    let mut command = container.command(&["--log"]);
    command.arg(&records).args(["run", "--detach", "--log-output", "/dev/full", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id);
    finish(command).ok();
    assert_eq!(container.call(&["wait", &container.id]).out, "6\n");
    let loss =
        "the last 10 bytes of the container's output are lost: write to /dev/full: no space left on device";
    let records = fs::read_to_string(records).expect("--log is written to");
    assert!(records.contains(loss), "{records}");
    let waits = "the container's output waits for its log: write to /dev/full: no space left on device";
    assert_eq!(records.matches(waits).count(), 1, "told once: {records}");
    let shown = container.call(&["logs", &container.id]);
    assert!(shown.err.contains(loss), "{}", shown.err);
}

#[test]
fn an_end_that_neither_shim_nor_keeper_saw_is_not_invented() {
    let container = Container::new().args(&["sleep", "1000"]);
    detached(&container, &[]).ok();
    let keeper = keeper(&container);
    let first = shims(keeper);
    first.iter().for_each(|shim| kill(*shim, libc::SIGKILL));
    let second = || shims(keeper).into_iter().any(|shim| !first.contains(&shim));
    wait_until("a successor", second);
    std::thread::sleep(Duration::from_millis(300));
    kill(keeper, libc::SIGKILL);
    container.call(&["kill", &container.id, "KILL"]).ok();
    let waited = container.call(&["wait", &container.id]);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("/proc is mounted");
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    let version: [u32; 2] = [0; 2].map(|_| numbers.next().unwrap_or(0));
    match version >= [6, 15] {
        true => assert_eq!(waited.out, "137\n"),
        false => eprintln!("skipped: before Linux 6.15 nobody but its parent knows"),
    }
    assert_no_shim(&container);
}

#[test]
fn a_log_that_cannot_be_begun_anew_holds_nothing_up_for_ever() {
    let container = Container::new().sh("while [ ! -e /tmp/go ]; do sleep 0.05; done; seq 1 2000; exit 3");
    let directory = container.dir.join("logs");
    fs::create_dir(&directory).expect("the test's directory is writable");
    finish(command(&container, directory.join("log"), &["--log-size-max", "2000"])).ok();
    fs::remove_dir_all(&directory).expect("the test's directory is writable");
    fs::write(container.rootfs().join("tmp/go"), "").expect("the rootfs is writable");
    wait_until("output that waits", || container.status() == "running");
    container.call(&["kill", &container.id, "KILL"]).ok();
    assert_eq!(container.call(&["wait", &container.id]).out, "137\n");
    assert_no_shim(&container);
}

/// Whoever may write to the log's directory does not decide which file the shim writes to.
#[test]
fn no_link_beside_a_log_is_followed() {
    let container = Container::new().sh("seq 1 2000");
    let victim = container.bundle().join("victim");
    fs::write(&victim, "kept").expect("the bundle is writable");
    for name in ["output.log.tmp", "output.log.new"] {
        std::os::unix::fs::symlink(&victim, container.bundle().join(name)).expect("the bundle is writable");
    }
    detached(&container, &["--log-size-max", "2000"]).ok();
    container.call(&["wait", &container.id]).ok();
    assert_eq!(fs::read_to_string(victim).expect("it is there"), "kept");
    assert!(fs::symlink_metadata(log(&container)).expect("the log is there").is_file());
}

#[test]
fn clients_that_are_gone_cost_nothing() {
    let container = Container::new().sh("while :; do echo line; sleep 0.01; done");
    detached(&container, &[]).ok();
    let keeper = keeper(&container);
    let held = || fs::read_dir(format!("/proc/{keeper}/fd")).expect("the keeper lives").count();
    let before = held();
    for _ in 0..10 {
        let mut command = container.command(&["attach", &container.id]);
        let mut attached =
            command.stdout(std::process::Stdio::null()).spawn().expect("attach can be started");
        wait_until("the connection", || held() > before);
        kill(attached.id() as i32, libc::SIGKILL);
        attached.wait().expect("it is our child");
        wait_until("the end of the connection", || held() == before);
    }
}

/// Its end is told all the same.
#[test]
fn a_client_that_does_not_read_does_not_hold_up_the_end() {
    let container = Container::new().sh("while :; do echo a line of some length; done");
    finish(command(&container, "none", &[])).ok();
    let mut command = container.command(&["attach", &container.id]);
    let mut attached = command.stdout(std::process::Stdio::piped()).spawn().expect("attach can be started");
    std::thread::sleep(Duration::from_millis(500));
    container.call(&["kill", &container.id, "KILL"]).ok();
    assert_eq!(container.call(&["wait", &container.id]).out, "137\n");
    assert_no_shim(&container);
    drop(attached.stdout.take());
    attached.wait().expect("it is our child");
}

#[test]
fn what_is_lost_with_the_shim_is_said() {
    let container = Container::new().args(&["sleep", "1000"]);
    detached(&container, &[]).ok();
    kill_both(&container);
    container.call(&["delete", "--force", &container.id]).ok();
    let error = container.call(&["wait", &container.id]).fails();
    assert!(error.contains("is lost: its shim was killed"), "{error}");
}
