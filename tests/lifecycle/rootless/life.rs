//! The life of an ordinary user's container: every command as that user, state in directories of their own.

use crate::support::{Container, finish, wait_until};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn a_container_is_created_started_entered_signalled_and_deleted() {
    let container =
        Container::ordinary().sh("trap 'exit 0' TERM; echo on > /tmp/on; while :; do sleep 0.1; done");
    let created = container.create();
    assert_eq!((created.code, &*created.err), (0, ""));
    assert_eq!(container.status(), "created");
    container.start().ok();
    wait_until("the program runs", || container.rootfs().join("tmp/on").exists());
    assert_eq!(container.status(), "running");
    assert_eq!(container.exec_sh("id -u; hostname; ls /proc | grep -c '^1$'").ok(), "0\nbench\n1\n");
    let listed: Value =
        serde_json::from_str(&container.call(&["list", "--format", "json"]).ok()).expect("JSON");
    assert_eq!(listed[0]["id"], container.id.as_str());
    assert_eq!(listed[0]["status"], "running");
    let still = container.call(&["delete", &container.id]).fails();
    assert!(still.contains("not stopped"), "{still}");
    container.call(&["kill", &container.id, "TERM"]).ok();
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id]).ok();
    container.assert_gone();
}

#[test]
fn force_ends_a_running_container_of_an_ordinary_user() {
    let container = Container::ordinary().sh("sleep 1000").started();
    let pid = container.pid();
    container.call(&["delete", "--force", &container.id]).ok();
    assert!(!Path::new(&format!("/proc/{pid}")).exists() || is_dead(pid), "the process is still there");
    container.assert_gone();
}

fn is_dead(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.is_empty() || status.contains("State:\tZ") || status.contains("State:\tX")
}

#[test]
fn the_exit_code_comes_back_and_nothing_is_left() {
    let container = Container::ordinary().sh("exit 9");
    assert_eq!(container.run().code, 9);
    container.assert_gone();
}

#[test]
fn exec_has_the_config_of_the_container() {
    let container = Container::ordinary().sh("sleep 1000").started();
    let report = "grep -E '^(CapEff|CapAmb|Seccomp|NoNewPrivs):' /proc/self/status | tr -d '\\t'; \
                  readlink /proc/self/ns/user; readlink /proc/self/ns/mnt";
    let found = container.exec_sh(report).ok();
    let namespace = |kind| fs::read_link(format!("/proc/{}/ns/{kind}", container.pid())).expect("it runs");
    let expected = format!(
        "CapEff:00000000a80425fb\nCapAmb:0000000000000000\nNoNewPrivs:0\nSeccomp:2\n{}\n{}\n",
        namespace("user").display(),
        namespace("mnt").display()
    );
    assert_eq!(found, expected);
}

/// A command of the user that names no state directory.
fn bare(container: &Container, args: &[&str]) -> Command {
    let mut command = container.as_user(container.binary());
    command.args(args).stdin(Stdio::null());
    command
}

#[test]
fn without_a_root_option_state_is_below_the_runtime_directory_and_nobody_elses() {
    let container = Container::ordinary().sh("sleep 1000");
    container.write_config();
    let mut create = bare(&container, &["create", "--bundle"]);
    create.arg(container.bundle()).arg(&container.id).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(create.status().expect("the command can be started").success());
    let root = container.runtime_dir().join("rruntime");
    let (uid, gid) = crate::support::ordinary::ordinary_ids();
    let entry = root.join(&container.id);
    let of = |path: &Path| {
        let found = fs::symlink_metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!((found.uid(), found.gid()), (uid, gid), "{}", path.display());
        found.mode() & 0o7777
    };
    assert_eq!(of(&root) & 0o777, 0o700);
    assert_eq!(of(&entry), 0o700);
    for file in fs::read_dir(&entry).expect("root reads everything").flatten() {
        // A socket takes connections from every process that may write to it; a link has no mode.
        let mode = of(&file.path());
        assert!(mode & 0o022 == 0 || file.path().is_symlink(), "{} has mode {mode:o}", file.path().display());
    }
    assert_eq!(of(&entry.join("state.json")), 0o600);
    assert_eq!(of(&entry.join("config.json")), 0o600);
    let listed = finish(bare(&container, &["list", "--quiet"])).ok();
    assert_eq!(listed.trim(), container.id);
    finish(bare(&container, &["delete", "--force", &container.id])).ok();
    assert!(!entry.exists());
}

#[test]
fn a_state_directory_of_somebody_else_is_refused_with_a_way_out() {
    let container = Container::ordinary().sh("true");
    container.write_config();
    if fs::metadata("/proc/self").expect("proc").uid() != 0 {
        skip!("only root can make a directory that is closed to the user");
    }
    let closed = container.dir.join("closed");
    fs::create_dir(&closed).expect("root may");
    fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("root may");
    let mut command = bare(&container, &["--root"]);
    command.arg(closed.join("state")).args(["run", "--bundle"]).arg(container.bundle()).arg(&container.id);
    let error = finish(command).fails();
    assert!(error.contains("--root") && error.contains("directory of your own"), "{error}");
}

#[test]
fn two_containers_of_a_user_share_namespaces_by_path() {
    let first = Container::ordinary().sh("hostname first; sleep 1000").edit(|config| {
        for set in ["bounding", "effective", "permitted"] {
            let list = config["process"]["capabilities"][set].as_array_mut().expect("a list");
            list.push("CAP_SYS_ADMIN".into());
        }
        config["linux"].as_object_mut().expect("linux").remove("seccomp");
    });
    let first = first.started();
    wait_until("the first has its name", || first.exec_sh("hostname").out == "first\n");
    let path = |kind: &str| format!("/proc/{}/ns/{kind}", first.pid());
    let second = Container::ordinary()
        .sh("hostname; readlink /proc/self/ns/net; readlink /proc/self/ns/user; ls /proc | grep -c '^1$'; id -u")
        .namespace("user", Some(&path("user")))
        .namespace("network", Some(&path("net")))
        .namespace("uts", Some(&path("uts")))
        .edit(|config| {
            config.as_object_mut().expect("an object").remove("hostname");
            config["linux"].as_object_mut().expect("linux").remove("uidMappings");
            config["linux"].as_object_mut().expect("linux").remove("gidMappings");
        });
    let link = |kind: &str| fs::read_link(path(kind)).expect("it runs").display().to_string();
    assert_eq!(second.run().ok(), format!("first\n{}\n{}\n1\n0\n", link("net"), link("user")));
}
