//! Names that the container exchanges while something of ours goes through them.

use crate::gym::runtime::{self, bounded, rounds};
use crate::gym::stand::{self, judge};
use crate::gym::{joiner, spy};
use crate::needs_spies;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);

/// /tmp/a is a directory and a link into the container's proc in turns.
#[test]
fn mounts_add_through_exchanged_names_lands_in_no_proc() {
    needs_spies!();
    let container = runtime::ours().container();
    spy::put(&container, "names");
    let tmp = container.rootfs().join("tmp");
    fs::create_dir_all(tmp.join("a/kernel")).unwrap();
    symlink("/proc/sys", tmp.join("b")).unwrap();
    let container = container.args(&["/names", "/tmp/a", "/tmp/b"]).started();
    runtime::prefer(&container);
    let list = container.dir.join("mounts.json");
    let entry = json!([{"destination": "/tmp/a/kernel", "type": "tmpfs", "source": "tmpfs"}]);
    fs::write(&list, entry.to_string()).unwrap();
    let add = || bounded(container.command(&["mounts", "add", &container.id, list.to_str().unwrap()]), LIMIT);
    let made = (0..rounds(30)).filter(|_| add().is_some_and(|status| status.success())).count();
    let table = fs::read_to_string(format!("/proc/{}/mountinfo", container.pid())).unwrap();
    let strays = table.lines().filter(|line| line.contains(" /proc/sys/kernel ")).count();
    assert!(made > 0, "nothing was mounted, so the case shows nothing");
    judge(
        stand::LINKS,
        strays == 0,
        &format!("mounts add through exchanged names: {strays} of {made} in a proc"),
    );
}

/// The working directory of exec is looked up while it is a directory and a link upwards in turns.
#[test]
fn the_directory_of_exec_through_exchanged_names_is_in_the_container() {
    needs_spies!();
    let container = runtime::ours().container();
    let mark = joiner::host_mark(&container);
    spy::put(&container, "names");
    let tmp = container.rootfs().join("tmp");
    fs::create_dir_all(tmp.join("a/work")).unwrap();
    symlink(format!("../../../../../../../../..{}", container.dir.display()), tmp.join("b")).unwrap();
    fs::create_dir_all(container.dir.join("work")).unwrap();
    let container = container.args(&["/names", "/tmp/a", "/tmp/b"]).started();
    runtime::prefer(&container);
    // It leaves a file where it stands; on the host the same name leads beside the bundle.
    let exec = || {
        bounded(container.command(&["exec", "--cwd", "/tmp/a/work", &container.id, "touch", "been"]), LIMIT)
    };
    let ran = (0..rounds(30)).filter(|_| exec().is_some_and(|status| status.success())).count();
    assert!(ran > 0, "nothing ran, so the case shows nothing");
    let outside = container.dir.join("work/been").exists() || !fs::exists(&mark).unwrap();
    assert!(!outside, "exec stood in a directory of the host");
}
