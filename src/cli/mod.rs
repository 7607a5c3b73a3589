//! The command line: arguments in, one call of the engine, output out.
//!
//! Global options stand before the command. A command's own options stand before or after the container id,
//! but not after the beginning of a foreign command line (`exec`, `ps`): from there on nothing is ours. The
//! argument definitions exist once, in each command's file; parsing and help both read them, and only those
//! of the command that was called are built.
//!
//! Nothing here changes the host, and every error is returned to `main`, which prints it.

pub mod arguments;
mod caller;
mod chosen;
mod commands;
mod completion;
mod doctor;
mod duration;
mod engines;
mod face;
mod facts;
mod findings;
mod foreground;
mod globals;
mod help;
mod manual;
mod phrases;
mod session;
mod streams;
mod table;
mod tracing;
mod user;
mod version;

use crate::error::{Error, Kind, Result};
use crate::report::{Log, Verbosity};
use arguments::{Arguments, operand_position};
use commands::COMMANDS;
use commands::command::{Action, Command, FAILED, find};
pub use commands::features::text as features;
pub use face::Face;
use face::Manner;
use globals::Invoked;
use session::Session;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Instant;
use tracing::Trace;

/// The whole command line but the program's name. Returns the exit code.
pub fn main(face: &'static Face, arguments: impl Iterator<Item = OsString>) -> i32 {
    let began = Instant::now();
    streams::open_closed();
    streams::settle_signals();
    let words: Vec<OsString> = arguments.collect();
    let early = |error, code| {
        Log::stderr(globals::early_format(face, &words), Verbosity::Usual).fatal(&named(error, face));
        code
    };
    let swallowed = || {
        let own = Some(&words).filter(|_| face.is_own());
        own.and_then(|words| globals::taken_command(words, |word| find(COMMANDS, word).is_some()))
    };
    let (arguments, rest) = match globals::parse(face, &words) {
        Ok((_, [])) if let Some(remedy) = swallowed() => {
            let nothing = Error::new("there is no command").kind(Kind::Argument);
            return early(nothing.remedy(remedy), face.unknown_command);
        }
        Ok((_, [word, ..]))
            if find(COMMANDS, &word.to_string_lossy()).is_none()
                && let Some(remedy) = swallowed() =>
        {
            let unknown = help::unknown_command(face, &word.to_string_lossy(), COMMANDS);
            return early(instead(unknown, remedy), face.unknown_command);
        }
        Ok(parsed) => parsed,
        Err(error) => {
            let error = match swallowed() {
                Some(remedy) => instead(error, remedy),
                None => error,
            };
            return early(misused(face, None, error), face.unknown_option);
        }
    };
    let session = match globals::session(face, &arguments) {
        Ok(session) => session,
        Err(error) => return early(error, FAILED),
    };
    let request = globals::invoked(face, &arguments, rest);
    let (outcome, failure) = match request {
        Invoked::Nothing if face.manner == Manner::Crun => {
            (Err(Error::new("please specify a command").kind(Kind::Argument)), FAILED)
        }
        Invoked::Help | Invoked::Nothing => printed(help::program(face, COMMANDS)),
        Invoked::Version => printed(version::text(&session)),
        Invoked::Command(command, rest) => dispatch(&session, &command.to_string_lossy(), rest, began),
    };
    outcome.unwrap_or_else(|error| {
        session.log.fatal(&named(error, face));
        failure
    })
}

/// The error with another remedy.
fn instead(error: Error, remedy: String) -> Error {
    error.each(&|problem| problem.remedy = Some(remedy.clone().into()))
}

fn printed(page: String) -> (Result<i32>, i32) {
    (streams::print(&page).map(|()| 0), FAILED)
}

/// Remedies that name one of our commands name it as the reader has to type it.
fn named(error: Error, face: &Face) -> Error {
    if face.is_own() {
        return error;
    }
    match phrases::of(face, &error) {
        Some(phrase) => error.saying(phrase),
        None => error,
    }
    .called(face.name)
}

