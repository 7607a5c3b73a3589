//! Cgroups and the ordinary user: without one nothing is said; asked for and refused, it is an error.

use crate::support::{Container, Ended, finish, is_v2};
use serde_json::json;
use std::process::Stdio;

fn run_with_rootless(container: &Container, word: &str) -> Ended {
    container.write_config();
    let mut command = container.as_user(container.binary());
    command.arg("--root").arg(container.state_root()).args(["--rootless", word, "run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).stdin(Stdio::null());
    finish(command)
}

#[test]
fn without_limits_and_path_there_is_no_cgroup_and_no_word_about_it() {
    let container = Container::ordinary().sh("true");
    let ended = container.run();
    assert_eq!((ended.code, &*ended.err), (0, ""));
    for word in ["auto", "true"] {
        let ended = run_with_rootless(&container, word);
        assert_eq!((ended.code, &*ended.err), (0, ""), "--rootless {word}");
    }
}

#[test]
fn a_limit_that_cannot_be_set_is_an_error_that_says_what_to_do() {
    let container = Container::ordinary()
        .sh("echo ran")
        .edit(|config| config["linux"]["resources"] = json!({"pids": {"limit": 10}}));
    let ended = container.run();
    assert_eq!(ended.out, "", "the program must not run without its limit");
    let error = ended.fails();
    assert!(error.contains("delegated cgroup"), "{error}");
    assert!(error.contains("ermission denied"), "{error}");
    container.assert_gone();
}

#[test]
fn a_path_that_cannot_be_made_is_an_error_even_without_limits() {
    let container = Container::ordinary().sh("echo ran").edit(|config| {
        config["linux"]["cgroupsPath"] = "/rr-test-nobody-may".into();
    });
    let ended = container.run();
    assert_eq!(ended.out, "");
    let error = ended.fails();
    assert!(error.contains("/linux/cgroupsPath"), "{error}");
    container.assert_gone();
}

#[test]
fn rootless_false_forgives_nothing() {
    let container = Container::ordinary().sh("echo ran");
    let ended = run_with_rootless(&container, "false");
    assert_eq!(ended.out, "");
    assert!(ended.fails().contains("delegated cgroup"));
}

#[test]
fn rootless_takes_three_words_and_no_other() {
    let error = run_with_rootless(&Container::ordinary().sh("true"), "perhaps").fails();
    assert!(error.contains("--rootless") && error.contains("perhaps"), "{error}");
}

#[test]
fn device_rules_need_no_cgroup_because_the_kernel_gives_no_devices_anyway() {
    let container = Container::ordinary().sh("mknod /d b 7 0 2>/dev/null || echo refused").edit(|config| {
        config["linux"]["resources"] = json!({"devices": [{"allow": false, "access": "rwm"}]});
    });
    assert_eq!(container.run().ok(), "refused\n");
}

#[test]
fn pause_of_a_container_without_a_cgroup_says_why_not() {
    let container = Container::ordinary().sh("sleep 1000").started();
    let error = container.call(&["pause", &container.id]).fails();
    assert!(error.contains("without a cgroup"), "{error}");
    assert_eq!(container.status(), "running");
}

#[test]
fn all_processes_get_the_signal_without_a_cgroup_too() {
    let container = Container::ordinary().sh("trap '' TERM; sleep 1000 & sleep 1000").started();
    // The first process of a pid namespace takes the others along.
    container.call(&["kill", "--all", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
}

/// cgroups by file below a scope that systemd-run has made in a login session; scopes that we ask for: tests/systemd.
#[test]
fn a_scope_that_systemd_run_made_carries_limits() {
    let tester = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    if !std::path::Path::new("/run/systemd/system").exists() || !tester.contains("\ntester:x:1000:1000:") {
        skip!("no systemd with a user called tester");
    }
    if !is_v2() {
        skip!("on cgroup v1 systemd delegates no controllers to ordinary users");
    }
    needs!("pids", "memory");
    let script = "cd /sys/fs/cgroup; cat pids.max memory.max; cat /proc/self/cgroup";
    let container = Container::ordinary_of((1000, 1000)).sh(script).edit(|config| {
        config["linux"]["resources"] = json!({"pids": {"limit": 11}, "memory": {"limit": 67_108_864}});
        config["mounts"].as_array_mut().expect("mounts").push(json!({"destination": "/sys/fs/cgroup",
            "type": "cgroup", "source": "cgroup", "options": ["ro", "nosuid", "nodev", "noexec"]}));
    });
    container.write_config();
    let mut command = std::process::Command::new("systemd-run");
    command.args([
        "--quiet",
        "--collect",
        "--pipe",
        "--wait",
        "--uid=tester",
        "--property=PAMName=login",
        "--",
    ]);
    command.args(["systemd-run", "--user", "--scope", "--quiet", "--property=Delegate=yes", "--"]);
    command.arg(container.binary()).arg("--root").arg(container.state_root()).args(["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).stdin(Stdio::null());
    assert_eq!(finish(command).ok(), "11\n67108864\n0::/\n");
}

/// What systemd calls delegation: a directory of the user's, with the tests' process in it.
#[test]
fn a_delegated_cgroup_carries_limits() {
    let container = Container::ordinary().sh("cat /sys/fs/cgroup/pids.max; exit 0").edit(|config| {
        config["linux"]["resources"] = json!({"pids": {"limit": 11}});
        config["mounts"].as_array_mut().expect("mounts").push(json!({"destination": "/sys/fs/cgroup",
            "type": "cgroup", "source": "cgroup", "options": ["ro", "nosuid", "nodev", "noexec"]}));
    });
    if !is_v2() || !crate::support::has_controller("pids") {
        skip!("delegation is a matter of cgroup v2, and pids is not on it here");
    }
    let (uid, gid) = crate::support::ordinary::ordinary_ids();
    let base = std::path::Path::new("/sys/fs/cgroup").join(format!("{}-delegated", container.id));
    let inner = base.join("session");
    std::fs::create_dir_all(&inner).expect("root makes cgroups");
    std::fs::write(base.join("cgroup.subtree_control"), "+pids").expect("pids is handed down");
    for file in ["", "cgroup.procs", "cgroup.subtree_control", "session", "session/cgroup.procs"] {
        std::os::unix::fs::lchown(base.join(file), Some(uid), Some(gid)).expect("root gives cgroups away");
    }
    container.write_config();
    let line = format!(
        "echo $$ > {}/cgroup.procs && exec setpriv --reuid {uid} --regid {gid} --clear-groups {} --root {} run --bundle {} {}",
        inner.display(),
        container.binary().display(),
        container.state_root().display(),
        container.bundle().display(),
        container.id
    );
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &line]).stdin(Stdio::null());
    let ended = finish(command);
    crate::support::wait_until("the cgroups are empty", || {
        std::fs::remove_dir(&inner).is_ok() && std::fs::remove_dir(&base).is_ok()
    });
    assert_eq!((&*ended.out, &*ended.err), ("11\n", ""));
}
