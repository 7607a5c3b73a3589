//! For fish: one `complete` for each option.

use super::words::{Operand, Value, operands, quoted, value};
use crate::cli::commands::command::Command;
use crate::cli::globals;
use crate::cli::help::{description, shown};
use clap::Arg;

pub fn script(name: &str, commands: &[Command]) -> String {
    let mut out =
        format!("# fish completion for {name}; made by `{name} completion fish`\ncomplete -c {name} -f\n");
    options(&mut out, name, "__fish_use_subcommand", shown(globals::options()));
    for command in commands {
        out.push_str(&format!(
            "complete -c {name} -n __fish_use_subcommand -a {} -d '{}'\n",
            command.name,
            quoted(command.about)
        ));
        let seen = format!("'__fish_seen_subcommand_from {}'", command.name);
        options(&mut out, name, &seen, shown((command.options)()));
        let mut words = Vec::new();
        for operand in operands(command, commands) {
            match operand {
                Operand::Container => words.push(format!("({name} list -q 2>/dev/null)")),
                Operand::File => out.push_str(&format!("complete -c {name} -n {seen} -F\n")),
                Operand::Words(_, those) => words.push(those),
            }
        }
        if !words.is_empty() {
            out.push_str(&format!("complete -c {name} -n {seen} -a '{}'\n", words.join(" ")));
        }
    }
    out
}

fn options(out: &mut String, name: &str, condition: &str, options: Vec<Arg>) {
    for arg in options {
        out.push_str(&format!("complete -c {name} -n {condition}"));
        if let Some(long) = arg.get_long() {
            out.push_str(&format!(" -l {long}"));
        }
        if let Some(short) = arg.get_short() {
            out.push_str(&format!(" -s {short}"));
        }
        out.push_str(&match value(&arg) {
            Value::None => String::new(),
            Value::File => " -r -F".to_owned(),
            Value::Directory => " -x -a '(__fish_complete_directories)'".to_owned(),
            Value::Choice(words) => format!(" -x -a '{}'", words.join(" ")),
            Value::Free => " -x".to_owned(),
        });
        out.push_str(&format!(" -d '{}'\n", quoted(&description(&arg))));
    }
}
