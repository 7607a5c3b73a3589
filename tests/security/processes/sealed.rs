//! init is given plans that rruntime never makes: it ends with an error at the step that makes no sense. What follows in
//! the plan, here a program that succeeds, does not happen.

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use rruntime::engine::child::image::IMAGE;
use rruntime::plan::script::StringList;
use rruntime::wire::{Bytes, Handle, Header, Message, Mount, Part, Step, Strings, Wire, Word};
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const FAILED: u32 = Word::Failed as u32;

/// What init says, and the code that it, or the program, ends with. Each of its messages that is no failure is answered by
/// `word`. Handles 0 to 2 are the socket, 3 is not open.
fn outcome(steps: &[Step], word: Word) -> (Vec<Message>, i32) {
    let mut bytes = Vec::new();
    let argv = StringList::of(["true"]);
    let arguments = Step::Arguments { argv: argv.wire(), env: Strings::EMPTY };
    let program = [arguments, Step::ExecPath { path: c"/bin/true" }];
    for step in steps.iter().chain(&program) {
        step.put(&mut bytes);
    }
    carried_out(&bytes, steps.len() + program.len(), word)
}

fn carried_out(steps: &[u8], count: usize, word: Word) -> (Vec<Message>, i32) {
    let directory = std::env::temp_dir().join(format!("rruntime-sealed-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let (program, plan) = (directory.join("init"), directory.join("plan"));
    fs::write(&program, IMAGE).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o700)).unwrap();
    let (ours, theirs): (OwnedFd, OwnedFd) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
    let mut text = Vec::new();
    Header::put(
        &[theirs.as_raw_fd(), theirs.as_raw_fd(), theirs.as_raw_fd(), -1],
        -1,
        count as u32,
        &mut text,
    );
    text.extend_from_slice(steps);
    fs::write(&plan, text).unwrap();
    let plan = File::open(&plan).unwrap();
    for passed in [theirs.as_fd(), plan.as_fd()] {
        fcntl(passed, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    }
    let mut child = Command::new(&program).args(["init", &plan.as_raw_fd().to_string()]).spawn().unwrap();
    drop((theirs, plan));
    let mut socket = File::from(ours);
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    // A word that stays unread at the end resets the connection.
    while let Ok(length) = socket.read(&mut buffer) {
        let Some(message) = Message::decode(&buffer[..length]) else { break };
        said.push(message);
        if message.kind != FAILED {
            socket.write_all(&Message::of(word).encode()).unwrap();
        }
    }
    let code = child.wait().unwrap().code().unwrap_or(-1);
    fs::remove_dir_all(&directory).unwrap();
    (said, code)
}

/// The last of `steps` fails in `part`.
fn assert_fails(steps: &[Step], part: Part) {
    let (said, code) = outcome(steps, Word::Go);
    let last = said.last().unwrap_or_else(|| panic!("{steps:?}: {code} without a word"));
    let found = (last.kind, last.step, last.part, code);
    assert_eq!(found, (FAILED, steps.len() as u32 - 1, part as u32, 1), "{steps:?}: {said:?}");
}

#[test]
fn a_plan_that_makes_sense_is_carried_out() {
    assert_eq!(outcome(&[Step::Umask { value: 0o22 }], Word::Go), (vec![], 0));
}

#[test]
fn a_step_that_lacks_what_a_step_before_had_to_open_is_an_error() {
    let value = Bytes(b"x");
    let absent = Handle(3);
    let program = StringList::of(["/bin/true"]);
    for step in [
        Step::Streams {},
        Step::Join { namespace: absent, flags: 0 },
        Step::EnterCgroup { tasks: absent },
        Step::EnterCgroup { tasks: Handle(4) },
        Step::SelfFile { file: c"oom_score_adj", value },
        Step::LabelFile { file: c"attr/exec", value },
        Step::Sysctl { path: c"kernel/hostname", value },
        Step::Pivot {},
        Step::Confine { first: 100, word: Handle::CONTROL, answer: Handle::NONE },
        Step::Confine { first: 100, word: Handle::NONE, answer: Handle::CONTROL },
        Step::Confine { first: 100, word: absent, answer: absent },
        Step::ExecPath { path: c"/bin/true" },
    ] {
        assert_fails(&[step], Part::Plan);
    }
    let resolve = Step::Resolve { candidates: program.wire(), elsewhere: false };
    assert_fails(&[resolve, Step::Exec {}], Part::Plan);
    let mount = Mount { kind: c"tmpfs", source: c"none", target: c"/", flags: 0, data: c"" };
    assert_fails(&[Step::KeepMounts {}, Step::Mount(mount)], Part::Plan);
}

#[test]
fn only_detach_makes_init_wait_for_start() {
    let (said, code) = outcome(&[Step::AwaitStart {}], Word::Link);
    assert_eq!(said.iter().map(|m| m.kind).collect::<Vec<_>>(), [Word::Ready as u32, FAILED]);
    assert_eq!((said[1].part, said[1].errno, code), (Part::Control as u32, libc::EPROTO, 1));
}

#[test]
fn the_program_begins_in_its_directory_though_one_step_alone_names_it() {
    let argv = StringList::of(["sh", "-c", "test \"$(pwd -P)\" = /proc"]);
    let steps = [
        Step::Chdir { path: c"/proc", patient: false },
        Step::Arguments { argv: argv.wire(), env: Strings::EMPTY },
        Step::ExecPath { path: c"/bin/sh" },
    ];
    assert_eq!(outcome(&steps, Word::Go), (vec![], 0));
}

/// A filter that allows everything.
fn filter(instructions: usize) -> Vec<u8> {
    const RETURN: u64 = 0x06;
    let allow = RETURN | u64::from(libc::SECCOMP_RET_ALLOW) << 32;
    allow.to_le_bytes().repeat(instructions)
}

#[test]
fn what_init_would_hand_on_in_part_is_refused() {
    let load = |program| Step::Seccomp { flags: 0, program: Bytes(program), notify: false };
    let (two, wrapped) = (filter(2), filter(0x1_0001));
    assert_fails(&[Step::NoNewPrivileges {}, load(&wrapped)], Part::Seccomp);
    assert_fails(&[Step::NoNewPrivileges {}, load(&two[..12])], Part::Seccomp);
    assert_eq!(outcome(&[Step::NoNewPrivileges {}, load(&two)], Word::Go), (vec![], 0));
    let unheard = Step::Seccomp { flags: 0, program: Bytes(&two), notify: true };
    assert_fails(&[Step::NoNewPrivileges {}, unheard], Part::Plan);
    assert_fails(&[Step::Groups { ids: Bytes(&[0; 5]) }], Part::Setgroups);
    let mut attributes = [0; 48];
    attributes[0] = 56;
    assert_fails(&[Step::Scheduler { attributes: Bytes(&attributes) }], Part::Whole);
    assert_fails(&[Step::MemoryPolicy { mode: 0, nodes: Bytes(&[1; 3]) }], Part::Whole);
}

#[test]
fn no_child_shares_the_memory_of_init() {
    assert_fails(&[Step::Spawn { flags: libc::CLONE_VM as u32 }], Part::Clone);
}

#[test]
fn the_safe_system_call_is_given_no_address() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("init/src/sys");
    let mut calls = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for call in text.split(" call(libc").skip(1).map(|rest| rest.split(']').next().unwrap()) {
            calls += 1;
            let address = ["path(", "as_ptr", "as_mut_ptr", "&raw", "*const", "*mut"];
            assert!(!address.iter().any(|word| call.contains(word)), "call({call}");
        }
    }
    assert!(calls > 20, "{calls}");
}

#[test]
fn what_cannot_be_read_is_an_error_and_never_the_default() {
    let unended = Strings { count: 2, bytes: b"true\0--last" };
    assert_fails(&[Step::Arguments { argv: unended, env: Strings::EMPTY }], Part::Plan);
    let mut bytes = Vec::new();
    Step::BecomeRoot { keep_groups: true }.put(&mut bytes);
    bytes[2] = 2;
    let (said, code) = carried_out(&bytes, 1, Word::Go);
    assert_eq!((said.len(), said[0].kind, said[0].part, code), (1, FAILED, Part::Plan as u32, 1));
}
