//! Help pages, made from the argument definitions in the shape that users of runc know (NAME, USAGE, OPTIONS); and
//! what helps a reader who types another program's commands from habit.

use super::arguments::help_switches;
use super::commands::command::Command;
use super::face::{Face, Manner};
use super::{globals, version};
use crate::error::{Error, Kind};
use crate::names::nearest;
use clap::Arg;
use std::fmt::Write;

pub const ABOUT: &str = "run containers as the Open Container Initiative specifies them";

/// (a command of other programs, what does its work here, what helps).
const FOREIGN_COMMANDS: [(&str, &str, &str); 9] = [
    ("inspect", "state", ""),
    ("log", "logs", ""),
    ("ls", "list", ""),
    ("remove", "delete", ""),
    ("rm", "delete", ""),
    ("status", "state", ""),
    (
        "stop",
        "kill",
        "`kill <container-id>` sends TERM; `kill <container-id> KILL` ends the container at once",
    ),
    ("unpause", "resume", ""),
    ("version", "--version", ""),
];

/// Scripts look for runc's text; a person gets the command that was probably meant.
pub fn unknown_command(face: &Face, word: &str, commands: &[Command]) -> Error {
    let foreign = FOREIGN_COMMANDS.iter().find(|(known, ..)| *known == word);
    let meant =
        foreign.map(|row| row.1).or_else(|| nearest(word, commands.iter().map(|command| command.name)));
    let reason = match meant {
        _ if !face.is_own() && face.manner == Manner::Runc => {
            format!("unknown command: No help topic for '{word}'")
        }
        None | Some("") => format!("unknown command '{word}'"),
        Some(meant) => format!("unknown command '{word}'; did you mean '{meant}'?"),
    };
    let remedy = match foreign {
        Some((.., remedy)) if !remedy.is_empty() => (*remedy).to_owned(),
        _ => format!("`{} help` lists the commands", face.name),
    };
    Error::new(reason).kind(Kind::Argument).remedy(remedy)
}

/// "rruntime kill [options] <container-id> [signal]"
pub fn usage(name: &str, command: &Command) -> String {
    format!("{name} {} [options] {}", command.name, command.operands).trim_end().to_owned()
}

pub fn command(name: &str, command: &Command) -> String {
    let mut page = format!(
        "NAME:\n   {name} {} - {}\n\nUSAGE:\n   {}\n",
        command.name,
        command.about,
        usage(name, command)
    );
    if !command.detail.is_empty() {
        page.push_str("\nDESCRIPTION:\n");
        for line in command.detail.lines() {
            page.push_str(format!("   {line}").trim_end());
            page.push('\n');
        }
    }
    page.push_str("\nOPTIONS:\n");
    list(&mut page, (command.options)());
    page.push_str("\nEXAMPLES:\n");
    examples(&mut page, &format!("   {name} "), command.examples);
    page
}

/// The examples as they are typed, behind the program's name.
pub fn examples(page: &mut String, head: &str, lines: &str) {
    for line in lines.lines() {
        for part in [head, line, "\n"] {
            page.push_str(part);
        }
    }
}

/// The page of the program itself.
pub fn program(face: &Face, commands: &[Command]) -> String {
    let name = face.name;
    let mut page = format!(
        "NAME:\n   {name} - {ABOUT}\n\nUSAGE:\n   {name} [global options] command [options] [arguments...]\n\n\
         VERSION:\n   {}\n\nCOMMANDS:\n",
        version::lines(name).trim_end().replace('\n', "\n   ")
    );
    let rows = commands.iter().map(|command| (command.name.to_owned(), command.about.to_owned()));
    columns(&mut page, rows.collect());
    page.push_str("\nGLOBAL OPTIONS:\n");
    list(&mut page, globals::options());
    page
}

fn list(page: &mut String, options: Vec<Arg>) {
    columns(page, shown(options).iter().map(|arg| (spelling(arg), description(arg))).collect());
}

/// The options that a reader is shown, with those that every command has.
pub fn shown(mut options: Vec<Arg>) -> Vec<Arg> {
    options.extend(help_switches());
    options.retain(|arg| !arg.is_hide_set());
    options
}

/// "--bundle DIR, -b DIR"
pub fn spelling(arg: &Arg) -> String {
    let value = match arg.get_value_names() {
        Some([value, ..]) if !arg.is_require_equals_set() => format!(" {value}"),
        _ => String::new(),
    };
    let long = arg.get_long().map(|long| format!("--{long}{value}"));
    let short = arg.get_short().map(|short| format!("-{short}{value}"));
    long.into_iter().chain(short).collect::<Vec<_>>().join(", ")
}

pub fn description(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}

fn columns(page: &mut String, rows: Vec<(String, String)>) {
    let width = rows.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
    for (left, right) in rows {
        // Ignored: writing to a String cannot fail.
        let _ = writeln!(page, "   {left:width$}  {right}");
    }
}
