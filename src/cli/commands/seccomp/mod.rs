//! `seccomp`: profiles made from what a container does, and checked before one runs.

mod check;
mod record;
mod recorder;

use super::command::{Action, Command, ON_A_CONTAINER};
use super::create;
use crate::cli::arguments::{option, switch};
use crate::cli::{Arguments, Session};
use crate::error::{Error, Kind, Result};
use clap::Arg;

pub const COMMAND: Command = Command {
    name: "seccomp",
    about: "write the least seccomp profile that a container needs, or check one",
    operands: "record <container-id> | check <bundle>|<profile>",
    count: 2..=2,
    detail: "record: runs a container as `run` does, but without the filter of its config, and writes the least profile\n\
             under which it can run again: the system calls that its processes make, and those of `exec` meanwhile, with\n\
             what the init of rruntime, runc or crun does behind its filter.\n\
             check: says which calls a profile denies that every program and rruntime's init need, and those that a\n\
             recorded profile or a list has (--against). The exit code is 0 if it is fine, 1 if it cannot be read or is\n\
             not valid, and 2 if it denies a call that is needed or names one that no kernel has.",
    examples: "seccomp record --bundle /srv/web --output web.json web  # then linux.seccomp of its config.json\n\
               seccomp record --merge web.json --output web.json --bundle /srv/web web  # what another run does, in addition\n\
               seccomp check /srv/web  # the profile of its config.json\n\
               seccomp check --against web.json /srv/web  # whether it allows what was recorded",
    options,
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

/// The options of `check`; the others are those of `record`.
const OF_CHECK: &[&str] = &["against", "json"];

fn options() -> Vec<Arg> {
    let mut options = create::shared_options();
    options.extend([
        option("output", "FILE", "record: where the profile is written (default: seccomp.json)").short('o'),
        option("merge", "FILE", "record: a profile that was recorded before; the new one has its calls too"),
        option(
            "against",
            "FILE",
            "check: what must be allowed: a recorded profile, a bundle, or a list of calls",
        ),
        switch("json", "check: print JSON"),
    ]);
    options
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let word = arguments.id();
    let outcome = match &*word {
        "record" => refuse(arguments, "check").and_then(|()| record::record(session, arguments)),
        "check" => refuse(arguments, "record").and_then(|()| check::check(arguments)),
        other => {
            return Err(Error::new("there is no such subcommand")
                .kind(Kind::Argument)
                .value(other)
                .remedy("write `seccomp record ID` or `seccomp check FILE`"));
        }
    };
    outcome.map_err(|e| e.doing(format!("{} seccomp {word} failed", session.face.name)))
}

/// Options of this subcommand, which is not the one that is called.
fn refuse(arguments: &Arguments, subcommand: &str) -> Result<()> {
    let options = options();
    let names = options.iter().filter_map(Arg::get_long);
    let mut theirs = names.filter(|name| OF_CHECK.contains(name) == (subcommand == "check"));
    match theirs.find(|name| arguments.is_given(name)) {
        Some(name) => Err(Error::new(format!("belongs to `seccomp {subcommand}`"))
            .kind(Kind::Argument)
            .field(format!("--{name}"))
            .remedy("leave it out")),
        None => Ok(()),
    }
}
