//! `top`: a table that is drawn again and again.
//!
//! The terminal is in raw mode, its second screen is shown, and both are taken back however the loop ends: every signal that
//! would end us is something to read. Without a terminal to draw on, the table is printed one below the other.

use super::columns::{Transfers, notes, render, rows};
use super::{begin, interval, print, table};
use crate::cli::arguments::option;
use crate::cli::commands::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::{Arguments, Session, streams};
use crate::engine::running::meter::{Meter, Sample};
use crate::error::{Error, Result};
use crate::sys::signalfd::Signals;
use crate::sys::{file, poll, terminal};
use clap::Arg;
use nix::poll::{PollFd, PollFlags};
use std::cmp::Ordering;
use std::fmt::Write;
use std::io::IsTerminal;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

pub const COMMAND: Command = Command {
    name: "top",
    about: "show what containers use in a view that is drawn again and again",
    operands: "[container-id...]",
    count: 0..=usize::MAX,
    detail: "On a terminal: q quits; c, m, i, t, n sort by CPU, memory, IO, tasks, id; r turns the order round; the space\n\
             bar looks at once. Elsewhere the table is printed at each interval. The columns are those of `stats`, with IO\n\
             in a second.",
    examples: "top\n\
               top --sort memory --interval 5s",
    options,
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

/// By what lines are sorted: the word, its key, and the value; without one, by id.
struct Sort(&'static str, u8, fn(&Sample) -> Option<f64>);

const SORTS: [Sort; 5] = [
    Sort("cpu", b'c', Sample::cpu_percent),
    Sort("memory", b'm', |sample| sample.working_set().map(|bytes| bytes as f64)),
    Sort("io", b'i', |sample| sample.transfers_a_second().map(|moved| moved.iter().sum())),
    Sort("tasks", b't', |sample| Some(sample.stats.as_ref()?.pids.current as f64)),
    Sort("id", b'n', |_| None),
];

fn options() -> Vec<Arg> {
    let mut options = super::options();
    options.push(option("sort", "COLUMN", "sort by cpu (default), memory, io, tasks or id"));
    options
}

/// How the table is to look.
struct View {
    sort: usize,
    reversed: bool,
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let word = arguments.given_text("sort")?.unwrap_or(SORTS[0].0);
    let unknown = || {
        let words = SORTS.map(|sort| sort.0).join(", ");
        Error::argument("--sort", word, "there is no such column to sort by")
            .remedy(format!("use one of {words}"))
    };
    let sort = SORTS.iter().position(|sort| sort.0 == word).ok_or_else(unknown)?;
    let interval = interval(arguments)?;
    let (engine, asked) = begin(session, arguments)?;
    let mut meter = engine.meter(asked)?;
    let mut view = View { sort, reversed: false };
    let draws =
        std::io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|name| name != "dumb");
    if draws {
        return draw_until_quit(&mut meter, &mut view, interval).map(|()| 0);
    }
    let text = |samples, first| table(&sorted(samples, &view), Transfers::ASecond, first);
    print(&mut meter, interval, false, &text).map(|()| 0)
}

/// The largest first, and those that are as large by their ids.
fn sorted(mut samples: Vec<Sample>, view: &View) -> Vec<Sample> {
    let value = |sample: &Sample| SORTS[view.sort].2(sample).unwrap_or(0.0);
    samples.sort_unstable_by(|one, other| {
        let order = value(other).partial_cmp(&value(one)).unwrap_or(Ordering::Equal);
        order.then_with(|| one.id.cmp(&other.id))
    });
    if view.reversed {
        samples.reverse();
    }
    samples
}

/// What wakes a wait.
enum Woken {
    Due,
    Keys(Vec<u8>),
    Resized,
    /// By a signal, or because the output or the input has gone.
    Ended,
}

fn draw_until_quit(meter: &mut Meter, view: &mut View, interval: Duration) -> Result<()> {
    let signals = Signals::hold().map_err(|e| e.because("signalfd"))?;
    let (input, output) = (std::io::stdin(), std::io::stdout());
    let raw = terminal::raw(input.as_fd()).ok();
    let keys = raw.as_ref().map(|_| input.as_fd());
    let screen = Screen::open()?;
    let mut samples = meter.look()?;
    // Long enough for a first share of CPU.
    let mut due = Instant::now().checked_add(interval.min(Duration::from_millis(200)));
    loop {
        let size = terminal::size(output.as_fd()).unwrap_or((24, 80));
        if streams::say(&frame(&samples, view, size))?.is_break() {
            break;
        }
        let look = match wait(&signals, keys, due)? {
            Woken::Ended => break,
            Woken::Resized => false,
            Woken::Due => true,
            Woken::Keys(keys) => match press(view, &keys) {
                Pressed::Quit => break,
                Pressed::Look => true,
                Pressed::Other => false,
            },
        };
        if look {
            samples = meter.look()?;
            due = Instant::now().checked_add(interval);
        }
        samples = sorted(samples, view);
    }
    drop(screen);
    Ok(())
}

fn wait(signals: &Signals, keys: Option<BorrowedFd>, due: Option<Instant>) -> Result<Woken> {
    let fds = [Some(signals.fd()), keys];
    let mut watched: Vec<PollFd> =
        fds.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    if !poll::wait(&mut watched, due).map_err(|e| e.because("poll"))? {
        return Ok(Woken::Due);
    }
    let typed = watched.get(1).is_some_and(|fd| fd.any().unwrap_or(false));
    while let Some(signal) = signals.take() {
        if [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT].contains(&signal) {
            return Ok(Woken::Ended);
        }
    }
    let Some(keys) = keys.filter(|_| typed) else { return Ok(Woken::Resized) };
    let mut bytes = vec![0; 64];
    match file::read(keys, &mut bytes) {
        Ok(length @ 1..) => {
            bytes.truncate(length);
            Ok(Woken::Keys(bytes))
        }
        // The terminal has gone.
        _ => Ok(Woken::Ended),
    }
}

enum Pressed {
    Quit,
    Look,
    Other,
}

fn press(view: &mut View, keys: &[u8]) -> Pressed {
    const CONTROL_C: u8 = 3;
    const CONTROL_D: u8 = 4;
    const ESCAPE: u8 = 27;
    let mut pressed = Pressed::Other;
    let mut keys = keys.iter();
    while let Some(key) = keys.next() {
        // A key without a letter: `ESC [ 1 ; 5 A`, `ESC O P`, where the last byte says which.
        if *key == ESCAPE {
            let introduced = keys.as_slice().first().is_some_and(|byte| matches!(byte, b'[' | b'O'));
            if introduced {
                keys.next();
                keys.find(|byte| (b'@'..=b'~').contains(byte));
            }
            continue;
        }
        match key.to_ascii_lowercase() {
            b'q' | CONTROL_C | CONTROL_D => return Pressed::Quit,
            b' ' => pressed = Pressed::Look,
            b'r' => view.reversed = !view.reversed,
            key => {
                if let Some(sort) = SORTS.iter().position(|sort| sort.1 == key) {
                    (view.sort, view.reversed) = (sort, false);
                }
            }
        }
    }
    pressed
}

/// One picture, drawn over the one before: no line is longer than the screen is wide, and there are no more of them.
fn frame(samples: &[Sample], view: &View, (height, width): (u16, u16)) -> String {
    let (height, width) = (usize::from(height.max(2)), usize::from(width.max(20)));
    let Sort(word, ..) = SORTS[view.sort];
    let order = if view.reversed { " (turned round)" } else { "" };
    let count = samples.len();
    let head = format!("{count} containers, by {word}{order}; sort: c m i t n, r turns round, q quits");
    let table = render(&rows(samples, Transfers::ASecond));
    let notes = notes(samples);
    let mut lines: Vec<&str> = std::iter::once(&*head).chain(table.lines()).collect();
    // Notes have the lower half at most, and containers what is left.
    let noted = notes.len().min(height.saturating_sub(lines.len()).max(height / 4));
    let shown = lines.len().min(height - noted);
    let left_out = format!("… {} more", lines.len() - shown + 1);
    if shown < lines.len() {
        lines.truncate(shown - 1);
        lines.push(&left_out);
    }
    lines.extend(notes[notes.len() - noted..].iter().map(String::as_str));
    let mut picture = String::from("\x1b[H");
    for (number, line) in lines.into_iter().enumerate() {
        let line: String = line.chars().take(width).collect();
        let (begin, end) = if number == 1 { ("\x1b[7m", "\x1b[0m") } else { ("", "") };
        let next = if number == 0 { "" } else { "\r\n" };
        // Ignored: writing to a String cannot fail.
        let _ = write!(picture, "{next}{begin}{line}{end}\x1b[K");
    }
    picture + "\x1b[J"
}

/// The terminal's second screen, without a cursor. Dropped, the first is there again.
struct Screen;

impl Screen {
    fn open() -> Result<Screen> {
        streams::print("\x1b[?1049h\x1b[?25l")?;
        Ok(Screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that has gone needs no repair.
        let _ = streams::print("\x1b[?25h\x1b[?1049l");
    }
}
