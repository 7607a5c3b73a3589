//! `list`.

use super::command::{Action, Command, ON_THE_HOST};
use crate::cli::arguments::switch;
use crate::cli::facts::Fact;
use crate::cli::table::Form;
use crate::cli::{Arguments, Manner, Session, streams, table};
use crate::engine::ContainerState;
use crate::error::Result;
use crate::report::escape;
use clap::Arg;

pub const COMMAND: Command = Command {
    name: "list",
    about: "list the containers of a state directory",
    detail: "The global option --root names the state directory.",
    examples: "list\n\
               list --format json\n\
               list --quiet  # the ids, one a line",
    options,
    action: Action::Call(run),
    ..ON_THE_HOST
};

fn options() -> Vec<Arg> {
    vec![table::form_option(), switch("quiet", "show only the ids").short('q')]
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let form = table::form(arguments)?;
    let engine = session.engine_for_look(session.of_all())?;
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
        (Form::Table, manner) => {
            let (id, bundle) = match manner {
                Manner::Runc => ("ID", "BUNDLE"),
                Manner::Crun => ("NAME", "BUNDLE PATH"),
            };
            let rows = rows([id, "PID", "STATUS", bundle, "CREATED", "OWNER"], states);
            streams::print(&table::render(&rows, |column, widest| width(manner, column, widest)))?;
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

/// runc's columns are at least 12 wide, with three spaces between. crun's first is as wide as its widest cell and one space.
fn width(manner: Manner, column: usize, widest: usize) -> usize {
    match (manner, column) {
        (_, 5..) => 0,
        (Manner::Runc, _) => (widest + 3).max(12),
        (Manner::Crun, 0) => widest + 1,
        (Manner::Crun, _) => [0, 10, 9, 40, 31][column],
    }
}

fn rows(heading: [&str; 6], states: Vec<ContainerState>) -> Vec<[String; 6]> {
    let mut rows = vec![heading.map(str::to_owned)];
    rows.extend(states.into_iter().map(|state| {
        let (pid, status) = (state.pid.to_string(), state.status.to_string());
        // A record may be another user's: it moves no cursor and begins no line.
        [state.id, pid, status, state.bundle, state.created, state.owner]
            .map(|cell| escape::escape(cell, escape::Notation::Plain))
    }));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_the_widest_cell_and_its_gap() {
        let rows = [["ID", "PID", "", "", "", "OWNER"], ["a-rather-long-id", "1", "", "", "", "root"]];
        let table = table::render(&rows.map(|row| row.map(str::to_owned)), |column, widest| {
            width(Manner::Runc, column, widest)
        });
        assert!(table.starts_with("ID                 PID         "), "{table}");
        assert!(table.contains("\na-rather-long-id   1           "), "{table}");
    }
}
