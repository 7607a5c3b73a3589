//! What can stand at each place of a command line, for any shell.

use crate::cli::commands::command::Command;
use clap::Arg;

/// What the value of an option can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// The option has none, or it follows an equals sign.
    None,
    File,
    Directory,
    Choice(&'static [&'static str]),
    /// Nothing that could be guessed.
    Free,
}

/// By option first, then by the name that help gives the value.
pub fn value(arg: &Arg) -> Value {
    if !arg.get_action().takes_values() || arg.is_require_equals_set() {
        return Value::None;
    }
    let name = arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str());
    match (arg.get_long(), name) {
        (Some("log-format"), _) => Value::Choice(&["text", "json"]),
        (Some("log-level"), _) => Value::Choice(&["error", "warning", "debug"]),
        (Some("rootless"), _) => Value::Choice(&["true", "false", "auto"]),
        (Some("cgroup-manager"), _) => Value::Choice(&["cgroupfs", "systemd", "disabled"]),
        (Some("sort"), _) => Value::Choice(&["cpu", "memory", "io", "tasks", "id"]),
        (Some("cpu-idle"), _) => Value::Choice(&["0", "1"]),
        (Some("shell"), _) => Value::Choice(&["bash", "zsh", "fish"]),
        (_, Some("ENGINE")) => Value::Choice(&["podman", "docker", "containerd", "cri-o"]),
        (_, Some("FORMAT")) => Value::Choice(&["table", "json"]),
        (_, Some("FILE" | "SOCKET" | "TARGET" | "NAME" | "PATH")) => Value::File,
        (_, Some("DIR")) => Value::Directory,
        _ => Value::Free,
    }
}

/// What can stand at the place of an operand.
pub enum Operand {
    /// A container that exists.
    Container,
    File,
    /// One of the words, which are of this kind.
    Words(&'static str, String),
}

/// Those that can be completed, from the first on.
pub fn operands(command: &Command, commands: &[Command]) -> Vec<Operand> {
    let operand = |shown: &'static str| match shown {
        "<container-id>" | "[container-id...]" => Some(Operand::Container),
        "<file>" | "[<file>]" => Some(Operand::File),
        words if words.contains('|') => {
            Some(Operand::Words("word", words.trim_matches(['[', ']']).replace('|', " ")))
        }
        _ => None,
    };
    match command.name {
        // The id is new.
        "create" | "run" => Vec::new(),
        "kill" => vec![Operand::Container, Operand::Words("signal", signals())],
        "seccomp" => vec![Operand::Words("subcommand", "record check".to_owned()), Operand::File],
        "manual" => vec![Operand::Words("command", names(commands))],
        _ => command.operands.split(' ').map_while(operand).collect(),
    }
}

/// "--bundle" and "-b".
pub fn spellings(arg: &Arg) -> Vec<String> {
    let long = arg.get_long().map(|long| format!("--{long}"));
    long.into_iter().chain(arg.get_short().map(|short| format!("-{short}"))).collect()
}

pub fn names(commands: &[Command]) -> String {
    commands.iter().map(|command| command.name).collect::<Vec<_>>().join(" ")
}

/// The signals that `kill` completes.
fn signals() -> String {
    crate::names::signal_names().collect::<Vec<_>>().join(" ")
}

/// Inside single quotes, for a shell.
pub fn quoted(text: &str) -> String {
    text.replace('\'', "'\\''")
}
