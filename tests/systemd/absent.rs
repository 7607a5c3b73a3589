//! Where no bus answers, or not as it should.

use crate::fixture::{property, scoped, start_with, systemd, unit};
use crate::support::{Container, wait_until};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

fn container() -> Container {
    Container::new().args(&["true"]).edit(|config| {
        let id = config["linux"]["cgroupsPath"].as_str().unwrap().trim_matches('/').to_owned();
        config["linux"]["cgroupsPath"] = format!("rr-test.slice:test:{id}").into();
        config["linux"]["resources"] = serde_json::json!({});
    })
}

fn assert_nothing(container: &Container) {
    assert_eq!(
        fs::read_dir(container.state_root()).unwrap().flatten().filter(|entry| entry.path().is_dir()).count(),
        0
    );
}

#[test]
fn a_bus_that_is_not_there_is_named_with_what_to_do() {
    if !nix::unistd::geteuid().is_root() {
        skip!("for root");
    }
    let remedy = "leave --systemd-cgroup out";
    for (address, words) in [
        ("unix:path=/nonexistent/bus", ["/nonexistent/bus", "no such file", remedy]),
        ("unix:abstract=rr-no-such-bus", ["rr-no-such-bus", "D-Bus", remedy]),
        ("tcp:host=localhost", ["tcp:host=localhost", "Unix socket", "unix:path="]),
    ] {
        let container = container();
        let error = start_with(&container, |command| {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", address);
        })
        .fails();
        for word in words {
            assert!(error.contains(word), "{address}: {word}: {error}");
        }
        assert_nothing(&container);
    }
}

/// A bus that answers this, or with nothing, and stays open.
fn bus(container: &Container, answer: &'static [u8]) -> String {
    let path = container.dir.join("bus");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for mut socket in listener.incoming().flatten() {
            let mut heard = [0; 16384];
            // The test ends whatever becomes of this.
            let _ = socket.read(&mut heard).and_then(|_| socket.write_all(answer));
            if answer.is_empty() {
                open.push(socket);
            }
        }
    });
    format!("unix:path={}", path.display())
}

#[test]
fn a_bus_that_closes_or_talks_nonsense_is_an_error_that_leaves_nothing() {
    if !nix::unistd::geteuid().is_root() {
        skip!("for root");
    }
    for (answer, expected) in [
        (&b"OK 0123\r\n"[..], "closed the connection"),
        (b"REJECTED EXTERNAL\r\n", "rejected this user"),
        (b"OK 0123\r\nnonsense nonsense nonsense", "malformed message"),
    ] {
        let container = container();
        let address = bus(&container, answer);
        let error = start_with(&container, |command| {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", address);
        })
        .fails();
        assert!(error.contains(expected), "{error}");
        assert_nothing(&container);
    }
}

#[test]
fn a_bus_that_does_not_answer_can_be_waited_out_by_a_signal() {
    if !nix::unistd::geteuid().is_root() {
        skip!("for root");
    }
    let container = container();
    container.write_config();
    let address = bus(&container, b"");
    let mut command = systemd(&container, &["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).env("DBUS_SYSTEM_BUS_ADDRESS", address);
    let mut waiting = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("it waits", || container.state_root().join(&container.id).exists());
    std::thread::sleep(std::time::Duration::from_millis(200));
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(waiting.id() as i32),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    let mut error = String::new();
    waiting.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert!(!waiting.wait().unwrap().success());
    assert!(error.contains("SIGTERM"), "{error}");
    assert_nothing(&container);
}

#[test]
fn what_has_the_name_of_a_scope_that_was_never_made_is_anothers() {
    under_systemd!(true);
    let container = scoped().args(&["true"]);
    container.write_config();
    let address = bus(&container, b"");
    let mut command = systemd(&container, &["create", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).env("DBUS_SYSTEM_BUS_ADDRESS", address);
    let mut waiting = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("it waits", || container.state_root().join(&container.id).exists());
    std::thread::sleep(std::time::Duration::from_millis(200));
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    let name = unit(&container);
    let other = ["--scope", "--quiet", "--unit", &name, "sleep", "100"];
    let mut other = Command::new("systemd-run").args(other).spawn().unwrap();
    wait_until("the unit is there", || property(&container, "ActiveState") == "active");
    // All that it has are told: none.
    container.call(&["kill", "--all", &container.id, "KILL"]).ok();
    assert_eq!(container.call(&["ps", "--format", "json", &container.id]).ok().trim(), "null");
    container.call(&["delete", "--force", &container.id]).ok();
    assert!(other.try_wait().unwrap().is_none(), "it lives on");
    other.kill().unwrap();
    other.wait().unwrap();
}
