//! `mounts` of a file system type: proc, tmpfs, devpts, sysfs, mqueue, cgroup.

use crate::support::{Container, is_v2};
use crate::{add_mount, all_mounts, mount_at};
use std::fs;
use std::os::unix::fs::symlink;

fn mountinfo(change: impl FnOnce(&mut serde_json::Value)) -> String {
    Container::new().edit(change).sh("cat /proc/self/mountinfo").run().ok()
}

#[test]
fn dockers_mounts_are_there_with_their_options() {
    let out = mountinfo(|_| {});
    let proc = mount_at(&out, "/proc");
    assert_eq!(proc.kind, "proc");
    assert!(proc.has("nosuid") && proc.has("noexec") && proc.has("nodev") && proc.has("rw"), "{proc:?}");
    let dev = mount_at(&out, "/dev");
    assert_eq!((&*dev.kind, &*dev.source), ("tmpfs", "tmpfs"));
    assert!(dev.has("nosuid") && !dev.has("noexec") && !dev.has("relatime"), "{dev:?}");
    assert!(dev.superblock.iter().any(|o| o == "size=65536k"), "{dev:?}");
    assert!(dev.superblock.iter().any(|o| o == "mode=755"), "{dev:?}");
    let pts = mount_at(&out, "/dev/pts");
    assert_eq!(pts.kind, "devpts");
    for option in ["gid=5", "mode=620", "ptmxmode=666"] {
        assert!(pts.superblock.iter().any(|o| o == option), "{option}: {pts:?}");
    }
    let sys = mount_at(&out, "/sys");
    assert!(sys.kind == "sysfs" && sys.has("ro"), "{sys:?}");
    assert_eq!(mount_at(&out, "/dev/mqueue").kind, "mqueue");
    let shm = mount_at(&out, "/dev/shm");
    assert_eq!((&*shm.kind, &*shm.source), ("tmpfs", "shm"));
    assert!(shm.superblock.iter().any(|o| o == "size=65536k"), "{shm:?}");
}

#[test]
fn nothing_of_the_hosts_tree_is_mounted_inside() {
    let out = mountinfo(|_| {});
    let points: Vec<String> = all_mounts(&out).into_iter().map(|mount| mount.point).collect();
    for point in &points {
        let known = ["/proc", "/dev", "/sys"].iter().any(|top| point.starts_with(top)) || point == "/";
        assert!(known, "{point} in {points:?}");
    }
}

