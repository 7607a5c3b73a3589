//! Bad input: whatever is wrong gets one error that names the field or the argument, the value, the reason and what
//! helps, and nothing stays on the machine. What peers accept with a warning is accepted with a warning.

mod arguments;
mod config;
mod mutated;
mod mutator;
mod programs;
mod types;
mod warnings;

use crate::support::leftovers::assert_nothing_left;
use crate::support::{Container, Ended};

/// What an error has to tell: each word of the list must be in it. The first is the field or the argument.
type Words = &'static [&'static str];

/// The command failed with one line that has these words, and nothing is left.
#[track_caller]
fn assert_refused(what: &str, container: &Container, ended: &Ended, words: &[&str]) {
    assert_eq!(lacks(ended, words), None, "{what}");
    assert_nothing_left(container);
}

/// What is missing in how a command was refused.
fn lacks(ended: &Ended, words: &[&str]) -> Option<String> {
    if ended.code != 1 {
        return Some(format!("exit code 1: {ended:?}"));
    }
    let lines: Vec<&str> = ended.err.lines().filter(|line| line.contains("level=error")).collect();
    let [line] = lines[..] else { return Some(format!("one error: {}", ended.err)) };
    // The text form escapes quotes.
    let line = line.replace('\\', "");
    let missing = words.iter().find(|word| !line.contains(**word))?;
    Some(format!("{missing:?}: {line}"))
}
