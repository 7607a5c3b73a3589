//! State that another writer left: the rruntime of yesterday, a crash, another command at this moment, a stranger.
//!
//! `tests/data/state/v1` has the records of version 1 as the first release wrote them. They stay as they are,
//! whatever the record becomes: a container outlives the binary that made it.

use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, Ended, finish};
use rruntime::wire::Word;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

/// The record of the first release for this container: a created one and a running one are the same to it.
fn old_record(name: &str, container: &Container) -> String {
    let data = |file: &str| {
        let path = format!("{}/tests/data/state/v1/{file}.json", env!("CARGO_MANIFEST_DIR"));
        fs::read_to_string(path).unwrap().trim().to_owned()
    };
    let legs: Vec<String> = container
        .cgroups()
        .iter()
        .map(|directory| -> String {
            let mount = directory.parent().unwrap();
            let controller = mount.file_name().unwrap().to_str().unwrap();
            let controller = if controller == "systemd" { "name=systemd" } else { controller };
            let v2 = mount.join("cgroup.controllers").exists();
            let leg = data(if v2 { "leg-v2" } else { "leg-v1" });
            leg.replace("@CONTROLLER@", controller).replace("@MOUNT@", mount.to_str().unwrap())
        })
        .collect();
    let mut text = data(name).replace("@LEGS@", &legs.join(","));
    if text.contains("@PID@") {
        let pid = container.pid();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let start = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap();
        text = text.replace("@PID@", &pid.to_string()).replace("@START@", start);
    }
    text.replace("@ID@", &container.id).replace("@BUNDLE@", container.bundle().to_str().unwrap())
}

fn replace_record(name: &str, container: &Container) {
    let record = old_record(name, container);
    fs::write(container.state_root().join(&container.id).join("state.json"), record).unwrap();
}

#[test]
fn containers_of_the_first_release_are_understood() {
    let container = Container::new().args(&["sleep", "100"]);
    assert_eq!(container.create().code, 0);
    replace_record("created", &container);
    let state = container.state();
    assert_eq!((&state["status"], &state["annotations"]["org.example"]), (&"created".into(), &"yes".into()));
    assert!(container.call(&["list"]).ok().contains("created"));
    container.start().ok();
    replace_record("created", &container);
    assert_eq!(container.status(), "running");
    assert_eq!(container.exec_sh("echo here; cat /proc/self/cgroup").ok().lines().next(), Some("here"));
    assert!(container.call(&["ps", &container.id]).ok().contains("sleep"));
    let record = old_record("created", &container);
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    fs::write(container.state_root().join(&container.id).join("state.json"), record).unwrap();
    assert_eq!(container.status(), "stopped");
    container.call(&["delete", &container.id]).ok();
    assert_nothing_left(&container);
}

/// The first release did not note which annotations may reach the host: each command asks its own caller, for all that it
/// does.
#[test]
fn what_a_container_of_the_first_release_may_is_asked_at_start_and_at_delete() {
    const NAME: &str = "run.oci.hooks.stdout";
    for allowed in [true, false] {
        let mut container = Container::new().args(&["sleep", "100"]);
        let file = container.dir.join("words");
        let hook = |word: &str| serde_json::json!([{"path": "/bin/sh", "args": ["sh", "-c", format!("echo {word}")]}]);
        container.config["hooks"] =
            serde_json::json!({"poststart": hook("started"), "poststop": hook("stopped")});
        container.config["annotations"] = serde_json::json!({NAME: file.to_str().unwrap()});
        assert_eq!(container.create().code, 0);
        let path = container.state_root().join(&container.id).join("state.json");
        let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(
            record.as_object_mut().unwrap().remove("allowed_annotations"),
            Some(serde_json::json!([]))
        );
        fs::write(&path, record.to_string()).unwrap();
        if allowed {
            container.allowed.push(NAME);
        }
        container.start().ok();
        container.call(&["delete", "--force", &container.id]).ok();
        let words = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(words, if allowed { "started\nstopped\n" } else { "" });
        assert_nothing_left(&container);
    }
}

#[test]
fn what_a_killed_create_of_the_first_release_left_is_deleted() {
    // Its init waits, and the record does not know it: the cgroup does.
    let container = Container::new().args(&["sleep", "100"]);
    assert_eq!(container.create().code, 0);
    replace_record("intent", &container);
    assert!(container.call(&["list"]).ok().contains(&container.id));
    container.start().fails();
    container.call(&["delete", "--force", &container.id]).ok();
    assert_nothing_left(&container);
}

