//! `--pidfd-socket` and `run.oci.pidfd_receiver`: a descriptor of the process for the caller that asks for one.

use crate::ipc::receive::{Receiver, pid_of, short_dir};
use crate::support::Container;
use crate::support::leftovers::assert_nothing_left;
use std::os::unix::net::UnixDatagram;

#[test]
fn create_sends_a_descriptor_of_the_first_process() {
    let receiver = Receiver::new("create");
    let container = Container::new().args(&["sleep", "100"]);
    let created = container.create_with(&["--pidfd-socket", receiver.path.to_str().unwrap()]);
    assert_eq!(created.code, 0, "{}", created.err);
    let received = receiver.next();
    assert_eq!(received.text, "standard");
    assert_eq!(received.fds.len(), 1);
    assert_eq!(pid_of(&received.fds[0]), container.pid());
}

#[test]
fn run_sends_one_that_tells_of_the_end() {
    let receiver = Receiver::new("run");
    let container = Container::new().sh("exit 3");
    assert_eq!(container.run_with(&["--pidfd-socket", receiver.path.to_str().unwrap()]).code, 3);
    let received = receiver.next();
    assert_eq!((received.text.as_str(), pid_of(&received.fds[0])), ("standard", -1));
    assert_nothing_left(&container);
}

#[test]
fn exec_sends_one_of_its_own_process() {
    let container = Container::new().args(&["sleep", "100"]).started();
    let receiver = Receiver::new("exec");
    let path = receiver.path.to_str().unwrap();
    let line = ["exec", "-d", "--pidfd-socket", path, &container.id, "sleep", "50"];
    let mut command = container.command(&line);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    assert!(command.status().unwrap().success());
    let received = receiver.next();
    let pid = pid_of(&received.fds[0]);
    assert_eq!(received.text, "setns");
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(command, b"sleep\x0050\0");
}

#[test]
fn the_annotation_names_a_receiver_too() {
    let receiver = Receiver::new("annotation");
    let container = Container::new().args(&["sleep", "100"]).edit(|config| {
        config["annotations"]["run.oci.pidfd_receiver"] = receiver.path.to_str().into();
    });
    let container = container.allowing("run.oci.pidfd_receiver");
    assert_eq!(container.create().code, 0);
    assert_eq!(pid_of(&receiver.next().fds[0]), container.pid());
    // It is the first process's alone.
    container.start().ok();
    container.exec_sh("true").ok();
}

#[test]
fn a_receiver_that_is_not_there_changes_nothing() {
    let dir = short_dir("absent");
    let datagram = dir.join("datagram.sock");
    let _bound = UnixDatagram::bind(&datagram).unwrap();
    let file = dir.join("file");
    std::fs::write(&file, "").unwrap();
    for path in [dir.join("absent.sock"), datagram, file, dir.clone()] {
        let container = Container::new().args(&["true"]);
        let error = container.run_with(&["--pidfd-socket", path.to_str().unwrap()]).fails();
        assert!(error.contains("--pidfd-socket") && error.contains(path.to_str().unwrap()), "{error}");
        container.assert_gone();
        let container = container.allowing("run.oci.pidfd_receiver").edit(|config| {
            config["annotations"]["run.oci.pidfd_receiver"] = path.to_str().into();
        });
        let error = container.run().fails();
        assert!(error.contains("/annotations/run.oci.pidfd_receiver"), "{error}");
        container.assert_gone();
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn an_exec_whose_receiver_is_not_there_starts_nothing() {
    let container = Container::new().args(&["sleep", "100"]).started();
    let line = ["exec", "--pidfd-socket", "/nonexistent.sock", &container.id, "touch", "/tmp/ran"];
    let ended = container.call(&line);
    assert_eq!(ended.code, 255);
    assert!(ended.err.contains("--pidfd-socket"), "{}", ended.err);
    assert!(!container.rootfs().join("tmp/ran").exists());
}
