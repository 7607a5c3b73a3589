//! What cannot be done says so, and leaves nothing behind.

use super::{checkpoint, command, counting, images, needs_criu, restore, running, started};
use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, finish, wait_until};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn a_missing_or_old_criu_is_named_with_the_remedy() {
    let container = started(counting());
    let with = |directory: &str| {
        let images = images(&container);
        let mut command =
            container.command(&["checkpoint", "--image-path", images.to_str().unwrap(), &container.id]);
        command.env("PATH", directory);
        finish(command).fails()
    };
    let said = with("/nowhere");
    assert!(said.contains("criu is not in PATH") && said.contains("install criu"), "{said}");
    assert_eq!(container.status(), "running");
}

#[test]
fn only_a_started_container_is_checkpointed_and_its_id_must_be_free() {
    needs_criu!();
    let container = counting();
    container.create().ok();
    let said = checkpoint(&container, &[]).fails();
    assert!(said.contains("container cannot be checkpointed in created state"), "{said}");
    container.start().ok();
    checkpoint(&container, &["--leave-running"]).ok();
    let said = restore(&container, &[]).fails();
    assert!(said.contains("already exists") || said.contains("in use"), "{said}");
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    let said = checkpoint(&container, &[]).fails();
    assert!(said.contains("container cannot be checkpointed in stopped state"), "{said}");
}

#[test]
fn mounts_that_were_added_later_are_not_in_the_config() {
    needs_criu!();
    let container = started(counting());
    let file = container.dir.join("mounts.json");
    fs::write(&file, r#"[{"destination": "/added", "type": "tmpfs", "source": "tmpfs"}]"#).unwrap();
    let file = file.to_str().unwrap();
    container.call(&["mounts", "add", &container.id, file]).ok();
    let said = checkpoint(&container, &[]).fails();
    assert!(said.contains("/added") && said.contains("mounts remove"), "{said}");
    container.call(&["mounts", "remove", &container.id, file]).ok();
    checkpoint(&container, &[]).ok();
}

#[test]
fn an_error_of_crius_is_told_with_its_log_and_its_cause_last() {
    needs_criu!();
    let container = started(counting());
    checkpoint(&container, &[]).ok();
    fs::write(images(&container).join("fs-1.img"), "nothing").unwrap();
    let said = restore(&container, &[]).fails();
    let last = said.lines().last().unwrap_or_default();
    assert!(
        last.contains("restore failed") && last.contains("criu: ") && last.contains("restore.log"),
        "{said}"
    );
    assert!(said.lines().count() > 2 && said.contains("Error ("), "{said}");
    assert_nothing_left(&container);
    fs::remove_dir_all(images(&container)).unwrap();
    let said = restore(&container, &[]).fails();
    assert!(said.contains("--image-path") && said.contains("no such file"), "{said}");
    assert_nothing_left(&container);
}

#[test]
fn a_restore_that_is_killed_leaves_what_delete_removes() {
    needs_criu!();
    let container = running(Container::new().sh("sleep 1000"));
    checkpoint(&container, &[]).ok();
    let (bundle, images) = (container.bundle(), images(&container));
    let args = ["restore", "-d", "-b", bundle.to_str().unwrap(), "--image-path", images.to_str().unwrap()];
    for milliseconds in (0..160).step_by(7) {
        let mut command = command(&container, &[&args[..], &[&container.id]].concat());
        let mut restore = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        restore.kill().unwrap();
        restore.wait().unwrap();
        container.call(&["delete", "--force", &container.id]).ok();
        assert_nothing_left(&container);
    }
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!table.contains(&container.id), "a mount of the host is left");
    restore(&container, &[]).ok();
}

#[test]
fn what_was_not_compared_does_not_run_when_restore_is_ended() {
    needs_criu!();
    ended_before_the_comparison(counting(), 20);
    // Its other processes would outlive the first one.
    let script = format!("({}) & sleep 1000 & wait", super::COUNTS);
    ended_before_the_comparison(Container::new().without_namespace("pid").sh(&script), 60);
}

/// It is ended every so many milliseconds.
fn ended_before_the_comparison(container: Container, each: usize) {
    let bounding = |names: &[&str]| {
        let names = serde_json::Value::from(names);
        move |config: &mut serde_json::Value| {
            for set in ["bounding", "effective", "permitted"] {
                config["process"]["capabilities"][set] = names.clone();
            }
        }
    };
    let container = started(container.edit(bounding(&["CAP_KILL", "CAP_NET_RAW"])));
    checkpoint(&container, &[]).ok();
    // What it has now, it has from the images alone.
    let container = container.edit(bounding(&["CAP_KILL"]));
    container.write_config();
    fs::remove_file(container.rootfs().join("tmp/count")).unwrap();
    let (bundle, images) = (container.bundle(), images(&container));
    let (bundle, images) = (bundle.to_str().unwrap(), images.to_str().unwrap());
    let args = ["restore", "-d", "-b", bundle, "--image-path", images];
    let did_not_run = |when: &str| {
        std::thread::sleep(Duration::from_millis(200));
        assert!(!container.rootfs().join("tmp/count").exists(), "it ran, {when}");
        container.call(&["delete", "--force", &container.id]);
        assert_nothing_left(&container);
    };
    let mut command = command(&container, &[&args[..], &[&container.id]].concat());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for (milliseconds, signal) in (40..360).step_by(each).zip([libc::SIGTERM, libc::SIGKILL].iter().cycle()) {
        let mut restore = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        rruntime::sys::signal::kill(restore.id() as i32, *signal).unwrap();
        restore.wait().unwrap();
        did_not_run(&format!("{signal} after {milliseconds} ms"));
    }
    // Slow where it compares, when CRIU has made all processes and waits for its word.
    let log = Path::new(images).join("restore.log");
    fs::remove_file(&log).unwrap();
    let mut slow = Command::new("strace");
    slow.args(["-D", "-qq", "-o", "/dev/null", "-e", "inject=newfstatat:delay_enter=20000"]);
    slow.arg(command.get_program()).args(command.get_args()).env("PATH", super::path());
    let Ok(mut slow) = slow.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
        return crate::support::say_skipped("no strace here");
    };
    wait_until("it compares", || {
        fs::read_to_string(&log).is_ok_and(|said| said.contains("Running pre-resume scripts"))
    });
    rruntime::sys::signal::kill(slow.id() as i32, libc::SIGKILL).unwrap();
    slow.wait().unwrap();
    did_not_run("killed while it compared");
}

#[test]
fn a_configuration_of_criu_that_is_not_there_is_named() {
    needs_criu!();
    let container = started(counting());
    for path in ["/nowhere/criu.conf", "/etc"] {
        let said = checkpoint(&container, &["--criu-config", path]).fails();
        assert!(said.contains("--criu-config") && said.contains(path), "{said}");
    }
    assert_eq!(container.status(), "running");
    checkpoint(&container, &[]).ok();
    let said = restore(&container, &["--criu-config", "/nowhere/criu.conf"]).fails();
    assert!(said.contains("--criu-config") && said.contains("no such file"), "{said}");
    restore(&container, &[]).ok();
}

#[test]
fn a_container_that_cannot_be_made_again_is_refused_at_once() {
    needs_criu!();
    let container = Container::new().without_namespace("mount").without_namespace("pid");
    let container = container.sh("sleep 100");
    container.write_config();
    fs::create_dir_all(images(&container)).unwrap();
    let said = restore(&container, &[]).fails();
    assert!(said.contains("without a mount namespace"), "{said}");
}
