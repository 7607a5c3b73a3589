//! What joins a running container, hunted from inside: `exec` and `mounts add`.

use crate::gym::caught::{self, Allowed, Tally};
use crate::gym::runtime::{self, Runtime, Terms, Wanted, bounded, quiet, rounds};
use crate::gym::stand::{self, judge};
use crate::gym::{neighbour, spy};
use crate::needs_spies;
use crate::support::Container;
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);

/// All that a process of ours calls inside: Docker's profile and stricter ones have these.
const BEHIND_THE_FILTER: [libc::c_long; 10] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_setsid,
    libc::SYS_ioctl,
    libc::SYS_capset,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_exit_group,
];

/// A container whose program is the hunter, in this mode.
pub fn hunting(runtime: &Runtime, terms: Terms, mode: &str) -> Container {
    let container = runtime.container();
    let host = host_mark(&container);
    spy::put(&container, "hunter");
    let container = runtime::tracing(terms.apply(container)).args(&["/hunter", mode, spy::REPORT, &host]);
    ready(container.started())
}

/// A file that only the host's root has, for the hunter to look for.
pub fn host_mark(container: &Container) -> String {
    let mark = container.dir.join("mark");
    std::fs::write(&mark, "the host's").unwrap();
    mark.to_str().unwrap().to_owned()
}

/// The spy of this container has begun.
#[track_caller]
pub fn ready(container: Container) -> Container {
    spy::wait_ready(&container);
    runtime::prefer(&container);
    container
}

/// Execs beside the hunter, until it has met so many, or caught one of them.
pub fn execs(container: &Container, wanted: Wanted) -> Tally {
    // The conversation alone: no word and answer of start.
    let allowed = Allowed { descriptors: 2, ..caught::allowed(&container.config) };
    runtime::until(wanted, || {
        // The hunter may break what it holds: only what it has seen counts here.
        let _ = bounded(container.command(&["exec", &container.id, "/bin/true"]), LIMIT);
        caught::tally(container, &allowed)
    })
}

fn every_exec(mode: &str) {
    for terms in Terms::all() {
        let container = hunting(&runtime::ours(), terms, mode);
        let tally = execs(&container, Wanted::Met(4));
        assert!(
            tally.met > 0,
            "{terms}: the hunter met nobody, so the case shows nothing: {:?}",
            spy::report(&container)
        );
        let calls: Vec<u64> =
            tally.calls.difference(&BEHIND_THE_FILTER.map(|n| n as u64).into()).copied().collect();
        let what =
            format!("exec, {mode}, {terms}: {tally}; calls beyond the few: {calls:?}, {:?}", tally.calls);
        judge(stand::JOINS, tally.caught == 0 && calls.is_empty(), &what);
    }
}

#[test]
fn a_tracer_finds_nothing_in_what_joins_that_the_container_does_not_have() {
    needs_spies!();
    every_exec("trace");
}

#[test]
fn whoever_opens_the_memory_of_what_joins_finds_the_containers_own_rights() {
    needs_spies!();
    every_exec("mem");
}

fn add_a_proc(container: &Container, number: usize) -> Option<std::process::ExitStatus> {
    let list = json!([{"destination": format!("/p{number}"), "type": "proc", "source": "proc"}]);
    let file = container.dir.join("mounts.json");
    std::fs::write(&file, list.to_string()).unwrap();
    bounded(container.command(&["mounts", "add", &container.id, file.to_str().unwrap()]), LIMIT)
}

/// `mounts add` into `container` while the hunter in `hunter` looks; the hunter may be the same container's.
fn adds(case: &str, terms: Terms, container: &Container, hunter: &Container) {
    let allowed = caught::allowed(&hunter.config);
    let before = spy::report(hunter).len();
    let made = (0..rounds(6)).filter(|n| add_a_proc(container, *n).is_some_and(|s| s.success())).count();
    let tally = caught::tally_since(hunter, before, &allowed);
    let what = format!("mounts add of a proc, {case}, {terms}, {made} made: {tally}");
    judge(stand::MOUNTS_ADD, tally.caught == 0 && made == rounds(6), &what);
}

/// The config says nothing of this tracer.
#[test]
fn a_tracer_that_exec_has_brought_finds_nothing_in_what_mounts_a_proc() {
    needs_spies!();
    for terms in Terms::all().filter(|terms| terms.filter) {
        let container = runtime::ours().container();
        let host = host_mark(&container);
        spy::put(&container, "hunter");
        let container = terms.apply(container).sh("while :; do sleep 60; done").started();
        let words = ["/hunter", "trace", spy::REPORT, &host];
        let exec = ["exec", "--cap", "CAP_SYS_PTRACE", &container.id];
        let mut tracer = quiet(container.command(&[&exec[..], &words[..]].concat()));
        spy::wait_ready(&container);
        adds("a tracer of exec", terms, &container, &container);
        drop(container);
        tracer.wait().expect("it is our child");
    }
}

#[test]
fn a_tracer_in_another_container_of_the_pid_namespace_finds_nothing_in_what_mounts_a_proc() {
    needs_spies!();
    for terms in Terms::all().filter(|terms| terms.filter) {
        runtime::adopt();
        let runtime = runtime::ours();
        let hunter = hunting(&runtime, terms, "trace");
        let container = neighbour::beside(&hunter, terms.apply(runtime.container()));
        let container = container.sh("while :; do sleep 60; done").started();
        adds("a neighbour", terms, &container, &hunter);
        let pid = container.pid();
        runtime::away(container, pid);
    }
}
