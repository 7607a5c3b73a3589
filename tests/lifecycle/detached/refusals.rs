//! What cannot be: each is refused with its field, and leaves nothing.

use super::{assert_no_shim, command, detached, place};
use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, finish};
use serde_json::json;

#[track_caller]
fn refused(container: &Container, ended: crate::support::Ended, words: &[&str]) {
    let error = ended.fails();
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
    assert_no_shim(container);
    assert_nothing_left(container);
    assert!(!place(container).exists(), "what the shim knew is left");
}

#[test]
fn a_container_that_cannot_be_made() {
    let container = Container::new().edit(|config| config["process"]["cwd"] = json!("relative"));
    refused(&container, detached(&container, &[]), &["/process/cwd", "relative"]);
    let container = Container::new().args(&["/nope"]);
    refused(&container, detached(&container, &[]), &["/process/args/0", "/nope", "no such file"]);
    let container = Container::new().sh("true");
    let run = command(&container, "/nope/x", &[]);
    refused(&container, finish(run), &["--log-output", "/nope/x", "no such file"]);
    let mut command = container.command(&["run", "-d", "--log-output", "none", "--bundle", "/nope"]);
    command.arg(&container.id);
    refused(&container, finish(command), &["--bundle", "/nope"]);
}

#[test]
fn a_warning_reaches_the_callers_standard_error() {
    let container = Container::new().sh("true").edit(|config| {
        config["linux"]["resources"]["memory"] = json!({"kernel": 1 << 30});
    });
    let ended = detached(&container, &[]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("/linux/resources/memory/kernel"), "{}", ended.err);
}

#[test]
fn options_that_contradict_each_other() {
    let container = Container::new().sh("true");
    container.write_config();
    let run = |options: &[&str]| {
        let mut command = container.command(&["run", "--bundle"]);
        command.arg(container.bundle()).args(options).arg(&container.id);
        finish(command)
    };
    for (options, words) in [
        (&["--log-output", "x"][..], &["--log-output", "without --detach"][..]),
        (&["-d", "--stdin"], &["--stdin", "without --log-output"]),
        (&["-d", "--log-size-max", "9"], &["--log-size-max", "without --log-output"]),
        (&["-d", "--log-output", "x", "--log-size-max", "3x"], &["--log-size-max", "3x", "number of bytes"]),
        (&["-d", "--log-output", "passthrough"], &["--log-output", "passthrough"]),
        (&["-d", "--log-output", "json_file:x"], &["--log-output", "json_file:x", "no such log driver"]),
        (&["-d", "--log-output", "k8s-file:"], &["--log-output", "needs a path"]),
        (
            &["-d", "--log-output", "x", "--console-socket", "/s"],
            &["--console-socket", "--log-output", "attach"],
        ),
    ] {
        refused(&container, run(options), words);
    }
}

#[test]
fn an_id_that_is_taken_keeps_its_container_and_its_exit_status() {
    let container = Container::new().sh("exit 3");
    detached(&container, &[]).ok();
    container.call(&["wait", &container.id]);
    let error = detached(&container, &[]).fails();
    assert!(error.contains("already exists"), "{error}");
    assert_eq!(container.call(&["wait", &container.id]).out, "3\n");
}

#[test]
fn who_is_not_known_is_named() {
    let container = Container::new().sh("true");
    for command in ["logs", "attach", "wait"] {
        let error = container.call(&[command, "nobody"]).fails();
        assert!(error.contains("nobody") && error.contains("does not exist"), "{error}");
        let error = container.call(&[command, "a/../b"]).fails();
        assert!(error.contains("invalid container ID"), "{error}");
    }
}

#[test]
fn a_program_that_cannot_be_started_is_not_remembered() {
    let container = Container::new().sh("true").edit(|config| {
        config["hooks"] = json!({"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}]});
    });
    refused(&container, detached(&container, &[]), &["/hooks/startContainer/0"]);
}

#[test]
fn a_log_that_is_anothers_or_no_file() {
    let container = Container::new().args(&["sleep", "1000"]);
    detached(&container, &[]).ok();
    let other = Container::new().sh("true");
    let run = |log: &std::path::Path| finish(command(&other, log, &[]));
    refused(&other, run(&super::log(&container)), &["--log-output", "another container", "file of its own"]);
    refused(&other, run(&container.bundle()), &["--log-output", "is a directory"]);
    let fifo = other.bundle().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600))
        .expect("the bundle is writable");
    let _reader = std::fs::OpenOptions::new().read(true).write(true).open(&fifo).expect("it is ours");
    refused(&other, run(&fifo), &["--log-output", "a log is a file"]);
    refused(&other, run("journald:/x".as_ref()), &["--log-output", "takes no file"]);
}

#[test]
fn an_id_that_is_too_long_for_a_place() {
    let mut container = Container::new().sh("true");
    container.id = "x".repeat(250);
    refused(&container, detached(&container, &[]), &["container-id", "246 characters"]);
}
