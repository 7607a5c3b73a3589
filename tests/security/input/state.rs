//! The state directory is the runtime's alone: CVE-2021-41103, CVE-2024-25621.

use crate::support::Container;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const NOBODY: u32 = 65534;

/// A state directory that every user could reach, were it not for its own mode.
struct Public {
    directory: PathBuf,
    container: Container,
}

impl Public {
    fn created() -> Public {
        let container = Container::new().sh("sleep 1000");
        let directory = std::env::temp_dir().join(&container.id);
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        let public = Public { directory, container };
        public.container.write_config();
        let script = "umask 000; exec \"$@\" >/dev/null 2>&1";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", crate::support::RRUNTIME, "--root"]).arg(public.root());
        command.args(["create", "--pid-file"]).arg(public.directory.join("pid"));
        command.arg("--bundle").arg(public.container.bundle()).arg(&public.container.id);
        assert!(command.status().unwrap().success());
        public
    }

    fn root(&self) -> PathBuf {
        self.directory.join("state")
    }

    fn own(&self) -> PathBuf {
        self.root().join(&self.container.id)
    }

    /// A command of busybox by another user.
    fn as_nobody(&self, args: &[&str]) -> bool {
        let mut command = Command::new("/bin/busybox");
        command.args(args).current_dir("/").uid(NOBODY).gid(NOBODY);
        command.output().unwrap().status.success()
    }
}

impl Drop for Public {
    fn drop(&mut self) {
        let root = self.root();
        // There may be no container any more.
        let _ = Command::new(crate::support::RRUNTIME)
            .arg("--root")
            .arg(&root)
            .args(["delete", "--force", &self.container.id])
            .output();
        // What stays is in scratch space.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn walk(path: &Path, found: &mut Vec<(PathBuf, u32)>) {
    let meta = fs::symlink_metadata(path).unwrap();
    // A link has no mode of its own.
    if !meta.is_symlink() {
        found.push((path.to_owned(), meta.mode() & 0o7777));
    }
    if meta.is_dir() {
        fs::read_dir(path).unwrap().flatten().for_each(|entry| walk(&entry.path(), found));
    }
}

#[test]
fn the_callers_umask_opens_nothing_of_the_state() {
    let public = Public::created();
    let mut found = Vec::new();
    walk(&public.root(), &mut found);
    assert!(found.len() >= 5, "{found:?}");
    for (path, mode) in found {
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
}

#[test]
fn the_callers_umask_does_not_let_others_change_the_pid_file() {
    let public = Public::created();
    let mode = fs::metadata(public.directory.join("pid")).unwrap().mode();
    assert_eq!(mode & 0o022, 0, "{mode:o}");
}

#[test]
fn another_user_can_neither_look_nor_connect() {
    let public = Public::created();
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    assert!(public.as_nobody(&["ls", &text(public.directory.clone())]), "the control");
    assert!(!public.as_nobody(&["ls", &text(public.root())]));
    for name in ["", "state.json", "config.json", "start.awaited"] {
        assert!(fs::symlink_metadata(public.own().join(name)).is_ok(), "{name}");
        assert!(!public.as_nobody(&["stat", &text(public.own().join(name))]), "{name}");
    }
    for command in ["start", "state", "delete", "list", "ps"] {
        let mut call = Command::new(crate::support::RRUNTIME);
        call.arg("--root").arg(public.root()).arg(command).current_dir("/").uid(NOBODY).gid(NOBODY);
        if command != "list" {
            call.arg(&public.container.id);
        }
        // Nobody may not even be able to execute the binary, which is as good.
        assert!(!call.output().is_ok_and(|output| output.status.success()), "{command}");
    }
}

/// The bytes that a container was made from are kept apart from the bundle, which others may own.
#[test]
fn a_bundle_that_changes_after_create_changes_nothing() {
    let mut container = Container::new().sh("exit 3");
    assert_eq!(container.create().code, 0);
    container.config["process"]["args"] = serde_json::json!(["sh", "-c", "echo changed > /tmp/changed"]);
    container.config["hooks"] = serde_json::json!({"poststart": [{"path": "/bin/false"}]});
    container.write_config();
    container.start().ok();
    container.wait_for_status("stopped");
    assert!(!container.rootfs().join("tmp/changed").exists());
}

/// Links in place of the state's files lead no command to write elsewhere.
#[test]
fn a_pid_file_beside_a_planted_temporary_file_is_not_written_through_it() {
    let container = Container::new().sh("sleep 1000");
    let victim = container.dir.join("victim");
    fs::write(&victim, "victim").unwrap();
    let pid_file = container.dir.join("pid");
    std::os::unix::fs::symlink(&victim, &pid_file).unwrap();
    let created = container.create_with(&["--pid-file", pid_file.to_str().unwrap()]);
    assert_eq!(created.code, 0, "{}", created.err);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "victim");
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), container.pid().to_string());
}

