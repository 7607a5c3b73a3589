//! Bind mounts: sources, destinations, and every option that a mount line shows.

use crate::support::Container;
use crate::{add_mount, all_mounts, host_script, mount_at};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// A directory of the host beside the bundle, with one file in it.
fn source(container: &Container) -> PathBuf {
    let directory = container.dir.join("source");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("text"), "from the host").unwrap();
    directory
}

/// What mountinfo says of a bind with these options.
fn bound(options: &[&str]) -> crate::MountLine {
    let container = Container::new().sh("cat /proc/self/mountinfo");
    let source = source(&container);
    let container = container.edit(|c| add_mount(c, "/data", "bind", source.to_str().unwrap(), options));
    mount_at(&container.run().ok(), "/data")
}

/// The same of a source that has a mount of its own below, which has every flag: (the bind, the mount below).
fn bound_tree(options: &[&str]) -> (crate::MountLine, crate::MountLine) {
    let container = Container::new().sh("cat /proc/self/mountinfo");
    let source = source(&container);
    let source = source.to_str().unwrap();
    let container = container.edit(|c| add_mount(c, "/data", "none", source, options));
    let script = format!(
        "mount -t tmpfs top {source}; mkdir {source}/sub
         mount -t tmpfs -o nosuid,nodev,noexec,noatime,nodiratime below {source}/sub; $RR"
    );
    let out = host_script(&container, &script).ok();
    (mount_at(&out, "/data"), mount_at(&out, "/data/sub"))
}

#[test]
fn every_flag_of_one_mount_is_set() {
    for flag in ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow"] {
        let mount = bound(&["bind", flag]);
        assert!(mount.has(flag), "{flag}: {mount:?}");
    }
    assert!(bound(&["bind", "relatime"]).has("relatime"));
    let strict = bound(&["bind", "strictatime"]);
    assert!(!strict.has("relatime") && !strict.has("noatime"), "{strict:?}");
    // What is not asked for stays as the source has it.
    assert!(bound(&["bind", "norelatime"]).has("relatime"));
    assert!(bound(&["bind", "nostrictatime"]).has("relatime"));
}

#[test]
fn every_flag_of_one_mount_is_cleared() {
    let flags = ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow"];
    let opposites = ["rw", "suid", "dev", "exec", "atime", "diratime", "symfollow"];
    let mut options = vec!["bind"];
    options.extend(flags);
    let mount = bound(&options);
    assert!(flags.iter().all(|flag| mount.has(flag)), "{mount:?}");
    options.extend(opposites);
    let mount = bound(&options);
    assert!(!flags.iter().any(|flag| mount.has(flag)), "{mount:?}");
    assert!(mount.has("rw") && mount.has("relatime"), "{mount:?}");
}

#[test]
fn a_source_keeps_its_own_flags_unless_an_option_changes_them() {
    let (_, below) = bound_tree(&["rbind"]);
    assert!(["nosuid", "nodev", "noexec", "noatime"].iter().all(|flag| below.has(flag)), "{below:?}");
    assert!(below.has("rw"));
}

#[test]
fn a_bind_that_asks_for_a_flag_has_no_others_and_keeps_its_access_times() {
    let container = Container::new().sh("cat /proc/self/mountinfo");
    let source = source(&container);
    let source = source.to_str().unwrap();
    let container = container.edit(|c| {
        add_mount(c, "/plain", "bind", source, &["bind", "rprivate"]);
        add_mount(c, "/asked", "bind", source, &["bind", "noexec"]);
        add_mount(c, "/cleared", "bind", source, &["rbind", "rprivate", "rw"]);
    });
    let script = format!("mount -t tmpfs -o nosuid,nodev,noatime,mode=755 top {source}; $RR");
    let out = host_script(&container, &script).ok();
    let plain = mount_at(&out, "/plain");
    assert!(plain.has("nosuid") && plain.has("nodev") && plain.has("noatime"), "{plain:?}");
    let asked = mount_at(&out, "/asked");
    assert!(asked.has("noexec") && !asked.has("nosuid") && !asked.has("nodev"), "{asked:?}");
    let cleared = mount_at(&out, "/cleared");
    assert!(!cleared.has("nosuid") && !cleared.has("nodev") && cleared.has("noatime"), "{cleared:?}");
}

