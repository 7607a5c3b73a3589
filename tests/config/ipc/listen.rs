//! LISTEN_FDS: sockets that a service manager has opened reach the program, and nothing else does.

use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, Ended, RRUNTIME, finish};
use std::process::Command;

/// What the program says of its descriptors and variables.
const TELL: &str =
    "for fd in 3 4 5 6 7; do cat <&$fd 2>/dev/null || echo none; done; env | grep LISTEN_ | sort";

/// `run` from a shell that opens descriptors 3 to 7 and sets these variables; `$BASHPID` becomes rruntime's pid.
fn run(container: &Container, variables: &str, options: &str) -> Ended {
    container.write_config();
    let (root, bundle) = (container.state_root(), container.bundle());
    let opens: String = (3..8).map(|fd| format!("{fd}< <(echo {fd}) ")).collect();
    bash(&format!(
        "exec {opens}; export {variables}; exec {RRUNTIME} --root {} run {options} --bundle {} {}",
        root.display(),
        bundle.display(),
        container.id
    ))
}

fn bash(script: &str) -> Ended {
    let mut command = Command::new("bash");
    command.args(["-c", script]);
    finish(command)
}

#[test]
fn sockets_keep_their_numbers_and_the_program_is_told() {
    let container = Container::new().sh(TELL);
    let out = run(&container, "LISTEN_FDS=2 LISTEN_FDNAMES=web:admin LISTEN_PID=$BASHPID", "").ok();
    assert_eq!(out, "3\n4\nnone\nnone\nnone\nLISTEN_FDNAMES=web:admin\nLISTEN_FDS=2\nLISTEN_PID=1\n");
    assert_nothing_left(&container);
}

#[test]
fn preserved_descriptors_come_after_the_sockets() {
    let container = Container::new().sh(TELL);
    let out = run(&container, "LISTEN_FDS=2 LISTEN_PID=$BASHPID", "--preserve-fds 1").ok();
    assert_eq!(out, "3\n4\n5\nnone\nnone\nLISTEN_FDS=2\nLISTEN_PID=1\n");
}

#[test]
fn what_is_meant_for_another_process_is_not_passed_on() {
    for pid in ["LISTEN_PID=1", "LISTEN_PID=", "OTHER=1"] {
        let container = Container::new().sh(TELL);
        let out = run(&container, &format!("LISTEN_FDS=2 LISTEN_FDNAMES=a:b {pid}"), "").ok();
        assert_eq!(out, "none\n".repeat(5), "{pid}");
    }
}

#[test]
fn the_program_is_told_its_own_pid_also_without_a_pid_namespace() {
    let container = Container::new().without_namespace("pid").sh("echo $$ $LISTEN_PID");
    let out = run(&container, "LISTEN_FDS=1 LISTEN_PID=$BASHPID", "").ok();
    let (own, told) = out.trim().split_once(' ').unwrap();
    assert!(own == told && own != "1", "{out}");
}

#[test]
fn a_process_of_exec_is_told_of_no_socket() {
    let container = Container::new().args(&["sleep", "100"]);
    run(&container, "LISTEN_FDS=1 LISTEN_PID=$BASHPID", "--detach </dev/null >/dev/null 2>&1").ok();
    assert_eq!(
        container.exec_sh("env | grep LISTEN_; ls /proc/self/fd").ok(),
        "0\n1\n2\n3\n",
        "3 is the list's"
    );
}

#[test]
fn variables_of_the_config_that_say_something_else_are_replaced() {
    let container = Container::new().sh(TELL).edit(|config| {
        let env = config["process"]["env"].as_array_mut().unwrap();
        env.extend(["LISTEN_FDS=9", "LISTEN_PID=77", "LISTEN_FDNAMES=x"].map(Into::into));
    });
    let out = run(&container, "LISTEN_FDS=1 LISTEN_PID=$BASHPID", "").ok();
    assert!(out.ends_with("none\nLISTEN_FDS=1\nLISTEN_PID=1\n"), "{out}");
}

#[test]
fn a_socket_that_is_not_open_is_refused_and_not_replaced_by_one_of_ours() {
    let container = Container::new().sh("ls -l /proc/self/fd");
    for count in ["6", "4000000000"] {
        let error = run(&container, &format!("LISTEN_FDS={count} LISTEN_PID=$BASHPID"), "").fails();
        assert!(error.contains("LISTEN_FDS") && error.contains("descriptor 8 is not open"), "{error}");
    }
    let error = run(&container, "LISTEN_FDS=many LISTEN_PID=$BASHPID", "").fails();
    assert!(error.contains("LISTEN_FDS") && error.contains("must be a number"), "{error}");
    container.assert_gone();
}

#[test]
fn create_and_start_pass_them_on_too() {
    let container = Container::new().sh(&format!("{{ {TELL}; }} > /tmp/out"));
    container.write_config();
    let script = format!(
        "exec 3< <(echo 3) 4</etc/hostname; export LISTEN_FDS=1 LISTEN_PID=$BASHPID; \
         exec {RRUNTIME} --root {} create --bundle {} {} >/dev/null 2>&1",
        container.state_root().display(),
        container.bundle().display(),
        container.id
    );
    bash(&script).ok();
    container.start().ok();
    container.wait_for_status("stopped");
    let out = std::fs::read_to_string(container.rootfs().join("tmp/out")).unwrap();
    assert_eq!(out, "3\nnone\nnone\nnone\nnone\nLISTEN_FDS=1\nLISTEN_PID=1\n");
}

/// Peers hand sockets to the first process alone.
#[test]
fn exec_passes_none_on() {
    let container = Container::new().args(&["sleep", "100"]).started();
    let script = format!(
        "exec 3< <(echo 3) 4< <(echo 4); export LISTEN_FDS=1 LISTEN_PID=$BASHPID; \
         exec {RRUNTIME} --root {} exec {} sh -c '{TELL}'",
        container.state_root().display(),
        container.id
    );
    assert_eq!(bash(&script).ok(), "none\n".repeat(5));
}
