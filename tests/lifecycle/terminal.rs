//! Terminals: the container's is made in its own devpts; its master goes to a console socket, or is joined to the
//! caller's terminal.

use crate::support::{Container, wait_until};
use nix::pty::{OpenptyResult, Winsize, openpty};
use rruntime::sys::socket;
use serde_json::json;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

fn with_terminal(script: &str) -> Container {
    Container::new().sh(script).edit(|config| config["process"]["terminal"] = true.into())
}

/// An engine's end of `--console-socket`. Socket addresses are short, and target/tmp is not.
struct ConsoleSocket {
    path: PathBuf,
    listener: UnixListener,
}

impl ConsoleSocket {
    fn new(container: &Container) -> ConsoleSocket {
        let path = std::env::temp_dir().join(format!("{}.sock", container.id));
        let listener = UnixListener::bind(&path).unwrap();
        ConsoleSocket { path, listener }
    }

    fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn master(&self) -> File {
        let (stream, _) = self.listener.accept().unwrap();
        let mut name = [0; 4096];
        let (_, passed) = socket::receive(stream.as_fd(), &mut name).unwrap();
        File::from(passed.expect("the terminal's master comes with the message"))
    }
}

impl Drop for ConsoleSocket {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).unwrap();
    }
}

/// What the terminal shows until its other end is closed (EIO).
fn read_to_end(master: &mut File) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        text.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn read_until(master: &mut File, wanted: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(wanted) {
        let count = master.read(&mut buffer).unwrap_or(0);
        assert_ne!(count, 0, "the terminal ended before {wanted:?}: {text:?}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    text
}

/// Our side of a terminal, and a command on the other.
fn on_pty(mut command: Command, rows: u16, columns: u16) -> (File, Child) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
    let copy = |slave: &OwnedFd| Stdio::from(slave.try_clone().unwrap());
    command.stdin(copy(&slave)).stdout(copy(&slave)).stderr(copy(&slave));
    let child = command.spawn().unwrap();
    // The command keeps copies of the slave until it is dropped.
    drop(command);
    (File::from(master), child)
}

const LOOK: &str = "tty; stat -c %t:%T /dev/console; \
                    stty size; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminals; echo x > /dev/tty";

#[test]
fn the_master_of_a_created_container_comes_through_the_console_socket() {
    let container = with_terminal(&format!("{LOOK}; read line; echo got $line")).edit(|config| {
        config["process"]["consoleSize"] = json!({"height": 33, "width": 99});
    });
    let socket = ConsoleSocket::new(&container);
    assert_eq!(container.create_with(&["--console-socket", socket.text()]).code, 0);
    let mut master = socket.master();
    container.start().ok();
    let text = read_until(&mut master, "x\r\n");
    assert!(text.contains("/dev/pts/0\r\n") || text.contains("/dev/console\r\n"), "{text}");
    assert!(text.contains("88:0\r\n"), "/dev/console is the terminal: {text}");
    assert!(text.contains("33 99\r\n") && text.contains("terminals\r\n"), "{text}");
    master.write_all(b"hello\n").unwrap();
    assert!(read_to_end(&mut master).contains("got hello"));
    container.wait_for_status("stopped");
    container.call(&["delete", &container.id]).ok();
    container.assert_gone();
}

#[test]
fn typed_control_c_interrupts_the_program() {
    let container =
        with_terminal("trap 'echo interrupted; exit 0' INT; echo ready; while true; do sleep 0.02; done");
    let socket = ConsoleSocket::new(&container);
    assert_eq!(container.create_with(&["--console-socket", socket.text()]).code, 0);
    let mut master = socket.master();
    container.start().ok();
    read_until(&mut master, "ready");
    master.write_all(&[3]).unwrap();
    read_until(&mut master, "interrupted");
}

#[test]
fn a_detached_run_sends_its_terminal() {
    let container = with_terminal("echo hello; sleep 0.05");
    let socket = ConsoleSocket::new(&container);
    assert_eq!(crate::commands::run_detached(&container, &["--console-socket", socket.text()]), 0);
    assert_eq!(read_to_end(&mut socket.master()), "hello\r\n");
}

#[test]
fn a_foreground_run_joins_its_terminal_to_the_containers() {
    let container = with_terminal(&format!("{LOOK}; read line; echo got $line; exit 5"));
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id);
    let (mut master, mut run) = on_pty(command, 41, 123);
    let text = read_until(&mut master, "x\r\n");
    assert!(text.contains("41 123\r\n") && text.contains("terminals\r\n"), "{text}");
    master.write_all(b"hello\r").unwrap();
    read_until(&mut master, "got hello");
    assert_eq!(run.wait().unwrap().code(), Some(5));
    container.assert_gone();
}

