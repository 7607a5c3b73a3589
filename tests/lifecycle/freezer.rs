//! pause and resume.

use crate::support::{Container, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

#[test]
fn a_paused_container_does_nothing_until_it_is_resumed() {
    let container = Container::new().sh("while true; do echo x >> /tmp/ticks; sleep 0.01; done").started();
    let ticks = || fs::read(container.rootfs().join("tmp/ticks")).unwrap_or_default().len();
    wait_until("the first ticks", || ticks() > 4);
    container.call(&["pause", &container.id]).ok();
    assert_eq!(container.status(), "paused");
    let before = ticks();
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert_eq!(ticks(), before);

    let refused = container.exec_sh("true");
    assert_eq!(refused.code, 255);
    assert!(refused.err.contains("cannot exec in a paused container (use --ignore-paused to override)"));
    assert!(container.call(&["pause", &container.id]).fails().contains("paused"));
    assert!(container.call(&["delete", &container.id]).fails().contains("that is not stopped: paused"));

    container.call(&["resume", &container.id]).ok();
    assert_eq!(container.status(), "running");
    wait_until("more ticks", || ticks() > before);
    assert!(container.call(&["resume", &container.id]).fails().contains("container not paused"));
}

fn listed(container: &Container) -> String {
    let list: Value = serde_json::from_str(&container.call(&["list", "-f", "json"]).ok()).unwrap();
    list[0]["status"].as_str().unwrap().to_owned()
}

/// `list` asks the freezer of those alone that `pause` was used on, or whose link is missing.
#[test]
fn list_tells_of_pauses() {
    let container = Container::new().args(&["sleep", "100"]).started();
    assert_eq!(listed(&container), "running");
    container.call(&["pause", &container.id]).ok();
    assert_eq!(listed(&container), "paused");
    container.call(&["resume", &container.id]).ok();
    assert_eq!(listed(&container), "running");
    fs::remove_file(brief_of(&container)).unwrap();
    assert_eq!(listed(&container), "running");
    container.call(&["pause", &container.id]).ok();
    assert_eq!(listed(&container), "paused");
}

#[test]
fn list_takes_no_other_process_for_the_containers() {
    let container = Container::new().args(&["sleep", "100"]).started();
    let link = brief_of(&container);
    let brief: Value = serde_json::from_str(fs::read_link(&link).unwrap().to_str().unwrap()).unwrap();
    if brief["inode"].is_null() {
        skip!("the kernel numbers no pidfds: Linux 6.9");
    }
    let with = |change: fn(&mut Value)| {
        let mut brief = brief.clone();
        change(&mut brief);
        fs::remove_file(&link).unwrap();
        symlink(brief.to_string(), &link).unwrap();
        listed(&container)
    };
    assert_eq!(with(|_| ()), "running");
    assert_eq!(with(|brief| brief["inode"]["number"] = 1.into()), "stopped");
    // As if the machine had started anew: the number says nothing, the start time decides.
    assert_eq!(with(|brief| brief["inode"] = json!({"number": 1, "boot": "another"})), "running");
    let reused = |brief: &mut Value| {
        brief["inode"]["boot"] = "another".into();
        brief["pid_start"] = 1.into();
    };
    assert_eq!(with(reused), "stopped");
    // As if the machine had started anew, and another process had all of it.
    let record = container.state_root().join(&container.id).join("state.json");
    let text = fs::read_to_string(&record).unwrap();
    let mut old: Value = serde_json::from_str(&text).unwrap();
    old["boot"] = "another".into();
    fs::write(&record, old.to_string()).unwrap();
    assert_eq!(with(|brief| brief["inode"]["boot"] = "another".into()), "stopped");
    assert_eq!(container.status(), "stopped");
    fs::write(&record, text).unwrap();
    // What is no brief is as good as none.
    fs::remove_file(&link).unwrap();
    symlink("/etc/passwd", &link).unwrap();
    assert_eq!(listed(&container), "running");
}

fn brief_of(container: &Container) -> PathBuf {
    container.state_root().join(&container.id).join("brief")
}

#[test]
fn a_paused_container_can_be_killed_and_deleted() {
    let container = Container::new().args(&["sleep", "100"]).started();
    container.call(&["pause", &container.id]).ok();
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id]).ok();
    container.assert_gone();

    let container = Container::new().args(&["sleep", "100"]).started();
    container.call(&["pause", &container.id]).ok();
    container.call(&["delete", "--force", &container.id]).ok();
    container.assert_gone();
}

/// Its init is frozen too: a command that talked to it would wait for ever.
#[test]
fn a_container_paused_before_its_start_is_neither_started_nor_entered() {
    let container = Container::new().sh("touch /tmp/started; sleep 100");
    container.create().ok();
    container.call(&["pause", &container.id]).ok();
    assert_eq!(container.status(), "paused");
    let refused = container.call(&["start", &container.id]).fails();
    assert!(refused.contains("cannot start a container in the paused state (resume it first)"), "{refused}");
    let refused = container.exec_sh("true");
    assert!(refused.code == 255 && refused.err.contains("cannot exec in a paused container"), "{refused:?}");
    let refused = container.call(&["delete", &container.id]).fails();
    assert!(refused.contains("that is not stopped: paused"), "{refused}");

    container.call(&["resume", &container.id]).ok();
    assert_eq!(container.status(), "created");
    container.call(&["start", &container.id]).ok();
    wait_until("the program runs", || container.rootfs().join("tmp/started").exists());
}

#[test]
fn a_stopped_container_is_neither_paused_nor_resumed() {
    let container = Container::new().args(&["true"]);
    assert_eq!(container.run_with(&["--keep"]).code, 0);
    assert!(container.call(&["pause", &container.id]).fails().contains("container not running"));
    assert!(container.call(&["resume", &container.id]).fails().contains("container not paused"));
}
