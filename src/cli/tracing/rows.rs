//! A trace as rows to draw. The file may be anyone's: what it says is taken for text and for numbers, and of what is not as
//! in a trace the error names the place.

use crate::error::{Error, Result};
use crate::report::escape::{Notation, escaped};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// What one command has done, in the order in which it began.
pub struct Chart<'v> {
    pub title: String,
    pub rows: Vec<Row<'v>>,
    /// From the first beginning to the last end, without the times of a program.
    whole: u64,
}

/// What is lost of a time that is a number of microseconds, on a machine that has run for years.
const SLACK: u64 = 50;

/// Times are in nanoseconds.
#[derive(Clone, Copy)]
pub struct Row<'v> {
    event: &'v Value,
    pub kind: Kind,
    pub depth: usize,
    began: u64,
    took: u64,
    thread: i64,
    /// Where it stands in the chart.
    from: u64,
    to: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By the process itself.
    Own,
    /// By one that it has started.
    Inside,
    Program,
    Failed,
}

/// Anything that is not there is nothing.
fn member<'v>(of: &'v Value, key: &str) -> &'v Value {
    of.get(key).unwrap_or(&Value::Null)
}

fn text<'v>(of: &'v Value, key: &str) -> &'v str {
    member(of, key).as_str().unwrap_or_default()
}

fn integer(of: &Value, key: &str) -> i64 {
    member(of, key).as_i64().unwrap_or_default()
}

/// A number of microseconds, as nanoseconds.
fn time(place: usize, event: &Value, key: &str) -> Result<u64> {
    match member(event, key).as_f64() {
        Some(micros) if (0.0..1e15).contains(&micros) => Ok((micros * 1000.0).round() as u64),
        _ => {
            let place = place.to_string();
            let parts = ["is not a trace: ", key, " of event ", &place, " is no number of microseconds"];
            Err(Error::new(parts.concat()))
        }
    }
}

/// What is shown of a text of the file.
fn shown(text: &str) -> String {
    escaped(text, Notation::Plain, &[]).into_owned()
}

pub fn charts(file: &Value) -> Result<Vec<Chart<'_>>> {
    let events = file.get("traceEvents").unwrap_or(file).as_array();
    let events = events.ok_or_else(|| Error::new("is not a trace: there is no list traceEvents"))?;
    let mut charts: Vec<Chart> = Vec::new();
    // The last of each process.
    let mut known: BTreeMap<i64, usize> = BTreeMap::new();
    for (place, event) in events.iter().enumerate() {
        let (done, pid) = (text(event, "ph") == "X", integer(event, "pid"));
        let begins = text(event, "ph") == "M" && text(event, "name") == "process_name";
        if !done && !begins {
            continue;
        }
        // The number of a process may be used again.
        let goes_on = |&&at: &&usize| !begins || charts[at].rows.is_empty();
        let at = match known.get(&pid).filter(goes_on) {
            Some(&at) => at,
            None => {
                let title = ["process ", &pid.to_string()].concat();
                charts.push(Chart { title, rows: Vec::new(), whole: 1 });
                known.insert(pid, charts.len() - 1);
                charts.len() - 1
            }
        };
        let chart = &mut charts[at];
        if begins {
            chart.title = shown(text(member(event, "args"), "name"));
            continue;
        }
        let thread = integer(event, "tid");
        let kind = match (text(member(event, "args"), "result"), text(event, "cat")) {
            ("failed" | "ended", _) => Kind::Failed,
            (_, "program") => Kind::Program,
            _ if thread == pid => Kind::Own,
            _ => Kind::Inside,
        };
        let (began, took) = (time(place, event, "ts")?, time(place, event, "dur")?);
        chart.rows.push(Row { event, kind, depth: 0, began, took, thread, from: 0, to: 0 });
    }
    charts.retain(|chart| !chart.rows.is_empty());
    charts.iter_mut().for_each(Chart::settle);
    if charts.is_empty() { Err(Error::new("has no event with a duration")) } else { Ok(charts) }
}

