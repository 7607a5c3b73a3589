//! What this machine and this caller can do. Probed when asked for, never changed.

pub mod cgroups;

use crate::error::{Error, Kind, Result};
use crate::sys::identity;
use std::os::unix::fs::MetadataExt;

/// The oldest kernel that has every call without which there is no second code path.
pub const OLDEST_KERNEL: (u32, u32) = (5, 10);

const SYS_ADMIN: u64 = 1 << 21;
/// The inode number that the first user namespace of a machine always has (PROC_USER_INIT_INO).
const FIRST_USER_NAMESPACE: u64 = 0xEFFF_FFFD;

/// The caller and the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub euid: u32,
    /// CAP_SYS_ADMIN over the caller's own namespaces.
    pub privileged: bool,
    /// In a user namespace other than the machine's first.
    pub in_user_namespace: bool,
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
    let last_capability = (37..64).take_while(|&number| identity::knows_capability(number)).last();
    let namespace = std::fs::metadata("/proc/self/ns/user");
    Ok(Facts {
        euid: identity::euid(),
        privileged: effective & SYS_ADMIN != 0,
        in_user_namespace: namespace.is_ok_and(|file| file.ino() != FIRST_USER_NAMESPACE),
        permitted,
        last_capability: last_capability.unwrap_or(37),
        kernel,
    })
}
