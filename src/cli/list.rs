//! `list`.

use super::arguments::{Arguments, option, switch};
use super::session::Session;
use super::{Command, Count, FAILURE, OptionsEnd, streams, table};
use crate::error::{Error, Kind, Result};
use clap::Arg;

pub const COMMAND: Command = Command {
    name: "list",
    about: "list the containers of a state directory",
    operands: "",
    count: Count::Exactly(0),
    options_end: OptionsEnd::Nowhere,
    detail: "The state directory is that of the global option --root.",
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
            .remedy("table and json are known")),
    }
}

fn options() -> Vec<Arg> {
    vec![form_option(), switch("quiet", "show the ids alone").short('q')]
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let form = form(arguments)?;
    let engine = session.engine_for_all()?;
    if arguments.switch("quiet") {
        let ids: String = engine.store.ids()?.into_iter().map(|id| id + "\n").collect();
        return streams::print(&ids).map(|()| 0);
    }
    let states = engine.list()?;
    match form {
        // What Go prints for a list that nothing was put into.
        Form::Json if states.is_empty() => streams::print("null\n")?,
        Form::Json => streams::print_json(&states)?,
        Form::Table => {
            let mut rows = vec![["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned)];
            rows.extend(states.into_iter().map(|state| {
                let (pid, status) = (state.pid.to_string(), state.status.to_string());
                [state.id, pid, status, state.bundle, state.created, state.owner]
            }));
            streams::print(&table::render(&rows))?;
        }
    }
    Ok(0)
}
