//! What the rules are told of the host and of the command line.

use crate::spec::RootChange;

/// What the rules need to know besides the config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// The highest capability number of this kernel (/proc/sys/kernel/cap_last_cap).
    pub last_capability: u8,
    /// The runtime has no rights of its own outside a user namespace that it makes.
    pub unprivileged: bool,
    pub root_change: RootChange,
    /// `--systemd-cgroup`: `cgroupsPath` is `slice:prefix:name`.
    pub systemd_cgroup: bool,
}

/// A privileged runtime on a kernel that has every capability we know.
impl Default for Circumstances {
    fn default() -> Circumstances {
        let root_change = RootChange::PivotRoot;
        Circumstances { last_capability: 40, unprivileged: false, root_change, systemd_cgroup: false }
    }
}
