//! A command that is killed at any instant leaves what `delete --force` can take away.

use crate::support::leftovers::{assert_nothing_left, processes};
use crate::support::{Container, RRUNTIME, wait_until};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn spawn(container: &Container, command: &str) -> Child {
    container.write_config();
    let mut spawned = container.command(&[command, "--bundle"]);
    spawned.arg(container.bundle()).arg(&container.id).stdout(Stdio::null()).stderr(Stdio::null());
    spawned.spawn().unwrap()
}

#[test]
fn a_create_or_run_that_is_killed_in_a_hook_leaves_nothing_that_delete_does_not_take() {
    for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"] {
        let container = Container::new().sh("echo > /tmp/ran; sleep 100");
        // The hook sees one file of the test under the same path inside and outside only by its output.
        let slow = container.rootfs().join("slow");
        let begun = container.rootfs().join("tmp/begun");
        let script = match kind {
            "startContainer" => "#!/bin/sh\necho > /tmp/begun\nexec sleep 100\n".to_owned(),
            _ => format!("#!/bin/sh\necho > {}\nexec sleep 100\n", begun.display()),
        };
        fs::write(&slow, script).unwrap();
        fs::set_permissions(&slow, fs::Permissions::from_mode(0o755)).unwrap();
        let path = if kind == "startContainer" { "/slow".into() } else { slow };
        let container = container
            .edit(|config| config["hooks"][kind] = json!([{"path": path, "env": ["PATH=/bin:/usr/bin"]}]));
        let mut run = spawn(&container, "run");
        wait_until(kind, || begun.exists());
        let listed = container.call(&["list"]).ok();
        let wanted = match kind {
            // The container exists; its program does not run yet.
            "startContainer" => "created",
            "poststart" => "running",
            _ => "creating",
        };
        assert!(listed.contains(wanted), "{kind}: {listed}");
        run.kill().unwrap();
        run.wait().unwrap();
        container.call(&["delete", "--force", &container.id]).ok();
        // A hook on the host ends by itself alone.
        let orphans = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let cwd = fs::read_link(entry.path().join("cwd")).ok()?;
            cwd.starts_with(container.bundle()).then_some(pid)
        });
        for pid in orphans {
            let _ended = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL);
        }
        assert_nothing_left(&container);
    }
}

#[test]
fn a_run_or_create_that_is_killed_at_any_moment_leaves_nothing_that_delete_does_not_take() {
    for command in ["create", "run"] {
        for step in 0..16 {
            let container = Container::new().args(&["sleep", "100"]);
            let mut child = spawn(&container, command);
            std::thread::sleep(Duration::from_micros(900 * step));
            child.kill().unwrap();
            child.wait().unwrap();
            if container.state_root().exists() {
                container.call(&["list"]).ok();
            }
            container.call(&["delete", "--force", &container.id]).ok();
            assert_nothing_left(&container);
        }
    }
}

/// Not by time but by the calls themselves: strace ends the runtime at one of its system calls. A few in an ordinary
/// run of the tests; `RRUNTIME_EVERY_CALL=1` tries each.
#[test]
fn a_create_run_or_delete_that_is_killed_at_any_system_call_leaves_nothing_that_delete_does_not_take() {
    let strace = |container: &Container, options: &[&str], command: &str| {
        let mut strace = Command::new("strace");
        strace.arg("-qq").args(options).arg(RRUNTIME).arg("--root").arg(container.state_root());
        match command {
            "delete" => strace.args([command, "--force"]),
            _ => strace.args([command, "--bundle"]).arg(container.bundle()),
        };
        strace.arg(&container.id).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    let ready = |command: &str| {
        let container = Container::new().args(&["sleep", "0.01"]);
        container.write_config();
        if command == "delete" {
            assert_eq!(container.create().code, 0);
        }
        container
    };
    let stride = if std::env::var_os("RRUNTIME_EVERY_CALL").is_some() { 1 } else { 17 };
    for command in ["create", "run", "delete"] {
        let container = ready(command);
        let log = container.dir.join("calls");
        if !strace(&container, &["-o", log.to_str().unwrap()], command).is_ok_and(|status| status.success()) {
            crate::skip!("strace is not here, or may not trace");
        }
        let text = fs::read_to_string(log).unwrap();
        let calls: Vec<&str> = text
            .lines()
            .filter_map(|line| Some(line.split_once('(')?.0))
            .filter(|call| !call.contains(' '))
            .collect();
        assert!(calls.len() > 50, "{text}");
        for (n, call) in calls.iter().enumerate().step_by(stride) {
            // strace counts each kind of call by itself.
            let when = calls[..=n].iter().filter(|other| *other == call).count();
            let container = ready(command);
            let inject = format!("inject={call}:signal=SIGKILL:when={when}");
            strace(&container, &["-o", "/dev/null", "-e", &inject], command).unwrap();
            if container.state_root().exists() {
                container.call(&["list"]).ok();
            }
            container.call(&["delete", "--force", &container.id]).ok();
            assert_nothing_left(&container);
        }
        println!("{command}: killed at each {stride}th of {} calls", calls.len());
    }
}

/// The directory that a create has made is removed, and made again by another, before the first one locks it.
#[test]
fn of_two_creates_with_a_forced_delete_between_them_the_second_has_the_id() {
    let first = Container::new().args(&["true"]);
    let second = Container::new().args(&["sleep", "1000"]);
    first.write_config();
    second.write_config();
    let mut slow = Command::new("strace");
    slow.args([
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=flock",
        "-e",
        "inject=flock:delay_enter=2000000:when=1",
    ]);
    slow.arg(RRUNTIME).arg("--root").arg(second.state_root()).args(["create", "--bundle"]);
    slow.arg(first.bundle()).arg(&second.id).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut slow) = slow.spawn() else { crate::skip!("strace is not here") };
    let directory = second.state_root().join(&second.id);
    wait_until("the first has made the directory", || {
        directory.exists() || slow.try_wait().unwrap().is_some()
    });
    if !directory.exists() {
        crate::skip!("strace may not trace");
    }
    second.call(&["delete", "--force", &second.id]).ok();
    let second = second.started();
    assert!(!slow.wait().unwrap().success(), "two containers have one id");
    assert_eq!(second.status(), "running");
    second.call(&["delete", "--force", &second.id]).ok();
    assert_nothing_left(&second);
}

