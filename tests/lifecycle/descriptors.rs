//! Descriptors: nothing but 0 to 2 and those that are passed on purpose reaches the process; closed standard streams
//! do no harm.

use crate::support::{Container, Ended, finish};
use std::process::Command;

/// The command line of `run`, for a shell that arranges descriptors first.
fn run_line(container: &Container, options: &str) -> String {
    container.write_config();
    let binary = crate::support::RRUNTIME;
    let (root, bundle) = (container.state_root(), container.bundle());
    format!("{binary} --root {} run {options} --bundle {} {}", root.display(), bundle.display(), container.id)
}

fn bash(script: &str) -> Ended {
    let mut command = Command::new("bash");
    command.arg("-c").arg(script);
    finish(command)
}

const LIST: &str = "for fd in /proc/self/fd/*; do echo ${fd##*/}; done";

/// The numbers that a shell's own glob shows, without the directory that it reads.
fn listed(text: &str) -> Vec<u32> {
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

#[test]
fn what_a_careless_caller_left_open_does_not_reach_the_process() {
    let plain = listed(&bash(&run_line(&Container::new().sh(LIST), "")).ok());
    let leaky = Container::new().sh(LIST);
    let line = run_line(&leaky, "");
    let text = bash(&format!("exec 3</ 4</etc/passwd 7>/dev/null 42</ 200<.; {line}")).ok();
    assert_eq!(listed(&text), plain);
    assert!(plain.iter().all(|fd| *fd <= 3 || *fd == 10), "{plain:?}");

    let container = Container::new().args(&["sleep", "100"]).started();
    let exec = format!(
        "exec 3</ 4</etc/passwd 7>/dev/null 42</; {} --root {} exec {} sh -c '{LIST}'",
        crate::support::RRUNTIME,
        container.state_root().display(),
        container.id
    );
    assert_eq!(listed(&bash(&exec).ok()), plain);
}

#[test]
fn preserved_descriptors_keep_their_numbers_and_no_others_come() {
    let script = "cat <&3; cat <&4; if cat <&5 2>/dev/null; then echo leaked; fi";
    let container = Container::new().sh(script);
    let line = run_line(&container, "--preserve-fds 2");
    let text = bash(&format!("exec 3< <(echo three) 4< <(echo four) 5</etc/passwd; {line}")).ok();
    assert_eq!(text, "three\nfour\n");

    let container = Container::new().args(&["sleep", "100"]).started();
    let exec = format!(
        "exec 3< <(echo three) 4</etc/passwd; {} --root {} exec --preserve-fds 1 {} sh -c \
         'cat <&3; if cat <&4 2>/dev/null; then echo leaked; fi'",
        crate::support::RRUNTIME,
        container.state_root().display(),
        container.id
    );
    assert_eq!(bash(&exec).ok(), "three\n");
}

#[test]
fn a_preserved_descriptor_that_is_not_open_is_not_replaced_by_one_of_ours() {
    let container = Container::new()
        .sh("for n in 3 4 5 6 7 8 9 10 11 12; do [ -e /proc/$$/fd/$n ] && echo $n; done; true");
    let line = run_line(&container, "--preserve-fds 9");
    assert_eq!(
        bash(&format!("exec 3</dev/null 4<&- 5<&- 6<&- 7<&- 8<&- 9<&- 10<&- 11<&-; {line}")).ok(),
        "3\n"
    );
    container.assert_gone();
}

#[test]
fn closed_standard_streams_are_open_on_nothing() {
    let script = "for n in 0 1 2; do readlink /proc/$$/fd/$n; done > /tmp/streams; echo into; echo into >&2";
    let container = Container::new().sh(script);
    let line = run_line(&container, "");
    bash(&format!("{line} <&- >&- 2>&-")).ok();
    let streams = std::fs::read_to_string(container.rootfs().join("tmp/streams")).unwrap();
    let streams: Vec<&str> = streams.lines().collect();
    // The loop's 1 is the file that it writes.
    assert_eq!(streams, ["/dev/null", "/tmp/streams", "/dev/null"]);
    container.assert_gone();

    let container = Container::new().args(&["sleep", "100"]).started();
    let exec = format!(
        "{} --root {} exec {} sh -c 'cat; echo into; [ -e /proc/self/fd/0 ] && exit 3' <&- >&- 2>&-",
        crate::support::RRUNTIME,
        container.state_root().display(),
        container.id
    );
    assert_eq!(bash(&exec).code, 3);
}