#[test]
fn rbind_wins_over_bind_and_flags_of_the_tree_over_those_of_the_mount() {
    for options in [&["rbind", "bind", "rro", "rw"][..], &["bind", "rbind", "rro", "rw"]] {
        let (top, below) = bound_tree(options);
        assert!(top.has("ro") && below.has("ro"), "{top:?} {below:?}");
    }
}

#[test]
fn a_source_may_be_what_an_earlier_mount_shows() {
    let container = Container::new().sh("cat /fin/file; stat -c %a /again");
    let source = source(&container);
    fs::create_dir(source.join("sub")).unwrap();
    fs::write(source.join("sub/file"), "seen\n").unwrap();
    let rootfs = container.rootfs();
    let inside = |path: &str| rootfs.join(path).to_str().unwrap().to_owned();
    let container = container.edit(|c| {
        add_mount(c, "/mnt", "bind", source.to_str().unwrap(), &["bind"]);
        add_mount(c, "/fin", "bind", &inside("mnt/sub"), &["bind"]);
        add_mount(c, "/new", "tmpfs", "tmpfs", &["mode=711"]);
        add_mount(c, "/again", "bind", &inside("new"), &["bind"]);
    });
    assert_eq!(container.run().ok(), "seen\n711\n");
}

#[test]
fn options_of_one_mount_leave_the_mounts_below_alone() {
    let (top, below) = bound_tree(&["rbind", "ro"]);
    assert!(top.has("ro") && below.has("rw"), "{top:?} {below:?}");
}

#[test]
fn recursive_options_reach_the_mounts_below() {
    for (option, flag) in [
        ("rro", "ro"),
        ("rnosuid", "nosuid"),
        ("rnodev", "nodev"),
        ("rnoexec", "noexec"),
        ("rnoatime", "noatime"),
        ("rnodiratime", "nodiratime"),
        ("rnosymfollow", "nosymfollow"),
        ("rrelatime", "relatime"),
    ] {
        let (top, below) = bound_tree(&["rbind", option]);
        assert!(top.has(flag) && below.has(flag), "{option}: {top:?} {below:?}");
    }
}

#[test]
fn recursive_opposites_reach_the_mounts_below() {
    for (option, flag) in [
        ("rsuid", "nosuid"),
        ("rdev", "nodev"),
        ("rexec", "noexec"),
        ("ratime", "noatime"),
        ("rdiratime", "nodiratime"),
        ("rstrictatime", "relatime"),
        ("rnorelatime", "noatime"),
        ("rnostrictatime", "noatime"),
        ("rrw", "ro"),
        ("rsymfollow", "nosymfollow"),
    ] {
        let (top, below) = bound_tree(&["rbind", option]);
        assert!(!top.has(flag) && !below.has(flag), "{option}: {top:?} {below:?}");
    }
}

#[test]
fn bind_leaves_the_mounts_below_out_and_rbind_takes_them_along() {
    let container = Container::new().sh("cat /proc/self/mountinfo; ls /one /all");
    let source = source(&container);
    let source = source.to_str().unwrap();
    let container = container.edit(|c| {
        add_mount(c, "/one", "bind", source, &["bind"]);
        add_mount(c, "/all", "bind", source, &["rbind"]);
    });
    let out =
        host_script(&container, &format!("mkdir {source}/sub; mount -t tmpfs x {source}/sub; $RR")).ok();
    let points: Vec<String> = all_mounts(&out).into_iter().map(|mount| mount.point).collect();
    assert!(
        points.contains(&"/all/sub".to_owned()) && !points.contains(&"/one/sub".to_owned()),
        "{points:?}"
    );
}

#[test]
fn the_type_bind_alone_binds() {
    assert!(bound(&[]).root.ends_with("/source"));
    assert!(bound(&["ro"]).has("ro"));
}

