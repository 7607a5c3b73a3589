//! Wrong arguments.

use crate::bad_input::assert_refused;
use crate::support::{Container, finish};
use serde_json::Value;
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
            let words = ["invalid container ID format", "container-id", "letter", id];
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
    // A file would take its place, and no program would find the device again.
    let container = Container::new().args(&["true"]);
    let (link, own) = (container.dir.join("link"), container.dir.join("own"));
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    std::os::unix::fs::symlink("/proc/self/fd/2", &own).unwrap();
    for path in [&link, &own] {
        let value = path.to_str().unwrap();
        let ended = container.run_with(&["--pid-file", value]);
        assert_refused(
            value,
            &container,
            &ended,
            &["--pid-file", value, "not a regular file", "name a file"],
        );
        assert!(fs::symlink_metadata(path).unwrap().is_symlink());
    }
    let fifo = container.dir.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let ended = container.run_with(&["--pid-file", fifo.to_str().unwrap()]);
    assert_refused("a pipe", &container, &ended, &["--pid-file", "no such device", "a pipe needs a reader"]);
    let started = Container::new().args(&["sleep", "100"]).started();
    let ended = started.call(&["exec", "--pid-file", link.to_str().unwrap(), &started.id, "touch", "/made"]);
    assert!(ended.err.contains("not a regular file") && !started.rootfs().join("made").exists(), "{ended:?}");
    assert_eq!(fs::read_link(&link).unwrap(), std::path::Path::new("/dev/null"));
    drop(started);

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

