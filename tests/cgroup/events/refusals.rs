//! What `events` refuses, and in which words.

use crate::support::Container;

#[test]
fn a_stopped_container_is_not_running() {
    let container = Container::new().args(&["true"]);
    assert_eq!(container.run_with(&["--keep"]).code, 0);
    for options in [&["events", "--stats"][..], &["events"]] {
        let ended = container.call(&[options, &[&container.id]].concat());
        assert_eq!((ended.code, &*ended.out), (1, ""));
        let expected = format!("container with id {} is not running", container.id);
        assert!(ended.err.contains(&expected), "{}", ended.err);
    }
}

#[test]
fn an_unknown_container_does_not_exist() {
    let container = Container::new();
    let error = container.call(&["events", "--stats", "nobody"]).fails();
    assert!(error.contains("container does not exist"), "{error}");
}

#[test]
fn an_interval_is_a_positive_length_of_time() {
    let container = Container::new();
    for wrong in ["0", "0s", "-1s"] {
        let error = container.call(&["events", "--interval", wrong, "x"]).fails();
        assert!(error.contains("duration interval must be greater than 0"), "{error}");
        assert!(error.contains("--interval"), "{error}");
    }
    for wrong in ["5", "", "abc", "1 s", "1d"] {
        let error = container.call(&["events", "--stats", "--interval", wrong, "x"]).fails();
        assert!(error.contains("must be a length of time"), "{error}");
    }
}

#[test]
fn a_container_without_a_cgroup_has_no_statistics() {
    let container = Container::ordinary().args(&["sleep", "1000"]).started();
    let error = container.call(&["events", "--stats", &container.id]).fails();
    assert!(error.contains("a container without a cgroup has no statistics"), "{error}");
}
