//! Everything that is told of a container, once: the JSON and the metrics are made of this table.
//!
//! Units are the base units that Prometheus wants: seconds and bytes.

use crate::cgroup::shortage::Level;
use crate::cgroup::stats::{Pressure, Stall, Stats};
use crate::cli::facts::Fact;
use crate::engine::running::killed::{Killed, KilledProcess};
use crate::engine::running::meter::Sample;
use std::fmt::Write;

pub struct Quantity {
    /// The object in the JSON, and the member of it; both are empty for what is in the metrics alone.
    json: (&'static str, &'static str),
    /// The end of the metric's name, and its help; both are empty for what is in the JSON alone.
    metric: (&'static str, &'static str),
    value: fn(&Sample) -> Option<f64>,
}

const fn row(
    json: (&'static str, &'static str),
    metric: (&'static str, &'static str),
    value: fn(&Sample) -> Option<f64>,
) -> Quantity {
    Quantity { json, metric, value }
}

const NOT: (&str, &str) = ("", "");

/// Those of one object of the JSON stand together.
#[rustfmt::skip]
const QUANTITIES: &[Quantity] = &[
    row(NOT, ("running", "Whether the first process of the container runs."), |s| Some(f64::from(u8::from(s.pid > 0)))),
    row(("cpu", "percent"), NOT, Sample::cpu_percent),
    row(("cpu", "usage_seconds"), ("cpu_usage_seconds_total", "Processor time that was used."),
        |s| nanoseconds(s, |stats| stats.cpu.usage.total)),
    row(("cpu", "user_seconds"), ("cpu_user_seconds_total", "Processor time that was used in programs."),
        |s| nanoseconds(s, |stats| stats.cpu.usage.user)),
    row(("cpu", "system_seconds"), ("cpu_system_seconds_total", "Processor time that was used in the kernel."),
        |s| nanoseconds(s, |stats| stats.cpu.usage.kernel)),
    row(("cpu", "periods"), ("cpu_periods_total", "Periods of the CPU quota that have passed."),
        |s| counted(s, |stats| stats.cpu.throttling.periods)),
    row(("cpu", "throttled_periods"), ("cpu_throttled_periods_total", "Periods in which the CPU quota was used up."),
        |s| counted(s, |stats| stats.cpu.throttling.throttled_periods)),
    row(("cpu", "throttled_seconds"), ("cpu_throttled_seconds_total", "Time that processes were held back by the CPU quota."),
        |s| nanoseconds(s, |stats| stats.cpu.throttling.throttled_time)),
    row(("memory", "working_set_bytes"), ("memory_working_set_bytes", "Memory in use without inactive pages of files."),
        |s| s.working_set().map(|bytes| bytes as f64)),
    row(("memory", "usage_bytes"), ("memory_usage_bytes", "Memory in use with the page cache."),
        |s| s.working_set().and(counted(s, |stats| stats.memory.usage.usage))),
    row(("memory", "limit_bytes"), ("memory_limit_bytes", "Limit of memory."), |s| s.memory_limit().map(|bytes| bytes as f64)),
    row(("memory", "percent"), NOT, memory_percent),
    row(("memory", "oom_kills"), ("oom_kills_total", "Processes that the kernel killed because memory ran out."),
        |s| s.oom_kills().map(|kills| kills as f64)),
    row(("io", "read_bytes"), ("io_read_bytes_total", "Bytes read from block devices."),
        |s| s.transfers().map(|moved| moved[0] as f64)),
    row(("io", "written_bytes"), ("io_written_bytes_total", "Bytes written to block devices."),
        |s| s.transfers().map(|moved| moved[1] as f64)),
    row(("io", "reads"), ("io_reads_total", "Reads from block devices."),
        |s| s.operations().map(|done| done[0] as f64)),
    row(("io", "writes"), ("io_writes_total", "Writes to block devices."),
        |s| s.operations().map(|done| done[1] as f64)),
    row(("pids", "current"), ("tasks", "Processes and threads."), |s| counted(s, |stats| stats.pids.current)),
    row(("pids", "limit"), ("tasks_limit", "Limit of processes and threads."),
        |s| counted(s, |stats| stats.pids.limit).filter(|limit| *limit > 0.0)),
    row(NOT, ("pressure_cpu_waiting_seconds_total", "Time in which a process waited for a processor."), |s| stalled(s, 0, |p| &p.some)),
    row(NOT, ("pressure_cpu_stalled_seconds_total", "Time in which all processes waited for a processor."), |s| stalled(s, 0, |p| &p.full)),
    row(NOT, ("pressure_memory_waiting_seconds_total", "Time in which a process waited for memory."), |s| stalled(s, 1, |p| &p.some)),
    row(NOT, ("pressure_memory_stalled_seconds_total", "Time in which all processes waited for memory."), |s| stalled(s, 1, |p| &p.full)),
    row(NOT, ("pressure_io_waiting_seconds_total", "Time in which a process waited for a transfer."), |s| stalled(s, 2, |p| &p.some)),
    row(NOT, ("pressure_io_stalled_seconds_total", "Time in which all processes waited for a transfer."), |s| stalled(s, 2, |p| &p.full)),
];

