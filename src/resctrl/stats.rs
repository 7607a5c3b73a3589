//! What resctrl reports about a group of processes: the caches and the memory bandwidth that it may use (CAT, MBA) and
//! has used (CMT, MBM). Reads only; what the kernel or the processor does not have is left out.

use super::{Place, Tree};
use crate::error::Result;
use crate::report::shape::{empty, shape};
use crate::sys::{Errno, SysResult};

shape! {
    /// In runc's shape. Lines of schemata as the kernel writes them.
    Stats {
        l3_cache_info: Option<CacheInfo>, unless "empty";
        l3_cache_schema_root: String, unless "empty";
        l3_cache_schema: String, unless "empty";
        mem_bw_info: Option<BandwidthInfo>, unless "empty";
        mem_bw_schema_root: String, unless "empty";
        mem_bw_schema: String, unless "empty";
        schemata: Vec<String>, unless "empty";
        /// By NUMA node; absent where the processor does not count.
        mbm_stats: Option<Vec<Bandwidth>>, unless "empty";
        cmt_stats: Option<Vec<Occupancy>>, unless "empty";
    }

    CacheInfo {
        cbm_mask: String, unless "empty";
        min_cbm_bits: u64, unless "empty";
        num_closids: u64, unless "empty";
    }

    BandwidthInfo {
        bandwidth_gran: u64, unless "empty";
        delay_linear: u64, unless "empty";
        min_bandwidth: u64, unless "empty";
        num_closids: u64, unless "empty";
    }

    /// Bytes. What the hardware cannot tell at the moment ("Unavailable") is 0.
    Bandwidth {
        mbm_total_bytes: u64;
        mbm_local_bytes: u64;
    }

    /// Bytes of the last-level cache.
    Occupancy {
        llc_occupancy: u64;
    }
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
        let root = self.lines("")?;
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
            stats.l3_cache_schema_root = line(&root, "L3");
            stats.l3_cache_schema = line(&ours, "L3");
        }
        if self.text("info/MB", "num_closids")?.is_some() {
            stats.mem_bw_info = Some(BandwidthInfo {
                bandwidth_gran: self.number("info/MB", "bandwidth_gran")?,
                delay_linear: self.number("info/MB", "delay_linear")?,
                min_bandwidth: self.number("info/MB", "min_bandwidth")?,
                num_closids: self.number("info/MB", "num_closids")?,
            });
            stats.mem_bw_schema_root = line(&root, "MB");
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
