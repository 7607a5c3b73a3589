//! `mounts add` and `mounts remove`, as crun has them.

use crate::mounts::in_user_namespace;
use crate::support::mountinfo::{all_mounts, mount_at};
use crate::support::{Container, Ended, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

pub const STAY: &str = "while :; do sleep 60; done";

/// `mounts VERB` with this list.
pub fn mounts(container: &Container, verb: &str, list: Value) -> Ended {
    let file = container.dir.join("mounts.json");
    fs::write(&file, list.to_string()).unwrap();
    container.call(&["mounts", verb, &container.id, file.to_str().unwrap()])
}

pub fn mountinfo(container: &Container) -> String {
    container.exec_sh("cat /proc/self/mountinfo").ok()
}

fn points(container: &Container) -> Vec<String> {
    all_mounts(&mountinfo(container)).into_iter().map(|mount| mount.point).collect()
}

/// A directory beside the bundle, with a file in it.
fn source(container: &Container) -> PathBuf {
    let directory = container.dir.join("source");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("text"), "from the host").unwrap();
    directory
}

#[test]
fn file_systems_and_binds_come_and_go() {
    let container = Container::new().sh(STAY).started();
    let source = source(&container);
    let list = json!([
        {"destination": "/scratch/deep", "type": "tmpfs", "source": "mine", "options": ["size=1m", "nosuid", "ro"]},
        {"destination": "/data", "type": "bind", "source": source, "options": ["rbind", "ro", "nodev"]},
        {"destination": "/file", "type": "bind", "source": source.join("text"), "options": ["bind"]},
    ]);
    assert_eq!(mounts(&container, "add", list.clone()).ok(), "");
    let table = mountinfo(&container);
    let scratch = mount_at(&table, "/scratch/deep");
    assert!(
        scratch.kind == "tmpfs" && scratch.source == "mine" && scratch.has("ro") && scratch.has("nosuid")
    );
    assert!(scratch.superblock.iter().any(|option| option == "size=1024k"), "{scratch:?}");
    let data = mount_at(&table, "/data");
    assert!(data.has("ro") && data.has("nodev"), "{data:?}");
    assert_eq!(container.exec_sh("cat /data/text /file").ok(), "from the hostfrom the host");
    assert_eq!(mounts(&container, "remove", list).ok(), "");
    let left = points(&container);
    assert!(!left.iter().any(|point| ["/scratch/deep", "/data", "/file"].contains(&&**point)), "{left:?}");
    assert!(source.join("text").exists());
}

