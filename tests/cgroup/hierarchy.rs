//! The rules of a v2 tree, as a container meets them: groups of threads, parents in use, delegation, and a kernel without
//! cgroup.kill.

use crate::support::{Container, finish, is_v2, limited, missing, of_the_v2_side};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A group at the top of the tree that is ours, and goes with what is below it.
struct Group(PathBuf);

impl Group {
    /// Named after the container, so that it is known whose it was.
    fn of(container: &Container) -> Group {
        let dir = Path::new("/sys/fs/cgroup").join(format!("{}-above", container.id));
        fs::create_dir(&dir).unwrap();
        Group(dir)
    }

    fn path(&self, below: &str) -> String {
        format!("/{}/{below}", self.0.file_name().unwrap().to_str().unwrap())
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap_or_else(|e| panic!("{file} = {text}: {e}"));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..100 {
            for name in ["a/b", "a", "threads", "box", ""] {
                // What is in use goes in a later round.
                let _ = fs::remove_dir(self.0.join(name));
            }
            if !self.0.exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        eprintln!("left behind: {}", self.0.display());
    }
}

/// A process in a group, ended with this.
struct Inhabitant(Child);

impl Inhabitant {
    fn of(group: &Group) -> Inhabitant {
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        group.write("cgroup.procs", &child.id().to_string());
        Inhabitant(child)
    }
}

impl Drop for Inhabitant {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A container in a group below this one.
fn below(group: &Group, resources: Value, script: &str) -> Container {
    limited(resources).sh(script).edit(|c| c["linux"]["cgroupsPath"] = group.path("box").into())
}

#[test]
fn below_a_group_of_threads_a_container_is_one_too_and_has_no_memory_limit() {
    if !is_v2() {
        crate::skip!("groups of threads are cgroup v2's");
    }
    let named = Container::new();
    let group = Group::of(&named);
    fs::create_dir(group.0.join("threads")).unwrap();
    group.write("threads/cgroup.type", "threaded");
    let type_of = |name: &str| fs::read_to_string(group.0.join(name).join("cgroup.type")).unwrap();
    let running = below(&group, json!({}), "sleep 1000").started();
    assert_eq!(type_of("box"), "threaded\n");
    assert_eq!(running.exec_sh("echo entered").ok(), "entered\n");
    running.call(&["delete", "--force", &running.id]).ok();
    assert!(!group.0.join("box").exists());
    if missing("pids").is_none() {
        let container = below(&group, json!({"pids": {"limit": 7}}), "cat /sys/fs/cgroup/pids.max");
        assert_eq!(container.run().ok(), "7\n");
    }
    if missing("memory").is_none() {
        let ended = below(&group, json!({"memory": {"limit": 67_108_864}}), "echo INSIDE").run();
        assert_eq!(ended.out, "");
        let error = ended.fails();
        assert!(error.contains("/linux/resources/memory/limit") && error.contains("67108864"), "{error}");
        assert!(error.contains("thread"), "{error}");
        assert!(!group.0.join("box").exists(), "the group is taken back");
    }
}

#[test]
fn below_a_group_with_processes_a_container_runs_and_a_limit_is_refused_by_its_field() {
    if !is_v2() {
        crate::skip!("the rule is cgroup v2's");
    }
    let named = Container::new();
    let group = Group::of(&named);
    let _inhabitant = Inhabitant::of(&group);
    assert_eq!(below(&group, json!({}), "echo inside").run().ok(), "inside\n");
    if missing("memory").is_none() {
        let ended = below(&group, json!({"memory": {"limit": 67_108_864}}), "echo INSIDE").run();
        assert_eq!(ended.out, "");
        let error = ended.fails();
        assert!(error.contains("/linux/resources/memory/limit"), "{error}");
        assert!(error.contains("the parent cgroup has processes"), "{error}");
        assert!(!group.0.join("box").exists(), "the group is taken back");
    }
}

#[test]
fn every_group_on_the_way_down_hands_down_what_the_limits_need() {
    needs!("pids", "memory");
    if !is_v2() {
        crate::skip!("on cgroup v1 nothing is handed down");
    }
    let named = Container::new();
    let group = Group::of(&named);
    let resources = json!({"pids": {"limit": 9}, "memory": {"limit": 67_108_864}});
    let container =
        below(&group, resources, "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max; sleep 1000")
            .edit(|c| c["linux"]["cgroupsPath"] = group.path("a/b/box").into());
    let container = container.started();
    let read = |file: &str| fs::read_to_string(group.0.join(file)).unwrap();
    assert_eq!((read("a/b/box/pids.max"), read("a/b/box/memory.max")), ("9\n".into(), "67108864\n".into()));
    for file in ["cgroup.subtree_control", "a/cgroup.subtree_control", "a/b/cgroup.subtree_control"] {
        let given = read(file);
        assert!(given.contains("pids") && given.contains("memory"), "{file}: {given}");
    }
    assert_eq!(read("a/b/box/cgroup.subtree_control").trim(), "", "the container's own is its own affair");
    container.call(&["delete", "--force", &container.id]).ok();
    assert!(!group.0.join("a/b/box").exists());
}

/// Where the tree is mounted with nsdelegate, a cgroup namespace is a border that limits do not cross.
#[test]
fn a_container_with_a_writable_tree_makes_groups_and_leaves_its_own_limit_alone() {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    if !mounts.lines().any(|line| line.contains(" /sys/fs/cgroup cgroup2 ") && line.contains("nsdelegate")) {
        crate::skip!("the tree of cgroup v2 is not mounted with nsdelegate");
    }
    needs!("pids");
    let script = "cd /sys/fs/cgroup; echo max >pids.max; cat pids.max; \
        mkdir init part && echo $$ >init/cgroup.procs && echo +pids >cgroup.subtree_control && \
        echo 3 >part/pids.max && cat part/pids.max; echo 100 >part/pids.max && cat part/pids.max";
    let container = limited(json!({"pids": {"limit": 20}})).sh(script).edit(|c| {
        for mount in c["mounts"].as_array_mut().unwrap() {
            if mount["type"] == "cgroup" {
                mount["options"] = json!(["rw", "nosuid", "nodev", "noexec"]);
            }
        }
    });
    let ended = container.run();
    assert_eq!(ended.out, "20\n3\n100\n", "{ended:?}");
    assert!(ended.err.contains("not permitted"), "{ended:?}");
    container.assert_gone();
}

/// Before Linux 5.14 there is no cgroup.kill: the group is frozen, each process gets the signal, and none forks away.
#[test]
fn without_cgroup_kill_every_process_ends_too() {
    if !is_v2() {
        crate::skip!("cgroup.kill is cgroup v2's");
    }
    let script = "while :; do (sleep 0.05; sleep 1000) & sleep 0.02; done";
    let container = Container::new().without_namespace("pid").sh(script).started();
    let log = container.dir.join("strace");
    let mut command = Command::new("strace");
    command.args(["-f", "-o"]).arg(&log).args(["-P", "cgroup.kill", "-e", "trace=openat,openat2"]);
    command.args(["-e", "inject=openat,openat2:error=ENOENT"]);
    command.arg(crate::support::RRUNTIME).arg("--root").arg(container.state_root());
    command.args(["delete", "--force", &container.id]).stdin(Stdio::null());
    if Command::new("strace").arg("-V").output().is_err() {
        crate::skip!("there is no strace");
    }
    finish(command).ok();
    let text = fs::read_to_string(log).unwrap();
    assert!(text.contains("cgroup.kill") && text.contains("INJECTED"), "the control: {text}");
    container.assert_gone();
}

/// Which side has a controller is the host's affair; a config has one limit for it.
#[test]
fn on_a_hybrid_host_each_limit_goes_to_the_side_that_has_its_controller() {
    if !["pids", "memory"].into_iter().all(of_the_v2_side) || missing("cpu").is_some() {
        crate::skip!("this is no hybrid host with pids and memory on v2 and cpu on v1");
    }
    let resources = json!({
        "pids": {"limit": 3}, "memory": {"limit": 33_554_432}, "cpu": {"shares": 512},
        "devices": [{"allow": false, "access": "rwm"}]
    });
    let container = limited(resources).sh("sleep 1000").started();
    let read = |side: &str, file: &str| {
        fs::read_to_string(format!("/sys/fs/cgroup/{side}/{}/{file}", container.id)).unwrap()
    };
    assert_eq!(read("unified", "pids.max"), "3\n");
    assert_eq!(read("unified", "memory.max"), "33554432\n");
    assert_eq!(read("cpu", "cpu.shares"), "512\n");
    assert!(container.exec_sh("sleep 1 & sleep 1 & sleep 1 & wait").err.contains("fork"));
    assert_eq!(container.exec_sh("tail /dev/zero").code, 137);
    container.call(&["update", "--pids-limit", "9", "--cpu-share", "256", &container.id]).ok();
    assert_eq!((read("unified", "pids.max"), read("cpu", "cpu.shares")), ("9\n".into(), "256\n".into()));
    let stats: Value =
        serde_json::from_str(&container.call(&["events", "--stats", &container.id]).ok()).unwrap();
    assert_eq!(stats["data"]["pids"]["limit"], 9);
    assert_eq!(stats["data"]["memory"]["usage"]["limit"], 33_554_432);
    container.call(&["delete", "--force", &container.id]).ok();
    container.assert_gone();
}

#[test]
fn what_a_controller_does_not_know_is_refused_by_its_field() {
    if !is_v2() {
        crate::skip!("rdma and misc are looked for on cgroup v2");
    }
    let cases = [
        ("rdma", json!({"rdma": {"nothing0": {"hcaHandles": 1}}}), "/linux/resources/rdma/nothing0"),
        ("misc", json!({"unified": {"misc.max": "nothing 1"}}), "/linux/resources/unified/misc.max"),
    ];
    for (controller, resources, field) in cases {
        needs!(controller);
        let container = limited(resources).sh("echo INSIDE");
        let ended = container.run();
        assert_eq!(ended.out, "", "{controller}");
        let error = ended.fails();
        assert!(error.contains(field), "{error}");
        container.assert_gone();
    }
}