#[test]
fn a_tmpfs_takes_its_size_mode_owner_and_flags() {
    let out = Container::new()
        .edit(|c| {
            let options = ["size=1m", "mode=1770", "uid=7", "gid=8", "nosuid", "nodev", "noexec", "noatime"];
            add_mount(c, "/scratch", "tmpfs", "scratch", &options);
        })
        .sh("stat -c '%a %u %g' /scratch; cat /proc/self/mountinfo
             dd if=/dev/zero of=/scratch/big bs=64k count=32 2>&1; stat -c %s /scratch/big")
        .run()
        .ok();
    assert!(out.starts_with("1770 7 8\n"), "{out}");
    let mount = mount_at(&out, "/scratch");
    assert!(["nosuid", "nodev", "noexec", "noatime"].iter().all(|o| mount.has(o)), "{mount:?}");
    assert!(out.contains("No space left") && out.ends_with("1048576\n"), "{out}");
}

#[test]
fn a_tmpfs_without_a_mode_has_that_of_the_directory_that_it_covers() {
    let container = Container::new()
        .edit(|c| {
            for (place, options) in [
                ("/closed", &[][..]),
                ("/shared", &["size=1m"]),
                ("/new", &[]),
                ("/copied", &["tmpcopyup"]),
                ("/given", &["tmpcopyup", "size=1m,mode=700"]),
            ] {
                add_mount(c, place, "tmpfs", "tmpfs", options);
            }
        })
        .sh("stat -c '%a' /closed /shared /new /copied /given");
    for (name, mode) in [("closed", 0o750), ("shared", 0o2770), ("copied", 0o711), ("given", 0o755)] {
        let place = container.rootfs().join(name);
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    assert_eq!(container.run().ok(), "750\n2770\n1777\n711\n700\n");
}

#[test]
fn a_read_only_tmpfs_is_furnished_first() {
    let container = Container::new()
        .edit(|c| {
            let dev = c["mounts"].as_array_mut().unwrap().iter_mut().find(|m| m["destination"] == "/dev").unwrap();
            dev["options"].as_array_mut().unwrap().push("ro".into());
            add_mount(c, "/x", "tmpfs", "tmpfs", &["ro"]);
            add_mount(c, "/x/below", "tmpfs", "tmpfs", &[]);
        })
        .sh("touch /x/below/y && echo below; touch /x/y || echo x; touch /dev/y || echo dev; echo > /dev/null && echo null");
    assert_eq!(container.run().ok(), "below\nx\ndev\nnull\n");
}

#[test]
fn a_read_only_tmpfs_cannot_be_written() {
    let ended =
        Container::new().edit(|c| add_mount(c, "/x", "tmpfs", "tmpfs", &["ro"])).sh("touch /x/y").run();
    assert!(ended.fails().contains("Read-only"));
}

#[test]
fn a_missing_destination_is_made_with_all_its_parents() {
    let container = Container::new()
        .edit(|c| add_mount(c, "/a/b/c", "tmpfs", "tmpfs", &[]))
        .sh("stat -c '%a %u' /a /a/b; touch /a/b/c/x");
    assert_eq!(container.run().ok(), "755 0\n755 0\n");
    assert!(container.rootfs().join("a/b/c").is_dir());
    assert!(!container.rootfs().join("a/b/c/x").exists());
}

#[test]
fn a_destination_is_made_with_its_usual_mode_under_any_umask() {
    let container =
        Container::new().edit(|c| add_mount(c, "/a/b", "tmpfs", "tmpfs", &[])).sh("stat -c '%a' /a");
    let ended = crate::host_script(&container, "umask 077; $RR");
    assert_eq!(ended.ok(), "755\n");
}

#[test]
fn a_destination_behind_links_stays_inside_the_rootfs() {
    let container = Container::new()
        .edit(|c| add_mount(c, "/link/sub", "tmpfs", "tmpfs", &[]))
        .sh("cat /proc/self/mountinfo");
    symlink("../../../../../../outside", container.rootfs().join("link")).unwrap();
    let out = container.run().ok();
    assert_eq!(mount_at(&out, "/outside/sub").kind, "tmpfs");
    assert!(container.rootfs().join("outside/sub").is_dir());
    assert!(!std::path::Path::new("/outside").exists());
}

#[test]
fn later_mounts_cover_earlier_ones_in_the_order_of_the_config() {
    let container = Container::new()
        .edit(|c| {
            add_mount(c, "/x", "tmpfs", "first", &[]);
            add_mount(c, "/x", "tmpfs", "second", &[]);
            add_mount(c, "/x/y", "tmpfs", "third", &[]);
        })
        .sh("grep ' /x' /proc/self/mountinfo");
    let out = container.run().ok();
    let sources: Vec<String> = all_mounts(&out).into_iter().map(|mount| mount.source).collect();
    assert_eq!(sources, ["first", "second", "third"]);
}

#[test]
fn a_mount_without_a_slash_at_its_beginning_is_taken_from_the_root() {
    let out = mountinfo(|c| add_mount(c, "relative/place", "tmpfs", "tmpfs", &[]));
    assert_eq!(mount_at(&out, "/relative/place").kind, "tmpfs");
}

#[test]
fn a_queue_made_in_the_container_is_in_its_own_mqueue() {
    let out =
        Container::new().sh("ls /dev/mqueue; cat /proc/sys/fs/mqueue/queues_max; mount -t mqueue").run();
    assert!(out.out.contains("256"), "{out:?}");
}

#[test]
fn devpts_is_an_instance_of_its_own() {
    let container = Container::new().sh("ls /dev/pts; stat -c '%t:%T %a' /dev/pts/ptmx; readlink /dev/ptmx");
    assert_eq!(container.run().ok(), "ptmx\n5:2 666\npts/ptmx\n");
}

#[test]
fn an_option_that_the_file_system_does_not_know_is_refused_with_the_kernels_words() {
    let container =
        Container::new().edit(|c| add_mount(c, "/x", "tmpfs", "tmpfs", &["nonsense=1"])).sh("true");
    let err = container.run().fails();
    assert!(err.contains("/mounts/7") && err.contains("nonsense"), "{err}");
    container.assert_gone();
}

#[test]
fn a_file_system_that_the_kernel_lacks_is_refused_by_its_field() {
    let container = Container::new().edit(|c| add_mount(c, "/x", "nosuchfs", "x", &[])).sh("true");
    let err = container.run().fails();
    assert!(err.contains("/mounts/7"), "{err}");
    container.assert_gone();
}

#[test]
fn superblock_flags_reach_the_file_system() {
    let out = mountinfo(|c| add_mount(c, "/x", "tmpfs", "tmpfs", &["sync", "dirsync", "lazytime"]));
    let mount = mount_at(&out, "/x");
    for flag in ["sync", "dirsync", "lazytime"] {
        assert!(mount.superblock.iter().any(|o| o == flag), "{flag}: {mount:?}");
    }
}

#[test]
fn options_without_a_meaning_of_their_own_are_accepted() {
    let options =
        ["defaults", "iversion", "noiversion", "silent", "loud", "async", "nomand", "rasync", "rsync"];
    let mount = mount_at(&mountinfo(|c| add_mount(c, "/x", "tmpfs", "tmpfs", &options)), "/x");
    assert!(mount.has("rw") && mount.superblock.iter().any(|option| option == "sync"), "{mount:?}");
}

#[test]
fn a_remount_changes_the_mount_that_is_there() {
    let out = mountinfo(|c| {
        add_mount(c, "/x", "tmpfs", "tmpfs", &["nosuid"]);
        add_mount(c, "/x", "tmpfs", "tmpfs", &["remount", "ro", "nodev"]);
    });
    let mount = mount_at(&out, "/x");
    assert!(mount.has("ro") && mount.has("nodev") && mount.has("nosuid"), "{mount:?}");
    assert_eq!(all_mounts(&out).iter().filter(|mount| mount.point == "/x").count(), 1);
}

#[test]
fn the_cgroup_mount_shows_the_containers_own_cgroup_as_its_root() {
    let container = Container::new().sh("cat /proc/self/mountinfo; cat /proc/self/cgroup; ls /sys/fs/cgroup");
    let out = container.run().ok();
    let top = mount_at(&out, "/sys/fs/cgroup");
    assert!(top.has("ro") && top.has("nosuid") && top.has("noexec") && top.has("nodev"), "{top:?}");
    if is_v2() {
        assert_eq!((&*top.kind, &*top.root), ("cgroup2", "/"));
        assert!(out.contains("0::/\n"), "{out}");
        assert!(out.contains("cgroup.procs"), "{out}");
        return;
    }
    assert_eq!(top.kind, "tmpfs");
    for mount in all_mounts(&out).iter().filter(|mount| mount.kind == "cgroup") {
        assert_eq!(mount.root, "/", "{mount:?}");
        assert!(mount.has("ro") && mount.has("nosuid"), "{mount:?}");
    }
    assert!(out.contains(":memory:/\n"), "{out}");
}

#[test]
fn the_cgroup_mount_without_a_cgroup_namespace_shows_the_containers_cgroup() {
    let container = Container::new()
        .without_namespace("cgroup")
        .sh("cat /proc/self/mountinfo; cat /proc/self/cgroup; ls /sys/fs/cgroup /sys/fs/cgroup/*");
    let out = container.run().ok();
    assert!(out.contains(&format!(":/{}\n", container.id)), "{out}");
    let top = mount_at(&out, "/sys/fs/cgroup");
    assert!(top.has("ro"), "{top:?}");
    if !is_v2() {
        let memory = mount_at(&out, "/sys/fs/cgroup/memory");
        assert_eq!(memory.root, format!("/{}", container.id));
        assert!(memory.has("ro"), "{memory:?}");
    }
    assert!(out.contains("cgroup.procs"), "{out}");
}

#[test]
fn a_writable_cgroup_mount_lets_root_make_a_cgroup() {
    let directory = if is_v2() { "/sys/fs/cgroup/mine" } else { "/sys/fs/cgroup/memory/mine" };
    let container = Container::new()
        .edit(|c| {
            for mount in c["mounts"].as_array_mut().unwrap() {
                if mount["type"] == "cgroup" {
                    mount["options"] = serde_json::json!(["rw", "nosuid"]);
                }
            }
        })
        .sh(&format!(
            "mkdir {directory} && ls {directory} && rmdir {directory} || busybox rmdir {directory}"
        ));
    let out = container.run().ok();
    assert!(out.contains("cgroup.procs"), "{out}");
    container.assert_gone();
}

#[test]
fn proc_is_mounted_on_a_plain_directory_only() {
    let container = Container::new().sh("true");
    fs::remove_dir(container.rootfs().join("proc")).unwrap();
    symlink("tmp", container.rootfs().join("proc")).unwrap();
    let err = container.run().fails();
    assert!(err.contains("/mounts/0"), "{err}");
    container.assert_gone();
}

#[test]
fn a_tmpfs_begins_with_a_copy_of_the_image_where_that_is_asked_for() {
    let container = Container::new()
        .edit(|c| add_mount(c, "/etc", "tmpfs", "tmpfs", &["tmpcopyup", "mode=755"]))
        .sh("cat /etc/deep/file; readlink /etc/link; stat -c '%a %u:%g' /etc/deep/file; touch /etc/new");
    let etc = container.rootfs().join("etc");
    fs::create_dir(etc.join("deep")).unwrap();
    fs::write(etc.join("deep/file"), "copied\n").unwrap();
    fs::set_permissions(etc.join("deep/file"), std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(etc.join("deep/file"), Some(7), Some(8)).unwrap();
    symlink("deep/file", etc.join("link")).unwrap();
    assert_eq!(container.run().ok(), "copied\ndeep/file\n640 7:8\n");
    assert!(!etc.join("new").exists());
}
