//! Namespaces by path, and what comes into a new one from outside.

use super::{checkpoint, command, count, counting, counts_on, images, needs_criu, restore, running, started};
use crate::support::{finish, wait_until};
use serde_json::json;
use std::fs;
use std::process::Stdio;

fn inode(pid: i32, kind: &str) -> std::path::PathBuf {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap()
}

#[test]
fn namespaces_by_path_are_joined_again() {
    needs_criu!();
    for (kind, name) in [("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("time", "time"), ("pid", "pid")]
    {
        let holder = running(counting().namespace("time", None));
        let path = format!("/proc/{}/ns/{name}", holder.pid());
        let mut container = counting().namespace(kind, Some(&path));
        container.config["hostname"] = serde_json::Value::Null;
        container.write_config();
        let bundle = container.bundle();
        // It fetches the exit code of the first process, whose number has to be free in a pid namespace that stays.
        let mut run = command(&container, &["run", "--bundle", bundle.to_str().unwrap(), &container.id]);
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("it counts", || count(&container) > 3);
        checkpoint(&container, &[]).ok();
        run.wait().unwrap();
        let before = count(&container);
        restore(&container, &[]).ok();
        assert_eq!(inode(container.pid(), name), inode(holder.pid(), name), "{kind}");
        counts_on(&container, before);
    }
}

#[test]
fn a_cgroup_namespace_by_path_is_refused_by_both() {
    needs_criu!();
    let holder = running(counting());
    let path = format!("/proc/{}/ns/cgroup", holder.pid());
    let container = started(counting().namespace("cgroup", Some(&path)));
    let said = checkpoint(&container, &[]).fails();
    assert!(said.contains("/linux/namespaces/") && said.contains("into a cgroup namespace"), "{said}");
    container.call(&["delete", "--force", &container.id]).ok();
    let said = restore(&container, &[]).fails();
    assert!(said.contains("/linux/namespaces/") && said.contains("into a cgroup namespace"), "{said}");
}

#[test]
fn devices_of_the_network_come_again_before_the_hooks_which_run_in_their_order() {
    needs_criu!();
    let container = counting();
    let order = container.dir.join("order");
    let hook = |word: &str| {
        let script = format!(
            "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); \
            echo {word} $(nsenter --net=/proc/$pid/ns/net ip -o link show c0 | wc -l) >> {}",
            order.display()
        );
        json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin:/sbin:/usr/sbin"]})
    };
    let container = container.edit(|config| {
        config["linux"]["netDevices"] = json!({"eth7": {"name": "c0"}});
        config["hooks"] = json!({
            "createRuntime": [hook("three"), hook("four")], "prestart": [hook("one"), hook("two")],
        });
    });
    container.write_config();
    let script = format!(
        "ip link set lo up; ip link add eth7 type veth peer name far7; ip addr add 192.0.2.7/24 dev eth7
        {rr} run -d -b {bundle} {id} >/dev/null 2>&1; sleep 0.3; {rr} checkpoint --image-path {images} {id}
        # The kernel takes the first pair away with its namespace, when it comes to it.
        for _ in $(seq 200); do ip link show far7 >/dev/null 2>&1 || break; sleep 0.05; done
        rm {order}; ip link add eth7 type veth peer name far7; ip addr add 192.0.2.8/24 dev eth7
        {rr} restore -d -b {bundle} --image-path {images} {id} >/dev/null 2>&1; cat {order}; {rr} exec {id} ip addr show c0",
        rr = format!("{} --root {}", crate::support::RRUNTIME, container.state_root().display()),
        bundle = container.bundle().display(),
        id = container.id,
        images = images(&container).display(),
        order = order.display(),
    );
    let mut host = std::process::Command::new("unshare");
    host.args(["--net", "--mount", "sh", "-ec", &script]).env("PATH", super::path());
    let out = finish(host).ok();
    assert!(out.starts_with("one 1\ntwo 1\nthree 1\nfour 1\n"), "{out}");
    assert!(out.contains("192.0.2.8/24") && !out.contains("192.0.2.7/24"), "{out}");
}
