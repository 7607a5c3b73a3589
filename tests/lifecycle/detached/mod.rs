//! `run --detach --log-output`, `logs`, `attach`, `wait`: a container whose output and exit status a shim keeps.

mod attach;
mod faults;
mod refusals;
mod streams;

use crate::support::{Container, Ended, finish, wait_until};
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Run in the background, with further options; the log is beside the bundle.
fn detached(container: &Container, options: &[&str]) -> Ended {
    finish(command(container, log(container), options))
}

fn command(container: &Container, log: impl AsRef<OsStr>, options: &[&str]) -> Command {
    container.write_config();
    let mut command = container.command(&["run", "--detach", "--log-output"]);
    command.arg(log).arg("--bundle").arg(container.bundle()).args(options).arg(&container.id);
    command
}

fn log(container: &Container) -> PathBuf {
    container.bundle().join("output.log")
}

/// Where the shim keeps what is known of the container.
fn place(container: &Container) -> PathBuf {
    container.state_root().join(format!("detached:{}", container.id))
}

/// The keeper's pid.
fn keeper(container: &Container) -> i32 {
    let text = fs::read_to_string(place(container).join("keeper")).expect("a shim has written it");
    text.split(' ').next().and_then(|pid| pid.parse().ok()).expect("a pid stands first")
}

/// The shims proper whose keeper this is.
fn shims(keeper: i32) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).unwrap_or_default();
    let is_shim = |pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.windows(12).any(|part| part == b"--shim-prope"))
    };
    children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).filter(is_shim).collect()
}

/// The keeper and its shim.
fn kill_both(container: &Container) {
    let keeper = keeper(container);
    let all: Vec<i32> = [keeper].into_iter().chain(shims(keeper)).collect();
    all.into_iter().for_each(|pid| kill(pid, libc::SIGKILL));
    assert_no_shim(container);
}

fn kill(pid: i32, signal: i32) {
    // SAFETY of the machine: a process of this test's own.
    let _ = nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::try_from(signal).ok(),
    );
}

/// Neither keeper nor shim is left of it.
#[track_caller]
fn assert_no_shim(container: &Container) {
    let names_it = |line: &[u8]| String::from_utf8_lossy(line).contains(&container.id);
    let lives = || {
        let pids = fs::read_dir("/proc").expect("/proc is mounted").flatten();
        pids.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
            .any(|line| names_it(&line) && String::from_utf8_lossy(&line).contains("--shim-proper"))
    };
    wait_until("the end of the shim", || !lives());
}

#[test]
fn output_and_exit_status_outlive_the_container() {
    let container = Container::new().sh("echo out; echo err >&2; printf part; exit 7");
    let ended = detached(&container, &[]);
    assert_eq!((ended.code, &*ended.out, &*ended.err), (0, "", ""));
    let waited = container.call(&["wait", &container.id]);
    assert_eq!((waited.code, &*waited.out), (7, "7\n"));
    container.call(&["delete", &container.id]).ok();
    container.assert_gone();
    let waited = container.call(&["wait", &container.id]);
    assert_eq!((waited.code, &*waited.out), (7, "7\n"), "it is kept");
    let shown = container.call(&["logs", &container.id]);
    assert_eq!((shown.code, &*shown.out, &*shown.err), (0, "out\npart", "err\n"));
    assert_no_shim(&container);
}

#[test]
fn a_container_that_is_ended_has_128_and_the_signal() {
    let container = Container::new().args(&["sleep", "1000"]);
    detached(&container, &[]).ok();
    container.call(&["kill", &container.id, "KILL"]).ok();
    assert_eq!(container.call(&["wait", &container.id]).out, "137\n");
    container.call(&["delete", &container.id]).ok();
}

/// Nothing of the caller's is held for as long as the container runs.
#[test]
fn keeper_and_shim_are_in_no_directory() {
    let container = Container::new().args(&["sleep", "1000"]);
    detached(&container, &[]).ok();
    let keeper = keeper(&container);
    for round in 0..2 {
        for pid in [keeper].into_iter().chain(shims(keeper)) {
            let found = || fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
            wait_until("the root as the working directory", || found() == Path::new("/"));
        }
        if round == 0 {
            shims(keeper).into_iter().for_each(|shim| kill(shim, libc::SIGKILL));
            wait_until("a successor", || !shims(keeper).is_empty());
        }
    }
}