/// Root is asked to clear away what an ordinary user has in their state directory: its record names a process of the
/// host, its config a program.
#[test]
fn the_state_of_another_user_makes_root_neither_kill_nor_execute() {
    let container = Container::new().sh("true");
    assert_eq!(container.create().code, 0);
    container.start().ok();
    container.wait_for_status("stopped");
    let state = container.state_root().join(&container.id);
    let edit = |file: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = serde_json::from_slice(&fs::read(state.join(file)).unwrap()).unwrap();
        change(&mut value);
        fs::write(state.join(file), value.to_string()).unwrap();
    };
    let mut victim = Command::new("sleep").arg("1000").spawn().unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", victim.id())).unwrap();
    let started: u64 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().parse().unwrap();
    let touched = container.dir.join("touched");
    let hook = serde_json::json!([{"path": "/bin/touch", "args": ["touch", touched]}]);
    edit("config.json", &|config| config["hooks"] = serde_json::json!({"poststop": hook}));
    edit("state.json", &|record| {
        record["pid"] = victim.id().into();
        record["pid_start"] = started.into();
    });
    crate::canary::own(&container.state_root(), NOBODY);
    let ended = [
        &["delete", "--force"][..],
        &["kill", "--all"],
        &["exec", "-d"],
        &["pause"],
        &["update", "--pids-limit", "1"],
    ]
    .map(|command| {
        let operands = if command[0] == "exec" { vec![&*container.id, "true"] } else { vec![&*container.id] };
        container.call(&[command, &operands].concat())
    });
    let alive = victim.try_wait().unwrap().is_none();
    victim.kill().unwrap();
    victim.wait().unwrap();
    for ended in ended {
        assert!(ended.fails().contains("another user"), "the state is another user's");
    }
    assert!(alive, "a process of the host was killed");
    assert!(!touched.exists(), "a program was executed");
    // Its own user, here root again, clears it away.
    crate::canary::own(&container.state_root(), 0);
    edit("state.json", &|record| record["pid"] = (-1).into());
    container.call(&["delete", "--force", &container.id]).ok();
    assert!(!state.exists() && touched.exists());
}

/// Root looks at the containers of an ordinary user, whose records lead to files that never answer and hold orders for
/// the terminal.
#[test]
fn the_state_of_another_user_neither_holds_up_nor_deceives_who_looks() {
    let container = Container::new().sh("sleep 1000").started();
    let trap = container.dir.join("trap/group");
    fs::create_dir_all(&trap).unwrap();
    for name in ["freezer.state", "cgroup.freeze", "cgroup.events", "cgroup.procs"] {
        nix::unistd::mkfifo(&trap.join(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    let root = container.dir.join("theirs");
    let read = |name: &str| fs::read(container.state_root().join(&container.id).join(name)).unwrap();
    for (id, group) in [("plain", false), ("trap", true)] {
        let mut record: serde_json::Value = serde_json::from_slice(&read("state.json")).unwrap();
        record["id"] = id.into();
        record["bundle"] = "/x\u{1b}[2J\nforged 1 running /".into();
        for leg in record["cgroup"]["legs"].as_array_mut().unwrap().iter_mut().filter(|_| group) {
            leg["mount"] = container.dir.join("trap").to_str().unwrap().into();
            leg["path"] = "group".into();
        }
        fs::create_dir_all(root.join(id)).unwrap();
        fs::write(root.join(id).join("state.json"), record.to_string()).unwrap();
        fs::write(root.join(id).join("config.json"), read("config.json")).unwrap();
        // What `list` looks at first.
        record.as_object_mut().unwrap().retain(|name, _| name != "cgroup");
        if !group {
            std::os::unix::fs::symlink(record.to_string(), root.join(id).join("brief")).unwrap();
        }
    }
    fs::create_dir(root.join("pipe")).unwrap();
    nix::unistd::mkfifo(&root.join("pipe/state.json"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    crate::canary::own(&root, NOBODY);
    let command = |args: &[&str]| {
        let mut command = Command::new(crate::support::RRUNTIME);
        command.arg("--root").arg(&root).args(args);
        command
    };
    for args in [&["list"][..], &["list", "--format", "json"], &["state", "trap"], &["state", "pipe"]] {
        crate::input::extremes::in_time(command(args));
    }
    let table = crate::support::finish(command(&["list"])).ok();
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(!table.contains('\x1b') && table.lines().all(|line| !line.starts_with("forged")), "{table:?}");
}

/// Sticky or not: who may make entries there can rename those that they have made.
#[test]
fn a_state_directory_that_others_may_write_is_refused_by_every_command() {
    let container = Container::new().sh("sleep 1000").started();
    let own = container.state_root().join(&container.id);
    for (directory, mode) in [
        (container.state_root(), 0o777),
        (container.state_root(), 0o1777),
        (container.state_root(), 0o770),
        (own, 0o707),
    ] {
        let before = fs::metadata(&directory).unwrap().permissions();
        fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).unwrap();
        for command in [
            &["kill", &container.id, "KILL"][..],
            &["delete", "--force", &container.id],
            &["exec", &container.id, "true"],
            &["pause", &container.id],
            &["state", &container.id],
            &["update", "--pids-limit", "1", &container.id],
        ] {
            let refused = container.call(command).fails();
            assert!(
                refused.contains("other users may write") && refused.contains("chmod go-w"),
                "{command:?}: {refused}"
            );
        }
        fs::set_permissions(&directory, before).unwrap();
        assert_eq!(container.status(), "running");
    }
    // As an older version may have left it.
    for mode in [0o755, 0o711] {
        fs::set_permissions(container.state_root(), fs::Permissions::from_mode(mode)).unwrap();
        container.exec_sh("true").ok();
    }
}

#[test]
fn what_is_meant_for_one_container_is_not_done_to_another_whose_directory_has_its_name() {
    let container = Container::new().sh("sleep 1000").started();
    let root = container.state_root();
    fs::rename(root.join(&container.id), root.join("other")).unwrap();
    for command in [
        &["kill", "other", "KILL"][..],
        &["kill", "--all", "other", "KILL"],
        &["delete", "--force", "other"],
        &["exec", "other", "true"],
        &["pause", "other"],
        &["state", "other"],
    ] {
        let refused = container.call(command).fails();
        assert!(refused.contains(&format!("another container, {}", container.id)), "{command:?}: {refused}");
    }
    assert!(container.call(&["list"]).ok().contains("unknown"));
    fs::rename(root.join("other"), root.join(&container.id)).unwrap();
    assert_eq!(container.status(), "running");
}
