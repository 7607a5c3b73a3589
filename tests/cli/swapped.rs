//! In the place of runc or crun on a host where its containers still run: each command on a container that the peer made.
//! Needs the peers: hack/peers --fetch, or installed ones.

use crate::compat::{V2, peer};
use crate::support::{Container, Ended, RRUNTIME, finish};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One peer's container, and the root that it is in.
struct Swapped {
    container: Container,
    maker: PathBuf,
    name: &'static str,
    view: &'static str,
    root: PathBuf,
}

impl Swapped {
    /// Created by the peer, and started.
    fn new(name: &'static str, view: &'static str) -> Result<Swapped, String> {
        let maker = peer(name)?;
        let container = Container::new().args(&["sleep", "300"]).edit(|config| {
            config["linux"]["resources"] = serde_json::json!({});
            config["annotations"] = serde_json::json!({"org.example": "kept"});
        });
        let told = container.dir.join("told");
        let script = format!("cat > {}", told.display());
        let hook = serde_json::json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]);
        let container = container.edit(|config| config["hooks"] = serde_json::json!({"poststop": hook}));
        container.write_config();
        let root = container.dir.join(name);
        std::fs::create_dir_all(&root).unwrap();
        let swapped = Swapped { container, maker, name, view, root };
        let bundle = swapped.container.bundle();
        // The streams are the container's: a pipe would never end.
        let mut create =
            swapped.command(&swapped.maker, &["create", "-b", bundle.to_str().unwrap(), swapped.id()]);
        create.stdout(Stdio::null()).stderr(Stdio::null());
        assert!(create.status().unwrap().success(), "{name} creates no container here");
        Ok(swapped)
    }

    fn id(&self) -> &str {
        &self.container.id
    }

    fn command(&self, program: &Path, line: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["-m", "sh", "-c", self.view, "sh"])
            .arg(program)
            .arg("--root")
            .arg(&self.root)
            .args(line);
        command.stdin(Stdio::null());
        command
    }

    fn ours(&self, line: &[&str]) -> Ended {
        finish(self.command(Path::new(RRUNTIME), line))
    }

    fn theirs(&self, line: &[&str]) -> Ended {
        finish(self.command(&self.maker, line))
    }

    /// What each of the two says of it.
    fn statuses(&self) -> [String; 2] {
        [self.ours(&["state", self.id()]), self.theirs(&["state", self.id()])].map(|ended| {
            let state: Value = serde_json::from_str(&ended.ok()).unwrap();
            state["status"].as_str().unwrap().to_owned()
        })
    }

    fn both_say(&self, status: &str) {
        assert_eq!(self.statuses(), [status, status], "{}", self.name);
    }
}

impl Drop for Swapped {
    fn drop(&mut self) {
        self.theirs(&["delete", "--force", self.id()]);
    }
}

const AS_IT_IS: &str = "exec \"$@\"";

