//! What resctrl reports about a group of processes: the caches and the memory bandwidth that it may use (CAT, MBA) and
//! has used (CMT, MBM). Reads only; what the kernel or the processor does not have is left out.

use super::{Place, Tree};
use crate::error::Result;
use crate::sys::{Errno, SysResult};
use serde::Serialize;

/// In runc's shape. Lines of schemata as the kernel writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l3_cache_info: Option<CacheInfo>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub l3_cache_schema_root: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub l3_cache_schema: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem_bw_info: Option<BandwidthInfo>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mem_bw_schema_root: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mem_bw_schema: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemata: Vec<String>,
    /// By NUMA node; absent where the processor does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mbm_stats: Option<Vec<Bandwidth>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmt_stats: Option<Vec<Occupancy>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CacheInfo {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cbm_mask: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub min_cbm_bits: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_closids: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BandwidthInfo {
    #[serde(skip_serializing_if = "is_zero")]
    pub bandwidth_gran: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub delay_linear: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub min_bandwidth: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_closids: u64,
}

/// Bytes. What the hardware cannot tell at the moment ("Unavailable") is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bandwidth {
    pub mbm_total_bytes: u64,
    pub mbm_local_bytes: u64,
}

/// Bytes of the last-level cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Occupancy {
    pub llc_occupancy: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Tree {
    /// The numbers of the container that has this place; `None` if its group is gone.
    ///
    /// Errors: an existing file that cannot be read.
    pub fn stats(&self, place: &Place) -> Result<Option<Stats>> {
        if !self.has_group(&place.group)? {
            return Ok(None);
        }
        let ours = self.lines(&place.group)?;
        let everybodys = self.lines("")?;
        let line = |lines: &[String], kind: &str| {
            lines.iter().rfind(|line| line.contains(kind)).cloned().unwrap_or_default()
        };
        let mut stats = Stats::default();
        if let Some(mask) = self.text("info/L3", "cbm_mask")? {
            stats.l3_cache_info = Some(CacheInfo {
                cbm_mask: mask.trim().to_owned(),
                min_cbm_bits: self.number("info/L3", "min_cbm_bits")?,
                num_closids: self.number("info/L3", "num_closids")?,
            });
            stats.l3_cache_schema_root = line(&everybodys, "L3");
            stats.l3_cache_schema = line(&ours, "L3");
        }
        if self.text("info/MB", "num_closids")?.is_some() {
            stats.mem_bw_info = Some(BandwidthInfo {
                bandwidth_gran: self.number("info/MB", "bandwidth_gran")?,
                delay_linear: self.number("info/MB", "delay_linear")?,
                min_bandwidth: self.number("info/MB", "min_bandwidth")?,
                num_closids: self.number("info/MB", "num_closids")?,
            });
            stats.mem_bw_schema_root = line(&everybodys, "MB");
            stats.mem_bw_schema = line(&ours, "MB");
        }
        stats.schemata = ours;
        let monitor = place.monitor.as_ref().map(|monitor| match &*place.group {
            "" => format!("mon_groups/{monitor}"),
            group => format!("{group}/mon_groups/{monitor}"),
        });
        self.monitor(monitor.as_deref().unwrap_or(&place.group), &mut stats)?;
        Ok(Some(stats))
    }

    /// What the group has used, of what this processor counts.
    fn monitor(&self, group: &str, stats: &mut Stats) -> Result<()> {
        let features = self.text("info/L3_MON", "mon_features")?.unwrap_or_default();
        let counts = |feature: &str| features.lines().any(|line| line == feature);
        let bandwidth = counts("mbm_total_bytes") || counts("mbm_local_bytes");
        let cache = counts("llc_occupancy");
        if !bandwidth && !cache {
            return Ok(());
        }
        let nodes = self.subdirectories(group, "mon_data");
        for node in absent(nodes, "mon_data")?.unwrap_or_default() {
            let number = |file: &str| self.number(group, &format!("mon_data/{node}/{file}"));
            if bandwidth {
                stats.mbm_stats.get_or_insert_default().push(Bandwidth {
                    mbm_total_bytes: number("mbm_total_bytes")?,
                    mbm_local_bytes: number("mbm_local_bytes")?,
                });
            }
            if cache {
                let llc_occupancy = number("llc_occupancy")?;
                stats.cmt_stats.get_or_insert_default().push(Occupancy { llc_occupancy });
            }
        }
        Ok(())
    }

    fn lines(&self, group: &str) -> Result<Vec<String>> {
        let text = self.text(group, "schemata")?.unwrap_or_default();
        Ok(text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
    }

    fn number(&self, group: &str, file: &str) -> Result<u64> {
        Ok(self.text(group, file)?.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
    }

    /// A file's text; `None` if it is not there.
    fn text(&self, group: &str, file: &str) -> Result<Option<String>> {
        absent(self.read(group, file), file)
    }
}

fn absent<T>(found: SysResult<T>, file: &str) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Errno(libc::ENOENT | libc::ENOTDIR)) => Ok(None),
        Err(errno) => Err(errno.because(format!("read {file} of the resctrl group"))),
    }
}
