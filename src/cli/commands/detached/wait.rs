//! `wait`.

use crate::cli::commands::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::{Arguments, Session, streams};
use crate::error::Result;
use crate::shim::detached;
use crate::state::NoRoot;

pub const COMMAND: Command = Command {
    name: "wait",
    about: "wait for the end of a container",
    detail: "Prints the exit code of the container's first process, or 128 plus the number of the signal that ended\n\
             it, and ends with it. A container that was run with --detach --log-output may be gone already: its\n\
             exit code is kept until one like it has its id, for the last 1000 containers.\n\
             Of others how they end is known from Linux 6.15 on, and while `wait` waits.",
    examples: "wait web\n\
               wait web > web.status",
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let code = detached::wait(&session.engine_for_look(NoRoot::Empty)?, &arguments.id())?;
    streams::print(&format!("{code}\n")).map(|()| code)
}
