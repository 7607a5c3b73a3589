//! What fails late takes the process with it: nothing runs on that its caller was told has failed.

use crate::support::{Container, wait_until};
use serde_json::json;
use std::fs;

#[test]
fn a_pid_file_that_cannot_be_written_ends_the_process_of_exec() {
    let container = Container::new().sh("sleep 100").started();
    let file = container.dir.join("missing/pid");
    let exec = container.call(&[
        "exec",
        "--detach",
        "--pid-file",
        file.to_str().unwrap(),
        &container.id,
        "sleep",
        "77",
    ]);
    assert!(exec.fails().contains("--pid-file"));
    wait_until("the process has ended", || !container.exec_sh("ps").ok().contains("sleep 77"));
}

#[test]
fn a_seccomp_agent_that_is_not_there_ends_the_container() {
    let container = Container::new().sh("sleep 100").edit(|config| {
        config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "listenerPath": "/nowhere/agent.sock",
            "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}],
        });
    });
    // The filter is there before the process waits for start, and so is its listener.
    assert!(container.create().fails().contains("/linux/seccomp/listenerPath"));
    container.assert_gone();
}

#[test]
fn a_hooks_timeout_beyond_the_clocks_end_is_none() {
    let hook = json!([{"path": "/bin/true", "timeout": i64::MAX}]);
    let container = Container::new().sh("exit 3").edit(|config| config["hooks"]["createRuntime"] = hook);
    assert_eq!(container.run().code, 3);
    container.assert_gone();
}

#[test]
fn a_record_of_a_newer_version_is_left_to_the_program_that_wrote_it() {
    let container = Container::new().sh("sleep 100").started();
    let path = container.state_root().join(&container.id).join("state.json");
    let old = fs::read_to_string(&path).unwrap();
    fs::write(&path, old.replace("\"version\":1", "\"version\":2")).unwrap();
    assert!(container.call(&["delete", "--force", &container.id]).fails().contains("version 2"));
    fs::write(&path, old).unwrap();
    assert_eq!(container.status(), "running");
}

#[test]
fn exec_has_the_containers_personality() {
    if !crate::support::obeys_personalities() {
        skip!("uname -m is the same for every personality here");
    }
    let container = Container::new()
        .sh("sleep 100")
        .edit(|config| config["linux"]["personality"] = json!({"domain": "LINUX32"}))
        .started();
    assert_eq!(container.exec_sh("uname -m").ok().trim(), "i686");
}

#[test]
fn a_start_that_cannot_be_explained_is_still_a_start() {
    let container = Container::new().sh("sleep 100");
    assert_eq!(container.create().code, 0);
    let path = container.state_root().join(&container.id).join("config.json");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace("\"cgroupsPath\":\"/", "\"cgroupsPath\":\"/../")).unwrap();
    container.start().ok();
    assert_eq!(container.status(), "running");
}

/// By the note that `list` reads and the mark of its cgroup.
#[test]
fn delete_by_force_ends_a_container_whose_record_is_damaged() {
    for damage in ["", "garbage", "null", "{}", "{\"version\":1,\"id\":"] {
        let container = Container::new().sh("sleep 100").started();
        let pid = container.pid();
        fs::write(container.state_root().join(&container.id).join("state.json"), damage).unwrap();
        container.call(&["delete", "--force", &container.id]).ok();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{damage:?}: {stat}");
        container.assert_gone();
    }
}

#[test]
fn a_config_may_come_from_a_pipe_and_slowly() {
    let container = Container::new().sh("exit 7");
    container.write_config();
    let config = container.bundle().join("config.json");
    let line = format!(
        "(head -c 100; sleep 0.1; cat) < {0} | {1} --root {2} run --bundle {3} --config /dev/stdin {4}",
        config.display(),
        crate::support::RRUNTIME,
        container.state_root().display(),
        container.bundle().display(),
        container.id
    );
    let ended = std::process::Command::new("sh").args(["-c", &line]).status().unwrap();
    assert_eq!(ended.code(), Some(7));
}

#[test]
fn a_process_that_its_filter_ends_before_its_program_is_named() {
    let container = Container::new().sh("exit 0").edit(|config| {
        config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["execve", "execveat"], "action": "SCMP_ACT_KILL_PROCESS"}],
        });
    });
    // The kernel closes the pipe a moment before the process has ended; where rruntime looks in between, it cannot tell.
    let named = (0..8).any(|_| {
        let ended = container.run();
        assert_eq!(ended.code, 128 + libc::SIGSYS);
        ended.err.contains("before its program began") && ended.err.contains("/linux/seccomp")
    });
    assert!(named);
}

#[test]
fn a_record_of_an_unknown_program_is_kept_while_its_process_lives() {
    let container = Container::new().sh("sleep 100").started();
    let path = container.state_root().join(&container.id).join("state.json");
    let ours = fs::read_to_string(&path).unwrap();
    fs::write(&path, json!({"id": container.id, "pid": container.pid(), "status": "running"}).to_string())
        .unwrap();
    for line in
        [&["state", &container.id][..], &["kill", &container.id], &["delete", "--force", &container.id]]
    {
        let error = container.call(line).fails();
        assert!(error.contains("not known here"), "{line:?}: {error}");
    }
    fs::write(&path, ours).unwrap();
    assert_eq!(container.status(), "running");
}
