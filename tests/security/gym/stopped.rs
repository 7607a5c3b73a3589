//! A container, or a file system in it, that holds what joins it: the command must answer SIGTERM and leave nothing.

use crate::gym::joiner::ready;
use crate::gym::runtime::{self, Runtime, Terms, ends_within, quiet};
use crate::gym::spy;
use crate::gym::stand::{self, judge};
use crate::needs_spies;
use crate::support::leftovers::processes;
use crate::support::{Container, has_controller, is_v2, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

/// How long a command may be held before it is asked to end, and how long it may take then.
const HELD: Duration = Duration::from_millis(700);
const PATIENCE: Duration = Duration::from_secs(3);

/// What became of a command that something holds.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// It ended by itself.
    Ended,
    /// It ended by SIGTERM.
    Obeyed,
    /// It ended by SIGTERM, and a process of it is left in the container.
    Left,
    /// It had to be killed.
    Deaf,
}

impl Outcome {
    pub fn holds(&self) -> bool {
        matches!(self, Outcome::Ended | Outcome::Obeyed)
    }
}

/// Asks a command to end. `others` is how many processes of the container are there without it.
fn ask(mut child: Child, container: &Container, others: usize) -> Outcome {
    let left = || processes(&container.id).len() > others;
    let gone = || {
        // A process that was killed a moment ago may take its time.
        (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            !left()
        })
    };
    if ends_within(&mut child, HELD).is_some() {
        return if gone() { Outcome::Ended } else { Outcome::Left };
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).expect("it is our child");
    let ended = ends_within(&mut child, PATIENCE).is_some();
    // It may have ended meanwhile.
    let _ = child.kill();
    child.wait().expect("it is our child");
    match ended {
        false => Outcome::Deaf,
        true if gone() => Outcome::Obeyed,
        true => Outcome::Left,
    }
}

/// Ends what a command has left in the container, so that the next one begins alone.
fn sweep(container: &Container) {
    let own = container.pid().to_string();
    for pid in processes(&container.id).into_iter().filter(|pid| *pid != own) {
        // It may end by itself.
        let _ = kill(Pid::from_raw(pid.parse().expect("a pid")), Signal::SIGKILL);
    }
}

/// Execs beside a process that stops whatever appears; those that it held while they were still the runtime's.
pub fn stopped_execs(runtime: &Runtime, terms: Terms, count: u32) -> Vec<Outcome> {
    let container = runtime.container();
    spy::put(&container, "stopper");
    let container = ready(terms.apply(container).args(&["/stopper", spy::REPORT]).started());
    let comm = |pid: &String| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let mut outcomes = Vec::new();
    for _ in 0..count {
        let mut exec = quiet(container.command(&["exec", &container.id, "/bin/true"]));
        if ends_within(&mut exec, HELD).is_some() {
            continue;
        }
        // A program that is stopped is the container's business: a signal for it waits.
        if !processes(&container.id).iter().any(|pid| comm(pid).trim() == "true") {
            outcomes.push(ask(exec, &container, 1));
        } else {
            exec.kill().expect("it is our child");
            exec.wait().expect("it is our child");
        }
        sweep(&container);
    }
    outcomes
}

#[test]
fn an_exec_that_the_container_stops_answers_sigterm() {
    needs_spies!();
    for user_namespace in [false, true] {
        for no_new_privs in [false, true] {
            let terms = Terms { no_new_privs, user_namespace, filter: true };
            let outcomes = stopped_execs(&runtime::ours(), terms, 2);
            judge(
                stand::STOPPED,
                outcomes.iter().all(Outcome::holds),
                &format!("stopped, {terms}: {outcomes:?}"),
            );
        }
    }
}

/// The files that move a process into a new child of the container's group, and that freeze it.
fn child_group(container: &Container) -> (PathBuf, PathBuf, &'static str, &'static str) {
    let base = Path::new("/sys/fs/cgroup");
    let (group, file, on, off) = if is_v2() {
        (base.join(&container.id), "cgroup.freeze", "1", "0")
    } else {
        (base.join("freezer").join(&container.id), "freezer.state", "FROZEN", "THAWED")
    };
    let child = group.join("child");
    fs::create_dir(&child).expect("root makes groups");
    (child.join("cgroup.procs"), child.join(file), on, off)
}

/// An exec into a container whose first process was moved into a group below, and that is frozen.
pub fn frozen_below(runtime: &Runtime) -> Outcome {
    let container = runtime.container().sh("while :; do sleep 60; done");
    let container = container.edit(|config| {
        if has_controller("hugetlb") {
            config["linux"]["resources"]["hugepageLimits"] = json!([{"pageSize": "2MB", "limit": 0}]);
        }
    });
    let container = container.started();
    let (procs, freezer, on, off) = child_group(&container);
    for pid in processes(&container.id) {
        fs::write(&procs, pid).expect("the group takes processes");
    }
    if is_v2() && has_controller("hugetlb") {
        // With a controller for groups below, this one takes no processes: exec is born where the first one is.
        let control = Path::new("/sys/fs/cgroup").join(&container.id).join("cgroup.subtree_control");
        fs::write(control, "+hugetlb").expect("the container's group has the controller");
    }
    let others = processes(&container.id).len();
    fs::write(&freezer, on).expect("the group can be frozen");
    let outcome = ask(quiet(container.command(&["exec", &container.id, "/bin/true"])), &container, others);
    fs::write(&freezer, off).expect("the group can be thawed");
    outcome
}

