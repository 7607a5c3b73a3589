//! list: a table, JSON, ids alone.

use crate::commands::run_detached;
use crate::support::Container;
use serde_json::Value;
use std::process::Stdio;

#[test]
fn list_shows_every_container_of_the_root_and_what_it_does() {
    let first = Container::new().args(&["sleep", "100"]);
    assert_eq!(run_detached(&first, &[]), 0);
    let second = Container::new().args(&["sleep", "100"]);
    second.write_config();
    let mut create = first.command(&["create", "--bundle"]);
    create.arg(second.bundle()).arg(&second.id).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(create.status().unwrap().success());

    let table = first.call(&["list"]).ok();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    let row = |id: &str| rows.iter().find(|row| row[0] == id).unwrap_or_else(|| panic!("{id}: {table}"));
    assert_eq!(row(&first.id)[1..3], [&first.pid().to_string(), "running"]);
    assert_eq!(row(&second.id)[2], "created");
    assert_eq!(row(&second.id)[3], second.bundle().to_str().unwrap());
    assert_eq!(row(&second.id)[5], "root");

    let list: Vec<Value> = serde_json::from_str(&first.call(&["list", "--format", "json"]).ok()).unwrap();
    assert_eq!(list.len(), 2);
    assert!(list.iter().all(|state| state["pid"].as_i64().unwrap() > 0 && state["created"].is_string()));

    let mut ids = [first.id.as_str(), second.id.as_str()];
    ids.sort_unstable();
    assert_eq!(first.call(&["list", "-q"]).ok(), format!("{}\n{}\n", ids[0], ids[1]));

    first.call(&["delete", "-f", &second.id]).ok();
    assert_eq!(first.call(&["list", "-q"]).ok(), format!("{}\n", first.id));
    assert!(second.cgroups().is_empty());
}

#[test]
fn a_container_that_ended_by_itself_is_listed_as_stopped() {
    let container = Container::new().args(&["true"]);
    assert_eq!(run_detached(&container, &[]), 0);
    container.wait_for_status("stopped");
    let table = container.call(&["list"]).ok();
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[1..3], ["0", "stopped"]);
}