#[test]
fn forced_deletion_ends_container_and_shim() {
    let container = Container::new().args(&["sleep", "1000"]);
    detached(&container, &[]).ok();
    container.call(&["delete", "--force", &container.id]).ok();
    assert_eq!(container.call(&["wait", &container.id]).out, "137\n");
    assert_no_shim(&container);
    crate::support::leftovers::assert_nothing_left(&container);
}

#[test]
fn the_same_id_is_free_again_and_its_log_is_its_own() {
    let container = Container::new().sh("echo first");
    detached(&container, &[]).ok();
    container.call(&["wait", &container.id]).ok();
    container.call(&["delete", &container.id]).ok();
    let container = container.sh("echo second; exit 3");
    detached(&container, &[]).ok();
    assert_eq!(container.call(&["wait", &container.id]).out, "3\n");
    assert_eq!(container.call(&["logs", &container.id]).ok(), "second\n");
    let text = fs::read_to_string(log(&container)).expect("the log is there");
    assert!(text.contains("first") && text.contains("second"), "the file goes on: {text}");
}

/// What an earlier container of the id has left is not the later one's.
#[test]
fn a_container_without_a_shim_has_no_logs_and_not_the_exit_status_of_an_earlier_one() {
    let container = Container::new().sh("exit 3");
    detached(&container, &[]).ok();
    container.call(&["wait", &container.id]);
    container.call(&["delete", &container.id]).ok();
    let container = container.sh("while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 4").started();
    for command in ["logs", "attach"] {
        let error = container.call(&[command, &container.id]).fails();
        assert!(error.contains("has no shim") && error.contains("--log-output"), "{error}");
    }
    let waiting = container.command(&["wait", &container.id]).stdout(std::process::Stdio::piped()).spawn();
    let waiting = waiting.expect("wait can be started");
    std::thread::sleep(std::time::Duration::from_millis(200));
    fs::write(container.rootfs().join("tmp/go"), "").expect("the rootfs is writable");
    let waited = waiting.wait_with_output().expect("wait ends");
    let told = String::from_utf8_lossy(&waited.stdout).into_owned();
    // Before Linux 6.15 nobody but its parent knows.
    assert!(told == "4\n" || !waited.status.success() && told.is_empty(), "{told}");
    let late = container.call(&["wait", &container.id]).fails();
    assert!(late.contains("was not kept"), "{late}");
}

#[test]
fn only_the_last_thousand_are_remembered() {
    let container = Container::new().sh("exit 0");
    container.call(&["list"]);
    fs::create_dir_all(container.state_root()).expect("the test's directory is writable");
    for number in 0..1100 {
        let place = container.state_root().join(format!("detached:old-{number}"));
        fs::create_dir(&place).expect("the test's directory is writable");
        fs::write(place.join("exit"), "0").expect("the test's directory is writable");
    }
    detached(&container, &[]).ok();
    let places = fs::read_dir(container.state_root()).expect("the state directory").flatten();
    let places = places.filter(|entry| entry.file_name().to_string_lossy().starts_with("detached:")).count();
    assert_eq!(places, 1000);
    let listed: serde_json::Value =
        serde_json::from_str(&container.call(&["list", "--format", "json"]).ok()).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "a place is no container");
}

#[test]
fn an_ordinary_user_has_a_shim_too() {
    let container = Container::ordinary().sh("echo mine; exit 6");
    detached(&container, &[]).ok();
    assert_eq!(container.call(&["wait", &container.id]).out, "6\n");
    assert_eq!(container.call(&["logs", &container.id]).ok(), "mine\n");
    container.call(&["delete", &container.id]).ok();
}

