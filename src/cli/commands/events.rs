//! `events`.

use super::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::arguments::{option, switch};
use crate::cli::{Arguments, Session, duration, streams};
use crate::engine::running::events::{ContainerEvent, Stats, Stream};
use crate::error::{Error, Result};
use crate::report::json;
use crate::state::NoRoot;
use clap::Arg;
use serde::Serialize;
use std::os::fd::AsFd;
use std::time::Duration;

pub const COMMAND: Command = Command {
    name: "events",
    about: "show the resource use and the out-of-memory events of a container",
    detail: "Prints JSON, one object per line: type \"stats\" at each interval, type \"oom\" when the kernel has killed\n\
             a process because the container ran out of memory. Ends when the container ends.",
    examples: "events --stats web  # once\n\
               events --interval 1s web  # each second, until it ends",
    options,
    action: Action::Call(run),
    ..ON_A_CONTAINER
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
    let interval = interval(arguments, USUAL_INTERVAL)?;
    let id = &arguments.id();
    let engine = session.engine_for_look(NoRoot::Empty)?;
    let say = |kind, data: Option<&Stats>| streams::say(&(json::compact(&Line { kind, id, data }) + "\n"));
    if arguments.switch("stats") {
        return say("stats", Some(&engine.stats(id)?)).map(|_| 0);
    }
    let output = std::io::stdout();
    let stream = Stream { interval, reader: Some(output.as_fd()) };
    engine.events(id, stream, &mut |event| match &event {
        ContainerEvent::Stats(stats) => say("stats", Some(stats)),
        ContainerEvent::Oom => say("oom", None),
    })?;
    Ok(0)
}

/// `--interval`, or the usual one.
pub fn interval(arguments: &Arguments, usual: Duration) -> Result<Duration> {
    let Some(text) = arguments.given_text("interval")? else { return Ok(usual) };
    let wrong = |reason: &'static str| {
        Error::argument("--interval", text, reason).remedy("write a number and a unit: 500ms, 5s, 1m30s")
    };
    match duration::parse(text) {
        Some(Duration::ZERO) => Err(wrong("duration interval must be greater than 0")),
        Some(interval) => Ok(interval),
        None => Err(wrong("must be a length of time")),
    }
}
