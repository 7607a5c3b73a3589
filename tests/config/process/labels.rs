//! `process.apparmorProfile`, `process.selinuxLabel`, `linux.mountLabel` on a kernel that has such a module. What
//! happens on the others is in `program.rs`.

use crate::support::apparmor::{self, Profile};
use crate::support::{Container, Ended, finish};
use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::process::{Command, Stdio};

#[test]
fn a_program_and_what_exec_starts_are_confined_by_the_profile() {
    if let Some(reason) = Profile::impossible() {
        skip!("{reason}");
    }
    let container = Container::new();
    let profile = Profile::load(&format!("rruntime-test-{}", container.id), apparmor::CONTAINER);
    let confined = format!("{} (enforce)", profile.name);
    let look = "cat /proc/self/attr/current; cat /etc/group 2>/dev/null || echo denied";
    let container = container
        .edit(|c| c["process"]["apparmorProfile"] = profile.name.clone().into())
        .sh(&format!("{look}; sleep 1000"));
    fs::create_dir_all(container.rootfs().join("etc")).unwrap();
    fs::write(container.rootfs().join("etc/group"), "seen\n").unwrap();
    let container = container.started();
    assert_eq!(container.exec_sh(look).ok(), format!("{confined}\ndenied\n"));
    let first = fs::read_to_string(format!("/proc/{}/attr/current", container.pid())).unwrap();
    assert_eq!(first.trim(), confined);
    let unconfined = container.call(&["exec", "--apparmor", "unconfined", &container.id, "sh", "-c", look]);
    assert_eq!(unconfined.ok(), "unconfined\nseen\n");
    if crate::support::is_v2() {
        container.call(&["delete", "--force", &container.id]).ok();
        container.assert_gone();
    }
    // On cgroup v1 nothing else lets our signals through.
    drop(profile);
}

const LOOK: &str = "cat /proc/self/attr/current; cat /etc/group 2>/dev/null || echo denied";

/// A container that this profile confines; its root filesystem has the file that the profile forbids.
fn confined(profile: &Profile, no_new_privileges: bool) -> Container {
    let container = Container::new().sh(LOOK).edit(|c| {
        c["process"]["apparmorProfile"] = profile.name.clone().into();
        c["process"]["noNewPrivileges"] = no_new_privileges.into();
    });
    fs::write(container.rootfs().join("etc/group"), "seen\n").unwrap();
    container
}

#[test]
fn a_profile_holds_in_a_user_namespace_and_with_no_new_privileges() {
    if let Some(reason) = Profile::impossible() {
        skip!("{reason}");
    }
    let profile = Profile::load(&format!("rruntime-test-{}-u", std::process::id()), apparmor::CONTAINER);
    for no_new_privileges in [false, true] {
        let container = confined(&profile, no_new_privileges).namespace("user", None).edit(|c| {
            let map = serde_json::json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
            c["linux"]["uidMappings"] = map.clone();
            c["linux"]["gidMappings"] = map;
        });
        lchown(container.rootfs(), Some(100_000), Some(100_000)).unwrap();
        assert_eq!(fs::metadata(container.rootfs()).unwrap().uid(), 100_000);
        assert_eq!(container.run().ok(), format!("{} (enforce)\ndenied\n", profile.name));
        let container = container.sh("sleep 1000").started();
        assert_eq!(container.exec_sh(LOOK).ok(), format!("{} (enforce)\ndenied\n", profile.name));
    }
    drop(profile);
}

/// A runtime that a profile confines itself, as in a container: with no_new_privs the kernel allows only a profile on top.
#[test]
fn a_confined_runtime_stacks_the_profile_where_no_new_privileges_forbid_a_change() {
    if let Some(reason) = Profile::impossible() {
        skip!("{reason}");
    }
    let name = |part: &str| format!("rruntime-test-{}-{part}", std::process::id());
    let outer = Profile::load(&name("outer"), apparmor::RUNTIME);
    let inner = Profile::load(&name("inner"), apparmor::CONTAINER);
    let run = |no_new_privileges: bool, words: &[&str]| -> Ended {
        let container = confined(&inner, no_new_privileges);
        container.write_config();
        let mut command = Command::new("aa-exec");
        command.args(["-p", &outer.name, "--", crate::support::RRUNTIME, "--root"]);
        command.arg(container.state_root()).args(words).arg("--bundle").arg(container.bundle());
        finish({
            command.arg(&container.id).stdin(Stdio::null());
            command
        })
    };
    let text = run(true, &["run"]).ok();
    let label = text.lines().next().unwrap_or_default();
    assert!(label.contains(&outer.name) && label.contains("//&") && label.contains(&inner.name), "{text}");
    assert!(text.ends_with("\ndenied\n"), "{text}");
    assert_eq!(run(false, &["run"]).ok(), format!("{} (enforce)\ndenied\n", inner.name));
}

