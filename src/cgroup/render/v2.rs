//! Limits as files of cgroup v2. Pure: what would be written, in which order; and the conversions that the
//! specification's v1 values need.

use super::write::{IfAbsent, Write};
use crate::cgroup::limits::{Amount, CpuLimits, Direction, IoLimits, Limits, MemoryLimits, Throttle};
use std::f64::consts::{LN_2, LN_10};

/// Everything but the device rules, which are a program (`program`).
pub fn files(limits: &Limits) -> Vec<Write> {
    let mut files = Vec::new();
    files.extend(pids(limits));
    memory(&limits.memory, &mut files);
    io(&limits.io, &mut files);
    cpu(&limits.cpu, &mut files);
    hugepages(limits, "max", &mut files);
    rdma(limits, &mut files);
    for (file, content) in &limits.unified {
        // Some files take one line a write (io.max). An empty one says nothing, and might be taken for a 0.
        for line in content.lines().filter(|l| !l.is_empty()) {
            files.push(Write::new(file.clone(), line.to_owned(), &format!("unified/{file}")));
        }
    }
    files
}

/// The controllers that these limits need.
pub fn controllers(limits: &Limits) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for write in files(limits) {
        if write.controller != "cgroup" && !names.contains(&write.controller) {
            names.push(write.controller);
        }
    }
    names
}

/// The same file on both versions. Without its controller nothing is limited.
pub(super) fn pids(limits: &Limits) -> Option<Write> {
    let write = Write::set("pids.max", most(limits.pids), "pids/limit")?;
    let vacuous = limits.pids == Some(Amount::Unlimited);
    Some(if vacuous { write.if_absent(IfAbsent::Ignore) } else { write })
}

fn most(amount: Option<Amount>) -> Option<String> {
    amount.map(|amount| amount.or("max"))
}

/// memory.swap.max counts only swap; the specification's value is memory and swap together.
fn memory(memory: &MemoryLimits, files: &mut Vec<Write>) {
    let swap = match (memory.swap, memory.limit) {
        (Some(Amount::Of(both)), Some(Amount::Of(limit))) => Some(Amount::Of(both.saturating_sub(limit))),
        (Some(swap), _) => Some(swap),
        (None, Some(Amount::Unlimited)) => Some(Amount::Unlimited),
        (None, _) => None,
    };
    if let Some(swap) = swap {
        let write = Write::new("memory.swap.max", swap.or("max"), "memory/swap");
        let write = match memory.swap {
            Some(asked) => write.asked(asked.or("-1")),
            None => write,
        };
        // Without swap accounting there is no file; no swap and no limit are then the truth already.
        let vacuous = matches!(swap, Amount::Unlimited | Amount::Of(0));
        files.push(if vacuous { write.if_absent(IfAbsent::Ignore) } else { write });
    }
    files.extend(Write::set("memory.max", most(memory.limit), "memory/limit"));
    files.extend(Write::set("memory.low", most(memory.reservation), "memory/reservation"));
}

/// The weight is refused while the cgroup is idle, a burst while it is above the old quota: both are written
/// again after what they wait for.
fn cpu(cpu: &CpuLimits, files: &mut Vec<Write>) {
    const DEFAULT_PERIOD: u64 = 100_000;
    let weight = cpu.shares.map(|shares| {
        let write = Write::new("cpu.weight", weight_of_shares(shares).to_string(), "cpu/shares");
        write.asked(shares).again()
    });
    files.extend(weight);
    files.extend(Write::set("cpu.idle", cpu.idle, "cpu/idle"));
    files.extend(Write::set("cpu.max.burst", cpu.burst, "cpu/burst").map(Write::again));
    if cpu.quota.is_some() || cpu.period.is_some() {
        let quota = cpu.quota.unwrap_or(Amount::Unlimited).or("max");
        let period = cpu.period.unwrap_or(DEFAULT_PERIOD);
        let field = if cpu.quota.is_some() { "cpu/quota" } else { "cpu/period" };
        files.push(Write::new("cpu.max", format!("{quota} {period}"), field).again());
    }
    cpuset(cpu, files);
}

/// The same files on both versions.
pub(super) fn cpuset(cpu: &CpuLimits, files: &mut Vec<Write>) {
    files.extend(Write::set("cpuset.cpus", cpu.cpus.as_ref(), "cpu/cpus"));
    files.extend(Write::set("cpuset.mems", cpu.mems.as_ref(), "cpu/mems"));
}

