//! kill, and signals that a foreground run passes on.

use crate::support::leftovers::{assert_nothing_left, processes};
use crate::support::{Container, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::process::{Child, Stdio};

/// A program that writes down each of these signals (names or numbers) that it gets.
fn listener(signals: &[&str]) -> Container {
    let traps: String =
        signals.iter().map(|signal| format!("trap 'echo {signal} >> /tmp/got' {signal}; ")).collect();
    Container::new().sh(&format!("{traps} echo ready > /tmp/ready; while true; do sleep 0.02; done"))
}

fn got(container: &Container) -> Vec<String> {
    let text = fs::read_to_string(container.rootfs().join("tmp/got")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn wait_until_ready(container: &Container) {
    wait_until("the program is ready", || container.rootfs().join("tmp/ready").exists());
}

#[test]
fn kill_knows_signals_by_every_form_of_their_name_and_by_number() {
    // RTMIN is 34 for programs of glibc and for every text that users read.
    let container = listener(&["HUP", "USR1", "USR2", "TERM", "34", "37", "62"]).started();
    wait_until_ready(&container);
    for (word, wanted) in [
        ("HUP", "HUP"),
        ("SIGUSR1", "USR1"),
        ("usr2", "USR2"),
        ("15", "TERM"),
        ("RTMIN", "34"),
        ("SIGRTMIN+3", "37"),
        ("RTMAX-2", "62"),
    ] {
        let before = got(&container).len();
        container.call(&["kill", &container.id, word]).ok();
        wait_until(word, || got(&container).len() > before);
        assert_eq!(got(&container)[before], wanted, "{word}");
    }
    let before = got(&container).len();
    container.call(&["kill", &container.id]).ok();
    wait_until("TERM by default", || got(&container).len() > before);
    assert_eq!(got(&container)[before], "TERM");
    // 0 only asks whether there is a process.
    container.call(&["kill", &container.id, "0"]).ok();
    for wrong in ["NOPE", "SIGNOPE", "-1", "65", "1000", "RTMAX+1"] {
        let error = container.call(&["kill", "--", &container.id, wrong]).fails();
        assert!(error.contains("signal") && error.contains(wrong), "{wrong}: {error}");
    }
    assert_eq!(container.status(), "running");
}

#[test]
fn kill_all_reaches_every_process_with_and_without_a_pid_namespace() {
    for own_pids in [true, false] {
        let mut container = Container::new().sh(
            "for name in a b; do sh -c \"trap 'echo $name >> /tmp/got' USR1; echo > /tmp/ready.$name; \
             while true; do sleep 0.02; done\" & done; \
             trap 'echo first >> /tmp/got' USR1; echo > /tmp/ready; while true; do sleep 0.02; done",
        );
        if !own_pids {
            container = container.without_namespace("pid");
        }
        let container = container.started();
        wait_until("all are ready", || {
            ["ready", "ready.a", "ready.b"].iter().all(|n| container.rootfs().join("tmp").join(n).exists())
        });
        container.call(&["kill", "--all", &container.id, "USR1"]).ok();
        wait_until("all have got it", || got(&container).len() >= 3);
        let mut names = got(&container);
        names.sort();
        assert_eq!(names, ["a", "b", "first"]);
        // To the first process alone.
        fs::remove_file(container.rootfs().join("tmp/got")).unwrap();
        container.call(&["kill", &container.id, "USR1"]).ok();
        wait_until("the first has got it", || !got(&container).is_empty());
        assert_eq!(got(&container), ["first"]);
        container.call(&["kill", "-a", &container.id, "KILL"]).ok();
        container.wait_for_status("stopped");
        wait_until("nobody is left", || processes(&container.id).is_empty());
        container.call(&["delete", &container.id]).ok();
        assert_nothing_left(&container);
    }
}

#[test]
fn delete_ends_what_outlived_the_first_process_in_a_shared_pid_namespace() {
    let container = Container::new()
        .without_namespace("pid")
        .sh("sleep 100 & sleep 100 & echo > /tmp/ready; exec sleep 0.1");
    assert_eq!(container.create().code, 0);
    container.start().ok();
    container.wait_for_status("stopped");
    assert_eq!(processes(&container.id).len(), 2);
    container.call(&["delete", &container.id]).ok();
    assert_nothing_left(&container);
}

#[test]
fn a_foreground_run_in_a_shared_pid_namespace_leaves_no_process() {
    let container = Container::new().without_namespace("pid").sh("sleep 100 >/dev/null 2>&1 & exit 4");
    assert_eq!(container.run().code, 4);
    assert_nothing_left(&container);
}

fn foreground(container: &Container) -> Child {
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

#[test]
fn a_foreground_run_passes_signals_on_and_gives_the_programs_code() {
    let container = Container::new()
        .sh("for s in HUP INT QUIT USR1 USR2 CONT ALRM; do trap \"echo $s >> /tmp/got\" $s; done; \
         trap 'echo TERM >> /tmp/got; exit 42' TERM; echo > /tmp/ready; while true; do sleep 0.02; done");
    let mut run = foreground(&container);
    wait_until_ready(&container);
    for signal in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGCONT,
        Signal::SIGALRM,
    ] {
        let before = got(&container).len();
        send(&run, signal);
        wait_until(signal.as_str(), || got(&container).len() > before);
        assert_eq!(format!("SIG{}", got(&container)[before]), signal.as_str());
    }
    send(&run, Signal::SIGTERM);
    assert_eq!(run.wait().unwrap().code(), Some(42));
    assert_nothing_left(&container);
}

#[test]
fn a_foreground_exec_passes_signals_on() {
    let container = Container::new().args(&["sleep", "100"]).started();
    let script = "trap 'exit 9' TERM; echo > /tmp/ready; while true; do sleep 0.02; done";
    let mut exec = container.command(&["exec", &container.id, "sh", "-c", script]).spawn().unwrap();
    wait_until_ready(&container);
    send(&exec, Signal::SIGTERM);
    assert_eq!(exec.wait().unwrap().code(), Some(9));
    assert_eq!(container.status(), "running");
}

#[test]
fn the_program_begins_with_no_signal_blocked_or_ignored() {
    const LOOK: [&str; 5] = ["/bin/busybox", "grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"];
    let none = ["SigBlk", "SigIgn", "SigCgt"].map(|set| format!("{set}:\t0000000000000000\n")).concat();
    assert_eq!(Container::new().args(&LOOK).run().ok(), none);
    let container = Container::new().args(&["sleep", "100"]).started();
    assert_eq!(container.call(&[&["exec", &container.id][..], &LOOK].concat()).ok(), none);
}
