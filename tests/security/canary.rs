//! What an attack is after: a tree of the host, and the question inside whether any of it can be seen.

use crate::support::Container;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// In every directory of the canary.
pub const MARK: &str = "canary-mark";

/// Looks for the mark in all that is mounted, and at what must stay masked or read-only. Ends with INSIDE.
pub const LOOK_AROUND: &str = r#"
find / \( -path /proc -o -path /sys \) -prune -o -name canary-mark -print 2>/dev/null
for f in /proc/kcore /proc/keys /proc/timer_list; do
  s=$(stat -c %t:%T $f 2>/dev/null) && [ "$s" != 1:3 ] && echo "UNMASKED $f"
done
for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/kcore; do
  [ -e $f ] && [ ! -c $f ] && (: >> $f) 2>/dev/null && echo "WRITABLE $f"
done
echo INSIDE
"#;

const MASKED: [&str; 6] =
    ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware", "/proc/acpi"];
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// A tree of the host that no container may touch, and how it was.
pub struct Canary {
    pub path: PathBuf,
    before: Vec<String>,
    core_pattern: Vec<u8>,
}

impl Canary {
    /// Made beside the bundle of `container`.
    pub fn of(container: &Container) -> Canary {
        let path = container.dir.join("canary");
        for directory in ["", "dir", "dir/below", "canary-bin", "dev", "pts"] {
            let directory = path.join(directory);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(MARK), "canary\n").unwrap();
        }
        fs::write(path.join("file"), "canary\n").unwrap();
        symlink("dir", path.join("link")).unwrap();
        fs::copy("/bin/busybox", path.join("canary-bin/echo")).unwrap();
        // An attacker that gets here could make files here.
        fs::set_permissions(path.join("dir"), fs::Permissions::from_mode(0o777)).unwrap();
        let before = snapshot(&path);
        Canary { path, before, core_pattern: core_pattern() }
    }

    pub fn text(&self) -> String {
        self.path.to_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn assert_untouched(&self, attack: &str) {
        assert_eq!(snapshot(&self.path), self.before, "{attack}: the canary has changed");
        assert_eq!(core_pattern(), self.core_pattern, "{attack}: core_pattern has changed");
    }
}

/// Output of [`LOOK_AROUND`] that tells of no escape.
#[track_caller]
pub fn assert_saw_nothing(output: &str, attack: &str) {
    for word in [MARK, "UNMASKED", "WRITABLE", "ESCAPED"] {
        assert!(!output.contains(word), "{attack}: {output}");
    }
}

/// Docker's masked and read-only paths, which the base config of the tests leaves out.
pub fn protect(config: &mut Value) {
    config["linux"]["maskedPaths"] = json!(MASKED);
    config["linux"]["readonlyPaths"] = json!(READ_ONLY);
}

/// A user namespace whose root is the host's 100000, and a root filesystem that is its own.
pub fn in_user_namespace(container: Container) -> Container {
    let container = container.namespace("user", None).edit(|config| {
        let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
        without_mount(config, "/sys/fs/cgroup");
    });
    own(&container.rootfs(), 100_000);
    container
}

/// Gives a tree away without following a link in it.
pub fn own(tree: &Path, id: u32) {
    let status =
        std::process::Command::new("chown").arg("-hR").arg(format!("{id}:{id}")).arg(tree).status().unwrap();
    assert!(status.success());
}

pub fn without_mount(config: &mut Value, destination: &str) {
    config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != destination);
}

/// A bind mount, last in the list.
pub fn bind(config: &mut Value, source: &Path, destination: &str) {
    let mount = json!({"destination": destination, "source": source, "type": "bind", "options": ["rbind"]});
    config["mounts"].as_array_mut().unwrap().push(mount);
}

pub fn core_pattern() -> Vec<u8> {
    fs::read("/proc/sys/kernel/core_pattern").unwrap()
}

/// Everything that an intruder could change: names, kinds, owners, modes, times, contents.
fn snapshot(path: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let found = fs::symlink_metadata(path).unwrap();
    let content = if found.is_file() { checksum(path) } else { 0 };
    lines.push(format!(
        "{} {:o} {}:{} {} links, {} {} {}.{} {content:x}",
        path.display(),
        found.mode(),
        found.uid(),
        found.gid(),
        found.nlink(),
        found.ino(),
        found.rdev(),
        found.ctime(),
        found.ctime_nsec(),
    ));
    if found.is_dir() {
        let mut names: Vec<PathBuf> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        lines.extend(names.iter().flat_map(|name| snapshot(name)));
    }
    lines
}

pub fn checksum(path: &Path) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    fs::read(path).unwrap().hash(&mut hasher);
    hasher.finish()
}
