//! Where log records go: files, the journal's socket, syslog's, and which records.

use crate::support::cli::{Said, Scratch, rruntime, said};
use std::fs;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

/// The program where the journal's socket is our own, in a mount namespace of its own.
fn with_journal(scratch: &Scratch, arguments: &[&str]) -> Said {
    let script = format!(
        "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && touch /run/systemd/journal/socket && \
         mount --bind {}/socket /run/systemd/journal/socket && exec \"$@\"",
        scratch.path().display()
    );
    in_own_mounts(&script, arguments)
}

fn in_own_mounts(script: &str, arguments: &[&str]) -> Said {
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_rruntime")]).args(arguments);
    said(command.output().unwrap())
}

fn listen(scratch: &Scratch) -> UnixDatagram {
    let socket = UnixDatagram::bind(scratch.file("socket")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn the_journal_gets_a_record_with_priority_and_identifier() {
    if !is_root() {
        skip!("a mount needs root");
    }
    let scratch = Scratch::new();
    let socket = listen(&scratch);
    let said = with_journal(&scratch, &["--log", "journald:web", "state", "nope"]);
    assert!(said.code == 1 && said.err.starts_with("\"nope\": container does not exist ("), "{said:?}");
    let mut record = [0; 4096];
    let length = socket.recv(&mut record).unwrap();
    let text = String::from_utf8_lossy(&record[..length]);
    let wanted = "PRIORITY=3\nSYSLOG_IDENTIFIER=web\nID=web\nMESSAGE=\"nope\": container does not exist (";
    assert!(text.starts_with(wanted) && text.ends_with(")\n"), "{text}");
}

#[test]
fn systemd_log_is_the_journal_under_the_programs_name() {
    if !is_root() {
        skip!("a mount needs root");
    }
    let scratch = Scratch::new();
    let socket = listen(&scratch);
    with_journal(&scratch, &["--systemd-log", "state", "nope"]);
    let mut record = [0; 4096];
    let length = socket.recv(&mut record).unwrap();
    assert!(String::from_utf8_lossy(&record[..length]).contains("SYSLOG_IDENTIFIER=rruntime\n"));
}

#[test]
fn a_record_too_long_for_a_datagram_comes_as_a_sealed_memory_file() {
    if !is_root() {
        skip!("a mount needs root");
    }
    let scratch = Scratch::new();
    let socket = listen(&scratch);
    // An argument may have 128 KiB; the error says it twice, quoted, with each byte as four: too much for a socket.
    let id = "\u{1}".repeat(100_000);
    with_journal(&scratch, &["--log", "journald:web", "state", &id]);
    let mut buffer = [0; 16];
    let mut space = nix::cmsg_space!([i32; 1]);
    let mut parts = [std::io::IoSliceMut::new(&mut buffer)];
    let flags = nix::sys::socket::MsgFlags::empty();
    let message =
        nix::sys::socket::recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags).unwrap();
    let mut passed = None;
    for part in message.cmsgs().unwrap() {
        if let nix::sys::socket::ControlMessageOwned::ScmRights(numbers) = part {
            // SAFETY: the kernel has just put this descriptor into our table, for us alone.
            #[allow(unsafe_code)]
            let file = unsafe { fs::File::from_raw_fd(numbers[0]) };
            passed = Some(file);
        }
    }
    let mut file = passed.expect("a descriptor came");
    let seals = nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_GET_SEALS).unwrap();
    assert_ne!(seals & libc::F_SEAL_WRITE, 0);
    let mut text = String::new();
    std::io::Seek::rewind(&mut file).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert!(
        text.starts_with("PRIORITY=3\n") && text.contains("invalid container ID format"),
        "{}",
        text.len()
    );
}

