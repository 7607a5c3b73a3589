//! Files of a checkpoint that say more than the config of the bundle: none of it is done. A container is written under one
//! config and restored under a stricter one, as if its files had been changed to say what the first allowed.

use super::{checkpoint, counting, images, needs_criu, restore, running, started};
use crate::support::Container;
use crate::support::leftovers::assert_nothing_left;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

/// What `restore` says of a container that was written under `wide`; nothing of it is left.
#[track_caller]
fn refused(wide: impl FnOnce(&mut Value), narrow: impl FnOnce(&mut Value)) -> String {
    let container = started(counting().edit(wide));
    checkpoint(&container, &[]).ok();
    let container = container.edit(narrow);
    container.write_config();
    let said = restore(&container, &[]).fails();
    assert_nothing_left(&container);
    said
}

fn capabilities(config: &mut Value, names: &[&str]) {
    for set in ["bounding", "effective", "permitted"] {
        config["process"]["capabilities"][set] = names.into();
    }
}

#[test]
fn rights_beyond_the_config_are_refused_before_a_process_goes_on() {
    needs_criu!();
    let few = |config: &mut Value| capabilities(config, &["CAP_KILL", "CAP_SETUID"]);
    let said = refused(|config| capabilities(config, &["CAP_KILL", "CAP_SETUID", "CAP_NET_RAW"]), few);
    assert!(said.contains("capabilities beyond its config"), "{said}");
    let said = refused(
        |config| config["process"]["noNewPrivileges"] = false.into(),
        |config| config["process"]["noNewPrivileges"] = true.into(),
    );
    assert!(said.contains("may gain privileges"), "{said}");
    let said = refused(
        |config| config["linux"]["seccomp"] = Value::Null,
        |config| {
            config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["kexec_load"], "action": "SCMP_ACT_ERRNO"}
            ]});
        },
    );
    assert!(said.contains("a process without a filter"), "{said}");
    let said = refused(profile(&["mount"]), profile(&["mount", "kexec_load"]));
    assert!(said.contains("a filter that stops less"), "{said}");
    let quiet = |config: &mut Value| {
        capabilities(config, &["CAP_KILL"]);
        config["process"]["noNewPrivileges"] = true.into();
    };
    let said = refused(quiet, |config| {
        quiet(config);
        config["process"]["user"]["uid"] = 1000.into();
    });
    assert!(said.contains("another user"), "{said}");
    let with = |pointer: &'static str, value: Value| {
        move |config: &mut Value| {
            quiet(config);
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            config.pointer_mut(parent).unwrap()[name] = value;
        }
    };
    for (pointer, wide, narrow, words) in [
        ("/process/user/additionalGids", json!([7, 8]), json!([7]), "another user"),
        ("/process/oomScoreAdj", json!(0), json!(500), "a score beyond its config"),
        (
            "/process/scheduler",
            Value::Null,
            json!({"policy": "SCHED_OTHER", "nice": 19}),
            "a priority beyond",
        ),
    ] {
        let said = refused(with(pointer, wide), with(pointer, narrow));
        assert!(said.contains(words), "{pointer}: {said}");
    }
}

/// A filter that refuses these calls.
fn profile(names: &'static [&'static str]) -> impl FnOnce(&mut Value) + Clone {
    move |config| {
        config["process"]["noNewPrivileges"] = true.into();
        config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": names, "action": "SCMP_ACT_ERRNO"}
        ]});
    }
}

#[test]
fn a_filter_that_stops_as_much_passes_whatever_its_program() {
    needs_criu!();
    // Restored twice: a file that it had open, the first one would have renamed.
    let container = Container::new().sh("sleep 1000");
    let mut container = running(container.edit(profile(&["mount", "kexec_load"])));
    checkpoint(&container, &[]).ok();
    for names in [&["mount", "kexec_load"][..], &["kexec_load"]] {
        container = container.edit(profile(names));
        container.write_config();
        restore(&container, &[]).ok();
        container.call(&["delete", "--force", &container.id]).ok();
    }
}

