//! `process.scheduler`, `process.ioPriority`, `linux.personality`, `linux.memoryPolicy`.

use crate::support::Container;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// nice, realtime priority and policy of the program (proc(5), /proc/PID/stat fields 19, 40, 41).
fn scheduled(scheduler: Value) -> (i32, u32, u32) {
    let container = Container::new()
        .edit(|c| c["process"]["scheduler"] = scheduler)
        .args(&["/bin/cat", "/proc/self/stat"]);
    let out = container.run().ok();
    let fields: Vec<&str> = out.split_whitespace().collect();
    (fields[18].parse().unwrap(), fields[39].parse().unwrap(), fields[40].parse().unwrap())
}

#[test]
fn the_policy_nice_value_and_priority_are_set() {
    assert_eq!(scheduled(json!({"policy": "SCHED_OTHER", "nice": 7})), (7, 0, libc::SCHED_OTHER as u32));
    assert_eq!(scheduled(json!({"policy": "SCHED_BATCH", "nice": -3})), (-3, 0, libc::SCHED_BATCH as u32));
    assert_eq!(scheduled(json!({"policy": "SCHED_IDLE"})).2, libc::SCHED_IDLE as u32);
}

#[test]
fn realtime_policies_are_set_where_the_cgroup_allows_them() {
    for (name, policy) in [("SCHED_FIFO", libc::SCHED_FIFO), ("SCHED_RR", libc::SCHED_RR)] {
        let container = Container::new()
            .edit(|c| c["process"]["scheduler"] = json!({"policy": name, "priority": 12}))
            .args(&["/bin/cat", "/proc/self/stat"]);
        let ended = container.run();
        if ended.code != 0 {
            // A kernel with RT_GROUP_SCHED gives a new cgroup no realtime budget.
            assert!(ended.err.contains("/process/scheduler"), "{ended:?}");
            continue;
        }
        let fields: Vec<&str> = ended.out.split_whitespace().collect();
        assert_eq!((fields[39], fields[40]), ("12", &*policy.to_string()), "{name}");
    }
}

/// The kernel gives deadlines to a process alone that may run on every processor, and only as far as the
/// machine's realtime budget goes.
#[test]
fn a_deadline_policy_has_its_three_times() {
    let times = json!({"policy": "SCHED_DEADLINE", "runtime": 2_000_000, "deadline": 50_000_000, "period": 100_000_000});
    let container = Container::new().edit(|c| c["process"]["scheduler"] = times).args(&["sleep", "100"]);
    let created = container.create();
    if created.code != 0 && created.err.contains("/process/scheduler") {
        skip!("this kernel gives no deadline here: {}", created.err);
    }
    assert_eq!(created.code, 0, "{}", created.err);
    container.start().ok();
    let Ok(told) = Command::new("chrt").args(["-p", &container.pid().to_string()]).output() else {
        skip!("no chrt here (util-linux)");
    };
    let told = String::from_utf8_lossy(&told.stdout);
    assert!(told.contains("SCHED_DEADLINE") && told.contains("2000000/50000000/100000000"), "{told}");
}

#[test]
fn the_reset_on_fork_flag_has_its_effect() {
    let policy = json!({"policy": "SCHED_BATCH", "nice": -5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]});
    let container = Container::new()
        .edit(|c| c["process"]["scheduler"] = policy)
        .sh("cut -d' ' -f19 /proc/1/stat; (cat /proc/self/stat) | cut -d' ' -f19");
    assert_eq!(container.run().ok(), "-5\n0\n");
}

#[test]
fn an_unknown_policy_is_refused_by_its_field() {
    let container =
        Container::new().edit(|c| c["process"]["scheduler"] = json!({"policy": "SCHED_LUCK"})).sh("true");
    let err = container.run().fails();
    assert!(err.contains("/process/scheduler/policy") && err.contains("SCHED_LUCK"), "{err}");
}

#[test]
fn the_io_priority_is_set() {
    for (class, priority, shown) in [
        ("IOPRIO_CLASS_BE", 6, "best-effort: prio 6"),
        ("IOPRIO_CLASS_RT", 2, "realtime: prio 2"),
        ("IOPRIO_CLASS_IDLE", 0, "idle"),
    ] {
        let container = Container::new()
            .edit(|c| c["process"]["ioPriority"] = json!({"class": class, "priority": priority}))
            .args(&["/bin/busybox", "ionice"]);
        let out = container.run().ok();
        assert!(out.trim().starts_with(shown), "{class}: {out}");
    }
}

#[test]
fn the_personality_is_set() {
    if !crate::support::obeys_personalities() {
        skip!("uname -m is the same for every personality here");
    }
    let container = Container::new()
        .edit(|c| c["linux"]["personality"] = json!({"domain": "LINUX32"}))
        .sh("uname -m; cat /proc/self/personality");
    let out = container.run().ok();
    assert!(out.starts_with("i686\n00000008\n"), "{out}");
    let container = Container::new()
        .edit(|c| c["linux"]["personality"] = json!({"domain": "LINUX"}))
        .sh("cat /proc/self/personality");
    assert_eq!(container.run().ok(), "00000000\n");
}

#[test]
fn the_flags_of_a_personality_are_set_and_unknown_ones_are_a_warning() {
    let personality = json!({"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE", "OF_THE_FUTURE"]});
    let container =
        Container::new().edit(|c| c["linux"]["personality"] = personality).sh("cat /proc/self/personality");
    let ended = container.run();
    assert_eq!((ended.code, ended.out.as_str()), (0, "00040000\n"), "{ended:?}");
    assert!(ended.err.contains("/linux/personality/flags/1") && ended.err.contains("warning"), "{ended:?}");
}

#[test]
fn an_unknown_personality_is_refused_by_its_field() {
    let container =
        Container::new().edit(|c| c["linux"]["personality"] = json!({"domain": "MULTICS"})).sh("true");
    assert!(container.run().fails().contains("/linux/personality/domain"));
}

#[test]
fn the_memory_policy_is_set() {
    if !Path::new("/proc/self/numa_maps").exists() {
        let container = Container::new()
            .edit(|c| c["linux"]["memoryPolicy"] = json!({"mode": "MPOL_INTERLEAVE", "nodes": "0"}))
            .sh("true");
        assert!(container.run().fails().contains("/linux/memoryPolicy"));
        skip!("this kernel has no memory policies");
    }
    for (policy, shown) in [
        (json!({"mode": "MPOL_INTERLEAVE", "nodes": "0"}), "interleave:0"),
        (json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}), "bind=static:0"),
        (json!({"mode": "MPOL_PREFERRED", "nodes": "0"}), "prefer:0"),
    ] {
        let container = Container::new()
            .edit(|c| c["linux"]["memoryPolicy"] = policy)
            .args(&["/bin/cat", "/proc/self/numa_maps"]);
        let out = container.run().ok();
        assert!(out.contains(shown), "{shown}: {out}");
    }
}
