//! What a process of a restored container may come to have by its config.

use crate::plan::program::Sets;
use crate::spec::{Process, Spec};

pub const SETGID: u64 = 1 << 6;
pub const SETUID: u64 = 1 << 7;
pub const SETPCAP: u64 = 1 << 8;
pub const NET_ADMIN: u64 = 1 << 12;
pub const NET_RAW: u64 = 1 << 13;
pub const SYS_ADMIN: u64 = 1 << 21;
pub const SYS_NICE: u64 = 1 << 23;
pub const SYS_RESOURCE: u64 = 1 << 24;

pub struct Rights {
    pub bounding: u64,
    /// The capabilities that a process of the container can come to have.
    pub most: u64,
}

impl Rights {
    pub fn of(spec: &Spec) -> Rights {
        let process = spec.process.as_ref();
        let capabilities = process.and_then(|process: &Process| process.capabilities.as_ref());
        let Sets { bounding, permitted, inheritable, .. } = Sets::of(capabilities, u64::MAX);
        let most = match process {
            Some(process) if process.no_new_privileges => permitted | inheritable,
            _ => bounding | permitted | inheritable,
        };
        Rights { bounding, most }
    }

    pub fn can_have(&self, capability: u64) -> bool {
        self.most & capability != 0
    }
}
