//! `kill`.

use super::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::arguments::switch;
use crate::cli::{Arguments, Session, chosen};
use crate::engine::Recipients;
use crate::error::{Error, Kind, Result};
use crate::names;
use clap::Arg;

const DEFAULT: &str = "TERM";

pub const COMMAND: Command = Command {
    name: "kill",
    about: "send a signal to a container's first process",
    operands: "<container-id> [signal]",
    count: 1..=2,
    detail: "The signal is a number, or a name with or without SIG; the default is TERM.\n\
             In a container that shares the host's pid namespace, KILL ends every process.",
    examples: "kill web  # TERM, to its first process\n\
               kill --all web KILL  # every process, at once",
    options,
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

fn options() -> Vec<Arg> {
    vec![
        switch("all", "send the signal to every process in the container").short('a'),
        chosen::option(),
        // `kill ID -0` looks whether there is a container; runc takes it for the signal.
        switch("0", "").short('0').hide(true),
    ]
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let word = arguments.operands.get(1).map(|word| word.to_string_lossy());
    let default = if arguments.switch("0") { "0" } else { DEFAULT };
    let signal = signal(word.as_deref().filter(|word| !word.is_empty()).unwrap_or(default))?;
    let target = if arguments.switch("all") { Recipients::All } else { Recipients::FirstProcess };
    chosen::each(session, arguments, |engine, id| engine.kill(id, signal, target)).map(|()| 0)
}

fn signal(word: &str) -> Result<i32> {
    names::signal(word).ok_or_else(|| {
        Error::new(format!("unknown signal {word:?}"))
            .kind(Kind::Argument)
            .field("signal")
            .remedy("use a number or a name such as TERM, KILL or HUP")
    })
}
