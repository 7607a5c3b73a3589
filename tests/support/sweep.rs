//! What a killed test left is removed when the next run begins: cgroups and the processes in them, mounts, state.
//!
//! A test keeps a lock on its directory as long as it lives, and the kernel releases it however the test ends. What is
//! removed belongs to a directory that no process has locked, and whose name has the pid of no living process.

use super::{RRUNTIME, hierarchies};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

pub const PREFIX: &str = "rr-test-";
/// No test lives as long as this.
const LIFE: std::time::Duration = std::time::Duration::from_secs(3600);
/// Set where the cgroups of v1 cannot be seen: what is swept there would leave them.
pub const V2_VIEW: &str = "RRUNTIME_TEST_V2_VIEW";

/// Makes a directory that is locked before it has its name, so that no sweep ever finds it without its lock.
pub fn make_locked(directory: &Path) -> File {
    once();
    let name = directory.file_name().expect("a test's directory has a name").to_string_lossy();
    let unnamed = directory.with_file_name(format!(".new-{name}"));
    fs::create_dir_all(&unnamed).expect("the test's directory is writable");
    let lock = File::open(&unnamed).expect("what was made is there");
    lock.lock().expect("a new directory has no lock");
    fs::rename(&unnamed, directory).expect("the test's directory is writable");
    lock
}

/// Sweeps once a run of nextest, which has a process for each test; without nextest once a process.
fn once() {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| {
        if std::env::var_os(V2_VIEW).is_some() {
            return;
        }
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        if let Ok(run) = std::env::var("NEXTEST_RUN_ID") {
            let mark = scratch.join(format!("swept-{run}"));
            if fs::create_dir_all(scratch).and_then(|()| File::create_new(&mark)).is_err() {
                return;
            }
            // Another run that loses its mark sweeps twice, which does no harm.
            let others = named_like(scratch, "swept-").into_iter().filter(|path| *path != mark);
            others.for_each(|path| fs::remove_file(path).unwrap_or_else(|e| eprintln!("swept: {e}")));
        }
        for base in [scratch, &std::env::temp_dir()] {
            sweep(base);
        }
        // Of the sweep's own test, if it was killed.
        named_like(scratch, "sweeping-").iter().for_each(|base| sweep(base));
        hierarchies().iter().for_each(|top| sweep_groups(top));
    });
}

fn named_like(base: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    ours.map(|entry| entry.path()).collect()
}

/// Takes away what belongs to the directories of dead tests, then the directories.
pub fn sweep(base: &Path) {
    for directory in named_like(base, PREFIX).into_iter().filter(|path| path.is_dir()) {
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Ok(lock) = File::open(&directory) else { continue };
        // Held until the directory is gone, so that a second sweep at the same time leaves it alone.
        if may_live(&directory) || lock.try_lock().is_err() {
            continue;
        }
        eprintln!("swept: {}, left by a test that was killed", directory.display());
        remove(&directory, &name);
    }
}

/// Cgroups whose directory is gone, or is another checkout's: only old and empty ones, of no living process.
fn sweep_groups(top: &Path) {
    let age = |path: &Path| path.metadata().ok()?.modified().ok()?.elapsed().ok();
    for group in named_like(top, PREFIX).into_iter().filter(|path| path.is_dir() && !may_live(path)) {
        if age(&group).is_some_and(|age| age > LIFE) && remove_empty(&group).is_ok() {
            eprintln!("swept: {}, left by a test that was killed", group.display());
        }
    }
}

/// rmdir(2) removes no cgroup that has a process.
pub fn remove_empty(group: &Path) -> std::io::Result<()> {
    let below = named_like(group, "").into_iter().filter(|path| path.is_dir());
    below.into_iter().try_for_each(|below| remove_empty(&below))?;
    fs::remove_dir(group)
}

/// The pid is part of the name, and may be another process's by now: then the next sweep has its turn.
fn may_live(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
    pid.is_none_or(|pid| Path::new(&format!("/proc/{pid}")).exists())
}

fn remove(directory: &Path, name: &str) {
    let state = directory.join("state");
    for id in named_like(&state, "").iter().filter_map(|path| path.file_name()) {
        quietly(Command::new(RRUNTIME).arg("--root").arg(&state).args(["delete", "--force"]).arg(id));
    }
    for group in hierarchies().into_iter().map(|top| top.join(name)).filter(|group| group.is_dir()) {
        remove_group(&group);
    }
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points: Vec<&str> = table.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    for point in points.into_iter().rev().filter(|point| Path::new(point).starts_with(directory)) {
        quietly(Command::new("umount").args(["-l", point]));
    }
    if let Err(error) = fs::remove_dir_all(directory) {
        eprintln!("left behind: {}: {error}", directory.display());
    }
}

/// Ends what is in the group and below, and removes it. What does not end within a second is the next sweep's.
fn remove_group(group: &Path) {
    for below in named_like(group, "").into_iter().filter(|path| path.is_dir()) {
        remove_group(&below);
    }
    for _ in 0..100 {
        let pids = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        if !pids.is_empty() {
            quietly(Command::new("kill").arg("-KILL").args(pids.split_whitespace()));
        }
        if fs::remove_dir(group).is_ok() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    eprintln!("left behind: {}", group.display());
}

/// Whether it succeeded is seen by what is left.
fn quietly(command: &mut Command) {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.status() {
        eprintln!("{command:?}: {error}");
    }
}
