//! `pause`.

use super::arguments::Arguments;
use super::face::Manner;
use super::session::Session;
use super::{Command, Count, FAILURE, OptionsEnd};
use crate::error::{Kind, Result};

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
    match session.engine_for_one()?.pause(&arguments.id()) {
        // crun's users pause what is paused already.
        Err(e) if session.face.manner == Manner::Crun && e.detail().kind == Kind::AlreadySo => Ok(0),
        other => other.map(|()| 0),
    }
}
