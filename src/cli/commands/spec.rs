//! `spec`: a configuration to begin with.

use super::command::{Action, Command, ON_THE_HOST};
use crate::cli::arguments::{option, switch};
use crate::cli::{Arguments, Session};
use crate::error::{Error, Kind, Result};
use crate::host::cgroups;
use crate::report::json;
use crate::spec::Spec;
use crate::spec::template::{CgroupVersion, Runner, template};
use crate::sys::identity;
use clap::Arg;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub const COMMAND: Command = Command {
    name: "spec",
    about: "write an example config.json",
    detail: "Writes config.json for a shell in a terminal, with a root file system in \"rootfs\".\n\
             An existing file is not overwritten.",
    examples: "spec --bundle /srv/web  # writes /srv/web/config.json\n\
               spec --rootless  # in the working directory, for an ordinary user",
    options,
    action: Action::Call(run),
    ..ON_THE_HOST
};

fn options() -> Vec<Arg> {
    vec![
        option("bundle", "DIR", "write to this directory (default: the working directory)").short('b'),
        option("file", "NAME", "write this file instead of config.json; relative to the bundle").short('f'),
        switch("rootless", "write a configuration for an ordinary user"),
    ]
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let name = arguments.path("file").unwrap_or_else(|| PathBuf::from("config.json"));
    let file = arguments.path("bundle").unwrap_or_default().join(name);
    let runner = if arguments.switch("rootless") {
        Runner::Ordinary { uid: identity::euid(), gid: identity::egid() }
    } else {
        Runner::Root
    };
    let version = match cgroups::detect() {
        Ok(layout) if layout.is_unified() => CgroupVersion::V2,
        // A host without cgroups gets the form that asks for less.
        _ => CgroupVersion::V1,
    };
    let spec = Spec { hostname: Some(session.face.name.into()), ..template(runner, version) };
    write_new(&file, json::pretty(&spec, "\t").as_bytes()).map(|()| 0)
}

fn write_new(file: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::AlreadyExists => {
            Error::new(format!("File {} exists. Remove it first", file.display())).kind(Kind::Argument)
        }
        _ => Error::io(format!("write {}", file.display()), &e)
            .field("--bundle")
            .remedy("the directory must exist and be writable"),
    };
    let mut opened =
        OpenOptions::new().write(true).create_new(true).mode(0o644).open(file).map_err(failed)?;
    opened.write_all(bytes).map_err(failed)
}
