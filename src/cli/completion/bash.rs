//! For bash: one function. It finds the command among the words, then offers what can stand at the cursor.

use super::words::{Operand, Value, names, operands, spellings, value};
use crate::cli::commands::command::Command;
use crate::cli::globals;
use crate::cli::help::shown;
use clap::Arg;

/// NAME is the program, OPTIONS… the parts that are made below. bash splits words at "=", so `--root=DIR` is
/// three of them.
const FRAME: &str = r#"# bash completion for NAME; made by `NAME completion bash`
_NAME() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local command= operands=0 index word root=()
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        [[ ${COMP_WORDS[index+1]} == = ]] && ((index++))
        case "$command $word" in
        ' --root' | ' -r') root=(--root "${COMP_WORDS[++index]}") ;;
        VALUED) ((index++)) ;;
        *' -'*) ;;
        ' '*) command=$word ;;
        *) ((operands++)) ;;
        esac
    done
    COMPREPLY=()
    case "$command $previous" in
CHOICES    esac
    local options= words=
    case $command in
OPTIONS    esac
    if [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$current"))
        return
    fi
    case "$command $operands" in
OPERANDS    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _NAME NAME
"#;

/// Before a reply that is of paths.
const FILES: &str = "compopt -o filenames 2>/dev/null; ";

pub fn script(name: &str, commands: &[Command]) -> String {
    let mut table = vec![("", shown(globals::options()))];
    table.extend(commands.iter().map(|command| (command.name, shown((command.options)()))));
    FRAME
        // An option is not the last word when its value is.
        .replace("VALUED", &patterns(&table, |arg| value(arg) != Value::None))
        .replace("CHOICES", &choices(&table))
        .replace("OPTIONS", &options(&table))
        .replace("OPERANDS", &operand_words(commands))
        .replace("NAME", name)
}

/// "'create --bundle' | 'create -b'"
fn patterns(table: &[(&str, Vec<Arg>)], wanted: impl Fn(&Arg) -> bool) -> String {
    let of_command = |(command, options): &(&str, Vec<Arg>)| -> Vec<String> {
        let spellings = options.iter().filter(|arg| wanted(arg)).flat_map(spellings);
        spellings.map(|spelling| format!("'{command} {spelling}'")).collect()
    };
    table.iter().flat_map(of_command).collect::<Vec<_>>().join(" | ")
}

/// The values of options, one line for each kind of value.
fn choices(table: &[(&str, Vec<Arg>)]) -> String {
    let mut kinds: Vec<(String, Value)> = Vec::new();
    for kind in table.iter().flat_map(|(_, options)| options).map(value) {
        let action = match kind {
            Value::None => continue,
            Value::File => reply("compgen -f", FILES),
            Value::Directory => reply("compgen -d", FILES),
            Value::Choice(words) => reply(&format!("compgen -W '{}'", words.join(" ")), ""),
            Value::Free => "return".to_owned(),
        };
        if !kinds.iter().any(|(known, _)| *known == action) {
            kinds.push((action, kind));
        }
    }
    let line = |(action, kind)| format!("    {}) {action} ;;\n", patterns(table, |arg| value(arg) == kind));
    kinds.into_iter().map(line).collect()
}

fn options(table: &[(&str, Vec<Arg>)]) -> String {
    let mut lines = String::new();
    for (command, options) in table {
        let words: Vec<String> = options.iter().flat_map(spellings).collect();
        lines.push_str(&format!("    '{command}') options='{}' ;;\n", words.join(" ")));
    }
    lines
}

fn operand_words(commands: &[Command]) -> String {
    let mut lines = format!("    ' 0' | 'help 0') words='{} help' ;;\n", names(commands));
    let mut with_id = Vec::new();
    for command in commands {
        for (index, operand) in operands(command, commands).into_iter().enumerate() {
            let place = format!("'{} {index}'", command.name);
            let action = match operand {
                Operand::Container => {
                    with_id.push(place);
                    continue;
                }
                Operand::Words(_, words) => format!("words='{words}'"),
                Operand::File => reply("compgen -f", FILES),
            };
            lines.push_str(&format!("    {place}) {action} ;;\n"));
        }
    }
    let ids = "words=$(\"${COMP_WORDS[0]}\" \"${root[@]}\" list -q 2>/dev/null)";
    lines.push_str(&format!("    {}) {ids} ;;\n", with_id.join(" | ")));
    lines
}

fn reply(words: &str, first: &str) -> String {
    format!("{first}COMPREPLY=($({words} -- \"$current\")); return")
}
