//! `process.terminal` and `process.consoleSize`.

use crate::support::{Container, finish};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use serde_json::json;
use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;

/// Receives the master that the runtime sends over its console socket.
#[allow(unsafe_code)]
fn receive(listener: &UnixListener) -> (String, File) {
    let (stream, _) = listener.accept().unwrap();
    let mut name = [0u8; 256];
    let mut space = nix::cmsg_space!([std::os::fd::RawFd; 1]);
    let mut slices = [IoSliceMut::new(&mut name)];
    let message =
        recvmsg::<()>(stream.as_raw_fd(), &mut slices, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC).unwrap();
    let length = message.bytes;
    let fds: Vec<_> = message
        .cmsgs()
        .unwrap()
        .filter_map(|control| match control {
            ControlMessageOwned::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(fds.len(), 1);
    // SAFETY: the kernel has just made this descriptor for us; no other code has it.
    let master = unsafe { OwnedFd::from_raw_fd(fds[0]) };
    (String::from_utf8_lossy(&name[..length]).into_owned(), File::from(master))
}

/// Everything that the container writes to its terminal, until it ends.
fn drain(mut master: &File) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    // EIO is how a terminal says that its other side is gone.
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
}

/// Creates and starts a container with a terminal; its master, and the container.
fn on_terminal(container: Container) -> (Container, File) {
    let socket = container.dir.join("console.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let container = container.edit(|c| c["process"]["terminal"] = true.into());
    let created = container.create_with(&["--console-socket", socket.to_str().unwrap()]);
    assert_eq!(created.code, 0, "{}", created.err);
    let (_, master) = receive(&listener);
    container.start().ok();
    (container, master)
}

#[test]
fn the_streams_of_the_program_are_the_terminal() {
    let (_container, master) = on_terminal(
        Container::new()
            .sh("tty; for n in 0 1 2; do test -t $n && echo $n; done; stat -c '%F %t:%T' /dev/console
         cut -d' ' -f7 /proc/1/stat; grep -c ' /dev/console ' /proc/self/mountinfo; echo err >&2"),
    );
    let out = drain(&master);
    assert!(out.starts_with("/dev/pts/0\n0\n1\n2\ncharacter special file 88:0\n"), "{out}");
    // Its controlling terminal is pts/0: major 136, minor 0.
    assert!(out.contains(&format!("\n{}\n1\nerr\n", 136 << 8)), "{out}");
}

#[test]
fn what_is_typed_reaches_the_program_and_control_c_interrupts_it() {
    let (container, mut master) =
        on_terminal(Container::new().sh(
            "trap 'echo interrupted; exit 3' INT; read line; echo got $line; while :; do sleep 0.05; done",
        ));
    master.write_all(b"hello\n").unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 256];
    while !seen.contains("got hello") {
        let count = master.read(&mut buffer).unwrap();
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    master.write_all(&[3]).unwrap();
    assert!(drain(&master).contains("interrupted"));
    container.wait_for_status("stopped");
}

#[test]
fn the_terminal_has_the_size_of_the_config() {
    let (_container, master) = on_terminal(
        Container::new()
            .edit(|c| c["process"]["consoleSize"] = json!({"height": 33, "width": 77}))
            .sh("stty size"),
    );
    assert_eq!(drain(&master), "33 77\n");
}

#[test]
fn the_terminal_belongs_to_the_containers_user() {
    let (_container, master) = on_terminal(
        Container::new()
            .edit(|c| c["process"]["user"] = json!({"uid": 1000, "gid": 1000}))
            .sh("stat -c %u /dev/pts/0; echo again > /dev/tty; echo console > /dev/console"),
    );
    let out = drain(&master);
    assert!(out.starts_with("1000\nagain\nconsole\n"), "{out}");
}

#[test]
fn a_terminal_works_in_a_user_namespace() {
    let container = Container::new()
        .namespace("user", None)
        .edit(|c| {
            let map = json!([{"containerID": 0, "hostID": 0, "size": 65_536}]);
            c["linux"]["uidMappings"] = map.clone();
            c["linux"]["gidMappings"] = map;
        })
        .sh("tty; echo x > /dev/console");
    let (_container, master) = on_terminal(container);
    assert_eq!(drain(&master), "/dev/pts/0\nx\n");
}

#[test]
fn a_run_in_the_foreground_shows_the_terminal_on_its_own_output() {
    let container = Container::new().edit(|c| c["process"]["terminal"] = true.into()).sh("tty; exit 5");
    let ended = container.run();
    assert_eq!((ended.code, &*ended.out), (5, "/dev/pts/0\n"), "{ended:?}");
}

#[test]
fn a_terminal_without_anybody_to_take_it_is_refused() {
    let container = Container::new().edit(|c| c["process"]["terminal"] = true.into()).sh("true");
    let created = container.create();
    assert!(created.code != 0 && created.err.contains("console"), "{created:?}");
    container.assert_gone();
}

#[test]
fn a_terminal_without_devpts_is_refused_and_leaves_nothing() {
    let container = Container::new()
        .edit(|c| {
            c["process"]["terminal"] = true.into();
            c["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "devpts");
        })
        .sh("true");
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id);
    let err = finish(command).fails();
    assert!(err.contains("/process/terminal"), "{err}");
    container.assert_gone();
}
