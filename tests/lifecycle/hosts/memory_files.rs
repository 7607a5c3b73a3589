//! `vm.memfd_noexec=2`: no memory file may be executed. init then runs from a file that is as unreachable.
//!
//! The switch is one of the pid namespace, so a new one stands for the host.

use crate::support::ordinary::ordinary_ids;
use crate::support::{Container, Ended, finish};
use std::process::{Command, Stdio};

/// A shell script of the host in a pid namespace with the switch; `$R` is the binary with the state directory, `$B`
/// the bundle, `$ID` the container. `None` where the kernel has no such switch.
fn on_a_strict_host(container: &Container, script: &str) -> Option<Ended> {
    container.write_config();
    let preface = "echo 2 > /proc/sys/vm/memfd_noexec || exit 99; ";
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "sh", "-ec"]);
    let drop = match container.ids {
        Some((uid, gid)) => format!("setpriv --reuid {uid} --regid {gid} --clear-groups "),
        None => String::new(),
    };
    command.arg(format!("{preface}exec {drop}sh -ec '{script}'"));
    let binary = format!("{} --root {}", container.binary().display(), container.state_root().display());
    command.env("R", binary).env("B", container.bundle()).env("ID", &container.id).stdin(Stdio::null());
    let ended = finish(command);
    (ended.code != 99).then_some(ended)
}

const NO_SWITCH: &str = "this kernel has no vm.memfd_noexec for each pid namespace";
const LOOK: &str = "exe=/proc/$($R state $ID | sed -n \"s/.*\\\"pid\\\": \\([0-9]*\\).*/\\1/p\")/exe; readlink $exe; exec 3<$exe; ";
const CHANGE: &str =
    "(echo x >> /proc/self/fd/3) 2>&1 | grep -o \"Read-only file system\\|Permission denied\" || true; ";

#[test]
fn a_container_runs() {
    let container = Container::new().sh("echo fine; exit 4");
    let Some(ended) = on_a_strict_host(&container, "exec $R run --bundle $B $ID") else {
        skip!("{NO_SWITCH}")
    };
    assert_eq!((&*ended.out, &*ended.err, ended.code), ("fine\n", "", 4));
}

#[test]
fn exec_runs() {
    let container = Container::new().sh("sleep 1000");
    let script = "$R create --bundle $B $ID >/dev/null 2>&1; $R start $ID; $R exec $ID echo here; $R delete --force $ID";
    let Some(ended) = on_a_strict_host(&container, script) else { skip!("{NO_SWITCH}") };
    assert_eq!((&*ended.out, &*ended.err), ("here\n", ""));
}

#[test]
fn init_is_a_file_of_a_file_system_that_is_mounted_nowhere_and_read_only() {
    let container = Container::new().sh("sleep 1000");
    let script = format!(
        "$R create --bundle $B $ID >/dev/null 2>&1; {LOOK} $R start $ID; sleep 0.2; {CHANGE} $R delete --force $ID"
    );
    let Some(ended) = on_a_strict_host(&container, &script) else { skip!("{NO_SWITCH}") };
    assert_eq!((&*ended.out, &*ended.err), ("/init\nRead-only file system\n", ""));
}

#[test]
fn an_ordinary_users_container_runs_too() {
    let container = Container::ordinary().sh("echo fine");
    if container.ids != Some(ordinary_ids()) || ordinary_ids().0 != crate::support::ordinary::USER {
        skip!("only root can make the pid namespace");
    }
    let Some(ended) = on_a_strict_host(&container, "exec $R run --bundle $B $ID") else {
        skip!("{NO_SWITCH}")
    };
    assert_eq!((&*ended.out, &*ended.err), ("fine\n", ""));
}

#[test]
fn elsewhere_init_is_a_sealed_memory_file() {
    let container = Container::new().sh("sleep 1000");
    let created = container.create();
    assert_eq!(created.code, 0, "{}", created.err);
    let exe = std::path::PathBuf::from(format!("/proc/{}/exe", container.pid()));
    let name = std::fs::read_link(&exe).expect("it waits");
    assert_eq!(name.to_str(), Some("/memfd:rruntime-init (deleted)"));
    let held = std::fs::File::open(&exe).expect("root may look");
    container.start().ok();
    crate::support::wait_until("init has left the file", || {
        std::fs::read_link(&exe).is_ok_and(|now| now != name)
    });
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", held.as_raw_fd());
    let mut file = std::fs::OpenOptions::new().write(true).open(path).expect("nobody executes it any more");
    let error = file.write(b"x").expect_err("a sealed file takes nothing");
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}");
}
