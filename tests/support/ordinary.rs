//! Containers of an ordinary user: the binary runs as a user who is not root, in directories of their own.

use super::{Container, copy_program};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A user and a group that no machine has, so that no file is theirs by accident. (65534 would not do: every id
/// without a mapping looks like that one.)
pub const USER: u32 = 47_001;
pub const GROUP: u32 = 47_002;
/// A group of the user's that no container must have (only with [`Ranges`], which let it be dropped).
const SECOND_GROUP: u32 = 47_003;

/// The user who runs the binary: the one who runs the tests, or, if that is root, [`USER`].
pub fn ordinary_ids() -> (u32, u32) {
    let me = fs::metadata("/proc/self").expect("proc is mounted");
    if me.uid() == 0 { (USER, GROUP) } else { (me.uid(), me.gid()) }
}

impl Container {
    /// Docker's default config as an ordinary user can have it: a user namespace with only their own ids, no
    /// cgroup, no limits, no group for terminals.
    pub fn ordinary() -> Container {
        Container::ordinary_of(ordinary_ids())
    }

    pub fn ordinary_of((uid, gid): (u32, u32)) -> Container {
        let mut container = Container::below(&std::env::temp_dir());
        container.ids = Some((uid, gid));
        fs::create_dir_all(container.runtime_dir()).expect("the temporary directory is writable");
        fs::set_permissions(container.runtime_dir(), fs::Permissions::from_mode(0o700)).expect("it is ours");
        give(&container.dir, uid, gid);
        let config = &mut container.config;
        let linux = config["linux"].as_object_mut().expect("the config has linux");
        linux.remove("resources");
        linux.remove("cgroupsPath");
        linux["namespaces"].as_array_mut().expect("namespaces").push(json!({"type": "user"}));
        linux.insert("uidMappings".into(), json!([{"containerID": 0, "hostID": uid, "size": 1}]));
        linux.insert("gidMappings".into(), json!([{"containerID": 0, "hostID": gid, "size": 1}]));
        let mounts = config["mounts"].as_array_mut().expect("the config has mounts");
        mounts.retain(|mount| mount["type"] != "cgroup");
        for mount in mounts {
            let options = mount["options"].as_array_mut().expect("mounts have options");
            options.retain(|option| !option.as_str().unwrap_or_default().starts_with("gid="));
        }
        container
    }

    /// `XDG_RUNTIME_DIR` of the ordinary user.
    pub fn runtime_dir(&self) -> PathBuf {
        self.dir.join("run")
    }

    /// Any program as the container's ordinary user.
    pub fn as_user(&self, program: impl AsRef<OsStr>) -> Command {
        let Some((uid, gid)) = self.ids else { return Command::new(program) };
        let mut command = if self.etc().exists() {
            // The helpers read /etc as their caller sees it: nothing of the machine's has to change.
            let mut command = Command::new("unshare");
            let binds = "for f in passwd subuid subgid; do mount --bind $0/$f /etc/$f; done";
            let drop = format!("exec setpriv --reuid {uid} --regid {gid} --groups {SECOND_GROUP} \"$@\"");
            command.args(["--mount", "sh", "-ec", &format!("{binds}; {drop}")]).arg(self.etc()).arg(program);
            command
        } else {
            let mut command = Command::new(program);
            become_user(&mut command, (uid, gid));
            command
        };
        command.env("XDG_RUNTIME_DIR", self.runtime_dir()).env_remove("USER").current_dir(&self.dir);
        command
    }

    /// Files that cover those of /etc for the user's programs, if there are any.
    fn etc(&self) -> PathBuf {
        self.dir.join("etc")
    }

    /// The binary where the container's user can execute it: a build below a home directory may not be passable.
    pub fn binary(&self) -> PathBuf {
        let built = self.runtime.as_deref().unwrap_or(Path::new(super::RRUNTIME));
        if self.ids.is_none() || built.ancestors().all(|part| mode(part) & 0o001 != 0) {
            return built.to_owned();
        }
        let copy = self.dir.join("rruntime");
        if !copy.exists() {
            copy_program(built, &copy);
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        copy
    }

    /// Replaces the maps: the user's own id is 0, and these ranges follow from 1 on. /etc/subuid and /etc/subgid
    /// allow the user the ranges that [`Ranges::allotted`] gave, whatever is asked for here.
    pub fn with_ranges(self, ranges: &Ranges) -> Container {
        let (uid, gid) = ordinary_ids();
        let etc = self.etc();
        fs::create_dir(&etc).expect("the test's directory is writable");
        let write = |name: &str, line: String| {
            let old = fs::read_to_string(Path::new("/etc").join(name)).unwrap_or_default();
            fs::write(etc.join(name), format!("{old}{line}\n")).expect("the test's directory is writable");
        };
        // The helpers know no user without a name.
        write("passwd", format!("rruntime-test:x:{uid}:{gid}::/:/usr/sbin/nologin"));
        write("subuid", format!("{uid}:{}:{}", ranges.allotted.0, ranges.allotted.1));
        write("subgid", format!("{uid}:{}:{}", ranges.allotted.0, ranges.allotted.1));
        self.edit(|config| {
            let (first, count) = ranges.wanted;
            let map = |own: u32| {
                json!([{"containerID": 0, "hostID": own, "size": 1},
                       {"containerID": 1, "hostID": first, "size": count}])
            };
            config["linux"]["uidMappings"] = map(uid);
            config["linux"]["gidMappings"] = map(gid);
        })
    }
}

/// (first id, count): what the ordinary user may map, and what the config asks for.
#[derive(Clone, Copy)]
pub struct Ranges {
    pub allotted: (u32, u32),
    pub wanted: (u32, u32),
}

impl Ranges {
    /// A range for the user; `None` where only root's files in /etc could give one, or the helpers are missing.
    pub fn allotted(range: (u32, u32)) -> Option<Ranges> {
        let places = ["/usr/bin", "/bin", "/usr/local/bin"];
        let installed = |name| places.iter().any(|place| Path::new(place).join(name).exists());
        let files = ["passwd", "subuid", "subgid"].iter().all(|name| Path::new("/etc").join(name).exists());
        let able = ordinary_ids().0 == USER && files && installed("newuidmap") && installed("newgidmap");
        able.then_some(Ranges { allotted: range, wanted: range })
    }

    /// The config asks for another range.
    pub fn wanting(self, range: (u32, u32)) -> Ranges {
        Ranges { wanted: range, ..self }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).map_or(0, |found| found.mode())
}

/// Without effect if we are that user already.
pub fn become_user(command: &mut Command, (uid, gid): (u32, u32)) {
    if fs::metadata("/proc/self").expect("proc is mounted").uid() == 0 {
        // This drops the supplementary groups too.
        command.uid(uid).gid(gid);
    }
}

/// A tree becomes the user's.
pub fn give(path: &Path, uid: u32, gid: u32) {
    lchown(path, Some(uid), Some(gid)).expect("root gives files away, others have their own");
    if path.is_symlink() || !path.is_dir() {
        return;
    }
    for entry in fs::read_dir(path).expect("a directory of ours").flatten() {
        give(&entry.path(), uid, gid);
    }
}

/// The first mount of this type in the config.
pub fn mount_of<'a>(config: &'a mut Value, destination: &str) -> &'a mut Value {
    let mounts = config["mounts"].as_array_mut().expect("the config has mounts");
    mounts.iter_mut().find(|mount| mount["destination"] == destination).expect("the mount is there")
}
