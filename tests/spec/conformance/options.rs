//! Options that no other test program tries.

use crate::support::{Container, wait_until};
use serde_json::json;
use std::fs;
use std::process::Stdio;

#[test]
fn another_file_stands_in_for_config_json() {
    for command in ["create", "run"] {
        let container = Container::new().sh("echo of the bundle");
        container.write_config();
        let mut other = container.config.clone();
        other["process"]["args"] = json!(["sh", "-c", "touch /tmp/of-the-other; echo of the other"]);
        let file = container.dir.join("other.json");
        fs::write(&file, other.to_string()).unwrap();
        if command == "run" {
            assert_eq!(container.run_with(&["--config", file.to_str().unwrap()]).ok(), "of the other\n");
        } else {
            let created = container.create_with(&["-f", file.to_str().unwrap()]);
            assert_eq!(created.code, 0, "{}", created.err);
            container.start().ok();
            let mark = container.rootfs().join("tmp/of-the-other");
            wait_until("the other program", || mark.exists());
        }
    }
}

#[test]
fn the_pid_file_has_the_first_processs_number() {
    let container = Container::new().sh("sleep 1000");
    let file = container.dir.join("pid");
    let created = container.create_with(&["--pid-file", file.to_str().unwrap()]);
    assert_eq!(created.code, 0, "{}", created.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), container.pid().to_string());
}

/// Tells whose child it is when its parent has ended.
const ORPHAN: &str = "while [ ! -e /tmp/go ]; do sleep 0.05; done; cut -d' ' -f4 /proc/$$/stat > /tmp/new; \
    mv /tmp/new /tmp/parent";

/// An orphan goes to the nearest subreaper: rruntime, or with the option the one above it.
#[test]
fn without_a_subreaper_orphans_are_left_to_others() {
    let created = Container::new().args(&["true"]);
    assert_eq!(created.create_with(&["--no-subreaper"]).code, 0, "create takes it, and waits for nobody");
    for (options, adopts) in [(&[][..], true), (&["--no-subreaper"], false)] {
        let container = Container::new().without_namespace("pid").sh(
            "(sh /orphan &); touch /tmp/go; while [ ! -e /tmp/parent ]; do sleep 0.05; done; cat /tmp/parent",
        );
        fs::write(container.rootfs().join("orphan"), ORPHAN).unwrap();
        container.write_config();
        let mut command = container.command(&["run", "--bundle"]);
        command.arg(container.bundle()).args(options).arg(&container.id).stdout(Stdio::piped());
        let run = command.spawn().unwrap();
        let pid = run.id();
        let output = run.wait_with_output().unwrap();
        let parent: u32 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
        assert_eq!(parent == pid, adopts, "{options:?}: {parent}, rruntime is {pid}");
        container.assert_gone();
    }
}

#[test]
fn spec_writes_the_file_that_is_named() {
    let container = Container::new();
    let bundle = container.bundle();
    container.call(&["spec", "--bundle", bundle.to_str().unwrap(), "--file", "other.json"]).ok();
    assert!(!bundle.join("config.json").exists());
    let written: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(bundle.join("other.json")).unwrap()).unwrap();
    assert_eq!(written["process"]["args"], json!(["sh"]));
}

#[test]
fn labels_of_exec_are_refused_by_name_where_the_kernel_has_no_such_module() {
    let enabled = |path: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == "Y");
    let apparmor = enabled("/sys/module/apparmor/parameters/enabled");
    let selinux = fs::exists("/sys/fs/selinux/enforce").unwrap_or(false);
    let container = Container::new().sh("sleep 1000").started();
    for (option, there) in [("--apparmor", apparmor), ("--process-label", selinux)] {
        if there {
            crate::support::say_skipped(&format!("this kernel has what {option} is for"));
            continue;
        }
        let ended = container.call(&["exec", option, "some-label", &container.id, "true"]);
        assert_eq!(ended.code, 255, "{ended:?}");
        assert!(ended.err.contains("some-label") && ended.err.contains("security module"), "{ended:?}");
    }
}

#[test]
fn exec_can_wait_for_a_paused_container() {
    let container = Container::new().sh("sleep 1000").started();
    let paused = container.call(&["pause", &container.id]);
    if paused.code != 0 {
        skip!("no freezer: {}", paused.err);
    }
    let refused = container.call(&["exec", &container.id, "true"]);
    assert!(refused.fails().contains("--ignore-paused"));
    let mut command = container.command(&["exec", "--ignore-paused", &container.id, "echo", "went on"]);
    command.stdout(Stdio::piped());
    let exec = command.spawn().unwrap();
    assert_eq!(container.status(), "paused");
    container.call(&["resume", &container.id]).ok();
    let output = exec.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"went on\n".as_slice()));
}