fn each_command(name: &'static str, view: &'static str) -> Result<(), String> {
    let swapped = Swapped::new(name, view)?;
    let id = swapped.id();
    swapped.both_say("created");
    let state: Value = serde_json::from_str(&swapped.ours(&["state", id]).ok()).unwrap();
    assert_eq!(state["annotations"]["org.example"], "kept");
    assert_eq!(state["bundle"], swapped.container.bundle().to_str().unwrap());
    assert_eq!(state["rootfs"], swapped.container.rootfs().to_str().unwrap());
    let pid = state["pid"].as_i64().unwrap();
    swapped.theirs(&["start", id]).ok();
    swapped.both_say("running");

    assert_eq!(swapped.ours(&["list", "-q"]).ok(), format!("{id}\n"));
    assert!(swapped.ours(&["ps", id]).ok().contains(&format!(" {pid} ")));
    let stats = swapped.ours(&["stats", "--format", "json", "--interval", "50ms"]).ok();
    let stats: Value = serde_json::from_str(&stats).unwrap();
    let used = &stats["containers"][0];
    assert_eq!((used["id"].as_str(), used["pid"].as_i64()), (Some(id), Some(pid)), "{stats}");
    assert!(used["cpu"]["usage_seconds"].as_f64() > Some(0.0), "{stats}");
    assert_eq!(used["pids"]["current"], 1, "{stats}");
    swapped.ours(&["pause", id]).ok();
    swapped.both_say("paused");
    swapped.ours(&["resume", id]).ok();
    swapped.both_say("running");

    for line in [
        &["exec", id, "true"][..],
        &["update", "--pids-limit", "9", id],
        &["start", id],
        &["mounts", "add", id, "/dev/null"],
    ] {
        let err = swapped.ours(line).fails();
        assert!(
            err.contains(&format!("made by {name}")) && err.contains(&format!("use {name}")),
            "{line:?}: {err}"
        );
    }
    let err = swapped.ours(&["delete", id]).fails();
    assert!(err.contains("not stopped"), "{err}");
    swapped.both_say("running");

    swapped.ours(&["kill", id, "KILL"]).ok();
    while swapped.statuses()[0] != "stopped" {}
    swapped.both_say("stopped");
    swapped.ours(&["delete", id]).ok();
    swapped.theirs(&["state", id]).fails();
    assert_eq!(swapped.ours(&["list", "-q"]).ok(), "");
    let told = std::fs::read_to_string(swapped.container.dir.join("told")).unwrap();
    assert!(told.contains(id) && told.contains("stopped"), "its poststop hook read {told:?}");
    Ok(())
}

fn forced(name: &'static str, view: &'static str) -> Result<(), String> {
    let swapped = Swapped::new(name, view)?;
    let id = swapped.id();
    swapped.theirs(&["start", id]).ok();
    let pid = swapped.ours(&["ps", "-f", "json", id]).ok();
    let pid: Vec<i32> = serde_json::from_str(&pid).unwrap();
    swapped.ours(&["delete", "--force", id]).ok();
    // The machine's PID 1 may reap it late.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid[0])).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "process {} still runs", pid[0]);
    assert!(!swapped.root.join(id).exists());
    let mut look = Command::new("unshare");
    look.args(["-m", "sh", "-c", view, "sh", "sh", "-c"]);
    look.arg(format!("ls -d /sys/fs/cgroup/{id} /sys/fs/cgroup/*/{id} 2>/dev/null; true"));
    assert_eq!(finish(look).ok(), "", "its cgroup is left");
    Ok(())
}

#[test]
fn each_command_works_on_a_container_of_runc_or_is_refused_by_name() {
    for view in [AS_IT_IS, V2] {
        if let Err(reason) = each_command("runc", view) {
            skip!("{reason}");
        }
    }
}

#[test]
fn each_command_works_on_a_container_of_crun_or_is_refused_by_name() {
    if let Err(reason) = each_command("crun", V2) {
        skip!("{reason}");
    }
}

#[test]
fn delete_with_force_ends_a_container_of_runc_or_crun() {
    for (name, view) in [("runc", AS_IT_IS), ("runc", V2), ("crun", V2)] {
        if let Err(reason) = forced(name, view) {
            skip!("{reason}");
        }
    }
}

#[test]
fn called_as_runc_its_own_containers_are_found_without_a_root() {
    let swapped = match Swapped::new("runc", AS_IT_IS) {
        Ok(swapped) => swapped,
        Err(reason) => skip!("{reason}"),
    };
    // Its default root for an ordinary user, and for root in a user namespace; root's own is the machine's.
    let runtime_dir = swapped.root.parent().unwrap();
    let called = |name: &str| {
        let link = swapped.container.dir.join("bin").join(name);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(RRUNTIME, &link).unwrap();
        let mut command = Command::new("unshare");
        command
            .args(["-Ur", "env", "USER=someone"])
            .arg(format!("XDG_RUNTIME_DIR={}", runtime_dir.display()));
        command.arg(link).args(["list", "-q"]);
        finish(command).ok()
    };
    assert_eq!(called("rruntime"), "");
    assert_eq!(called("runc"), format!("{}\n", swapped.id()));
}
