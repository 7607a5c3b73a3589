//! A file system on a block device of the host that the config names.

use crate::mounts::in_user_namespace;
use crate::support::Container;
use crate::support::mountinfo::add_mount;
use std::path::Path;
use std::process::Command;

/// A loop device with an ext4; `None` where there are none.
struct Loop(String);

impl Loop {
    fn of(file: &Path) -> Option<Loop> {
        std::fs::File::create(file).ok()?.set_len(4 << 20).ok()?;
        Command::new("mkfs.ext4").arg("-q").arg(file).status().ok().filter(|status| status.success())?;
        let output = Command::new("losetup").args(["--find", "--show"]).arg(file).output().ok()?;
        output.status.success().then(|| Loop(String::from_utf8_lossy(&output.stdout).trim().to_owned()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // The container that used it may have failed.
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

#[test]
fn a_file_system_on_a_device_works_under_rules_that_do_not_allow_the_device() {
    let container = Container::new();
    let Some(device) = Loop::of(&container.dir.join("disk")) else {
        crate::skip!("there are no loop devices, or no mkfs.ext4");
    };
    let container = container
        .sh("echo x > /x/file && grep ' /x ext4' /proc/mounts; mknod /d b 7 0; (exec 3</d) 2>/dev/null || echo closed")
        .edit(|config| add_mount(config, "/x", "ext4", &device.0, &["nosuid", "noatime", "errors=remount-ro"]));
    let out = container.run().ok();
    assert!(out.starts_with(&format!("{} /x ext4 rw,nosuid,noatime,", device.0)), "{out}");
    assert!(out.ends_with("\nclosed\n"), "{out}");
    let container = container.sh("cat /x/file; (: > /x/file) 2>/dev/null || echo read-only").edit(|config| {
        *config["mounts"].as_array_mut().unwrap().last_mut().unwrap() = serde_json::json!(
            {"destination": "/x", "type": "ext4", "source": device.0, "options": ["ro"]}
        )
    });
    assert_eq!(container.run().ok(), "x\nread-only\n");
}

#[test]
fn a_file_system_on_a_device_that_cannot_be_is_an_error_that_says_why() {
    let container = Container::new();
    let Some(device) = Loop::of(&container.dir.join("disk")) else {
        crate::skip!("there are no loop devices, or no mkfs.ext4");
    };
    for (source, options, word) in [
        (&*device.0, &["no-such-option"][..], "no-such-option"),
        ("/dev/no-such-device", &[], "/dev/no-such-device"),
        ("/etc/passwd", &[], "block device"),
    ] {
        let container =
            Container::new().args(&["true"]).edit(|config| add_mount(config, "/x", "ext4", source, options));
        let err = container.run().fails();
        assert!(err.contains("/mounts/7") && err.contains(word), "{source}: {err}");
        container.assert_gone();
    }
    // Only the host's root may trust what is on a disk.
    let container = in_user_namespace(Container::new())
        .args(&["true"])
        .edit(|config| add_mount(config, "/x", "ext4", &device.0, &[]));
    let err = container.run().fails();
    assert!(err.contains("operation not permitted"), "{err}");
}
