//! The stream: what it tells, when it ends, whom it does not hold up.

use crate::events::limited;
use crate::support::{Container, has_controller, is_v2, of_the_v2_side, wait_until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};

const MIB: u64 = 1 << 20;

/// `events` on a container, and what it says.
struct Watching {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watching {
    /// Returns when the stream waits for something to tell.
    fn begin(container: &Container, interval: &str) -> Watching {
        let mut watching = Watching::start(container, interval);
        let mut asleep = 0;
        wait_until("the wait for events", || {
            asleep = if watching.is_ready_and_asleep() { asleep + 1 } else { 0 };
            asleep == 3
        });
        watching
    }

    fn start(container: &Container, interval: &str) -> Watching {
        let mut command = container.command(&["events", "--interval", interval, &container.id]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("it is a pipe"));
        Watching { child, lines }
    }

    /// It holds what it waits for, the last of which is memory's, and sleeps.
    fn is_ready_and_asleep(&mut self) -> bool {
        assert!(self.child.try_wait().expect("it is ours").is_none(), "events has ended");
        let process = format!("/proc/{}", self.child.id());
        let links: Vec<String> = std::fs::read_dir(format!("{process}/fd"))
            .expect("it is alive")
            .flatten()
            .filter_map(|fd| Some(std::fs::read_link(fd.path()).ok()?.to_string_lossy().into_owned()))
            .collect();
        let holds = |what: &str| links.iter().any(|link| link.contains(what));
        let stat = std::fs::read_to_string(format!("{process}/stat")).unwrap_or_default();
        let asleep = stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" S "));
        let memory = !has_controller("memory") || holds("memory.events") || holds("[eventfd]");
        holds("[pidfd]") && memory && asleep
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the pipe can be read");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"))
    }

    /// The rest of what it says, until it ends by itself, without an error or a word.
    #[track_caller]
    fn rest(mut self) -> Vec<Value> {
        let mut text = String::new();
        self.lines.read_to_string(&mut text).expect("the pipe can be read");
        self.ends();
        text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
    }

    #[track_caller]
    fn ends(&mut self) {
        let mut error = String::new();
        self.child.stderr.take().expect("it is a pipe").read_to_string(&mut error).expect("it is text");
        let code = self.child.wait().expect("it is ours").code();
        // Told on a host that does not count memory.
        let lines: Vec<&str> = error.lines().filter(|line| !line.contains("no oom events")).collect();
        assert_eq!((code, lines), (Some(0), vec![]));
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap_or_default()).collect()
}

#[test]
fn statistics_come_at_every_interval_until_the_container_ends() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    let mut watching = Watching::begin(&container, "20ms");
    for _ in 0..3 {
        let event = watching.next();
        assert_eq!((event["type"].as_str(), event["id"].as_str()), (Some("stats"), Some(&*container.id)));
        assert!(event["data"]["pids"]["current"].as_u64().unwrap() >= 1, "{event}");
    }
    container.call(&["kill", &container.id, "KILL"]).ok();
    let rest = watching.rest();
    assert!(rest.iter().all(|event| event["type"] == "stats"), "{rest:?}");
}

#[test]
fn the_end_of_the_container_ends_a_stream_that_has_nothing_to_say_yet() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    for interval in ["1h", "2562047h"] {
        let watching = Watching::begin(&container, interval);
        drop(watching);
    }
    let watching = Watching::begin(&container, "1h");
    container.call(&["kill", &container.id, "KILL"]).ok();
    assert_eq!(watching.rest(), Vec::<Value>::new());
}

#[test]
fn a_reader_that_goes_away_ends_the_stream_quietly() {
    let container = Container::new().args(&["sleep", "1000"]).started();
    let quiet = Watching::begin(&container, "1h");
    let mut busy = Watching::start(&container, "1ms");
    busy.next();
    for mut watching in [quiet, busy] {
        let lines = std::mem::replace(&mut watching.lines, BufReader::new(no_output()));
        drop(lines);
        watching.ends();
    }
    assert_eq!(container.status(), "running");
}

