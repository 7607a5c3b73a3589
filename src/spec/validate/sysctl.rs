//! `linux.sysctl`: only what a namespace of the container owns may be set; everything else is the host's.
//!
//! Keys are compared as the file below /proc/sys that they name, never as text: `kernel/../vm/x` and its like
//! have no such file name and are refused.

use crate::spec::Text;
use crate::spec::findings::{At, Findings, has_nul};
use std::collections::BTreeMap;

/// Files of the IPC namespace outside fs/mqueue (ipc/ipc_sysctl.c).
const IPC_SYSCTLS: [&str; 12] = [
    "kernel/shmmax",
    "kernel/shmall",
    "kernel/shmmni",
    "kernel/shm_rmid_forced",
    "kernel/shm_next_id",
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/msg_next_id",
    "kernel/auto_msgmni",
    "kernel/sem",
    "kernel/sem_next_id",
];

/// The path below /proc/sys that a sysctl's name means, in either of the two forms of sysctl(8): whichever of
/// `.` and `/` comes first is the separator, and the other one then stands for itself swapped
/// (`net.ipv4.conf.eth0/1.forwarding` is `net/ipv4/conf/eth0.1/forwarding`). `None` if it is no plain path.
pub fn sysctl_path(name: &str) -> Option<String> {
    let separator = name.find(['.', '/'])?;
    let path = if name.as_bytes()[separator] == b'/' {
        name.to_owned()
    } else {
        let swap = |c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        };
        name.chars().map(swap).collect()
    };
    let plain =
        path.split('/').all(|part| !part.is_empty() && part != "." && part != "..") && !has_nul(&path);
    plain.then_some(path)
}

/// The kind of namespace that a path below /proc/sys belongs to.
pub fn sysctl_namespace(path: &str) -> Option<&'static str> {
    Some(match path {
        "kernel/domainname" => "uts",
        path if IPC_SYSCTLS.contains(&path) || path.starts_with("fs/mqueue/") => "ipc",
        path if path.starts_with("net/") => "network",
        path if path.starts_with("user/") => "user",
        _ => return None,
    })
}

/// `has` says whether the container has a namespace of this kind.
pub fn sysctls(f: &mut Findings, at: &At, sysctls: &BTreeMap<Text, Text>, has: impl Fn(&str) -> bool) {
    for (name, value) in sysctls {
        let at = at.key(name);
        f.no_nul(&at, value);
        let Some(path) = sysctl_path(name) else {
            f.refuse_field(&at, "is not the name of a sysctl", "write it as in net.ipv4.ip_forward");
            continue;
        };
        if path == "kernel/hostname" {
            f.refuse_field(&at, "duplicates the field hostname", "set hostname instead");
            continue;
        }
        let Some(namespace) = sysctl_namespace(&path) else {
            let remedy = "remove it: it would change the host";
            f.refuse_field(&at, "does not belong to a namespace", remedy);
            continue;
        };
        if !has(namespace) {
            let reason =
                format!("would change the host: the container has no {namespace} namespace of its own");
            f.refuse_field(&at, reason, format!("add {{\"type\": \"{namespace}\"}} to linux.namespaces"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_name_mean_one_file() {
        let path = |name| sysctl_path(name).expect(name);
        assert_eq!(path("net.ipv4.ip_forward"), "net/ipv4/ip_forward");
        assert_eq!(path("net/ipv4/ip_forward"), "net/ipv4/ip_forward");
        assert_eq!(path("net/ipv4/conf/eno2.100/rp_filter"), "net/ipv4/conf/eno2.100/rp_filter");
        assert_eq!(path("net.ipv4.conf.eno2/100.rp_filter"), "net/ipv4/conf/eno2.100/rp_filter");
    }

    #[test]
    fn a_name_cannot_climb_out() {
        for name in
            ["net/../kernel/core_pattern", "net.//.kernel.x", "net..x", "/net/x", ".net", "net", "", "net/"]
        {
            assert_eq!(sysctl_path(name), None, "{name}");
        }
    }
}
