//! What a command says to a reader at a terminal: `error:` with the reason, then `help:` with the remedy.

use super::escape::{Notation, escaped};
use crate::error::Error;
use std::iter::once;

/// What engines look for, and what says nothing to the person who has just typed the command.
const FRAMES: [&str; 3] = [" failed", "unable to start container process", "error during container init"];

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const CYAN: &str = "\x1b[1;36m";
const PLAIN: &str = "\x1b[0m";

/// Whether labels have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    On,
    Off,
}

impl Colours {
    /// As https://no-color.org has it; a terminal that calls itself dumb, or does not say what it is, has none.
    pub fn wanted() -> Colours {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let able = set("TERM").is_some_and(|terminal| terminal != "dumb");
        if able && set("NO_COLOR").is_none() { Colours::On } else { Colours::Off }
    }
}

/// Every problem with its remedy, the first one first.
pub fn render(error: &Error, colours: Colours) -> String {
    let mut out = String::new();
    for problem in once(error).chain(&error.detail().others) {
        let detail = problem.detail();
        let doing = detail.doing.iter().filter(|doing| !FRAMES.iter().any(|frame| doing.ends_with(frame)));
        let sentence: String = doing.map(|doing| format!("{doing}: ")).chain([detail.problem()]).collect();
        out += &line("error", RED, &sentence, colours);
        if let Some(remedy) = detail.remedy() {
            out += &line("help", CYAN, remedy, colours);
        }
    }
    out
}

pub fn warning(message: &str, colours: Colours) -> String {
    line("warning", YELLOW, message, colours)
}

/// Lines within the text are indented: a label at the beginning of one would look like ours.
fn line(label: &str, colour: &str, text: &str, colours: Colours) -> String {
    let (on, off) = if colours == Colours::On { (colour, PLAIN) } else { ("", "") };
    let text = escaped(text, Notation::Plain, &['\n']).replace('\n', "\n  ");
    format!("{on}{label}:{off} {text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(error: &Error) -> String {
        render(error, Colours::Off)
    }

    #[test]
    fn the_reason_stands_first_and_then_what_helps() {
        let error = Error::os("open /nope", libc::ENOENT)
            .field("/mounts/3/source")
            .value("/nope")
            .remedy("make it")
            .doing("mount tmpfs on /opt")
            .doing("unable to start container process")
            .doing("rruntime run failed");
        assert_eq!(
            plain(&error),
            "error: mount tmpfs on /opt: /mounts/3/source = \"/nope\": open /nope: no such file or directory\n\
             help: make it\n"
        );
    }

    #[test]
    fn several_problems_stand_one_below_the_other() {
        let second = Error::new("b").field("/y").remedy("c");
        let error = Error::all(vec![Error::new("a").field("/x"), second]).unwrap();
        assert_eq!(plain(&error), "error: /x: a\nerror: /y: b\nhelp: c\n");
    }

    #[test]
    fn text_from_elsewhere_neither_paints_nor_makes_a_label() {
        let error = Error::new("hook said\nhelp: \u{1b}[2J");
        let wanted = "\u{1b}[1;31merror:\u{1b}[0m hook said\n  help: \\u{1b}[2J\n";
        assert_eq!(render(&error, Colours::On), wanted);
    }
}
