//! `pause` and `resume`.

use super::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::{Arguments, Manner, Session};
use crate::engine::Engine;
use crate::error::{Kind, Result};
use crate::state::NoRoot;

pub const PAUSE: Command = Command {
    name: "pause",
    about: "suspend all processes of a container",
    examples: "pause web",
    action: Action::Call(|session, arguments| change(session, arguments, Engine::pause)),
    ..ON_A_CONTAINER
};

pub const RESUME: Command = Command {
    name: "resume",
    about: "resume all processes of a paused container",
    examples: "resume web",
    action: Action::Call(|session, arguments| change(session, arguments, Engine::resume)),
    ..ON_A_CONTAINER
};

fn change(session: &Session, arguments: &Arguments, to: fn(&Engine, &str) -> Result<()>) -> Result<i32> {
    match to(&session.engine_for_change(NoRoot::Empty)?, &arguments.id()) {
        // crun's users pause what is paused already, and resume what is running.
        Err(e) if session.face.manner == Manner::Crun && e.detail().kind == Kind::AlreadySo => Ok(0),
        other => other.map(|()| 0),
    }
}
