//! User namespaces: id maps, and everything that is different in one.

use crate::support::{Container, has_controller, is_v2};
use crate::{add_mount, mount_at};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

/// Root inside is 100000 outside; the rootfs belongs to it.
fn mapped() -> Container {
    let container = Container::new().namespace("user", None).edit(|c| {
        let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
        c["linux"]["uidMappings"] = map.clone();
        c["linux"]["gidMappings"] = map;
    });
    own(&container.rootfs());
    container
}

/// Gives a tree to the mapped root.
fn own(path: &Path) {
    std::os::unix::fs::lchown(path, Some(100_000), Some(100_000)).expect("tests run as root");
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap().flatten() {
            own(&entry.path());
        }
    }
}

#[test]
fn ids_are_mapped_inside_and_outside() {
    let container =
        mapped().sh("id -u; id -g; cat /proc/self/uid_map; touch /tmp/mine; sleep 1000").started();
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap();
    assert!(status.contains("Uid:\t100000\t100000\t100000\t100000"), "{status}");
    assert!(status.contains("Gid:\t100000\t100000\t100000\t100000"), "{status}");
    let file = container.rootfs().join("tmp/mine");
    crate::support::wait_until("the file is there", || file.exists());
    assert_eq!(file.metadata().unwrap().uid(), 100_000);
}

#[test]
fn the_maps_read_inside_as_the_config_says() {
    let out = mapped()
        .edit(|c| {
            c["linux"]["gidMappings"] = json!([
                {"containerID": 0, "hostID": 100_000, "size": 1000},
                {"containerID": 1000, "hostID": 300_000, "size": 10},
            ]);
        })
        .sh("cat /proc/self/uid_map; echo; cat /proc/self/gid_map")
        .run()
        .ok();
    let numbers = |text: &str| {
        text.lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
            .join(",")
    };
    let (uids, gids) = out.split_once("\n\n").unwrap();
    assert_eq!(numbers(uids), "0 100000 65536");
    assert_eq!(numbers(gids), "0 100000 1000,1000 300000 10");
}

#[test]
fn root_inside_owns_its_files_and_not_the_hosts() {
    let container = mapped().sh("stat -c '%u %n' /bin/busybox /host; touch /host/x");
    let host = container.dir.join("host");
    fs::create_dir(&host).unwrap();
    let container = container.edit(|c| add_mount(c, "/host", "bind", host.to_str().unwrap(), &["rbind"]));
    let ended = container.run();
    assert!(ended.out.contains("0 /bin/busybox"), "{ended:?}");
    assert!(ended.out.contains("65534 /host"), "{ended:?}");
    assert!(ended.err.contains("Permission denied"), "{ended:?}");
}

#[test]
fn default_devices_are_bound_from_the_host_and_work() {
    let out = mapped()
        .sh("stat -c '%F %t:%T %n' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty
             echo x > /dev/null && head -c 3 /dev/zero | od -An -tx1
             grep -c ' /dev/null ' /proc/self/mountinfo; for l in ptmx fd; do readlink /dev/$l; done")
        .run()
        .ok();
    for device in ["1:3 /dev/null", "1:5 /dev/zero", "1:7 /dev/full", "1:8 /dev/random", "5:0 /dev/tty"] {
        assert!(out.contains(&format!("character special file {device}")), "{out}");
    }
    assert!(out.contains("00 00 00\n1\n"), "{out}");
    assert!(out.contains("pts/ptmx\n/proc/self/fd"), "{out}");
}

#[test]
fn a_listed_device_of_the_host_is_bound_and_another_is_refused_by_its_field() {
    let device = |minor: i64| json!([{"path": "/dev/full", "type": "c", "major": 1, "minor": minor}]);
    let ended = mapped().edit(|c| c["linux"]["devices"] = device(7)).sh("echo x > /dev/full").run();
    assert!(ended.err.contains("No space left"), "{ended:?}");
    let err = mapped().edit(|c| c["linux"]["devices"] = device(9)).sh("true").run().fails();
    assert!(err.contains("/linux/devices/0"), "{err}");
}

#[test]
fn the_kernels_file_systems_are_mounted_inside() {
    let out = mapped()
        .sh("cat /proc/self/mountinfo; ls /sys/class >/dev/null && ls /dev/mqueue /dev/pts")
        .run()
        .ok();
    for (point, kind) in [
        ("/proc", "proc"),
        ("/sys", "sysfs"),
        ("/dev", "tmpfs"),
        ("/dev/pts", "devpts"),
        ("/dev/mqueue", "mqueue"),
        ("/dev/shm", "tmpfs"),
    ] {
        assert_eq!(mount_at(&out, point).kind, kind);
    }
}

#[test]
fn cgroups_are_mounted_inside_and_cannot_be_written() {
    if !has_controller("memory") && !is_v2() {
        skip!("no memory controller");
    }
    let ended =
        mapped().sh("cat /proc/self/mountinfo; cd /sys/fs/cgroup; ls; mkdir memory/x || mkdir x").run();
    let kind = if is_v2() { "cgroup2" } else { "tmpfs" };
    assert_eq!(mount_at(&ended.out, "/sys/fs/cgroup").kind, kind);
    assert_ne!(ended.code, 0, "{ended:?}");
}

#[test]
fn cgroups_without_a_cgroup_namespace_are_shown_read_only() {
    let ended = mapped()
        .without_namespace("cgroup")
        .sh("mkdir /sys/fs/cgroup/memory/x || mkdir /sys/fs/cgroup/x")
        .run();
    assert_ne!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("Read-only") || ended.err.contains("No such file"), "{ended:?}");
}

