//! What containers use now: `stats` as a table, JSON or metrics, `top` on a terminal.

mod columns;
mod quantities;
pub mod stats;
pub mod top;

use crate::cli::arguments::{option, switch};
use crate::cli::{Arguments, Session, duration};
use crate::engine::running::meter::Asked;
use crate::engine::{Engine, keep_all_room};
use crate::error::{Error, Result};
use crate::state::NoRoot;
use clap::Arg;
use std::collections::BTreeSet;
use std::time::Duration;

/// What both commands have.
fn options() -> Vec<Arg> {
    vec![
        switch("all", "also containers that have ended, as long as their cgroup is there").short('a'),
        option(
            "interval",
            "DURATION",
            "time between two looks, over which CPU is measured: 500ms, 1s (default)",
        ),
    ]
}

fn interval(arguments: &Arguments) -> Result<Duration> {
    let Some(text) = arguments.given_text("interval")? else { return Ok(Duration::from_secs(1)) };
    let wrong = |reason: &'static str| Error::argument("--interval", text, reason);
    match duration::parse(text) {
        Some(Duration::ZERO) => Err(wrong("must be greater than 0")),
        Some(interval) => Ok(interval),
        None => Err(wrong("must be a length of time").remedy("write a number and a unit: 500ms, 5s, 1m30s")),
    }
}

/// The engine, and which containers are meant.
fn begin(session: &Session, arguments: &Arguments) -> Result<(Engine, Asked)> {
    let named: BTreeSet<String> =
        arguments.operands.iter().map(|id| id.to_string_lossy().into_owned()).collect();
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