/// What Debian's policy, enforcing, forbids a process of container_t with two categories: a file of the host's, and one of
/// another container's. It writes what it finds into its own files: the caller's descriptors are not open to it either.
#[test]
fn selinux_denies_a_container_what_its_label_may_not() {
    if !fs::read_to_string("/sys/fs/selinux/enforce").is_ok_and(|mode| mode.trim() == "1") {
        skip!("SELinux does not enforce here");
    }
    let label = "system_u:system_r:container_t:s0:c1,c2";
    let file = |categories: &str| format!("system_u:object_r:container_file_t:s0:{categories}");
    if fs::write("/sys/fs/selinux/context", label).is_err() {
        skip!("this policy has no container_t");
    }
    let mark = |label: &str, path: &std::path::Path| {
        assert!(Command::new("chcon").args(["-R", label]).arg(path).status().unwrap().success());
    };
    for no_new_privileges in [false, true] {
        let look = "exec >/$0 2>&1; cat /proc/self/attr/current; echo; touch /dev/shm/x && echo wrote; cat /mine /other /host";
        let container =
            Container::new().args(&["sh", "-c", &format!("{look}; sleep 1000"), "first"]).edit(|c| {
                c["process"]["selinuxLabel"] = label.into();
                c["process"]["noNewPrivileges"] = no_new_privileges.into();
                c["linux"]["mountLabel"] = file("c1,c2").into();
            });
        let sources = [
            ("mine", file("c1,c2")),
            ("other", file("c3,c4")),
            ("host", "system_u:object_r:shadow_t:s0".to_owned()),
        ];
        let container = sources.iter().fold(container, |container, (name, label)| {
            let source = container.dir.join(name);
            fs::write(&source, format!("{name}\n")).unwrap();
            mark(label, &source);
            container.edit(|c| {
                let bind = serde_json::json!({"destination": format!("/{name}"), "source": source, "type": "bind",
                    "options": ["bind"]});
                c["mounts"].as_array_mut().unwrap().push(bind);
            })
        });
        for (name, _) in &sources {
            fs::write(container.rootfs().join(name), "").unwrap();
        }
        mark(&file("c1,c2"), &container.rootfs());
        let container = container.started();
        let said = |name: &str| fs::read_to_string(container.rootfs().join(name)).unwrap_or_default();
        let all = format!(
            "{label}\0\nwrote\nmine\ncat: can't open '/other': Permission denied\ncat: can't open '/host': Permission denied\n"
        );
        crate::support::wait_until("the first process has looked around", || {
            said("first").lines().count() > 4
        });
        assert_eq!(said("first"), all);
        container.call(&["exec", &container.id, "sh", "-c", look, "second"]);
        assert_eq!(said("second"), all);
    }
}

#[test]
fn a_program_and_its_file_systems_have_their_selinux_labels() {
    if !fs::exists("/sys/fs/selinux/enforce").unwrap_or(false) {
        skip!("this kernel has no SELinux");
    }
    // The caller's own is one that the policy knows, and may always be entered.
    let process = fs::read_to_string("/proc/self/attr/current").unwrap();
    let process = process.trim_end_matches(['\0', '\n', ' ']);
    let files = "system_u:object_r:tmpfs_t:s0";
    let container = Container::new()
        .edit(|c| {
            c["process"]["selinuxLabel"] = process.into();
            c["linux"]["mountLabel"] = files.into();
            c["linux"]["maskedPaths"] = serde_json::json!(["/masked"]);
            let mqueue =
                serde_json::json!({"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue"});
            c["mounts"].as_array_mut().unwrap().push(mqueue);
        })
        .sh("sleep 1000");
    fs::create_dir(container.rootfs().join("masked")).unwrap();
    let container = container.started();
    let inside = container.exec_sh("cat /proc/self/attr/current").ok();
    assert_eq!(inside.trim_end_matches(['\0', '\n', ' ']), process);
    for directory in ["/dev", "/dev/mqueue", "/masked"] {
        let mut stat = Command::new("stat");
        stat.args(["-c", "%C"]).arg(format!("/proc/{}/root{directory}", container.pid()));
        assert_eq!(finish(stat).ok(), format!("{files}\n"), "{directory}");
    }
}