fn counted(sample: &Sample, number: fn(&Stats) -> u64) -> Option<f64> {
    sample.stats.as_ref().map(|stats| number(stats) as f64)
}

fn nanoseconds(sample: &Sample, number: fn(&Stats) -> u64) -> Option<f64> {
    counted(sample, number).map(|number| number / 1e9)
}

fn stalled(sample: &Sample, kind: usize, stall: fn(&Pressure) -> &Stall) -> Option<f64> {
    sample.pressure()[kind].map(|pressure| microseconds(stall(pressure).total))
}

fn microseconds(number: u64) -> f64 {
    number as f64 / 1e6
}

/// Of the limit.
pub fn memory_percent(sample: &Sample) -> Option<f64> {
    let limit = sample.memory_limit().filter(|limit| *limit > 0)?;
    Some(sample.working_set()? as f64 * 100.0 / limit as f64)
}

/// One container in the JSON. What this host does not count, and a limit that is not set, is null.
pub fn facts(sample: &Sample) -> Fact {
    let mut members = vec![
        ("id".into(), Fact::text(&sample.id)),
        ("pid".into(), Fact::Number(sample.pid.unsigned_abs().into())),
    ];
    let real = |value: Option<f64>| value.map_or(Fact::Missing, |value| Fact::Real(rounded(value)));
    for object in QUANTITIES.chunk_by(|one, next| one.json.0 == next.json.0) {
        let name = object[0].json.0;
        if !name.is_empty() {
            let of = |quantity: &Quantity| (quantity.json.1.into(), real((quantity.value)(sample)));
            members.push((name.into(), Fact::Object(object.iter().map(of).collect())));
        }
    }
    let kinds = ["cpu", "memory", "io"].into_iter().zip(sample.pressure());
    let pressure = kinds.map(|(kind, pressure)| (kind.into(), pressure.map_or(Fact::Missing, shares)));
    members.push(("pressure".into(), Fact::Object(pressure.collect())));
    members.push(("oom".into(), sample.killed.as_deref().map_or(Fact::Missing, killed)));
    Fact::Object(members)
}

/// More digits than were measured would say nothing.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn shares(pressure: &Pressure) -> Fact {
    let stall = |stall: &Stall| {
        Fact::object([
            ("avg10", Fact::Real(stall.avg10)),
            ("avg60", Fact::Real(stall.avg60)),
            ("avg300", Fact::Real(stall.avg300)),
            ("total_seconds", Fact::Real(microseconds(stall.total))),
        ])
    };
    Fact::object([("some", stall(&pressure.some)), ("full", stall(&pressure.full))])
}

fn killed(killed: &Killed) -> Fact {
    let process = |process: &KilledProcess| {
        Fact::object([
            ("pid", Fact::Number(process.pid.unsigned_abs().into())),
            ("name", Fact::text(&process.name)),
            ("uid", Fact::Number(process.uid.into())),
            ("time", Fact::text(&process.time)),
        ])
    };
    let level = match killed.shortage.level {
        Level::Container => "container",
        Level::Below => "below",
        Level::Above => "above",
        Level::Host => "host",
    };
    Fact::object([
        ("kills", Fact::Number(killed.kills)),
        ("level", Fact::text(level)),
        ("group", killed.shortage.group.as_ref().map_or(Fact::Missing, Fact::text)),
        ("limit_bytes", killed.shortage.limit.map_or(Fact::Missing, Fact::Number)),
        ("processes", Fact::Array(killed.processes.iter().map(process).collect())),
    ])
}

const PREFIX: &str = "rruntime_container";

/// All containers in Prometheus' text format, one family of metrics after the other. Reference:
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>.
pub fn metrics(samples: &[Sample]) -> String {
    let mut out = String::new();
    for Quantity { metric: (name, help), value, .. } in QUANTITIES.iter().filter(|row| row.metric != NOT) {
        let mut known = samples.iter().filter_map(|sample| Some((sample, value(sample)?))).peekable();
        if known.peek().is_none() {
            continue;
        }
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        // Ignored: writing to a String cannot fail.
        let _ = writeln!(out, "# HELP {PREFIX}_{name} {help}\n# TYPE {PREFIX}_{name} {kind}");
        for (sample, value) in known {
            // Ignored for the same reason.
            let _ = writeln!(out, "{PREFIX}_{name}{{id=\"{}\"}} {value}", label(&sample.id));
        }
    }
    out
}

/// The three characters that would end or change a label's value.
fn label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_stays_on_its_line_and_in_its_quotes() {
        assert_eq!(label("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
    }
}
