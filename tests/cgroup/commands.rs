//! `pause`, `resume`, `ps`, `kill --all`, `delete` on real cgroups: state directories that are written by hand
//! around ordinary processes. Without root's rights there is nothing to test, and the tests say so.

use crate::support::cli::{Said, Scratch, rruntime};
use rruntime::cgroup::{Cgroup, Limits, Location, locate};
use rruntime::host::cgroups::detect;
use rruntime::state::{NoRoot, Phase, Process, Record, Store};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A container made of ordinary processes in a cgroup of its own.
struct Container {
    scratch: Scratch,
    location: Location,
    processes: Vec<Child>,
}

impl Container {
    /// The first of `count` processes is the container's; `namespaces` are the ones that it has of its own.
    fn new(name: &str, count: usize, namespaces: u32) -> Option<Container> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("not tested: making cgroups needs root");
            return None;
        }
        let path = format!("/rruntime-test-{}-{name}", std::process::id());
        let location = locate(&detect().unwrap(), Some(&path), "web").unwrap();
        Cgroup::make(&location, &Limits::default()).unwrap();
        let cat = || Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let processes: Vec<Child> = (0..count).map(|_| cat()).collect();
        for (process, leg) in processes.iter().flat_map(|p| location.legs.iter().map(move |leg| (p, leg))) {
            fs::write(format!("{}/cgroup.procs", leg.directory()), process.id().to_string()).unwrap();
        }
        let scratch = Scratch::new();
        let first = Process::of(processes[0].id() as i32).unwrap();
        let record = Record {
            version: 1,
            id: "web".into(),
            phase: Phase::Created,
            process: Some(first),
            cgroup: Some(location.clone()),
            namespaces_created: namespaces,
            ..Record::default()
        };
        let store = Store::open(scratch.path(), NoRoot::Refuse).unwrap();
        store.create("web", &rruntime::sys::poll::rest).unwrap().write(&record).unwrap();
        Some(Container { scratch, location, processes })
    }

    fn run(&self, arguments: &[&str]) -> Said {
        rruntime(&[&["--root", self.scratch.path().to_str().unwrap()], arguments].concat())
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{arguments:?}");
        said.out
    }

    fn status(&self) -> String {
        let state: serde_json::Value = serde_json::from_str(&self.succeeds(&["state", "web"])).unwrap();
        state["status"].as_str().unwrap().to_owned()
    }

    fn pids(&self) -> Vec<i32> {
        let mut pids: Vec<i32> = self.processes.iter().map(|process| process.id() as i32).collect();
        pids.sort_unstable();
        pids
    }

    fn has_cgroup(&self) -> bool {
        self.location.legs.iter().any(|leg| Path::new(&leg.directory()).exists())
    }

    fn signals(&mut self) -> Vec<Option<i32>> {
        self.processes.iter_mut().map(|process| process.wait().unwrap().signal()).collect()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _already_ended = process.kill();
        }
        if let Ok(Some(cgroup)) = Cgroup::open(&self.location) {
            let _may_be_running = cgroup.thaw();
            for process in &mut self.processes {
                process.wait().unwrap();
            }
            let _is_gone_or_seen = cgroup.remove(std::time::Instant::now(), &rruntime::sys::poll::rest);
        }
    }
}

const OWN_PIDS: u32 = libc::CLONE_NEWPID as u32;

#[test]
fn a_paused_container_is_paused_until_it_is_resumed() {
    let Some(container) = Container::new("pause", 2, OWN_PIDS) else { return };
    assert_eq!(container.status(), "running");
    container.succeeds(&["pause", "web"]);
    assert_eq!(container.status(), "paused");
    let again = container.run(&["pause", "web"]);
    assert!(again.code == 1 && again.err.contains("container not running"), "{again:?}");
    let delete = container.run(&["delete", "web"]);
    assert!(delete.err.contains("cannot delete container web that is not stopped: paused"), "{delete:?}");
    container.succeeds(&["resume", "web"]);
    assert_eq!(container.status(), "running");
    let again = container.run(&["resume", "web"]);
    assert!(again.code == 1 && again.err.contains("container not paused"), "{again:?}");
}

#[test]
fn ps_shows_every_process_of_the_cgroup() {
    let Some(container) = Container::new("ps", 3, OWN_PIDS) else { return };
    let pids: Vec<i32> = serde_json::from_str(&container.succeeds(&["ps", "-f", "json", "web"])).unwrap();
    assert_eq!(pids, container.pids());
    assert_eq!(container.succeeds(&["ps", "web"]).lines().count(), 4);
}

#[test]
fn kill_all_reaches_every_process_and_plain_kill_the_first() {
    let Some(mut container) = Container::new("kill", 3, OWN_PIDS) else { return };
    container.succeeds(&["kill", "web", "HUP"]);
    assert_eq!(container.processes[0].wait().unwrap().signal(), Some(libc::SIGHUP));
    assert!(container.processes[1].try_wait().unwrap().is_none());
    container.succeeds(&["kill", "--all", "web", "TERM"]);
    assert_eq!(container.signals()[1..], [Some(libc::SIGTERM), Some(libc::SIGTERM)]);
    container.succeeds(&["kill", "--all", "web"]);
}

#[test]
fn without_a_pid_namespace_of_its_own_sigkill_reaches_all() {
    let Some(mut container) = Container::new("shared", 2, 0) else { return };
    container.succeeds(&["kill", "web", "KILL"]);
    assert_eq!(container.signals(), [Some(libc::SIGKILL), Some(libc::SIGKILL)]);
}

#[test]
fn a_paused_container_can_be_killed() {
    let Some(mut container) = Container::new("frozen", 1, OWN_PIDS) else { return };
    container.succeeds(&["pause", "web"]);
    container.succeeds(&["kill", "web", "KILL"]);
    assert_eq!(container.signals(), [Some(libc::SIGKILL)]);
}

#[test]
fn delete_by_force_ends_all_even_when_paused_and_leaves_nothing() {
    let Some(mut container) = Container::new("force", 3, OWN_PIDS) else { return };
    container.succeeds(&["pause", "web"]);
    container.succeeds(&["delete", "--force", "web"]);
    assert_eq!(container.signals(), [Some(libc::SIGKILL); 3]);
    assert!(!container.has_cgroup());
    assert_eq!(container.succeeds(&["list", "-q"]), "");
}

#[test]
fn delete_of_a_stopped_container_ends_what_outlived_its_first_process() {
    let Some(mut container) = Container::new("outlive", 2, 0) else { return };
    container.processes[0].kill().unwrap();
    container.processes[0].wait().unwrap();
    assert_eq!(container.status(), "stopped");
    container.succeeds(&["delete", "web"]);
    assert_eq!(container.processes[1].wait().unwrap().signal(), Some(libc::SIGKILL));
    assert!(!container.has_cgroup());
}