#[test]
fn mounts_that_the_config_does_not_have_are_refused() {
    needs_criu!();
    let volume = std::env::temp_dir().join(format!("rr-hostile-{}", std::process::id()));
    fs::create_dir_all(&volume).unwrap();
    let source = volume.to_str().unwrap();
    let bind = |options: &[&str]| {
        let mount = json!({"destination": "/data", "source": source, "options": options});
        move |config: &mut Value| config["mounts"].as_array_mut().unwrap().push(mount)
    };
    let change = |key: &'static str, value: Value| {
        move |config: &mut Value| config["mounts"].as_array_mut().unwrap().last_mut().unwrap()[key] = value
    };
    let said = refused(bind(&["bind", "rw"]), change("options", json!(["bind", "ro"])));
    assert!(said.contains("not ro at /data"), "{said}");
    let said = refused(bind(&["bind", "rw"]), |config| {
        config["mounts"].as_array_mut().unwrap().pop();
    });
    assert!(said.contains("a mount that its config does not have at /data"), "{said}");
    let said = refused(
        |config| config["linux"]["maskedPaths"] = json!([]),
        |config| config["linux"]["maskedPaths"] = json!(["/proc/keys"]),
    );
    assert!(said.contains("no mount, although its config has one at /proc/keys"), "{said}");
    let said = refused(
        |config| config["root"]["readonly"] = false.into(),
        |config| config["root"]["readonly"] = true.into(),
    );
    assert!(said.contains("not ro at /"), "{said}");
    fs::remove_dir_all(volume).unwrap();
}

#[test]
fn options_of_file_systems_are_the_configs() {
    needs_criu!();
    let with = |destination: &'static str, options: &[&str]| {
        let options = json!(options);
        move |config: &mut Value| {
            let mounts = config["mounts"].as_array_mut().unwrap();
            let mount = mounts.iter_mut().find(|mount| mount["destination"] == destination).unwrap();
            mount["options"] = options;
        }
    };
    for (destination, wide, narrow, words) in [
        ("/proc", &["nosuid"][..], &["nosuid", "hidepid=2"][..], "without hidepid="),
        ("/dev/shm", &["size=2m"], &["size=1m"], "with size=2048k"),
        ("/dev/shm", &[], &["nr_inodes=10"], "without nr_inodes=10"),
    ] {
        let said = refused(with(destination, wide), with(destination, narrow));
        assert!(said.contains(words) && said.contains(destination), "{words}: {said}");
    }
    // What is less than the config's does no harm.
    let container = started(counting().edit(with("/dev/shm", &["size=1m"])));
    checkpoint(&container, &[]).ok();
    let container = container.edit(with("/dev/shm", &["size=2m"]));
    container.write_config();
    restore(&container, &[]).ok();
}

#[test]
fn namespaces_are_the_configs() {
    needs_criu!();
    // Written in the host's network, to be restored in one of its own; and the other way round.
    let without = |config: &mut Value| {
        config["linux"]["namespaces"].as_array_mut().unwrap().retain(|namespace| namespace["type"] != "ipc");
    };
    let with = |config: &mut Value| {
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "ipc"}));
    };
    for said in [refused(without, with), refused(|_| (), without)] {
        assert!(said.contains("ipc namespace"), "{said}");
    }
}

