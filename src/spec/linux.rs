//! `linux` of `config.json`: namespaces, devices, paths, resource control's neighbours (config-linux.md).

use super::config::IdMapping;
use super::resources::Resources;
use super::seccomp::Seccomp;
use super::text::{Text, null_default, null_values};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The Linux part of the configuration.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Linux<'a> {
    #[serde(
        rename = "uidMappings",
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub uid_mappings: Vec<IdMapping>,
    #[serde(
        rename = "gidMappings",
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub gid_mappings: Vec<IdMapping>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctl: BTreeMap<Text<'a>, Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources<'a>>,
    #[serde(rename = "cgroupsPath", borrow, default, skip_serializing_if = "Option::is_none")]
    pub cgroups_path: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<Namespace<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device<'a>>,
    #[serde(
        rename = "netDevices",
        borrow,
        default,
        deserialize_with = "null_values",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub net_devices: BTreeMap<Text<'a>, NetDevice<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<Seccomp<'a>>,
    #[serde(rename = "rootfsPropagation", borrow, default, skip_serializing_if = "Option::is_none")]
    pub rootfs_propagation: Option<Text<'a>>,
    #[serde(
        rename = "maskedPaths",
        borrow,
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub masked_paths: Vec<Text<'a>>,
    #[serde(
        rename = "readonlyPaths",
        borrow,
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub readonly_paths: Vec<Text<'a>>,
    #[serde(rename = "mountLabel", borrow, default, skip_serializing_if = "Option::is_none")]
    pub mount_label: Option<Text<'a>>,
    #[serde(rename = "intelRdt", borrow, default, skip_serializing_if = "Option::is_none")]
    pub intel_rdt: Option<IntelRdt<'a>>,
    #[serde(rename = "memoryPolicy", borrow, default, skip_serializing_if = "Option::is_none")]
    pub memory_policy: Option<MemoryPolicy<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub personality: Option<Personality<'a>>,
    #[serde(
        rename = "timeOffsets",
        borrow,
        default,
        deserialize_with = "null_values",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub time_offsets: BTreeMap<Text<'a>, TimeOffset>,
}

/// A namespace to create, or with `path` to join.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Namespace<'a> {
    #[serde(rename = "type", borrow, default, deserialize_with = "null_default")]
    pub kind: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Text<'a>>,
}

/// A device node to make. The mode is decimal.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Device<'a> {
    #[serde(rename = "type", borrow, default, deserialize_with = "null_default")]
    pub kind: Text<'a>,
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub path: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor: Option<i64>,
    #[serde(rename = "fileMode", default, skip_serializing_if = "Option::is_none")]
    pub file_mode: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
}

/// A host network device to move into the container; `name` renames it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct NetDevice<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<'a>>,
}

/// Cache and memory bandwidth allocation through resctrl.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct IntelRdt<'a> {
    #[serde(rename = "closID", borrow, default, skip_serializing_if = "Option::is_none")]
    pub clos_id: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub schemata: Option<Vec<Text<'a>>>,
    #[serde(rename = "l3CacheSchema", borrow, default, skip_serializing_if = "Option::is_none")]
    pub l3_cache_schema: Option<Text<'a>>,
    #[serde(rename = "memBwSchema", borrow, default, skip_serializing_if = "Option::is_none")]
    pub mem_bw_schema: Option<Text<'a>>,
    #[serde(rename = "enableMonitoring", default, deserialize_with = "null_default")]
    pub enable_monitoring: bool,
}

/// set_mempolicy(2) for the process.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct MemoryPolicy<'a> {
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub mode: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Text<'a>>,
}

/// personality(2) of the process.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Personality<'a> {
    #[serde(borrow, default, deserialize_with = "null_default")]
    pub domain: Text<'a>,
    #[serde(borrow, default, deserialize_with = "null_default", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Text<'a>>,
}

/// Offset of a clock in a new time namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct TimeOffset {
    #[serde(default, deserialize_with = "null_default")]
    pub secs: i64,
    #[serde(default, deserialize_with = "null_default")]
    pub nanosecs: u32,
}
