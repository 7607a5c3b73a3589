//! The columns of the table, and what the kernel killed in words below it.

use super::quantities::memory_percent;
use crate::cgroup::shortage::Level;
use crate::cli::table;
use crate::engine::running::killed::Killed;
use crate::engine::running::meter::Sample;
use crate::report::escape::{Notation, escaped};

/// How transfers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfers {
    /// Since the container began.
    InAll,
    ASecond,
}

const COLUMNS: usize = 11;

/// Cells have no spaces, so that a script can split a line.
pub fn rows(samples: &[Sample], transfers: Transfers) -> Vec<[String; COLUMNS]> {
    let [read, written] = match transfers {
        Transfers::InAll => ["READ", "WRITTEN"],
        Transfers::ASecond => ["READ/s", "WRITTEN/s"],
    };
    let heading =
        ["ID", "CPU%", "MEMORY", "LIMIT", "MEM%", "PRESSURE", read, written, "TASKS", "THROTTLED", "OOM"];
    let mut rows = vec![heading.map(str::to_owned)];
    rows.extend(samples.iter().map(|sample| row(sample, transfers)));
    rows
}

pub fn render(rows: &[[String; COLUMNS]]) -> String {
    table::render(rows, |_, widest| widest + 2)
}

fn row(sample: &Sample, transfers: Transfers) -> [String; COLUMNS] {
    // An id of another runtime's moves no cursor.
    let id = escaped(&sample.id, Notation::Plain, &[]).into_owned();
    let mut cells = [const { String::new() }; COLUMNS];
    cells.fill("-".to_owned());
    cells[0] = id;
    let Some(stats) = &sample.stats else { return cells };
    let share = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
    let size = |value: Option<u64>| value.map_or("-".to_owned(), |value| bytes(value as f64));
    cells[1] = share(sample.cpu_percent());
    cells[2] = size(sample.working_set());
    cells[3] = size(sample.memory_limit());
    cells[4] = share(memory_percent(sample));
    let pressure = sample.pressure();
    if pressure.iter().any(Option::is_some) {
        cells[5] = pressure.map(|kind| share(kind.map(|kind| kind.some.avg10))).join("/");
    }
    let moved = match transfers {
        Transfers::InAll => sample.transfers().map(|moved| moved.map(|bytes| bytes as f64)),
        Transfers::ASecond => sample.transfers_a_second(),
    };
    if let Some(moved) = moved {
        [cells[6], cells[7]] = moved.map(bytes);
    }
    let pids = &stats.pids;
    cells[8] =
        if pids.limit > 0 { format!("{}/{}", pids.current, pids.limit) } else { pids.current.to_string() };
    let throttling = &stats.cpu.throttling;
    if throttling.periods > 0 {
        let seconds = throttling.throttled_time as f64 / 1e9;
        cells[9] = format!("{}/{seconds:.1}s", throttling.throttled_periods);
    }
    if let Some(kills) = sample.oom_kills() {
        cells[10] = kills.to_string();
    }
    cells
}

/// "12.5MiB"
pub fn bytes(mut value: f64) -> String {
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" || value >= 100.0 {
                format!("{value:.0}{unit}")
            } else {
                format!("{value:.1}{unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1}TiB")
}

/// What the kernel killed, one line for each container.
pub fn notes(samples: &[Sample]) -> Vec<String> {
    let note = |sample: &Sample| Some(note(&sample.id, sample.killed.as_deref()?));
    samples.iter().filter_map(note).collect()
}

fn note(id: &str, killed: &Killed) -> String {
    let shortage = &killed.shortage;
    let limit = shortage.limit.map_or(String::new(), |limit| format!(" of {}", bytes(limit as f64)));
    let group = shortage.group.as_deref().unwrap_or_default();
    let of = match shortage.level {
        Level::Container => format!("its own limit{limit} was reached"),
        Level::Below => format!("the limit{limit} of {group}, a group inside it, was reached"),
        Level::Above => format!("the limit{limit} of {group}, a group above it, was reached"),
        Level::Host if killed.processes.is_empty() => {
            "the machine's memory ran out, or the limit of a group that cannot be seen from here was reached"
                .to_owned()
        }
        Level::Host => "the machine's memory ran out".to_owned(),
    };
    let kills = match killed.kills {
        1 => "1 process".to_owned(),
        kills => format!("{kills} processes"),
    };
    let last = killed.processes.last().map_or(String::new(), |process| {
        format!(
            "; last killed: process {} ({}), user {}, at {}",
            process.pid, process.name, process.uid, process.time
        )
    });
    let text = format!("{id}: out of memory, {kills} killed: {of}{last}");
    escaped(&text, Notation::Plain, &[]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_or_so() {
        for (value, text) in [
            (0.0, "0B"),
            (1023.0, "1023B"),
            (1024.0, "1.0KiB"),
            (16.0 * 1_048_576.0, "16.0MiB"),
            (120.0 * 1_048_576.0, "120MiB"),
            (1_099_511_627_776.0 * 3000.0, "3000.0TiB"),
        ] {
            assert_eq!(bytes(value), text);
        }
    }
}
