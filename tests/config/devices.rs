//! Device nodes: the default ones, `linux.devices`, and /dev's links.

use crate::host_script;
use crate::support::Container;
use serde_json::{Value, json};
use std::fs;

fn listed(devices: Value, script: &str) -> Container {
    Container::new().edit(|c| c["linux"]["devices"] = devices).sh(script)
}

#[test]
fn the_default_devices_and_links_are_there() {
    let container = Container::new()
        .sh("for d in null zero full random urandom tty; do stat -c '%F %a %u:%g %t:%T %n' /dev/$d; done
         for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done");
    let expected = "\
character special file 666 0:0 1:3 /dev/null
character special file 666 0:0 1:5 /dev/zero
character special file 666 0:0 1:7 /dev/full
character special file 666 0:0 1:8 /dev/random
character special file 666 0:0 1:9 /dev/urandom
character special file 666 0:0 5:0 /dev/tty
/proc/self/fd
/proc/self/fd/0
/proc/self/fd/1
/proc/self/fd/2
pts/ptmx
";
    assert_eq!(container.run().ok(), expected);
}

#[test]
fn modes_do_not_depend_on_the_callers_umask() {
    for umask in ["000", "022", "077", "777"] {
        let devices = json!([
            {"path": "/dev/made", "type": "c", "major": 1, "minor": 3, "fileMode": 0o662},
            {"path": "/dev/sub/dir/pipe", "type": "p", "fileMode": 0o606},
        ]);
        let container = listed(devices, "stat -c '%a %n' /dev/null /dev/made /dev/sub/dir/pipe /dev/sub");
        let out = host_script(&container, &format!("umask {umask}; $RR")).ok();
        assert_eq!(
            out, "666 /dev/null\n662 /dev/made\n606 /dev/sub/dir/pipe\n755 /dev/sub\n",
            "umask {umask}"
        );
    }
}

#[test]
fn a_listed_device_has_its_kind_numbers_mode_and_owner() {
    let devices = json!([
        {"path": "/dev/char", "type": "c", "major": 10, "minor": 200, "fileMode": 0o600, "uid": 5, "gid": 6},
        {"path": "/dev/unbuffered", "type": "u", "major": 1, "minor": 5, "fileMode": 0o640},
        {"path": "/dev/block", "type": "b", "major": 7, "minor": 300, "fileMode": 0o660, "uid": 0, "gid": 6},
        {"path": "/dev/pipe", "type": "p", "fileMode": 0o622, "uid": 7},
        {"path": "/deep/in/dir", "type": "c", "major": 1, "minor": 7},
    ]);
    let script = "stat -c '%F %a %u:%g %t:%T %n' /dev/char /dev/unbuffered /dev/block /dev/pipe /deep/in/dir";
    let expected = "\
character special file 600 5:6 a:c8 /dev/char
character special file 640 0:0 1:5 /dev/unbuffered
block special file 660 0:6 7:12c /dev/block
fifo 622 7:0 0:0 /dev/pipe
character special file 666 0:0 1:7 /deep/in/dir
";
    assert_eq!(listed(devices, script).run().ok(), expected);
}

#[test]
fn a_listed_device_replaces_the_default_of_the_same_path() {
    let devices =
        json!([{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600, "gid": 4}]);
    assert_eq!(listed(devices, "stat -c '%a %g' /dev/null").run().ok(), "600 4\n");
}

#[test]
fn a_device_that_the_image_has_already_is_kept_if_it_is_the_same_and_refused_if_not() {
    let device = |minor: i64| json!([{"path": "/node", "type": "c", "major": 1, "minor": minor}]);
    let same = listed(device(3), "echo x > /node && stat -c %t:%T /node");
    let other = listed(device(5), "true");
    for container in [&same, &other] {
        let node = container.rootfs().join("node");
        let made = std::process::Command::new("mknod").arg(&node).args(["c", "1", "3"]).status().unwrap();
        assert!(made.success());
    }
    assert_eq!(same.run().ok(), "1:3\n");
    let err = other.run().fails();
    assert!(err.contains("/linux/devices/0"), "{err}");
    other.assert_gone();
}

#[test]
fn a_plain_file_in_the_place_of_a_default_device_is_refused() {
    let container = Container::new()
        .edit(|c| {
            c["mounts"]
                .as_array_mut()
                .unwrap()
                .retain(|m| !m["destination"].as_str().unwrap().starts_with("/dev"))
        })
        .sh("true");
    fs::write(container.rootfs().join("dev/null"), "I am no device").unwrap();
    container.run().fails();
    container.assert_gone();
}

/// As with runc and crun.
#[test]
fn dev_core_is_there_where_the_kernel_has_a_kcore() {
    let container = Container::new().sh("readlink /dev/core || echo none");
    let there = std::path::Path::new("/proc/kcore").exists();
    assert_eq!(container.run().ok(), if there { "/proc/kcore\n" } else { "none\n" });
}

#[test]
fn default_devices_are_made_in_the_image_where_no_tmpfs_is_mounted_on_dev() {
    let container = Container::new()
        .edit(|c| {
            c["mounts"]
                .as_array_mut()
                .unwrap()
                .retain(|m| !m["destination"].as_str().unwrap().starts_with("/dev"))
        })
        .sh("stat -c %t:%T /dev/null /dev/tty");
    assert_eq!(container.run().ok(), "1:3\n5:0\n");
}

/// Each rule is compared with the others, by us and by the kernel.
#[test]
fn more_rules_than_can_be_looked_through_are_refused_and_many_devices_are_made() {
    let rules = |count: u32| -> Value {
        (0..count)
            .map(|i| json!({"allow": true, "type": "c", "major": 300, "minor": i, "access": "r"}))
            .collect()
    };
    for (count, refused) in [(4000, false), (8001, true), (100_000, true)] {
        let container = Container::new().edit(|c| c["linux"]["resources"] = json!({"devices": rules(count)}));
        let run = container.sh("true").run();
        if refused {
            let err = run.fails();
            let wanted = format!("/linux/resources/devices = \\\"{count}\\\" has more rules for devices");
            assert!(err.contains(&wanted), "{err}");
        } else {
            run.ok();
        }
    }
    let many =
        (0..30_000).map(|i| json!({"path": format!("/dev/n{i}"), "type": "c", "major": 1, "minor": 3}));
    let container = listed(many.collect(), "ls /dev | grep -c '^n[0-9]'");
    assert_eq!(container.run().ok(), "30000\n");
}

#[test]
fn an_unknown_kind_of_device_is_refused_by_its_field() {
    let err = listed(json!([{"path": "/dev/x", "type": "z", "major": 1, "minor": 3}]), "true").run().fails();
    assert!(err.contains("/linux/devices/0/type"), "{err}");
}
