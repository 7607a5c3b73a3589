//! What containers use now: `stats` as a table, JSON or metrics, `top` on a terminal.

mod columns;
mod quantities;
pub mod stats;
pub mod top;

use super::events;
use crate::cli::arguments::{option, switch};
use crate::cli::{Arguments, Session, streams};
use crate::engine::running::meter::{Asked, Meter, Sample};
use crate::engine::{Engine, keep_all_room};
use crate::error::Result;
use crate::state::NoRoot;
use crate::sys::poll;
use clap::Arg;
use columns::Transfers;
use nix::poll::{PollFd, PollFlags};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// What both commands have.
fn options() -> Vec<Arg> {
    vec![
        switch(
            "all",
            "also containers that have ended; their numbers are known as long as their cgroup is there",
        )
        .short('a'),
        option(
            "interval",
            "DURATION",
            "time between two looks, over which CPU is measured: 500ms, 1s (default)",
        ),
    ]
}

fn interval(arguments: &Arguments) -> Result<Duration> {
    events::interval(arguments, Duration::from_secs(1))
}

/// Prints what is made of each look, the first after one interval, until there is no reader; or once.
fn print(
    meter: &mut Meter,
    interval: Duration,
    once: bool,
    text: &dyn Fn(Vec<Sample>, bool) -> String,
) -> Result<()> {
    let output = std::io::stdout();
    let mut due = Instant::now();
    let mut first = true;
    meter.look()?;
    loop {
        // A time beyond what the clock has is as good as never.
        let deadline = due.checked_add(interval);
        // Asked for nothing, poll still reports that the last reader has gone.
        let mut reader = [PollFd::new(output.as_fd(), PollFlags::empty())];
        if poll::wait(&mut reader, deadline).map_err(|e| e.because("poll"))? {
            return Ok(());
        }
        // Looks that were missed are not made up for.
        due = deadline.filter(|time| time.elapsed() < interval).unwrap_or_else(Instant::now);
        if streams::say(&text(meter.look()?, first))?.is_break() || once {
            return Ok(());
        }
        first = false;
    }
}

/// The table with what the kernel killed below it.
fn table(samples: &[Sample], transfers: Transfers, first: bool) -> String {
    let mut text = if first { String::new() } else { "\n".to_owned() };
    text.push_str(&columns::render(&columns::rows(samples, transfers)));
    for (number, note) in columns::notes(samples).into_iter().enumerate() {
        text.push_str(if number == 0 { "\n" } else { "" });
        text.push_str(&note);
        text.push('\n');
    }
    text
}

/// The engine, and which containers are meant.
fn begin(session: &Session, arguments: &Arguments) -> Result<(Engine, Asked)> {
    let mut named: Vec<String> =
        arguments.operands.iter().map(|id| id.to_string_lossy().into_owned()).collect();
    named.sort_unstable();
    named.dedup();
    let missing = if named.is_empty() { session.of_all() } else { NoRoot::Empty };
    let engine = session.engine_for_look(missing)?;
    // The counters of many containers stay open, and no other program is started.
    keep_all_room()?;
    let asked = match arguments.switch("all") {
        _ if !named.is_empty() => Asked::Named(named),
        true => Asked::All,
        false => Asked::Running,
    };
    Ok((engine, asked))
}
