//! `state`, `list`, `kill`, `ps`, `delete` on state directories that are written by hand around ordinary
//! processes: what a crash, an upgrade or a reused pid leaves.

use crate::support::cli::{Said, Scratch, rruntime};
use crate::support::{has_controller, is_v2};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A state directory.
struct Root(Scratch);

impl Root {
    fn new() -> Root {
        Root(Scratch::new())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let root = ["--root", self.path().to_str().unwrap()];
        rruntime(&[&root, arguments].concat())
    }

    fn container(&self, id: &str, record: &Value) -> PathBuf {
        let dir = self.path().join(id);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("state.json"), record.to_string()).unwrap();
        fs::write(dir.join("config.json"), "{}").unwrap();
        dir
    }

    fn status(&self, id: &str) -> String {
        let said = self.run(&["state", id]);
        let state: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
        state["status"].as_str().unwrap().to_owned()
    }
}

/// A process that ends when the test does.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Sleeper {
        Sleeper(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn start_time(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap()
    }

    /// The signal that ended it.
    fn ended_by(&mut self) -> Option<i32> {
        self.0.wait().unwrap().signal()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _already_ended = self.0.kill();
        self.0.wait().unwrap();
    }
}

fn record(id: &str, process: Option<(u32, u64)>) -> Value {
    json!({
        "version": 1, "id": id, "oci_version": "1.2.0", "bundle": "/b", "rootfs": "/b/rootfs",
        "created": "2026-11-21T07:58:59.25Z", "owner_uid": 0, "phase": "created",
        "pid": process.map(|p| p.0), "pid_start": process.map(|p| p.1), "cgroup": null,
        // A pid namespace of its own.
        "namespaces_created": libc::CLONE_NEWPID, "a_field_of_the_future": {"x": 1},
    })
}

fn running(root: &Root, id: &str) -> Sleeper {
    let sleeper = Sleeper::new();
    root.container(id, &record(id, Some((sleeper.0.id(), sleeper.start_time()))));
    sleeper
}

#[test]
fn an_empty_root_lists_as_runc_lists_it() {
    let root = Root::new();
    assert_eq!(
        root.run(&["list"]).out,
        "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n"
    );
    assert_eq!(root.run(&["list", "-f", "json"]).out, "null\n");
    assert_eq!(root.run(&["list", "-q"]).out, "");
}

#[test]
fn a_named_root_that_is_missing_is_an_error_of_list_and_means_no_container_elsewhere() {
    let scratch = Scratch::new();
    let missing = scratch.file("none");
    let root = ["--root", missing.to_str().unwrap()];
    let list = rruntime(&[&root[..], &["list"]].concat());
    assert!(list.err.contains("no such file or directory"), "{list:?}");
    assert_eq!(list.code, 1);
    for arguments in [&["state", "x"][..], &["kill", "x"], &["start", "x"], &["delete", "x"]] {
        let said = rruntime(&[&root, arguments].concat());
        if arguments[0] != "start" {
            assert!(said.err.contains("container does not exist"), "{said:?}");
        }
        assert_eq!(said.code, 1);
    }
    assert_eq!(rruntime(&[&root[..], &["delete", "--force", "x"]].concat()).code, 0);
    assert!(!missing.exists());
}

#[test]
fn state_has_its_keys_in_order_and_follows_the_process() {
    let root = Root::new();
    let mut sleeper = running(&root, "web");
    let pid = sleeper.0.id();
    let said = root.run(&["state", "web"]);
    assert_eq!(
        said.out,
        format!(
            "{{\n  \"ociVersion\": \"1.3.0\",\n  \"id\": \"web\",\n  \"pid\": {pid},\n  \"status\": \"running\",\n  \
             \"bundle\": \"/b\",\n  \"rootfs\": \"/b/rootfs\",\n  \"created\": \"2026-11-21T07:58:59.25Z\",\n  \
             \"owner\": \"root\"\n}}\n"
        )
    );
    let socket = UnixListener::bind(root.path().join("web/start.sock")).unwrap();
    assert_eq!(root.status("web"), "created");
    drop(socket);
    fs::remove_file(root.path().join("web/start.sock")).unwrap();
    assert_eq!(root.status("web"), "running");
    sleeper.0.kill().unwrap();
    sleeper.0.wait().unwrap();
    assert_eq!(root.status("web"), "stopped");
    assert!(root.run(&["state", "web"]).out.contains("\"pid\": 0,"));
}

