//! `linux.resources` of `config.json` (config-linux.md, Control groups). Also the body of `update -r`.
//!
//! Every limit is optional: "not set" leaves the kernel's value alone and differs from zero.

use super::fields::{null_values, objects};
use super::text::Text;
use std::collections::BTreeMap;

objects! {
    /// Limits of the container's cgroup.
    pub struct Resources<'a> {
        #[serde(borrow)]
        pub devices: Vec<DeviceRule<'a>>,
        pub memory: Option<Memory>,
        pub cpu: Option<Cpu<'a>>,
        pub pids: Option<Pids>,
        #[serde(rename = "blockIO")]
        pub block_io: Option<BlockIo>,
        pub hugepage_limits: Vec<HugepageLimit<'a>>,
        pub network: Option<Network<'a>>,
        #[serde(deserialize_with = "null_values")]
        pub rdma: BTreeMap<Text<'a>, Rdma>,
        #[serde(deserialize_with = "null_values")]
        pub unified: BTreeMap<Text<'a>, Text<'a>>,
    }

    /// An entry of the device access list; absent or -1 numbers mean every number, an absent or empty type every type.
    pub struct DeviceRule<'a> {
        pub allow: bool,
        #[serde(rename = "type", borrow)]
        pub kind: Option<Text<'a>>,
        pub major: Option<i64>,
        pub minor: Option<i64>,
        pub access: Option<Text<'a>>,
    }

    /// Bytes; -1 is unlimited.
    pub struct Memory {
        pub limit: Option<i64>,
        pub reservation: Option<i64>,
        pub swap: Option<i64>,
        pub kernel: Option<i64>,
        #[serde(rename = "kernelTCP")]
        pub kernel_tcp: Option<i64>,
        pub swappiness: Option<u64>,
        #[serde(rename = "disableOOMKiller")]
        pub disable_oom_killer: Option<bool>,
        pub use_hierarchy: Option<bool>,
        pub check_before_update: Option<bool>,
    }

    /// Times in microseconds.
    pub struct Cpu<'a> {
        pub shares: Option<u64>,
        pub quota: Option<i64>,
        pub burst: Option<u64>,
        pub period: Option<u64>,
        pub realtime_runtime: Option<i64>,
        pub realtime_period: Option<u64>,
        #[serde(borrow)]
        pub cpus: Option<Text<'a>>,
        pub mems: Option<Text<'a>>,
        pub idle: Option<i64>,
    }

    /// Tasks; -1 is unlimited (specification 1.3: `limit` unset leaves the kernel's value).
    pub struct Pids {
        pub limit: Option<i64>,
    }

    /// Weights 10–1000, rates in bytes or operations a second.
    pub struct BlockIo {
        pub weight: Option<u16>,
        pub leaf_weight: Option<u16>,
        pub weight_device: Vec<WeightDevice>,
        pub throttle_read_bps_device: Vec<ThrottleDevice>,
        pub throttle_write_bps_device: Vec<ThrottleDevice>,
        #[serde(rename = "throttleReadIOPSDevice")]
        pub throttle_read_iops_device: Vec<ThrottleDevice>,
        #[serde(rename = "throttleWriteIOPSDevice")]
        pub throttle_write_iops_device: Vec<ThrottleDevice>,
    }

    /// A weight for one block device.
    pub struct WeightDevice {
        pub major: i64,
        pub minor: i64,
        pub weight: Option<u16>,
        pub leaf_weight: Option<u16>,
    }

    /// A rate for one block device.
    pub struct ThrottleDevice {
        pub major: i64,
        pub minor: i64,
        pub rate: u64,
    }

    /// Bytes of huge pages of one size (`2MB`, `1GB`).
    pub struct HugepageLimit<'a> {
        #[serde(borrow)]
        pub page_size: Text<'a>,
        pub limit: u64,
    }

    /// net_cls and net_prio, cgroup v1 only.
    pub struct Network<'a> {
        #[serde(rename = "classID")]
        pub class_id: Option<u32>,
        #[serde(borrow)]
        pub priorities: Vec<InterfacePriority<'a>>,
    }

    /// Priority of a network interface's traffic.
    pub struct InterfacePriority<'a> {
        #[serde(borrow)]
        pub name: Text<'a>,
        pub priority: u32,
    }

    /// Limits of one RDMA device.
    pub struct Rdma {
        pub hca_handles: Option<u32>,
        pub hca_objects: Option<u32>,
    }
}
