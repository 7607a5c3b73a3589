//! What a container may leave behind: cgroups, state, mounts on the host, processes anywhere.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use super::{Container, wait_until};
use std::fs;

/// Nothing of the container is on this machine. A process that was killed a moment ago may take its time.
#[track_caller]
pub fn assert_nothing_left(container: &Container) {
    container.assert_gone();
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("a process has a mount table");
    assert!(!mounts.contains(&container.id), "a mount is left: {mounts}");
    wait_until("the end of every process", || processes(&container.id).is_empty());
}

/// The processes whose cgroup or mount table names this id: the root filesystem is below a directory of that
/// name, so a process of the container shows it wherever it got to. Zombies are their parent's, not ours.
pub fn processes(id: &str) -> Vec<String> {
    let read = |pid: &str, file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let lives = |pid: &String| !read(pid, "stat").rsplit(')').next().unwrap_or_default().starts_with(" Z");
    let names_it = |pid: &String| ["cgroup", "mountinfo"].iter().any(|file| read(pid, file).contains(id));
    let entries = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let pids = pids.filter(|name| name.bytes().all(|b| b.is_ascii_digit()));
    pids.filter(|pid| names_it(pid) && lives(pid)).collect()
}