#[test]
fn list_shows_all_and_broken_ones_break_nothing() {
    let root = Root::new();
    let sleeper = running(&root, "b");
    root.container("a", &record("a", None));
    root.container("damaged", &json!("no record"));
    fs::create_dir(root.path().join("half")).unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    let said = root.run(&["list"]);
    let rows: Vec<Vec<&str>> = said.out.lines().map(|line| line.split_whitespace().collect()).collect();
    let pid = sleeper.0.id().to_string();
    assert_eq!(rows[1], ["a", "0", "stopped", "/b", "2026-11-21T07:58:59.25Z", "root"]);
    assert_eq!(rows[2][..3], ["b", &pid, "running"]);
    assert_eq!(rows[3][..3], ["damaged", "0", "unknown"]);
    assert_eq!(rows[4][..3], ["half", "0", "unknown"]);
    assert_eq!(rows.len(), 5);
    assert_eq!(said.code, 0);
    assert_eq!(said.err.lines().filter(|line| line.contains("level=warning")).count(), 2, "{said:?}");
    assert_eq!(root.run(&["list", "-q"]).out, "a\nb\ndamaged\nhalf\n");
    let listed: Value = serde_json::from_str(&root.run(&["list", "--format=json"]).out).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 4);
    assert_eq!(listed[1]["pid"], sleeper.0.id());
}

#[test]
fn what_a_killed_create_left_is_deleted_by_force_alone() {
    let root = Root::new();
    fs::create_dir(root.path().join("half")).unwrap();
    root.container("damaged", &json!("no record"));
    let mut intent = record("intent", None);
    intent["phase"] = json!("creating");
    root.container("intent", &intent);
    for id in ["half", "damaged"] {
        let said = root.run(&["delete", id]);
        assert!(said.code == 1 && said.err.contains("--force"), "{said:?}");
        assert_eq!(root.run(&["delete", "--force", id]).code, 0);
    }
    assert_eq!(root.status("intent"), "stopped");
    assert_eq!(root.run(&["delete", "intent"]).code, 0);
    assert_eq!(root.run(&["list", "-q"]).out, "");
}

#[test]
fn kill_sends_term_or_what_is_asked_for() {
    let root = Root::new();
    for (id, arguments, signal) in [
        ("a", &["kill", "a"][..], libc::SIGTERM),
        ("b", &["kill", "b", "KILL"], libc::SIGKILL),
        ("c", &["kill", "c", "sigusr1"], libc::SIGUSR1),
        ("d", &["kill", "d", "12"], libc::SIGUSR2),
        ("e", &["kill", "e", "HUP"], libc::SIGHUP),
    ] {
        let mut sleeper = running(&root, id);
        let said = root.run(arguments);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{arguments:?}");
        assert_eq!(sleeper.ended_by(), Some(signal), "{arguments:?}");
        let again = root.run(arguments);
        if arguments.contains(&"--all") {
            // Of all its processes none is left: what runc says to that.
            assert_eq!((again.code, again.err.as_str()), (0, ""), "{again:?}");
            continue;
        }
        assert!(again.err.contains("container not running"), "{again:?}");
        assert_eq!(again.code, 1);
    }
}

