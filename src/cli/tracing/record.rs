//! What is heard of a command, as trace events.

use super::file::TraceFile;
use crate::engine::{End, Event, Planned};
use crate::error::{Error, Result};
use crate::plan::deeds::Deed;
use crate::plan::words;
use crate::report::json;
use crate::sys::clock;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The trace of one command. Its process is the command; of its threads one is rruntime, and one each init.
pub struct Trace {
    file: TraceFile,
    command: &'static str,
    id: String,
    began: Instant,
    /// The same moment as everyone else counts it.
    base: Duration,
    pid: i32,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    /// Events that are not in the file yet, with commas between them.
    text: String,
    /// The last init that was started, by no deed so far.
    born: i32,
    inside: Vec<Inside>,
    /// Steps that are not in the text yet: they are heard of while init waits for us.
    steps: Vec<Step>,
}

struct Step {
    init: i32,
    number: usize,
    times: Times,
    end: End,
}

/// The steps of an init: the beginnings of their events, and where each ends.
struct Inside {
    init: i32,
    text: String,
    ends: Vec<usize>,
}

/// What is known of something that was done.
struct Row<'r> {
    name: &'r str,
    category: &'static str,
    number: Option<usize>,
    field: &'r str,
    value: &'r str,
}

/// For the steps of a usual container.
const ROOM: usize = 16 << 10;

/// When something began, and how long it took.
type Times = (Instant, Duration);

/// How it went.
enum Went<'r> {
    Well,
    Wrong(&'r Error),
    Errno(i32),
    /// init has ended in the middle of it.
    Cut,
}

impl<'r> Went<'r> {
    fn of(failed: Option<&'r Error>) -> Went<'r> {
        failed.map_or(Went::Well, Went::Wrong)
    }
}

impl Trace {
    /// `began`: when the command did.
    pub fn open(path: &Path, command: &'static str, id: String, began: Instant) -> Result<Trace> {
        let file = TraceFile::open(path)?;
        let base = clock::since_boot().saturating_sub(began.elapsed());
        let pid = std::process::id() as i32;
        let trace = Trace { file, command, id, began, base, pid, heard: Mutex::default() };
        let mut heard = trace.heard();
        let title = ["rruntime ", command, " ", &trace.id].concat();
        trace.name(&mut heard.text, "process_name", pid, title.trim_end());
        trace.name(&mut heard.text, "thread_name", pid, "host: rruntime");
        drop(heard);
        let row = Row::of("phase", "read the command line");
        // Of two rows that begin at once a reader would not know which lies in which.
        let first = began + Duration::from_micros(1);
        trace.add(&row, (first, first.elapsed()), Went::Well);
        Ok(trace)
    }

    pub fn hear(&self, event: &Event) {
        match event {
            Event::Done { of, number, began, took, failed } => {
                let Some((deed, field)) = of.deed(*number) else { return };
                let (name, value, field) = (deed.words(), deed.values(), field.unwrap_or_default());
                let row = Row {
                    name: &name,
                    category: "deed",
                    number: Some(*number),
                    field: &field,
                    value: &value,
                };
                self.add(&row, (*began, *took), Went::of(*failed));
                if matches!(deed, Deed::StartInit(_) | Deed::StartJoining) && failed.is_none() {
                    self.know(of);
                }
            }
            Event::Span { span, began, took, failed } => {
                let row = Row { field: span.field, value: span.value, ..Row::of("phase", span.name) };
                self.add(&row, (*began, *took), Went::of(*failed));
            }
            Event::Born { init } => self.heard().born = *init,
            Event::StepDone { init, number, began, took, end } => {
                let (init, number, times, end) = (*init, *number, (*began, *took), *end);
                self.heard().steps.push(Step { init, number, times, end });
            }
            Event::Warning(error) => {
                let (text, now) = (error.to_string(), Instant::now());
                let field = error.detail().field.as_deref().unwrap_or_default();
                let row = Row { field, value: &text, ..Row::of("warning", "warning") };
                self.add(&row, (now, Duration::ZERO), Went::Well);
            }
            _ => {}
        }
    }

    /// The container's program runs as long as this takes. What was heard so far is in the file, whatever becomes of us.
    pub fn program<T>(&self, work: impl FnOnce() -> T) -> (T, Result<()>) {
        let written = self.write();
        let began = Instant::now();
        let done = work();
        self.add(&Row::of("program", "the program runs"), (began, began.elapsed()), Went::Well);
        (done, written)
    }

    /// The end of the command.
    pub fn end(&self, outcome: &Result<i32>) -> Result<()> {
        let row = Row { value: &self.id, ..Row::of("command", self.command) };
        self.add(&row, (self.began, self.began.elapsed()), Went::of(outcome.as_ref().err()));
        self.write()
    }

