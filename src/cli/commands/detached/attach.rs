//! `attach`.

use crate::cli::arguments::{option, switch};
use crate::cli::commands::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::foreground::attached::{Attached, Left};
use crate::cli::session::Attended;
use crate::cli::{Arguments, Session};
use crate::error::{Error, Result};
use crate::shim::detached::{self, attach};
use crate::state::{Life, NoRoot};
use clap::Arg;

pub const COMMAND: Command = Command {
    name: "attach",
    about: "connect to the streams of a detached container",
    detail: "Of a container that was run with --detach --log-output. Shows what its process writes from now on, and\n\
             writes our standard input to it if it has a terminal or was run with --stdin; the end of ours is the\n\
             end of the process's.\n\
             Ends with the container's exit code when that ends; with 0 after --detach-keys, and the container\n\
             goes on. A signal to `attach` ends `attach` alone.",
    examples: "attach web  # ctrl-p ctrl-q leaves a terminal, and the container goes on\n\
               attach --no-stdin web  # only look",
    options,
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

fn options() -> Vec<Arg> {
    let no_stdin = switch("no-stdin", "do not write to the process");
    vec![
        no_stdin,
        option(
            "detach-keys",
            "KEYS",
            "what leaves a container with a terminal: characters or ctrl-CHARACTER, with commas between them \
         (default: ctrl-p,ctrl-q; empty: nothing)",
        ),
    ]
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let keys = keys(arguments.given_text("detach-keys")?.unwrap_or("ctrl-p,ctrl-q"))?;
    let Attended { engine, signals } = session.engine_for_process()?;
    let place = detached::of_shim(&engine, &arguments.id())?;
    let about = place.about()?.unwrap_or_default();
    let writes = (about.stdin || about.terminal) && !arguments.switch("no-stdin");
    let socket = attach::connect(&place)?;
    let keys = if about.terminal { keys } else { Vec::new() };
    match Attached::new(socket, &signals, keys, about.terminal).join(&place, writes)? {
        Left::Keys | Left::Reader => Ok(0),
        Left::Shim if place.process().is_some_and(|process| process.life() == Life::Alive) => Err(
            Error::new("the shim has closed the connection; the container goes on").value(&place.id).remedy(
                "64 clients at most are attached at a time, and one that reads nothing for 60 s is no more",
            ),
        ),
        Left::Shim => {
            // A signal ends this wait as any other.
            drop((engine, signals));
            detached::wait(&session.engine_for_look(NoRoot::Empty)?, &arguments.id())
        }
    }
}

fn keys(text: &str) -> Result<Vec<u8>> {
    let key = |word: &str| match word.strip_prefix("ctrl-").map_or(word, |_| &word[5..]).as_bytes() {
        [letter @ (b'@'..=b'_' | b'a'..=b'z')] if word.len() > 1 => Some(letter.to_ascii_uppercase() - b'@'),
        [character] if word.len() == 1 => Some(*character),
        _ => None,
    };
    let words = text.split(',').filter(|_| !text.is_empty());
    words.map(key).collect::<Option<_>>().ok_or_else(|| {
        Error::argument(
            "--detach-keys",
            text,
            "must be characters or ctrl-CHARACTER, with commas between them",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_characters_or_control_characters() {
        assert_eq!(keys("ctrl-p,ctrl-q").ok(), Some(vec![16, 17]));
        assert_eq!(keys("a,ctrl-@,ctrl-]").ok(), Some(vec![b'a', 0, 29]));
        assert_eq!(keys("").ok(), Some(vec![]));
        for wrong in ["ctrl-", "ab", "a,", "ctrl-ab", "ctrl-1"] {
            assert!(keys(wrong).is_err(), "{wrong}");
        }
    }
}
