//! What is attached in a container with a user namespace keeps the host's mount flags for good, and nothing that is
//! mounted on it shows on the host: tried inside with CAP_SYS_ADMIN, for every way by which a tree comes in.

use crate::canary::{in_user_namespace, without_mount};
use crate::support::mountinfo::{add_mount, all_mounts, host_script};
use crate::support::{Container, Ended};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;

/// The volumes, each read-only, nosuid, nodev and noexec on the host; below a shared mount, as systemd makes them all.
const VOLUMES: &str = r#"
mount -t tmpfs volumes $V
mount --make-shared $V
volume() { mkdir -p $1; mount -t tmpfs volume $1; echo HOST > $1/file; mkdir $1/below; }
close() { mount -o remount,bind,ro,nosuid,nodev,noexec none $1; }
for v in plain deep nest mapped option; do volume $V/$v; done
mkdir -m 700 $V/closed; chown 12345 $V/closed; volume $V/closed/inner
for v in deep nest closed/inner; do volume $V/$v/below; close $V/$v/below; done
for v in plain deep nest mapped option closed/inner; do close $V/$v; done
mkdir $V/rootfs; mount --rbind $BUNDLE/rootfs $V/rootfs; mount -o remount,bind,ro,nosuid,nodev none $V/rootfs
"#;

/// Tries to take each flag away, and to write. The container's own mount shows that mount works at all.
const TRY: &str = r#"
for m in /plain /deep /deep/below /closed /closed/below /mapped /option /file /null /; do
  [ $m = / ] && all="nosuid,nodev ro,nodev ro,nosuid" || \
    all="nosuid,nodev,noexec ro,nodev,noexec ro,nosuid,noexec ro,nosuid,nodev"
  for o in $all; do mount -o remount,bind,$o none $m 2>/dev/null && echo "CHANGED $m $o"; done
  f=$m/file; [ $m = /file ] && f=/file
  [ $m = /null ] || { (echo INSIDE > $f) 2>/dev/null && echo "WRITTEN $m"; }
done
umount /deep/below 2>/dev/null && echo "UNCOVERED"
mount -o remount,bind,ro none /tmp 2>&1 && echo CONTROL
cat /proc/self/mountinfo
"#;

/// Docker allows mount(2) to who has CAP_SYS_ADMIN.
fn administrator(config: &mut serde_json::Value) {
    config["linux"].as_object_mut().unwrap().remove("seccomp");
    for set in ["bounding", "effective", "permitted"] {
        config["process"]["capabilities"][set].as_array_mut().unwrap().push(json!("CAP_SYS_ADMIN"));
    }
}

/// A container of these namespaces with a bind of every kind, from VOLUMES.
fn with_all_kinds(container: Container) -> Container {
    let volumes = container.dir.join("volumes");
    for place in ["plain", "deep", "closed", "mapped", "option", "cgroup"] {
        fs::create_dir_all(container.rootfs().join(place)).unwrap();
    }
    for place in ["file", "null"] {
        fs::write(container.rootfs().join(place), "").unwrap();
    }
    for place in ["mqueue", "pts", "shm"] {
        fs::create_dir_all(container.rootfs().join("dev").join(place)).unwrap();
    }
    fs::create_dir_all(&volumes).unwrap();
    let source = |name: &str| volumes.join(name).to_str().unwrap().to_owned();
    container.sh(TRY).edit(|config| {
        administrator(config);
        config["root"] = json!({"path": source("rootfs"), "readonly": false});
        add_mount(config, "/plain", "bind", &source("plain"), &["bind"]);
        add_mount(config, "/deep", "bind", &source("deep"), &["rbind", "rshared"]);
        add_mount(config, "/closed", "bind", &source("closed/inner"), &["rbind", "rslave"]);
        add_mount(config, "/mapped", "bind", &source("mapped"), &["bind"]);
        let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        let mapped = config["mounts"].as_array_mut().unwrap().last_mut().unwrap();
        mapped["uidMappings"] = map.clone();
        mapped["gidMappings"] = map;
        add_mount(config, "/option", "bind", &source("option"), &["rbind", "ridmap"]);
        add_mount(config, "/file", "bind", &source("plain/file"), &["bind"]);
        add_mount(config, "/tmp", "tmpfs", "tmpfs", &[]);
    })
}

/// The peer groups in the text of a mountinfo file.
fn groups(mountinfo: &str) -> BTreeSet<String> {
    let words = all_mounts(mountinfo).into_iter().flat_map(|mount| mount.propagation);
    words.filter(|word| word.starts_with("shared:")).collect()
}

#[track_caller]
fn assert_locked(what: &str, ended: Ended) {
    let out = ended.ok();
    let (inside, host) = out.split_once("=== HOST\n").expect("the script has run to its end");
    for word in ["CHANGED", "WRITTEN", "UNCOVERED"] {
        assert!(!inside.contains(word), "{what}: {inside}");
    }
    assert!(inside.contains("CONTROL"), "{what}: {inside}");
    assert!(!host.contains("INSIDE"), "{what}: {host}");
    assert!(groups(host).len() > 1, "{what}: the host shares its mounts: {host}");
    let shared: Vec<_> = groups(inside).intersection(&groups(host)).cloned().collect();
    assert!(shared.is_empty(), "{what}: peers of the host: {shared:?}\n{inside}\n{host}");
}

fn attempt(container: &Container) -> Ended {
    let volumes = container.dir.join("volumes");
    let script = format!(
        "V={}\n{VOLUMES}\n$RR\necho '=== HOST'; cat $V/*/file $V/closed/inner/file; cat /proc/self/mountinfo",
        volumes.display()
    );
    host_script(container, &script)
}

