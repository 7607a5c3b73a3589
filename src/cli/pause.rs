//! `pause`.

use super::arguments::Arguments;
use super::session::Session;
use super::{Command, Count, FAILURE, OptionsEnd};
use crate::error::Result;

pub const COMMAND: Command = Command {
    name: "pause",
    about: "suspend all processes of a container",
    operands: "<container-id>",
    count: Count::Exactly(1),
    options_end: OptionsEnd::Nowhere,
    detail: "",
    options: Vec::new,
    run,
    failure: FAILURE,
};

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    session.engine_for_one()?.pause(&arguments.id()).map(|()| 0)
}