/// As podman calls it; tests/shim/conmon has the rest.
#[test]
fn the_shim_by_itself_has_conmons_command_line() {
    let container = Container::new().sh("echo said; exit 5");
    container.write_config();
    let exits = container.bundle().join("exits");
    fs::create_dir(&exits).expect("the bundle is writable");
    let mut command = container.command(&["shim", "--cid", &container.id, "-l"]);
    command
        .arg(log(&container))
        .arg("--bundle")
        .arg(container.bundle())
        .args(["--full-attach", "--exit-dir"]);
    command.arg(&exits).arg("--runtime-arg").arg(format!("--root={}", container.state_root().display()));
    finish(command).ok();
    wait_until("the container", || container.call(&["state", &container.id]).out.contains("created"));
    container.start().ok();
    wait_until("the exit file", || exits.join(&container.id).exists());
    assert_eq!(fs::read_to_string(exits.join(&container.id)).expect("it is there"), "5");
    assert!(fs::read_to_string(log(&container)).expect("it is there").ends_with("stdout F said\n"));
    container.call(&["delete", &container.id]).ok();
    let error = container.call(&["shim", "--cid", "x"]).fails();
    assert!(error.contains("--log-path"), "{error}");
    assert!(container.call(&["shim", "--help"]).ok().contains("--exit-command"));
}

#[test]
fn no_other_user_reaches_the_shim() {
    use std::os::unix::fs::PermissionsExt;
    let container = Container::new().args(&["sleep", "1000"]);
    detached(&container, &[]).ok();
    let mode = |path: PathBuf| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(place(&container)), 0o700);
    assert_eq!(mode(place(&container).join("attach")), 0o600);
}

#[test]
fn descriptors_of_the_caller_reach_the_process() {
    let container = Container::new().sh("cat <&3; cat <&4; echo $LISTEN_FDS $LISTEN_FDNAMES");
    container.write_config();
    let inner = format!(
        "exec 3<<X 4<<Y\nsocket\nX\nkept\nY\nLISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$$ exec {} --root {} run --detach \
         --log-output {} --preserve-fds 1 --bundle {} {}",
        crate::support::RRUNTIME,
        container.state_root().display(),
        log(&container).display(),
        container.bundle().display(),
        container.id
    );
    let mut command = std::process::Command::new("bash");
    command.args(["-c", &inner]);
    finish(command).ok();
    container.call(&["wait", &container.id]).ok();
    assert_eq!(container.call(&["logs", &container.id]).ok(), "socket\nkept\n1 web\n");
}

#[test]
fn relative_paths_begin_in_the_callers_directory() {
    let container = Container::new().sh("echo here");
    container.write_config();
    let mut command =
        container.command(&["run", "-d", "--log-output", "rel.log", "--pid-file", "pid", &container.id]);
    finish({
        command.current_dir(container.bundle());
        command
    })
    .ok();
    container.call(&["wait", &container.id]).ok();
    let read = |name: &str| fs::read_to_string(container.bundle().join(name)).expect("it is there");
    assert!(read("rel.log").contains("here"));
    assert!(read("pid").parse::<i32>().is_ok());
    assert_eq!(container.call(&["logs", &container.id]).ok(), "here\n");
}

#[test]
fn a_service_manager_hears_that_the_program_is_ready() {
    let container = Container::new();
    // The path of a socket is short.
    let socket = std::env::temp_dir().join(format!("{}.notify", container.id));
    let host = std::os::unix::net::UnixDatagram::bind(&socket).expect("the bundle is writable");
    let container = container.sh("sleep 1000").edit(|config| config["process"]["terminal"] = json!(false));
    container.write_config();
    let mut command = container.command(&["run", "--detach", "--log-output", "none", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).env("NOTIFY_SOCKET", &socket);
    let mut running = command.spawn().expect("run can be started");
    wait_until("the program", || container.call(&["state", &container.id]).out.contains("running"));
    assert_eq!(running.try_wait().expect("it is our child"), None, "it waits for the word");
    // busybox knows no datagrams of unix(7): the test says it in the program's place.
    let inside = container.state_root().join(&container.id).join("notify");
    let inside = fs::File::open(inside).expect("the container's socket is there");
    let own = std::os::unix::net::UnixDatagram::unbound().expect("a socket");
    let short = format!("/proc/self/fd/{}/notify.sock", std::os::fd::AsRawFd::as_raw_fd(&inside));
    own.send_to(b"READY=1", short).expect("the container's socket is there");
    let mut heard = [0; 64];
    let length = host.recv(&mut heard).expect("the manager hears");
    assert!(heard[..length].starts_with(b"READY=1"));
    // It waits until all is read.
    while !heard.starts_with(b"BARRIER=1") {
        host.recv(&mut heard).expect("the manager hears");
    }
    assert_eq!(running.wait().expect("it is our child").code(), Some(0));
    fs::remove_file(socket).expect("it is ours");
}