/// Every pair of commands at the same moment: each does its work or says why not, and the container is whole.
#[test]
fn whoever_comes_second_gets_a_clear_answer() {
    const CLEAR: [&str; 11] = [
        "has ended",
        "container does not exist",
        "container not running",
        "cannot start an already running container",
        "cannot start a container that has stopped",
        // A command that ends a container freezes it first.
        "cannot start a container in the paused state",
        "that is not stopped",
        "cannot exec in a stopped container",
        "cannot exec in a paused container",
        "container not paused",
        "already exists",
    ];
    const PAIRS: [[&[&str]; 2]; 8] = [
        [&["start", "ID"], &["start", "ID"]],
        [&["start", "ID"], &["delete", "--force", "ID"]],
        [&["start", "ID"], &["kill", "ID", "KILL"]],
        [&["delete", "--force", "ID"], &["delete", "--force", "ID"]],
        [&["kill", "ID", "KILL"], &["delete", "ID"]],
        [&["exec", "ID", "true"], &["delete", "--force", "ID"]],
        [&["exec", "ID", "true"], &["kill", "ID", "KILL"]],
        [&["state", "ID"], &["delete", "--force", "ID"]],
    ];
    for pair in PAIRS {
        for _ in 0..3 {
            let container = Container::new().args(&["sleep", "100"]);
            assert_eq!(container.create().code, 0);
            if !pair[0].contains(&"start") {
                container.start().ok();
            }
            let children = pair.map(|words| {
                let words: Vec<&str> =
                    words.iter().map(|word| if *word == "ID" { &container.id } else { *word }).collect();
                container.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            });
            for (child, words) in children.into_iter().zip(pair) {
                let output = child.wait_with_output().unwrap();
                let err = String::from_utf8_lossy(&output.stderr);
                // 137: the process of exec ended with its container.
                let ended =
                    output.status.success() || output.status.code() == Some(137) && words[0] == "exec";
                assert!(
                    ended || CLEAR.iter().any(|words| err.contains(words)),
                    "{pair:?}: {words:?}: {} {err}",
                    output.status
                );
            }
            container.call(&["delete", "--force", &container.id]).ok();
            assert_nothing_left(&container);
        }
    }
}

fn in_time(container: &Container, args: &[&str]) -> Ended {
    let mut command = Command::new("timeout");
    let inner = container.command(args);
    command.args(["-k", "1", "20"]).arg(inner.get_program()).args(inner.get_args()).stdin(Stdio::null());
    let ended = finish(command);
    assert_ne!(ended.code, 124, "{args:?} does not end");
    ended
}

/// A user who may write to the root could hold up `list` for all others, or lead `delete` elsewhere.
#[test]
fn a_record_that_is_no_plain_file_holds_nobody_up_and_leads_nowhere() {
    let container = Container::new();
    let root = container.state_root();
    let outside = container.dir.join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("state.json"), "{\"version\":1,\"id\":\"link\"}").unwrap();
    fs::write(outside.join("config.json"), "{}").unwrap();
    for name in ["fifo", "directory", "endless", "empty", "linked"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    nix::unistd::mkfifo(&root.join("fifo/state.json"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::create_dir(root.join("directory/state.json")).unwrap();
    symlink("/dev/zero", root.join("endless/state.json")).unwrap();
    symlink(outside.join("state.json"), root.join("linked/state.json")).unwrap();
    symlink(&outside, root.join("link")).unwrap();
    fs::write(root.join("stranger"), "a file").unwrap();
    let listed = in_time(&container, &["list", "-q"]).ok();
    for name in ["fifo", "directory", "endless", "empty", "linked"] {
        assert!(listed.lines().any(|line| line == name), "{name}: {listed}");
    }
    assert!(!listed.contains("stranger"), "{listed}");
    for name in ["fifo", "directory", "endless", "empty", "linked", "link", "stranger"] {
        for words in [
            &["state", name][..],
            &["kill", name],
            &["delete", name],
            &["start", name],
            &["delete", "--force", name],
        ] {
            let ended = in_time(&container, words);
            assert!(ended.code == 0 || ended.err.contains("level=error"), "{words:?}: {ended:?}");
        }
    }
    let kept = fs::read_to_string(outside.join("state.json")).unwrap();
    assert!(kept.contains("link") && outside.join("config.json").exists() && root.join("stranger").exists());
}

/// A container that rruntime 0.1.0 has created waits for these numbers.
#[test]
fn the_words_for_a_waiting_init_keep_their_numbers() {
    assert_eq!((Word::Reached as u32, Word::Failed as u32, Word::Listener as u32), (1, 4, 6));
    assert_eq!((Word::Go as u32, Word::Detach as u32), (7, 8));
}
