//! The counters of cgroup v2, turned into v1's terms: microseconds into nanoseconds, swap into memory with swap.

use super::counters::{Hugetlb, MemoryUse, Pids, Pressure, Stats};
use super::parse;
use super::source::{Source, huge_page_sizes};
use crate::cgroup::files::held::Held;
use crate::error::Result;

/// `counted`: whether a v1 hierarchy counts this already.
pub fn read(source: Source, counted: &dyn Fn(&str) -> bool, stats: &mut Stats) -> Result<()> {
    if !counted("cpuacct") {
        source.cpu_stat(&mut stats.cpu)?;
    }
    if !counted("memory") {
        memory(source, stats)?;
    }
    if !counted("pids") {
        stats.pids = match source.tasks()? {
            Some(tasks) => tasks,
            // Without the controller: processes.
            None => Pids { current: source.held.map_or(Ok(Vec::new()), Held::pids)?.len() as u64, limit: 0 },
        };
    }
    if !counted("blkio")
        && let Some(text) = source.text("io.stat")?
    {
        let (bytes, operations) = parse::io_stat(&text);
        stats.blkio.counted = true;
        stats.blkio.io_service_bytes_recursive = bytes;
        stats.blkio.io_serviced_recursive = operations;
    }
    if !counted("hugetlb") && source.is_whole() {
        hugetlb(source, stats)?;
    }
    stats.cpu.psi = pressure(source, "cpu.pressure")?;
    stats.memory.psi = pressure(source, "memory.pressure")?;
    stats.blkio.psi = pressure(source, "io.pressure")?;
    Ok(())
}

fn pressure(source: Source, file: &str) -> Result<Option<Pressure>> {
    Ok(source.text(file)?.map(|text| parse::pressure(&text)))
}

fn memory(source: Source, stats: &mut Stats) -> Result<()> {
    let memory = &mut stats.memory;
    if source.memory_lines("file", memory)? {
        // The kernel counts no failures here; the peak exists since Linux 5.19 (of swap since 6.5).
        let used = |kind| source.memory_use(kind, ["current", "max", "peak"]);
        memory.usage = used("memory")?;
        // `events` counts the kills itself.
        if !source.is_whole() {
            let events = source.text("memory.events")?.unwrap_or_default();
            memory.oom_kills = parse::value(&events, "oom_kill").unwrap_or(0);
            return Ok(());
        }
        let swap = used("memory.swap")?;
        memory.swap = MemoryUse {
            limit: swap.limit.saturating_add(memory.usage.limit),
            usage: swap.usage.saturating_add(memory.usage.usage),
            // The two peaks need not have been at the same time.
            max: 0,
            failcnt: 0,
        };
    }
    Ok(())
}

fn hugetlb(source: Source, stats: &mut Stats) -> Result<()> {
    for size in huge_page_sizes() {
        // Reserved pages count, where the kernel reports them (Linux 5.7).
        let usage = match source.number(&format!("hugetlb.{size}.rsvd.current"))? {
            Some(reserved) => Some(reserved),
            None => source.number(&format!("hugetlb.{size}.current"))?,
        };
        let Some(usage) = usage else { return Ok(()) };
        let events = source.text(&format!("hugetlb.{size}.events"))?.unwrap_or_default();
        let failcnt = parse::value(&events, "max").unwrap_or(0);
        stats.hugetlb.insert(size, Hugetlb { usage, max: 0, failcnt });
    }
    Ok(())
}
