//! `--regex`: one command on every container whose id an expression matches.

use super::arguments::{Arguments, switch};
use super::session::Session;
use crate::engine::Engine;
use crate::error::{Kind, Result};
use crate::regex::Regex;
use crate::state::NoRoot;
use clap::Arg;

pub fn option() -> Arg {
    switch(
        "regex",
        "act on every container whose id matches <container-id>, a POSIX extended regular expression",
    )
    .short('r')
}

/// Calls `act` with the id that was typed, or with every id that matches it. With an expression one container
/// that refuses does not keep the others: what it said becomes a warning, as in crun. None at all is no error. What ends
/// the wait for one ends the command.
pub fn each(
    session: &Session,
    arguments: &Arguments,
    act: impl Fn(&Engine, &str) -> Result<()>,
) -> Result<()> {
    let id = arguments.id();
    if !arguments.switch("regex") {
        return act(&session.engine_for_change(NoRoot::Empty)?, &id);
    }
    let expression = Regex::new(&id)?;
    let engine = session.engine_for_change(session.of_all())?;
    for id in engine.store.ids()?.iter().filter(|id| expression.is_in(id)) {
        match act(&engine, id) {
            Err(e) if e.detail().kind == Kind::Interrupted => return Err(e.value(id)),
            Err(e) => session.log.warn(&e.value(id)),
            Ok(()) => {}
        }
    }
    Ok(())
}