#[test]
fn images_are_plain_files_and_the_log_is_written_to_no_other_file() {
    needs_criu!();
    let container = started(counting());
    checkpoint(&container, &[]).ok();
    let directory = images(&container);
    let victim = container.dir.join("victim");
    fs::write(&victim, "as it was").unwrap();
    for log in ["restore.log", "stats-restore"] {
        // There may be none yet.
        let _ = fs::remove_file(directory.join(log));
        symlink(&victim, directory.join(log)).unwrap();
    }
    restore(&container, &[]).ok();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "as it was");
    container.call(&["delete", "--force", &container.id]).ok();

    let image = directory.join("pages-1.img");
    let away = container.dir.join("pages");
    fs::rename(&image, &away).unwrap();
    symlink(&away, &image).unwrap();
    let said = restore(&container, &[]).fails();
    assert!(said.contains("pages-1.img") && said.contains("plain files"), "{said}");
    fs::remove_file(&image).unwrap();
    fs::rename(&away, &image).unwrap();
    // The images that a dump builds on lie beside it, and nowhere else.
    for (target, reason) in [("/etc", "builds on"), ("../../..", "builds on"), ("../images", "circle")] {
        symlink(target, directory.join("parent")).unwrap();
        let said = restore(&container, &[]).fails();
        assert!(said.contains(reason), "{target}: {said}");
        fs::remove_file(directory.join("parent")).unwrap();
    }
    for words in ["{", "[1]", "{\"a\":1}"] {
        fs::write(directory.join("descriptors.json"), words).unwrap();
        let said = restore(&container, &[]).fails();
        assert!(said.contains("descriptors.json is damaged"), "{words}: {said}");
    }
    assert_nothing_left(&container);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_dump_writes_to_files_of_its_own() {
    needs_criu!();
    let container = started(counting());
    let (directory, work) = (images(&container), container.dir.join("logs"));
    let work_path = ["--leave-running", "--work-path", work.to_str().unwrap()];
    checkpoint(&container, &work_path).ok();
    assert_eq!((mode(&directory), mode(&work)), (0o700, 0o700), "what is made is for root alone");
    let victim = |name: &str| {
        let path = container.dir.join(name);
        fs::write(&path, "as it was").unwrap();
        path
    };
    let victims = [victim("one"), victim("two"), victim("three")];
    for name in ["inventory.img", "pages-1.img", "core-1.img", "files.img", "descriptors.json"] {
        fs::remove_file(directory.join(name)).unwrap();
    }
    symlink(&victims[0], directory.join("inventory.img")).unwrap();
    fs::hard_link(&victims[1], directory.join("pages-1.img")).unwrap();
    symlink(&victims[2], directory.join("descriptors.json")).unwrap();
    symlink("..", directory.join("parent")).unwrap();
    for name in ["core-1.img", "files.img"] {
        assert!(Command::new("mkfifo").arg(directory.join(name)).status().unwrap().success());
    }
    checkpoint(&container, &[]).ok();
    for path in &victims {
        assert_eq!(fs::read_to_string(path).unwrap(), "as it was", "{path:?}");
    }
    restore(&container, &[]).ok();

    // Who may write there could make a link at any moment.
    for change in [&["chmod", "0777"], &["chown", "1000"], &["chmod", "1777"]] {
        for changed in [&directory, &work] {
            let apply = |change: &[&str]| {
                assert!(Command::new(change[0]).arg(change[1]).arg(changed).status().unwrap().success());
            };
            apply(change);
            let said = checkpoint(&container, &work_path).fails();
            assert!(said.contains("another user can write") && said.contains("-path"), "{change:?}: {said}");
            apply(&["chown", "0"]);
            apply(&["chmod", "0700"]);
        }
    }
    assert_eq!(container.status(), "running");
}

#[test]
fn an_annotation_names_no_configuration_of_criu_unless_it_is_allowed() {
    needs_criu!();
    let container = counting();
    let (script, ran) = (container.dir.join("script.sh"), container.dir.join("ran"));
    fs::write(&script, format!("#!/bin/sh\ntouch {}\n", ran.display())).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let file = container.dir.join("criu.conf");
    fs::write(&file, format!("action-script {}\n", script.display())).unwrap();
    let annotate =
        |config: &mut Value| config["annotations"]["org.criu.config"] = file.to_str().unwrap().into();
    let container = started(container.edit(annotate));
    checkpoint(&container, &["--leave-running"]).ok();
    assert!(!ran.exists(), "an image's annotation has run a program");
    checkpoint(&container, &["--leave-running", "--criu-config", file.to_str().unwrap()]).ok();
    assert!(ran.exists(), "the option was not heard");
    container.call(&["delete", "--force", &container.id]).ok();
    fs::remove_file(&ran).unwrap();
    let container = started(container.allowing("org.criu.config"));
    checkpoint(&container, &["--leave-running"]).ok();
    assert!(ran.exists(), "the caller has allowed it");
    fs::remove_file(&file).unwrap();
    let said = checkpoint(&container, &[]).fails();
    assert!(said.contains("/annotations/org.criu.config") && said.contains("no such file"), "{said}");
}
