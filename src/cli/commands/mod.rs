//! The commands as data, which parsing, help, the manual and the completion scripts read: one file a command.

pub mod command;
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

use command::Command;

use super::{completion, manual};

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
