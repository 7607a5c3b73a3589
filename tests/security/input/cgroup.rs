//! Cgroup paths and keys that climb: GHSA-5g49-rx9x-qfc6, CVE-2023-25809.

use crate::canary::{Canary, in_user_namespace};
use crate::support::{Container, RRUNTIME, finish, wait_until};
use serde_json::json;
use std::path::Path;

#[test]
fn a_cgroup_path_that_climbs_is_refused() {
    let container = Container::new();
    let canary = Canary::of(&container);
    let climb = format!("../../../../../..{}", canary.text());
    let long = "a/".repeat(3000);
    for path in ["..", "/..", "/a/../../b", "../rr-sibling", &climb, "/", "", "/a\n/b", "//./", &long] {
        let container = Container::new().sh("echo INSIDE").edit(|config| {
            config["linux"]["cgroupsPath"] = path.into();
            config["linux"]["resources"]["pids"] = json!({"limit": 5});
        });
        let ended = container.run();
        // No path at all means one of our own making, which is no climb.
        assert!(path.is_empty() || ended.code != 0, "{path}: {}", ended.out);
        canary.assert_untouched(path);
        assert!(!container.state_root().join(&container.id).exists(), "{path}: {}", ended.err);
        container.assert_gone();
    }
    assert!(!Path::new("/sys/fs/cgroup/rr-sibling").exists());
}

#[test]
fn a_unified_key_names_a_file_of_the_containers_cgroup() {
    for key in [
        "../pids.max",
        "../../pids.max",
        "x/pids.max",
        "/sys/fs/cgroup/pids.max",
        "..",
        ".",
        "",
        "cgroup.procs",
        "cgroup.subtree_control/../pids.max",
        "pids.max\n",
        "cgroup.kill",
        "cgroup.type",
    ] {
        let container = Container::new().sh("echo INSIDE").edit(|config| {
            config["linux"]["resources"]["unified"] = json!({ key: "77" });
        });
        let ended = container.run();
        assert!(!ended.out.contains("INSIDE"), "{key:?}: {}", ended.err);
        container.assert_gone();
    }
}

#[test]
fn exec_into_a_cgroup_that_climbs_is_refused() {
    let container = Container::new().sh("sleep 1000").started();
    for path in ["..", "../..", "memory:..", "a/../../..", "/../.."] {
        let ended = container.call(&["exec", "--cgroup", path, &container.id, "echo", "INSIDE"]);
        assert!(!ended.out.contains("INSIDE"), "{path}");
        ended.fails();
    }
}

/// With a cgroup mount of any kind, and with or without a cgroup namespace, nothing of the host's is writable.
#[test]
fn the_hosts_cgroups_are_not_writable_from_a_user_namespace() {
    for own_namespace in [true, false] {
        let script = "for d in $(awk '$5 ~ \"^/sys/fs/cgroup\" {print $5}' /proc/self/mountinfo); do
                [ -e $d/cgroup.procs ] || continue
                mkdir $d/rr-intruder 2>/dev/null && echo ESCAPED $d && rmdir $d/rr-intruder
                (echo 0 > $d/cgroup.procs) 2>/dev/null && echo ESCAPED $d/cgroup.procs
            done; echo INSIDE";
        let mut container = in_user_namespace(Container::new().sh(script)).edit(|config| {
            let cgroup = json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                "options": ["nosuid", "noexec", "nodev", "relatime"]});
            config["mounts"].as_array_mut().unwrap().push(cgroup);
        });
        if !own_namespace {
            container = container.without_namespace("cgroup");
        }
        let ended = container.run();
        assert!(!ended.out.contains("ESCAPED"), "{}", ended.out);
        container.assert_gone();
    }
}

/// A container that may make cgroups of its own makes many, wide and deep: more than a process has descriptors for.
#[test]
fn a_container_with_countless_cgroups_can_be_listed_killed_and_deleted() {
    let script = "cd /sys/fs/cgroup; [ -d freezer ] && cd freezer
        i=0; while [ $i -lt 300 ]; do mkdir w$i; i=$((i + 1)); done
        i=0; while [ $i -lt 300 ]; do mkdir deep && cd -P deep || break; i=$((i + 1)); done
        echo 0 > cgroup.procs; touch /tmp/ready; sleep 1000";
    let container = with_cgroups_of_its_own().sh(script).started();
    wait_until("the groups are made", || container.rootfs().join("tmp/ready").exists());
    // As if there were ten times as many.
    let scarce = |args: &[&str]| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "ulimit -n 100; exec \"$@\"", "sh", RRUNTIME, "--root"]);
        finish({
            command.arg(container.state_root()).args(args).arg(&container.id);
            command
        })
    };
    assert!(scarce(&["ps"]).ok().contains(&container.pid().to_string()));
    scarce(&["pause"]).ok();
    scarce(&["resume"]).ok();
    scarce(&["kill", "--all"]).ok();
    scarce(&["delete", "--force"]).ok();
    container.assert_gone();
}

fn with_cgroups_of_its_own() -> Container {
    Container::new().namespace("cgroup", None).edit(|config| {
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| mount["type"] != "cgroup");
        mounts.push(json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
            "options": ["nosuid", "noexec", "nodev", "rw"]}));
    })
}

/// A process that is frozen on v1 does not even die.
#[test]
fn a_container_that_has_frozen_itself_can_be_ended() {
    for end in [&["kill", "--all"][..], &["kill"], &["delete", "--force"]] {
        // Where v2 freezes there is no freezer directory.
        let script = "cd /sys/fs/cgroup; [ -d freezer ] && cd freezer; mkdir -p a/b; cd a/b
            echo 0 > cgroup.procs; touch /tmp/ready
            [ -e freezer.state ] && echo FROZEN > freezer.state || echo 1 > cgroup.freeze; sleep 1000";
        let container = with_cgroups_of_its_own().sh(script).started();
        wait_until("the container is ready", || container.rootfs().join("tmp/ready").exists());
        let below = |file: &str| format!("a/b/{file}");
        let frozen = || match crate::support::is_v2() {
            true => container.cgroup_file("", &below("cgroup.events")).contains("frozen 1"),
            false => container.cgroup_file("freezer", &below("freezer.state")) == "FROZEN",
        };
        wait_until("it is frozen", frozen);
        let operands =
            [end, &[container.id.as_str()], if end[0] == "kill" { &["KILL"] } else { &[] }].concat();
        container.call(&operands).ok();
        if end[0] == "kill" {
            container.wait_for_status("stopped");
            container.call(&["delete", &container.id]).ok();
        }
        container.assert_gone();
    }
}
