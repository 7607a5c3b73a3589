//! The examples of `bundles/` that are more than a busybox: each runs as its README says, and what it shows holds.

use crate::support::ordinary::give;
use crate::support::{Container, is_v2, wait_until};
use serde_json::json;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file of the checkout, which the machines of hack/test-in-vm do not have.
fn of_the_checkout(name: &str) -> Option<PathBuf> {
    Some(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).filter(|path| path.exists())
}

/// The container with this bundle in place of its own, made by hack/make-bundle.
fn with(container: Container, maker: &Path, name: &str) -> Container {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundles").join(name);
    fs::remove_dir_all(container.bundle()).unwrap();
    let made = Command::new(maker).arg(container.bundle()).arg(from).status().unwrap();
    assert!(made.success());
    having_read(container)
}

fn having_read(mut container: Container) -> Container {
    let text = fs::read(container.bundle().join("config.json")).unwrap();
    container.config = serde_json::from_slice(&text).unwrap();
    container
}

/// What a server on this port answers, if there is one.
fn answer(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn a_web_server_of_an_ordinary_user_is_reached_from_the_host() {
    let Some(maker) = of_the_checkout("hack/make-bundle") else { skip!("hack/make-bundle is not here") };
    let container = with(Container::ordinary(), &maker, "web");
    // Another test, or another program, may have the port of the example.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let container = container.edit(|c| c["process"]["args"][4] = format!("127.0.0.1:{port}").into());
    let (uid, gid) = container.ids.unwrap();
    give(&container.bundle(), uid, gid);
    container.write_config();
    let mut command = container.command(&["run", "--bundle"]);
    command.arg(container.bundle()).arg(&container.id).stdout(Stdio::null());
    let mut run = command.spawn().unwrap();
    wait_until("the server answers", || {
        assert_eq!(run.try_wait().unwrap(), None, "the container has ended");
        answer(port, "/").is_some()
    });
    let page = answer(port, "/index.html").unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    let written = fs::read_to_string(container.bundle().join("www/index.html")).unwrap();
    assert!(page.ends_with(&written), "{page}");
    // It serves its directory, and runs as the user.
    assert!(answer(port, "/../etc/passwd").unwrap().starts_with("HTTP/1.1 40"));
    assert_eq!(fs::metadata(format!("/proc/{}", container.pid())).unwrap().uid(), uid);
    let refused = container.exec_sh("echo x > /www/index.html").fails();
    assert!(refused.contains("Read-only file system"), "{refused}");
    container.call(&["kill", &container.id, "KILL"]).ok();
    assert_eq!(run.wait().unwrap().code(), Some(128 + 9));
    assert_eq!(answer(port, "/"), None);
    container.assert_gone();
}

#[test]
fn a_device_is_used_with_its_rule_and_its_hook_and_without_the_rule_refused() {
    let Some(maker) = of_the_checkout("hack/make-bundle") else { skip!("hack/make-bundle is not here") };
    if let Err(error) = File::options().read(true).write(true).open("/dev/fuse") {
        skip!("/dev/fuse: {error}");
    }
    let new = || {
        let container = with(Container::new(), &maker, "device");
        let path = format!("/{}", container.id);
        container.edit(|c| c["linux"]["cgroupsPath"] = path.into())
    };
    let container = new();
    let out = container.run().ok();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(out, format!("driver {release}/dev/fuse is open\n"));
    container.assert_gone();

    let container = new().edit(|c| drop(c["linux"]["resources"]["devices"].as_array_mut().unwrap().pop()));
    let error = container.run().fails();
    assert!(error.contains("/dev/fuse") && error.contains("Operation not permitted"), "{error}");
    container.assert_gone();

    // The host's part fails: the hook's words are the error, and nothing is left.
    let container = new();
    fs::write(container.bundle().join("prepare"), "echo the driver is not here >&2; exit 1\n").unwrap();
    let error = container.run().fails();
    assert!(error.contains("/hooks/createRuntime/0") && error.contains("the driver is not here"), "{error}");
    container.assert_gone();
}

#[test]
fn systemd_is_the_first_process_of_a_container_without_cap_sys_admin() {
    let Some(boxes) = of_the_checkout("hack/systemd-box") else { skip!("hack/systemd-box is not here") };
    if !is_v2() {
        skip!("systemd manages a cgroup tree of its own on cgroup v2 alone");
    }
    let made = Command::new(boxes).arg("--build").stderr(Stdio::null()).output().unwrap();
    let said = String::from_utf8(made.stdout).unwrap();
    if made.status.code() == Some(77) {
        skip!("no root with systemd: {}", said.trim().trim_start_matches("skipped: "));
    }
    assert!(made.status.success() && Path::new(said.trim()).is_dir(), "{said}");
    let container = Container::new();
    // The root is shared with other tests: what the container changes is in a layer above it, in a mount of ours alone.
    for name in ["layer", "bundle/rootfs"] {
        let _ = fs::remove_dir_all(container.dir.join(name)); // only the second is there
        fs::create_dir_all(container.dir.join(name)).unwrap();
    }
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundles/system/config.json");
    fs::copy(from, container.bundle().join("config.json")).unwrap();
    let path = format!("/{}", container.id);
    let container = having_read(container).edit(|c| c["linux"]["cgroupsPath"] = json!(path));
    container.write_config();
    let script = "mount -t tmpfs layer \"$1/layer\" && mkdir \"$1/layer/upper\" \"$1/layer/work\" && \
        mount -t overlay -o \"lowerdir=$2,upperdir=$1/layer/upper,workdir=$1/layer/work\" root \"$1/bundle/rootfs\" && \
        shift 2 && exec \"$@\"";
    let run = container.command(&["run", "--bundle"]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
    command.arg(&container.dir).arg(said.trim()).arg(run.get_program()).args(run.get_args());
    command.arg(container.bundle()).arg(&container.id).stdin(Stdio::null()).stdout(Stdio::null());
    let mut run = command.spawn().unwrap();
    // systemd has moved itself below the root of its tree, which has controllers or may get some.
    let inside =
        |args: &[&str]| container.call(&[&["exec", "--cgroup", "/init.scope", &container.id], args].concat());
    let mut state = String::new();
    wait_until("systemd has booted", || {
        assert_eq!(run.try_wait().unwrap(), None, "the container has ended: {state}");
        state = inside(&["systemctl", "is-system-running"]).out;
        ["running\n", "degraded\n"].contains(&state.as_str())
    });
    assert_eq!(state, "running\n", "{}", inside(&["systemctl", "--failed"]).out);
    let units = inside(&["systemd-run", "--quiet", "--wait", "--pipe", "cat", "/proc/self/cgroup"]).ok();
    assert!(units.contains("0::/system.slice/run-"), "{units}");
    let status = inside(&["cat", "/proc/1/status"]).ok();
    let held = status.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).unwrap();
    assert_eq!(u64::from_str_radix(held, 16).unwrap() & (1 << 21), 0, "CAP_SYS_ADMIN");
    // What ends a machine ends the container.
    container.call(&["kill", &container.id, "RTMIN+3"]).ok();
    assert!(run.wait().unwrap().code().is_some());
    container.assert_gone();
}