#[test]
fn a_rootfs_behind_a_directory_that_the_mapped_user_cannot_pass_still_works() {
    let container = mapped().sh("cat /etc/passwd; touch /made");
    let closed = container.dir.join("bundle");
    chown(&closed, Some(0), Some(0)).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(container.run().ok().contains("root:x:0:0"));
    assert_eq!(container.rootfs().join("made").metadata().unwrap().uid(), 100_000);
}

#[test]
fn a_bind_source_behind_such_a_directory_still_works() {
    let container = mapped().sh("cat /data/text");
    let closed = container.dir.join("closed");
    fs::create_dir_all(closed.join("data")).unwrap();
    fs::write(closed.join("data/text"), "reachable").unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let source = closed.join("data");
    let container =
        container.edit(|c| add_mount(c, "/data", "bind", source.to_str().unwrap(), &["rbind", "ro"]));
    assert_eq!(container.run().ok(), "reachable");
}

#[test]
fn a_source_behind_a_directory_of_somebody_else_still_works() {
    let container = mapped().sh("cat /data/text; cat /etc/passwd");
    let closed = container.dir.join("closed");
    fs::create_dir_all(closed.join("data")).unwrap();
    fs::write(closed.join("data/text"), "reachable ").unwrap();
    for directory in [&closed, &container.bundle()] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
        chown(directory, Some(4242), Some(4242)).unwrap();
    }
    let source = closed.join("data");
    let container =
        container.edit(|c| add_mount(c, "/data", "bind", source.to_str().unwrap(), &["rbind", "ro"]));
    assert!(container.run().ok().starts_with("reachable root:"));
}

#[test]
fn an_id_other_than_root_inside_is_its_mapped_id_outside() {
    let container = mapped()
        .edit(|c| {
            c["process"]["user"] = json!({"uid": 1000, "gid": 2000, "additionalGids": [3000]});
        })
        .sh("id; exec sleep 1000")
        .started();
    crate::support::wait_until("the program runs", || {
        let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap_or_default();
        status.contains("Uid:\t101000\t101000\t101000\t101000")
            && status.contains("Gid:\t102000\t102000\t102000\t102000")
            && status.contains("Groups:\t103000 ")
    });
}

#[test]
fn an_id_that_the_map_lacks_is_refused_by_its_field() {
    let container = mapped().edit(|c| c["process"]["user"]["uid"] = 70_000.into()).sh("true");
    let err = container.run().fails();
    assert!(err.contains("/process/user"), "{err}");
    container.assert_gone();
}

#[test]
fn namespaces_of_the_kernel_belong_to_the_new_user_namespace() {
    let out = mapped()
        .edit(|c| {
            for set in ["bounding", "effective", "permitted"] {
                let list = c["process"]["capabilities"][set].as_array_mut().unwrap();
                list.push("CAP_NET_ADMIN".into());
                list.push("CAP_SYS_ADMIN".into());
            }
            c["linux"].as_object_mut().unwrap().remove("seccomp");
        })
        .sh("ip addr add 10.1.2.3/24 dev lo && hostname changed && hostname && ip -o addr show lo")
        .run()
        .ok();
    assert!(out.starts_with("changed\n") && out.contains("10.1.2.3/24"), "{out}");
}