/// A namespace of a process of `holder`.
fn path(holder: &Container, kind: &str) -> String {
    format!("/proc/{}/ns/{kind}", holder.pid())
}

fn joins(container: Container, holder: &Container) -> Container {
    container.namespace("user", Some(&path(holder, "user"))).edit(|config| {
        let linux = config["linux"].as_object_mut().unwrap();
        linux.remove("uidMappings");
        linux.remove("gidMappings");
    })
}

#[test]
fn the_hosts_mount_flags_are_locked_in_a_new_user_namespace() {
    for propagation in ["", "rshared", "rslave"] {
        let container = with_all_kinds(in_user_namespace(Container::new()))
            .edit(|config| config["linux"]["rootfsPropagation"] = propagation.into());
        assert_locked(propagation, attempt(&container));
    }
}

#[test]
fn the_hosts_mount_flags_are_locked_in_a_user_namespace_that_is_joined() {
    let holder = in_user_namespace(Container::new()).sh("sleep 1000").started();
    let container = with_all_kinds(joins(in_user_namespace(Container::new()), &holder));
    assert_locked("user namespace joined", attempt(&container));
}

/// Nothing of the host is in the mount namespace, which was made before the volumes.
#[test]
fn the_hosts_mount_flags_are_locked_in_a_mount_namespace_that_is_joined() {
    let holder = in_user_namespace(Container::new()).sh("sleep 1000").started();
    let container = with_all_kinds(joins(in_user_namespace(Container::new()), &holder));
    let container = container.namespace("mount", Some(&path(&holder, "mnt")));
    assert_locked("user and mount namespace joined", attempt(&container));
}

/// The kernel copies no directory of a less privileged mount table without what covers parts of it.
#[test]
fn a_bind_of_a_directory_with_mounts_in_it_is_refused_in_a_user_namespace() {
    let container = with_all_kinds(in_user_namespace(Container::new())).edit(|config| {
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/plain");
    });
    let nest = container.dir.join("volumes/nest");
    let container =
        container.edit(|config| add_mount(config, "/plain", "bind", nest.to_str().unwrap(), &["bind"]));
    let err = attempt(&container).fails();
    assert!(err.contains("/volumes/nest") && err.contains("rbind"), "{err}");
    container.assert_gone();
}

/// Without a user namespace such a bind is what it always was.
#[test]
fn a_bind_of_a_directory_with_mounts_in_it_shows_it_without_them() {
    let container = Container::new().sh("ls /plain /plain/below");
    let nest = container.dir.join("volumes/nest");
    fs::create_dir_all(container.dir.join("volumes")).unwrap();
    let container =
        container.edit(|config| add_mount(config, "/plain", "bind", nest.to_str().unwrap(), &["bind"]));
    let out = attempt(&container).ok();
    assert!(out.starts_with("/plain:\nbelow\nfile\n\n/plain/below:\n"), "{out}");
}

/// systemd makes the host's /dev shared: what is mounted on a device of the container is the container's affair.
#[test]
fn a_mount_on_a_device_of_the_container_does_not_show_on_the_host() {
    let holder = in_user_namespace(Container::new()).sh("sleep 1000").started();
    for joined in [false, true] {
        let container = in_user_namespace(Container::new());
        let container = if joined { joins(container, &holder) } else { container };
        let container = container
            .edit(administrator)
            .edit(|config| without_mount(config, "/dev/mqueue"))
            .sh("for d in null zero tty; do mount --bind /bin/busybox /dev/$d && echo mounted; done");
        let ended = host_script(
            &container,
            "mkdir $BUNDLE/dev; mount --rbind /dev $BUNDLE/dev; mount -t tmpfs dev /dev
             for d in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 /dev/${d%:*} c 1 ${d#*:}; done
             mknod -m 666 /dev/tty c 5 0; mount --make-shared /dev
             $RR; stat -c '%n %F' /dev/null /dev/zero /dev/tty",
        );
        let out = ended.ok();
        let host = "/dev/null character special file\n/dev/zero character special file\n/dev/tty character special file\n";
        assert_eq!(out, format!("mounted\nmounted\nmounted\n{host}"), "joined: {joined}");
    }
}

/// The same for what comes to a container that runs.
#[test]
fn the_hosts_mount_flags_are_locked_in_what_is_added_later() {
    let container = in_user_namespace(Container::new());
    let container = with_all_kinds(container);
    let wait = format!("touch /tmp/ready; until [ -e /tmp/go ]; do sleep 0.05; done; {TRY}");
    let added = |mount: &serde_json::Value| {
        let place = mount["destination"].as_str().unwrap();
        ["/plain", "/deep", "/closed", "/mapped", "/option", "/file"].contains(&place)
    };
    let mut list = container.config["mounts"].clone();
    list.as_array_mut().unwrap().retain(added);
    fs::write(container.dir.join("list.json"), list.to_string()).unwrap();
    let container = container.sh(&wait).edit(|config| {
        config["mounts"].as_array_mut().unwrap().retain(|mount| !added(mount));
    });
    let script = format!(
        "V={}\n{VOLUMES}\nCOMMAND=${{RR%% run *}}; $RR &\n\
         until TMP=/proc/$($COMMAND state $ID 2>/dev/null | sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p')/root/tmp && \
         [ -e $TMP/ready ]; do sleep 0.05; done\n\
         $COMMAND mounts add $ID {} && $COMMAND exec $ID touch /tmp/go || $COMMAND kill $ID KILL; wait $!\n\
         echo '=== HOST'; cat $V/*/file $V/closed/inner/file; cat /proc/self/mountinfo",
        container.dir.join("volumes").display(),
        container.dir.join("list.json").display(),
    );
    assert_locked("mounts add", host_script(&container, &script));
}
