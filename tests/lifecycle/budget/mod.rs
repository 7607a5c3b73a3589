//! What a container costs: system calls, cgroup files, memory. Held by tests so that it does not creep up.
//!
//! The system calls are counted in a view where cgroup v2 is the only hierarchy: where the host's is another, the test
//! runs itself again in a mount namespace that shows v2 alone.

mod trace;

use crate::support::{Container, has_controller, is_v2};
use std::fs;
use trace::{Follow, Trace, in_v2_view};

/// Of these some twenty are two pipes that take the socket's place before a container can see init, and the polls that
/// keep a command from being deaf; twenty-two put signals back that a caller may ignore, at 60 ns each; two give the
/// container every CPU of its cpuset and look whether its program began at all. Nine let the mount table be made from a
/// small one, in place of the host's.
const ALL_CALLS: usize = 475;
/// The link /dev/core and the mask of /proc/kcore, where the kernel has one.
const CORE_CALLS: usize = 4;
/// Three ask whether the group is frozen by one above it: the birth would wait, deaf to signals.
const CGROUP_CALLS: usize = 28;
/// Three commands, of which `start` asks the freezer: a frozen init would not answer. Four are fstat(2) of the group's own
/// descriptor: a group that is not the recorded one belongs to another container.
const LIFE_CGROUP_CALLS: usize = 35;

/// A busy host adds calls to a run: one more poll, a look at a program that has ended before its start was heard of. What
/// creeps up is in all of them.
const RUNS: usize = 8;

/// All that a run calls but for the time, for which only user-mode Linux has to be called.
fn calls_of(trace: &Trace) -> Vec<&str> {
    let mut calls = trace.calls_until_the_program(&["/bin/true"]);
    calls.retain(|call| !call.contains("clock_gettime"));
    calls
}

#[test]
fn a_run_stays_within_its_system_calls() {
    in_v2_view("a_run_stays_within_its_system_calls", || {
        let container = Container::new().args(&["/bin/true"]);
        // The first one in a state directory finds out something of the machine, which it remembers there.
        container.run().ok();
        let bundle = container.bundle();
        let arguments = ["run", "--bundle", bundle.to_str().unwrap(), &container.id];
        let most = ALL_CALLS + if std::path::Path::new("/proc/kcore").exists() { CORE_CALLS } else { 0 };
        let mut traces = (0..RUNS).map_while(|_| Trace::of(&container, Follow::Children, &arguments));
        let Some(mut trace) = traces.next() else { skip!("there is no strace") };
        while calls_of(&trace).len() > most
            && let Some(next) = traces.next()
        {
            eprintln!("{} system calls, and again", calls_of(&trace).len());
            trace = next;
        }
        let (calls, on_cgroups) = (calls_of(&trace), trace.cgroup_calls());
        eprintln!("{} system calls, {} of them on cgroup files", calls.len(), on_cgroups.len());
        assert!(calls.len() <= most, "{} system calls:\n{}", calls.len(), trace.summary(&calls));
        assert!(on_cgroups.len() <= CGROUP_CALLS, "{}: {on_cgroups:#?}", on_cgroups.len());
        trace.assert_never("mountinfo");
        trace.assert_never("cgroup.procs");
        let mut forks = trace.forks();
        // The thread that sleeps until the process has left our memory.
        forks.retain(|fork| !fork.contains("CLONE_THREAD"));
        assert_eq!(forks.len(), 1, "one process is made, the container's: {forks:#?}");
        container.assert_gone();
    });
}

/// What a hook could not see: before the process exists at all.
#[test]
fn device_rules_of_v2_stand_before_the_process_exists() {
    in_v2_view("device_rules_of_v2_stand_before_the_process_exists", || {
        let container = Container::new().args(&["/bin/true"]);
        container.write_config();
        let bundle = container.bundle();
        let arguments = ["run", "--bundle", bundle.to_str().unwrap(), &container.id];
        let Some(trace) = Trace::of(&container, Follow::Children, &arguments) else {
            skip!("there is no strace")
        };
        let attach = trace.position("bpf(BPF_PROG_ATTACH");
        assert!(attach.is_some() && attach < trace.position("clone3("), "{attach:?}");
    });
}

