//! Mounts of a container, as the kernel tells of them; and scripts beside a container that mount something first.

use super::{Container, Ended};

/// Runs this script on the host in a mount namespace of its own, where `$RR run` starts the container in the
/// foreground and `$BUNDLE` is its bundle. What the script mounts is gone with it.
pub fn host_script(container: &Container, script: &str) -> Ended {
    container.write_config();
    let run = format!(
        "RR='{} --root {} run --bundle {} {}'; BUNDLE={}; ID={}\n{script}",
        super::RRUNTIME,
        container.state_root().display(),
        container.bundle().display(),
        container.id,
        container.bundle().display(),
        container.id,
    );
    let mut command = std::process::Command::new("unshare");
    command.args(["-m", "sh", "-ec", &run]).stdin(std::process::Stdio::null());
    super::finish(command)
}

/// One line of mountinfo(5) without what changes from run to run: mount point, options, file system, its source
/// and its options.
#[derive(Debug)]
pub struct MountLine {
    pub point: String,
    pub root: String,
    pub options: Vec<String>,
    /// `shared:1`, `master:2`
    pub propagation: Vec<String>,
    pub kind: String,
    pub source: String,
    pub superblock: Vec<String>,
}

impl MountLine {
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|known| known == option)
    }
}

/// The last mount at `point` in the text of a mountinfo file.
#[track_caller]
pub fn mount_at(mountinfo: &str, point: &str) -> MountLine {
    all_mounts(mountinfo)
        .into_iter()
        .rev()
        .find(|mount| mount.point == point)
        .unwrap_or_else(|| panic!("nothing is mounted at {point}:\n{mountinfo}"))
}

pub fn all_mounts(mountinfo: &str) -> Vec<MountLine> {
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

/// Adds a mount to the config.
pub fn add_mount(
    config: &mut serde_json::Value,
    destination: &str,
    kind: &str,
    source: &str,
    options: &[&str],
) {
    let mount =
        serde_json::json!({"destination": destination, "type": kind, "source": source, "options": options});
    config["mounts"].as_array_mut().expect("the config has mounts").push(mount);
}
