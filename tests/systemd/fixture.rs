//! A container in a scope, and what systemd says about it.

use crate::support::{Container, Ended, finish, is_v2};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Who runs this test.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Why a test for root, or for an ordinary user, cannot run here.
pub fn missing(root: Option<bool>) -> Option<&'static str> {
    if !Path::new("/run/systemd/system").exists() {
        return Some("systemd is not PID 1 here");
    }
    match (root, is_root()) {
        (Some(true), false) => Some("for root"),
        (Some(false), true) => Some("for an ordinary user"),
        _ => None,
    }
}

/// Held by the tests that need a systemd that stays, and alone by one that starts it anew.
static CALM: RwLock<()> = RwLock::new(());

pub fn calm() -> RwLockReadGuard<'static, ()> {
    CALM.read().unwrap_or_else(PoisonError::into_inner)
}

pub fn alone() -> RwLockWriteGuard<'static, ()> {
    CALM.write().unwrap_or_else(PoisonError::into_inner)
}

macro_rules! under_systemd {
    (alone) => {
        if let Some(reason) = $crate::fixture::missing(None) {
            skip!("{reason}");
        }
        let _alone = $crate::fixture::alone();
    };
    ($($root:expr)?) => {
        if let Some(reason) = $crate::fixture::missing([None $(, Some($root))?].into_iter().next_back().flatten()) {
            skip!("{reason}");
        }
        let _calm = $crate::fixture::calm();
    };
}

/// Ends a test where a container of this user cannot have limits of these controllers.
macro_rules! needs_limits {
    ($($controller:expr),+) => {
        under_systemd!();
        if !$crate::fixture::is_root() && !$crate::support::is_v2() {
            skip!("cgroup v1 gives an ordinary user no limits");
        }
        needs!($($controller),+);
    };
}

/// Its cgroupsPath names a scope of its own.
pub fn scoped() -> Container {
    let container = Container::below(&std::env::temp_dir());
    let id = container.id.clone();
    let container = container.edit(|config| {
        config["linux"]["cgroupsPath"] = format!(":test:{id}").into();
        config["linux"]["resources"] = serde_json::json!({"devices": [{"allow": false, "access": "rwm"}]});
    });
    if is_root() { container } else { rootless(container) }
}

/// What `spec --rootless` does to a config.
fn rootless(container: Container) -> Container {
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    container.without_namespace("network").namespace("user", None).edit(|config| {
        let map = |host: u32| serde_json::json!([{"containerID": 0, "hostID": host, "size": 1}]);
        config["linux"]["uidMappings"] = map(uid);
        config["linux"]["gidMappings"] = map(gid);
        config["linux"]["resources"].as_object_mut().unwrap().remove("devices");
        for mount in config["mounts"].as_array_mut().unwrap() {
            if let Some(options) = mount["options"].as_array_mut() {
                options.retain(|option| !option.as_str().unwrap_or_default().starts_with("gid="));
            }
            if mount["destination"] == "/sys" {
                *mount = serde_json::json!({"destination": "/sys", "type": "bind", "source": "/sys",
                    "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]});
            }
        }
    })
}

pub fn unit(container: &Container) -> String {
    format!("test-{}.scope", container.id)
}

/// A command with systemd's cgroups.
pub fn systemd(container: &Container, args: &[&str]) -> Command {
    let mut all = vec!["--systemd-cgroup"];
    all.extend_from_slice(args);
    container.command(&all)
}

pub fn run(container: &Container) -> Ended {
    container.write_config();
    let mut command = systemd(container, &["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id);
    finish(command)
}

/// Runs in the background; the error's text is in the log.
pub fn start_with(container: &Container, change: impl FnOnce(&mut Command)) -> Ended {
    container.write_config();
    let log = container.dir.join("log");
    let mut command = container.command(&["--log"]);
    command.arg(&log).args(["--systemd-cgroup", "run", "--detach", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).stdout(Stdio::null()).stderr(Stdio::null());
    change(&mut command);
    let status = command.status().unwrap();
    let err = fs::read_to_string(&log).unwrap_or_default();
    Ended { code: status.code().unwrap_or(255), out: String::new(), err }
}

pub fn started(container: Container) -> Container {
    start_with(&container, |_| ()).ok();
    container
}

/// The value of a property of the container's scope.
pub fn property(container: &Container, name: &str) -> String {
    property_of(&unit(container), name)
}

pub fn property_of(unit: &str, name: &str) -> String {
    let mut command = systemctl();
    command.args(["show", unit, "--value", "-p", name]);
    finish(command).ok().trim().to_owned()
}

pub fn systemctl() -> Command {
    let mut command = Command::new("systemctl");
    if !is_root() {
        command.arg("--user");
    }
    command.stdin(Stdio::null());
    command
}

/// The cgroup of a process, in the v2 tree or in name=systemd.
pub fn cgroup_of(pid: i32) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let named = |prefix: &str| text.lines().find_map(|line| line.split_once(prefix).map(|(_, path)| path));
    let unified = named("0::").filter(|path| path.contains(".scope"));
    unified.or(named(":name=systemd:")).unwrap_or_default().to_owned()
}

/// A control file of its scope.
pub fn file_of(container: &Container, controller: &str, name: &str) -> String {
    let path = path_of(container, controller, name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}")).trim().to_owned()
}

pub fn path_of(container: &Container, controller: &str, name: &str) -> String {
    let top = if is_v2() { String::new() } else { format!("/{controller}") };
    format!("/sys/fs/cgroup{top}{}/{name}", cgroup_of(container.pid()))
}

/// Directories of this name in any hierarchy.
pub fn directories(name: &str) -> Vec<PathBuf> {
    let mut command = Command::new("find");
    command.args(["/sys/fs/cgroup", "-depth", "-type", "d", "-name", name]);
    // Groups go away while it looks.
    let found = command.output().unwrap();
    String::from_utf8_lossy(&found.stdout).lines().map(PathBuf::from).collect()
}

/// Nothing of it is known to systemd, and no directory is there.
#[track_caller]
pub fn assert_gone(container: &Container) {
    assert_eq!(property(container, "LoadState"), "not-found");
    assert_eq!(directories(&unit(container)), Vec::<PathBuf>::new());
}
