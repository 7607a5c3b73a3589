//! The counters of cgroup v1: each hierarchy has the part of its controllers.

use super::counters::{Blkio, BlkioEntry, Hugetlb, MemoryUse, Stats};
use super::parse;
use super::source::huge_page_sizes;
use crate::cgroup::files::held::Held;
use crate::error::Result;

/// USER_HZ is 100 on every architecture that is built for: one tick in nanoseconds.
const TICK: u64 = 10_000_000;

pub fn read(held: &Held, stats: &mut Stats) -> Result<()> {
    for controller in &held.leg.controllers {
        match controller.as_str() {
            "cpu" => held.cpu_stat(&mut stats.cpu)?,
            "cpuacct" => cpuacct(held, stats)?,
            "cpuset" => cpuset(held, stats)?,
            "memory" => memory(held, stats)?,
            "pids" => stats.pids = held.tasks()?.unwrap_or_default(),
            "blkio" => blkio(held, &mut stats.blkio)?,
            "hugetlb" => hugetlb(held, stats)?,
            _ => {}
        }
    }
    Ok(())
}

fn cpuacct(held: &Held, stats: &mut Stats) -> Result<()> {
    let usage = &mut stats.cpu.usage;
    let modes = held.text("cpuacct.stat")?.unwrap_or_default();
    usage.user = parse::value(&modes, "user").unwrap_or(0).saturating_mul(TICK);
    usage.kernel = parse::value(&modes, "system").unwrap_or(0).saturating_mul(TICK);
    usage.total = held.count("cpuacct.usage")?;
    usage.percpu = parse::row(&held.text("cpuacct.usage_percpu")?.unwrap_or_default());
    let all = held.text("cpuacct.usage_all")?.unwrap_or_default();
    (usage.percpu_kernel, usage.percpu_user) = parse::usage_all(&all);
    Ok(())
}

fn cpuset(held: &Held, stats: &mut Stats) -> Result<()> {
    let set = &mut stats.cpuset;
    set.cpus = parse::list(&held.text("cpuset.cpus")?.unwrap_or_default());
    set.mems = parse::list(&held.text("cpuset.mems")?.unwrap_or_default());
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
        *place = held.count(file)?;
    }
    let level = held.text("cpuset.sched_relax_domain_level")?;
    set.sched_relax_domain_level = level.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    Ok(())
}

fn memory(held: &Held, stats: &mut Stats) -> Result<()> {
    let memory = &mut stats.memory;
    if held.memory_lines("cache", memory)? {
        let used = |kind: &str| -> Result<MemoryUse> {
            let failcnt = held.count(&format!("{kind}.failcnt"))?;
            let names = ["usage_in_bytes", "limit_in_bytes", "max_usage_in_bytes"];
            Ok(MemoryUse { failcnt, ..held.memory_use(kind, names)? })
        };
        memory.usage = used("memory")?;
        memory.swap = used("memory.memsw")?;
        memory.kernel = used("memory.kmem")?;
        memory.kernel_tcp = used("memory.kmem.tcp")?;
    }
    Ok(())
}

/// The scheduler's counters if it counts (bfq), or else the throttling layer's, which sees every transfer.
fn blkio(held: &Held, blkio: &mut Blkio) -> Result<()> {
    let entries = |file: String| -> Result<Vec<BlkioEntry>> {
        Ok(held.text(&file)?.map(|text| parse::blkio(&text)).unwrap_or_default())
    };
    for layer in ["blkio.bfq", "blkio.throttle"] {
        let serviced = entries(format!("{layer}.io_serviced_recursive"))?;
        if serviced.is_empty() {
            continue;
        }
        blkio.io_serviced_recursive = serviced;
        for (place, file) in [
            (&mut blkio.io_service_bytes_recursive, "io_service_bytes"),
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

fn hugetlb(held: &Held, stats: &mut Stats) -> Result<()> {
    for size in huge_page_sizes() {
        // Reserved pages count, where the kernel reports them (Linux 5.7).
        for kind in [".rsvd", ""] {
            let prefix = format!("hugetlb.{size}{kind}");
            let Some(usage) = held.number(&format!("{prefix}.usage_in_bytes"))? else { continue };
            let max = held.count(&format!("{prefix}.max_usage_in_bytes"))?;
            let failcnt = held.count(&format!("{prefix}.failcnt"))?;
            stats.hugetlb.insert(size, Hugetlb { usage, max, failcnt });
            break;
        }
    }
    Ok(())
}
