//! `resume`.

use super::arguments::Arguments;
use super::session::Session;
use super::{Command, Count, FAILURE, OptionsEnd};
use crate::error::Result;

pub const COMMAND: Command = Command {
    name: "resume",
    about: "resume all processes of a paused container",
    operands: "<container-id>",
    count: Count::Exactly(1),
    options_end: OptionsEnd::Nowhere,
    detail: "",
    options: Vec::new,
    run,
    failure: FAILURE,
};

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    session.engine_for_one()?.resume(&arguments.id()).map(|()| 0)
}
