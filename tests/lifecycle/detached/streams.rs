//! Logs: their forms, and how they are read.

use super::{command, detached, log};
use crate::support::{Container, finish, wait_until};
use std::fs;
use std::process::Stdio;

#[test]
fn a_log_is_the_kubelets_or_dockers() {
    let container = Container::new().sh("echo a; printf 'b\\0\"' >&2");
    let other = container.bundle().join("other.json");
    detached(&container, &["--log-output", &format!("json-file:{}", other.display())]).ok();
    container.call(&["wait", &container.id]).ok();
    let text = fs::read_to_string(log(&container)).expect("the log is there");
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.splitn(4, ' ').skip(1).collect()).collect();
    assert_eq!(words, [["stdout", "F", "a"], ["stderr", "P", "b\0\""]]);
    let json = fs::read_to_string(other).expect("the other log is there");
    let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("a line is an object");
    let texts: Vec<String> =
        json.lines().map(|line| read(line)["log"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(texts, ["a\n", "b\0\""]);
}

#[test]
fn json_lines_are_read_back() {
    let container = Container::new().sh("echo a; echo b >&2; printf c");
    finish(command(&container, format!("json-file:{}", log(&container).display()), &[])).ok();
    container.call(&["wait", &container.id]).ok();
    let shown = container.call(&["logs", &container.id]);
    assert_eq!((&*shown.out, &*shown.err), ("a\nc", "b\n"));
}

#[test]
fn the_last_lines_and_their_times() {
    let container = Container::new().sh("for i in 1 2 3 4 5; do echo line $i; done");
    detached(&container, &[]).ok();
    container.call(&["wait", &container.id]).ok();
    let logs = |options: &[&str]| container.call(&[&["logs"], options, &[&*container.id]].concat());
    assert_eq!(logs(&["--tail", "2"]).ok(), "line 4\nline 5\n");
    assert_eq!(logs(&["-n", "0"]).ok(), "");
    assert_eq!(logs(&["--tail", "99"]).ok().lines().count(), 5);
    assert_eq!(logs(&["--tail", "all"]).ok().lines().count(), 5);
    let stamped = logs(&["-t", "--tail=1"]).ok();
    let (time, line) = stamped.split_once(' ').expect("a time stands first");
    assert!(time.ends_with("+00:00") && line == "line 5\n", "{stamped}");
    let error = logs(&["--tail", "x"]).fails();
    assert!(error.contains("--tail") && error.contains("number of lines"), "{error}");
}

#[test]
fn the_last_of_many_lines() {
    let container = Container::new().sh("i=0; while [ $i -lt 9000 ]; do echo line $i; i=$((i+1)); done");
    detached(&container, &[]).ok();
    container.call(&["wait", &container.id]).ok();
    let shown = container.call(&["logs", "--tail", "5000", &container.id]).ok();
    let wanted: String = (4000..9000).map(|number| format!("line {number}\n")).collect();
    assert!(shown == wanted, "{} lines", shown.lines().count());
    let all: String = (0..9000).map(|number| format!("line {number}\n")).collect();
    assert!(container.call(&["logs", &container.id]).ok() == all);
}

#[test]
fn a_log_is_followed_to_the_end_of_the_container() {
    let container = Container::new().sh("echo one; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo two");
    detached(&container, &[]).ok();
    let mut command = container.command(&["logs", "--follow", &container.id]);
    let following = command.stdout(Stdio::piped()).spawn().expect("logs can be started");
    std::thread::sleep(std::time::Duration::from_millis(300));
    fs::write(container.rootfs().join("tmp/go"), "").expect("the rootfs is writable");
    let ended = following.wait_with_output().expect("logs ends");
    assert!(ended.status.success());
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "one\ntwo\n");
}

#[test]
fn a_log_of_limited_size_begins_anew_and_is_followed_across_it() {
    let container =
        Container::new().sh("i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; echo end");
    detached(&container, &["--log-size-max", "4096"]).ok();
    container.call(&["wait", &container.id]).ok();
    assert!(fs::metadata(log(&container)).expect("the log is there").len() <= 4096);
    let shown = container.call(&["logs", &container.id]).ok();
    assert!(shown.ends_with("line 499\nend\n"), "{shown}");
}

#[test]
fn a_reader_that_goes_away_ends_logs() {
    let container = Container::new().sh("while :; do echo line; sleep 0.01; done");
    detached(&container, &[]).ok();
    let mut command = container.command(&["logs", "--follow", &container.id]);
    let mut following = command.stdout(Stdio::piped()).spawn().expect("logs can be started");
    drop(following.stdout.take());
    wait_until("the end of logs", || following.try_wait().is_ok_and(|ended| ended.is_some()));
    assert_eq!(following.wait().expect("it is our child").code(), Some(0));
}

#[test]
fn without_a_file_there_is_nothing_to_show() {
    let container = Container::new().sh("echo lost");
    finish(command(&container, "none", &[])).ok();
    container.call(&["wait", &container.id]).ok();
    let error = container.call(&["logs", &container.id]).fails();
    assert!(error.contains("none of the container's logs is a file"), "{error}");
}