/// The output of a command that says nothing.
fn no_output() -> ChildStdout {
    let mut child =
        std::process::Command::new("true").stdout(Stdio::piped()).spawn().expect("there is a true");
    child.wait().expect("it is ours");
    child.stdout.take().expect("it is a pipe")
}

#[test]
fn a_stream_holds_nobody_up() {
    let container = Container::new().args(&["sleep", "1000"]);
    container.create().ok();
    let watching = Watching::begin(&container, "1h");
    container.start().ok();
    container.call(&["pause", &container.id]).ok();
    container.call(&["resume", &container.id]).ok();
    container.call(&["delete", "--force", &container.id]).ok();
    assert_eq!(watching.rest(), Vec::<Value>::new());
    container.assert_gone();
}

/// A container with 32 MiB that does this when the file /tmp/go is made.
fn on_a_word(script: &str) -> Container {
    let script = format!("until [ -e /tmp/go ]; do sleep 0.01; done; {script}");
    limited(json!({"memory": {"limit": 32 * MIB, "swap": 32 * MIB}})).sh(&script).started()
}

fn go(container: &Container) {
    std::fs::write(container.rootfs().join("tmp/go"), "").expect("the rootfs is ours");
}

const TOO_MUCH: &str = "dd if=/dev/zero of=/dev/null bs=128M count=1 2>/dev/null";

#[test]
fn a_kill_for_want_of_memory_is_told_when_it_happens() {
    needs!("memory");
    let container = on_a_word(&format!("{TOO_MUCH}; sleep 1000"));
    let mut watching = Watching::begin(&container, "1h");
    go(&container);
    assert_eq!(watching.next(), json!({"type": "oom", "id": container.id}));
    assert_eq!(container.exec_sh(TOO_MUCH).code, 137);
    assert_eq!(watching.next(), json!({"type": "oom", "id": container.id}), "the second one too");
    container.call(&["kill", &container.id, "KILL"]).ok();
    assert_eq!(without_echoes(&watching.rest()), Vec::<&str>::new());
}

/// v1 may signal one shortage more than once, before and after the kill.
fn without_echoes(events: &[Value]) -> Vec<&str> {
    let mut kinds = kinds(events);
    if !is_v2() {
        kinds.retain(|kind| *kind != "oom");
    }
    kinds
}

#[test]
fn a_kill_that_ends_the_container_is_told_before_the_end() {
    needs!("memory");
    let container = on_a_word(&format!("exec {TOO_MUCH}"));
    let watching = Watching::begin(&container, "1h");
    go(&container);
    let events = watching.rest();
    assert_eq!(events[0], json!({"type": "oom", "id": container.id}));
    assert_eq!(without_echoes(&events[1..]), Vec::<&str>::new());
}

#[test]
fn earlier_kills_and_limits_that_are_only_touched_are_not_told() {
    needs!("memory");
    let container = on_a_word(
        "dd if=/dev/zero of=/tmp/file bs=1M count=100 2>/dev/null; echo > /tmp/done; exec sleep 1000",
    );
    assert_eq!(container.exec_sh(TOO_MUCH).code, 137);
    let watching = Watching::begin(&container, "1h");
    go(&container);
    wait_until("the file", || container.rootfs().join("tmp/done").exists());
    container.call(&["kill", &container.id, "KILL"]).ok();
    assert_eq!(watching.rest(), Vec::<Value>::new());
}

#[test]
fn a_host_that_does_not_count_memory_is_named() {
    if has_controller("memory") || of_the_v2_side("memory") {
        crate::skip!("this host counts memory");
    }
    let container = Container::new().args(&["sleep", "1000"]).started();
    let mut watching = Watching::begin(&container, "1h");
    container.call(&["kill", &container.id, "KILL"]).ok();
    let mut error = String::new();
    watching.child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert!(error.contains("memory is not counted"), "{error}");
}
