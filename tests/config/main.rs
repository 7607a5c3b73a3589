//! Every field of `config.json`, seen from inside the container (or in the kernel's files about it): one module a
//! subject. The oracle is always the kernel, never what rruntime has written about itself.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod affinity;
mod binds;
mod devices;
mod filesystems;
mod identity;
mod limits;
mod names;
mod namespaces;
mod netdevices;
mod notify;
mod paths;
mod program;
mod propagation;
mod rdt;
mod resources;
mod rootfs;
mod scheduling;
mod seccomp;
mod terminal;
mod users;

use support::{Container, Ended};

/// Runs this script on the host in a mount namespace of its own, where `$RR run` starts the container in the
/// foreground and `$BUNDLE` is its bundle. What the script mounts is gone with it.
fn host_script(container: &Container, script: &str) -> Ended {
    container.write_config();
    let run = format!(
        "RR='{} --root {} run --bundle {} {}'; BUNDLE={}; ID={}\n{script}",
        support::RRUNTIME,
        container.state_root().display(),
        container.bundle().display(),
        container.id,
        container.bundle().display(),
        container.id,
    );
    let mut command = std::process::Command::new("unshare");
    command.args(["-m", "sh", "-ec", &run]).stdin(std::process::Stdio::null());
    support::finish(command)
}

/// One line of mountinfo(5) without what changes from run to run: mount point, options, file system, its source
/// and its options.
#[derive(Debug)]
struct MountLine {
    point: String,
    root: String,
    options: Vec<String>,
    /// `shared:1`, `master:2`
    propagation: Vec<String>,
    kind: String,
    source: String,
    superblock: Vec<String>,
}

impl MountLine {
    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|known| known == option)
    }
}

/// The last mount at `point` in the text of a mountinfo file.
#[track_caller]
fn mount_at(mountinfo: &str, point: &str) -> MountLine {
    all_mounts(mountinfo)
        .into_iter()
        .rev()
        .find(|mount| mount.point == point)
        .unwrap_or_else(|| panic!("nothing is mounted at {point}:\n{mountinfo}"))
}

fn all_mounts(mountinfo: &str) -> Vec<MountLine> {
    let words = |text: &str| text.split(',').map(str::to_owned).collect();
    mountinfo
        .lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let left: Vec<&str> = left.split(' ').collect();
            let right: Vec<&str> = right.split(' ').collect();
            Some(MountLine {
                root: left[3].to_owned(),
                point: left[4].to_owned(),
                options: words(left[5]),
                propagation: left[6..].iter().map(|&word| word.to_owned()).collect(),
                kind: right[0].to_owned(),
                source: right[1].to_owned(),
                superblock: words(right[2]),
            })
        })
        .collect()
}

/// True if the tests themselves have this capability, by its number: what the host refuses cannot be given.
fn has_capability(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs is mounted");
    let line = status.lines().find(|line| line.starts_with("CapEff")).expect("the kernel shows capabilities");
    u64::from_str_radix(line[7..].trim(), 16).expect("a mask") & (1 << number) != 0
}

const SYS_RESOURCE: u32 = 24;

/// Adds a mount to the config.
fn add_mount(config: &mut serde_json::Value, destination: &str, kind: &str, source: &str, options: &[&str]) {
    let mount =
        serde_json::json!({"destination": destination, "type": kind, "source": source, "options": options});
    config["mounts"].as_array_mut().expect("the config has mounts").push(mount);
}
