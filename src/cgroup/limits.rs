//! What a container may use, independent of the version of cgroups: plain data, which `resources` makes and `render`
//! turns into files. "Not set" and zero are kept apart where the specification does so (pids). Where other runtimes take
//! zero for "not set" (memory, cpu, block I/O weights), so does rruntime, because engines write zeros for options that
//! were not given.

use super::devices::Rules;

/// An amount that can be without a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Unlimited,
    Of(u64),
}

impl Amount {
    /// As a control file has it, with its word for "no limit".
    pub fn or(self, unlimited: &str) -> String {
        match self {
            Amount::Unlimited => unlimited.to_owned(),
            Amount::Of(n) => n.to_string(),
        }
    }
}

/// Whether the device rules are part of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRules {
    /// The listed rules and the ones that every container gets.
    Enforce,
    /// None: in a user namespace the kernel refuses device nodes anyway, and an update does not change them.
    Skip,
}

/// Checked limits. An absent part does not change the kernel's value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    pub memory: MemoryLimits,
    pub cpu: CpuLimits,
    /// Tasks.
    pub pids: Option<Amount>,
    pub io: IoLimits,
    /// (page size as file names have it, bytes).
    pub hugepages: Vec<(String, u64)>,
    /// v1 only.
    pub net_class: Option<u32>,
    /// (interface, priority), v1 only.
    pub net_priorities: Vec<(String, u32)>,
    /// (device, handles, objects).
    pub rdma: Vec<(String, Option<u32>, Option<u32>)>,
    /// (file, content), v2 only.
    pub unified: Vec<(String, String)>,
    pub devices: Option<Rules>,
}

/// Bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryLimits {
    pub limit: Option<Amount>,
    pub reservation: Option<Amount>,
    /// Memory and swap together.
    pub swap: Option<Amount>,
    pub swappiness: Option<u64>,
    pub oom_killer_disabled: bool,
    pub check_before_update: bool,
}

/// Microseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CpuLimits {
    pub shares: Option<u64>,
    pub quota: Option<Amount>,
    pub period: Option<u64>,
    pub burst: Option<u64>,
    pub realtime_runtime: Option<i64>,
    pub realtime_period: Option<u64>,
    pub idle: Option<i64>,
    pub cpus: Option<String>,
    pub mems: Option<String>,
}

/// Block I/O.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IoLimits {
    pub weight: Option<u16>,
    pub device_weights: Vec<DeviceWeight>,
    pub throttles: Vec<Throttle>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceWeight {
    pub field: String,
    /// "8:0", as the files have it.
    pub device: String,
    pub weight: u16,
}

/// A rate in bytes or operations a second; zero takes a limit away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throttle {
    pub field: String,
    pub direction: Direction,
    pub device: String,
    pub rate: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ReadBytes,
    WriteBytes,
    ReadOperations,
    WriteOperations,
}
