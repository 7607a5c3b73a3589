//! Limits as files of cgroup v1. Pure: what would be written, in which order.

use super::v2;
use super::write::{IfAbsent, Write};
use crate::cgroup::limits::{Amount, CpuLimits, Direction, IoLimits, Limits, MemoryLimits};

/// Everything but the device rules, which depend on what the kernel has already (`devices`).
pub fn files(limits: &Limits) -> Vec<Write> {
    let mut files = Vec::new();
    v2::cpuset(&limits.cpu, &mut files);
    cpu(&limits.cpu, &mut files);
    memory(&limits.memory, &mut files);
    files.extend(v2::pids(limits));
    block_io(&limits.io, &mut files);
    v2::hugepages(limits, "limit_in_bytes", &mut files);
    files.extend(Write::set("net_cls.classid", limits.net_class, "network/classID"));
    for (i, (interface, priority)) in limits.net_priorities.iter().enumerate() {
        let field = format!("network/priorities/{i}");
        files.push(Write::new("net_prio.ifpriomap", format!("{interface} {priority}"), &field));
    }
    v2::rdma(limits, &mut files);
    files
}

/// v1 memory and quota files take -1 for "no limit".
fn signed(amount: Option<Amount>) -> Option<String> {
    amount.map(|amount| amount.or("-1"))
}

/// The period comes before the quota; a kernel that finds the new period too small for the old quota refuses it,
/// and takes it after the new quota.
fn cpu(cpu: &CpuLimits, files: &mut Vec<Write>) {
    files.extend(Write::set("cpu.shares", cpu.shares, "cpu/shares").map(Write::again));
    files.extend(Write::set("cpu.idle", cpu.idle, "cpu/idle"));
    files.extend(Write::set("cpu.cfs_burst_us", cpu.burst, "cpu/burst").map(Write::again));
    files.extend(Write::set("cpu.cfs_period_us", cpu.period, "cpu/period").map(Write::again));
    files.extend(Write::set("cpu.cfs_quota_us", signed(cpu.quota), "cpu/quota").map(Write::again));
    files.extend(Write::set("cpu.rt_period_us", cpu.realtime_period, "cpu/realtimePeriod").map(Write::again));
    files.extend(Write::set("cpu.rt_runtime_us", cpu.realtime_runtime, "cpu/realtimeRuntime"));
}

/// The kernel keeps memory ≤ memory and swap at every moment. Lowering both works with the limit first; raising
/// both is then refused, and works when the limit is written again after the swap.
fn memory(memory: &MemoryLimits, files: &mut Vec<Write>) {
    const SWAP: &str = "memory.memsw.limit_in_bytes";
    files.extend(Write::set("memory.limit_in_bytes", signed(memory.limit), "memory/limit").map(Write::again));
    match (memory.swap, memory.limit) {
        (Some(swap), _) => files.push(Write::new(SWAP, swap.or("-1"), "memory/swap").again()),
        // Without a limit of memory, memory and swap have no limit either.
        (None, Some(Amount::Unlimited)) => {
            files.push(Write::new(SWAP, "-1".to_owned(), "memory/limit").if_absent(IfAbsent::Ignore));
        }
        (None, _) => {}
    }
    files.extend(Write::set("memory.soft_limit_in_bytes", signed(memory.reservation), "memory/reservation"));
    if memory.oom_killer_disabled {
        files.push(Write::new("memory.oom_control", "1".to_owned(), "memory/disableOOMKiller"));
    }
    files.extend(Write::set("memory.swappiness", memory.swappiness, "memory/swappiness"));
}

fn block_io(io: &IoLimits, files: &mut Vec<Write>) {
    // CFQ's file has gone with CFQ (5.0); BFQ's has the same range.
    if let Some(weight) = io.weight {
        let write = Write::new("blkio.bfq.weight", weight.to_string(), "blockIO/weight");
        files.push(write.instead("blkio.weight", weight.to_string()));
    }
    for device in &io.device_weights {
        let line = format!("{} {}", device.device, device.weight);
        let write = Write::at("blkio.bfq.weight_device", line.clone(), &device.field);
        files.push(write.instead("blkio.weight_device", line));
    }
    for throttle in &io.throttles {
        let file = match throttle.direction {
            Direction::ReadBytes => "blkio.throttle.read_bps_device",
            Direction::WriteBytes => "blkio.throttle.write_bps_device",
            Direction::ReadOperations => "blkio.throttle.read_iops_device",
            Direction::WriteOperations => "blkio.throttle.write_iops_device",
        };
        let line = format!("{} {}", throttle.device, throttle.rate);
        files.push(Write::at(file, line, &throttle.field));
    }
}