#[test]
fn a_read_only_bind_cannot_be_written_and_a_plain_one_can() {
    let container = Container::new().sh("echo x > /ro/new; echo y > /rw/new; echo z > /ro/text");
    let source = source(&container);
    let container = container.edit(|c| {
        add_mount(c, "/ro", "bind", source.to_str().unwrap(), &["rbind", "ro"]);
        add_mount(c, "/rw", "bind", source.to_str().unwrap(), &["rbind", "rw"]);
    });
    let ended = container.run();
    assert_eq!(ended.err.matches("Read-only file system").count(), 2, "{ended:?}");
    assert_eq!(fs::read_to_string(source.join("new")).unwrap(), "y\n");
    assert_eq!(fs::read_to_string(source.join("text")).unwrap(), "from the host");
}

#[test]
fn noexec_and_nodev_have_their_effect() {
    let container = Container::new().sh("/data/busybox true; mknod /data/n c 1 3 && cat /data/n");
    let source = source(&container);
    fs::copy("/bin/busybox", source.join("busybox")).unwrap();
    let container = container
        .edit(|c| add_mount(c, "/data", "bind", source.to_str().unwrap(), &["bind", "noexec", "nodev"]));
    let err = container.run().fails();
    assert_eq!(err.matches("Permission denied").count(), 2, "{err}");
}

#[test]
fn nosymfollow_has_its_effect() {
    let container = Container::new().sh("cat /data/text && cat /data/link");
    let source = source(&container);
    symlink("text", source.join("link")).unwrap();
    let container =
        container.edit(|c| add_mount(c, "/data", "bind", source.to_str().unwrap(), &["bind", "nosymfollow"]));
    let ended = container.run();
    assert_eq!(ended.out, "from the host");
    assert!(ended.fails().contains("symbolic link"));
}

#[test]
fn a_file_is_bound_over_a_file_and_where_nothing_was() {
    let container = Container::new().sh("cat /etc/passwd /new/deep/file; stat -c %F /new/deep/file");
    let source = source(&container).join("text");
    let source = source.to_str().unwrap();
    let container = container.edit(|c| {
        add_mount(c, "/etc/passwd", "bind", source, &["bind", "ro"]);
        add_mount(c, "/new/deep/file", "bind", source, &["bind"]);
    });
    assert_eq!(container.run().ok(), "from the hostfrom the hostregular file\n");
    assert_eq!(container.rootfs().join("new/deep/file").metadata().unwrap().len(), 0);
}

#[test]
fn a_relative_source_is_in_the_bundle() {
    let container =
        Container::new().sh("cat /data/text").edit(|c| add_mount(c, "/data", "bind", "files/a", &["rbind"]));
    fs::create_dir_all(container.bundle().join("files/a")).unwrap();
    fs::write(container.bundle().join("files/a/text"), "in the bundle").unwrap();
    assert_eq!(container.run().ok(), "in the bundle");
}

#[test]
fn a_source_that_is_a_link_of_the_host_is_followed() {
    let container = Container::new().sh("cat /data/text");
    let source = source(&container);
    let link = container.dir.join("link");
    symlink(&source, &link).unwrap();
    let container = container.edit(|c| add_mount(c, "/data", "bind", link.to_str().unwrap(), &["rbind"]));
    assert_eq!(container.run().ok(), "from the host");
}

#[test]
fn a_missing_source_is_refused_by_its_field_and_leaves_nothing() {
    let container =
        Container::new().sh("true").edit(|c| add_mount(c, "/data", "bind", "/no/such/place", &["rbind"]));
    let err = container.run().fails();
    assert!(err.contains("/mounts/7/source") && err.contains("/no/such/place"), "{err}");
    container.assert_gone();
    assert!(!container.rootfs().join("data").exists());
}

#[test]
fn a_file_bound_over_a_dangling_link_is_made_where_the_link_points_inside() {
    for (link, place) in [
        ("../run/systemd/resolve/stub.conf", "run/systemd/resolve/stub.conf"),
        ("/run/absolute.conf", "run/absolute.conf"),
        ("../../../../escape/x.conf", "escape/x.conf"),
    ] {
        let container = Container::new().sh("cat /etc/resolv.conf");
        symlink(link, container.rootfs().join("etc/resolv.conf")).unwrap();
        let source = source(&container).join("text");
        let container =
            container.edit(|c| add_mount(c, "/etc/resolv.conf", "bind", source.to_str().unwrap(), &["bind"]));
        assert_eq!(container.run().ok(), "from the host", "{link}");
        assert!(container.rootfs().join(place).is_file(), "{link}");
        assert!(container.rootfs().join("etc/resolv.conf").is_symlink());
    }
}

