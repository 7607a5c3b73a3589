//! The tests' own clean-up (`tests/support/sweep.rs`): what a killed test leaves is removed when the next run begins.

use crate::support::{Container, hierarchies, sweep};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const KILLED: &str = "RRUNTIME_TEST_THAT_IS_KILLED";

/// What a test has on the machine, by its directory: cgroups, mounts, files.
fn left(directory: &Path) -> (usize, usize, bool) {
    let name = directory.file_name().unwrap();
    let groups = hierarchies().iter().filter(|top| top.join(name).is_dir()).count();
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    (groups, table.matches(directory.to_str().unwrap()).count(), directory.exists())
}

/// A container that runs, and a mount of the test's own.
fn busy(base: &Path) -> Container {
    let container = Container::below(base).args(&["sleep", "1000"]).started();
    // Not in the root filesystem: other tests look for what containers leave mounted there.
    let place = container.dir.join("mounted");
    fs::create_dir(&place).unwrap();
    let status = Command::new("mount").args(["-t", "tmpfs", "none"]).arg(place).status();
    assert!(status.unwrap().success());
    container
}

#[test]
fn what_a_killed_test_left_is_swept_and_what_a_living_one_has_is_not() {
    if let Some(base) = std::env::var_os(KILLED) {
        let _busy = busy(Path::new(&base));
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).unwrap();
    }
    if !nix::unistd::geteuid().is_root() {
        skip!("a mount needs root");
    }
    let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("sweeping-{}", std::process::id()));
    let living = busy(&base);
    let killed = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "swept::what_a_killed_test_left_is_swept_and_what_a_living_one_has_is_not"])
        .env(KILLED, &base)
        .output()
        .unwrap();
    assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
    let directories: Vec<PathBuf> = fs::read_dir(&base).unwrap().map(|entry| entry.unwrap().path()).collect();
    let dead: Vec<&PathBuf> = directories.iter().filter(|path| **path != living.dir).collect();
    assert_eq!(dead.len(), 1, "{directories:?}");
    let (groups, mounts, _) = left(dead[0]);
    assert!(groups > 0 && mounts == 1, "a killed test leaves nothing: {groups} groups, {mounts} mounts");

    sweep::sweep(&base);
    assert_eq!(left(dead[0]), (0, 0, false));
    assert_eq!(left(&living.dir), (living.cgroups().len(), 1, true));
    assert_eq!(living.status(), "running");
    assert!(Command::new("umount").arg(living.dir.join("mounted")).status().unwrap().success());
    drop(living);
    fs::remove_dir(&base).unwrap();
}
