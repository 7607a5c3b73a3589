//! `linux.maskedPaths` and `linux.readonlyPaths`.

use crate::support::Container;
use crate::{add_mount, all_mounts};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

fn masked(paths: &[&str], script: &str) -> Container {
    Container::new().edit(|c| c["linux"]["maskedPaths"] = json!(paths)).sh(script)
}

fn readonly(paths: &[&str], script: &str) -> Container {
    Container::new().edit(|c| c["linux"]["readonlyPaths"] = json!(paths)).sh(script)
}

#[test]
fn a_masked_file_is_empty_and_a_masked_directory_too() {
    let container = masked(
        &["/etc/secret", "/etc/secrets"],
        "wc -c < /etc/secret; ls -A /etc/secrets | wc -l; stat -c %t:%T /etc/secret; touch /etc/secrets/x",
    );
    fs::write(container.rootfs().join("etc/secret"), "x").unwrap();
    fs::create_dir(container.rootfs().join("etc/secrets")).unwrap();
    fs::write(container.rootfs().join("etc/secrets/key"), "x").unwrap();
    let ended = container.run();
    assert_eq!(ended.out, "0\n0\n1:3\n");
    assert!(ended.fails().contains("Read-only"));
}

#[test]
fn many_masked_directories_are_all_empty() {
    let names: Vec<String> = (0..20).map(|i| format!("/hidden/{i}")).collect();
    let paths: Vec<&str> = names.iter().map(String::as_str).collect();
    let container = masked(&paths, "find /hidden -mindepth 2; ls /hidden | wc -l");
    for name in &names {
        let directory = container.rootfs().join(&name[1..]);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("key"), "x").unwrap();
    }
    assert_eq!(container.run().ok(), "20\n");
}

#[test]
fn paths_that_are_not_there_are_no_error() {
    let paths = ["/no/such/file", "/etc/no-such-file", "/proc/no-such-file"];
    assert_eq!(masked(&paths, "echo on").run().ok(), "on\n");
    assert_eq!(readonly(&paths, "echo on").run().ok(), "on\n");
    assert_eq!(fs::read_dir(masked(&paths, "").rootfs()).unwrap().count(), 7, "nothing was made");
}

#[test]
fn a_path_masked_below_a_masked_one_is_no_error() {
    let container = masked(&["/a", "/a/b", "/a/b/c"], "ls -A /a | wc -l");
    fs::create_dir_all(container.rootfs().join("a/b/c")).unwrap();
    assert_eq!(container.run().ok(), "0\n");
    let container = masked(&["/a/b/c", "/a/b", "/a"], "ls -A /a | wc -l");
    fs::create_dir_all(container.rootfs().join("a/b/c")).unwrap();
    assert_eq!(container.run().ok(), "0\n");
}

#[test]
fn the_same_path_is_masked_twice_without_harm() {
    let container = masked(&["/etc/passwd", "/etc/passwd", "/etc", "/etc"], "ls -A /etc | wc -l");
    assert_eq!(container.run().ok(), "0\n");
}

#[test]
fn dockers_masked_and_readonly_paths_have_their_effect() {
    let ended = Container::new()
        .sh("wc -c < /proc/keys; ls -A /sys/firmware | wc -l; echo 1 > /proc/sys/kernel/hostname; cat /proc/self/mountinfo")
        .run();
    assert!(ended.out.starts_with("0\n0\n"), "{ended:?}");
    assert_eq!(ended.err.matches("Read-only file system").count(), 1, "{ended:?}");
    for path in ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"] {
        if std::path::Path::new(path).exists() {
            assert!(crate::mount_at(&ended.out, path).has("ro"), "{path}: {}", ended.out);
        }
    }
}

#[test]
fn a_readonly_directory_and_a_readonly_file_can_be_read_and_not_written() {
    let container = readonly(
        &["/etc", "/root/file"],
        "cat /root/file; touch /etc/x; echo x > /root/file; touch /root/other && echo free",
    );
    fs::write(container.rootfs().join("root/file"), "text\n").unwrap();
    let ended = container.run();
    assert_eq!(ended.out, "text\nfree\n");
    assert_eq!(ended.err.matches("Read-only file system").count(), 2, "{ended:?}");
}

#[test]
fn a_readonly_root_path_protects_what_the_container_sees() {
    let ended = readonly(&["/."], "touch /x; touch /dev/shm/x && echo free").run();
    assert_eq!(ended.out, "free\n");
    assert!(ended.err.contains("/x: Read-only file system"), "{ended:?}");
}

#[test]
fn a_mount_below_a_readonly_path_is_read_only_too() {
    let container = readonly(&["/data"], "touch /data/below/x; cat /proc/self/mountinfo")
        .edit(|c| add_mount(c, "/data/below", "tmpfs", "tmpfs", &["nosuid"]));
    let ended = container.run();
    assert!(ended.err.contains("Read-only"), "{ended:?}");
    let mounts = all_mounts(&ended.out);
    let below = mounts.iter().rfind(|mount| mount.point == "/data/below").unwrap();
    assert!(below.has("ro") && below.has("nosuid"), "{below:?}");
}

#[test]
fn a_readonly_path_keeps_the_other_flags_of_its_mount() {
    let out = Container::new().sh("cat /proc/self/mountinfo").run().ok();
    let sys = crate::mount_at(&out, "/proc/sys");
    assert!(["ro", "nosuid", "nodev", "noexec"].iter().all(|flag| sys.has(flag)), "{sys:?}");
}

#[test]
fn a_path_both_readonly_and_masked_is_masked() {
    let container = readonly(&["/etc", "/etc/passwd"], "wc -c < /etc/passwd; touch /etc/x")
        .edit(|c| c["linux"]["maskedPaths"] = json!(["/etc/passwd"]));
    let ended = container.run();
    assert_eq!(ended.out, "0\n");
    assert!(ended.fails().contains("Read-only"));
}

#[test]
fn a_masked_path_behind_a_link_hides_what_the_link_points_to_inside() {
    let container = masked(&["/link"], "wc -c < /etc/real");
    fs::write(container.rootfs().join("etc/real"), "x").unwrap();
    symlink("../../../../etc/real", container.rootfs().join("link")).unwrap();
    assert_eq!(container.run().ok(), "0\n");
}

#[test]
fn a_forged_null_device_in_the_image_is_never_used_as_a_mask() {
    let container = masked(&["/etc/passwd"], "true").edit(|c| {
        c["mounts"]
            .as_array_mut()
            .unwrap()
            .retain(|m| !m["destination"].as_str().unwrap().starts_with("/dev"))
    });
    symlink("/etc/shadow", container.rootfs().join("dev/null")).unwrap();
    container.run().fails();
    container.assert_gone();
}

#[test]
fn a_container_without_the_right_to_mount_cannot_take_a_mask_away() {
    let container = masked(&["/etc/passwd"], "umount /etc/passwd");
    assert!(container.run().fails().contains("not permitted"));
}
