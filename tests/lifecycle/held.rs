//! Commands whose container's process is held up: they say who holds it, and end when they are asked to.

use crate::support::leftovers::assert_nothing_left;
use crate::support::ordinary::ordinary_ids;
use crate::support::{Container, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::unistd::Pid;
use serde_json::json;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

/// Stops the process whose state comes in on standard input.
const STOP: &str = "kill -STOP $(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')";

fn with_hook(kind: &str, script: &str) -> Container {
    let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"]}]);
    Container::new().args(&["true"]).edit(|config| config["hooks"][kind] = hook)
}

fn begin(container: &Container, verb: &str) -> Child {
    container.write_config();
    let mut command = container.command(&["--log", container.dir.join("log").to_str().unwrap(), verb]);
    command.arg("--bundle").arg(container.bundle()).arg(&container.id);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn log(container: &Container) -> String {
    fs::read_to_string(container.dir.join("log")).unwrap_or_default()
}

#[test]
fn a_command_whose_init_is_stopped_says_so_and_ends_when_it_is_asked_to() {
    for (verb, signal) in [("create", Signal::SIGTERM), ("run", Signal::SIGINT), ("run", Signal::SIGTERM)] {
        let container = with_hook("createRuntime", STOP);
        let mut child = begin(&container, verb);
        wait_until("it is told who holds it", || log(&container).contains("stopped by a signal"));
        kill(Pid::from_raw(child.id() as i32), signal).unwrap();
        assert!(!child.wait().unwrap().success(), "{verb}");
        assert!(log(&container).contains(signal.as_str()), "{verb}: {}", log(&container));
        container.assert_gone();
        assert_nothing_left(&container);
    }
}

#[test]
fn a_command_ends_when_it_is_asked_to_while_a_hook_runs() {
    let container = with_hook("createRuntime", "echo begun > begun; exec sleep 1000");
    let mut child = begin(&container, "create");
    wait_until("the hook runs", || container.bundle().join("begun").exists());
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert!(!child.wait().unwrap().success());
    container.assert_gone();
}

#[test]
fn a_hook_that_is_stopped_is_named() {
    let container = with_hook("createRuntime", "kill -STOP $$");
    let mut child = begin(&container, "create");
    wait_until("it is told who holds it", || log(&container).contains("stopped by a signal"));
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert!(!child.wait().unwrap().success());
    container.assert_gone();
}

#[test]
fn a_helper_that_does_not_end_is_ended_with_the_command() {
    let (uid, gid) = ordinary_ids();
    let container = Container::ordinary().args(&["true"]).edit(|config| {
        config["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": uid + 1, "size": 1}]);
        config["linux"]["gidMappings"] = json!([{"containerID": 0, "hostID": gid, "size": 1}]);
    });
    container.write_config();
    let (helper, begun) = (container.dir.join("newuidmap"), container.runtime_dir().join("begun"));
    fs::write(&helper, format!("#!/bin/sh\necho $$ > {}\nexec /bin/sleep 1000\n", begun.display())).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = container.command(&["create", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).env("PATH", &container.dir);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the helper runs", || fs::read_to_string(&begun).is_ok_and(|pid| pid.ends_with('\n')));
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert!(!child.wait().unwrap().success());
    let pid: i32 = fs::read_to_string(&begun).unwrap().trim().parse().unwrap();
    assert!(kill(Pid::from_raw(pid), None).is_err(), "the helper goes on");
    container.assert_gone();
}

/// The queue of the socket's listener is full, and it accepts nothing.
#[test]
fn a_create_that_waits_for_a_console_socket_ends_when_it_is_asked_to() {
    let container =
        Container::new().args(&["true"]).edit(|config| config["process"]["terminal"] = json!(true));
    container.write_config();
    let path = std::env::temp_dir().join(format!("{}.sock", container.id));
    let listener = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(listener.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let queued = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let log_file = container.dir.join("log");
    let mut command = container.command(&["--log", log_file.to_str().unwrap(), "create"]);
    command.arg("--console-socket").arg(&path).arg("--bundle").arg(container.bundle()).arg(&container.id);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let blocked = || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap();
        u64::from_str_radix(blocked, 16).unwrap() & (1 << (libc::SIGTERM - 1)) != 0
    };
    wait_until("it holds back its signals", blocked);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    drop(queued);
    fs::remove_file(path).unwrap();
    let said = log(&container);
    assert!(said.contains("ended by SIGTERM while it waited for the container"), "{said}");
    container.assert_gone();
}

/// Another one has the lock, and its hook does not end.
#[test]
fn a_delete_that_waits_for_another_ends_when_it_is_asked_to_and_force_finishes_it() {
    for options in [&[][..], &["--regex"]] {
        let container =
            with_hook("poststop", "[ -e begun ] || { echo $$ > begun; exec sleep 1000; }").started();
        container.wait_for_status("stopped");
        let delete = |options: &[&str]| {
            let log = container.dir.join("log");
            let line = [&["--log", log.to_str().unwrap(), "delete"], options, &[&container.id]].concat();
            container.command(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let mut first = delete(&[]);
        let begun = container.bundle().join("begun");
        wait_until("its hook runs", || fs::read_to_string(&begun).is_ok_and(|pid| pid.ends_with('\n')));
        let mut second = delete(options);
        wait_until("it holds back its signals", || {
            let status = fs::read_to_string(format!("/proc/{}/status", second.id())).unwrap();
            let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap();
            u64::from_str_radix(blocked, 16).unwrap() & (1 << (libc::SIGTERM - 1)) != 0
        });
        kill(Pid::from_raw(second.id() as i32), Signal::SIGTERM).unwrap();
        assert_eq!(second.wait().unwrap().code(), Some(1), "{options:?}");
        let said = log(&container);
        assert!(said.contains("ended by SIGTERM while it waited for the container"), "{options:?}: {said}");
        first.kill().unwrap();
        first.wait().unwrap();
        let hook = fs::read_to_string(&begun).unwrap().trim().parse().unwrap();
        kill(Pid::from_raw(hook), Signal::SIGKILL).unwrap();
        container.call(&["delete", "--force", &container.id]).ok();
        container.assert_gone();
        assert_nothing_left(&container);
    }
}

/// A process of the host that an administrator has put there: `delete` ends it only by force.
#[test]
fn a_delete_that_cannot_remove_the_group_names_who_keeps_it() {
    let container = Container::new().args(&["true"]).started();
    container.wait_for_status("stopped");
    let mut stranger = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = stranger.id();
    for group in container.cgroups() {
        fs::write(group.join("cgroup.procs"), pid.to_string()).unwrap();
    }
    kill(Pid::from_raw(pid as i32), Signal::SIGSTOP).unwrap();
    let refused = container.call(&["delete", &container.id]).fails();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(refused.contains(&format!("process {pid}: it was stopped by a signal")), "{refused}");
    container.call(&["delete", &container.id]).ok();
    container.assert_gone();
}

/// A process that is born in a frozen group never gets to its program; a caller that waits for its birth hears no signal.
#[test]
fn nobody_is_born_in_a_frozen_group() {
    if !crate::support::is_v2() {
        crate::skip!("on cgroup v1 a process enters its groups by itself");
    }
    let container = Container::new().sh("while :; do sleep 1; done").started();
    let group = container.cgroups().remove(0).join("inner");
    fs::create_dir(&group).unwrap();
    fs::write(group.join("cgroup.freeze"), "1").unwrap();
    let refused = container.call(&["exec", "--cgroup", "inner", &container.id, "true"]).fails();
    assert!(refused.contains("frozen"), "{refused}");
    fs::write(group.join("cgroup.freeze"), "0").unwrap();
    container.call(&["exec", "--cgroup", "inner", &container.id, "true"]).ok();
}

/// A neighbour in the pid namespace that may trace can copy what a waiting init holds, and keep it.
#[test]
fn a_start_whose_pipes_another_process_keeps_open_ends_when_the_program_runs() {
    let container = Container::new().args(&["sleep", "100"]);
    assert_eq!(container.create().code, 0);
    let ends = || -> Vec<_> {
        let ends = fs::read_dir(format!("/proc/{}/fd", container.pid()))
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        let beyond = ends.filter(|end| !["0", "1", "2"].iter().any(|stdio| end.ends_with(stdio)));
        let is_pipe =
            |end: &_| fs::read_link(end).is_ok_and(|link| link.to_string_lossy().starts_with("pipe:"));
        beyond.filter(|end| is_pipe(end)).collect()
    };
    wait_until("the conversation with create is over", || ends().len() == 2);
    let open = |end| fs::OpenOptions::new().read(true).write(true).open(end).unwrap();
    let kept: Vec<fs::File> = ends().into_iter().map(open).collect();
    assert_eq!(kept.len(), 2);
    assert_eq!(container.status(), "created");
    container.start().ok();
    assert_eq!(container.status(), "running");
    assert!(container.call(&["list"]).ok().contains("running"));
    let error = container.call(&["delete", &container.id]).fails();
    assert!(error.contains("not stopped"), "{error}");
}

/// What is born in a user namespace by path may come to its first word before its maker can tell of it.
#[test]
fn a_process_that_speaks_before_its_maker_has_told_of_it_is_heard() {
    let mapped = |mut container: Container| {
        let mounts = container.config["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| mount["type"] != "cgroup");
        std::os::unix::fs::lchown(container.rootfs(), Some(100_000), Some(100_000)).unwrap();
        container
    };
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    let holder = mapped(Container::new().sh("sleep 1000").namespace("user", None)).edit(|config| {
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
    });
    let holder = holder.started();
    let namespace = format!("/proc/{}/ns/user", holder.pid());
    let container = mapped(Container::new().sh("echo inside").namespace("user", Some(&namespace)));
    container.write_config();
    if Command::new("strace").arg("-V").output().is_err() {
        crate::skip!("there is no strace");
    }
    let mut command = Command::new("timeout");
    command.args(["20", "strace", "-f", "-o", "/dev/null", "-e", "trace=clone"]);
    command.args(["-e", "inject=clone:delay_exit=300000", crate::support::RRUNTIME, "--root"]);
    command.arg(container.state_root()).args(["run", "--bundle"]).arg(container.bundle()).arg(&container.id);
    command.stdin(Stdio::null());
    assert_eq!(crate::support::finish(command).ok(), "inside\n");
}