#[test]
fn create_start_and_delete_stay_within_their_calls_on_cgroups() {
    in_v2_view("create_start_and_delete_stay_within_their_calls_on_cgroups", || {
        let container = Container::new().args(&["/bin/true"]);
        // As above.
        container.run().ok();
        let bundle = container.bundle();
        let mut on_cgroups = Vec::new();
        for command in
            [&["create", "--bundle", bundle.to_str().unwrap(), &container.id][..], &["start", &container.id]]
        {
            let Some(trace) = Trace::of(&container, Follow::Nobody, command) else {
                skip!("there is no strace")
            };
            on_cgroups.extend(trace.cgroup_calls());
            trace.assert_never("mountinfo");
            trace.assert_never("cgroup.procs");
        }
        container.wait_for_status("stopped");
        let Some(trace) = Trace::of(&container, Follow::Nobody, &["delete", &container.id]) else { return };
        on_cgroups.extend(trace.cgroup_calls());
        eprintln!("{} system calls on cgroup files", on_cgroups.len());
        assert!(on_cgroups.len() <= LIFE_CGROUP_CALLS, "{}: {on_cgroups:#?}", on_cgroups.len());
        assert!(trace.forks().is_empty());
        container.assert_gone();
    });
}

#[test]
fn a_container_starts_with_half_a_mebibyte_of_memory() {
    if !has_controller("memory") {
        skip!("this host limits no memory");
    }
    let container = Container::new().args(&["true"]).edit(|config| {
        config["linux"]["resources"]["memory"] = serde_json::json!({"limit": 512 * 1024});
    });
    container.run().ok();
    // And its waiting first process has room.
    let container = container.args(&["sleep", "100"]);
    assert_eq!(container.create().code, 0);
    let file = if is_v2() { "memory.max" } else { "memory.limit_in_bytes" };
    assert_eq!(container.cgroup_file("memory", file), "524288");
    container.start().ok();
    assert_eq!(container.status(), "running");
}

#[test]
fn a_waiting_container_holds_little_memory_of_its_own() {
    let container = Container::new().args(&["true"]);
    assert_eq!(container.create().code, 0);
    let path = format!("/proc/{}/smaps_rollup", container.pid());
    let Ok(rollup) = fs::read_to_string(path) else { skip!("this kernel has no smaps_rollup") };
    let kilobytes = |name: &str| -> usize {
        let line = rollup.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let private = kilobytes("Private_Clean:") + kilobytes("Private_Dirty:");
    eprintln!("{private} KB of private memory");
    assert!(private > 0 && private <= 200, "{private} KB:\n{rollup}");
}

#[test]
fn the_sealed_init_is_small() {
    let size = rruntime::engine::child::image::IMAGE_SIZE;
    eprintln!("{size} bytes");
    assert!(size <= 48 * 1024, "{size} bytes");
}

/// Fewer pages to read and to write before main, at an address that cannot be guessed. `build.rs` says when.
#[test]
fn the_binary_is_static_at_any_address_and_its_relocations_are_packed() {
    let file = fs::read(crate::support::RRUNTIME).expect("the binary can be read");
    let number = |at: usize, bytes: usize| {
        file[at..at + bytes].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    const ANY_ADDRESS: usize = 3;
    assert_eq!(number(16, 2), ANY_ADDRESS, "e_type");
    let (first, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let segments = (0..count).map(|index| first + index * size);
    let of_kind = |kind: usize| segments.clone().find(|at| number(*at, 4) == kind);
    const DYNAMIC: usize = 2;
    const INTERPRETER: usize = 3;
    assert_eq!(of_kind(INTERPRETER), None, "no loader");
    let dynamic = of_kind(DYNAMIC).expect("relocations are named there");
    let (start, length) = (number(dynamic + 8, 8), number(dynamic + 32, 8));
    const PACKED: usize = 36;
    if !(start..start + length).step_by(16).any(|at| number(at, 8) == PACKED) {
        let library = std::process::Command::new("getconf").arg("GNU_LIBC_VERSION").output();
        let library = library.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        let library = library.unwrap_or_default();
        let minor = library.strip_prefix("glibc 2.").and_then(|minor| minor.parse::<u32>().ok());
        assert!(minor.is_none_or(|minor| minor < 36), "{library} can, and the binary has none");
        skip!("the C library here ({library:?}) reads no packed relocations");
    }
}
