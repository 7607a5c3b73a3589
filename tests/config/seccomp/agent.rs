//! `SCMP_ACT_NOTIFY`: a small agent that answers for the kernel, as the specification's "Container Process State"
//! describes its side.

use crate::support::Container;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use serde_json::{Value, json};
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

/// struct seccomp_notif (linux/seccomp.h).
#[repr(C)]
#[derive(Default)]
pub struct Notification {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    instruction: u64,
    args: [u64; 6],
}

/// struct seccomp_notif_resp.
#[repr(C)]
pub struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

nix::ioctl_readwrite!(notification_receive, b'!', 0, Notification);
nix::ioctl_readwrite!(notification_send, b'!', 1, Answer);

const CONTINUE: u32 = 1;

/// What the agent says to a call.
#[derive(Clone, Copy)]
enum Reply {
    Errno(i32),
    Pretend(i64),
    Continue,
}

/// Listens beside the bundle; the thread gives back the message that came with the listener.
fn agent(container: &Container, replies: &'static [Reply]) -> JoinHandle<Value> {
    let listener = UnixListener::bind(container.dir.join("agent.sock")).unwrap();
    std::thread::spawn(move || {
        let (text, listener) = receive(&listener);
        for reply in replies {
            answer(&listener, *reply);
        }
        serde_json::from_str(&text).expect("the message is JSON")
    })
}

#[allow(unsafe_code)]
fn receive(listener: &UnixListener) -> (String, OwnedFd) {
    let (stream, _) = listener.accept().unwrap();
    let mut text = [0u8; 65_536];
    let mut space = nix::cmsg_space!([RawFd; 1]);
    let mut slices = [IoSliceMut::new(&mut text)];
    let message =
        recvmsg::<()>(stream.as_raw_fd(), &mut slices, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC).unwrap();
    let length = message.bytes;
    let fd = message
        .cmsgs()
        .unwrap()
        .find_map(|control| match control {
            ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
            _ => None,
        })
        .expect("a descriptor comes along");
    // SAFETY: the kernel has just made this descriptor for us; no other code has it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    (String::from_utf8_lossy(&text[..length]).into_owned(), fd)
}

#[allow(unsafe_code)]
fn answer(listener: &OwnedFd, reply: Reply) {
    let mut call = Notification::default();
    // SAFETY: the kernel writes one struct seccomp_notif, which `call` is and which is zeroed as it demands.
    unsafe { notification_receive(listener.as_raw_fd(), &raw mut call) }.expect("a call comes");
    let (value, error, flags) = match reply {
        Reply::Errno(errno) => (0, -errno, 0),
        Reply::Pretend(value) => (value, 0, 0),
        Reply::Continue => (0, 0, CONTINUE),
    };
    let mut answer = Answer { id: call.id, value, error, flags };
    // SAFETY: the kernel reads one struct seccomp_notif_resp, which `answer` is.
    unsafe { notification_send(listener.as_raw_fd(), &raw mut answer) }
        .expect("the call waits for its answer");
}

fn notified(names: &[&str]) -> Container {
    let container = Container::new();
    let socket = container.dir.join("agent.sock");
    container.edit(|c| {
        c["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "listenerPath": socket,
            "listenerMetadata": "for the agent",
            "syscalls": [{"names": names, "action": "SCMP_ACT_NOTIFY"}],
        });
    })
}

#[test]
fn an_agent_answers_for_the_kernel() {
    for no_new in [false, true] {
        let container = notified(&["mkdir", "mkdirat"])
            .edit(|c| c["process"]["noNewPrivileges"] = no_new.into())
            .sh("mkdir /tmp/a; mkdir /tmp/b && echo pretended; mkdir /tmp/c && ls /tmp");
        let agent = agent(&container, &[Reply::Errno(123), Reply::Pretend(0), Reply::Continue]);
        let ended = container.run();
        assert!(ended.err.contains("medium"), "{ended:?}");
        assert_eq!(ended.ok(), "pretended\nc\n");
        agent.join().unwrap();
    }
}

#[test]
fn the_agent_is_told_whose_calls_they_are() {
    let container = notified(&["mkdir", "mkdirat"]).sh("mkdir /tmp/a; sleep 1000");
    let agent = agent(&container, &[Reply::Continue]);
    let container = container.started();
    let message = agent.join().unwrap();
    assert_eq!(message["fds"], json!(["seccompFd"]));
    assert_eq!(message["metadata"], "for the agent");
    assert_eq!(message["pid"].as_i64(), Some(i64::from(container.pid())));
    assert!(message["ociVersion"].as_str().unwrap().starts_with("1."));
    let state = &message["state"];
    assert_eq!(state["id"], container.id.as_str());
    assert_eq!(state["bundle"].as_str(), container.bundle().to_str());
    assert_eq!(state["pid"], message["pid"]);
    assert!(state["status"] == "creating" || state["status"] == "created", "{state}");
}

#[test]
fn the_agent_may_decide_on_the_start_of_the_program_itself() {
    let container = notified(&["execve"]).args(&["/bin/echo", "on"]);
    let agent = agent(&container, &[Reply::Continue]);
    assert_eq!(container.run().ok(), "on\n");
    agent.join().unwrap();
}

#[test]
fn an_agent_that_is_not_there_is_named() {
    let container = notified(&["mkdir"]).sh("true");
    let err = container.run().fails();
    assert!(err.contains("/linux/seccomp/listenerPath") && err.contains("agent.sock"), "{err}");
    container.assert_gone();
}

#[test]
fn without_a_listener_path_the_action_is_refused_by_its_field() {
    let container = notified(&["mkdir"]).sh("true").edit(|c| {
        let profile = c["linux"]["seccomp"].as_object_mut().unwrap();
        profile.remove("listenerPath");
        profile.remove("listenerMetadata");
    });
    let err = container.run().fails();
    assert!(err.contains("/linux/seccomp/listenerPath"), "{err}");
    container.assert_gone();
}

/// rruntime fetches it from init, which tells its number.
#[test]
fn the_listener_is_handed_over_where_no_descriptor_can_be_sent() {
    for action in ["SCMP_ACT_NOTIFY", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"] {
        let container = notified(&["mkdir"]).args(&["/bin/echo", "on"]).edit(|c| {
            let rules = c["linux"]["seccomp"]["syscalls"].as_array_mut().unwrap();
            rules.push(json!({"names": ["sendmsg"], "action": action}));
        });
        let agent = agent(&container, &[]);
        assert_eq!(container.run().ok(), "on\n", "{action}");
        agent.join().unwrap();
    }
}

#[test]
fn a_profile_that_forbids_to_hand_the_listener_over_is_refused_by_its_field() {
    for action in ["SCMP_ACT_NOTIFY", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"] {
        let container = notified(&["mkdir"]).args(&["/bin/echo", "on"]).edit(|c| {
            let rules = c["linux"]["seccomp"]["syscalls"].as_array_mut().unwrap();
            rules.push(json!({"names": ["write"], "action": action}));
        });
        let err = container.run().fails();
        assert!(err.contains("/linux/seccomp") && err.contains("write"), "{action}: {err}");
        container.assert_gone();
    }
}
