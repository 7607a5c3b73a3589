//! `process.execCPUAffinity`: the CPUs of a process of `exec`, before and after it is in the container's cgroup.

use crate::support::{Container, Ended, has_controller, is_v2};
use serde_json::{Value, json};
use std::fs;

/// A container that sleeps, with this affinity in its config.
fn sleeper(affinity: &Value) -> Container {
    Container::new()
        .edit(|c| c["process"]["execCPUAffinity"] = affinity.clone())
        .args(&["sleep", "100"])
        .started()
}

const SHOW: &[&str] = &["grep", "Cpus_allowed_list", "/proc/self/status"];

fn exec(container: &Container, program: &[&str]) -> Ended {
    container.call(&[&["exec", &container.id], program].concat())
}

/// The CPUs that a process of `exec` may use, as it sees them itself.
fn cpus(container: &Container) -> String {
    exec(container, SHOW).ok().split_whitespace().last().unwrap_or_default().to_owned()
}

/// `exec -p` of a file with this affinity.
fn exec_file(container: &Container, affinity: Value) -> Ended {
    let mut process = json!({"args": SHOW, "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}});
    process["execCPUAffinity"] = affinity;
    let file = container.dir.join("process.json");
    fs::write(&file, process.to_string()).unwrap();
    container.call(&["exec", "--process", file.to_str().unwrap(), &container.id])
}

fn has_two_cpus() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:\t")).unwrap();
    list.starts_with("0-") || list.starts_with("0,1")
}

#[test]
fn exec_runs_on_the_final_cpus_or_else_on_the_initial_ones() {
    if !has_two_cpus() {
        skip!("the tests may not use CPU 0 and CPU 1");
    }
    for (affinity, seen) in [
        (json!({"final": "1"}), "1"),
        (json!({"initial": "0"}), "0"),
        (json!({"initial": "0", "final": "1"}), "1"),
        (json!({"initial": "1", "final": " 0 - 1 ,"}), "0-1"),
        (json!({"initial": "1", "final": ""}), "1"),
    ] {
        let container = sleeper(&affinity);
        assert_eq!(cpus(&container), seen, "{affinity}");
    }
}

#[test]
fn a_process_with_initial_cpus_is_in_the_cgroup_of_the_container() {
    let container = sleeper(&json!({"initial": "0"}));
    let outside = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).unwrap();
    let program = ["sh", "-c", "cat /proc/self/cgroup"];
    let inside = exec(&container, &program).ok();
    // In the container's cgroup namespace its own cgroup is the root.
    assert_eq!(inside.lines().count(), outside.lines().count());
    for line in inside.lines() {
        let v1_that_nobody_mounts = !is_v2() && line.contains("::/");
        assert!(line.ends_with(":/") || v1_that_nobody_mounts, "{inside}");
    }
}

#[test]
fn a_process_with_initial_cpus_joins_beside_others_where_the_container_has_cgroups_of_its_own() {
    if !is_v2() {
        skip!("cgroups below the container's are its own on v2");
    }
    let top = "/sys/fs/cgroup";
    let container = Container::new()
        .edit(|c| {
            c["process"]["execCPUAffinity"] = json!({"initial": "0"});
            for mount in c["mounts"].as_array_mut().unwrap() {
                if mount["destination"] == top {
                    mount["options"] = json!(["rw", "nosuid", "nodev", "noexec"]);
                }
            }
        })
        .sh("cd /sys/fs/cgroup && mkdir own && echo 1 > own/cgroup.procs && \
             echo \"+$(cut -d' ' -f1 cgroup.controllers)\" > cgroup.subtree_control; touch /ready; exec sleep 100")
        .started();
    crate::support::wait_until("the container's own cgroup", || container.rootfs().join("ready").exists());
    let own = exec(&container, &["cat", "/proc/self/cgroup"]).ok();
    assert!(own.lines().any(|line| line == "0::/own"), "{own}");
}

#[test]
fn the_first_process_is_not_concerned() {
    let container = Container::new()
        .edit(|c| c["process"]["execCPUAffinity"] = json!({"initial": "0", "final": "0"}))
        .args(SHOW);
    let all = Container::new().args(SHOW).run().ok();
    assert_eq!(container.run().ok(), all);
}

#[test]
fn a_process_file_has_cpus_of_its_own_or_those_of_the_container() {
    if !has_two_cpus() {
        skip!("the tests may not use CPU 0 and CPU 1");
    }
    let container = sleeper(&json!({"final": "1"}));
    assert!(exec_file(&container, json!({"initial": "1", "final": "0"})).ok().ends_with("\t0\n"));
    assert!(exec_file(&container, Value::Null).ok().ends_with("\t1\n"));
}

#[test]
fn initial_counts_before_the_cgroup_and_final_after_it() {
    if !has_controller("cpuset") || !has_two_cpus() {
        skip!("there is no cpuset controller, or one CPU");
    }
    let with = |affinity: Value| {
        Container::new()
            .edit(|c| {
                c["linux"]["resources"]["cpu"] = json!({"cpus": "1", "mems": "0"});
                c["process"]["execCPUAffinity"] = affinity;
            })
            .args(&["sleep", "100"])
            .started()
    };
    // Inside the cpuset the kernel would refuse CPU 0; so it was set before, and gave way there.
    assert_eq!(cpus(&with(json!({"initial": "0"}))), "1");
    assert_eq!(cpus(&with(json!({"initial": "0", "final": "0-1"}))), "1");
    let err = exec(&with(json!({"final": "0"})), SHOW).fails();
    assert!(err.contains("/execCPUAffinity/final") && err.contains("cpuset"), "{err}");
}

#[test]
fn cpus_that_the_machine_does_not_have_are_refused_by_their_field() {
    let container = sleeper(&json!({"initial": "0-8000"}));
    let err = exec(&container, SHOW).fails();
    assert!(err.contains("/execCPUAffinity/initial") && err.contains("has no CPU"), "{err}");
    let err = exec_file(&container, json!({"final": "0,4095"})).fails();
    assert!(err.contains("/execCPUAffinity/final") && err.contains("has no CPU 4095"), "{err}");
}

#[test]
fn lists_that_are_none_are_refused_by_their_field_when_the_container_is_made() {
    for (list, field) in
        [(json!("3-1"), "initial"), (json!("x"), "final"), (json!("9999999"), "final"), (json!(1), "initial")]
    {
        let container =
            Container::new().edit(|c| c["process"]["execCPUAffinity"] = json!({ field: list })).sh("true");
        let err = container.run().fails();
        assert!(err.contains(&format!("/process/execCPUAffinity/{field}")), "{err}");
        container.assert_gone();
    }
}