#[test]
fn a_user_namespace_is_joined_with_its_map() {
    let first = mapped().sh("sleep 1000").started();
    let path = |file: &str| format!("/proc/{}/ns/{file}", first.pid());
    let second = Container::new()
        .namespace("user", Some(&path("user")))
        .sh("id -u; cat /proc/self/uid_map; readlink /proc/self/ns/user; touch /tmp/mine");
    own(&second.rootfs());
    let out = second.run().ok();
    let user = fs::read_link(path("user")).unwrap();
    assert!(out.contains("100000") && out.contains(user.to_str().unwrap()), "{out}");
    assert_eq!(second.rootfs().join("tmp/mine").metadata().unwrap().uid(), 100_000);
    second.assert_gone();
}

#[test]
fn user_network_and_pid_namespaces_are_joined_together() {
    let first = mapped().sh("exec sleep 4321").started();
    let path = |file: &str| format!("/proc/{}/ns/{file}", first.pid());
    let mut second = Container::new()
        .sh("tr '\\0' ' ' < /proc/1/cmdline; readlink /proc/self/ns/net; readlink /proc/self/ns/ipc");
    for (kind, file) in [("user", "user"), ("network", "net"), ("pid", "pid"), ("ipc", "ipc")] {
        second = second.namespace(kind, Some(&path(file)));
    }
    own(&second.rootfs());
    let out = second.run().ok();
    assert!(out.starts_with("sleep 4321"), "{out}");
    for file in ["net", "ipc"] {
        assert!(out.contains(fs::read_link(path(file)).unwrap().to_str().unwrap()), "{out}");
    }
}

#[test]
fn a_new_user_namespace_joins_a_network_namespace_of_the_host() {
    let first = Container::new().sh("sleep 1000").started();
    let path = format!("/proc/{}/ns/net", first.pid());
    // sysfs can be mounted only by the owner of the network namespace.
    let second = mapped()
        .namespace("network", Some(&path))
        .edit(|c| {
            c["mounts"]
                .as_array_mut()
                .unwrap()
                .retain(|mount| mount["type"] != "sysfs" && mount["type"] != "cgroup")
        })
        .sh("id -u; readlink /proc/self/ns/net; cat /proc/self/uid_map");
    let out = second.run().ok();
    assert!(out.starts_with("0\n"), "{out}");
    assert!(out.contains(fs::read_link(&path).unwrap().to_str().unwrap()), "{out}");
    assert!(out.contains("100000"), "{out}");
    second.assert_gone();
}

#[test]
fn the_whole_capability_set_of_a_user_namespace_can_be_given() {
    let out = mapped()
        .edit(|c| {
            let all = json!(["CAP_SYS_ADMIN", "CAP_SYS_TIME", "CAP_CHOWN"]);
            for set in ["bounding", "effective", "permitted"] {
                c["process"]["capabilities"][set] = all.clone();
            }
        })
        .sh("grep Cap /proc/self/status")
        .run()
        .ok();
    let expected = format!("{:016x}", 1u64 << 21 | 1 << 25 | 1);
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert!(out.contains(&format!("{set}:\t{expected}")), "{out}");
    }
    assert!(out.contains("CapAmb:\t0000000000000000"), "{out}");
    assert!(out.contains("CapInh:\t0000000000000000"), "{out}");
}

#[test]
fn masked_and_readonly_paths_hold_in_a_user_namespace() {
    let out = mapped()
        .sh("cat /proc/kcore | wc -c; ls /sys/firmware | wc -l; echo 1 > /proc/sys/kernel/shmmax; echo end")
        .run();
    assert_eq!(out.out, "0\n0\nend\n", "{out:?}");
    assert!(out.err.contains("Read-only"), "{out:?}");
}

#[test]
fn sysctls_of_the_containers_namespaces_are_set_in_a_user_namespace() {
    let out = mapped()
        .edit(|c| c["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1", "kernel.shmmni": "77"}))
        .sh("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni")
        .run()
        .ok();
    assert_eq!(out, "1\n77\n");
}

#[test]
fn a_hard_limit_above_the_callers_is_given_in_a_user_namespace() {
    if !crate::has_capability(crate::SYS_RESOURCE) {
        skip!("no CAP_SYS_RESOURCE");
    }
    let out = mapped()
        .edit(|c| {
            c["process"]["rlimits"] =
                json!([{"type": "RLIMIT_MEMLOCK", "soft": 1u64 << 40, "hard": 1u64 << 41}])
        })
        .sh("grep 'Max locked' /proc/self/limits");
    out.write_config();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -l 64; exec \"$@\"", "sh"]);
    command.arg(crate::support::RRUNTIME).arg("--root").arg(out.state_root());
    command.arg("run").arg("--bundle").arg(out.bundle()).arg(&out.id).stdin(std::process::Stdio::null());
    let text = crate::support::finish(command).ok();
    assert!(text.contains(&format!("{}", 1u64 << 40)) && text.contains(&format!("{}", 1u64 << 41)), "{text}");
}

