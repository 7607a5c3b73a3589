//! `attach`: with and without a terminal, to the end and away from it.

use super::{assert_no_shim, detached};
use crate::support::{Container, wait_until};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{OpenptyResult, Winsize, openpty};
use serde_json::json;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Stdio};

fn attach(container: &Container, options: &[&str]) -> Child {
    let mut command = container.command(&[&["attach"], options, &[&*container.id]].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("attach can be started")
}

#[test]
fn input_reaches_the_process_and_its_end_too() {
    let container = Container::new().sh("while read l; do echo got $l; echo bad $l >&2; done; exit 5");
    detached(&container, &["--stdin"]).ok();
    let mut attached = attach(&container, &[]);
    attached.stdin.take().expect("a pipe").write_all(b"a\nb\n").expect("attach reads");
    let ended = attached.wait_with_output().expect("attach ends");
    assert_eq!(ended.status.code(), Some(5), "the exit code is the container's");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "got a\ngot b\n");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "bad a\nbad b\n");
    assert_no_shim(&container);
}

#[test]
fn much_input_and_output_pass_whole() {
    let container = Container::new().args(&["cat"]);
    detached(&container, &["--stdin"]).ok();
    let mut attached = attach(&container, &[]);
    let text: Vec<u8> = (0..300_000u32).flat_map(|number| format!("{number}\n").into_bytes()).collect();
    let (mut input, sent) = (attached.stdin.take().expect("a pipe"), text.clone());
    let writing = std::thread::spawn(move || input.write_all(&sent));
    let ended = attached.wait_with_output().expect("attach ends");
    writing.join().expect("no panic").expect("attach reads all");
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stdout == text, "{} of {} bytes", ended.stdout.len(), text.len());
}

#[test]
fn a_signal_ends_attach_alone() {
    let container = Container::new().sh("echo up; exec sleep 1000");
    detached(&container, &[]).ok();
    let attached = attach(&container, &[]);
    std::thread::sleep(std::time::Duration::from_millis(200));
    super::kill(attached.id() as i32, libc::SIGTERM);
    let ended = attached.wait_with_output().expect("attach ends");
    let error = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && error.contains("SIGTERM") && error.contains("goes on"), "{error}");
    assert_eq!(container.status(), "running");
}

/// Two clients see the same; the one that leaves takes nothing along.
#[test]
fn several_attach_at_once() {
    let container = Container::new().sh("while [ ! -e /tmp/go ]; do sleep 0.05; done; echo all");
    detached(&container, &[]).ok();
    let both = [attach(&container, &[]), attach(&container, &[])];
    let mut third = attach(&container, &[]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    super::kill(third.id() as i32, libc::SIGKILL);
    third.wait().expect("it is our child");
    std::fs::write(container.rootfs().join("tmp/go"), "").expect("the rootfs is writable");
    for attached in both {
        let ended = attached.wait_with_output().expect("attach ends");
        assert_eq!((ended.status.code(), &*ended.stdout), (Some(0), &b"all\n"[..]));
    }
}

/// A terminal of ours with this size, and attach on it.
fn on_a_terminal(container: &Container, size: (u16, u16), options: &[&str]) -> (File, Child) {
    let size = Winsize { ws_row: size.0, ws_col: size.1, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(Some(&size), None).expect("a terminal");
    let mut command = container.command(&[&["attach"], options, &[&*container.id]].concat());
    let copy = || slave.try_clone().expect("a descriptor");
    command.stdin(copy()).stdout(copy()).stderr(copy());
    (File::from(master), command.spawn().expect("attach can be started"))
}

/// Until all of it has come.
fn read_until(master: &mut File, wanted: &[&str]) {
    let (mut text, mut bytes) = (String::new(), [0; 1024]);
    while !wanted.iter().all(|word| text.contains(word)) {
        let mut watched = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
        assert_eq!(
            poll(&mut watched, PollTimeout::from(20_000u16)),
            Ok(1),
            "{wanted:?} does not come: {text:?}"
        );
        match master.read(&mut bytes) {
            Ok(length @ 1..) => text.push_str(&String::from_utf8_lossy(&bytes[..length])),
            _ => panic!("{wanted:?} does not come: {text:?}"),
        }
    }
}

#[test]
fn a_terminal_has_our_size_and_is_left_by_keys() {
    let container = Container::new()
        .sh("while read word; do case $word in size) stty size;; end) exit 8;; *) echo \"<$word>\";; esac; done")
        .edit(|config| config["process"]["terminal"] = json!(true));
    detached(&container, &[]).ok();

    let (mut master, mut attached) = on_a_terminal(&container, (33, 77), &[]);
    master.write_all(b"hello\nsize\n").expect("the terminal takes it");
    read_until(&mut master, &["<hello>", "33 77"]);
    master.write_all(b"\x10\x11").expect("the terminal takes it");
    assert_eq!(attached.wait().expect("it is our child").code(), Some(0));
    assert_eq!(container.status(), "running");

    let (mut master, mut attached) = on_a_terminal(&container, (20, 60), &["--detach-keys", "x,ctrl-y"]);
    // A part of the keys is text like any other.
    master.write_all(b"x\x10z\nsize\n").expect("the terminal takes it");
    read_until(&mut master, &["z>", "20 60"]);
    master.write_all(b"x\x19").expect("the terminal takes it");
    assert_eq!(attached.wait().expect("it is our child").code(), Some(0));

    let (mut master, mut attached) = on_a_terminal(&container, (20, 60), &["--detach-keys="]);
    master.write_all(b"end\n").expect("the terminal takes it");
    assert_eq!(attached.wait().expect("it is our child").code(), Some(8), "the container has ended");
    assert_eq!(container.call(&["wait", &container.id]).out, "8\n");
}

#[test]
fn nobody_attaches_to_what_has_ended() {
    let container = Container::new().sh("true");
    detached(&container, &[]).ok();
    container.call(&["wait", &container.id]).ok();
    wait_until("the end of the shim", || !super::place(&container).join("attach").exists());
    let error = container.call(&["attach", &container.id]).fails();
    assert!(error.contains("has ended") && error.contains("rruntime logs"), "{error}");
}

#[test]
fn a_client_that_goes_away_does_not_end_the_input() {
    let container = Container::new().sh("while read l; do echo got $l; done; exit 5");
    detached(&container, &["--stdin"]).ok();
    let mut first = attach(&container, &[]);
    std::thread::sleep(std::time::Duration::from_millis(200));
    super::kill(first.id() as i32, libc::SIGTERM);
    first.wait().expect("it is our child");
    let watching = attach(&container, &["--no-stdin"]);
    let mut second = attach(&container, &[]);
    second.stdin.take().expect("a pipe").write_all(b"more\n").expect("attach reads");
    let ended = second.wait_with_output().expect("attach ends");
    assert_eq!((ended.status.code(), &*ended.stdout), (Some(5), &b"got more\n"[..]));
    let ended = watching.wait_with_output().expect("attach ends");
    assert_eq!(ended.status.code(), Some(5));
}

#[test]
fn a_reader_that_goes_away_ends_attach() {
    let container = Container::new().sh("while :; do echo line; sleep 0.01; done");
    detached(&container, &[]).ok();
    let mut attached = attach(&container, &[]);
    drop(attached.stdout.take());
    assert_eq!(attached.wait().expect("it is our child").code(), Some(0));
    assert_eq!(container.status(), "running");
}
