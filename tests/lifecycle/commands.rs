//! create, start, run, state, delete, ps: what they do, and what they say when they cannot.

use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, Ended, finish, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};

/// `run --detach` with further options. The container keeps the streams, so they are no pipes.
pub fn run_detached(container: &Container, options: &[&str]) -> i32 {
    container.write_config();
    let mut command = container.command(&["run", "--detach", "--bundle"]);
    command.arg(container.bundle()).args(options).arg(&container.id);
    command.stdout(Stdio::null()).status().expect("the command can be started").code().unwrap_or(255)
}

#[track_caller]
fn says(ended: Ended, wanted: &str) {
    let error = ended.fails();
    assert!(error.contains(wanted), "{wanted:?} is wanted: {error}");
}

#[test]
fn a_detached_run_returns_while_the_program_runs() {
    let container = Container::new().sh("echo $$ > /tmp/started; exec sleep 100");
    let pid_file = container.dir.join("pid");
    assert_eq!(run_detached(&container, &["--pid-file", pid_file.to_str().unwrap()]), 0);
    assert_eq!(container.status(), "running");
    wait_until("the program runs", || container.rootfs().join("tmp/started").exists());
    let pid: i32 = fs::read_to_string(&pid_file).unwrap().parse().expect("the pid file is a bare number");
    assert_eq!(pid, container.pid());
    assert!(fs::read_to_string(format!("/proc/{pid}/status")).unwrap().contains("NSpid:"));
    let inside = fs::read_to_string(container.rootfs().join("tmp/started")).unwrap();
    assert_eq!(inside.trim(), "1");
    says(container.call(&["delete", &container.id]), "that is not stopped: running");
    container.call(&["delete", "--force", &container.id]).ok();
    assert_nothing_left(&container);
}

#[test]
fn a_kept_container_is_there_after_its_end() {
    let container = Container::new().sh("exit 3");
    assert_eq!(container.run_with(&["--keep"]).code, 3);
    let state = container.state();
    assert_eq!((&state["status"], &state["pid"]), (&json!("stopped"), &json!(0)));
    says(container.call(&["exec", &container.id, "true"]), "cannot exec in a stopped container");
    says(container.call(&["kill", &container.id]), "container not running");
    says(container.start(), "cannot start a container that has stopped");
    container.call(&["delete", &container.id]).ok();
    assert_nothing_left(&container);
}

#[test]
fn options_may_stand_after_the_id() {
    let container = Container::new().args(&["sleep", "100"]);
    container.write_config();
    let bundle = container.bundle();
    let pid_file = container.dir.join("pid");
    let mut create = container.command(&["create", &container.id, "--bundle"]);
    create.arg(&bundle).arg("--pid-file").arg(&pid_file);
    assert!(create.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), container.pid().to_string());
    container.start().ok();
    container.call(&["kill", &container.id, "--all", "KILL"]).ok();
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id, "--force"]).ok();
    assert_nothing_left(&container);
}

#[test]
fn the_bundle_is_the_working_directory_by_default() {
    let container = Container::new().sh("echo hello");
    container.write_config();
    let mut command = container.command(&["run", &container.id]);
    command.current_dir(container.bundle());
    assert_eq!(finish(command).ok(), "hello\n");
}

#[test]
fn a_bundle_is_known_by_its_own_path_whatever_links_lead_to_it() {
    let container = Container::new().args(&["sleep", "100"]);
    container.write_config();
    let link = container.bundle().with_file_name("link");
    std::os::unix::fs::symlink(container.bundle(), &link).unwrap();
    let mut command = container.command(&["create", &container.id, "--bundle"]);
    command.arg(&link).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    let state: Value = serde_json::from_str(&container.call(&["state", &container.id]).ok()).unwrap();
    assert_eq!(state["bundle"], container.bundle().to_str().unwrap());
}

#[test]
fn an_id_in_use_is_refused_and_its_container_goes_on() {
    let container = Container::new().args(&["sleep", "100"]).started();
    let pid = container.pid();
    says(container.run(), "container with given ID already exists");
    assert_eq!(container.create().code, 1);
    assert_eq!((container.status().as_str(), container.pid()), ("running", pid));
}

#[test]
fn what_runs_cannot_be_started_again() {
    let container = Container::new().args(&["sleep", "100"]).started();
    says(container.start(), "cannot start an already running container");
    assert_eq!(container.status(), "running");
}

#[test]
fn an_unknown_id_has_one_answer_everywhere() {
    let container = Container::new();
    for command in ["state", "start", "kill", "delete", "ps", "pause", "resume"] {
        let ended = container.call(&[command, "nobody"]);
        assert_eq!(ended.code, 1, "{command}: {ended:?}");
        says(ended, "container does not exist");
    }
    let ended = container.call(&["exec", "nobody", "true"]);
    assert_eq!(ended.code, 255);
    says(ended, "container does not exist");
    container.call(&["delete", "--force", "nobody"]).ok();
}

#[test]
fn a_created_container_can_be_deleted_without_having_run() {
    let container = Container::new().sh("echo ran > /tmp/ran");
    assert_eq!(container.create().code, 0);
    container.call(&["delete", &container.id]).ok();
    assert!(!container.rootfs().join("tmp/ran").exists());
    assert_nothing_left(&container);
}

