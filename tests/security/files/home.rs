//! Where HOME is looked up, /etc/passwd is the image's: nothing gets opened that the program itself could not open.

use crate::support::{Container, copy_program, wait_until};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Bytes of the kernel's log that are not read from /proc/kmsg; absent where we may not ask.
fn unread() -> Option<i32> {
    // SAFETY: SYSLOG_ACTION_SIZE_UNREAD takes no buffer.
    #[allow(unsafe_code, reason = "nix has no klogctl")]
    let size = unsafe { libc::klogctl(9, std::ptr::null_mut(), 0) };
    (size >= 0).then_some(size)
}

/// A line for the kernel's log that reads as one of passwd(5).
fn write_to_log() -> bool {
    fs::write("/dev/kmsg", "rruntime-test:x:0:0::/stolen:\n").is_ok()
}

/// A program that shows its environment, which has no HOME.
fn environment() -> Container {
    Container::new().edit(|c| c["process"]["env"] = json!(["PATH=/bin"]))
}

fn passwd(container: &Container, target: &str) {
    let path = container.rootfs().join("etc/passwd");
    fs::remove_file(&path).unwrap();
    symlink(target, path).unwrap();
}

const WARNING: &str = "look up HOME in /etc/passwd: ";

#[test]
fn the_kernels_log_is_not_drained_for_home() {
    if unread().is_none() || !write_to_log() {
        skip!("the kernel's log is not ours to look at");
    }
    let made = environment().args(&["env"]);
    passwd(&made, "/proc/kmsg");
    let running = environment().args(&["sleep", "1000"]).started();
    running.exec_sh("rm /etc/passwd; ln -s /proc/kmsg /etc/passwd").ok();
    assert!(write_to_log());
    let before = unread().unwrap();
    assert!(before > 0, "there is nothing to drain");
    for ended in [made.run(), running.call(&["exec", &running.id, "env"])] {
        assert!(ended.out.contains("HOME=/\n"), "{ended:?}");
        assert!(ended.err.contains(WARNING) && ended.err.contains("no ordinary file"), "{ended:?}");
        assert!(unread().unwrap() >= before, "the log was read");
    }
}

#[test]
fn files_of_the_kernel_and_directories_are_no_passwd() {
    for target in ["/proc/version", "/sys/kernel/notes", "/dev/null", "/tmp"] {
        let container = environment().args(&["env"]);
        passwd(&container, target);
        let ended = container.run();
        assert!(ended.out.contains("HOME=/\n"), "{target}: {ended:?}");
        assert!(ended.err.contains(WARNING) && ended.err.contains("no ordinary file"), "{target}: {ended:?}");
    }
}

#[test]
fn a_passwd_that_the_program_may_not_read_is_a_warning() {
    // As engines do it for an ordinary user.
    let container = environment().args(&["env"]).edit(|c| {
        c["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        c["process"]["capabilities"] = json!({});
    });
    let path = container.rootfs().join("etc/passwd");
    fs::write(&path, "me:x:1000:1000::/home/me:/bin/sh\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let ended = container.run();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("HOME=/\n"), "{ended:?}");
    assert!(ended.err.contains(WARNING) && ended.err.contains("permission denied"), "{ended:?}");
    assert!(ended.err.contains("process.env"), "{ended:?}");
}

#[test]
fn an_image_without_users_is_no_reason_to_warn() {
    let container = environment().args(&["env"]);
    fs::remove_file(container.rootfs().join("etc/passwd")).unwrap();
    let ended = container.run();
    assert_eq!((ended.code, &*ended.err), (0, ""));
    assert!(ended.out.contains("HOME=/\n"), "{ended:?}");
}

/// Holds a lease for writing on a file; says so, and stays.
const HOLDER: &str = "
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
int main(int n, char **a) {
    int f = open(a[1], O_RDWR);
    signal(SIGIO, SIG_IGN);
    if (f < 0 || fcntl(f, F_SETLEASE, F_WRLCK) < 0) return 1;
    if (write(creat(a[2], 0644), \"held\", 4) != 4) return 2;
    for (;;) pause();
}";

#[test]
fn a_lease_on_passwd_is_a_warning_and_no_reason_to_spin() {
    let container = environment().args(&["sleep", "1000"]).started();
    let Some(holder) = compile(&container.dir, HOLDER) else {
        skip!("there is no cc that makes static programs");
    };
    copy_program(&holder, &container.rootfs().join("bin/holder"));
    let mut hold =
        container.command(&["exec", "--detach", &container.id, "holder", "/etc/passwd", "/tmp/held"]);
    // It stays, and would keep a pipe open.
    assert!(hold.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    wait_until("the lease is held", || container.rootfs().join("tmp/held").exists());
    let before = children_time();
    let ended = container.call(&["exec", &container.id, "env"]);
    // The kernel breaks a lease after 45 s, in which a spinning process has used as much of a processor.
    let used = children_time() - before;
    assert!(used < Duration::from_secs(5), "{used:?} {ended:?}");
    assert!(ended.code == 0 && ended.out.contains("HOME=/\n"), "{ended:?}");
    assert!(ended.err.contains(WARNING) && ended.err.contains("lease"), "{ended:?}");
}

/// The processor's time that children of this process have used (proc_pid_stat(5): cutime and cstime, in 1/100 s).
fn children_time() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text[text.rfind(')').unwrap()..].split(' ').collect();
    Duration::from_millis(
        [fields[14], fields[15]].iter().map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum(),
    )
}

/// A static program from this source; absent without a compiler.
fn compile(directory: &Path, source: &str) -> Option<std::path::PathBuf> {
    let (from, to) = (directory.join("program.c"), directory.join("program"));
    fs::write(&from, source).unwrap();
    let made =
        Command::new("cc").args(["-static", "-O1", "-o"]).arg(&to).arg(&from).stderr(Stdio::null()).status();
    made.is_ok_and(|status| status.success()).then_some(to)
}