#[test]
fn an_exec_into_a_frozen_group_is_refused_or_answers_sigterm() {
    if !is_v2() && !has_controller("freezer") {
        skip!("there is no freezer");
    }
    let outcome = frozen_below(&runtime::ours());
    judge(stand::STOPPED, outcome.holds(), &format!("a frozen group below: {outcome:?}"));
}

/// An exec into a container that holds a lease on its /etc/passwd, and the time that it computed for, in ticks of 10 ms.
pub fn leased(runtime: &Runtime) -> (Outcome, u64) {
    let container = runtime.container();
    spy::put(&container, "lease");
    let container = container.args(&["/lease", "/etc/passwd", spy::REPORT]).started();
    spy::wait_ready(&container);
    let before = computed();
    let outcome = ask(quiet(container.command(&["exec", &container.id, "/bin/true"])), &container, 1);
    (outcome, computed() - before)
}

/// The processor time of our children that have ended, in ticks.
fn computed() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("a process has a stat");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // proc_pid_stat(5): cutime and cstime are fields 16 and 17, and this begins with field 3.
    fields[13..15].iter().map(|field| field.parse::<u64>().expect("a number")).sum()
}

#[test]
fn an_exec_beside_a_lease_does_not_spin_and_answers_sigterm() {
    needs_spies!();
    let (outcome, ticks) = leased(&runtime::ours());
    let holds = outcome.holds() && ticks < 30;
    judge(stand::LEASE, holds, &format!("a lease on /etc/passwd: {outcome:?}, {ticks} ticks"));
}

/// A FUSE file system over a file or directory of the container's root, whose server can be made deaf.
pub struct Deaf {
    server: Child,
    place: PathBuf,
    report: PathBuf,
}

impl Deaf {
    pub fn over(place: PathBuf, scratch: &Path) -> Deaf {
        let report = scratch.join("deaf");
        let mut command = Command::new(spy::program("deaf"));
        command.arg(&place).arg(&report);
        let deaf = Deaf { server: quiet(command), place, report };
        wait_until("the file system is mounted", || deaf.said("ready"));
        deaf
    }

    pub fn said(&self, word: &str) -> bool {
        fs::read_to_string(&self.report).unwrap_or_default().lines().any(|line| line == word)
    }

    pub fn fall_deaf(&self) {
        kill(Pid::from_raw(self.server.id() as i32), Signal::SIGUSR1).expect("it is our child");
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        // The end of the server ends every wait for it; only then may anything look at the place.
        self.server.kill().expect("it is our child");
        self.server.wait().expect("it is our child");
        // It fails where the mount has gone already.
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

/// What in a container is on the dead file system.
const PLACES: [&str; 3] = ["passwd", "program", "cwd"];

/// A command while the file system behind this place does not answer: `exec`, or `run` while it makes the container.
pub fn beside_deaf(runtime: &Runtime, place: &str, verb: &str) -> Outcome {
    let container = runtime.container();
    spy::put(&container, "idle");
    let file = match place {
        "passwd" => container.rootfs().join("etc/passwd"),
        "program" => container.rootfs().join("program"),
        _ => container.rootfs().join("work"),
    };
    match place {
        "cwd" => fs::create_dir(&file).unwrap(),
        "program" => crate::support::copy_program(&spy::program("idle"), &file),
        _ => {}
    }
    let container = container.args(&["/idle"]);
    let deaf = Deaf::over(file, &container.dir);
    // The mount is the host's and comes with the root, which is bound recursively.
    let program = if place == "program" { "/program" } else { "/idle" };
    let cwd = if place == "cwd" { "/work" } else { "/" };
    if verb == "exec" {
        let container = container.started();
        deaf.fall_deaf();
        let exec = container.command(&["exec", "--cwd", cwd, &container.id, program]);
        let outcome = ask(quiet(exec), &container, 1);
        drop(deaf);
        sweep(&container);
        return outcome;
    }
    let container = container.args(&[program]).edit(|config| config["process"]["cwd"] = cwd.into());
    container.write_config();
    deaf.fall_deaf();
    let bundle = container.bundle();
    let run = container.command(&["run", "--bundle", bundle.to_str().unwrap(), &container.id]);
    let outcome = ask(quiet(run), &container, 0);
    drop(deaf);
    outcome
}

#[test]
fn a_dead_file_system_in_the_container_leaves_exec_and_run_to_sigterm() {
    needs_spies!();
    if fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").is_err() {
        skip!("/dev/fuse cannot be opened");
    }
    for verb in ["exec", "run"] {
        for place in PLACES {
            let outcome = beside_deaf(&runtime::ours(), place, verb);
            // What waits for such a server cannot even be killed, so it may be left until the server has ended.
            judge(stand::DEAF_FILES, outcome != Outcome::Deaf, &format!("{verb}, deaf {place}: {outcome:?}"));
        }
    }
}