#[test]
fn a_created_container_can_be_killed() {
    let container = Container::new().args(&["sleep", "100"]);
    assert_eq!(container.create().code, 0);
    container.call(&["kill", &container.id, "KILL"]).ok();
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id]).ok();
    assert_nothing_left(&container);
}

#[test]
fn state_tells_what_the_kernel_and_the_config_say() {
    let container = Container::new()
        .args(&["sleep", "100"])
        .edit(|config| config["annotations"] = json!({"org.example": "yes"}))
        .started();
    let text = container.call(&["state", &container.id]).ok();
    let mut last = 0;
    for key in ["ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "owner", "annotations"] {
        let at = text.find(&format!("\"{key}\"")).unwrap_or_else(|| panic!("{key} is missing: {text}"));
        assert!(at > last || last == 0, "{key} stands too early: {text}");
        last = at;
    }
    let state: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(state["id"], container.id.as_str());
    assert_eq!(state["bundle"], container.bundle().to_str().unwrap());
    assert_eq!(state["rootfs"], container.rootfs().to_str().unwrap());
    assert_eq!(state["owner"], "root");
    assert_eq!(state["annotations"]["org.example"], "yes");
    let command = fs::read_to_string(format!("/proc/{}/cmdline", state["pid"])).unwrap();
    assert_eq!(command, ["sleep", "100", ""].join("\0"));
}

#[test]
fn ps_shows_the_containers_processes_and_no_others() {
    let container = Container::new().sh("sleep 101 & sleep 102 & wait").started();
    let pids = || -> Vec<i32> {
        serde_json::from_str(&container.call(&["ps", "--format", "json", &container.id]).ok()).unwrap()
    };
    wait_until("three processes", || pids().len() == 3);
    assert!(pids().contains(&container.pid()));
    let table = container.call(&["ps", &container.id]).ok();
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.contains("sleep 101") && table.contains("sleep 102"), "{table}");
    let chosen = container.call(&["ps", &container.id, "-e", "-o", "pid,args"]).ok();
    assert!(chosen.lines().count() == 4 && !chosen.contains("UID"), "{chosen}");
}

#[test]
fn without_pivot_root_the_program_still_sees_its_own_root_alone() {
    let container = Container::new().sh("ls / && cat /proc/self/mountinfo");
    fs::write(container.rootfs().join("marker"), "").unwrap();
    let out = container.run_with(&["--no-pivot"]).ok();
    assert!(out.lines().any(|line| line == "marker"), "{out}");
    assert!(!out.lines().any(|line| line == "usr"), "{out}");
    assert_nothing_left(&container);
}

#[test]
fn a_session_keyring_is_made_unless_it_is_not_wanted() {
    if !fs::exists("/proc/keys").unwrap() {
        crate::skip!("this kernel has no /proc/keys");
    }
    for (options, wanted) in [(&[][..], true), (&["--no-new-keyring"], false)] {
        let container = Container::new().sh("cat /proc/keys").edit(|config| {
            config["linux"]["maskedPaths"] = json!([]);
        });
        let keys = container.run_with(options).ok();
        // "_ses." and 128 random bits; another container's cannot be seen.
        let random = |name: &str| name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit());
        let own = keys.lines().filter_map(|line| line.split("_ses.").nth(1)?.split(':').next());
        assert_eq!(own.filter(|name| random(name)).count(), usize::from(wanted), "{keys}");
    }
}

#[test]
fn two_creates_of_one_id_make_one_container() {
    let container = Container::new().args(&["sleep", "100"]);
    container.write_config();
    let create = || -> std::process::Child {
        let mut command: Command = container.command(&["create", "--bundle"]);
        command.arg(container.bundle()).arg(&container.id).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let children: Vec<_> = (0..4).map(|_| create()).collect();
    let codes: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap().code()).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(container.status(), "created");
}

#[test]
fn two_commands_at_once_on_one_container_are_one_after_the_other() {
    for _ in 0..5 {
        let container = Container::new().args(&["sleep", "100"]);
        assert_eq!(container.create().code, 0);
        let both = |arguments: [&str; 2]| {
            let children = [0, 1].map(|_| {
                let mut command = container.command(&arguments);
                command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
            });
            children.map(|mut child| child.wait().unwrap().success())
        };
        let started = both(["start", &container.id]);
        assert!(started.contains(&true) && started.contains(&false), "{started:?}");
        assert_eq!(container.status(), "running");
        container.call(&["kill", &container.id, "KILL"]).ok();
        container.wait_for_status("stopped");
        let deleted = both(["delete", &container.id]);
        assert!(deleted.contains(&true), "{deleted:?}");
        assert_nothing_left(&container);
    }
}

#[test]
fn a_container_deleted_while_run_waits_ends_the_run() {
    let container = Container::new().args(&["sleep", "100"]);
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = command.spawn().unwrap();
    wait_until("the container runs", || {
        container.call(&["state", &container.id]).out.contains("\"running\"")
    });
    container.call(&["delete", "--force", &container.id]).ok();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(137), "{}", String::from_utf8_lossy(&output.stderr));
    assert_nothing_left(&container);
}
