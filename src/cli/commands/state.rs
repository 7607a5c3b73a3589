//! `state`.

use super::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::{Arguments, Session, streams};
use crate::error::Result;
use crate::state::NoRoot;

pub const COMMAND: Command = Command {
    name: "state",
    about: "show the state of a container",
    detail: "Prints the state as JSON. The pid of a stopped container is 0.",
    examples: "state web\n\
               state web | jq -r .status",
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let state = session.engine_for_look(NoRoot::Empty)?.state(&arguments.id())?;
    streams::print_pretty_json(&state).map(|()| 0)
}
