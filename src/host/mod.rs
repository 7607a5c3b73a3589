//! What this machine and this caller can do. Probed when asked for, never changed.

pub mod cgroups;
pub mod kernel_log;
pub mod lists;
pub mod mountinfo;
pub mod small_table;
pub mod subordinate;
pub mod survey;

use crate::error::{Error, Kind, Result};
use crate::sys::{identity, namespace};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The oldest kernel that has every call without which there is no second code path.
pub const OLDEST_KERNEL: (u32, u32) = (5, 12);

const SYS_ADMIN: u64 = 1 << 21;
pub const SYS_CHROOT: u64 = 1 << 18;
/// The inode number that the first user namespace of a machine always has (PROC_USER_INIT_INO).
const FIRST_USER_NAMESPACE: u64 = 0xEFFF_FFFD;

/// The caller and the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub euid: u32,
    /// CAP_SYS_ADMIN over the caller's own namespaces, the mount namespace among them.
    pub privileged: bool,
    /// CAP_SYS_ADMIN over the caller's user namespace. Without `privileged`: root of a user namespace that was
    /// made without a mount namespace (`unshare --user`), who may make namespaces, but no copy of a mount.
    pub administrator: bool,
    /// In a user namespace other than the machine's first.
    pub in_user_namespace: bool,
    /// The kernel lets no process of the caller's user namespace change supplementary groups, which may be set to
    /// take access away (user_namespaces(7), setgroups).
    pub groups_are_fixed: bool,
    pub permitted: u64,
    pub last_capability: u32,
    pub kernel: (u32, u32),
}

/// Asks the kernel. A kernel that is too old is an error here, not a strange one later.
pub fn probe() -> Result<Facts> {
    let kernel = identity::kernel_version();
    if kernel < OLDEST_KERNEL {
        return Err(Error::new(format!("this kernel is {}.{}", kernel.0, kernel.1))
            .kind(Kind::Unsupported)
            .remedy(format!("Linux {}.{} or newer is needed", OLDEST_KERNEL.0, OLDEST_KERNEL.1)));
    }
    let (effective, permitted) = identity::capabilities().map_err(|e| e.because("capget"))?;
    let user_namespace = std::fs::metadata("/proc/self/ns/user").map(|file| file.ino()).ok();
    if user_namespace.is_none() && !Path::new("/proc/self").exists() {
        return Err(Error::new("no proc file system is mounted on /proc")
            .kind(Kind::Unsupported)
            .remedy("mount -t proc proc /proc"));
    }
    let in_user_namespace = user_namespace.is_some_and(|inode| inode != FIRST_USER_NAMESPACE);
    let administrator = effective & SYS_ADMIN != 0;
    Ok(Facts {
        euid: identity::euid(),
        privileged: administrator && (!in_user_namespace || owns_mounts(user_namespace)),
        administrator,
        in_user_namespace,
        groups_are_fixed: in_user_namespace
            && survey::value("/proc/self/setgroups").is_some_and(|word| word == "deny"),
        permitted,
        last_capability: identity::last_capability(),
        kernel,
    })
}

/// Whether the caller's mount namespace belongs to its user namespace. The kernel refuses the question about one
/// that belongs to a user namespace further up.
fn owns_mounts(user_namespace: Option<u64>) -> bool {
    let Ok(mounts) = std::fs::File::open("/proc/self/ns/mnt") else { return false };
    let Ok(owner) = namespace::owner(mounts.as_fd()) else { return false };
    std::fs::File::from(owner).metadata().ok().map(|file| file.ino()) == user_namespace
}
