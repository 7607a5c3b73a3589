//! What the rules are told of the host and of the command line.

/// What the rules need to know besides the config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// The highest capability number of this kernel (/proc/sys/kernel/cap_last_cap).
    pub last_capability: u8,
    /// The runtime has no rights of its own outside a user namespace that it makes.
    pub unprivileged: bool,
    /// `--no-pivot`: the rootfs is entered by moving it over `/`.
    pub no_pivot: bool,
    /// `--systemd-cgroup`: `cgroupsPath` is `slice:prefix:name`.
    pub systemd_cgroup: bool,
}

/// A privileged runtime on a kernel that has every capability we know.
impl Default for Circumstances {
    fn default() -> Circumstances {
        Circumstances { last_capability: 40, unprivileged: false, no_pivot: false, systemd_cgroup: false }
    }
}
