//! `linux` of `config.json`: namespaces, devices, paths, resource control's neighbours (config-linux.md).

use super::fields::{null_values, objects};
use super::idmap::IdMapping;
use super::resources::Resources;
use super::seccomp::Seccomp;
use super::text::Text;
use std::collections::BTreeMap;

objects! {
    /// The Linux part of the configuration.
    pub struct Linux<'a> {
        pub uid_mappings: Vec<IdMapping>,
        pub gid_mappings: Vec<IdMapping>,
        #[serde(borrow, deserialize_with = "null_values")]
        pub sysctl: BTreeMap<Text<'a>, Text<'a>>,
        pub resources: Option<Resources<'a>>,
        pub cgroups_path: Option<Text<'a>>,
        pub namespaces: Vec<Namespace<'a>>,
        pub devices: Vec<Device<'a>>,
        #[serde(deserialize_with = "null_values")]
        pub net_devices: BTreeMap<Text<'a>, NetDevice<'a>>,
        pub seccomp: Option<Seccomp<'a>>,
        pub rootfs_propagation: Option<Text<'a>>,
        pub masked_paths: Vec<Text<'a>>,
        pub readonly_paths: Vec<Text<'a>>,
        pub mount_label: Option<Text<'a>>,
        pub intel_rdt: Option<IntelRdt<'a>>,
        pub memory_policy: Option<MemoryPolicy<'a>>,
        pub personality: Option<Personality<'a>>,
        #[serde(deserialize_with = "null_values")]
        pub time_offsets: BTreeMap<Text<'a>, TimeOffset>,
    }

    /// A namespace to create, or with `path` to join.
    pub struct Namespace<'a> {
        #[serde(rename = "type", borrow)]
        pub kind: Text<'a>,
        pub path: Option<Text<'a>>,
    }

    /// A device node to make. The mode is decimal.
    pub struct Device<'a> {
        #[serde(rename = "type", borrow)]
        pub kind: Text<'a>,
        pub path: Text<'a>,
        pub major: Option<i64>,
        pub minor: Option<i64>,
        pub file_mode: Option<u32>,
        pub uid: Option<u32>,
        pub gid: Option<u32>,
    }

    /// A host network device to move into the container; `name` renames it.
    pub struct NetDevice<'a> {
        #[serde(borrow)]
        pub name: Option<Text<'a>>,
    }

    /// Cache and memory bandwidth allocation through resctrl.
    pub struct IntelRdt<'a> {
        #[serde(rename = "closID", borrow)]
        pub clos_id: Option<Text<'a>>,
        pub schemata: Option<Vec<Text<'a>>>,
        pub l3_cache_schema: Option<Text<'a>>,
        pub mem_bw_schema: Option<Text<'a>>,
        pub enable_monitoring: bool,
    }

    /// set_mempolicy(2) for the process.
    pub struct MemoryPolicy<'a> {
        #[serde(borrow)]
        pub mode: Text<'a>,
        pub nodes: Option<Text<'a>>,
        pub flags: Vec<Text<'a>>,
    }

    /// personality(2) of the process.
    pub struct Personality<'a> {
        #[serde(borrow)]
        pub domain: Text<'a>,
        pub flags: Vec<Text<'a>>,
    }

    /// Offset of a clock in a new time namespace.
    #[derive(Copy, PartialEq, Eq)]
    pub struct TimeOffset {
        pub secs: i64,
        pub nanosecs: u32,
    }
}

impl<'a> IntelRdt<'a> {
    /// These two shares alone.
    pub fn of(l3_cache: Option<&'a str>, bandwidth: Option<&'a str>) -> IntelRdt<'a> {
        let (l3_cache_schema, mem_bw_schema) = (l3_cache.map(Text::from), bandwidth.map(Text::from));
        IntelRdt { l3_cache_schema, mem_bw_schema, ..IntelRdt::default() }
    }
}
