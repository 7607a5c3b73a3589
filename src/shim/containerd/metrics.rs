//! What a container uses, as containerd's clients read it: io.containerd.cgroups.v1.Metrics and v2.Metrics. Most of both are
//! plain numbers, so they are written field by field, by tables of names and field numbers.

use crate::cgroup::stats::{BlkioEntry, MemoryUse, Stats};
use crate::shim::containerd::protocol::messages::Any;
use crate::shim::table::Table;
use prost::encoding::{bytes, string, uint64};
use std::collections::BTreeMap;

/// Lines of memory.stat (v1), and their numbers in MemoryStat.
const MEMORY_V1: [(&str, u32); 32] = [
    ("cache", 1),
    ("rss", 2),
    ("rss_huge", 3),
    ("mapped_file", 4),
    ("dirty", 5),
    ("writeback", 6),
    ("pgpgin", 7),
    ("pgpgout", 8),
    ("pgfault", 9),
    ("pgmajfault", 10),
    ("inactive_anon", 11),
    ("active_anon", 12),
    ("inactive_file", 13),
    ("active_file", 14),
    ("unevictable", 15),
    ("hierarchical_memory_limit", 16),
    ("hierarchical_memsw_limit", 17),
    ("total_cache", 18),
    ("total_rss", 19),
    ("total_rss_huge", 20),
    ("total_mapped_file", 21),
    ("total_dirty", 22),
    ("total_writeback", 23),
    ("total_pgpgin", 24),
    ("total_pgpgout", 25),
    ("total_pgfault", 26),
    ("total_pgmajfault", 27),
    ("total_inactive_anon", 28),
    ("total_active_anon", 29),
    ("total_inactive_file", 30),
    ("total_active_file", 31),
    ("total_unevictable", 32),
];

/// The same for v2. Newer kernels count what the field `workingset_refault` is for in two lines.
const MEMORY_V2: [(&str, u32); 31] = [
    ("anon", 1),
    ("file", 2),
    ("kernel_stack", 3),
    ("slab", 4),
    ("sock", 5),
    ("shmem", 6),
    ("file_mapped", 7),
    ("file_dirty", 8),
    ("file_writeback", 9),
    ("anon_thp", 10),
    ("inactive_anon", 11),
    ("active_anon", 12),
    ("inactive_file", 13),
    ("active_file", 14),
    ("unevictable", 15),
    ("slab_reclaimable", 16),
    ("slab_unreclaimable", 17),
    ("pgfault", 18),
    ("pgmajfault", 19),
    ("workingset_refault", 20),
    ("workingset_activate", 21),
    ("workingset_nodereclaim", 22),
    ("pgrefill", 23),
    ("pgscan", 24),
    ("pgsteal", 25),
    ("pgactivate", 26),
    ("pgdeactivate", 27),
    ("pglazyfree", 28),
    ("pglazyfreed", 29),
    ("thp_fault_alloc", 30),
    ("thp_collapse_alloc", 31),
];

/// A message in the making: fields that are zero are left out, as protobuf has it.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn of<const N: usize>(numbers: [(u32, u64); N]) -> Fields {
        numbers.into_iter().fold(Fields::default(), |fields, (tag, value)| fields.number(tag, value))
    }

    fn number(mut self, tag: u32, value: u64) -> Fields {
        if value != 0 {
            uint64::encode(tag, &value, &mut self.0);
        }
        self
    }

    fn text(mut self, tag: u32, value: &str) -> Fields {
        if !value.is_empty() {
            string::encode(tag, &value.to_owned(), &mut self.0);
        }
        self
    }

    fn part(mut self, tag: u32, part: Fields) -> Fields {
        bytes::encode(tag, &part.0, &mut self.0);
        self
    }

    fn parts(self, tag: u32, parts: impl Iterator<Item = Fields>) -> Fields {
        parts.fold(self, |fields, part| fields.part(tag, part))
    }

    fn lines(self, table: &[(&str, u32)], lines: &BTreeMap<String, u64>) -> Fields {
        let value = |name: &str| lines.get(name).copied().unwrap_or(0);
        table.iter().fold(self, |fields, (name, tag)| fields.number(*tag, value(name)))
    }
}

/// `unified`: the container's memory, or whatever else counts, is in cgroup v2.
pub fn of(stats: &Stats, unified: bool) -> Any {
    let version = if unified { "v2" } else { "v1" };
    let metrics = if unified { v2(stats) } else { v1(stats) };
    Any { kind: format!("io.containerd.cgroups.{version}.Metrics"), value: metrics.0 }
}

