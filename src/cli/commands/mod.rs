//! The commands as data, which parsing, help, the manual and the completion scripts read: one file a command.

mod checkpoint;
pub mod command;
pub mod create;
mod delete;
pub mod detached;
mod events;
mod exec;
mod explain;
pub mod features;
mod kill;
mod list;
mod live;
mod mounts;
mod pausing;
mod ps;
mod restore;
mod run;
mod seccomp;
mod spec;
mod start;
mod state;
mod update;

use command::Command;

use super::{completion, doctor, engines, manual, tracing};

/// In the order in which help lists them.
pub const COMMANDS: &[Command] = &[
    detached::attach::COMMAND,
    checkpoint::COMMAND,
    completion::COMMAND,
    create::COMMAND,
    delete::COMMAND,
    doctor::COMMAND,
    engines::COMMAND,
    events::COMMAND,
    exec::COMMAND,
    explain::EXPLAIN,
    features::COMMAND,
    doctor::INFO,
    kill::COMMAND,
    list::COMMAND,
    detached::logs::COMMAND,
    manual::COMMAND,
    mounts::COMMAND,
    pausing::PAUSE,
    ps::COMMAND,
    restore::COMMAND,
    pausing::RESUME,
    run::COMMAND,
    seccomp::COMMAND,
    detached::shim::COMMAND,
    spec::COMMAND,
    start::COMMAND,
    state::COMMAND,
    live::stats::COMMAND,
    live::top::COMMAND,
    tracing::command::COMMAND,
    update::COMMAND,
    explain::VALIDATE,
    detached::wait::COMMAND,
];