#[test]
fn a_foreground_run_puts_the_callers_terminal_back() {
    let container = with_terminal("stty -a > /dev/null; echo done");
    container.write_config();
    let mut command = Command::new("sh");
    let run = container.command(&["run", "--bundle", container.bundle().to_str().unwrap(), &container.id]);
    let words: Vec<String> = std::iter::once(run.get_program())
        .chain(run.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    command.arg("-c").arg(format!("stty -g; {}; stty -g; echo end", words.join(" ")));
    let (mut master, mut child) = on_pty(command, 24, 80);
    let text = read_until(&mut master, "end\r\n");
    let modes: Vec<&str> = text.lines().filter(|line| line.contains(':')).collect();
    assert!(modes.len() == 2 && modes[0] == modes[1], "{text}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_new_size_of_the_callers_terminal_reaches_the_container() {
    let container = with_terminal("trap 'stty size' WINCH; echo ready; while true; do sleep 0.02; done");
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id);
    let (mut master, mut run) = on_pty(command, 24, 80);
    read_until(&mut master, "ready");
    rruntime::sys::terminal::set_size(master.as_fd(), 50, 150).unwrap();
    // The terminal is not our child's controlling one, so the kernel tells no process.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(run.id() as i32), nix::sys::signal::Signal::SIGWINCH)
        .unwrap();
    read_until(&mut master, "50 150");
    container.call(&["kill", &container.id, "KILL"]).ok();
    assert_eq!(run.wait().unwrap().code(), Some(137));
}

#[test]
fn run_with_a_terminal_works_from_a_pipe() {
    let container = with_terminal("read line; echo got $line");
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut run = command.spawn().unwrap();
    run.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    let output = run.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("got hello"), "{text}");
}

#[test]
fn exec_gives_a_terminal_in_the_foreground_and_through_a_console_socket() {
    let container = Container::new().args(&["sleep", "100"]).started();
    let script = "tty; stty size; read line; echo got $line; exit 6";
    let command = container.command(&["exec", "--tty", &container.id, "sh", "-c", script]);
    let (mut master, mut exec) = on_pty(command, 31, 77);
    let text = read_until(&mut master, "31 77");
    assert!(text.contains("/dev/pts/"), "{text}");
    master.write_all(b"hello\r").unwrap();
    read_until(&mut master, "got hello");
    assert_eq!(exec.wait().unwrap().code(), Some(6));

    let socket = ConsoleSocket::new(&container);
    let ended = container.call(&[
        "exec",
        "-d",
        "-t",
        "--console-socket",
        socket.text(),
        &container.id,
        "sh",
        "-c",
        "echo hello; exec cat",
    ]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let mut master = socket.master();
    read_until(&mut master, "hello\r\n");
    master.write_all(b"again\n").unwrap();
    read_until(&mut master, "again\r\nagain\r\n");
}

#[test]
fn a_terminal_without_a_receiver_is_refused_before_anything_is_made() {
    let container = with_terminal("true");
    let created = container.create();
    assert!(created.code == 1 && created.err.contains("--console-socket"), "{created:?}");
    container.assert_gone();
    let created = container.create_with(&["--console-socket", "/nonexistent"]);
    assert!(created.code == 1 && created.err.contains("/nonexistent"), "{created:?}");
    container.assert_gone();
    let detached = container.run_with(&["--detach"]).fails();
    assert!(detached.contains("--console-socket"), "{detached}");
    container.assert_gone();
    let plain = Container::new().args(&["true"]);
    let socket = ConsoleSocket::new(&plain);
    let created = plain.create_with(&["--console-socket", socket.text()]);
    assert!(created.code == 1 && created.err.contains("process.terminal"), "{created:?}");
    plain.assert_gone();
}

#[test]
fn the_terminals_slave_belongs_to_the_containers_user() {
    let container = with_terminal("stat -c %u:%g:%a /dev/pts/0; echo ok > /dev/pts/0; echo end")
        .edit(|config| config["process"]["user"] = json!({"uid": 1000, "gid": 1000}));
    let socket = ConsoleSocket::new(&container);
    assert_eq!(container.create_with(&["--console-socket", socket.text()]).code, 0);
    let mut master = socket.master();
    container.start().ok();
    let text = read_until(&mut master, "end");
    assert!(text.contains("1000:5:620\r\nok\r\n"), "{text}");
    wait_until("the end", || container.status() == "stopped");
}
