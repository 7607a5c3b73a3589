//! The number of tasks.

use crate::limits::{inside, limited};
use serde_json::json;

#[test]
fn a_fork_beyond_the_limit_fails() {
    needs!("pids");
    let script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 100 & echo $i; done";
    let ended = limited(json!({"pids": {"limit": 5}})).sh(script).run();
    assert_eq!(ended.out, "1\n2\n3\n4\n", "the shell and four children: {ended:?}");
    assert!(ended.err.contains("fork"), "{ended:?}");
}

#[test]
fn the_limit_is_seen_inside_and_refusals_are_counted() {
    needs!("pids");
    let (max, events) =
        (inside("pids", "pids.max", "pids.max"), inside("pids", "pids.events", "pids.events"));
    // The second shell is refused one task; then there is room again.
    let script = format!(
        "cat {max}; sh -c 'sleep 9 & sleep 9 & sleep 9 & sleep 9' 2>/dev/null; kill -9 -1; cat {events}"
    );
    let found = limited(json!({"pids": {"limit": 4}})).sh(&script).run();
    let mut lines = found.out.lines();
    assert_eq!(lines.next(), Some("4"), "{found:?}");
    let count = lines.next().and_then(|line| line.strip_prefix("max ")).and_then(|n| n.parse::<u32>().ok());
    assert!(count.is_some_and(|n| n > 0), "{found:?}");
}

#[test]
fn one_task_is_enough_for_a_program_that_does_not_fork() {
    needs!("pids");
    let ended = limited(json!({"pids": {"limit": 1}})).sh("echo alone; sleep 0 & wait").run();
    assert!(ended.out.starts_with("alone\n") && ended.err.contains("fork"), "{ended:?}");
}

/// The limit is raised for the birth alone.
#[test]
fn exec_gets_into_a_container_that_has_used_up_its_tasks() {
    needs!("pids");
    let container = limited(json!({"pids": {"limit": 1}})).args(&["sleep", "100"]).started();
    assert_eq!(container.call(&["exec", &container.id, "true"]).code, 0);
    assert_eq!(container.cgroup_file("pids", "pids.max"), "1");
    // The room is there until the program runs, so it waits a moment before it forks; only words of the shell itself.
    let forks = container.exec_sh("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 0 & wait");
    assert!(forks.err.contains("fork"), "what it starts counts: {forks:?}");
}

#[test]
fn no_limit_is_minus_one() {
    needs!("pids");
    let file = inside("pids", "pids.max", "pids.max");
    assert_eq!(limited(json!({"pids": {"limit": -1}})).sh(&format!("cat {file}")).run().ok(), "max\n");
}

#[test]
fn the_tasks_of_exec_count() {
    needs!("pids");
    let container = limited(json!({"pids": {"limit": 3}})).sh("sleep 1000").started();
    let ended = container.exec_sh("sleep 100 >/dev/null 2>&1 & sleep 100 >/dev/null 2>&1 & echo no");
    assert!(ended.err.contains("fork") && ended.out.is_empty(), "{ended:?}");
    assert_eq!(container.status(), "running");
}
