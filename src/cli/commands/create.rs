//! `create`, and the options that `run` shares with it.

use super::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::arguments::{number_option, option, switch};
use crate::cli::{Arguments, Session, caller};
use crate::engine::{CreateOptions, Keyring, RootChange, Terminal};
use crate::error::Result;
use clap::Arg;
use std::path::PathBuf;

pub const COMMAND: Command = Command {
    name: "create",
    about: "create a container",
    detail: "Creates a container from a bundle: a directory with config.json and a root file system.\n\
             The container is set up completely, but its program does not run until `start`.",
    examples: "create --bundle /srv/web web  # `start web` runs its program\n\
               create -b /srv/web -p web.pid --console-socket console.sock web  # with a terminal, for an engine",
    options,
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

fn options() -> Vec<Arg> {
    let unused = switch("no-subreaper", "accepted for compatibility; create never adopts orphans");
    [shared_options(), vec![unused]].concat()
}

pub fn shared_options() -> Vec<Arg> {
    vec![
        option("bundle", "DIR", "the bundle (default: the working directory)").short('b'),
        option("config", "FILE", "use this file instead of the bundle's config.json").short('f'),
        option("console-socket", "SOCKET", "unix socket that receives the master of the terminal").short('c'),
        option("pid-file", "FILE", "write the id of the container's first process to this file").short('p'),
        switch("no-pivot", "move the root mount instead of calling pivot_root; needed on an initramfs"),
        switch("no-new-keyring", "keep the caller's session keyring"),
        option("pidfd-socket", "SOCKET", "unix socket that receives a pidfd of the first process"),
        number_option("preserve-fds", "N", "pass on N descriptors, those after 2 and after LISTEN_FDS"),
    ]
}

pub fn parse(arguments: &Arguments) -> Result<CreateOptions<'static>> {
    let (announced, socket_names) = caller::listening()?;
    let (sockets, preserve_fds) = caller::descriptors(announced, arguments.number("preserve-fds"))?;
    Ok(CreateOptions { sockets, socket_names, preserve_fds, ..without_descriptors(arguments)? })
}

/// For a shim, which has the caller's descriptors under other numbers.
pub fn without_descriptors(arguments: &Arguments) -> Result<CreateOptions<'static>> {
    Ok(CreateOptions {
        id: arguments.id(),
        bundle: arguments.path("bundle").unwrap_or_else(|| PathBuf::from(".")),
        config: arguments.path("config"),
        terminal: arguments.path("console-socket").map(Terminal::Socket).unwrap_or_default(),
        streams: [None; 3],
        pid_file: arguments.path("pid-file"),
        root_change: if arguments.switch("no-pivot") { RootChange::MoveMount } else { RootChange::PivotRoot },
        keyring: if arguments.switch("no-new-keyring") { Keyring::Inherit } else { Keyring::New },
        notify_socket: caller::socket("NOTIFY_SOCKET"),
        pidfd_socket: arguments.path("pidfd-socket"),
        seccomp_receiver: caller::text("RUN_OCI_SECCOMP_RECEIVER")?.filter(|path| !path.is_empty()),
        ..CreateOptions::default()
    })
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    parse(arguments)
        .and_then(|options| session.engine_for_new()?.engine.create(&options))
        .map(|_| 0)
        .map_err(|e| e.doing(format!("{} create failed", session.face.name)))
}
