//! `linux.namespaces` and `linux.timeOffsets`.

use crate::support::Container;
use serde_json::json;
use std::fs;
use std::process::{Child, Command};

/// `type` and the file in /proc/PID/ns.
const KINDS: [(&str, &str); 7] = [
    ("network", "net"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("pid", "pid"),
    ("mount", "mnt"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];
const SHOW: &str = "for n in net ipc uts pid mnt cgroup time user; do readlink /proc/self/ns/$n; done";

fn of_process(pid: i32, file: &str) -> String {
    let link = fs::read_link(format!("/proc/{pid}/ns/{file}")).expect("the process lives");
    link.to_string_lossy().into_owned()
}

fn ours(file: &str) -> String {
    of_process(std::process::id() as i32, file)
}

fn path(pid: i32, file: &str) -> String {
    format!("/proc/{pid}/ns/{file}")
}

/// A process of the host in new namespaces, ended when dropped.
struct Holder(Child);

impl Holder {
    fn new(options: &[&str]) -> Holder {
        let child = Command::new("unshare").args(options).args(["sleep", "1000"]).spawn();
        let holder = Holder(child.expect("util-linux is installed"));
        let comm = format!("/proc/{}/comm", holder.0.id());
        crate::support::wait_until("the holder is in its namespaces", || {
            fs::read_to_string(&comm).is_ok_and(|name| name == "sleep\n")
        });
        holder
    }

    fn pid(&self) -> i32 {
        self.0.id() as i32
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing else to clean.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_namespace_without_a_path_is_new() {
    let out = Container::new().namespace("time", None).sh(SHOW).run().ok();
    for (kind, file) in KINDS {
        let prefix = format!("{file}:[");
        let inside = out.lines().find(|line| line.starts_with(&prefix)).expect("the link is printed");
        assert_ne!(inside, ours(file), "{kind}");
    }
    assert!(out.lines().any(|line| line == ours("user")), "nobody asked for a user namespace: {out}");
}

#[test]
fn a_namespace_that_is_left_out_is_the_hosts() {
    let mut container = Container::new().sh(SHOW).edit(|c| {
        c.as_object_mut().unwrap().remove("hostname");
    });
    for kind in ["network", "ipc", "uts", "pid", "cgroup"] {
        container = container.without_namespace(kind);
    }
    let out = container.run().ok();
    for file in ["net", "ipc", "uts", "pid", "cgroup", "time", "user"] {
        assert!(out.lines().any(|line| line == ours(file)), "{file}: {out}");
    }
    assert!(!out.contains(&ours("mnt")));
}

#[test]
fn a_new_pid_namespace_begins_with_the_program_as_its_first_process() {
    let out = Container::new().sh("echo $$; ls -d /proc/[0-9]* | wc -l").run().ok();
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("1"));
    // The shell, ls and wc.
    assert!(lines.next().unwrap().parse::<u32>().unwrap() <= 3, "{out}");
}

#[test]
fn a_new_network_namespace_has_nothing_but_loopback_and_that_is_up() {
    let out = Container::new().sh("ip -o link; ip -o addr show lo").run().ok();
    assert!(out.contains("lo: <LOOPBACK,UP"), "{out}");
    assert!(out.contains("127.0.0.1/8"), "{out}");
    assert!(!out.contains("eth0"), "{out}");
}

#[test]
fn namespaces_with_a_path_are_joined() {
    let holder = Holder::new(&["--net", "--ipc", "--uts", "--cgroup", "--time"]);
    for (kind, file) in [("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup")] {
        let out = Container::new().namespace(kind, Some(&path(holder.pid(), file))).sh(SHOW).run().ok();
        let joined = of_process(holder.pid(), file);
        assert!(out.lines().any(|line| line == joined), "{kind}: {joined} is not in {out}");
    }
}

#[test]
fn a_time_namespace_is_joined_with_its_clock() {
    let first = Container::new()
        .namespace("time", None)
        .edit(|c| c["linux"]["timeOffsets"] = json!({"boottime": {"secs": 8_640_000}}))
        .sh("sleep 1000")
        .started();
    let second = Container::new()
        .namespace("time", Some(&path(first.pid(), "time")))
        .sh("cat /proc/uptime")
        .run()
        .ok();
    let uptime: f64 = second.split('.').next().unwrap().parse().unwrap();
    assert!(uptime > 8_640_000.0, "{second}");
}

#[test]
fn a_pid_namespace_is_joined_by_a_second_container() {
    let first = Container::new().sh("exec sleep 1234").started();
    let second = Container::new()
        .namespace("pid", Some(&path(first.pid(), "pid")))
        .sh("cat /proc/1/cmdline | tr '\\0' ' '; readlink /proc/self/ns/pid; echo $$");
    let out = second.run().ok();
    assert!(out.starts_with("sleep 1234"), "{out}");
    assert!(out.contains(&of_process(first.pid(), "pid")), "{out}");
    assert_ne!(out.lines().last(), Some("1"));
    second.assert_gone();
    assert_eq!(first.status(), "running");
}

#[test]
fn a_container_in_a_joined_pid_namespace_gives_its_exit_code_and_is_killed_alone() {
    let first = Container::new().sh("exec sleep 1234").started();
    let join = path(first.pid(), "pid");
    assert_eq!(Container::new().namespace("pid", Some(&join)).sh("exit 9").run().code, 9);
    let second = Container::new().namespace("pid", Some(&join)).sh("exec sleep 1000").started();
    assert_eq!(second.status(), "running");
    second.call(&["kill", &second.id, "KILL"]).ok();
    second.wait_for_status("stopped");
    second.call(&["delete", &second.id]).ok();
    second.assert_gone();
    assert_eq!(first.status(), "running");
}

#[test]
fn a_mount_namespace_with_a_path_is_joined_and_gets_the_containers_tree() {
    let holder = Holder::new(&["--mount"]);
    let out = Container::new()
        .namespace("mount", Some(&path(holder.pid(), "mnt")))
        .sh("readlink /proc/self/ns/mnt; ls /bin/busybox; ls /usr")
        .run();
    assert!(out.out.contains(&of_process(holder.pid(), "mnt")), "{out:?}");
    assert!(out.out.contains("/bin/busybox"), "{out:?}");
    assert_ne!(out.code, 0, "the host's /usr is not there: {out:?}");
}

#[test]
fn a_joined_network_namespace_keeps_the_addresses_that_the_engine_gave_it() {
    let first = Container::new()
        .edit(|c| {
            for set in ["bounding", "effective", "permitted"] {
                c["process"]["capabilities"][set].as_array_mut().unwrap().push("CAP_NET_ADMIN".into());
            }
        })
        .sh("ip addr add 10.9.8.7/24 dev lo && exec sleep 1000")
        .started();
    crate::support::wait_until("the address is there", || {
        first.exec_sh("ip -o addr show lo").out.contains("10.9.8.7")
    });
    let second =
        Container::new().namespace("network", Some(&path(first.pid(), "net"))).sh("ip -o addr show lo");
    assert!(second.run().ok().contains("10.9.8.7/24"));
}

#[test]
fn a_file_of_another_kind_of_namespace_is_refused_by_its_field() {
    let holder = Holder::new(&["--net"]);
    let container = Container::new().namespace("ipc", Some(&path(holder.pid(), "net"))).sh("true");
    let err = container.run().fails();
    assert!(err.contains("/linux/namespaces/") && err.contains("network namespace"), "{err}");
    container.assert_gone();
}

#[test]
fn a_namespace_path_that_is_not_there_is_refused_by_its_field() {
    let container = Container::new().namespace("ipc", Some("/proc/self/ns/nothing")).sh("true");
    let err = container.run().fails();
    assert!(err.contains("/linux/namespaces/") && err.contains("/proc/self/ns/nothing"), "{err}");
    container.assert_gone();
}

#[test]
fn time_offsets_move_the_clocks_of_a_new_time_namespace() {
    let out = Container::new()
        .namespace("time", None)
        .edit(|c| {
            c["linux"]["timeOffsets"] = json!({
                "monotonic": {"secs": 172_800, "nanosecs": 0},
                "boottime": {"secs": 864_000, "nanosecs": 0},
            });
        })
        .sh("cat /proc/uptime /proc/self/timens_offsets")
        .run()
        .ok();
    let uptime: f64 = out.split(' ').next().unwrap().parse().unwrap();
    let host: f64 = fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((uptime - host - 864_000.0).abs() < 60.0, "{uptime} inside, {host} on the host");
    let offsets: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(offsets.contains(&vec!["monotonic", "172800", "0"]), "{out}");
    assert!(offsets.contains(&vec!["boottime", "864000", "0"]), "{out}");
}

#[test]
fn without_a_time_namespace_offsets_are_refused() {
    let container =
        Container::new().edit(|c| c["linux"]["timeOffsets"] = json!({"boottime": {"secs": 1}})).sh("true");
    assert!(container.run().fails().contains("/linux/timeOffsets"));
}

#[test]
fn a_namespace_kept_alive_by_a_bind_mount_is_joined() {
    let container = Container::new().sh("readlink /proc/self/ns/net");
    let pinned = container.dir.join("netns");
    fs::write(&pinned, "").unwrap();
    let container = container.namespace("network", Some(pinned.to_str().unwrap()));
    let script = format!(
        "unshare -n sh -c 'mount --bind /proc/$$/ns/net {0}; readlink /proc/$$/ns/net'; $RR",
        pinned.display()
    );
    let out = crate::host_script(&container, &script).ok();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], lines[1], "{out}");
}
