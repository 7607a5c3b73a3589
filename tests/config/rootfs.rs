//! `root`: its path, read-only or not, and what of the host can be reached from it.

use crate::support::Container;
use crate::{host_script, mount_at};
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn a_read_only_root_cannot_be_written_while_mounts_on_it_can() {
    let container = Container::new()
        .edit(|c| c["root"]["readonly"] = true.into())
        .sh("cat /proc/self/mountinfo; touch /dev/shm/x && touch /etc/x");
    let ended = container.run();
    assert!(mount_at(&ended.out, "/").has("ro"));
    assert!(ended.fails().contains("/etc/x: Read-only"));
}

#[test]
fn a_writable_root_is_written_through_to_the_bundle() {
    let container = Container::new().sh("echo hello > /etc/x");
    container.run().ok();
    assert_eq!(fs::read_to_string(container.rootfs().join("etc/x")).unwrap(), "hello\n");
}

#[test]
fn a_read_only_root_gets_its_missing_destinations_and_working_directory_all_the_same() {
    let container = Container::new()
        .edit(|c| {
            c["root"]["readonly"] = true.into();
            c["process"]["cwd"] = "/made/for/me".into();
            crate::add_mount(c, "/also/made", "tmpfs", "tmpfs", &[]);
        })
        .sh("pwd; touch /also/made/x");
    assert_eq!(container.run().ok(), "/made/for/me\n");
}

#[test]
fn the_root_may_be_an_absolute_path_or_a_link() {
    let container = Container::new().sh("cat /etc/passwd");
    let elsewhere = container.dir.join("elsewhere");
    fs::rename(container.rootfs(), &elsewhere).unwrap();
    let absolute = elsewhere.to_str().unwrap().to_owned();
    let container = container.edit(|c| c["root"]["path"] = absolute.into());
    assert!(container.run().ok().starts_with("root:"));
    symlink(&elsewhere, container.bundle().join("link")).unwrap();
    let container = container.edit(|c| c["root"]["path"] = "link".into());
    assert!(container.run().ok().starts_with("root:"));
}

#[test]
fn mounts_below_the_hosts_rootfs_come_along() {
    let container = Container::new().sh("cat /tmp/marker");
    let script = "mount -t tmpfs x $BUNDLE/rootfs/tmp; echo inner > $BUNDLE/rootfs/tmp/marker; $RR";
    assert_eq!(host_script(&container, script).ok(), "inner\n");
}

#[test]
fn a_root_on_a_file_system_mounted_nosuid_and_noexec_below_keeps_these_flags() {
    let container = Container::new().sh("cat /proc/self/mountinfo");
    let script = "mount --bind $BUNDLE/rootfs $BUNDLE/rootfs; mount -o remount,bind,nosuid,nodev,noatime $BUNDLE/rootfs; $RR";
    let root = mount_at(&host_script(&container, script).ok(), "/");
    assert!(root.has("nosuid") && root.has("noatime"), "{root:?}");
}

#[test]
fn a_missing_root_or_a_file_for_a_root_is_refused_by_its_field() {
    for path in ["nowhere", "config.json"] {
        let container = Container::new().edit(|c| c["root"]["path"] = path.into()).sh("true");
        let err = container.run().fails();
        assert!(err.contains("/root/path") && err.contains(path), "{err}");
        container.assert_gone();
    }
}

#[test]
fn without_pivot_root_the_container_has_its_own_root_as_well() {
    let container = Container::new().sh("ls /; cat /proc/self/mountinfo");
    let ended = container.run_with(&["--no-pivot"]);
    assert!(ended.out.contains("etc\n") && !ended.out.contains("usr\n"), "{ended:?}");
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn the_parent_of_the_root_is_the_root() {
    let container = Container::new().sh("cd /..; cd ../../..; ls; ls /proc/1/root/");
    let out = container.run().ok();
    assert!(!out.contains("usr") && out.matches("proc\n").count() == 2, "{out}");
}
