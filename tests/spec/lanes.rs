//! `hack/test-lanes --check`, by which CI holds tests/data/lanes.txt against what has run where: each form of output that
//! it reads, what it refuses, and what it only tells of because a machine may lack it.

use crate::support::finish;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const TABLE: &str = include_str!("../data/lanes.txt");

/// The tests of each lane.
fn rows() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut lanes = BTreeMap::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let (test, named) = line.split_once(' ').unwrap();
        for lane in named.split(',') {
            lanes.entry(lane).or_insert_with(Vec::new).push(test);
        }
    }
    lanes
}

/// What a lane prints in which these run: as nextest prints it, `cargo test`, or a test program.
fn said(lane: &str, tests: &[&str]) -> String {
    let mut text = format!("=== lane {lane}\n");
    for (number, test) in tests.iter().enumerate() {
        let (program, name) = test.split_once("::").unwrap();
        text += &match (lane, number % 3) {
            ("v2-view", _) => {
                format!("     Running tests/{program}/main.rs (target/debug/deps/x)\ntest {name} ... ok\n")
            }
            ("host", 0) => format!("  TRY 2 PASS [   0.085s] ( 313/1077) rruntime::{program} {name}\n"),
            ("host", 1) => format!("   FLAKY 2/2 [   0.085s] (  3/1077) rruntime::{program} {name}\n"),
            ("host", _) => format!("        PASS [   0.085s] (1077/1077) rruntime::{program} {name}\n"),
            _ => format!("== {program} (cgroup v2: cpu)\nhalf a linetest {name} ... ok\n"),
        };
    }
    text
}

fn skipped(test: &str) -> String {
    format!("    skipped: no such thing ({test}; lane: none)\n")
}

/// Its exit code, and what it says, of the output of these lanes, with this behind it.
#[track_caller]
fn checked(lanes: &BTreeMap<&str, Vec<&str>>, more: &str) -> (bool, String) {
    let log = std::env::temp_dir().join(format!("rr-lanes-{}", std::process::id()));
    let text: String = lanes.iter().map(|(lane, tests)| said(lane, tests)).collect();
    fs::write(&log, text + more).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hack/test-lanes");
    let mut command = Command::new("python3");
    command.arg(script).arg("--check").arg(&log);
    let ended = finish(command);
    fs::remove_file(&log).unwrap();
    (ended.code == 0, ended.out + &ended.err)
}

#[test]
fn a_check_that_has_run_in_no_lane_fails_and_what_a_machine_lacks_does_not() {
    if Command::new("python3").arg("--version").output().is_err() {
        skip!("no python3 here");
    }
    let all = rows();
    let passes = |lanes: &BTreeMap<&str, Vec<&str>>, more: &str, words: &str| {
        let (passed, said) = checked(lanes, more);
        assert!(passed && said.contains(words), "{words}: {said}");
    };
    let fails = |lanes: &BTreeMap<&str, Vec<&str>>, more: &str, words: &str| {
        let (passed, said) = checked(lanes, more);
        assert!(!passed && said.contains(words), "{words}: {said}");
    };
    passes(&all, "", "lane qemu: ");
    for lane in all.keys() {
        let mut others = all.clone();
        others.remove(lane);
        passes(&others, "", &format!("lane {lane} is not in this output"));
        passes(&others, &format!("=== lane {lane}\nskipped: no such machine\n"), "is not in this output");
    }

    let of_ours = all["uml"][0];
    let mut less = all.clone();
    less.get_mut("uml").unwrap().remove(0);
    fails(&less, "", &format!("{of_ours} is for uml to run, which has not"));
    fails(&all, &format!("=== lane uml\n{}", skipped(of_ours)), "is for uml to run, which has not");
    fails(
        &all,
        &format!("=== lane uml\n{}", skipped("cgroup::of_no_lane")),
        "cgroup::of_no_lane is skipped in uml",
    );
    if crate::support::is_v2() && std::env::var_os("RRUNTIME_TEST_V2_VIEW").is_none() {
        return crate::support::say_skipped("a host with cgroup v2 alone has no other lane of its own");
    }
    // What the host's kernel lacks, another lane shows.
    let twice = all["host"].iter().find(|test| all["v2-view"].contains(test)).unwrap();
    passes(&all, &format!("=== lane host\n{}", skipped(twice)), "was skipped in host; v2-view ran it");
    let both = format!("=== lane host\n{0}=== lane v2-view\n{0}", skipped(twice));
    fails(&all, &both, &format!("{twice} is for host to run, which has not"));
    let mut renamed = all.clone();
    renamed.get_mut("host").unwrap().retain(|test| test != twice);
    fails(&renamed, "", &format!("{twice} is for host to run, which has not"));
}
