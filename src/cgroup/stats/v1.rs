//! The counters of cgroup v1: each hierarchy has the part of its controllers.

use super::counters::{Blkio, BlkioEntry, Hugetlb, MemoryUse, Stats};
use super::parse;
use super::source::{Source, huge_page_sizes};
use crate::cgroup::files::held::on;
use crate::cgroup::files::walk::{INSIDE, below, c};
use crate::error::Result;
use crate::sys::{clock, file, unless_gone};
use nix::sys::stat::fstat;
use std::os::fd::{AsFd, BorrowedFd};

/// In nanoseconds.
const TICK: u64 = clock::TICK.as_nanos() as u64;

pub fn read(source: Source, stats: &mut Stats) -> Result<()> {
    for controller in &source.leg.controllers {
        match controller.as_str() {
            "cpu" => source.cpu_stat(&mut stats.cpu)?,
            "cpuacct" => cpuacct(source, stats)?,
            "cpuset" if source.is_whole() => cpuset(source, stats)?,
            "memory" => memory(source, stats)?,
            "pids" => stats.pids = source.tasks()?.unwrap_or_default(),
            "blkio" => blkio(source, &mut stats.blkio)?,
            "hugetlb" if source.is_whole() => hugetlb(source, stats)?,
            _ => {}
        }
    }
    Ok(())
}

fn cpuacct(source: Source, stats: &mut Stats) -> Result<()> {
    let usage = &mut stats.cpu.usage;
    let modes = source.text("cpuacct.stat")?.unwrap_or_default();
    usage.user = parse::value(&modes, "user").unwrap_or(0).saturating_mul(TICK);
    usage.kernel = parse::value(&modes, "system").unwrap_or(0).saturating_mul(TICK);
    usage.total = source.count("cpuacct.usage")?;
    if !source.is_whole() {
        return Ok(());
    }
    usage.percpu = parse::row(&source.text("cpuacct.usage_percpu")?.unwrap_or_default());
    let all = source.text("cpuacct.usage_all")?.unwrap_or_default();
    (usage.percpu_kernel, usage.percpu_user) = parse::usage_all(&all);
    Ok(())
}

fn cpuset(source: Source, stats: &mut Stats) -> Result<()> {
    let set = &mut stats.cpuset;
    set.cpus = parse::list(&source.text("cpuset.cpus")?.unwrap_or_default());
    set.mems = parse::list(&source.text("cpuset.mems")?.unwrap_or_default());
    for (place, file) in [
        (&mut set.cpu_exclusive, "cpuset.cpu_exclusive"),
        (&mut set.mem_hardwall, "cpuset.mem_hardwall"),
        (&mut set.mem_exclusive, "cpuset.mem_exclusive"),
        (&mut set.memory_migrate, "cpuset.memory_migrate"),
        (&mut set.memory_spread_page, "cpuset.memory_spread_page"),
        (&mut set.memory_spread_slab, "cpuset.memory_spread_slab"),
        (&mut set.memory_pressure, "cpuset.memory_pressure"),
        (&mut set.sched_load_balance, "cpuset.sched_load_balance"),
    ] {
        *place = source.count(file)?;
    }
    let level = source.text("cpuset.sched_relax_domain_level")?;
    set.sched_relax_domain_level = level.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    Ok(())
}

fn memory(source: Source, stats: &mut Stats) -> Result<()> {
    let memory = &mut stats.memory;
    if source.memory_lines("cache", memory)? {
        let used = |kind: &str| -> Result<MemoryUse> {
            let failcnt = if source.is_whole() { source.count(&format!("{kind}.failcnt"))? } else { 0 };
            let names = ["usage_in_bytes", "limit_in_bytes", "max_usage_in_bytes"];
            Ok(MemoryUse { failcnt, ..source.memory_use(kind, names)? })
        };
        memory.usage = used("memory")?;
        // `events` counts the kills itself.
        if !source.is_whole() {
            memory.oom_kills = oom_kills(source)?;
            return Ok(());
        }
        memory.swap = used("memory.memsw")?;
        memory.kernel = used("memory.kmem")?;
        memory.kernel_tcp = used("memory.kmem.tcp")?;
    }
    Ok(())
}

/// Each group counts its own here (Linux 4.13).
fn oom_kills(source: Source) -> Result<u64> {
    const FILE: &str = "memory.oom_control";
    let count = |text: &str| parse::value(text, "oom_kill").unwrap_or(0);
    let mut kills = count(&source.text(FILE)?.unwrap_or_default());
    // A directory has a link of each one below it.
    if let Some(held) = source.held.filter(|held| fstat(&held.dir).is_ok_and(|known| known.st_nlink > 2)) {
        let mut add = |anchor: BorrowedFd, path: &[u8]| {
            let file = c([path, b"/", FILE.as_bytes()].concat())?;
            let text = unless_gone(file::read_at(anchor, &file, 4096, INSIDE))?.unwrap_or_default();
            kills += count(&String::from_utf8_lossy(&text));
            Ok(())
        };
        below(held.dir.as_fd(), &mut add).map_err(|errno| on(source.leg, "look below", errno))?;
    }
    Ok(kills)
}

/// The scheduler's counters if it counts (bfq), or else the throttling layer's, which sees every transfer.
fn blkio(source: Source, blkio: &mut Blkio) -> Result<()> {
    let entries = |file: String| -> Result<Vec<BlkioEntry>> {
        Ok(source.text(&file)?.map(|text| parse::blkio(&text)).unwrap_or_default())
    };
    for layer in ["blkio.bfq", "blkio.throttle"] {
        let serviced = source.text(&format!("{layer}.io_serviced_recursive"))?;
        blkio.counted |= serviced.is_some();
        let serviced = serviced.map(|text| parse::blkio(&text)).unwrap_or_default();
        if serviced.is_empty() {
            continue;
        }
        blkio.io_serviced_recursive = serviced;
        blkio.io_service_bytes_recursive = entries(format!("{layer}.io_service_bytes_recursive"))?;
        if !source.is_whole() {
            break;
        }
        for (place, file) in [
            (&mut blkio.io_queue_recursive, "io_queued"),
            (&mut blkio.io_service_time_recursive, "io_service_time"),
            (&mut blkio.io_wait_time_recursive, "io_wait_time"),
            (&mut blkio.io_merged_recursive, "io_merged"),
            (&mut blkio.io_time_recursive, "time"),
            (&mut blkio.sectors_recursive, "sectors"),
        ] {
            *place = entries(format!("{layer}.{file}_recursive"))?;
        }
        break;
    }
    Ok(())
}

fn hugetlb(source: Source, stats: &mut Stats) -> Result<()> {
    for size in huge_page_sizes() {
        // Reserved pages count, where the kernel reports them (Linux 5.7).
        for kind in [".rsvd", ""] {
            let prefix = format!("hugetlb.{size}{kind}");
            let Some(usage) = source.number(&format!("{prefix}.usage_in_bytes"))? else { continue };
            let max = source.count(&format!("{prefix}.max_usage_in_bytes"))?;
            let failcnt = source.count(&format!("{prefix}.failcnt"))?;
            stats.hugetlb.insert(size, Hugetlb { usage, max, failcnt });
            break;
        }
    }
    Ok(())
}
