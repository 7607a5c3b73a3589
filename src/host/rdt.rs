//! What the resctrl file system tells of a group of processes: the caches and the memory bandwidth that it may use (CAT,
//! MBA) and has used (CMT, MBM). Reads only, relative to the held root; where the kernel or the processor has none of
//! it there is nothing to tell. Layout: Documentation/filesystems/resctrl.rst of the kernel.

use crate::error::Result;
use crate::sys::{Errno, dents, file};
use serde::Serialize;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Where it is mounted, if it is.
const MOUNT: &std::ffi::CStr = c"/sys/fs/resctrl";
/// Names in configs and directories are followed nowhere.
const INSIDE: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS;
const DIRECTORY: i32 = libc::O_RDONLY | libc::O_DIRECTORY;

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

/// The mounted file system; `None` where there is none.
pub fn root() -> Option<OwnedFd> {
    let root = file::openat2(file::cwd(), MOUNT, DIRECTORY, 0, 0).ok()?;
    // A kernel with it that nobody has mounted shows an empty directory.
    text(root.as_fd(), "schemata").ok()??;
    Some(root)
}

/// The numbers of container `id` in the group `class` (`closID`; "/" is the group of everybody else). `None` if there
/// is no such group.
///
/// Errors: a file that is there and cannot be read.
pub fn stats(root: BorrowedFd, class: &str, id: &str) -> Result<Option<Stats>> {
    let class = class.trim_matches('/');
    let group = match open(root, if class.is_empty() { "." } else { class })? {
        Some(group) => group,
        None => return Ok(None),
    };
    let ours = lines(group.as_fd())?;
    let everybodys = lines(root)?;
    let line = |lines: &[String], kind: &str| {
        lines.iter().rfind(|line| line.contains(kind)).cloned().unwrap_or_default()
    };
    let mut stats = Stats::default();
    if let Some(info) = open(root, "info/L3")?
        && let Some(mask) = text(info.as_fd(), "cbm_mask")?
    {
        stats.l3_cache_info = Some(CacheInfo {
            cbm_mask: mask.trim().to_owned(),
            min_cbm_bits: number(info.as_fd(), "min_cbm_bits")?,
            num_closids: number(info.as_fd(), "num_closids")?,
        });
        stats.l3_cache_schema_root = line(&everybodys, "L3");
        stats.l3_cache_schema = line(&ours, "L3");
    }
    if let Some(info) = open(root, "info/MB")? {
        stats.mem_bw_info = Some(BandwidthInfo {
            bandwidth_gran: number(info.as_fd(), "bandwidth_gran")?,
            delay_linear: number(info.as_fd(), "delay_linear")?,
            min_bandwidth: number(info.as_fd(), "min_bandwidth")?,
            num_closids: number(info.as_fd(), "num_closids")?,
        });
        stats.mem_bw_schema_root = line(&everybodys, "MB");
        stats.mem_bw_schema = line(&ours, "MB");
    }
    stats.schemata = ours;
    // A container that is monitored has a group of its own inside its class.
    let monitored = open(group.as_fd(), &format!("mon_groups/{id}"))?.unwrap_or(group);
    monitor(root, monitored.as_fd(), &mut stats)?;
    Ok(Some(stats))
}

fn monitor(root: BorrowedFd, group: BorrowedFd, stats: &mut Stats) -> Result<()> {
    let features = text(root, "info/L3_MON/mon_features")?.unwrap_or_default();
    let counts = |feature: &str| features.lines().any(|line| line == feature);
    let (bandwidth, cache) =
        (counts("mbm_total_bytes") || counts("mbm_local_bytes"), counts("llc_occupancy"));
    let Some(data) = open(group, "mon_data")?.filter(|_| bandwidth || cache) else { return Ok(()) };
    let mut nodes =
        dents::subdirectories(data.as_fd()).map_err(|e| e.because("list the resctrl mon_data"))?;
    nodes.sort_unstable();
    for name in nodes {
        let Some(node) = open(data.as_fd(), &name.to_string_lossy())? else { continue };
        if bandwidth {
            stats.mbm_stats.get_or_insert_default().push(Bandwidth {
                mbm_total_bytes: number(node.as_fd(), "mbm_total_bytes")?,
                mbm_local_bytes: number(node.as_fd(), "mbm_local_bytes")?,
            });
        }
        if cache {
            let llc_occupancy = number(node.as_fd(), "llc_occupancy")?;
            stats.cmt_stats.get_or_insert_default().push(Occupancy { llc_occupancy });
        }
    }
    Ok(())
}

fn lines(group: BorrowedFd) -> Result<Vec<String>> {
    let text = text(group, "schemata")?.unwrap_or_default();
    Ok(text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
}

fn number(dir: BorrowedFd, name: &str) -> Result<u64> {
    Ok(text(dir, name)?.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
}

/// A directory; `None` if it is not there.
fn open(dir: BorrowedFd, path: &str) -> Result<Option<OwnedFd>> {
    absent(name(path).and_then(|c| file::openat2(dir, &c, DIRECTORY, 0, INSIDE)), path)
}

/// A file's text; `None` if it is not there.
fn text(dir: BorrowedFd, path: &str) -> Result<Option<String>> {
    const LIMIT: usize = 64 << 10;
    let bytes = name(path).and_then(|c| file::read_at(dir, &c, LIMIT, INSIDE));
    Ok(absent(bytes, path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn name(path: &str) -> std::result::Result<CString, Errno> {
    CString::new(path).map_err(|_| Errno(libc::ENOENT))
}

fn absent<T>(found: std::result::Result<T, Errno>, path: &str) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        // A name that leads out of the file system (a closID with "..") is no group.
        Err(Errno(libc::ENOENT | libc::ENOTDIR | libc::EXDEV | libc::ELOOP)) => Ok(None),
        Err(errno) => Err(errno.because(format!("read {path} of the resctrl file system"))),
    }
}

#[cfg(test)]
#[path = "rdt_tests.rs"]
mod tests;
