//! `start`.

use super::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::{Arguments, Session, caller};
use crate::error::Result;

pub const COMMAND: Command = Command {
    name: "start",
    about: "start the process of a created container",
    detail: "Returns when the program runs; with NOTIFY_SOCKET set for create and start, returns when the\n\
             program reports that it is ready.",
    examples: "start web",
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let engine = session.engine_for_process()?.engine;
    let started = engine.start(&arguments.id(), caller::socket("NOTIFY_SOCKET").as_deref())?;
    session.await_ready(&engine, &arguments.id(), started);
    Ok(0)
}
