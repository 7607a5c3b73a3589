//! The process that waits between create and start, and what can go wrong with start.

use crate::gym::caught::{self, Allowed};
use crate::gym::joiner::{host_mark, ready};
use crate::gym::neighbour::beside;
use crate::gym::runtime::{self, Runtime, Terms, bounded, ends_within, quiet};
use crate::gym::spy;
use crate::gym::stand::{self, judge};
use crate::needs_spies;
use crate::support::{Container, wait_until};
use rruntime::sys::socket;
use serde_json::json;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);

/// A container that is created and says "ran" when it is started.
fn waiting(runtime: &Runtime, terms: Terms) -> Container {
    let container = terms.apply(runtime.container()).sh("echo ran > /tmp/ran; while :; do sleep 60; done");
    assert_eq!(container.create().code, 0, "{}: {terms}: create", runtime.name);
    container
}

fn starts(container: &Container) -> bool {
    let started = bounded(container.command(&["start", &container.id]), LIMIT);
    let ran = container.rootfs().join("tmp/ran");
    if started.is_some_and(|status| status.success()) {
        wait_until("the program runs", || ran.exists());
    }
    ran.exists()
}

/// What waits holds no more than a word to read and an answer to write.
const WAITING: usize = 2;

/// What a tracer in the pid namespace of a waiting container makes of it: the ways in which it could do more.
pub fn traced(runtime: &Runtime, terms: Terms) -> (Vec<String>, bool) {
    runtime::adopt();
    let container = waiting(runtime, terms);
    let spy = runtime.container();
    let host = host_mark(&spy);
    spy::put(&spy, "hunter");
    let spy = beside(&container, runtime::tracing(terms.apply(spy)));
    let spy = ready(spy.args(&["/hunter", "trace", spy::REPORT, &host, "old"]).started());
    let done = |line: &String| line.starts_with("1 end") || line.starts_with("1 refused");
    wait_until("the tracer is through", || spy::report(&spy).iter().any(done));
    let allowed = Allowed { descriptors: WAITING, ..caught::allowed(&container.config) };
    let excess = caught::prey(&spy).into_iter().take(1).flat_map(|prey| prey.excess(&allowed)).collect();
    let pid = spy.pid();
    runtime::away(spy, pid);
    // The tracer has let it go: it must still be able to start.
    (excess, starts(&container))
}

#[test]
fn a_tracer_finds_nothing_in_what_waits_for_start() {
    needs_spies!();
    for terms in Terms::all() {
        let (excess, starts) = traced(&runtime::ours(), terms);
        let what = format!("waiting for start, traced, {terms}: {excess:?}, starts: {starts}");
        judge(stand::WAITS_FOR_START, excess.is_empty() && starts, &what);
    }
}

/// No race and no spy: what /proc says of it on the host.
#[test]
fn what_waits_for_start_holds_nothing_that_the_container_does_not_have() {
    for terms in Terms::all() {
        let container = waiting(&runtime::ours(), terms);
        let allowed = Allowed { descriptors: WAITING, ..caught::allowed(&container.config) };
        let excess = || caught::look_at(container.pid()).excess(&allowed);
        // It may be about to close what it has talked by; that it opens nothing more is certain.
        let quiet = (0..50).any(|_| {
            std::thread::sleep(Duration::from_millis(2));
            excess().is_empty()
        });
        let excess = if quiet { Vec::new() } else { excess() };
        let starts = starts(&container);
        let what = format!("waiting for start, {terms}: {excess:?}, starts: {starts}");
        judge(stand::WAITS_FOR_START, excess.is_empty() && starts, &what);
    }
}

/// A process of the host that holds a lease on a file of the container.
pub struct Lease {
    holder: Child,
    report: PathBuf,
}

impl Lease {
    pub fn on(container: &Container, file: &str) -> Lease {
        let report = container.dir.join("lease");
        let mut command = Command::new(spy::program("lease"));
        command.arg(container.rootfs().join(file)).arg(&report);
        let lease = Lease { holder: quiet(command), report };
        wait_until("the lease is held", || lease.said("ready"));
        lease
    }

    pub fn said(&self, word: &str) -> bool {
        fs::read_to_string(&self.report).unwrap_or_default().lines().any(|line| line == word)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Its end releases the lease.
        self.holder.kill().expect("it is our child");
        self.holder.wait().expect("it is our child");
    }
}

/// `start` is ended while the kernel holds its execve; the status of the container when the program runs.
pub fn cut_short(runtime: &Runtime, terms: Terms) -> String {
    let container = runtime.container();
    spy::put(&container, "idle");
    let container = terms.apply(container).args(&["/idle"]);
    assert_eq!(container.create().code, 0);
    let lease = Lease::on(&container, "idle");
    let mut start = quiet(container.command(&["start", &container.id]));
    wait_until("execve waits", || lease.said("asked"));
    start.kill().expect("it is our child");
    start.wait().expect("it is our child");
    drop(lease);
    let comm = || fs::read_to_string(format!("/proc/{}/comm", container.pid())).unwrap_or_default();
    wait_until("the program runs", || comm().trim() == "idle");
    container.status()
}

#[test]
fn a_container_whose_start_was_cut_short_is_running_when_it_runs() {
    needs_spies!();
    for no_new_privs in [false, true] {
        let status = cut_short(&runtime::ours(), Terms::docker(no_new_privs));
        judge(stand::START_CUT, status == "running", &format!("start cut short: {status}"));
    }
}

/// `start` with an agent that takes the listener and ends, for a profile that asks it about execve: whether it ended.
pub fn agent_dies(runtime: &Runtime, terms: Terms) -> bool {
    let container = runtime.container();
    let path = std::env::temp_dir().join(format!("{}.agent", container.id));
    let listener = UnixListener::bind(&path).unwrap();
    let agent = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut message = [0; 65_536];
        // What comes is dropped at once: message, descriptor and connection.
        socket::receive(stream.as_fd(), &mut message).is_ok()
    });
    let container = terms.apply(container).args(&["/bin/true"]).edit(|config| {
        config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "listenerPath": path,
            "syscalls": [{"names": ["execve", "execveat"], "action": "SCMP_ACT_NOTIFY"}],
        });
    });
    assert_eq!(container.create().code, 0);
    let mut start = quiet(container.command(&["start", &container.id]));
    let ended = ends_within(&mut start, LIMIT).is_some();
    // It may have ended meanwhile.
    let _ = start.kill();
    start.wait().expect("it is our child");
    assert!(agent.join().unwrap(), "the agent got nothing");
    fs::remove_file(&path).unwrap();
    ended
}

#[test]
fn a_start_whose_agent_dies_ends() {
    for no_new_privs in [false, true] {
        let ended = agent_dies(&runtime::ours(), Terms::docker(no_new_privs));
        judge(stand::AGENT_DIES, ended, &format!("start with an agent that dies, ended: {ended}"));
    }
}
