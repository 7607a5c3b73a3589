//! The commands as data, which parsing, help, the manual and the completion scripts read: one file a command.

mod create;
mod delete;
mod events;
mod exec;
mod features;
mod info;
mod kill;
mod list;
mod mounts;
mod pausing;
mod ps;
mod run;
mod spec;
mod start;
mod state;
mod update;

use super::{Arguments, Face, Session, completion, manual};
use crate::error::Result;
use std::ops::RangeInclusive;

/// One command.
pub struct Command {
    pub name: &'static str,
    pub about: &'static str,
    /// The operands (arguments that are not options), as the usage line shows them.
    pub operands: &'static str,
    /// How many of them it takes.
    pub count: RangeInclusive<usize>,
    /// After so many operands everything is an operand; before, options may stand anywhere.
    pub options_end: usize,
    /// More help, in full sentences; may be empty.
    pub detail: &'static str,
    pub options: fn() -> Vec<clap::Arg>,
    pub run: fn(&Session, &Arguments) -> Result<i32>,
    /// The exit code if `run` fails.
    pub failure: fn(&Face) -> i32,
}

/// The exit code for an error of rruntime itself, in most commands.
pub const FAILED: i32 = 1;

/// What most commands have in common: one container, and no option.
pub const ON_A_CONTAINER: Command = Command {
    name: "",
    about: "",
    operands: "<container-id>",
    count: 1..=1,
    options_end: usize::MAX,
    detail: "",
    options: Vec::new,
    run: |_, _| Ok(0),
    failure: |_| FAILED,
};

/// The others.
pub const ON_THE_HOST: Command = Command { operands: "", count: 0..=0, ..ON_A_CONTAINER };

/// In the order in which help lists them.
pub const COMMANDS: &[Command] = &[
    completion::COMMAND,
    create::COMMAND,
    delete::COMMAND,
    events::COMMAND,
    exec::COMMAND,
    features::COMMAND,
    info::COMMAND,
    kill::COMMAND,
    list::COMMAND,
    manual::COMMAND,
    mounts::COMMAND,
    pausing::PAUSE,
    ps::COMMAND,
    pausing::RESUME,
    run::COMMAND,
    spec::COMMAND,
    start::COMMAND,
    state::COMMAND,
    update::COMMAND,
];

pub fn find(word: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == word)
}
