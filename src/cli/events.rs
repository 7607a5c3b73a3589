//! `events`.

use super::arguments::{Arguments, option, switch};
use super::duration::{self, Length};
use super::session::Session;
use super::{Command, Count, FAILURE, OptionsEnd, streams};
use crate::engine::running::events::{Event, Stats, Stream};
use crate::error::{Error, Kind, Result};
use crate::report::json;
use clap::Arg;
use serde::Serialize;
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::time::Duration;

pub const COMMAND: Command = Command {
    name: "events",
    about: "show the resource use and the out-of-memory events of a container",
    operands: "<container-id>",
    count: Count::Exactly(1),
    options_end: OptionsEnd::Nowhere,
    detail: "Prints JSON, one object per line: type \"stats\" at each interval, type \"oom\" when the kernel has killed\n\
             a process because the container ran out of memory. Ends when the container ends.",
    options,
    run,
    failure: FAILURE,
};

const USUAL_INTERVAL: Duration = Duration::from_secs(5);

fn options() -> Vec<Arg> {
    vec![
        option("interval", "DURATION", "time between two statistics: 500ms, 5s (default), 1m30s"),
        switch("stats", "print the statistics once and exit"),
    ]
}

/// One line of output.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Stats>,
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let interval = interval(arguments)?;
    let id = arguments.id();
    let engine = session.engine_for_one()?;
    if arguments.switch("stats") {
        let stats = engine.stats(&id)?;
        streams::print_json(&Line { kind: "stats", id: &id, data: Some(&stats) })?;
        return Ok(0);
    }
    let output = std::io::stdout();
    let stream = Stream { interval, reader: Some(output.as_fd()) };
    engine.events(&id, stream, &mut |event| match &event {
        Event::Stats(stats) => say(&Line { kind: "stats", id: &id, data: Some(stats) }),
        Event::Oom => say(&Line { kind: "oom", id: &id, data: None }),
    })?;
    Ok(0)
}

fn interval(arguments: &Arguments) -> Result<Duration> {
    let Some(text) = arguments.given_text("interval")? else { return Ok(USUAL_INTERVAL) };
    let wrong =
        |reason: &'static str| Error::new(reason).kind(Kind::Argument).field("--interval").value(text);
    match duration::parse(text) {
        Some(Length::Positive(interval)) => Ok(interval),
        Some(Length::ZeroOrLess) => Err(wrong("duration interval must be greater than 0")),
        None => Err(wrong("must be a length of time").remedy("write a number and a unit: 500ms, 5s, 1m30s")),
    }
}

/// A reader that went away has heard enough.
fn say(line: &Line) -> Result<ControlFlow<()>> {
    let text = json::compact(line) + "\n";
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(e) => Err(Error::io("write to standard output", &e)),
    }
}