/// A wrong command line; the code that its error has; and what it tells.
type Line = (&'static [&'static str], &'static str, &'static [&'static str]);

const LINES: &[Line] = &[
    (&["nosuch"], "argument-invalid", &["unknown command 'nosuch'", "rruntime help"]),
    (&["statte", "x"], "argument-invalid", &["did you mean 'state'?", "rruntime help"]),
    (&["--nosuch", "list"], "argument-invalid", &["not defined: --nosuch", "rruntime --help"]),
    (&["list", "--sort"], "argument-invalid", &["not defined: --sort", "rruntime list --help"]),
    (&["run", "--no-pivto", "x"], "argument-invalid", &["--no-pivto", "did you mean --no-pivot?"]),
    (&["list", "--format", "xml"], "argument-invalid", &["--format", "xml", "use table or json"]),
    (&["list", "extra"], "argument-invalid", &["exactly 0 argument", "usage: rruntime list"]),
    (&["run"], "argument-invalid", &["exactly 1 argument", "usage: rruntime run", "container-id"]),
    (&["run", "--bundle", "x"], "argument-invalid", &["--bundle has taken \"x\" as its value", "usage"]),
    (&["run", "-x"], "argument-invalid", &["not defined: -x", "stands behind --", "run --help"]),
    (&["--trace", "list"], "argument-invalid", &["no command", "--trace has taken \"list\" as its value"]),
    (&["--trace", "run", "-b", "x"], "argument-invalid", &["not defined: -b", "--trace has taken \"run\""]),
    (&["--trace", "delete", "x"], "argument-invalid", &["unknown command 'x'", "has taken \"delete\""]),
    (&["run", "a", "b"], "argument-invalid", &["exactly 1 argument", "usage: rruntime run"]),
    (&["create", "--bundle"], "argument-invalid", &["needs an argument: --bundle", "--bundle DIR"]),
    (&["kill"], "argument-invalid", &["minimum of 1 argument", "usage: rruntime kill"]),
    (&["kill", "nope", "SIGWHAT"], "argument-invalid", &["signal", "SIGWHAT", "TERM, KILL or HUP"]),
    (&["kill", "nope", "TERM"], "no-such-container", &["nope", "does not exist", "rruntime list"]),
    (&["state", "nope"], "no-such-container", &["nope", "does not exist", "--root"]),
    (&["start", "nope"], "no-such-container", &["nope", "does not exist", "--root"]),
    (&["delete", "nope"], "no-such-container", &["nope", "does not exist", "--root"]),
    (&["exec", "nope", "true"], "no-such-container", &["nope", "does not exist", "--root"]),
    (&["exec", "nope"], "argument-invalid", &["process args cannot be empty", "after the id \"nope\""]),
    (
        &["exec", "--env", "FOO", "nope", "true"],
        "argument-invalid",
        &["--env", "FOO", "NAME=VALUE", "give the value too"],
    ),
    (&["events", "--interval", "0", "nope"], "argument-invalid", &["--interval", "than 0", "500ms"]),
    (&["update", "nope", "--pids-limit", "x"], "argument-invalid", &["--pids-limit", "a whole number"]),
    (
        &["update", "--resources", "/nonexistent", "nope"],
        "argument-invalid",
        &["--resources", "/nonexistent", "no such file", "linux.resources"],
    ),
    (
        &["mounts", "add", "nope", "/etc", "/x"],
        "argument-invalid",
        &["a mount is described in a file", "\"destination\""],
    ),
    (
        &["seccomp", "check", "/nonexistent"],
        "argument-invalid",
        &["\"/nonexistent\": read the file", "no such file", "a file with a seccomp profile"],
    ),
    (
        &["seccomp", "record", "--merge", "/nonexistent", "x"],
        "argument-invalid",
        &["--merge = \"/nonexistent\"", "no such file", "first record"],
    ),
    (
        &["seccomp", "record", "--output", "/nonexistent/x", "x"],
        "argument-failed",
        &["--output = \"/nonexistent/x\": write the profile: no such file", "must exist"],
    ),
    (
        &["explain", "--syscall", "99999", "."],
        "argument-invalid",
        &["--syscall", "no system call of this number on this machine", "syscalls(2)"],
    ),
    (
        &["exec", "--user", "abc", "nope", "true"],
        "argument-invalid",
        &["--user", "abc", "UID:GID", "/etc/passwd"],
    ),
    (&["ps", "nope"], "no-such-container", &["nope", "does not exist"]),
    (&["pause", "nope"], "no-such-container", &["nope", "does not exist"]),
    (&["update", "nope", "--memory", "1m"], "no-such-container", &["nope", "does not exist"]),
    (&["update", "nope", "--memory", "lots"], "argument-invalid", &["--memory", "lots", "64m"]),
    (&["events", "nope"], "no-such-container", &["nope", "does not exist"]),
    (&["logs", "nope"], "no-such-container", &["nope", "does not exist"]),
    (&["mounts", "nope"], "argument-invalid", &["minimum of 2 argument", "usage: rruntime mounts"]),
    (&["completion", "csh"], "argument-invalid", &["csh", "use bash, zsh or fish"]),
    (&["manual", "nosuch"], "argument-invalid", &["nosuch", "rruntime help"]),
    (
        &["spec", "--bundle", "/nonexistent"],
        "argument-failed",
        &["--bundle", "/nonexistent", "no such file", "must exist"],
    ),
    (
        &["run", "--bundle", "/nonexistent", "x"],
        "argument-invalid",
        &["--bundle", "/nonexistent", "rruntime spec"],
    ),
    (&["--log-format", "xml", "list"], "argument-invalid", &["--log-format", "xml", "use text or json"]),
    (
        &["--cgroup-manager", "magic", "list"],
        "argument-invalid",
        &["--cgroup-manager", "magic", "cgroupfs, systemd"],
    ),
    (&["--rootless", "maybe", "list"], "argument-invalid", &["--rootless", "maybe", "true, false or auto"]),
    (
        &["--log", "/nonexistent/x", "list"],
        "argument-failed",
        &["--log", "/nonexistent/x", "no such file", "must exist"],
    ),
    (&["--log", "journald", "list"], "argument-invalid", &["--log", "identifier", "journald:web", "./"]),
    (&["--log", "journald:", "list"], "argument-invalid", &["--log", "identifier", "journald:web"]),
    (&["--allow-annotation"], "argument-invalid", &["needs an argument", "--allow-annotation NAME"]),
];

#[test]
fn each_wrong_command_line_has_its_code_and_what_helps() {
    let container = Container::new();
    let mut amiss = Vec::new();
    for (words, code, told) in LINES {
        let mut command = container.command(&["--log-format", "json"]);
        let ended = finish({
            command.args(*words);
            command
        });
        let errors = ended.err.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let errors: Vec<Value> = errors.filter(|record| record["level"] == "error").collect();
        // The one whose own words say which form errors have.
        let message = match &errors[..] {
            [record] if record["code"] == *code => record["msg"].as_str().unwrap_or_default().to_owned(),
            [] if words.contains(&"--log-format") => ended.err.clone(),
            _ => {
                amiss.push(format!("{words:?}: one record with the code {code}: {ended:?}"));
                continue;
            }
        };
        if ended.code == 0 {
            amiss.push(format!("{words:?}: succeeds"));
        }
        amiss.extend(
            told.iter()
                .filter(|word| !message.contains(**word))
                .map(|word| format!("{words:?} lacks {word:?}: {message}")),
        );
    }
    assert!(amiss.is_empty(), "{}", amiss.join("\n"));
}

/// As crun has it; runc puts a file in its place.
#[test]
fn a_pid_file_that_is_a_device_or_a_pipe_is_written_to_as_it_is() {
    let container = Container::new().args(&["sleep", "100"]);
    let (fifo, null) = (container.dir.join("fifo"), container.dir.join("null"));
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut read = fs::File::options().read(true).write(true).open(&fifo).unwrap();
    container.create_with(&["--pid-file", fifo.to_str().unwrap()]).ok();
    let mut text = [0; 16];
    let length = std::io::Read::read(&mut read, &mut text).unwrap();
    assert_eq!(std::str::from_utf8(&text[..length]).unwrap(), container.pid().to_string());
    let mut mknod = std::process::Command::new("mknod");
    mknod.arg(&null).args(["c", "1", "3"]);
    if finish(mknod).code != 0 {
        skip!("no device can be made here");
    }
    container.start().ok();
    container.call(&["exec", "--pid-file", null.to_str().unwrap(), &container.id, "true"]).ok();
    for path in [fifo, null] {
        assert!(!fs::symlink_metadata(path).unwrap().is_file());
    }
}

/// What its state does not allow, and files and devices that are not there: each with what helps.
#[test]
fn what_a_container_is_asked_in_vain_is_answered_with_what_helps() {
    let container = Container::new().args(&["sleep", "100"]).started();
    let id = &*container.id;
    let running: [(&[&str], &[&str]); 7] = [
        (&["start", id], &["already running container", "rruntime exec"]),
        (&["exec", "--process", "/nonexistent", id], &["--process", "no such file", "name a JSON file"]),
        (&["mounts", "add", id, "/nonexistent"], &["/nonexistent", "no such file", "a list of mounts"]),
        (&["mounts", "remove", id, "/dev/x"], &["/dev/x", "no such file", "--device is for devices"]),
        (&["mounts", "add", "--device", "/dev/nope", id], &["--device", "no such file", "device node"]),
        (&["mounts", "remove", "--device", "/dev/x", id], &["has made no node", "has made none"]),
        (
            &["exec", "--pid-file", "/nonexistent/p", id, "true"],
            &["--pid-file", "no such file", "must exist"],
        ),
    ];
    let told = |line: &[&str], words: &[&str]| {
        let said = container.call(line).fails();
        words.iter().for_each(|word| assert!(said.contains(word), "{line:?} lacks {word}: {said}"));
    };
    running.iter().for_each(|(line, words)| told(line, words));
    container.call(&["kill", id, "KILL"]).ok();
    container.wait_for_status("stopped");
    let stopped: [(&[&str], &str); 4] = [
        (&["exec", id, "true"], "cannot exec in a stopped container"),
        (&["kill", id], "container not running"),
        (&["pause", id], "container not running"),
        (&["resume", id], "container not paused"),
    ];
    for (line, reason) in stopped {
        told(line, &[reason, "its process has ended", "rruntime delete", "exit status"]);
    }
}