#[test]
fn a_score_of_the_oom_killer_is_set_in_a_user_namespace() {
    let out = mapped().edit(|c| c["process"]["oomScoreAdj"] = 321.into()).sh("cat /proc/self/oom_score_adj");
    assert_eq!(out.run().ok(), "321\n");
    if !crate::has_capability(crate::SYS_RESOURCE) {
        skip!("no CAP_SYS_RESOURCE");
    }
    let out =
        mapped().edit(|c| c["process"]["oomScoreAdj"] = (-321).into()).sh("cat /proc/self/oom_score_adj");
    assert_eq!(out.run().ok(), "-321\n");
}

#[test]
fn flags_that_the_host_has_set_on_a_mount_cannot_be_taken_away_inside() {
    let container = mapped().sh("mount -o remount,bind,rw /data; touch /data/x && echo written");
    let source = container.dir.join("source");
    fs::create_dir(&source).unwrap();
    fs::set_permissions(&source, fs::Permissions::from_mode(0o777)).unwrap();
    let container = container.edit(|c| {
        for set in ["bounding", "effective", "permitted"] {
            c["process"]["capabilities"][set].as_array_mut().unwrap().push("CAP_SYS_ADMIN".into());
        }
        c["linux"].as_object_mut().unwrap().remove("seccomp");
        add_mount(c, "/data", "bind", source.to_str().unwrap(), &["rbind"]);
    });
    let script = format!("mount --bind {0} {0}; mount -o remount,bind,ro {0}; $RR", source.display());
    let ended = crate::host_script(&container, &script);
    assert!(!ended.out.contains("written"), "{ended:?}");
    assert!(ended.err.contains("not permitted") || ended.err.contains("denied"), "{ended:?}");
}

#[test]
fn what_the_host_has_mounted_over_cannot_be_uncovered_inside() {
    let container = mapped().sh("umount /data/sub; cat /data/sub/secret");
    let source = container.dir.join("source");
    fs::create_dir_all(source.join("sub")).unwrap();
    fs::write(source.join("sub/secret"), "uncovered").unwrap();
    let container = container.edit(|c| {
        for set in ["bounding", "effective", "permitted"] {
            c["process"]["capabilities"][set].as_array_mut().unwrap().push("CAP_SYS_ADMIN".into());
        }
        c["linux"].as_object_mut().unwrap().remove("seccomp");
        add_mount(c, "/data", "bind", source.to_str().unwrap(), &["rbind"]);
    });
    let script = format!("mount -t tmpfs cover {}/sub; $RR", source.display());
    let ended = crate::host_script(&container, &script);
    assert!(!ended.out.contains("uncovered") && ended.err.contains("umount"), "{ended:?}");
}

/// What locks the host's flags in what a user namespace sees locks what is mounted below a directory to it as well.
#[test]
fn a_directory_with_mounts_below_it_is_bound_with_them_or_not_at_all() {
    for (option, works) in [("bind", false), ("rbind", true)] {
        let container = mapped().sh("cat /data/text; ls /data/sub");
        let source = container.dir.join("source");
        fs::create_dir_all(source.join("sub")).unwrap();
        fs::write(source.join("text"), "here").unwrap();
        let container =
            container.edit(|c| add_mount(c, "/data", "bind", source.to_str().unwrap(), &[option]));
        let script = format!("mount -t tmpfs cover {0}/sub; touch {0}/sub/below; $RR", source.display());
        let ended = crate::host_script(&container, &script);
        if works {
            assert_eq!(ended.ok(), "herebelow\n");
        } else {
            let err = ended.fails();
            assert!(err.contains("/mounts/") && err.contains("rbind"), "{err}");
        }
    }
}

#[test]
fn an_id_mapped_bind_shows_the_hosts_owners_as_the_containers() {
    for option in ["idmap", "ridmap"] {
        let container = mapped().sh("stat -c '%u:%g' /data/mine && touch /data/new");
        let source = container.dir.join("source");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("mine"), "").unwrap();
        let container =
            container.edit(|c| add_mount(c, "/data", "bind", source.to_str().unwrap(), &["rbind", option]));
        assert_eq!(container.run().ok(), "0:0\n", "{option}");
        assert_eq!(source.join("new").metadata().unwrap().uid(), 0, "{option}");
    }
}
