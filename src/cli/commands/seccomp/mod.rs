//! `seccomp`: profiles made from what a container does.

mod record;
mod recorder;

use super::command::{Action, Command, ON_A_CONTAINER};
use super::create;
use crate::cli::arguments::option;
use crate::cli::{Arguments, Session};
use crate::error::{Error, Kind, Result};
use clap::Arg;

pub const COMMAND: Command = Command {
    name: "seccomp",
    about: "write the least seccomp profile that a container needs",
    operands: "record <container-id>",
    count: 2..=2,
    detail: "record: runs a container as `run` does, but without the filter of its config, and writes the least profile\n\
             under which it can run again: the system calls that its processes make, and those of `exec` meanwhile, with\n\
             what the init of rruntime, runc or crun does behind its filter.",
    examples: "seccomp record --bundle /srv/web --output web.json web  # then linux.seccomp of its config.json\n\
               seccomp record --merge web.json --output web.json --bundle /srv/web web  # what another run does, in addition",
    options,
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

fn options() -> Vec<Arg> {
    let mut options = create::shared_options();
    options.extend([
        option("output", "FILE", "record: where the profile is written (default: seccomp.json)").short('o'),
        option("merge", "FILE", "record: a profile that was recorded before; the new one has its calls too"),
    ]);
    options
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    match &*arguments.id() {
        "record" => record::record(session, arguments)
            .map_err(|e| e.doing(format!("{} seccomp record failed", session.face.name))),
        other => Err(Error::new("there is no such subcommand")
            .kind(Kind::Argument)
            .value(other)
            .remedy("write `seccomp record ID`")),
    }
}