fn v1(stats: &Stats) -> Fields {
    let usage = &stats.cpu.usage;
    let each = usage.percpu.iter();
    let usage =
        each.fold(Fields::of([(1, usage.total), (2, usage.kernel), (3, usage.user)]), |mut fields, cpu| {
            uint64::encode(4, cpu, &mut fields.0);
            fields
        });
    let throttling = &stats.cpu.throttling;
    let throttling = Fields::of([
        (1, throttling.periods),
        (2, throttling.throttled_periods),
        (3, throttling.throttled_time),
    ]);
    let memory = &stats.memory;
    let uses = [&memory.usage, &memory.swap, &memory.kernel, &memory.kernel_tcp];
    let used = |usage: &MemoryUse| {
        Fields::of([(1, usage.limit), (2, usage.usage), (3, usage.max), (4, usage.failcnt)])
    };
    let memory = Fields::default().lines(&MEMORY_V1, &memory.raw);
    let memory = (33..).zip(uses).fold(memory, |fields, (tag, usage)| fields.part(tag, used(usage)));
    let io = &stats.blkio;
    let lists = [
        &io.io_service_bytes_recursive,
        &io.io_serviced_recursive,
        &io.io_queue_recursive,
        &io.io_service_time_recursive,
        &io.io_wait_time_recursive,
        &io.io_merged_recursive,
        &io.io_time_recursive,
        &io.sectors_recursive,
    ];
    let entry = |entry: &BlkioEntry| {
        let numbers = Fields::default().text(1, &entry.op);
        numbers.number(3, entry.major).number(4, entry.minor).number(5, entry.value)
    };
    let io = (1..)
        .zip(lists)
        .fold(Fields::default(), |fields, (tag, list)| fields.parts(tag, list.iter().map(entry)));
    let pages = stats
        .hugetlb
        .iter()
        .map(|(size, used)| Fields::of([(1, used.usage), (2, used.max), (3, used.failcnt)]).text(4, size));
    Fields::default()
        .parts(1, pages)
        .part(2, pids(stats))
        .part(3, Fields::default().part(1, usage).part(2, throttling))
        .part(4, memory)
        .part(5, io)
}

fn v2(stats: &Stats) -> Fields {
    let (usage, throttling) = (&stats.cpu.usage, &stats.cpu.throttling);
    let microseconds = |nanoseconds: u64| nanoseconds / 1000;
    let cpu = Fields::of([
        (1, microseconds(usage.total)),
        (2, microseconds(usage.user)),
        (3, microseconds(usage.kernel)),
        (4, throttling.periods),
        (5, throttling.throttled_periods),
        (6, microseconds(throttling.throttled_time)),
    ]);
    let memory = &stats.memory;
    // Our numbers have memory and swap together, as v1 has.
    let swap = |both: u64, memory: u64| if both == u64::MAX { both } else { both.saturating_sub(memory) };
    let memory = Fields::default()
        .lines(&MEMORY_V2, &memory.raw)
        .number(32, memory.usage.usage)
        .number(33, memory.usage.limit)
        .number(34, swap(memory.swap.usage, memory.usage.usage))
        .number(35, swap(memory.swap.limit, memory.usage.limit))
        .number(36, memory.usage.max);
    let mut devices: Table<(u64, u64), [u64; 4]> = Table::new();
    let lists = [&stats.blkio.io_service_bytes_recursive, &stats.blkio.io_serviced_recursive];
    for (at, list) in [0, 2].into_iter().zip(lists) {
        for entry in list {
            let place = match &*entry.op {
                "Read" => at,
                "Write" => at + 1,
                _ => continue,
            };
            devices.get_or_insert((entry.major, entry.minor), || [0; 4])[place] = entry.value;
        }
    }
    let devices = devices.iter().map(|(&(major, minor), &[read, written, reads, writes])| {
        Fields::of([(1, major), (2, minor), (3, read), (4, written), (5, reads), (6, writes)])
    });
    let pages =
        stats.hugetlb.iter().map(|(size, used)| Fields::of([(1, used.usage), (2, used.max)]).text(3, size));
    Fields::default()
        .part(1, pids(stats))
        .part(2, cpu)
        .part(4, memory)
        .part(6, Fields::default().parts(1, devices))
        .parts(7, pages)
}

fn pids(stats: &Stats) -> Fields {
    Fields::of([(1, stats.pids.current), (2, stats.pids.limit)])
}
