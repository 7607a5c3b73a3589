//! Profiles that lack a call which something of ours needs behind the filter, or answer it with "done": what `exec`
//! starts has the container's rights and its filter, or exec is refused and names the call; never more rights.

use crate::gym::caught;
use crate::gym::runtime::{self, Runtime, bounded};
use crate::gym::stand::{self, judge};
use crate::gym::{neighbour, spy};
use crate::needs_spies;
use crate::support::leftovers::processes;
use crate::support::{Container, copy_program};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

const CALLS: [&str; 9] =
    ["clone", "write", "read", "capset", "close", "setsid", "exit_group", "ioctl", "close_range"];

/// Everything is allowed but this call, which fails with this errno; 0 says "done" and does nothing.
fn profile(call: &str, errno: u32) -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": [call], "action": "SCMP_ACT_ERRNO", "errnoRet": errno}],
    })
}

#[derive(Debug, PartialEq)]
enum Outcome {
    /// The program runs; what it has that the container has not.
    Runs(Vec<String>),
    Refused(String),
    Hangs,
}

/// A container whose program needs no call but pause, behind this profile; `None` where it is not even made.
fn behind(runtime: &Runtime, profile: &Value, no_new_privs: bool) -> Option<Container> {
    let container = runtime.container();
    spy::put(&container, "idle");
    copy_program(&spy::program("idle"), &container.rootfs().join("joined"));
    let container = container.args(&["/idle"]).edit(|config| {
        config["process"]["noNewPrivileges"] = no_new_privs.into();
        config["linux"]["seccomp"] = profile.clone();
    });
    container.write_config();
    let bundle = container.bundle();
    let words = ["create", "--bundle", bundle.to_str().unwrap(), &container.id];
    bounded(container.command(&words), Duration::from_secs(5)).filter(|status| status.success())?;
    bounded(container.command(&["start", &container.id]), Duration::from_secs(5))
        .filter(|status| status.success())?;
    Some(container)
}

fn exec(container: &Container) -> Outcome {
    let log = container.dir.join("exec.err");
    let mut command = container.command(&["exec", &container.id, "/joined"]);
    command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let mut child = command.spawn().unwrap();
    let comm = |pid: &String| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let found = || processes(&container.id).into_iter().find(|pid| comm(pid).trim() == "joined");
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if let Some(pid) = found() {
            let pid: i32 = pid.parse().expect("a pid");
            let excess = caught::look_at(pid).excess(&caught::allowed(&container.config));
            kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it idles");
            child.wait().expect("it is our child");
            return Outcome::Runs(excess);
        }
        if child.try_wait().expect("it is our child").is_some() {
            return Outcome::Refused(fs::read_to_string(&log).unwrap_or_default().trim().to_owned());
        }
    }
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    Outcome::Hangs
}

/// The rows of the table in which the promise is broken, of every call, answer and no_new_privs.
fn broken(runtime: &Runtime, prepare: impl Fn(&Container) -> Option<Container>) -> Vec<String> {
    runtime::adopt();
    let mut broken = Vec::new();
    for call in CALLS {
        for (errno, answer) in [(1, "refused"), (0, "\"done\"")] {
            for no_new_privs in [false, true] {
                let row = format!("{call} {answer}, no_new_privs {no_new_privs}");
                let Some(container) = behind(runtime, &profile(call, errno), no_new_privs) else {
                    eprintln!("gym: {row}: the container itself is refused");
                    continue;
                };
                let tracer = prepare(&container);
                let allowed = caught::allowed(&container.config);
                let mut outcome = exec(&container);
                // What the tracer has missed shows nothing; on a busy machine it misses many.
                for _ in 0..3 {
                    let missed = tracer.as_ref().is_some_and(|spy| caught::tally(spy, &allowed).met == 0);
                    if !missed || outcome != Outcome::Runs(Vec::new()) {
                        break;
                    }
                    outcome = exec(&container);
                }
                let seen = tracer.map(|spy| {
                    let tally = caught::tally(&spy, &allowed);
                    let pid = spy.pid();
                    runtime::away(spy, pid);
                    tally
                });
                let holds = match &outcome {
                    Outcome::Runs(excess) => excess.is_empty(),
                    Outcome::Refused(error) => error.contains(call),
                    Outcome::Hangs => false,
                };
                let caught = seen.as_ref().is_some_and(|tally| tally.caught > 0);
                let seen = seen.map(|tally| format!(", {tally}")).unwrap_or_default();
                eprintln!("gym: {row}: {outcome:?}{seen}");
                if !holds || caught {
                    broken.push(format!("{row}: {outcome:?}{seen}"));
                }
            }
        }
    }
    broken
}

#[test]
fn behind_a_strict_profile_exec_gives_no_more_rights_or_names_the_call() {
    needs_spies!();
    let broken = broken(&runtime::ours(), |_| None);
    judge(
        stand::STRICT,
        broken.is_empty(),
        &format!("strict profiles: {} broken: {broken:#?}", broken.len()),
    );
}

/// The tracer has no filter and shares the pid namespace: what is born there before it is confined is its prey.
#[test]
fn behind_a_strict_profile_a_tracer_finds_nothing() {
    needs_spies!();
    let runtime = runtime::ours();
    let broken = broken(&runtime, |container| {
        let spy = runtime.container();
        let host = crate::gym::joiner::host_mark(&spy);
        spy::put(&spy, "hunter");
        let spy = runtime::tracing(neighbour::beside(container, spy)).edit(|config| {
            config["linux"].as_object_mut().expect("linux").remove("seccomp");
        });
        Some(crate::gym::joiner::ready(spy.args(&["/hunter", "trace", spy::REPORT, &host]).started()))
    });
    judge(stand::STRICT, broken.is_empty(), &format!("strict, traced: {} broken: {broken:#?}", broken.len()));
}
