//! For zsh: `_arguments` with the options' own help.

use super::words::{Operand, Value, operands, quoted, value};
use crate::cli::commands::command::Command;
use crate::cli::globals;
use crate::cli::help::{description, shown};
use clap::Arg;

pub fn script(name: &str, commands: &[Command]) -> String {
    let mut out = format!(
        "#compdef {name}\n# zsh completion for {name}; made by `{name} completion zsh`\n\
         _{name}_containers() {{\n  local -a ids\n  \
         ids=(${{(f)\"$({name} ${{opt_args[--root]:+--root}} ${{opt_args[--root]}} list -q 2>/dev/null)\"}})\n  \
         _describe container ids\n}}\n\
         _{name}() {{\n  local curcontext=$curcontext state line\n  typeset -A opt_args\n  local -a commands\n  commands=(\n"
    );
    for command in commands {
        out.push_str(&format!("    '{}:{}'\n", command.name, quoted(command.about)));
    }
    out.push_str("  )\n  _arguments -C");
    specifications(&mut out, shown(globals::options()), "    ");
    out.push_str(
        " \\\n    '1:command:->command' '*::argument:->arguments'\n  case $state in\n  \
         command) _describe command commands ;;\n  arguments)\n    case $words[1] in\n",
    );
    for command in commands {
        out.push_str(&format!("    {})\n      _arguments", command.name));
        specifications(&mut out, shown((command.options)()), "        ");
        for (operand, place) in operands(command, commands).into_iter().zip(1..) {
            out.push_str(&match operand {
                Operand::Container => format!(" '{place}:container:_{name}_containers'"),
                Operand::File => format!(" '{place}:file:_files'"),
                Operand::Words(kind, words) => format!(" '{place}:{kind}:({words})'"),
            });
        }
        out.push_str(" ;;\n");
    }
    out.push_str(&format!("    esac ;;\n  esac\n}}\nif [[ $funcstack[1] == _{name} ]]; then\n  _{name} \"$@\"\nelse\n  compdef _{name} {name}\nfi\n"));
    out
}

/// "{-b,--bundle}'[help]:value:_files'", each on a line.
fn specifications(out: &mut String, options: Vec<Arg>, indent: &str) {
    for arg in options {
        let help = quoted(&description(&arg)).replace('[', "\\[").replace(']', "\\]").replace(':', "\\:");
        let action = match value(&arg) {
            Value::None => String::new(),
            Value::File => ":file:_files".to_owned(),
            Value::Directory => ":directory:_files -/".to_owned(),
            Value::Choice(words) => format!(":value:({})", words.join(" ")),
            Value::Free => ":value: ".to_owned(),
        };
        let long = arg.get_long().unwrap_or_default();
        let names = match arg.get_short() {
            Some(short) => format!("{{-{short},--{long}}}"),
            None => format!("--{long}"),
        };
        out.push_str(&format!(" \\\n{indent}'*'{names}'[{help}]{action}'"));
    }
}
