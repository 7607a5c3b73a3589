//! `completion`: a script that teaches a shell our command line.
//!
//! Made from the argument definitions, so that it cannot lag behind them; container ids are asked of the program
//! itself when they are needed. Nothing of what is completed is ever executed by the script.

mod bash;
mod fish;
mod zsh;

use super::arguments::option;
use super::commands::{COMMANDS, Command, ON_THE_HOST};
use super::help::{description, shown};
use super::{Arguments, Session, globals, streams};
use crate::error::{Error, Result};
use clap::Arg;

pub const COMMAND: Command = Command {
    name: "completion",
    about: "print a completion script for a shell",
    operands: "[bash|zsh|fish]",
    count: 0..=1,
    detail: "For the current bash session: source <(rruntime completion bash). `make install` installs the\n\
             scripts where the shells look for them.",
    options: || vec![option("shell", "SHELL", "bash, zsh or fish").short('s')],
    run,
    ..ON_THE_HOST
};

/// A script for the program of this name.
type Script = fn(name: &str) -> String;

const SHELLS: [(&str, Script); 3] = [("bash", bash::script), ("zsh", zsh::script), ("fish", fish::script)];

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let operand = arguments.operands.first().map(|word| word.to_string_lossy());
    let given = arguments.text("shell")?.or(operand.as_deref()).unwrap_or_default();
    let (_, script) = SHELLS
        .iter()
        .find(|(shell, _)| *shell == given)
        .ok_or_else(|| Error::argument("--shell", given, "unknown shell").remedy("use bash, zsh or fish"))?;
    streams::print(&script(session.face.name)).map(|()| 0)
}

/// What the value of an option can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// The option has none, or it follows an equals sign.
    None,
    File,
    Directory,
    Choice(&'static [&'static str]),
    /// Nothing that could be guessed.
    Free,
}

/// By option first, then by the name that help gives the value.
fn value(arg: &Arg) -> Value {
    if !arg.get_action().takes_values() || arg.is_require_equals_set() {
        return Value::None;
    }
    let name = arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str());
    match (arg.get_long(), name) {
        (Some("log-format"), _) => Value::Choice(&["text", "json"]),
        (Some("log-level"), _) => Value::Choice(&["error", "warning", "debug"]),
        (Some("rootless"), _) => Value::Choice(&["true", "false", "auto"]),
        (Some("cgroup-manager"), _) => Value::Choice(&["cgroupfs", "systemd", "disabled"]),
        (Some("cpu-idle"), _) => Value::Choice(&["0", "1"]),
        (Some("shell"), _) => Value::Choice(&["bash", "zsh", "fish"]),
        (_, Some("FORMAT")) => Value::Choice(&["table", "json"]),
        (_, Some("FILE" | "SOCKET" | "TARGET" | "NAME" | "PATH")) => Value::File,
        (_, Some("DIR")) => Value::Directory,
        _ => Value::Free,
    }
}

/// What can stand at the place of an operand.
enum Operand {
    /// A container that exists.
    Container,
    File,
    /// One of the words, which are of this kind.
    Words(&'static str, String),
}

/// Those that can be completed, from the first on.
fn operands(command: &Command) -> Vec<Operand> {
    let operand = |shown: &'static str| match shown {
        "<container-id>" => Some(Operand::Container),
        "<file>" => Some(Operand::File),
        words if words.contains('|') => {
            Some(Operand::Words("word", words.trim_matches(['[', ']']).replace('|', " ")))
        }
        _ => None,
    };
    match command.name {
        // The id is new.
        "create" | "run" => Vec::new(),
        "kill" => vec![Operand::Container, Operand::Words("signal", signals())],
        "manual" => vec![Operand::Words("command", command_names())],
        _ => command.operands.split(' ').map_while(operand).collect(),
    }
}

/// "--bundle" and "-b".
fn spellings(arg: &Arg) -> Vec<String> {
    let long = arg.get_long().map(|long| format!("--{long}"));
    long.into_iter().chain(arg.get_short().map(|short| format!("-{short}"))).collect()
}

fn command_names() -> String {
    COMMANDS.iter().map(|command| command.name).collect::<Vec<_>>().join(" ")
}

/// The signals that `kill` completes.
fn signals() -> String {
    crate::names::SIGNALS.map(|(name, _)| name.trim_start_matches("SIG")).join(" ")
}

/// Inside single quotes, for a shell.
fn quoted(text: &str) -> String {
    text.replace('\'', "'\\''")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every word that a reader can type after the program's name.
    fn words() -> Vec<String> {
        let mut words: Vec<String> = shown(globals::options()).iter().flat_map(spellings).collect();
        for command in COMMANDS {
            words.push(command.name.to_owned());
            words.extend(shown((command.options)()).iter().flat_map(spellings));
        }
        words
    }

    #[test]
    fn every_script_has_every_command_and_option() {
        for (shell, script) in SHELLS {
            let script = script("rruntime");
            for word in words() {
                // fish names options without dashes.
                let wanted = match (shell, word.strip_prefix("--"), word.strip_prefix('-')) {
                    ("fish", Some(long), _) => format!(" -l {long} "),
                    ("fish", None, Some(short)) => format!(" -s {short} "),
                    _ => word,
                };
                assert!(script.contains(&wanted), "{shell}: {wanted}");
            }
        }
    }
}
