//! The numbers, in the shape of `runc events`: names, order and what is left out at zero are what containerd, CRI-O and
//! scripts decode.

use crate::report::shape::{empty, shape};
use serde::Serializer;
use std::collections::BTreeMap;

shape! {
    /// Everything that is counted.
    Stats {
        cpu: Cpu;
        cpuset: Cpuset;
        memory: Memory;
        pids: Pids;
        blkio: Blkio;
        /// By page size, as the kernel writes it in file names ("2MB").
        hugetlb: BTreeMap<String, Hugetlb>;
    }

    Cpu {
        usage: CpuUsage;
        throttling: Throttling;
        psi: Option<Pressure>, unless "empty";
    }

    /// In nanoseconds. The lists are by processor, and only v1 has them.
    CpuUsage {
        total: u64, unless "empty";
        percpu: Vec<u64>, unless "empty";
        percpu_kernel: Vec<u64>, unless "empty";
        percpu_user: Vec<u64>, unless "empty";
        kernel: u64;
        user: u64;
    }

    #[serde(rename_all = "camelCase")]
    Throttling {
        periods: u64, unless "empty";
        throttled_periods: u64, unless "empty";
        /// Nanoseconds.
        throttled_time: u64, unless "empty";
    }

    /// Pressure stall information: the share of time in which some, or all, processes waited (v2).
    Pressure {
        some: Stall;
        full: Stall;
    }

    /// Percent over the last 10, 60 and 300 seconds; microseconds in all.
    Stall {
        #[serde(serialize_with = "percent")]
        avg10: f64;
        #[serde(serialize_with = "percent")]
        avg60: f64;
        #[serde(serialize_with = "percent")]
        avg300: f64;
        total: u64;
    }

    /// Only in v1: v2 has `cpuset.cpus.effective` instead, which runc does not report.
    Cpuset {
        cpus: Vec<u16>, unless "empty";
        cpu_exclusive: u64;
        mems: Vec<u16>, unless "empty";
        mem_hardwall: u64;
        mem_exclusive: u64;
        memory_migrate: u64;
        memory_spread_page: u64;
        memory_spread_slab: u64;
        memory_pressure: u64;
        sched_load_balance: u64;
        sched_relax_domain_level: i64;
    }

    Memory {
        cache: u64, unless "empty";
        usage: MemoryUse;
        /// Memory and swap together, on v2 too.
        swap: MemoryUse;
        kernel: MemoryUse;
        #[serde(rename = "kernelTCP")]
        kernel_tcp: MemoryUse;
        /// Processes that the kernel killed because memory ran out, also in the cgroups below. Not in runc's shape.
        #[serde(skip)]
        oom_kills: u64;
        /// memory.stat, line by line.
        raw: BTreeMap<String, u64>, unless "empty";
        psi: Option<Pressure>, unless "empty";
    }

    /// Bytes, and how often the limit was hit. No limit is the largest number.
    MemoryUse {
        limit: u64;
        usage: u64, unless "empty";
        max: u64, unless "empty";
        failcnt: u64;
    }

    /// Tasks. No limit is 0.
    Pids {
        current: u64, unless "empty";
        limit: u64, unless "empty";
    }

    /// Transfers by device and kind, those of the cgroups below included. v2 has the first two.
    #[serde(rename_all = "camelCase")]
    Blkio {
        /// Whether this host counts transfers for the cgroup. Not in runc's shape.
        #[serde(skip)]
        counted: bool;
        io_service_bytes_recursive: Vec<BlkioEntry>, unless "empty";
        io_serviced_recursive: Vec<BlkioEntry>, unless "empty";
        io_queue_recursive: Vec<BlkioEntry>, unless "empty";
        io_service_time_recursive: Vec<BlkioEntry>, unless "empty";
        io_wait_time_recursive: Vec<BlkioEntry>, unless "empty";
        io_merged_recursive: Vec<BlkioEntry>, unless "empty";
        io_time_recursive: Vec<BlkioEntry>, unless "empty";
        sectors_recursive: Vec<BlkioEntry>, unless "empty";
        psi: Option<Pressure>, unless "empty";
    }

    BlkioEntry {
        major: u64, unless "empty";
        minor: u64, unless "empty";
        /// "Read", "Write", "Sync" …; empty where the file does not tell kinds apart.
        op: String, unless "empty";
        value: u64, unless "empty";
    }

    /// Bytes in huge pages of one size, and how often the limit was hit.
    Hugetlb {
        usage: u64, unless "empty";
        /// Only in v1.
        max: u64, unless "empty";
        failcnt: u64;
    }
}

/// Whole numbers without a fraction, as Go writes them.
fn percent<S: Serializer>(value: &f64, to: S) -> std::result::Result<S::Ok, S::Error> {
    if value.fract() == 0.0 { to.serialize_u64(*value as u64) } else { to.serialize_f64(*value) }
}