#[test]
fn an_expression_means_every_container_that_it_matches() {
    let root = Root::new();
    let mut ended = [running(&root, "web-1"), running(&root, "web-22")];
    let mut kept = running(&root, "db");
    assert_eq!(root.run(&["kill", "--regex", "^web-[0-9]+$|nothing", "KILL"]).code, 0);
    for sleeper in &mut ended {
        assert_eq!(sleeper.ended_by(), Some(libc::SIGKILL));
    }
    assert!(kept.0.try_wait().unwrap().is_none());
    // One that refuses does not keep the others.
    let said = root.run(&["delete", "-r", "."]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("level=warning") && said.err.contains("not stopped: running"), "{said:?}");
    assert_eq!(root.run(&["list", "-q"]).out, "db\n");
    assert_eq!(root.run(&["delete", "--regex", "nothing"]).code, 0);
    let said = root.run(&["delete", "--force", "--regex", "d("]);
    assert!(said.code == 1 && said.err.contains("--regex = \\\"d(\\\": unmatched ("), "{said:?}");
    // Without the option the same word is an id, and no valid one.
    assert!(root.run(&["delete", "--force", "^db$"]).err.contains("invalid container ID format"));
    assert_eq!(root.run(&["delete", "-f", "-r", "^db$"]).code, 0);
    assert_eq!(kept.ended_by(), Some(libc::SIGKILL));
}

/// More than one thread looks at so many.
#[test]
fn hundreds_of_containers_are_listed_in_order_and_each_as_it_is() {
    let root = Root::new();
    let sleeper = Sleeper::new();
    let mut wanted = Vec::new();
    for number in 0..300 {
        let id = format!("c{number:03}");
        let status = match number % 5 {
            // Nothing to look at without opening it.
            0 => {
                fs::create_dir(root.path().join(&id)).unwrap();
                "unknown"
            }
            1 => {
                root.container(&id, &record(&id, None));
                "stopped"
            }
            2 => {
                root.container(&id, &record(&id, Some((sleeper.0.id(), sleeper.start_time() + 1))));
                "stopped"
            }
            3 => {
                let dir = root.container(&id, &record(&id, Some((sleeper.0.id(), sleeper.start_time()))));
                fs::write(dir.join("start.sock"), "").unwrap();
                "created"
            }
            _ => {
                root.container(&id, &record(&id, Some((sleeper.0.id(), sleeper.start_time()))));
                "running"
            }
        };
        wanted.push((id, status.to_owned()));
    }
    let said = root.run(&["--log-level", "error", "list"]);
    let found: Vec<(String, String)> = said
        .out
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .map(|cells| (cells[0].clone(), cells[2].clone()))
        .collect();
    assert_eq!(found, wanted);
}

#[test]
fn hundreds_are_listed_where_no_further_thread_may_be_made() {
    let root = Root::new();
    for number in 0..300 {
        root.container(&format!("c{number}"), &record(&format!("c{number}"), None));
    }
    let group = PathBuf::from(format!("/sys/fs/cgroup/pids/rr-test-{}-threads", std::process::id()));
    if is_v2() || !has_controller("pids") {
        skip!("no cgroup v1 of pids");
    }
    fs::create_dir(&group).unwrap();
    fs::write(group.join("pids.max"), "1").unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "echo $$ > \"$0\"/cgroup.procs && exec \"$@\""]).arg(&group);
    let ended =
        command.arg(env!("CARGO_BIN_EXE_rruntime")).arg("--root").arg(root.path()).arg("list").output();
    fs::remove_dir(&group).unwrap();
    let said = crate::support::cli::said(ended.unwrap());
    assert_eq!((said.code, said.out.lines().count()), (0, 301), "{}", said.err);
}

#[test]
fn a_pid_that_belongs_to_somebody_else_by_now_is_left_alone() {
    let root = Root::new();
    let mut stranger = Sleeper::new();
    root.container("web", &record("web", Some((stranger.0.id(), stranger.start_time() - 1))));
    assert_eq!(root.status("web"), "stopped");
    assert!(root.run(&["kill", "web", "KILL"]).err.contains("container not running"));
    assert_eq!(root.run(&["delete", "--force", "web"]).code, 0);
    assert!(stranger.0.try_wait().unwrap().is_none(), "the stranger lives");
}