/// The outcome, and the exit code if it is an error.
fn dispatch(session: &Session, word: &str, rest: &[OsString], began: Instant) -> (Result<i32>, i32) {
    let face = session.face;
    let page = |command| printed(help::command(face.name, command));
    if matches!(word, "help" | "h") {
        let word = rest.first().map_or(word.into(), |word| word.to_string_lossy());
        let unknown = || (Err(help::unknown_command(face, &word, COMMANDS)), face.unknown_command);
        return match &*word {
            "help" | "h" | "--help" | "-h" => printed(help::program(face, COMMANDS)),
            _ if word.starts_with('-') => {
                let unknown = Error::new(format!("flag provided but not defined: {word}"));
                (Err(unknown.kind(Kind::Argument)), face.unknown_option)
            }
            _ => find(COMMANDS, &word).map_or_else(unknown, page),
        };
    }
    let Some(command) = find(COMMANDS, word) else {
        return (Err(help::unknown_command(face, word, COMMANDS)), face.unknown_command);
    };
    if let Action::Words(act) = command.action {
        return (Ok(act(rest)), FAILED);
    }
    let name = format!("{} {word}", face.name);
    match Arguments::parse(&name, (command.options)(), command.options_end, rest) {
        Err(error) => {
            // An id that looks like an option is a misunderstanding only where no id stands beside it.
            let alone = operand_position(&(command.options)(), 1, rest) == rest.len();
            let lacks_id = alone && command.operands.starts_with("<container-id>");
            let unknown = error.detail().reason.starts_with("flag provided but not defined: -");
            let error = match &error.detail().remedy {
                Some(remedy) if lacks_id && unknown => {
                    let remedy = format!("{remedy}; an id that begins with - stands behind --");
                    instead(error, remedy)
                }
                _ => error,
            };
            (Err(misused(face, Some(command), error)), face.unknown_option)
        }
        Ok(given) if given.switch("help") => page(command),
        Ok(given) if given.switch("usage") => {
            printed(format!("Usage: {}\n", help::usage(face.name, command)))
        }
        Ok(given) => match check_count(face, command, given.operands.len(), rest) {
            Err(error) => (Err(misused(face, Some(command), error)), FAILED),
            Ok(()) => {
                let outcome = match command.action {
                    Action::Call(act) => traced(session, command, &given, began, act),
                    Action::Describe(act) => act(session, &given, COMMANDS),
                    Action::Words(act) => Ok(act(rest)),
                };
                (outcome, (command.failure)(face))
            }
        },
    }
}

/// Calls a command, with a trace where one is wanted. That of a shim would end when the container does.
fn traced(
    session: &Session,
    command: &Command,
    given: &Arguments,
    began: Instant,
    act: fn(&Session, &Arguments) -> Result<i32>,
) -> Result<i32> {
    let wanted = arguments::TRACED.split(' ').any(|name| name == command.name) && session.shim.is_none();
    let Some(path) = session.trace_file.as_ref().filter(|_| wanted) else { return act(session, given) };
    let trace = Arc::new(Trace::open(path, command.name, given.id(), began)?);
    let outcome = act(&Session { trace: Some(Arc::clone(&trace)), ..session.clone() }, given);
    trace.end(&outcome).unwrap_or_else(|error| session.log.warn(&error));
    outcome
}

/// After a line that cannot be meant runc's users find the usage on standard output, beside the error.
fn misused(face: &Face, command: Option<&Command>, error: Error) -> Error {
    if !face.is_own() && face.manner == Manner::Runc {
        let page = command
            .map_or_else(|| help::program(face, COMMANDS), |command| help::command(face.name, command));
        // The error is what matters, and is told next.
        let _ = streams::print(&format!("Incorrect Usage: {}\n\n{page}", error.detail().reason));
    }
    error
}

/// The texts are the peers', which scripts look for.
fn check_count(face: &Face, command: &Command, count: usize, words: &[OsString]) -> Result<()> {
    let (name, wanted) = (face.name, &command.count);
    let (minimum, maximum) = (wanted.start(), wanted.end());
    let requirement = match count {
        _ if wanted.contains(&count) => return Ok(()),
        _ if minimum == maximum && face.manner == Manner::Runc => format!("exactly {minimum}"),
        _ if count < *minimum => format!("a minimum of {minimum}"),
        _ => format!("a maximum of {maximum}"),
    };
    let text = match face.manner {
        Manner::Runc => format!("{name}: {:?} requires {requirement} argument(s)", command.name),
        Manner::Crun if count == 0 => "please specify a ID for the container".to_owned(),
        Manner::Crun => format!("{name}: `{}` requires {requirement} arguments", command.name),
    };
    let usage = format!("usage: {}", help::usage(name, command));
    // The word that is missing may be what an option has taken.
    let taken = arguments::taken(&(command.options)(), words);
    let remedy = match taken.last().filter(|_| count < *minimum) {
        Some((option, value)) => {
            let (option, value) = (option.to_string_lossy(), value.to_string_lossy());
            format!("{option} has taken {value:?} as its value; {usage}")
        }
        None => usage,
    };
    Err(Error::new(text).kind(Kind::Argument).remedy(remedy))
}
