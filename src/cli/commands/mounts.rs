//! `mounts`: mounts of a running container, as crun has it.

use super::command::{Action, Command, ON_A_CONTAINER};
use super::update::is_access;
use crate::cli::arguments::option;
use crate::cli::{Arguments, Session};
use crate::engine::DeviceOptions;
use crate::error::{Error, Kind, Result};
use std::ffi::OsString;
use std::path::Path;

pub const COMMAND: Command = Command {
    name: "mounts",
    about: "add mounts to a running container, or remove them",
    operands: "add|remove <container-id> [<file>]",
    count: 2..=4,
    detail: "The file is a JSON array of mounts, as in config.json; remove reads only the destinations.\n\
             add: makes all mounts or none. It supports binds and file systems of type tmpfs, proc, sysfs, mqueue and\n\
             devpts, but no remount. It creates a missing destination, which stays if a later mount fails.\n\
             A mount on top of another one is made, with a warning.\n\
             remove: unmounts what `mounts add` mounted at a destination, last first. Mounts of config.json stay.\n\
             --device, without a file: add makes a node of this device of the host, and opens it by a device rule\n\
             (CONTAINERPATH as PATH, ACCESS rwm, unless they are given); remove, with CONTAINERPATH, takes both away.\n\
             What has the device open keeps it. Refused is a place on a mount that outlives the container, as a volume.",
    options: || {
        vec![option("device", "PATH[:CONTAINERPATH[:ACCESS]]", "a device of the host in place of the file")]
    },
    examples: "mounts add web mounts.json  # [{\"destination\": \"/data\", \"source\": \"/srv/data\", \"options\": [\"bind\"]}]\n\
               mounts remove web mounts.json\n\
               mounts add --device /dev/fuse web\n\
               mounts remove --device /dev/fuse web",
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    // The count is checked.
    let operand = |i: usize| arguments.operands.get(i).map(OsString::as_os_str).unwrap_or_default();
    let (verb, id, file) = (operand(0), operand(1).to_string_lossy(), Path::new(operand(2)));
    let device = arguments.text("device")?;
    if verb != "add" && verb != "remove" {
        return Err(Error::new("mounts can only be added or removed")
            .kind(Kind::Argument)
            .value(verb.to_string_lossy())
            .remedy("write `mounts add ID FILE` or `mounts remove ID FILE`"));
    }
    // As in `mount SOURCE DESTINATION`.
    if let Some(destination) = arguments.operands.get(3) {
        return Err(Error::new("a mount is described in a file")
            .kind(Kind::Argument)
            .value(destination.to_string_lossy())
            .remedy(
                "write [{\"destination\": …, \"source\": …, \"options\": [\"bind\"]}] into a file, and name that after the id",
            ));
    }
    if device.is_some() == (arguments.operands.len() == 3) {
        return Err(Error::new("a file with mounts, or --device, is needed, and not both")
            .kind(Kind::Argument)
            .remedy("write `mounts add ID FILE` or `mounts add --device PATH ID`"));
    }
    let engine = session.engine_for_process()?.engine;
    match (verb == "add", device) {
        (true, Some(device)) => engine.add_device(&id, &parse(device)?),
        (false, Some(inside)) => engine.remove_device(&id, inside),
        (true, None) => engine.add_mounts(&id, file),
        (false, None) => engine.remove_mounts(&id, file),
    }
    .map(|()| 0)
}

/// `PATH[:CONTAINERPATH[:ACCESS]]`, or `PATH:ACCESS`, as Docker's --device has it.
fn parse(text: &str) -> Result<DeviceOptions> {
    let parts: Vec<&str> = text.split(':').collect();
    let (path, inside, access) = match parts[..] {
        [path] => (path, path, "rwm"),
        [path, inside] if inside.starts_with('/') => (path, inside, "rwm"),
        [path, access] => (path, path, access),
        [path, inside, access] => (path, inside, access),
        _ => ("", "", ""),
    };
    if !path.starts_with('/') || !inside.starts_with('/') || !is_access(access) {
        let form =
            "must be PATH[:CONTAINERPATH[:ACCESS]]: absolute paths, and some of the letters r, w and m";
        return Err(Error::argument("--device", text, form));
    }
    Ok(DeviceOptions { path: path.into(), inside: inside.to_owned(), access: access.to_owned() })
}
