//! Every field of `config.json`, seen from inside the container (or in the kernel's files about it): one module a
//! subject. The oracle is always the kernel, never what rruntime has written about itself.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod bundles;
mod devices;
mod ipc;
mod landlock;
mod mounts;
mod names;
mod namespaces;
mod netdevices;
mod process;
mod rdt;
mod resources;
mod rootfs;
mod seccomp;
mod users;

use support::mountinfo::{MountLine, add_mount, all_mounts, host_script, mount_at};

/// True if the tests themselves have this capability, by its number: what the host refuses cannot be given.
fn has_capability(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs is mounted");
    let line = status.lines().find(|line| line.starts_with("CapEff")).expect("the kernel shows capabilities");
    u64::from_str_radix(line[7..].trim(), 16).expect("a mask") & (1 << number) != 0
}

const SYS_RESOURCE: u32 = 24;
