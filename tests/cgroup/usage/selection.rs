//! Which containers are shown, and when a look ends.

use crate::support::{Container, wait_until};
use crate::usage::{ids, look};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// A second container in the state directory of the first.
fn beside(first: &Container, program: &[&str]) -> Container {
    let second = Container::new().args(program);
    second.write_config();
    let run = |verb: &str| {
        let mut command = first.command(&[verb]);
        if verb == "create" {
            command.arg("--bundle").arg(second.bundle());
        }
        let status = command.arg(&second.id).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{verb}");
    };
    run("create");
    run("start");
    second
}

#[test]
fn those_that_run_are_shown_and_on_request_those_that_have_ended() {
    let first = Container::new().args(&["sleep", "1000"]).started();
    let ended = beside(&first, &["true"]);
    let other = beside(&first, &["sleep", "1000"]);
    wait_until("its end", || first.call(&["state", &ended.id]).ok().contains("\"stopped\""));
    let mut running = vec![&*first.id, &*other.id];
    running.sort_unstable();
    assert_eq!(ids(&look(&first, &[])), running);
    let mut all = vec![&*first.id, &*other.id, &*ended.id];
    all.sort_unstable();
    let told = look(&first, &["--all"]);
    assert_eq!(ids(&told), all);
    let of = |told: &Value, id: &str| {
        told["containers"].as_array().unwrap().iter().find(|one| one["id"] == id).cloned()
    };
    let shown = of(&told, &ended.id).unwrap();
    assert_eq!(shown["pid"], 0);
    assert!(shown["cpu"]["usage_seconds"].as_f64().unwrap() > 0.0, "its group still counts: {shown}");
    assert_eq!(ids(&look(&first, &[&ended.id])), [&*ended.id], "named, it is shown");
    for id in [&ended.id, &other.id] {
        first.call(&["delete", "--force", id]).ok();
    }
}

#[test]
fn a_container_that_is_unknown_is_named_and_one_without_a_cgroup_has_dashes() {
    let container = Container::new().args(&["sleep", "1000"]);
    let error = container.call(&["stats", "nope"]).fails();
    assert!(error.contains("nope") && error.contains("does not exist"), "{error}");
    let error = container.call(&["top", "nope"]).fails();
    assert!(error.contains("does not exist"), "{error}");
    container.write_config();
    let mut run = container.command(&["--cgroup-manager", "disabled", "run", "--detach", "--bundle"]);
    run.arg(container.bundle()).arg(&container.id).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(run.status().unwrap().success());
    let table = container.call(&["stats", "--interval", "50ms"]).ok();
    let cells: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(cells[0], container.id);
    assert!(cells[1..].iter().all(|cell| *cell == "-"), "{table}");
}

#[test]
fn an_empty_directory_and_wrong_words_are_answered() {
    let container = Container::new();
    fs::create_dir_all(container.state_root()).unwrap();
    assert_eq!(look(&container, &[])["containers"], serde_json::json!([]));
    let table = container.call(&["stats", "--interval", "50ms"]).ok();
    assert!(table.starts_with("ID  CPU%  ") && table.lines().count() == 1, "{table}");
    for command in ["stats", "top"] {
        for (value, reason) in [("0s", "greater than 0"), ("soon", "length of time"), ("", "length of time")]
        {
            let error = container.call(&[command, "--interval", value]).fails();
            assert!(error.contains("--interval") && error.contains(reason), "{error}");
        }
    }
    let error = container.call(&["top", "--sort", "colour"]).fails();
    assert!(
        error.contains("--sort") && error.contains("colour") && error.contains("cpu, memory, io"),
        "{error}"
    );
    fs::remove_dir(container.state_root()).unwrap();
    let error = container.call(&["stats"]).fails();
    assert!(error.contains("state"), "a directory that was named and is missing: {error}");
}

#[test]
fn a_stream_has_a_line_for_each_look_and_containers_come_and_go_in_it() {
    let first = Container::new().args(&["sleep", "1000"]).started();
    let mut command = first.command(&["stats", "--stream", "--format", "json", "--interval", "50ms"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(ids(&next()), [&*first.id]);
    let second = beside(&first, &["sleep", "1000"]);
    while ids(&next()).len() != 2 {}
    first.call(&["delete", "--force", &second.id]).ok();
    while ids(&next()) != [&*first.id] {}
    assert!(next()["time"].as_str().unwrap().ends_with('Z'));
    // Who has read enough ends it.
    drop(lines);
    let said = child.wait_with_output().unwrap();
    assert_eq!((said.status.code(), String::from_utf8_lossy(&said.stderr)), (Some(0), "".into()));
}

#[test]
fn few_open_files_are_enough_for_more_containers() {
    let first = Container::new().args(&["sleep", "1000"]).started();
    let others: Vec<Container> = (0..4).map(|_| beside(&first, &["sleep", "1000"])).collect();
    let script = "ulimit -n 140 && exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(first.binary()).arg("--root").arg(first.state_root());
    command.args(["stats", "--format", "json", "--interval", "50ms"]);
    let told: Value = serde_json::from_str(&crate::support::finish(command).ok()).unwrap();
    let told = told["containers"].as_array().unwrap();
    assert_eq!(told.len(), 5);
    assert!(told.iter().all(|one| one["cpu"]["percent"].is_number()), "{told:?}");
    others.iter().for_each(|other| drop(first.call(&["delete", "--force", &other.id]).ok()));
}
