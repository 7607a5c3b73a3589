//! For bash: one function. It finds the command among the words, then offers what can stand at the cursor.

use super::{COMMANDS, Operands, Value, command_names, globals, operands, shown, signals, spellings, value};
use clap::Arg;
use std::collections::BTreeMap;

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

pub fn script(name: &str) -> String {
    let mut table = vec![("", shown(globals::options()))];
    table.extend(COMMANDS.iter().map(|command| (command.name, shown((command.options)()))));
    FRAME
        .replace("VALUED", &valued(&table))
        .replace("CHOICES", &choices(&table))
        .replace("OPTIONS", &options(&table))
        .replace("OPERANDS", &operand_words())
        .replace("NAME", name)
}

/// Options that are not the last word when their value is: "'create --bundle' | 'create -b'".
fn valued(table: &[(&str, Vec<Arg>)]) -> String {
    patterns(table, |arg| value(arg) != Value::None)
}

fn patterns(table: &[(&str, Vec<Arg>)], wanted: impl Fn(&Arg) -> bool) -> String {
    let mut found = Vec::new();
    for (command, options) in table {
        for spelling in options.iter().filter(|arg| wanted(arg)).flat_map(spellings) {
            found.push(format!("'{command} {spelling}'"));
        }
    }
    found.join(" | ")
}

/// The values of options, one line for each kind of value.
fn choices(table: &[(&str, Vec<Arg>)]) -> String {
    let mut kinds: BTreeMap<String, Value> = BTreeMap::new();
    for arg in table.iter().flat_map(|(_, options)| options) {
        let kind = value(arg);
        let reply = match kind {
            Value::None => continue,
            Value::File => "compgen -f".to_owned(),
            Value::Directory => "compgen -d".to_owned(),
            Value::Choice(words) => format!("compgen -W '{}'", words.join(" ")),
            Value::Free => String::new(),
        };
        kinds.insert(reply, kind);
    }
    let mut lines = String::new();
    for (reply, kind) in kinds {
        let action = match kind {
            Value::Free => "return".to_owned(),
            Value::File | Value::Directory => {
                format!("compopt -o filenames 2>/dev/null; COMPREPLY=($({reply} -- \"$current\")); return")
            }
            _ => format!("COMPREPLY=($({reply} -- \"$current\")); return"),
        };
        lines.push_str(&format!("    {}) {action} ;;\n", patterns(table, |arg| value(arg) == kind)));
    }
    lines
}

fn options(table: &[(&str, Vec<Arg>)]) -> String {
    let mut lines = String::new();
    for (command, options) in table {
        let words: Vec<String> = options.iter().flat_map(spellings).collect();
        lines.push_str(&format!("    '{command}') options='{}' ;;\n", words.join(" ")));
    }
    lines
}

/// What completes the first operand, and the signal.
fn operand_words() -> String {
    let names = command_names();
    let mut lines = format!("    ' 0' | 'help 0') words='{names} help' ;;\n");
    let mut with_id = Vec::new();
    for command in COMMANDS {
        match operands(command) {
            Operands::None => {}
            Operands::Container => with_id.push(format!("'{} 0'", command.name)),
            Operands::ContainerAndSignal => {
                with_id.push(format!("'{} 0'", command.name));
                lines.push_str(&format!("    '{} 1') words='{}' ;;\n", command.name, signals()));
            }
            Operands::Command => {
                lines.push_str(&format!("    '{} 0') words='{}' ;;\n", command.name, names));
            }
            Operands::Words(words) | Operands::WordContainerAndFile(words) => {
                let words = words.replace('|', " ");
                lines.push_str(&format!("    '{} 0') words='{words}' ;;\n", command.name));
            }
        }
        if let Operands::WordContainerAndFile(_) = operands(command) {
            with_id.push(format!("'{} 1'", command.name));
            let files = "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$current\")); return";
            lines.push_str(&format!("    '{} 2') {files} ;;\n", command.name));
        }
    }
    let ids = "words=$(\"${COMP_WORDS[0]}\" \"${root[@]}\" list -q 2>/dev/null)";
    lines.push_str(&format!("    {}) {ids} ;;\n", with_id.join(" | ")));
    lines
}