#[test]
fn only_a_stopped_or_created_container_is_deleted_without_force() {
    let root = Root::new();
    let mut sleeper = running(&root, "web");
    let said = root.run(&["delete", "web"]);
    assert!(said.err.contains("cannot delete container web that is not stopped: running"), "{said:?}");
    assert_eq!(said.code, 1);
    assert!(sleeper.0.try_wait().unwrap().is_none());
    let said = root.run(&["delete", "--force", "web"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(sleeper.ended_by(), Some(libc::SIGKILL));
    assert!(!root.path().join("web").exists());
    assert_eq!(root.run(&["delete", "--force", "web"]).code, 0);
    let said = root.run(&["delete", "web"]);
    assert!(said.code == 1 && said.err.contains("container does not exist"), "{said:?}");

    let mut sleeper = running(&root, "new");
    let _socket = UnixListener::bind(root.path().join("new/start.sock")).unwrap();
    assert_eq!(root.run(&["delete", "new"]).code, 0);
    assert_eq!(sleeper.ended_by(), Some(libc::SIGKILL));
}

#[test]
fn ps_shows_the_processes_as_the_hosts_ps_does() {
    let root = Root::new();
    let sleeper = running(&root, "web");
    let pid = sleeper.0.id();
    assert_eq!(root.run(&["ps", "-f", "json", "web"]).out, format!("[{pid}]\n"));
    let table = root.run(&["ps", "web"]);
    let lines: Vec<&str> = table.out.lines().collect();
    assert!(lines[0].contains("PID") && lines[0].contains("CMD"), "{table:?}");
    assert!(lines.len() == 2 && lines[1].contains(&pid.to_string()), "{table:?}");
    let chosen = root.run(&["ps", "web", "-e", "-o", "pid,comm"]);
    assert_eq!(
        chosen.out.split_whitespace().collect::<Vec<_>>(),
        ["PID", "COMMAND", &pid.to_string(), "cat"]
    );
    assert!(root.run(&["ps", "web", "-o", "comm"]).err.contains("PID field"));
    drop(sleeper);
    assert_eq!(root.run(&["ps", "-f", "json", "web"]).out, "null\n");
}

#[test]
fn what_needs_a_running_or_paused_container_says_so() {
    let root = Root::new();
    root.container("old", &record("old", None));
    let _sleeper = running(&root, "web");
    for (arguments, wanted) in [
        (["pause", "old"], "container not running"),
        (["resume", "old"], "container not paused"),
        (["resume", "web"], "container not paused"),
        (["pause", "web"], "without a cgroup"),
    ] {
        let said = root.run(&arguments);
        assert!(said.code == 1 && said.err.contains(wanted), "{arguments:?}: {said:?}");
    }
}

#[test]
fn poststop_hooks_run_before_the_record_goes_and_none_can_stop_it() {
    let root = Root::new();
    let told = root.path().join("told");
    let script = format!(
        "#!/bin/sh\ncat > {0}\n[ -e {1}/web/state.json ] && echo there >> {0}\n",
        told.display(),
        root.path().display()
    );
    let hook = root.path().join("hook");
    fs::write(&hook, script).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let mut stopped = record("web", None);
    stopped["bundle"] = json!(root.path());
    let dir = root.container("web", &stopped);
    let config =
        json!({"ociVersion": "1.3.0", "hooks": {"poststop": [{"path": "/bin/false"}, {"path": hook}]}});
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
    let said = root.run(&["delete", "web"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("level=warning") && said.err.contains("/bin/false"), "{said:?}");
    let told = fs::read_to_string(&told).unwrap();
    assert!(told.ends_with("there\n"), "{told}");
    let state: Value = serde_json::from_str(told.trim_end_matches("there\n")).unwrap();
    assert_eq!((&state["id"], &state["status"]), (&json!("web"), &json!("stopped")));
    assert!(!dir.exists());
}
