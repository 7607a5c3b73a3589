//! `linux.resources`: numbers that the kernel would refuse in the middle of a start, found before it.

use crate::spec::findings::{At, Findings};
use crate::spec::{BlockIo, Cpu, DeviceRule, HugepageLimit, Memory, Network, Rdma, Resources, Text};
use std::collections::{BTreeMap, BTreeSet};

pub fn resources(f: &mut Findings, at: &At, limits: &Resources) {
    f.each(at.key("devices"), &limits.devices, device_rule);
    f.some(at.key("memory"), &limits.memory, memory);
    f.some(at.key("cpu"), &limits.cpu, cpu);
    f.some(at.key("pids"), &limits.pids, |f, at, pids| f.limit(&at.key("limit"), pids.limit));
    f.some(at.key("blockIO"), &limits.block_io, block_io);
    hugepages(f, at.key("hugepageLimits"), &limits.hugepage_limits);
    f.some(at.key("network"), &limits.network, network);
    rdma(f, &at.key("rdma"), &limits.rdma);
    unified(f, &at.key("unified"), &limits.unified);
}

fn device_rule(f: &mut Findings, at: &At, rule: &DeviceRule) {
    let kind = rule.kind.as_deref().unwrap_or_default();
    let access = rule.access.as_deref().unwrap_or_default();
    if !matches!(kind, "" | "a" | "b" | "c") {
        f.unknown(&at.key("type"), kind, ["a", "b", "c"].into_iter());
    }
    if access.is_empty() && rule.allow {
        let remedy = "list what is allowed with the letters r, w and m";
        f.refuse_field(&at.key("access"), "is missing or empty", remedy);
    }
    if !access.bytes().all(|letter| b"rwm".contains(&letter)) {
        f.warn(&at.key("access"), access, "has a letter other than r, w and m, and that letter is ignored");
    }
    for (name, number) in [("major", rule.major), ("minor", rule.minor)] {
        let Some(number) = number else { continue };
        if !(-1..=i64::from(u32::MAX)).contains(&number) {
            let remedy = "leave it out, or use -1, for every number";
            f.refuse(&at.key(name), number, "is not a device number", remedy);
        } else if number != -1 && matches!(kind, "" | "a") {
            let what = "limits a rule for all types to block and character devices with this number";
            f.warn(&at.key(name), number, what);
        }
    }
}

/// The smallest program that we know needs 130 KB, what the kernel keeps for it included.
const LITTLE_MEMORY: i64 = 256 << 10;

fn memory(f: &mut Findings, at: &At, memory: &Memory) {
    for (name, value) in [
        ("limit", memory.limit),
        ("reservation", memory.reservation),
        ("swap", memory.swap),
        ("kernel", memory.kernel),
        ("kernelTCP", memory.kernel_tcp),
    ] {
        f.limit(&at.key(name), value);
    }
    let limit = memory.limit.filter(|limit| *limit > 0);
    if let Some(limit) = limit.filter(|limit| *limit < LITTLE_MEMORY) {
        let what = "is a number of bytes, and hardly any program runs in so little memory";
        f.warn(&at.key("limit"), limit, what);
    }
    if let Some((reservation, limit)) = memory.reservation.zip(limit).filter(|(soft, hard)| soft > hard) {
        let what = format!("is above the memory limit {limit}: what is above it has no effect");
        f.warn(&at.key("reservation"), reservation, what);
    }
    if let Some(swap) = memory.swap.filter(|swap| *swap > 0) {
        // swap counts memory and swap together; 0 and -1 as limits mean none.
        match memory.limit.unwrap_or(0) {
            limit if limit <= 0 => {
                let remedy = "set memory.limit as well: swap is the sum of both";
                f.refuse(&at.key("swap"), swap, "is set without memory.limit", remedy);
            }
            limit if swap < limit => {
                let reason = format!("is below the memory limit {limit}");
                f.refuse(&at.key("swap"), swap, reason, "raise it: swap is the sum of memory and swap");
            }
            _ => {}
        }
    }
    // Engines written in Go write -1 into the unsigned field for "not set".
    if let Some(swappiness) = memory.swappiness.filter(|&s| s != u64::MAX) {
        f.range(&at.key("swappiness"), swappiness, 0..=100);
    }
}

/// Microseconds that the kernel's bandwidth control takes (kernel/sched/core.c).
const SHORTEST_PERIOD: u64 = 1_000;
const LONGEST_PERIOD: u64 = 1_000_000;
const SHORTEST_QUOTA: i64 = 1_000;

fn cpu(f: &mut Findings, at: &At, cpu: &Cpu) {
    // 0 stands for "not set" in what engines write.
    if let Some(period) = cpu.period.filter(|&period| period != 0) {
        f.range(&at.key("period"), period, SHORTEST_PERIOD..=LONGEST_PERIOD);
    }
    if let Some(quota) = cpu.quota {
        f.limit(&at.key("quota"), Some(quota));
        if quota > 0 && quota < SHORTEST_QUOTA {
            let remedy = "raise it, or raise the period too";
            f.refuse(&at.key("quota"), quota, "is below 1000 microseconds", remedy);
        }
        if let Some(burst) = cpu.burst
            && quota > 0
            && burst > quota.unsigned_abs()
        {
            f.refuse(&at.key("burst"), burst, format!("is above the quota {quota}"), "lower it");
        }
    }
    f.limit(&at.key("realtimeRuntime"), cpu.realtime_runtime);
    if let (Some(runtime), Some(period)) = (cpu.realtime_runtime, cpu.realtime_period)
        && period != 0
        && runtime > 0
        && runtime.unsigned_abs() > period
    {
        f.refuse(&at.key("realtimeRuntime"), runtime, format!("is above the period {period}"), "lower it");
    }
    f.some(at.key("idle"), &cpu.idle, |f, at, idle| f.range(at, *idle, 0..=1));
    f.some(at.key("cpus"), &cpu.cpus, |f, at, list| cpu_list(f, at, list));
    f.some(at.key("mems"), &cpu.mems, |f, at, list| cpu_list(f, at, list));
}

