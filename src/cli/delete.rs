//! `delete`.

use super::arguments::{Arguments, switch};
use super::session::Session;
use super::{Command, Count, FAILURE, OptionsEnd, chosen};
use crate::engine::Force;
use crate::error::Result;
use clap::Arg;

pub const COMMAND: Command = Command {
    name: "delete",
    about: "delete a stopped container and everything that belongs to it",
    operands: "<container-id>",
    count: Count::Exactly(1),
    options_end: OptionsEnd::Nowhere,
    detail: "A running container is refused without --force. A container that was created but not started is killed.\n\
             The poststop hooks run when the container is gone.",
    options,
    run,
    failure: FAILURE,
};

fn options() -> Vec<Arg> {
    vec![
        switch("force", "kill the container first if it is running; ignore an unknown id").short('f'),
        chosen::option(),
    ]
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let force = if arguments.switch("force") { Force::Kill } else { Force::OnlyStopped };
    chosen::each(session, arguments, |engine, id| engine.delete(id, force)).map(|()| 0)
}
