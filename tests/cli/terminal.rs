//! What a person at a terminal sees: the reason, then the remedy, in colours where they are wanted.

use crate::support::cli::on_terminal;
use std::process::Command;

/// What appears on a terminal that is standard error.
fn shown(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rruntime"));
    command.args(arguments);
    on_terminal(command, None, |command, end| {
        command.envs(environment.iter().copied()).stderr(end);
    })
    .1
}

#[test]
fn the_reason_stands_first_and_the_remedy_below_it() {
    let plain = &[("NO_COLOR", "1")];
    assert_eq!(
        shown(&["creat"], plain),
        "error: unknown command 'creat'; did you mean 'create'?\nhelp: `rruntime help` lists the commands\n"
    );
    let text = shown(&["run", "--bundle", "/nope", "web"], plain);
    let wanted =
        "error: --bundle = \"/nope\": read /nope/config.json: no such file or directory\nhelp: a bundle is ";
    assert!(text.starts_with(wanted), "{text}");
    let text = shown(&["state", "nope"], plain);
    assert!(
        text.starts_with("error: \"nope\": container does not exist\nhelp: `rruntime list` shows"),
        "{text}"
    );
}

#[test]
fn colours_are_for_terminals_and_for_who_wants_them() {
    let coloured =
        "\u{1b}[1;31merror:\u{1b}[0m \"nope\": container does not exist\n\u{1b}[1;36mhelp:\u{1b}[0m ";
    let plain = "error: \"nope\": container does not exist\nhelp: ";
    let line = ["state", "nope"];
    assert!(shown(&line, &[]).starts_with(coloured));
    assert!(shown(&line, &[("NO_COLOR", "")]).starts_with(coloured), "an empty variable is none");
    assert!(shown(&line, &[("NO_COLOR", "0")]).starts_with(plain));
    assert!(shown(&line, &[("TERM", "dumb")]).starts_with(plain));
    assert!(!shown(&["--log-format=json", "state", "nope"], &[]).contains('\u{1b}'));
    assert!(!crate::support::cli::rruntime(&line).err.contains('\u{1b}'));
}

#[test]
fn warnings_have_their_own_label() {
    let text = shown(&["--criu", "/x", "state", "nope"], &[]);
    assert!(text.starts_with("\u{1b}[1;33mwarning:\u{1b}[0m --criu is ignored"), "{text}");
}
