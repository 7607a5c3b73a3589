//! `shim`: the supervisor of one container or exec, with conmon's command line.

use crate::cli::commands::command::{Action, Command, ON_THE_HOST};
use crate::shim::conmon;
use std::ffi::OsString;

pub const COMMAND: Command = Command {
    name: "shim",
    about: "keep the streams and the exit status of a container",
    operands: "[option ...]",
    detail: "Makes a container, or a process in one, as conmon does and with conmon's options, and stays for it;\n\
             `shim --help` lists them. Without --runtime the runtime is this program. For a container by hand\n\
             `run --detach --log-output FILE` is easier.",
    examples: "shim --help  # every option\n\
               shim --bundle /srv/web --cid web --cuuid web --log-path k8s-file:web.log --container-pidfile web.pid",
    action: Action::Words(run),
    ..ON_THE_HOST
};

fn run(words: &[OsString]) -> i32 {
    // A later one wins.
    let own = ["--runtime", "/proc/self/exe"].map(OsString::from);
    conmon::main(own.into_iter().chain(words.iter().cloned()))
}
