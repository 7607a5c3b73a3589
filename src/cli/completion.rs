//! `completion`: a script that teaches a shell our command line.
//!
//! Made from the argument definitions, so that it cannot lag behind them; container ids are asked of the program
//! itself when they are needed. Nothing of what is completed is ever executed by the script.

mod bash;
mod fish;
mod words;
mod zsh;

use super::arguments::option;
use super::commands::command::{Action, Command, ON_THE_HOST};
use super::{Arguments, Session, streams};
use crate::error::{Error, Result};

pub const COMMAND: Command = Command {
    name: "completion",
    about: "print a completion script for a shell",
    operands: "[bash|zsh|fish]",
    count: 0..=1,
    detail: "For the current bash session: source <(rruntime completion bash). `make install` installs the\n\
             scripts where the shells look for them.",
    examples: "completion bash > /usr/share/bash-completion/completions/rruntime  # for every user",
    options: || vec![option("shell", "SHELL", "bash, zsh or fish").short('s')],
    action: Action::Describe(run),
    ..ON_THE_HOST
};

/// A script for the program of this name.
type Script = fn(name: &str, commands: &[Command]) -> String;

const SHELLS: [(&str, Script); 3] = [("bash", bash::script), ("zsh", zsh::script), ("fish", fish::script)];

fn run(session: &Session, arguments: &Arguments, commands: &[Command]) -> Result<i32> {
    let operand = arguments.operands.first().map(|word| word.to_string_lossy());
    let given = arguments.text("shell")?.or(operand.as_deref()).unwrap_or_default();
    let (_, script) = SHELLS
        .iter()
        .find(|(shell, _)| *shell == given)
        .ok_or_else(|| Error::argument("--shell", given, "unknown shell").remedy("use bash, zsh or fish"))?;
    streams::print(&script(session.face.name, commands)).map(|()| 0)
}

#[cfg(test)]
mod tests {
    use super::words::spellings;
    use super::*;
    use crate::cli::commands::COMMANDS;
    use crate::cli::globals;
    use crate::cli::help::shown;

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
            let script = script("rruntime", COMMANDS);
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