    fn write(&self) -> Result<()> {
        let mut heard = self.heard();
        for step in std::mem::take(&mut heard.steps) {
            self.step(&mut heard, &step);
        }
        let text = std::mem::take(&mut heard.text);
        drop(heard);
        if text.is_empty() { Ok(()) } else { self.file.add(&text) }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plan whose init has just been started. While it works there is time for words.
    fn know(&self, planned: &Planned) {
        let opens = planned.deeds().find_map(|(deed, _)| match deed {
            Deed::Open(opens) => Some(opens),
            _ => None,
        });
        let (mut text, mut ends) = (String::with_capacity(ROOM), Vec::new());
        for (number, (step, field)) in planned.steps().enumerate() {
            let (name, value) = (words::step(&step), words::values(&step, opens));
            let (number, field) = (Some(number), field.unwrap_or_default());
            Row { name: &name, category: "step", number, field: &field, value: &value }.begin(&mut text);
            ends.push(text.len());
        }
        let mut heard = self.heard();
        let init = heard.born;
        self.name(&mut heard.text, "thread_name", init, &["inside: init of ", planned.name].concat());
        heard.inside.push(Inside { init, text, ends });
    }

    fn step(&self, heard: &mut Heard, &Step { init, number, times, end }: &Step) {
        // The last of this number: numbers are used again.
        let Some(inside) = heard.inside.iter().rev().find(|inside| inside.init == init) else { return };
        let Some(to) = inside.ends.get(number) else { return };
        let from = number.checked_sub(1).map_or(0, |before| inside.ends[before]);
        let went = match end {
            End::Failed(errno) => Went::Errno(errno),
            End::Ended if number + 1 < inside.ends.len() => Went::Cut,
            End::Done | End::Ended => Went::Well,
        };
        begin(&mut heard.text);
        heard.text.push_str(&inside.text[from..*to]);
        self.put(&mut heard.text, init, times, went);
    }

    fn add(&self, row: &Row, times: Times, went: Went) {
        let mut heard = self.heard();
        begin(&mut heard.text);
        row.begin(&mut heard.text);
        self.put(&mut heard.text, self.pid, times, went);
    }

    fn put(&self, out: &mut String, thread: i32, (began, took): Times, went: Went) {
        let begins = self.base + began.saturating_duration_since(self.began);
        out.push_str("\"result\":\"");
        let errno = match went {
            Went::Well => {
                out.push_str("ok\"");
                0
            }
            Went::Cut => {
                out.push_str("ended\"");
                0
            }
            Went::Errno(errno) => {
                out.push_str("failed\"");
                errno
            }
            Went::Wrong(error) => {
                out.push_str("failed\",\"error\":");
                quote(out, &error.to_string());
                error.detail().errno.unwrap_or(0)
            }
        };
        if errno > 0 {
            out.push_str(",\"errno\":");
            number(out, errno as u64, 1);
        }
        out.push('}');
        if !matches!(went, Went::Well) {
            out.push_str(",\"cname\":\"terrible\"");
        }
        out.push_str(",\"ph\":\"X\",\"ts\":");
        micros(out, begins);
        out.push_str(",\"dur\":");
        micros(out, took);
        self.of_thread(out, thread);
    }

    fn of_thread(&self, out: &mut String, thread: i32) {
        out.push_str(",\"pid\":");
        number(out, self.pid as u64, 1);
        out.push_str(",\"tid\":");
        number(out, thread as u64, 1);
        out.push('}');
    }

    /// What a process or a thread is called.
    fn name(&self, out: &mut String, what: &str, thread: i32, name: &str) {
        begin(out);
        out.push_str("{\"name\":");
        quote(out, what);
        out.push_str(",\"ph\":\"M\",\"args\":{\"name\":");
        quote(out, name);
        out.push('}');
        self.of_thread(out, thread);
    }
}

impl<'r> Row<'r> {
    fn of(category: &'static str, name: &'r str) -> Row<'r> {
        Row { name, category, number: None, field: "", value: "" }
    }

    /// Its event up to the result.
    fn begin(&self, out: &mut String) {
        out.push_str("{\"name\":");
        quote(out, self.name);
        out.push_str(",\"cat\":");
        quote(out, self.category);
        out.push_str(",\"args\":{");
        if let Some(place) = self.number {
            out.push_str("\"number\":");
            number(out, place as u64, 1);
            out.push(',');
        }
        for (key, value) in [("field", self.field), ("value", self.value)] {
            if !value.is_empty() {
                quote(out, key);
                out.push(':');
                quote(out, value);
                out.push(',');
            }
        }
    }
}

/// The place of one more event.
fn begin(out: &mut String) {
    if !out.is_empty() {
        out.push_str(",\n");
    }
}

/// A hundred of these are made while a container is: what needs no escape is only copied.
fn quote(out: &mut String, text: &str) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&json::compact(&text));
    }
}

/// With at least so many digits.
fn number(out: &mut String, mut rest: u64, least: usize) {
    let (mut digits, mut first) = ([b'0'; 20], 20);
    while rest > 0 || first > 20 - least {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend(digits[first..].iter().map(|digit| char::from(*digit)));
}

/// With all that the clock says.
fn micros(out: &mut String, time: Duration) {
    number(out, time.as_secs() * 1_000_000 + u64::from(time.subsec_micros()), 1);
    out.push('.');
    number(out, u64::from(time.subsec_nanos() % 1000), 3);
}
