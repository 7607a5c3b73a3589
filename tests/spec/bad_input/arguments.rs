//! Wrong arguments.

use crate::bad_input::assert_refused;
use crate::support::{Container, finish};
use std::fs;

#[test]
fn an_id_that_is_no_name_is_refused() {
    let long = "x".repeat(256);
    for id in ["a/b", "../a", "..", ".", "", "a b", "ä", &long] {
        let container = Container::new().args(&["true"]);
        container.write_config();
        for command in ["run", "create"] {
            let mut command = container.command(&[command, "--bundle"]);
            command.arg(container.bundle()).arg(id);
            let ended = finish(command);
            let words = ["invalid container ID format", "container-id", "letters, digits", id];
            assert_refused(id, &container, &ended, &words);
        }
        let left = fs::read_dir(container.state_root()).map_or(0, |entries| entries.count());
        assert_eq!(left, 0, "{id}");
    }
}

#[test]
fn an_id_in_use_is_refused() {
    let container = Container::new().args(&["sleep", "100"]).started();
    let ended = container.run();
    assert_eq!(ended.code, 1);
    for word in ["container-id", &container.id, "container with given ID already exists", "choose another id"]
    {
        assert!(ended.err.contains(word), "{word}: {ended:?}");
    }
    assert_eq!(container.status(), "running");
}

#[test]
fn a_bundle_that_is_none_is_refused() {
    let container = Container::new();
    let empty = container.dir.join("empty");
    fs::create_dir(&empty).unwrap();
    for bundle in ["/nonexistent", "/etc/passwd", empty.to_str().unwrap()] {
        let ended = container.call(&["run", "--bundle", bundle, &container.id]);
        assert_refused(bundle, &container, &ended, &["--bundle", bundle, "rruntime spec"]);
    }
    let ended = container.call(&["run", "--config", "/nonexistent", &container.id]);
    assert_refused("--config", &container, &ended, &["--config", "/nonexistent", "no such file"]);
}

#[test]
fn paths_that_cannot_be_written_or_reached_are_refused() {
    for (option, value) in [("--pid-file", "/nonexistent/pid"), ("--console-socket", "/nonexistent/socket")] {
        let container = Container::new().args(&["true"]).edit(|config| {
            config["process"]["terminal"] = (option == "--console-socket").into();
        });
        let ended = container.create_with(&[option, value]);
        assert_refused(option, &container, &ended, &[option, value, "no such file"]);
    }
    let container = Container::new().args(&["true"]);
    container.write_config();
    let mut command = std::process::Command::new(crate::support::RRUNTIME);
    command
        .args(["--root", "/proc/nonexistent", "run", "--bundle"])
        .arg(container.bundle())
        .arg(&container.id);
    let ended = finish(command);
    assert_refused(
        "--root",
        &container,
        &ended,
        &["--root", "/proc/nonexistent", "name a directory of your own"],
    );
}

#[test]
fn numbers_that_are_none_are_refused() {
    for value in ["x", "4294967296", "1.5"] {
        let container = Container::new().args(&["true"]);
        let ended = container.run_with(&["--preserve-fds", value]);
        assert_refused(value, &container, &ended, &["--preserve-fds", value]);
    }
}
