//! `linux.resources` of `config.json` (config-linux.md, Control groups). Also the body of `update -r`.
//!
//! Every limit is optional: "not set" leaves the kernel's value alone and differs from zero.

use super::text::{Text, null_default, null_values};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Limits of the container's cgroup.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Resources<'a> {
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceRule<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<Pids>,
    #[serde(rename = "blockIO", default, skip_serializing_if = "Option::is_none")]
    pub block_io: Option<BlockIo>,
    #[serde(
        rename = "hugepageLimits",
        borrow,
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub hugepage_limits: Vec<HugepageLimit<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network<'a>>,
    #[serde(borrow, default, deserialize_with = "null_values", skip_serializing_if = "BTreeMap::is_empty")]
    pub rdma: BTreeMap<Text<'a>, Rdma>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub unified: BTreeMap<Text<'a>, Text<'a>>,
}

/// An entry of the device access list; absent or -1 numbers mean every number, an absent or empty type every type.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct DeviceRule<'a> {
    #[serde(default, deserialize_with = "null_default")]
    pub allow: bool,
    #[serde(rename = "type", borrow, default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor: Option<i64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Text<'a>>,
}

/// Bytes; -1 is unlimited.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Memory {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<i64>,
    #[serde(rename = "kernelTCP", default, skip_serializing_if = "Option::is_none")]
    pub kernel_tcp: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swappiness: Option<u64>,
    #[serde(rename = "disableOOMKiller", default, skip_serializing_if = "Option::is_none")]
    pub disable_oom_killer: Option<bool>,
    #[serde(rename = "useHierarchy", default, skip_serializing_if = "Option::is_none")]
    pub use_hierarchy: Option<bool>,
    #[serde(rename = "checkBeforeUpdate", default, skip_serializing_if = "Option::is_none")]
    pub check_before_update: Option<bool>,
}

/// Times in microseconds.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Cpu<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u64>,
    #[serde(rename = "realtimeRuntime", default, skip_serializing_if = "Option::is_none")]
    pub realtime_runtime: Option<i64>,
    #[serde(rename = "realtimePeriod", default, skip_serializing_if = "Option::is_none")]
    pub realtime_period: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub mems: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<i64>,
}

/// Tasks; -1 is unlimited (specification 1.3: `limit` unset leaves the kernel's value).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Pids {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// Weights 10–1000, rates in bytes or operations a second.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct BlockIo {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    #[serde(rename = "leafWeight", default, skip_serializing_if = "Option::is_none")]
    pub leaf_weight: Option<u16>,
    #[serde(
        rename = "weightDevice",
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub weight_device: Vec<WeightDevice>,
    #[serde(
        rename = "throttleReadBpsDevice",
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub throttle_read_bps_device: Vec<ThrottleDevice>,
    #[serde(
        rename = "throttleWriteBpsDevice",
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub throttle_write_bps_device: Vec<ThrottleDevice>,
    #[serde(
        rename = "throttleReadIOPSDevice",
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub throttle_read_iops_device: Vec<ThrottleDevice>,
    #[serde(
        rename = "throttleWriteIOPSDevice",
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub throttle_write_iops_device: Vec<ThrottleDevice>,
}

/// A weight for one block device.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct WeightDevice {
    #[serde(default, deserialize_with = "null_default")]
    pub major: i64,
    #[serde(default, deserialize_with = "null_default")]
    pub minor: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    #[serde(rename = "leafWeight", default, skip_serializing_if = "Option::is_none")]
    pub leaf_weight: Option<u16>,
}

/// A rate for one block device.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ThrottleDevice {
    #[serde(default, deserialize_with = "null_default")]
    pub major: i64,
    #[serde(default, deserialize_with = "null_default")]
    pub minor: i64,
    #[serde(default, deserialize_with = "null_default")]
    pub rate: u64,
}

/// Bytes of huge pages of one size (`2MB`, `1GB`).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct HugepageLimit<'a> {
    #[serde(rename = "pageSize", borrow, default, deserialize_with = "null_default")]
    pub page_size: Text<'a>,
    #[serde(default, deserialize_with = "null_default")]
    pub limit: u64,
}

/// net_cls and net_prio, cgroup v1 only.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Network<'a> {
    #[serde(rename = "classID", default, skip_serializing_if = "Option::is_none")]
    pub class_id: Option<u32>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub priorities: Vec<InterfacePriority<'a>>,
}

/// Priority of a network interface's traffic.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct InterfacePriority<'a> {
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub name: Text<'a>,
    #[serde(default, deserialize_with = "null_default")]
    pub priority: u32,
}

/// Limits of one RDMA device.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Rdma {
    #[serde(rename = "hcaHandles", default, skip_serializing_if = "Option::is_none")]
    pub hca_handles: Option<u32>,
    #[serde(rename = "hcaObjects", default, skip_serializing_if = "Option::is_none")]
    pub hca_objects: Option<u32>,
}
