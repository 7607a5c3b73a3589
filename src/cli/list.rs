//! `list`.

use super::arguments::{Arguments, option, switch};
use super::face::Manner;
use super::session::Session;
use super::{Command, Count, FAILURE, OptionsEnd, streams, table};
use crate::engine::{ContainerState, Status};
use crate::error::{Error, Kind, Result};
use crate::report::escape::{self, escaped};
use clap::Arg;
use serde::Serialize;
use std::borrow::Cow;

pub const COMMAND: Command = Command {
    name: "list",
    about: "list the containers of a state directory",
    operands: "",
    count: Count::Exactly(0),
    options_end: OptionsEnd::Nowhere,
    detail: "The global option --root names the state directory.",
    options,
    run,
    failure: FAILURE,
};

/// How a command shows what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Table,
    Json,
}

pub fn form_option() -> Arg {
    option("format", "FORMAT", "table (default) or json").short('f')
}

pub fn form(arguments: &Arguments) -> Result<Form> {
    match arguments.text("format")? {
        None | Some("table") => Ok(Form::Table),
        Some("json") => Ok(Form::Json),
        Some(other) => Err(Error::new("invalid format option")
            .kind(Kind::Argument)
            .field("--format")
            .value(other)
            .remedy("use table or json")),
    }
}

fn options() -> Vec<Arg> {
    vec![form_option(), switch("quiet", "show only the ids").short('q')]
}

/// One container in crun's list.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    pid: i32,
    status: Status,
    bundle: &'a str,
    created: &'a str,
    owner: &'a str,
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let form = form(arguments)?;
    let engine = session.engine_for_all()?;
    if arguments.switch("quiet") {
        let ids: String = engine.store.ids()?.into_iter().map(|id| id + "\n").collect();
        return streams::print(&ids).map(|()| 0);
    }
    let states = engine.list()?;
    match (form, session.face.manner) {
        // What Go prints for a list that nothing was put into.
        (Form::Json, Manner::Runc) if states.is_empty() => streams::print("null\n")?,
        (Form::Json, Manner::Runc) => streams::print_json(&states)?,
        (Form::Json, Manner::Crun) => {
            streams::print_pretty_json(&states.iter().map(Row::of).collect::<Vec<_>>())?;
        }
        (Form::Table, Manner::Runc) => {
            let heading = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
            streams::print(&table::render(&rows(heading, states)))?;
        }
        (Form::Table, Manner::Crun) => {
            let heading = ["NAME", "PID", "STATUS", "BUNDLE PATH", "CREATED", "OWNER"];
            streams::print(&table::render_fixed(&rows(heading, states), [0, 10, 9, 40, 31, 0]))?;
        }
    }
    Ok(0)
}

impl Row<'_> {
    fn of(state: &ContainerState) -> Row<'_> {
        Row {
            id: &state.id,
            pid: state.pid,
            status: state.status,
            bundle: &state.bundle,
            created: &state.created,
            owner: &state.owner,
        }
    }
}

fn rows(heading: [&str; 6], states: Vec<ContainerState>) -> Vec<[String; 6]> {
    let mut rows = vec![heading.map(str::to_owned)];
    rows.extend(states.into_iter().map(|state| {
        let (pid, status) = (state.pid.to_string(), state.status.to_string());
        // A record may be another user's: it moves no cursor and begins no line.
        [state.id, pid, status, state.bundle, state.created, state.owner].map(|cell| {
            match escaped(&cell, escape::Form::Plain, &[]) {
                Cow::Borrowed(_) => cell,
                Cow::Owned(escaped) => escaped,
            }
        })
    }));
    rows
}
