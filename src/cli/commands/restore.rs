//! `restore`: make a container again from the files of a checkpoint.

use super::checkpoint;
use super::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::arguments::{number_option, option, switch};
use crate::cli::foreground::{self, Orphans};
use crate::cli::session::Attended;
use crate::cli::{Arguments, Session, caller};
use crate::engine::{CreateOptions, Label, RestoreOptions, RootChange, Terminal};
use crate::error::{Error, Result};
use crate::sys::identity;
use crate::sys::wait::Ended;
use clap::Arg;
use std::os::fd::AsFd;
use std::path::PathBuf;

pub const COMMAND: Command = Command {
    name: "restore",
    about: "make a container again from the files of a checkpoint",
    detail: "Makes the container of a bundle, and in it the processes that `checkpoint` has written to files. Mounts,\n\
             rights and namespaces are those of the bundle's config, whatever the files say. Without --detach, waits\n\
             for the first process and deletes the container; the exit code is that of `run`.",
    examples: "restore --bundle /srv/web --image-path /var/tmp/web --detach web",
    options,
    action: Action::Call(|session, arguments| {
        run(session, arguments).map_err(|e| e.doing(format!("{} restore failed", session.face.name)))
    }),
    ..ON_A_CONTAINER
};

fn options() -> Vec<Arg> {
    let mut options = checkpoint::shared_options();
    options.extend([
        option("bundle", "DIR", "the bundle (default: the working directory)").short('b'),
        option("console-socket", "SOCKET", "unix socket that receives the master of the terminal"),
        switch("detach", "do not wait for the process").short('d'),
        option("pid-file", "FILE", "write the id of the container's first process to this file"),
        switch("no-subreaper", "do not adopt the container's orphans while `restore` waits"),
        switch("no-pivot", "accepted for compatibility: CRIU changes the root"),
        number_option(
            "preserve-fds",
            "N",
            "accepted for compatibility: the processes have the descriptors that they had",
        ),
        option("lsm-profile", "TYPE:NAME", "profile of AppArmor or SELinux label in place of the config's"),
        option("lsm-mount-context", "CONTEXT", "SELinux context of mounts that have one"),
    ]);
    options
}

fn parse(arguments: &Arguments) -> Result<RestoreOptions<'static>> {
    let create = CreateOptions {
        id: arguments.id(),
        bundle: arguments.path("bundle").unwrap_or_else(|| PathBuf::from(".")),
        terminal: arguments.path("console-socket").map(Terminal::Socket).unwrap_or_default(),
        pid_file: arguments.path("pid-file"),
        root_change: if arguments.switch("no-pivot") { RootChange::MoveMount } else { RootChange::PivotRoot },
        seccomp_receiver: caller::text("RUN_OCI_SECCOMP_RECEIVER")?.filter(|path| !path.is_empty()),
        ..CreateOptions::default()
    };
    Ok(RestoreOptions {
        create,
        criu: checkpoint::shared(arguments)?,
        label: arguments.text("lsm-profile")?.map(label).transpose()?,
        lsm_mount_context: arguments.text("lsm-mount-context")?.map(str::to_owned),
    })
}

fn label(text: &str) -> Result<Label> {
    match text.split_once(':') {
        Some(("apparmor", name)) => Ok(Label::AppArmor(name.to_owned())),
        Some(("selinux", name)) => Ok(Label::SeLinux(name.to_owned())),
        _ => {
            Err(Error::argument("--lsm-profile", text, "must be TYPE:NAME")
                .remedy("TYPE is apparmor or selinux"))
        }
    }
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let options = parse(arguments)?;
    let Attended { engine, signals } = session.engine_for_new()?;
    if arguments.switch("detach") {
        engine.restore(&options)?;
        return Ok(0);
    }
    let orphans = if arguments.switch("no-subreaper") { Orphans::Leave } else { Orphans::Adopt };
    let (input, output) = (std::io::stdin(), std::io::stdout());
    let own = matches!(options.create.terminal, Terminal::None);
    let terminal = Terminal::Caller { like: Some(input.as_fd()), output: Some(output.as_fd()) };
    let create = CreateOptions {
        terminal: if own { terminal } else { options.create.terminal.clone() },
        ..options.create
    };
    let options = RestoreOptions { create, ..options };
    if orphans == Orphans::Adopt {
        identity::become_subreaper().map_err(|e| e.because("prctl PR_SET_CHILD_SUBREAPER"))?;
    }
    let mut running = engine.restore(&options)?;
    let code =
        session.program(|| foreground::wait(&mut running.process, &signals, orphans, None)).map(Ended::code);
    engine.finish(running)?;
    code
}