#[test]
fn the_init_of_a_killed_create_does_not_wait_for_ever() {
    let container = Container::new().args(&["true"]);
    let hook = container.dir.join("hook");
    let begun = container.dir.join("begun");
    fs::write(&hook, format!("#!/bin/sh\necho > {}\nsleep 0.3\n", begun.display())).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let container = container
        .edit(|config| config["hooks"]["createRuntime"] = json!([{"path": hook, "env": ["PATH=/bin"]}]));
    let mut create = spawn(&container, "create");
    wait_until("the hook", || begun.exists());
    create.kill().unwrap();
    create.wait().unwrap();
    wait_until("the end of init", || processes(&container.id).is_empty());
    container.call(&["delete", "--force", &container.id]).ok();
    assert_nothing_left(&container);
}

#[test]
fn a_container_outlives_the_run_that_waited_for_it_and_can_be_deleted() {
    let container = Container::new().sh("echo > /tmp/ready; exec sleep 100");
    let mut run = spawn(&container, "run");
    wait_until("the program runs", || container.rootfs().join("tmp/ready").exists());
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(container.status(), "running");
    assert_eq!(container.exec_sh("echo here").ok(), "here\n");
    container.call(&["delete", "--force", &container.id]).ok();
    assert_nothing_left(&container);
}

#[test]
fn a_delete_that_is_killed_can_be_done_again() {
    for step in 0..8 {
        let container = Container::new().args(&["sleep", "100"]).started();
        let mut delete = container.command(&["delete", "--force", &container.id]);
        let mut delete = delete.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(700 * step));
        delete.kill().unwrap();
        delete.wait().unwrap();
        container.call(&["delete", "--force", &container.id]).ok();
        assert_nothing_left(&container);
    }
}

#[test]
fn a_start_that_is_killed_in_its_hook_leaves_nothing_that_delete_does_not_take() {
    let container = Container::new().args(&["sleep", "100"]).edit(|config| {
        let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", "echo > /tmp/begun; exec sleep 100"], "env": ["PATH=/bin"]}]);
        config["hooks"]["startContainer"] = hook;
    });
    assert_eq!(container.create().code, 0);
    let mut start = container.command(&["start", &container.id]).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the hook", || container.rootfs().join("tmp/begun").exists());
    start.kill().unwrap();
    start.wait().unwrap();
    container.call(&["delete", "--force", &container.id]).ok();
    assert_nothing_left(&container);
}

/// A process that joined the namespaces of a container in the making would find itself in the host's tree.
#[test]
fn exec_into_a_container_in_the_making_never_sees_the_host() {
    for step in 0..24 {
        let container = Container::new().args(&["sleep", "100"]);
        let mut run = spawn(&container, "run");
        std::thread::sleep(Duration::from_micros(400 * step));
        for _ in 0..20 {
            let ended = container.call(&["exec", &container.id, "ls", "/"]);
            assert!(ended.code != 0 || !ended.out.contains("usr"), "{ended:?}");
            if ended.code == 0 {
                break;
            }
        }
        container.call(&["delete", "--force", &container.id]).ok();
        let _ended_by_then = run.kill();
        run.wait().unwrap();
        container.call(&["delete", "--force", &container.id]).ok();
    }
}

/// The record stays until each of them has run once.
#[test]
fn a_delete_that_is_killed_between_poststop_hooks_goes_on_behind_the_last_that_has_run() {
    let container = Container::new().args(&["true"]);
    let log = container.dir.join("log");
    let hook = |name: &str, more: &str| {
        let path = container.dir.join(name);
        fs::write(&path, format!("#!/bin/sh\necho {name} >> {}\n{more}\n", log.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        json!({"path": path, "env": ["PATH=/bin:/usr/bin"]})
    };
    let held = container.dir.join("held");
    fs::write(&held, "").unwrap();
    let wait = format!("while [ -e {} ]; do sleep 0.02; done", held.display());
    let hooks = json!([hook("first", "kill -KILL $$"), hook("second", &wait), hook("third", "")]);
    let container = container.edit(|config| config["hooks"]["poststop"] = hooks);
    assert_eq!(container.create().code, 0);
    container.start().ok();
    container.wait_for_status("stopped");
    let mut delete = container.command(&["delete", &container.id]);
    let mut delete = delete.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let said = || fs::read_to_string(&log).unwrap_or_default();
    wait_until("the second hook", || said().contains("second"));
    assert_eq!(container.status(), "stopped", "the record is there as long as hooks run");
    delete.kill().unwrap();
    delete.wait().unwrap();
    fs::remove_file(&held).unwrap();
    container.call(&["delete", &container.id]).ok();
    assert_eq!(said(), "first\nsecond\nsecond\nthird\n");
    assert_nothing_left(&container);
}