/// `limit` is the last part of the file's name.
pub(super) fn hugepages(limits: &Limits, limit: &str, files: &mut Vec<Write>) {
    for (i, (size, bytes)) in limits.hugepages.iter().enumerate() {
        let write = |file| Write::new(file, bytes.to_string(), &format!("hugepageLimits/{i}/limit"));
        files.push(write(format!("hugetlb.{size}.{limit}")));
        // Reservation accounting is the better limit where the kernel has it (5.7).
        files.push(write(format!("hugetlb.{size}.rsvd.{limit}")).if_absent(IfAbsent::Ignore));
    }
}

fn io(io: &IoLimits, files: &mut Vec<Write>) {
    if let Some(weight) = io.weight {
        let write = Write::new("io.bfq.weight", weight.to_string(), "blockIO/weight");
        files.push(write.instead("io.weight", weight_of_blkio(weight).to_string()));
    }
    for device in &io.device_weights {
        let line = |weight: u64| format!("{} {weight}", device.device);
        let write = Write::at("io.bfq.weight", line(device.weight.into()), &device.field);
        files.push(write.instead("io.weight", line(weight_of_blkio(device.weight))));
    }
    // One write for each device, with all its rates.
    for (i, first) in io.throttles.iter().enumerate() {
        let same = |other: &&Throttle| other.device == first.device;
        if io.throttles[..i].iter().any(|other| same(&other)) {
            continue;
        }
        let rates: String = io.throttles[i..].iter().filter(same).map(rate).collect();
        files.push(Write::at("io.max", format!("{}{rates}", first.device), &first.field));
    }
}

fn rate(throttle: &Throttle) -> String {
    let key = match throttle.direction {
        Direction::ReadBytes => "rbps",
        Direction::WriteBytes => "wbps",
        Direction::ReadOperations => "riops",
        Direction::WriteOperations => "wiops",
    };
    match throttle.rate {
        0 => format!(" {key}=max"),
        rate => format!(" {key}={rate}"),
    }
}

/// The same file on both versions.
pub(super) fn rdma(limits: &Limits, files: &mut Vec<Write>) {
    for (device, handles, objects) in &limits.rdma {
        let mut line = device.clone();
        if let Some(handles) = handles {
            line.push_str(&format!(" hca_handle={handles}"));
        }
        if let Some(objects) = objects {
            line.push_str(&format!(" hca_object={objects}"));
        }
        files.push(Write::new("rdma.max", line, &format!("rdma/{device}")));
    }
}

/// cpu.weight (1 to 10000, default 100) for CPU shares (2 to 262144, default 1024).
///
/// A quadratic in the logarithm that meets both ends and the default, as runc 1.3.2 and crun 1.23 have it; the
/// older linear formula made 39 of the default.
pub fn weight_of_shares(shares: u64) -> u64 {
    if shares <= 2 {
        return 1;
    }
    if shares >= 262_144 {
        return 10_000;
    }
    let l = binary_logarithm(shares);
    let exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
    // Rounding errors must not lift an exact power of ten to the next number.
    let weight = power_of_ten(exponent) - 1e-9;
    let below = weight as u64;
    if (below as f64) < weight { below + 1 } else { below }
}

/// By the series of artanh: the C library's log2 and pow are 16 KB, most of it tables.
fn binary_logarithm(n: u64) -> f64 {
    let whole = n.ilog2();
    let m = n as f64 / (1_u64 << whole) as f64;
    let z = (m - 1.0) / (m + 1.0);
    let sum = (0..20).rev().fold(0.0, |sum, k| sum * z * z + 1.0 / f64::from(2 * k + 1));
    f64::from(whole) + 2.0 * z * sum / LN_2
}

/// For exponents from 0 to 4, by the series of the exponential function, and four squares.
fn power_of_ten(exponent: f64) -> f64 {
    let x = exponent * LN_10 / 16.0;
    let root = (1..20).rev().fold(1.0, |sum, k| 1.0 + sum * x / f64::from(k));
    (0..4).fold(root, |power, _| power * power)
}

/// io.weight (1 to 10000) for a blkio weight (10 to 1000), linear.
pub fn weight_of_blkio(weight: u16) -> u64 {
    1 + u64::from(weight.max(10) - 10) * 9999 / 990
}