#[test]
fn a_directory_bound_over_a_dangling_link_is_made_where_the_link_points_inside() {
    let container = Container::new().sh("cat /var/data/text");
    fs::create_dir(container.rootfs().join("var")).unwrap();
    symlink("../srv/one/two", container.rootfs().join("var/data")).unwrap();
    let source = source(&container);
    let container =
        container.edit(|c| add_mount(c, "/var/data", "bind", source.to_str().unwrap(), &["rbind"]));
    assert_eq!(container.run().ok(), "from the host");
    assert!(container.rootfs().join("srv/one/two").is_dir());
}

#[test]
fn links_that_go_round_are_refused() {
    let container = Container::new().sh("true");
    symlink("b", container.rootfs().join("a")).unwrap();
    symlink("a", container.rootfs().join("b")).unwrap();
    let source = source(&container);
    let container = container.edit(|c| add_mount(c, "/a", "bind", source.to_str().unwrap(), &["rbind"]));
    let err = container.run().fails();
    assert!(err.contains("/mounts/7"), "{err}");
    container.assert_gone();
}

#[test]
fn a_directory_over_a_file_is_refused_by_its_field() {
    let container = Container::new().sh("true");
    let source = source(&container);
    let container =
        container.edit(|c| add_mount(c, "/etc/passwd", "bind", source.to_str().unwrap(), &["rbind"]));
    let err = container.run().fails();
    assert!(err.contains("/mounts/7"), "{err}");
    container.assert_gone();
}

#[test]
fn a_bind_of_dev_leaves_the_hosts_devices_as_they_are() {
    let container = Container::new().sh("stat -c %t:%T /dev/null; ls -d /dev/only-here");
    let source = container.dir.join("dev");
    fs::create_dir_all(source.join("pts")).unwrap();
    fs::write(source.join("only-here"), "").unwrap();
    let container = container.edit(|c| {
        c["mounts"]
            .as_array_mut()
            .unwrap()
            .retain(|m| !m["destination"].as_str().unwrap().starts_with("/dev"));
        c["linux"].as_object_mut().unwrap().remove("maskedPaths");
        add_mount(c, "/dev", "bind", source.to_str().unwrap(), &["rbind"]);
    });
    let ended = container.run();
    assert!(ended.out.contains("/dev/only-here"), "{ended:?}");
    assert!(ended.err.contains("/dev/null"), "nothing was made there: {ended:?}");
    assert!(!source.join("null").exists());
}

#[test]
fn a_bind_onto_the_file_systems_of_a_container_works() {
    let container = Container::new().sh("cat /dev/shm/data/text /dev/file");
    let source = source(&container);
    let container = container.edit(|c| {
        add_mount(c, "/dev/shm/data", "bind", source.to_str().unwrap(), &["rbind"]);
        add_mount(c, "/dev/file", "bind", source.join("text").to_str().unwrap(), &["bind"]);
    });
    assert_eq!(container.run().ok(), "from the hostfrom the host");
}

#[test]
fn a_bind_with_a_map_of_its_own_shows_mapped_owners() {
    let container = Container::new().sh("stat -c '%u:%g' /data/text");
    let source = source(&container);
    std::os::unix::fs::chown(source.join("text"), Some(1000), Some(2000)).unwrap();
    let container = container.edit(|c| {
        add_mount(c, "/data", "bind", source.to_str().unwrap(), &["rbind", "idmap"]);
        let mount = c["mounts"].as_array_mut().unwrap().last_mut().unwrap();
        mount["uidMappings"] = serde_json::json!([{"containerID": 1000, "hostID": 5000, "size": 1}]);
        mount["gidMappings"] = serde_json::json!([{"containerID": 2000, "hostID": 6000, "size": 1}]);
    });
    assert_eq!(container.run().ok(), "5000:6000\n");
}
