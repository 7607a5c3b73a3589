//! `run`: create, start, wait and delete in one.

use super::arguments::{Arguments, switch};
use super::session::Session;
use super::{Command, Count, FAILURE, OptionsEnd, create};
use crate::engine::{AfterExit, Orphans, RunOptions, Wait};
use crate::error::Result;
use clap::Arg;

pub const COMMAND: Command = Command {
    name: "run",
    about: "create and run a container",
    operands: "<container-id>",
    count: Count::Exactly(1),
    options_end: OptionsEnd::Nowhere,
    detail: "Makes a container from a bundle, starts it, waits for its process and deletes it.\n\
             The exit code is that of the process, or 128 and the number of the signal that ended it.",
    options,
    run,
    failure: FAILURE,
};

fn options() -> Vec<Arg> {
    let mut options = create::options();
    options.extend([
        switch("detach", "do not wait for the process").short('d'),
        switch("keep", "keep the container after its process ended"),
    ]);
    options
}

fn parse(arguments: &Arguments) -> RunOptions {
    RunOptions {
        wait: if arguments.switch("detach") { Wait::Detach } else { Wait::Foreground },
        after_exit: if arguments.switch("keep") { AfterExit::Keep } else { AfterExit::Delete },
        orphans: if arguments.switch("no-subreaper") { Orphans::Leave } else { Orphans::Adopt },
    }
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    create::parse(arguments)
        .and_then(|options| session.engine_for_new()?.run(&options, &parse(arguments)))
        .map_err(|e| e.doing(format!("{} run failed", session.name)))
}
