//! The command line: arguments in, one call of the engine, output out. One file a command.
//!
//! Global options stand before the command. A command's own options stand before or after the container id,
//! but not after the beginning of a foreign command line (`exec`, `ps`): from there on nothing is ours. The
//! argument definitions exist once, in each command's file; parsing and help both read them, and only those
//! of the command that was called are built.
//!
//! Nothing here changes the host, and every error is returned to `main`, which prints it.

mod arguments;
mod caller;
mod chosen;
mod completion;
mod create;
mod delete;
mod duration;
mod events;
mod exec;
mod face;
mod features;
mod foreground;
mod globals;
mod help;
mod info;
mod kill;
mod list;
mod manual;
mod mounts;
mod pause;
mod ps;
mod resume;
mod run;
mod session;
mod spec;
mod start;
mod state;
mod streams;
mod table;
mod update;
mod user;
mod version;

use crate::error::{Error, Kind, Result};
use crate::report::{Log, Verbosity};
use arguments::Arguments;
pub use face::Face;
use face::Manner;
use globals::Request;
use session::Session;
use std::ffi::OsString;

/// How many operands (arguments that are not options) a command takes.
#[derive(Clone, Copy, Debug)]
enum Count {
    Exactly(usize),
    AtLeast(usize),
    Between(usize, usize),
}

/// Where a command's options end.
#[derive(Clone, Copy, Debug)]
enum OptionsEnd {
    /// They may stand anywhere.
    Nowhere,
    /// After this operand everything is an operand.
    AfterOperand(usize),
}

/// One command, as data.
struct Command {
    name: &'static str,
    about: &'static str,
    /// The operands, as the usage line shows them.
    operands: &'static str,
    count: Count,
    options_end: OptionsEnd,
    /// More help, in full sentences; may be empty.
    detail: &'static str,
    options: fn() -> Vec<clap::Arg>,
    run: fn(&Session, &Arguments) -> Result<i32>,
    /// The exit code if `run` fails.
    failure: fn(&Face) -> i32,
}

/// In the order in which help lists them.
const COMMANDS: &[Command] = &[
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
    pause::COMMAND,
    ps::COMMAND,
    resume::COMMAND,
    run::COMMAND,
    spec::COMMAND,
    start::COMMAND,
    state::COMMAND,
    update::COMMAND,
];

/// The exit code for an error of rruntime itself, in most commands.
const FAILURE: fn(&Face) -> i32 = |_| FAILED;
const FAILED: i32 = 1;

/// The whole command line but the program's name. Returns the exit code.
pub fn main(face: &'static Face, arguments: impl Iterator<Item = OsString>) -> i32 {
    streams::open_closed();
    streams::ignore_broken_pipes();
    let words: Vec<OsString> = arguments.collect();
    let (session, request) = match globals::parse(face, &words) {
        Ok(parsed) => parsed,
        Err((error, code)) => {
            Log::stderr(globals::usual_format(face), Verbosity::Usual).fatal(&named(error, face));
            return code;
        }
    };
    let (outcome, failure) = match request {
        Request::Nothing if face.manner == Manner::Crun => (Err(no_command()), FAILED),
        Request::Help | Request::Nothing => (streams::print(&help::program(face)).map(|()| 0), FAILED),
        Request::Version => (streams::print(&version::text(&session)).map(|()| 0), FAILED),
        Request::Command(command, rest) => dispatch(&session, &command.to_string_lossy(), rest),
    };
    outcome.unwrap_or_else(|error| {
        session.log.fatal(&named(error, face));
        failure
    })
}

/// Remedies that name one of our commands name it as the reader has to type it.
fn named(error: Error, face: &Face) -> Error {
    if face.is_own() { error } else { error.called(face.name) }
}

fn no_command() -> Error {
    Error::new("please specify a command").kind(Kind::Argument)
}

/// The outcome, and the exit code if it is an error.
fn dispatch(session: &Session, word: &str, rest: &[OsString]) -> (Result<i32>, i32) {
    if matches!(word, "help" | "h") {
        return (help_command(session, rest), FAILED);
    }
    let face = session.face;
    let Some(command) = find(word) else {
        return (Err(help::unknown_command(face, word)), face.unknown_command);
    };
    let parsed = Arguments::parse(
        &format!("{} {}", session.name, command.name),
        (command.options)(),
        command.options_end,
        rest,
    );
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => return (Err(error), face.unknown_option),
    };
    if arguments.switch("help") {
        let printed = streams::print(&help::command(session.name, command));
        return (printed.map(|()| 0), FAILED);
    }
    if arguments.switch("usage") {
        let printed = streams::print(&format!("Usage: {}\n", help::usage(session.name, command)));
        return (printed.map(|()| 0), FAILED);
    }
    match check_count(face, command, arguments.operands.len()) {
        Err(error) => (Err(error), FAILED),
        Ok(()) => ((command.run)(session, &arguments), (command.failure)(face)),
    }
}

fn help_command(session: &Session, rest: &[OsString]) -> Result<i32> {
    let text = match rest.first().map(|word| word.to_string_lossy()) {
        None => help::program(session.face),
        Some(word) => help::command(
            session.name,
            find(&word).ok_or_else(|| help::unknown_command(session.face, &word))?,
        ),
    };
    streams::print(&text).map(|()| 0)
}

fn find(word: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == word)
}

/// The texts are the peers', which scripts look for.
fn check_count(face: &Face, command: &Command, count: usize) -> Result<()> {
    let (name, manner) = (face.name, face.manner);
    let (minimum, maximum, exact) = match command.count {
        Count::Exactly(n) => (n, n, true),
        Count::AtLeast(n) => (n, usize::MAX, false),
        Count::Between(low, high) => (low, high, false),
    };
    let requirement = match count {
        n if (minimum..=maximum).contains(&n) => return Ok(()),
        _ if exact && manner == Manner::Runc => format!("exactly {minimum}"),
        n if n < minimum => format!("a minimum of {minimum}"),
        _ => format!("a maximum of {maximum}"),
    };
    let text = match manner {
        Manner::Runc => format!("{name}: {:?} requires {requirement} argument(s)", command.name),
        Manner::Crun if count == 0 => "please specify a ID for the container".to_owned(),
        Manner::Crun => format!("{name}: `{}` requires {requirement} arguments", command.name),
    };
    Err(Error::new(text).kind(Kind::Argument).remedy(format!("usage: {}", help::usage(name, command))))
}
