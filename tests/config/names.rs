//! `hostname`, `domainname`, `linux.sysctl`.

use crate::support::{Container, finish};
use serde_json::json;
use std::fs;

#[test]
fn the_host_and_domain_names_are_the_containers_own() {
    let before = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let container = Container::new()
        .edit(|c| {
            c["hostname"] = "inside.example".into();
            c["domainname"] = "nis.example".into();
        })
        .sh("hostname; cat /proc/sys/kernel/domainname; uname -n");
    assert_eq!(container.run().ok(), "inside.example\nnis.example\ninside.example\n");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), before);
}

#[test]
fn without_a_hostname_the_hosts_is_seen() {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let container = Container::new()
        .edit(|c| {
            c.as_object_mut().unwrap().remove("hostname");
        })
        .sh("hostname");
    assert_eq!(container.run().ok(), host);
}

#[test]
fn a_hostname_without_a_uts_namespace_is_refused_by_its_field() {
    let err = Container::new().without_namespace("uts").sh("true").run().fails();
    assert!(err.contains("/hostname") && err.contains("uts"), "{err}");
}

#[test]
fn sysctls_of_every_namespace_are_set_in_both_spellings() {
    let container = Container::new()
        .edit(|c| {
            c["linux"]["sysctl"] = json!({
                "net.ipv4.ip_forward": "1",
                "net/ipv4/conf/lo/forwarding": "1",
                "net.ipv4.ip_local_port_range": "20000 30000",
                "net.core.somaxconn": "123",
                "kernel.msgmax": "4096",
                "kernel.shmmax": "1048576",
                "kernel/shmmni": "99",
                "kernel.shm_rmid_forced": "1",
                "kernel.sem": "32 32000 32 128",
                "fs.mqueue.msg_max": "7",
                "fs/mqueue/queues_max": "17",
            });
        })
        .sh(
            "cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/conf/lo/forwarding net/ipv4/ip_local_port_range \
             net/core/somaxconn kernel/msgmax kernel/shmmax kernel/shmmni kernel/shm_rmid_forced kernel/sem \
             fs/mqueue/msg_max fs/mqueue/queues_max",
        );
    let expected = "1 1 20000 30000 123 4096 1048576 99 1 32 32000 32 128 7 17";
    let out = container.run().ok();
    assert_eq!(out.split_whitespace().collect::<Vec<_>>().join(" "), expected);
    let host = fs::read_to_string("/proc/sys/kernel/shmmni").unwrap();
    assert_ne!(host.trim(), "99", "the host's value is its own");
}

#[test]
fn dots_in_the_name_of_an_interface_are_written_with_slashes() {
    for key in ["net/ipv4/conf/dummy.7/forwarding", "net.ipv4.conf.dummy/7.forwarding"] {
        let holder = std::process::Command::new("ip").args(["netns", "list"]).output();
        if !holder.is_ok_and(|output| output.status.success()) {
            skip!("no iproute2");
        }
        let container = Container::new().sh("cat /proc/sys/net/ipv4/conf/dummy.7/forwarding");
        let netns = container.id.clone();
        let ip = |args: &[&str]| {
            let mut command = std::process::Command::new("ip");
            command.args(args);
            finish(command)
        };
        ip(&["netns", "add", &netns]).ok();
        let made = ip(&["-n", &netns, "link", "add", "dummy.7", "type", "bridge"]);
        let made = if made.code == 0 {
            made
        } else {
            ip(&["-n", &netns, "link", "add", "dummy.7", "type", "dummy"])
        };
        if made.code != 0 {
            ip(&["netns", "del", &netns]);
            skip!("the kernel makes neither a bridge nor a dummy interface");
        }
        let container = container
            .namespace("network", Some(&format!("/run/netns/{netns}")))
            .edit(|c| c["linux"]["sysctl"] = json!({ key: "1" }));
        let ended = container.run();
        ip(&["netns", "del", &netns]);
        assert_eq!(ended.ok(), "1\n", "{key}");
    }
}

#[test]
fn a_sysctl_that_belongs_to_no_namespace_is_refused_by_its_field() {
    for key in ["vm.swappiness", "kernel.panic", "fs.file-max", "kernel.hostname"] {
        let container = Container::new().edit(|c| c["linux"]["sysctl"] = json!({ key: "1" })).sh("true");
        let err = container.run().fails();
        assert!(err.contains(&format!("/linux/sysctl/{key}")), "{err}");
        container.assert_gone();
    }
}

#[test]
fn a_sysctl_of_a_namespace_that_is_the_hosts_is_refused_by_its_field() {
    let container = Container::new()
        .without_namespace("ipc")
        .edit(|c| c["linux"]["sysctl"] = json!({"kernel.shmmni": "1"}));
    let err = container.sh("true").run().fails();
    assert!(err.contains("/linux/sysctl/kernel.shmmni") && err.contains("ipc"), "{err}");
}

/// As runc: a path that names the runtime's own namespace makes the host's parameters the container's.
#[test]
fn a_sysctl_of_a_namespace_that_is_the_hosts_by_path_is_refused() {
    for (kind, file, key) in [("network", "net", "net.ipv4.ip_default_ttl"), ("ipc", "ipc", "kernel.shmmni")]
    {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        let Ok(value) = std::fs::read_to_string(path) else { skip!("this kernel has no {key}") };
        let container = Container::new().without_namespace(kind).edit(|c| {
            let joined = json!({"type": kind, "path": format!("/proc/self/ns/{file}")});
            c["linux"]["namespaces"].as_array_mut().unwrap().push(joined);
            c["linux"]["sysctl"] = json!({ key: value.trim() });
        });
        let err = container.sh("true").run().fails();
        let wanted = [&format!("/linux/sysctl/{key}"), "is not allowed in the host's", "/linux/namespaces/"];
        assert!(wanted.iter().all(|wanted| err.contains(*wanted)), "{err}");
    }
}

#[test]
fn a_value_that_the_kernel_refuses_is_reported_by_its_field() {
    for (key, value) in [("kernel.shmmni", "many"), ("net.ipv4.no_such_thing", "1")] {
        let container = Container::new().edit(|c| c["linux"]["sysctl"] = json!({ key: value })).sh("true");
        let err = container.run().fails();
        assert!(err.contains(&format!("/linux/sysctl/{key}")), "{err}");
        container.assert_gone();
    }
}