#[test]
fn a_proc_that_is_added_shows_the_containers_processes() {
    let container = Container::new().sh(STAY).started();
    mounts(&container, "add", json!([{"destination": "/more/proc", "type": "proc", "source": "proc"}])).ok();
    assert_eq!(container.exec_sh("cat /more/proc/1/comm").ok(), "sh\n");
    let list = json!([
        {"destination": "/more/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
        {"destination": "/more/queue", "type": "mqueue", "source": "mqueue"},
        {"destination": "/more/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "mode=600"]},
    ]);
    mounts(&container, "add", list).ok();
    let table = mountinfo(&container);
    assert_eq!(mount_at(&table, "/more/sys").kind, "sysfs");
    assert_eq!(mount_at(&table, "/more/queue").kind, "mqueue");
    assert!(mount_at(&table, "/more/pts").superblock.iter().any(|option| option == "mode=600"));
    assert_eq!(container.exec_sh("ls /more/sys/class/net").ok(), "lo\n");
}

#[test]
fn a_container_that_is_created_gets_its_mounts_before_it_starts() {
    let container = Container::new().sh("cat /proc/self/mountinfo > /root/seen");
    container.create();
    mounts(&container, "add", json!([{"destination": "/early", "type": "tmpfs", "source": "x"}])).ok();
    container.start().ok();
    container.wait_for_status("stopped");
    let seen = fs::read_to_string(container.rootfs().join("root/seen")).unwrap();
    assert_eq!(mount_at(&seen, "/early").kind, "tmpfs");
}

#[test]
fn options_of_what_is_added_are_those_of_the_config() {
    let container = Container::new().sh(STAY).started();
    let source = source(&container);
    fs::write(container.rootfs().join("etc/kept"), "kept\n").unwrap();
    let list = json!([
        {"destination": "/data", "type": "bind", "source": source, "options": ["rbind", "rro", "rnoexec", "rshared"]},
        {"destination": "/etc", "type": "tmpfs", "source": "x", "options": ["tmpcopyup"]},
        {"destination": "/plain", "type": "tmpfs", "source": "x", "options": ["rro", "private"]},
    ]);
    mounts(&container, "add", list).ok();
    let table = mountinfo(&container);
    let data = mount_at(&table, "/data");
    assert!(data.has("ro") && data.has("noexec"), "{data:?}");
    assert!(data.propagation.iter().any(|word| word.starts_with("shared:")), "{data:?}");
    assert!(mount_at(&table, "/plain").has("ro"));
    assert_eq!(container.exec_sh("cat /etc/kept").ok(), "kept\n");
}

#[test]
fn all_or_none_are_added() {
    let container = Container::new().sh(STAY).started();
    let source = source(&container);
    let before = mountinfo(&container);
    let list = json!([
        {"destination": "/one", "type": "tmpfs", "source": "x"},
        {"destination": "/two", "type": "bind", "source": source, "options": ["rbind"]},
        {"destination": "/one/below", "type": "bind", "source": source.join("text"), "options": ["bind"]},
        {"destination": "/three", "type": "tmpfs", "source": "x", "options": ["nonsense=1"]},
    ]);
    let err = mounts(&container, "add", list).fails();
    assert!(err.contains("/3") && err.contains("nonsense") && !err.contains("/mounts/"), "{err}");
    assert_eq!(mountinfo(&container), before);
    let list = json!([{"destination": "/one"}, {"destination": "/two"}]);
    let tmpfs = |at: &str| json!([{"destination": at, "type": "tmpfs", "source": "x"}]);
    mounts(&container, "add", tmpfs("/one")).ok();
    let err = mounts(&container, "remove", list.clone()).fails();
    assert!(err.contains("/1/destination = ") && err.contains("/two"), "{err}");
    assert!(points(&container).contains(&"/one".to_owned()));
    // Both are known now, and one has gone another way.
    mounts(&container, "add", tmpfs("/two")).ok();
    let unmount = ["--namespace", &container.pid().to_string(), "/two"].map(str::to_owned);
    assert!(std::process::Command::new("umount").args(unmount).status().unwrap().success());
    let err = mounts(&container, "remove", list).fails();
    assert!(err.contains("/1 = ") && err.contains("nothing is mounted there"), "{err}");
    assert!(points(&container).contains(&"/one".to_owned()));
}

#[test]
fn what_is_wrong_with_a_mount_is_told_by_its_place_in_the_file() {
    let container = Container::new().sh(STAY).started();
    let before = mountinfo(&container);
    for (list, place, word) in [
        (json!([{"destination": "", "type": "tmpfs"}]), "/0/destination", "empty"),
        (json!([{"destination": "/x"}]), "/0/type", "missing"),
        (
            json!([{"destination": "/x", "type": "bind", "source": "/no/such/source"}]),
            "/0/source",
            "no such file",
        ),
        (json!([{"destination": "/x", "type": 7}]), "/0/type", "must be a string"),
        (
            json!([{"destination": "/x", "type": "tmpfs"}, {"destination": "/", "type": "tmpfs"}]),
            "/1/destination",
            "root",
        ),
        (
            json!([{"destination": "/x", "type": "tmpfs", "options": ["remount", "rw"]}]),
            "/0/options",
            "cannot be changed",
        ),
        (json!([{"destination": "/x", "type": "ext4", "source": "/dev/vda"}]), "/0/type", "ext4"),
        (json!([{"destination": "/proc/sys", "type": "tmpfs"}]), "/0/destination", "fake"),
        (
            json!([{"destination": "/x", "type": "bind", "source": "/", "options": ["idmap"]}]),
            "/0",
            "mapping",
        ),
        (json!({"mounts": []}), "", "array"),
    ] {
        let err = mounts(&container, "add", list.clone()).fails();
        assert!(err.contains(place) && err.contains(word) && err.contains("mounts.json"), "{list}: {err}");
        assert_eq!(mountinfo(&container), before, "{list}");
    }
}

/// As mount(8) does it, but not without a word.
#[test]
fn what_covers_another_mount_is_made_and_told() {
    let container = Container::new().sh(STAY).started();
    let tmpfs = |place: &str| json!([{"destination": place, "type": "tmpfs"}]);
    let told = |list: serde_json::Value, what: &str| {
        let said = mounts(&container, "add", list.clone());
        assert_eq!(said.code, 0, "{said:?}");
        let warned = said.err.contains("level=warning") && said.err.contains("mounts remove");
        assert!(
            if what.is_empty() { said.err.is_empty() } else { warned && said.err.contains(what) },
            "{list}: {said:?}"
        );
    };
    told(tmpfs("/mnt/a"), "");
    let before = mountinfo(&container);
    told(tmpfs("/mnt/./a/"), "covers what `mounts add` has mounted here before");
    told(tmpfs("/dev/shm"), "covers the mount of the container's config");
    told(json!([tmpfs("/mnt/b")[0], tmpfs("/mnt/b")[0]]), "/1/destination");
    for list in [tmpfs("/mnt/b"), tmpfs("/mnt/b"), tmpfs("/dev/shm"), tmpfs("/mnt/a")] {
        mounts(&container, "remove", list).ok();
    }
    assert_eq!(mountinfo(&container), before);
}

/// Only what `mounts add` has mounted is removed, and for the rest there is a command.
#[test]
fn what_was_not_added_stays() {
    let container = Container::new()
        .edit(|c| c["linux"]["maskedPaths"] = json!(["/proc/kcore", "/sys/firmware"]))
        .sh(STAY)
        .started();
    container.exec_sh("ln -s /proc/kcore /link; ln -s / /out; mkdir /plain").ok();
    let before = mountinfo(&container);
    let paths =
        ["/", "/plain", "/missing", "/link", "/out/proc", "/proc/kcore", "/sys/../sys/firmware/", "/dev/shm"];
    for path in paths {
        let err = mounts(&container, "remove", json!([{"destination": path}])).fails();
        assert!(err.contains("mounts.json: /0/destination"), "{path}: {err}");
        assert!(err.contains("umount --namespace"), "{path}: {err}");
        assert_eq!(mountinfo(&container), before, "{path}");
    }
    let err = mounts(&container, "remove", json!([{"destination": ""}])).fails();
    assert!(err.contains("/0/destination") && err.contains("empty"), "{err}");
    // The command that the message names.
    let err = mounts(&container, "remove", json!([{"destination": "/dev/shm"}])).fails();
    let command = &err[err.find("umount --namespace").unwrap()..err.find(')').unwrap()];
    let words: Vec<&str> = command.split(' ').collect();
    assert!(std::process::Command::new(words[0]).args(&words[1..]).status().unwrap().success());
    assert!(!points(&container).contains(&"/dev/shm".to_owned()));
}

#[test]
fn what_was_added_is_removed_under_the_same_words() {
    let container = Container::new().sh(STAY).started();
    container.exec_sh("mkdir -p /run/here; ln -s run /var; ln -s here /run/link; ln -s /nowhere /kept").ok();
    let file = container.dir.join("file");
    fs::write(&file, "").unwrap();
    let list = json!([
        {"destination": "/var/link", "type": "tmpfs", "source": "x"},
        {"destination": "/var/link/deep", "type": "tmpfs", "source": "x"},
        {"destination": "/kept", "type": "bind", "source": file, "options": ["bind", "dest-nofollow"]},
    ]);
    let before = mountinfo(&container);
    mounts(&container, "add", list.clone()).ok();
    assert_ne!(mountinfo(&container), before);
    mounts(&container, "remove", list.clone()).ok();
    assert_eq!(mountinfo(&container), before);
    // They are forgotten, too.
    let err = mounts(&container, "remove", list).fails();
    assert!(err.contains("/0/destination"), "{err}");
}

#[test]
fn what_another_version_has_added_is_not_removed() {
    let container = Container::new().sh(STAY).started();
    let list = json!([{"destination": "/x", "type": "tmpfs", "source": "x"}]);
    mounts(&container, "add", list.clone()).ok();
    let path = container.state_root().join(&container.id).join("state.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(record.as_object_mut().unwrap().remove("mounts").is_some());
    fs::write(&path, record.to_string()).unwrap();
    let err = mounts(&container, "remove", list).fails();
    assert!(err.contains("umount --namespace"), "{err}");
    assert!(points(&container).contains(&"/x".to_owned()));
}

#[test]
fn in_a_user_namespace_the_containers_root_owns_what_is_added() {
    let container = in_user_namespace(Container::new().sh(STAY)).started();
    let source = source(&container);
    let list = json!([
        {"destination": "/scratch", "type": "tmpfs", "source": "x"},
        {"destination": "/data", "type": "bind", "source": source, "options": ["rbind"]},
        {"destination": "/mapped", "type": "bind", "source": source, "options": ["rbind", "idmap"]},
    ]);
    mounts(&container, "add", list).ok();
    let out = container.exec_sh("stat -c %u /scratch /data /mapped; touch /scratch/mine /mapped/mine").ok();
    assert_eq!(out, "0\n65534\n0\n");
    mounts(&container, "remove", json!([{"destination": "/scratch"}, {"destination": "/data"}])).ok();
    assert!(!points(&container).contains(&"/scratch".to_owned()));
}

/// What the host has mounted read-only stays so in a user namespace, whose root could otherwise remount it.
#[test]
fn the_hosts_flags_are_locked_in_a_user_namespace() {
    let container = in_user_namespace(Container::new().sh(STAY));
    let source = source(&container);
    let directory = source.to_str().unwrap();
    container.write_config();
    let base = format!("{} --root {}", crate::support::RRUNTIME, container.state_root().display());
    let list = json!([{"destination": "/data", "type": "bind", "source": directory, "options": ["rbind"]}]);
    let file = container.dir.join("list.json");
    fs::write(&file, list.to_string()).unwrap();
    let script = format!(
        "mount --bind {directory} {directory}; mount -o remount,bind,ro {directory}
         {base} run -d --bundle {bundle} {id} < /dev/null > /dev/null 2>&1
         {base} mounts add {id} {file}
         {base} exec {id} sh -c 'mount -o remount,bind,rw /data; touch /data/new && echo WRITTEN; grep /data /proc/self/mountinfo'",
        bundle = container.bundle().display(),
        id = container.id,
        file = file.display(),
    );
    let mut command = std::process::Command::new("unshare");
    command.args(["-m", "sh", "-ec", &script]).stdin(std::process::Stdio::null());
    let ended = crate::support::finish(command);
    assert!(mount_at(&ended.out, "/data").has("ro"), "{ended:?}");
    assert!(!ended.out.contains("WRITTEN"), "{ended:?}");
    assert!(!source.join("new").exists());
}

#[test]
fn a_paused_and_a_stopped_container_say_why_not() {
    let container = Container::new().sh(STAY).started();
    let list = || json!([{"destination": "/x", "type": "tmpfs", "source": "x"}]);
    container.call(&["pause", &container.id]).ok();
    for verb in ["add", "remove"] {
        let err = mounts(&container, verb, list()).fails();
        assert!(err.contains("paused") && err.contains("resume"), "{err}");
    }
    container.call(&["resume", &container.id]).ok();
    container.call(&["kill", &container.id, "KILL"]).ok();
    wait_until("the container ends", || container.status() == "stopped");
    for verb in ["add", "remove"] {
        assert!(mounts(&container, verb, list()).fails().contains("stopped container"));
    }
    let err = container.call(&["mounts", "add", "no-such-id", "/dev/null"]).fails();
    assert!(err.contains("does not exist"), "{err}");
    let err = container.call(&["mounts", "change", &container.id, "/dev/null"]).fails();
    assert!(err.contains("mounts add ID FILE"), "{err}");
}

#[test]
fn nothing_of_what_is_added_shows_on_the_host() {
    let container = Container::new().sh(STAY).started();
    mounts(&container, "add", json!([{"destination": "/x", "type": "tmpfs", "source": "shown"}])).ok();
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!table.contains("shown"), "{table}");
}
