//! `mounts`: mounts of a running container, as crun has it.

use super::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::{Arguments, Session};
use crate::error::{Error, Kind, Result};
use std::ffi::OsString;
use std::path::Path;

pub const COMMAND: Command = Command {
    name: "mounts",
    about: "add mounts to a running container, or remove them",
    operands: "add|remove <container-id> <file>",
    count: 3..=3,
    detail: "The file is a JSON array of mounts, as in config.json; remove reads only the destinations.\n\
             add: makes all mounts or none. It supports binds and file systems of type tmpfs, proc, sysfs, mqueue and\n\
             devpts, but no remount. It creates a missing destination, which stays if a later mount fails.\n\
             remove: unmounts what `mounts add` mounted at a destination, last first. Mounts of config.json stay.",
    examples: "mounts add web mounts.json  # [{\"destination\": \"/data\", \"source\": \"/srv/data\", \"options\": [\"bind\"]}]\n\
               mounts remove web mounts.json",
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    // The count is checked.
    let operand = |i: usize| arguments.operands.get(i).map(OsString::as_os_str).unwrap_or_default();
    let (verb, id, file) = (operand(0), operand(1).to_string_lossy(), Path::new(operand(2)));
    let engine = session.engine_for_process()?.engine;
    match &*verb.to_string_lossy() {
        "add" => engine.add_mounts(&id, file),
        "remove" => engine.remove_mounts(&id, file),
        other => Err(Error::new("mounts can only be added or removed")
            .kind(Kind::Argument)
            .value(other)
            .remedy("write `mounts add ID FILE` or `mounts remove ID FILE`")),
    }
    .map(|()| 0)
}
