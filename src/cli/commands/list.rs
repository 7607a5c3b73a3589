//! `list`.

use super::command::{Action, Command, ON_THE_HOST};
use crate::cli::arguments::switch;
use crate::cli::facts::Fact;
use crate::cli::table::Form;
use crate::cli::{Arguments, Manner, Session, session::Which, streams, table};
use crate::engine::ContainerState;
use crate::error::Result;
use crate::report::escape::{self, escaped};
use clap::Arg;
use std::borrow::Cow;

pub const COMMAND: Command = Command {
    name: "list",
    about: "list the containers of a state directory",
    detail: "The global option --root names the state directory.",
    options,
    action: Action::Call(run),
    ..ON_THE_HOST
};

fn options() -> Vec<Arg> {
    vec![table::form_option(), switch("quiet", "show only the ids").short('q')]
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let form = table::form(arguments)?;
    let engine = session.engine_for_look(Which::All)?;
    if arguments.switch("quiet") {
        let ids: String = engine.store.ids()?.into_iter().map(|id| id + "\n").collect();
        return streams::print(&ids).map(|()| 0);
    }
    let states = engine.list()?;
    match (form, session.face.manner) {
        (Form::Json, Manner::Runc) => streams::print_list(session.face, &states)?,
        (Form::Json, Manner::Crun) => {
            let rows: Vec<Fact> = states.into_iter().map(crun_row).collect();
            streams::print_list(session.face, &rows)?;
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

/// One container in crun's list.
fn crun_row(state: ContainerState) -> Fact {
    Fact::object([
        ("id", Fact::Text(state.id)),
        ("pid", Fact::Number(state.pid.unsigned_abs().into())),
        ("status", Fact::Text(state.status.to_string())),
        ("bundle", Fact::Text(state.bundle)),
        ("created", Fact::Text(state.created)),
        ("owner", Fact::Text(state.owner)),
    ])
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
