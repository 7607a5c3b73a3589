//! Options without which CRIU refuses, or does less.

use super::{checkpoint, command, count, counting, counts_on, images, needs_criu, restore, running, started};
use crate::support::{Container, wait_until};
use serde_json::json;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

/// A host's command in the container's network namespace.
#[track_caller]
fn in_network(container: &Container, program: &[&str]) -> String {
    let net = format!("--net=/proc/{}/ns/net", container.pid());
    let said = std::process::Command::new("nsenter").arg(net).args(program).output().unwrap();
    assert!(said.status.success(), "{program:?}: {said:?}");
    String::from_utf8(said.stdout).unwrap()
}

#[test]
fn a_unix_socket_that_is_connected_to_the_host_needs_its_option() {
    needs_criu!();
    let container = Container::new();
    // A socket's address is short.
    let directory = std::env::temp_dir().join(format!("{}-log", container.id));
    fs::create_dir(&directory).unwrap();
    let address = directory.join("log");
    let host = UnixDatagram::bind(&address).unwrap();
    host.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // CRIU sees the sockets of the container's network alone.
    let container = container.without_namespace("network").edit(|config| {
        // It is connected again by the address that the host knows it by.
        let mount = json!({"destination": address, "source": address, "options": ["bind"]});
        config["mounts"].as_array_mut().unwrap().push(mount);
    });
    let script = format!(
        "ln -s {} /dev/log; while :; do echo tick; sleep 0.1; done | busybox logger",
        address.display()
    );
    let container = running(container.sh(&script));
    let hear = || host.recv(&mut [0; 1024]).unwrap();
    hear();
    let said = checkpoint(&container, &[]).fails();
    assert!(said.contains("--ext-unix-sk"), "{said}");
    assert_eq!(container.status(), "running");
    checkpoint(&container, &["--ext-unix-sk"]).ok();
    host.set_nonblocking(true).unwrap();
    while host.recv(&mut [0; 1024]).is_ok() {}
    host.set_nonblocking(false).unwrap();
    restore(&container, &["--ext-unix-sk"]).ok();
    hear();
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_connection_that_is_not_accepted_yet_needs_its_option() {
    needs_criu!();
    // The host's perl, which listens and accepts nothing.
    let listens = "perl -MSocket -e 'socket S, PF_INET, SOCK_STREAM, 0; bind S, sockaddr_in(7000, INADDR_ANY); \
                   listen S, 5; sleep 9 while 1' & ";
    let container = Container::new().sh(&format!("{listens}{}", super::COUNTS)).edit(|config| {
        let of_host = |path: &str| json!({"destination": path, "source": path, "options": ["bind", "ro"]});
        config["mounts"].as_array_mut().unwrap().extend(["/usr", "/lib", "/lib64"].map(of_host));
        config["process"]["env"] = json!(["PATH=/bin:/usr/bin"]);
    });
    let container = started(container);
    let listening = || in_network(&container, &["cat", "/proc/net/tcp"]).contains(":1B58 00000000:0000 0A ");
    wait_until("it listens", listening);
    let net = format!("--net=/proc/{}/ns/net", container.pid());
    let mut client = std::process::Command::new("nsenter");
    client.args([&net, "busybox", "nc", "127.0.0.1", "7000"]).stdin(Stdio::piped());
    let mut client = client.spawn().unwrap();
    // 7000, established.
    wait_until("it connects", || in_network(&container, &["cat", "/proc/net/tcp"]).contains(":1B58 01 "));
    let said = checkpoint(&container, &[]).fails();
    assert!(said.contains("--tcp-skip-in-flight"), "{said}");
    assert_eq!(container.status(), "running");
    checkpoint(&container, &["--tcp-skip-in-flight"]).ok();
    client.kill().unwrap();
    client.wait().unwrap();
    let before = count(&container);
    restore(&container, &[]).ok();
    counts_on(&container, before);
    assert!(listening());
}

#[test]
fn nothing_of_a_network_namespace_is_kept() {
    needs_criu!();
    for option in [&[][..], &["--empty-ns", "network"]] {
        let container = started(counting());
        in_network(&container, &["ip", "link", "add", "c0", "type", "veth", "peer", "name", "c1"]);
        in_network(&container, &["ip", "addr", "add", "10.1.2.3/24", "dev", "c0"]);
        checkpoint(&container, option).ok();
        restore(&container, option).ok();
        let devices = in_network(&container, &["ip", "-o", "addr"]);
        assert!(devices.contains("127.0.0.1") && !devices.contains("c0"), "{devices}");
    }
}

#[test]
fn logs_are_written_to_the_work_path() {
    needs_criu!();
    let container = started(counting());
    let work = container.dir.join("work");
    let option = ["--work-path", work.to_str().unwrap()];
    checkpoint(&container, &option).ok();
    restore(&container, &option).ok();
    for log in ["dump.log", "restore.log"] {
        assert!(work.join(log).exists() && !images(&container).join(log).exists(), "{log}");
    }
}

#[test]
fn deduplication_frees_pages_that_are_restored() {
    needs_criu!();
    // Restored twice: no file is open, which the first one would have changed.
    let script = "x=$(head -c 8000000 /dev/zero | tr '\\0' x); : > /tmp/on; \
                  while [ ! -e /tmp/go ]; do sleep 0.05; done; echo ${#x} > /tmp/size; sleep 1000";
    let container = running(Container::new().sh(script));
    let file = |name: &str| container.rootfs().join("tmp").join(name);
    wait_until("it has memory", || file("on").exists());
    checkpoint(&container, &[]).ok();
    let blocks = || fs::metadata(images(&container).join("pages-1.img")).unwrap().blocks();
    let whole = blocks();
    restore(&container, &[]).ok();
    assert_eq!(blocks(), whole);
    container.call(&["delete", "--force", &container.id]).ok();
    restore(&container, &["--auto-dedup"]).ok();
    assert!(blocks() < whole / 4, "{} of {whole} blocks", blocks());
    fs::write(file("go"), "").unwrap();
    wait_until("it goes on", || fs::read_to_string(file("size")).is_ok_and(|size| size == "8000000\n"));
}

/// The process that a restored one's orphan comes to.
fn adopter(option: &[&str]) -> (u32, u32) {
    let script = "mkfifo /tmp/go; exec 3<>/tmp/go; read x <&3; \
                  (sleep 77 & echo $! > /tmp/new; mv /tmp/new /tmp/orphan); while :; do sleep 1; done";
    let container = Container::new().without_namespace("pid").sh(script);
    container.write_config();
    let bundle = container.bundle();
    // It fetches the exit code of the first process, whose number has to be free then.
    let mut first = command(&container, &["run", "--bundle", bundle.to_str().unwrap(), &container.id]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let go = container.rootfs().join("tmp/go");
    wait_until("it runs", || go.exists());
    checkpoint(&container, &[]).ok();
    first.wait().unwrap();
    let images = images(&container);
    let args = ["restore", "--bundle", bundle.to_str().unwrap(), "--image-path", images.to_str().unwrap()];
    let mut waits = command(&container, &[&args[..], option, &[&container.id]].concat());
    let mut waits = waits.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("it runs again", || {
        container.call(&["state", &container.id]).out.contains("\"status\": \"running\"")
    });
    fs::write(go, "\n").unwrap();
    let orphan = container.rootfs().join("tmp/orphan");
    wait_until("it has an orphan", || orphan.exists());
    let status = format!("/proc/{}/status", fs::read_to_string(&orphan).unwrap().trim());
    let status = fs::read_to_string(status).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok()).unwrap();
    let ours = waits.id();
    container.call(&["kill", "--all", &container.id, "KILL"]);
    waits.wait().unwrap();
    (parent, ours)
}

#[test]
fn orphans_come_to_the_waiting_restore_unless_it_is_no_subreaper() {
    needs_criu!();
    let (parent, restore) = adopter(&[]);
    assert_eq!(parent, restore);
    let (parent, restore) = adopter(&["--no-subreaper"]);
    assert_ne!(parent, restore);
}

#[test]
fn a_terminal_of_the_callers_is_exchanged_for_another_callers() {
    needs_criu!();
    let container = Container::new().sh("touch /tmp/on; while :; do echo tick; sleep 0.05; done");
    container.write_config();
    let (bundle, images) = (container.bundle(), images(&container));
    let said = |name: &str| fs::read_to_string(container.dir.join(name)).unwrap_or_default();
    // script(1) runs a command in a session of its own, with a terminal.
    let in_terminal = |name: &str, args: &[&str]| {
        let args = [args, &["-b", bundle.to_str().unwrap(), &container.id]].concat();
        let inner = command(&container, &args);
        let words = std::iter::once(inner.get_program()).chain(inner.get_args());
        let line: Vec<&str> = words.map(|word| word.to_str().unwrap()).collect();
        let mut script = std::process::Command::new("script");
        script.args(["-qec", &line.join(" "), "/dev/null"]).env("PATH", super::path());
        let output = File::create(container.dir.join(name)).unwrap();
        script.stdin(Stdio::piped()).stdout(output).stderr(Stdio::null()).spawn().unwrap()
    };
    // Every container's first process has a session of its own: the option changes nothing.
    let mut first = in_terminal("first", &["run"]);
    wait_until("it writes", || said("first").contains("tick"));
    for (name, option) in [("second", None), ("third", Some("--shell-job"))] {
        checkpoint(&container, option.as_slice()).ok();
        first.wait().unwrap();
        let args = ["restore", "--image-path", images.to_str().unwrap()];
        first = in_terminal(name, &[&args[..], option.as_slice()].concat());
        wait_until("it writes there", || said(name).contains("tick"));
    }
    container.call(&["kill", &container.id, "KILL"]).ok();
    first.wait().unwrap();
}