/// A list of CPUs or memory nodes, as in `0-3,7` (cpuset(7), List format); empty means not set.
pub fn cpu_list(f: &mut Findings, at: &At, list: &str) {
    let number = |text: &str| match text.trim() {
        digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse::<u32>().ok()
        }
        _ => None,
    };
    let range = |range: &str| match range.split_once('-') {
        None => number(range).is_some(),
        Some((first, last)) => {
            matches!((number(first), number(last)), (Some(first), Some(last)) if first <= last)
        }
    };
    // `0-31:2/8`: the first two of every eight.
    let group = |group: &str| match group.split_once(':') {
        None => range(group),
        Some((whole, stride)) => {
            let parts = stride.split_once('/').and_then(|(used, of)| Some((number(used)?, number(of)?)));
            range(whole) && parts.is_some_and(|(used, of)| 0 < used && used <= of)
        }
    };
    if !list.split([',', '\n']).all(|part| part.trim().is_empty() || group(part)) {
        f.refuse(at, list.escape_debug(), "is not a list of numbers and ranges", "write it as in 0-3,7");
    }
}

fn block_io(f: &mut Findings, at: &At, block_io: &BlockIo) {
    weight(f, &at.key("weight"), block_io.weight);
    weight(f, &at.key("leafWeight"), block_io.leaf_weight);
    f.each(at.key("weightDevice"), &block_io.weight_device, |f, at, device| {
        numbers(f, at, device.major, device.minor);
        weight(f, &at.key("weight"), device.weight);
        weight(f, &at.key("leafWeight"), device.leaf_weight);
        if device.weight.is_none() && device.leaf_weight.is_none() {
            f.refuse_field(at, "has neither weight nor leafWeight", "give one of them");
        }
    });
    for (name, devices) in [
        ("throttleReadBpsDevice", &block_io.throttle_read_bps_device),
        ("throttleWriteBpsDevice", &block_io.throttle_write_bps_device),
        ("throttleReadIOPSDevice", &block_io.throttle_read_iops_device),
        ("throttleWriteIOPSDevice", &block_io.throttle_write_iops_device),
    ] {
        f.each(at.key(name), devices, |f, at, device| numbers(f, at, device.major, device.minor));
    }
}

fn weight(f: &mut Findings, at: &At, weight: Option<u16>) {
    // 0 stands for "not set": Docker always writes the field.
    if let Some(weight) = weight.filter(|&weight| weight != 0) {
        f.range(at, weight, 10..=1000);
    }
}

fn numbers(f: &mut Findings, at: &At, major: i64, minor: i64) {
    f.range(&at.key("major"), major, 0..=i64::from(u32::MAX));
    f.range(&at.key("minor"), minor, 0..=i64::from(u32::MAX));
}

fn hugepages(f: &mut Findings, at: At, limits: &[HugepageLimit]) {
    let mut seen = BTreeSet::new();
    f.each(at, limits, |f, at, limit| {
        let (at, size) = (&at.key("pageSize"), &*limit.page_size);
        if !is_page_size(size) {
            f.refuse(at, size, "is not a page size", "write it as in 64KB, 2MB or 1GB");
        } else if !seen.insert(size) {
            f.warn(at, size, "is given twice: the last one counts");
        }
    });
}

/// `^[1-9][0-9]*[KMG]B$`; it becomes part of a file's name.
fn is_page_size(size: &str) -> bool {
    let digits =
        size.strip_suffix('B').and_then(|size| size.strip_suffix(['K', 'M', 'G'])).unwrap_or_default();
    !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The kernel's files take such a name and more behind it on one line.
fn is_word(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '\0')
}

fn network(f: &mut Findings, at: &At, network: &Network) {
    f.each(at.key("priorities"), &network.priorities, |f, at, priority| {
        if !is_word(&priority.name) {
            let value = priority.name.escape_debug();
            f.refuse(&at.key("name"), value, "is not a network interface", "name an interface");
        }
    });
}

fn rdma(f: &mut Findings, at: &At, limits: &BTreeMap<Text, Rdma>) {
    for (device, limit) in limits {
        let at = at.key(device);
        if !is_word(device) {
            f.refuse_field(&at, "is not the name of an RDMA device", "name it as in mlx5_1");
        }
        if limit.hca_handles.is_none() && limit.hca_objects.is_none() {
            f.refuse_field(&at, "has neither hcaHandles nor hcaObjects", "give one of them");
        }
    }
}

/// Files of cgroup v2 that are not limits: writing them would move, stop or end processes.
const NOT_LIMITS: [&str; 6] = [
    "cgroup.procs",
    "cgroup.threads",
    "cgroup.kill",
    "cgroup.freeze",
    "cgroup.type",
    "cgroup.subtree_control",
];

/// Keys become names of files in the container's cgroup.
fn unified(f: &mut Findings, at: &At, files: &BTreeMap<Text, Text>) {
    for (file, value) in files {
        let at = at.key(file);
        let named = file.split_once('.').is_some_and(|(c, p)| !c.is_empty() && !p.is_empty());
        if !named || file.contains("..") || file.contains(['/', '\0', '\n']) {
            f.refuse(&at, file, "is not the name of a cgroup file", "write it as in memory.high, without /");
        } else if NOT_LIMITS.contains(&&**file) {
            f.refuse_field(&at, "is not a limit: the runtime itself writes this file", "leave it out");
        }
        f.no_nul(&at, value);
    }
}