impl Chart<'_> {
    /// Order, depth and places of its rows.
    fn settle(&mut self) {
        // A row before those that lie in it. A heap takes a tenth of the code of a sort.
        let order = |(i, row): (usize, &Row)| Reverse((row.began, u64::MAX - row.took, i));
        let mut heap: BinaryHeap<_> = self.rows.iter().enumerate().map(order).collect();
        let mut rows = Vec::with_capacity(heap.len());
        while let Some(Reverse((.., i))) = heap.pop() {
            rows.push(self.rows[i]);
        }
        let first = rows.first().map_or(0, |row| row.began);
        // A program may run for days: on the chart it takes no time. (from, to, how much that is before)
        let mut programs: Vec<(u64, u64, u64)> = Vec::new();
        for row in rows.iter().filter(|row| row.kind == Kind::Program) {
            let (_, last, before) =
                programs.last().map_or((0, 0, 0), |(from, to, before)| (0, *to, before + (to - from)));
            let from = row.began.max(last);
            programs.push((from, from.max(row.began + row.took), before));
        }
        let place = |time: u64| {
            let before = programs.partition_point(|(from, ..)| *from < time);
            let without = before.checked_sub(1).map_or(0, |last| {
                let (from, to, before) = programs[last];
                before + time.min(to) - from
            });
            time - first - without
        };
        for row in &mut rows {
            (row.from, row.to) = (place(row.began), place(row.began + row.took));
            self.whole = self.whole.max(row.to);
        }
        // Thread by thread, the ends of what a row lies in, the first of them on top.
        let by_thread = |(i, row): (usize, &Row)| Reverse((row.thread as u64, i as u64, i));
        let mut heap: BinaryHeap<_> = rows.iter().enumerate().map(by_thread).collect();
        let (mut open, mut last) = (BinaryHeap::new(), None);
        while let Some(Reverse((thread, _, i))) = heap.pop() {
            if last.replace(thread) != Some(thread) {
                open.clear();
            }
            let row = &mut rows[i];
            while open.peek().is_some_and(|Reverse(end)| *end <= row.began + SLACK) {
                open.pop();
            }
            row.depth = open.len().min(8);
            open.push(Reverse(row.began + row.took));
        }
        self.rows = rows;
    }

    /// The first of so many columns that a row takes, and the one behind its last.
    pub fn columns(&self, row: &Row, all: usize) -> (usize, usize) {
        let column = |place: u64| (place as f64 / self.whole as f64 * all as f64) as usize;
        let from = column(row.from).min(all - 1);
        (from, column(row.to).clamp(from + 1, all))
    }
}

impl Row<'_> {
    fn arg(&self, key: &str) -> &str {
        text(member(self.event, "args"), key)
    }

    pub fn is_inside(&self) -> bool {
        self.thread != integer(self.event, "pid")
    }

    /// What was done, and for which field.
    pub fn label(&self) -> String {
        shown([text(self.event, "name"), "  ", self.arg("field")].concat().trim_end())
    }

    pub fn value(&self) -> String {
        shown(self.arg("value"))
    }

    /// Milliseconds, or seconds where there are many.
    pub fn time(&self) -> String {
        let micros = (self.took + 500) / 1000;
        let (time, unit) = if micros < 100_000_000 { (micros, "ms") } else { (micros / 1000, "s ") };
        format!("{}.{:03} {unit}", time / 1000, time % 1000)
    }

    /// What its reader has to know: why it has failed, or a warning.
    pub fn said(&self) -> Option<String> {
        let (error, errno) = (self.arg("error"), integer(member(self.event, "args"), "errno"));
        match text(self.event, "cat") {
            "warning" => Some(self.value()),
            _ if self.kind != Kind::Failed => None,
            _ if !error.is_empty() => Some(shown(error)),
            _ if errno != 0 => Some(Error::os("failed", errno as i32).to_string()),
            _ => Some("did not end".to_owned()),
        }
    }
}
