//! /dev/null of the image is something else, and hides nothing: CVE-2025-31133, CVE-2025-62161.

use crate::canary::{Canary, LOOK_AROUND, assert_saw_nothing, protect, without_mount};
use crate::support::Container;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

fn with_null(make: impl Fn(&Path)) -> (Container, Canary) {
    let container = Container::new().sh(LOOK_AROUND);
    let canary = Canary::of(&container);
    make(&container.rootfs().join("dev/null"));
    let container = container.edit(|config| {
        protect(config);
        without_mount(config, "/dev");
    });
    (container, canary)
}

fn node(path: &Path, kind: SFlag, major: u64, minor: u64) {
    mknod(path, kind, Mode::from_bits_truncate(0o666), makedev(major, minor)).unwrap();
}

#[track_caller]
fn refused_or_masked(make: impl Fn(&Path)) {
    let (container, canary) = with_null(make);
    assert_saw_nothing(&container.run().out, "/dev/null");
    canary.assert_untouched("/dev/null");
    container.assert_gone();
}

#[test]
fn the_images_own_null_device_is_good_enough() {
    let (container, _) = with_null(|path| node(path, SFlag::S_IFCHR, 1, 3));
    let out = container.run().ok();
    assert!(out.contains("INSIDE"), "{out}");
    assert_saw_nothing(&out, "a real null device");
}

#[test]
fn a_null_device_that_is_a_link_masks_nothing_of_its_choice() {
    for to in ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/kcore", "zero", "/etc/passwd"] {
        refused_or_masked(|path| symlink(to, path).unwrap());
    }
}

#[test]
fn a_null_device_that_is_another_device_is_refused() {
    for (kind, major, minor) in [
        (SFlag::S_IFCHR, 1, 5),
        (SFlag::S_IFCHR, 1, 1),
        (SFlag::S_IFCHR, 3, 1),
        (SFlag::S_IFBLK, 1, 3),
        (SFlag::S_IFIFO, 0, 0),
    ] {
        let (container, canary) = with_null(|path| node(path, kind, major, minor));
        container.run().fails();
        canary.assert_untouched("/dev/null");
        container.assert_gone();
    }
}

#[test]
fn a_null_device_that_is_a_file_or_a_directory_is_refused() {
    let (container, _) = with_null(|path| fs::write(path, "data").unwrap());
    container.run().fails();
    let (container, _) = with_null(|path| fs::create_dir(path).unwrap());
    container.run().fails();
}

/// A null device that refuses to be written makes programs fail, or write elsewhere.
#[test]
fn devices_have_their_mode_whatever_the_callers_umask() {
    let container = Container::new()
        .sh("stat -c '%a %n' /dev/null /dev/tty /dev/own; echo x > /dev/null && umask")
        .edit(|config| {
            config["process"]["user"] = serde_json::json!({"uid": 1000, "gid": 1000});
            config["linux"]["devices"] =
                serde_json::json!([{"path": "/dev/own", "type": "c", "major": 1, "minor": 3, "fileMode": 0o622}]);
        });
    assert_eq!(container.run().ok(), "666 /dev/null\n666 /dev/tty\n622 /dev/own\n0022\n");
}

/// Without a devpts, /dev/pts/ptmx is what the image says; merely opening some devices does something.
#[test]
fn a_ptmx_of_the_image_is_not_opened() {
    let container = Container::new().sh("echo INSIDE").edit(|config| {
        without_mount(config, "/dev");
        without_mount(config, "/dev/pts");
        config["process"]["terminal"] = true.into();
    });
    let pts = container.rootfs().join("dev/pts");
    fs::create_dir(&pts).unwrap();
    node(&pts.join("ptmx"), SFlag::S_IFCHR, 5, 2);
    container.run().fails();
    fs::remove_file(pts.join("ptmx")).unwrap();
    node(&pts.join("ptmx"), SFlag::S_IFIFO, 0, 0);
    container.run().fails();
    container.assert_gone();
}

#[test]
fn every_masked_path_is_the_null_device_or_an_empty_read_only_directory() {
    let script = "for f in /proc/kcore /proc/keys /proc/timer_list; do
            [ -e $f ] && stat -c '%n %t:%T' $f; done
        ls -A /sys/firmware; touch /sys/firmware/x 2>/dev/null && echo WRITABLE; echo INSIDE";
    let out = Container::new().sh(script).edit(protect).run().ok();
    for line in out.lines().filter(|line| line.starts_with("/proc")) {
        assert!(line.ends_with(" 1:3"), "{line}");
    }
    assert!(out.ends_with("INSIDE\n") && !out.contains("WRITABLE"), "{out}");
    assert_eq!(out.lines().filter(|line| !line.starts_with("/proc")).count(), 1, "{out}");
}
