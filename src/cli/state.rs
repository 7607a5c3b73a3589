//! `state`.

use super::arguments::Arguments;
use super::session::Session;
use super::{Command, Count, FAILURE, OptionsEnd, streams};
use crate::error::Result;

pub const COMMAND: Command = Command {
    name: "state",
    about: "show the state of a container",
    operands: "<container-id>",
    count: Count::Exactly(1),
    options_end: OptionsEnd::Nowhere,
    detail: "Prints the state as JSON. The pid of a stopped container is 0.",
    options: Vec::new,
    run,
    failure: FAILURE,
};

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let state = session.engine_for_one()?.state(&arguments.id())?;
    streams::print_pretty_json(&state).map(|()| 0)
}
