//! `delete`.

use super::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::arguments::switch;
use crate::cli::{Arguments, Session, chosen};
use crate::engine::Force;
use crate::error::Result;
use clap::Arg;

pub const COMMAND: Command = Command {
    name: "delete",
    about: "delete a stopped container and everything that belongs to it",
    detail: "A running container is refused without --force. A container that was created but not started is killed.\n\
             The poststop hooks run when the container is gone.",
    examples: "delete web\n\
               delete --force web  # also if it runs\n\
               delete --force --regex '^test-'  # every container of this prefix",
    options,
    action: Action::Call(run),
    ..ON_A_CONTAINER
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
