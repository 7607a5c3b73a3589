//! The terminal of a run in the foreground, while its output is not read.

use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, wait_until};
use std::io::Read;
use std::process::{Child, Stdio};

fn run(container: &Container) -> Child {
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn with_terminal(container: Container) -> Container {
    container.edit(|config| config["process"]["terminal"] = true.into())
}

#[test]
fn a_signal_reaches_a_process_whose_terminal_nobody_reads() {
    let script = "trap 'echo > /tmp/told; exit 6' TERM; (while :; do echo full; done) & wait";
    let container = with_terminal(Container::new().sh(script));
    let mut run = run(&container);
    wait_until("it runs", || container.call(&["state", &container.id]).out.contains("running"));
    // Not a byte was read, and more was written than any pipe holds.
    let mut command = std::process::Command::new("kill");
    wait_until("the signal is passed on", || {
        command.args(["-TERM", &run.id().to_string()]).status().unwrap();
        command = std::process::Command::new("kill");
        container.rootfs().join("tmp/told").exists()
    });
    let mut output = run.stdout.take().unwrap();
    std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
    run.wait().unwrap();
    assert_nothing_left(&container);
}

#[test]
fn nothing_of_a_long_text_is_lost_to_a_slow_reader() {
    let container = with_terminal(Container::new().sh("seq 1 40000; echo end"));
    let mut run = run(&container);
    let mut output = run.stdout.take().unwrap();
    let mut text = Vec::new();
    let mut piece = [0; 700];
    loop {
        match output.read(&mut piece).unwrap() {
            0 => break,
            count => text.extend_from_slice(&piece[..count]),
        }
    }
    assert!(run.wait().unwrap().success());
    let text = String::from_utf8(text).unwrap();
    let mut lines = text.lines();
    for number in 1..=40000 {
        assert_eq!(lines.next(), Some(number.to_string().as_str()));
    }
    assert_eq!(lines.next(), Some("end"));
}
