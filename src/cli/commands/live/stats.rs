//! `stats`.

use super::columns::Transfers;
use super::quantities::{facts, metrics};
use super::{begin, interval};
use crate::cli::arguments::switch;
use crate::cli::commands::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::facts::Fact;
use crate::cli::table::Form;
use crate::cli::{Arguments, Session, streams, table};
use crate::engine::running::meter::Sample;
use crate::error::{Error, Kind, Result};
use crate::report::json;
use crate::time::rfc3339_nano;
use clap::Arg;
use std::time::SystemTime;

pub const COMMAND: Command = Command {
    name: "stats",
    about: "show what containers use: CPU, memory, pressure, IO, tasks",
    operands: "[container-id...]",
    count: 0..=usize::MAX,
    detail: "Without ids, shows every container of the state directory that runs. CPU% is of one processor, MEMORY without\n\
             inactive pages of files, PRESSURE the share of the last 10 seconds in which a process waited for CPU, memory\n\
             and IO, THROTTLED how often and how long the CPU quota held processes back, OOM how many were killed for want of\n\
             memory. After such a kill a line says whose limit was reached and, where the kernel's log can be read, which\n\
             process was killed.\n\
             JSON is one line for each look, and has every number in seconds and bytes.",
    examples: "stats\n\
               stats --format json web  # with every number\n\
               stats --metrics --all  # for Prometheus",
    options,
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

fn options() -> Vec<Arg> {
    let mut options = super::options();
    options.extend([
        table::form_option(),
        switch("metrics", "print the counters once in Prometheus' text format, without a wait"),
        switch("stream", "print again and again until interrupted"),
    ]);
    options
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let (form, interval) = (table::form(arguments)?, interval(arguments)?);
    let (as_metrics, stream) = (arguments.switch("metrics"), arguments.switch("stream"));
    let given = |name| arguments.given(name).is_some();
    let others = [("--format", given("format")), ("--interval", given("interval")), ("--stream", stream)];
    if let Some((other, _)) = others.into_iter().find(|(_, given)| as_metrics && *given) {
        let reason = format!("conflicts with {other}: metrics are counters, and are printed once");
        return Err(Error::new(reason)
            .kind(Kind::Argument)
            .field("--metrics")
            .remedy("leave one of both out"));
    }
    let (engine, asked) = begin(session, arguments)?;
    let mut meter = engine.meter(asked)?;
    if as_metrics {
        return streams::print(&metrics(&meter.look()?)).map(|()| 0);
    }
    let text = |samples: Vec<Sample>, first| match form {
        Form::Table => super::table(&samples, Transfers::InAll, first),
        Form::Json => line(&samples),
    };
    super::print(&mut meter, interval, !stream, &text).map(|()| 0)
}

fn line(samples: &[Sample]) -> String {
    let containers = Fact::Array(samples.iter().map(facts).collect());
    let time = Fact::Text(rfc3339_nano(SystemTime::now()));
    json::compact(&Fact::object([("time", time), ("containers", containers)])) + "\n"
}
