//! Limits as files of cgroup v1. Pure: what would be written, in which order.

use super::write::{Missing, Write};
use crate::cgroup::limits::{Amount, CpuLimits, Direction, IoLimits, Limits, MemoryLimits};

/// Everything but the device rules, which depend on what the kernel has already (`devices`).
pub fn files(limits: &Limits) -> Vec<Write> {
    let mut files = Vec::new();
    cpuset(&limits.cpu, &mut files);
    cpu(&limits.cpu, &mut files);
    memory(&limits.memory, &mut files);
    if let Some(pids) = limits.pids {
        files.push(Write::new("pids.max", pids.or("max"), "pids/limit"));
    }
    block_io(&limits.io, &mut files);
    for (i, (size, bytes)) in limits.hugepages.iter().enumerate() {
        let field = format!("hugepageLimits/{i}/limit");
        files.push(Write::new(format!("hugetlb.{size}.limit_in_bytes"), bytes.to_string(), &field));
        // Reservation accounting is the better limit where the kernel has it (5.7).
        files.push(
            Write::new(format!("hugetlb.{size}.rsvd.limit_in_bytes"), bytes.to_string(), &field)
                .missing(Missing::Ignore),
        );
    }
    if let Some(class) = limits.net_class {
        files.push(Write::new("net_cls.classid", class.to_string(), "network/classID"));
    }
    for (i, (interface, priority)) in limits.net_priorities.iter().enumerate() {
        let field = format!("network/priorities/{i}");
        files.push(Write::new("net_prio.ifpriomap", format!("{interface} {priority}"), &field));
    }
    super::v2::rdma(limits, &mut files);
    files
}

fn cpuset(cpu: &CpuLimits, files: &mut Vec<Write>) {
    if let Some(cpus) = &cpu.cpus {
        files.push(Write::new("cpuset.cpus", cpus.clone(), "cpu/cpus"));
    }
    if let Some(mems) = &cpu.mems {
        files.push(Write::new("cpuset.mems", mems.clone(), "cpu/mems"));
    }
}

/// The period comes before the quota; a kernel that finds the new period too small for the old quota refuses it,
/// and takes it after the new quota.
fn cpu(cpu: &CpuLimits, files: &mut Vec<Write>) {
    if let Some(shares) = cpu.shares {
        files.push(Write::new("cpu.shares", shares.to_string(), "cpu/shares").again());
    }
    if let Some(idle) = cpu.idle {
        files.push(Write::new("cpu.idle", idle.to_string(), "cpu/idle"));
    }
    if let Some(burst) = cpu.burst {
        files.push(Write::new("cpu.cfs_burst_us", burst.to_string(), "cpu/burst").again());
    }
    if let Some(period) = cpu.period {
        files.push(Write::new("cpu.cfs_period_us", period.to_string(), "cpu/period").again());
    }
    if let Some(quota) = cpu.quota {
        files.push(Write::new("cpu.cfs_quota_us", quota.or("-1"), "cpu/quota").again());
    }
    if let Some(period) = cpu.realtime_period {
        files.push(Write::new("cpu.rt_period_us", period.to_string(), "cpu/realtimePeriod").again());
    }
    if let Some(runtime) = cpu.realtime_runtime {
        files.push(Write::new("cpu.rt_runtime_us", runtime.to_string(), "cpu/realtimeRuntime"));
    }
}

/// The kernel keeps memory ≤ memory and swap at every moment. Lowering both works with the limit first; raising
/// both is then refused, and works when the limit is written again after the swap.
fn memory(memory: &MemoryLimits, files: &mut Vec<Write>) {
    const SWAP: &str = "memory.memsw.limit_in_bytes";
    if let Some(limit) = memory.limit {
        files.push(Write::new("memory.limit_in_bytes", limit.or("-1"), "memory/limit").again());
    }
    match (memory.swap, memory.limit) {
        (Some(swap), _) => files.push(Write::new(SWAP, swap.or("-1"), "memory/swap").again()),
        // Without a limit of memory there is none of memory and swap either.
        (None, Some(Amount::Unlimited)) => {
            files.push(Write::new(SWAP, "-1".to_owned(), "memory/limit").missing(Missing::Ignore));
        }
        (None, _) => {}
    }
    if let Some(reservation) = memory.reservation {
        files.push(Write::new("memory.soft_limit_in_bytes", reservation.or("-1"), "memory/reservation"));
    }
    if memory.oom_killer_disabled {
        files.push(Write::new("memory.oom_control", "1".to_owned(), "memory/disableOOMKiller"));
    }
    if let Some(swappiness) = memory.swappiness {
        files.push(Write::new("memory.swappiness", swappiness.to_string(), "memory/swappiness"));
    }
}

fn block_io(io: &IoLimits, files: &mut Vec<Write>) {
    // CFQ's file has gone with CFQ (5.0); BFQ's has the same range.
    if let Some(weight) = io.weight {
        let instead = ("blkio.weight".into(), weight.to_string());
        files.push(
            Write::new("blkio.bfq.weight", weight.to_string(), "blockIO/weight")
                .missing(Missing::Instead(instead)),
        );
    }
    for device in &io.device_weights {
        let line = format!("{}:{} {}", device.major, device.minor, device.weight);
        let instead = ("blkio.weight_device".into(), line.clone());
        files.push(
            Write::at("blkio.bfq.weight_device", line, &device.field).missing(Missing::Instead(instead)),
        );
    }
    for throttle in &io.throttles {
        let file = match throttle.direction {
            Direction::ReadBytes => "blkio.throttle.read_bps_device",
            Direction::WriteBytes => "blkio.throttle.write_bps_device",
            Direction::ReadOperations => "blkio.throttle.read_iops_device",
            Direction::WriteOperations => "blkio.throttle.write_iops_device",
        };
        let line = format!("{}:{} {}", throttle.major, throttle.minor, throttle.rate);
        files.push(Write::at(file, line, &throttle.field));
    }
}
