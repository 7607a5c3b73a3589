//! What a command is.

use crate::cli::{Arguments, Face, Session};
use crate::error::Result;
use std::ffi::OsString;
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
    /// What a reader may copy, a line each: what stands after the program's name, and behind `  # ` what it does.
    pub examples: &'static str,
    pub options: fn() -> Vec<clap::Arg>,
    pub action: Action,
    /// The exit code if the action fails.
    pub failure: fn(&Face) -> i32,
}

/// What a command does; the exit code is what it returns.
pub enum Action {
    /// Calls the engine, and prints what it says.
    Call(fn(&Session, &Arguments) -> Result<i32>),
    /// Has a command line of its own; the exit code is what it returns.
    Words(fn(&[OsString]) -> i32),
    /// Prints a page or a script that is made of the definitions of all commands.
    Describe(fn(&Session, &Arguments, &[Command]) -> Result<i32>),
}

pub fn find<'a>(commands: &'a [Command], word: &str) -> Option<&'a Command> {
    commands.iter().find(|command| command.name == word)
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
    examples: "",
    options: Vec::new,
    action: Action::Call(|_, _| Ok(0)),
    failure: |_| FAILED,
};

/// The others.
pub const ON_THE_HOST: Command = Command { operands: "", count: 0..=0, ..ON_A_CONTAINER };