#[test]
fn syslog_gets_a_line_with_the_priority() {
    if !is_root() {
        skip!("a mount needs root");
    }
    let scratch = Scratch::new();
    let socket = listen(&scratch);
    if std::path::Path::new("/dev/log").exists() {
        skip!("this host has a /dev/log");
    }
    // A directory that only this mount namespace sees takes the place of /dev.
    let script = format!(
        "mkdir {0}/dev && mount -t tmpfs none {0}/dev && cp -a /dev/null {0}/dev/ && touch {0}/dev/log && \
         mount --bind {0}/socket {0}/dev/log && mount --rbind {0}/dev /dev && exec \"$@\"",
        scratch.path().display()
    );
    let said = in_own_mounts(&script, &["--log=syslog:web", "state", "nope"]);
    assert!(said.code == 1 && said.err.starts_with("\"nope\": container does not exist ("), "{said:?}");
    let mut record = [0; 4096];
    let length = socket.recv(&mut record).unwrap();
    let text = String::from_utf8_lossy(&record[..length]);
    assert!(text.starts_with("<11>web: \"nope\": container does not exist ("), "{text}");
}

#[test]
fn a_file_may_be_named_with_its_kind() {
    let scratch = Scratch::new();
    let log = format!("file:{}", scratch.file("log").display());
    rruntime(&["--log", &log, "state", "nope"]);
    assert!(fs::read_to_string(scratch.file("log")).unwrap().contains("level=error"));
}

#[test]
fn a_service_that_is_not_there_is_an_error_of_the_option() {
    for place in ["journald:", "syslog:", "syslog:a\nb", "/nonexistent/x", "file:/nonexistent/x"] {
        let said = rruntime(&["--log", place, "list"]);
        assert!(said.code == 1 && said.err.contains("--log"), "{place}: {said:?}");
    }
}

#[test]
fn the_level_decides_which_records_are_written() {
    let scratch = Scratch::new();
    let root = format!("--root={}", scratch.path().display());
    // A container that cannot be read makes `list` warn.
    fs::create_dir(scratch.file("web")).unwrap();
    let records = |options: &[&str]| {
        let said = rruntime(&[&[root.as_str()], options, &["list", "-q=false"]].concat());
        assert_eq!(said.code, 0, "{said:?}");
        said.err.matches("level=warning").count()
    };
    assert_eq!(records(&[]), 1);
    assert_eq!(records(&["--log-level", "warn"]), 1);
    assert_eq!(records(&["--log-level=debug"]), 1);
    assert_eq!(records(&["--log-level=error"]), 0);
    assert_eq!(records(&["--debug", "--log-level=error"]), 0);
    let said = rruntime(&["--log-level=loud", "list"]);
    assert!(said.code == 1 && said.err.contains("--log-level = \\\"loud\\\""), "{said:?}");
    fs::remove_dir(scratch.file("web")).unwrap();
}

#[test]
fn debug_tells_every_step_and_the_field_that_asks_for_it() {
    let container = crate::support::Container::new().args(&["true"]).edit(|config| {
        config["hostname"] = "box".into();
        config["linux"]["seccomp"] = serde_json::json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]});
    });
    let run = |options: &[&str]| {
        container.write_config();
        let mut command = container.command(options);
        command.args(["run", "--bundle"]).arg(container.bundle()).arg(&container.id);
        let ended = crate::support::finish(command);
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.err.replace("\\\"", "\"")
    };
    assert_eq!(run(&[]), "");
    let told = run(&["--debug"]);
    for words in [
        "create: the deeds of the host's side",
        "create: the steps of init",
        "start: the deeds of the host's side",
        "delete: the deeds of the host's side",
        "for /hostname: set the hostname: box",
        "for /linux/seccomp: load the seccomp filter: 9 instructions",
        "for /process/user/umask: set the umask: 0022",
        "mount proc on /proc: nosuid,nodev,noexec",
        "for /linux/namespaces: start init",
        "set the bounding set: CAP_CHOWN",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    for hierarchy in crate::support::hierarchies().iter().filter(|path| crate::support::is_hierarchy(path)) {
        let words = "for /linux/cgroupsPath: enter the container's cgroup: ".to_owned();
        // "cpu" may be a link to "cpu,cpuacct".
        let place = hierarchy.canonicalize().unwrap();
        assert!(told.contains(&(words + place.to_str().unwrap())), "{place:?}: {told}");
    }
    for line in told.lines() {
        assert!(line.contains("level=debug") && line.len() < 1000, "{line}");
    }
}
