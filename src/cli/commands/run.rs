//! `run`: create, start, wait and delete in one.

use super::command::{Action, Command, ON_A_CONTAINER};
use super::create;
use super::detached::run as detached;
use crate::cli::arguments::{option, options as several, switch};
use crate::cli::foreground::{self, Orphans};
use crate::cli::session::Attended;
use crate::cli::{Arguments, Session};
use crate::engine::{AfterExit, CreateOptions, Meanwhile, Terminal, denied};
use crate::error::{Error, Kind, Result};
use crate::sys::identity;
use clap::Arg;
use std::os::fd::AsFd;
use std::time::SystemTime;

pub const COMMAND: Command = Command {
    name: "run",
    about: "create and run a container",
    detail: "Creates a container from a bundle, starts it, waits for its process and deletes it.\n\
             The exit code is that of the process, or 128 plus the number of the signal that ended it.\n\
             With --detach --log-output FILE it returns when the process runs: `logs`, `attach` and `wait` find its\n\
             output and its exit status.",
    examples: "run --bundle /srv/web web  # in the foreground\n\
               run --bundle /srv/web --detach --log-output web.log web  # in the background; see logs, attach, wait",
    options,
    action: Action::Call(|session, arguments| {
        run(session, arguments).map_err(|e| e.doing(format!("{} run failed", session.face.name)))
    }),
    ..ON_A_CONTAINER
};

fn options() -> Vec<Arg> {
    let mut options = create::shared_options();
    options.extend([
        switch("detach", "do not wait for the process").short('d'),
        switch("no-subreaper", "do not adopt the container's orphans while `run` waits"),
        switch("keep", "keep the container after its process has ended"),
        several(
            "log-output",
            "[DRIVER:]FILE",
            "with --detach: leave a shim that keeps the output in FILE, and the exit status; DRIVER is k8s-file \
             (default) or json-file; journald and none take no file; may be repeated",
        ),
        option("log-size-max", "BYTES", "with --log-output: a file that would become longer begins anew"),
        switch("stdin", "with --log-output: clients of `attach` write to the process's standard input"),
    ]);
    options
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    if let Some(about) = &session.shim {
        return detached::serve(session, arguments, about);
    }
    if detached::is_asked_for(arguments)? {
        return detached::run(session, arguments);
    }
    let options = create::parse(arguments)?;
    let after = if arguments.switch("keep") { AfterExit::Keep } else { AfterExit::Delete };
    let Attended { engine, signals } = session.engine_for_new()?;
    if arguments.switch("detach") {
        let started = engine.run(&options, after)?.process;
        session.await_ready(&engine, &options.id, started);
        return Ok(0);
    }
    let orphans = if arguments.switch("no-subreaper") { Orphans::Leave } else { Orphans::Adopt };
    attend(session, Attended { engine, signals }, options, after, orphans, None)
}

/// A container that this command waits for; its exit code.
pub fn attend(
    session: &Session,
    Attended { engine, signals }: Attended,
    options: CreateOptions,
    after: AfterExit,
    orphans: Orphans,
    meanwhile: Option<&dyn Meanwhile>,
) -> Result<i32> {
    let (input, output) = (std::io::stdin(), std::io::stdout());
    if matches!(options.terminal, Terminal::Socket(_)) {
        return Err(Error::new("a command that waits for the process has its terminal itself")
            .kind(Kind::Argument)
            .field("--console-socket")
            .remedy("add --detach, or leave the option out"));
    }
    let terminal = Terminal::Caller { like: Some(input.as_fd()), output: Some(output.as_fd()) };
    let options = CreateOptions { terminal, ..options };
    if orphans == Orphans::Adopt {
        identity::become_subreaper().map_err(|e| e.because("prctl PR_SET_CHILD_SUBREAPER"))?;
    }
    let since = SystemTime::now();
    let mut running = engine.run(&options, after)?;
    let ended = session.program(|| foreground::wait(&mut running.process, &signals, orphans, meanwhile));
    let pid = running.process.pid;
    if after == AfterExit::Delete {
        engine.finish(running)?;
    }
    let ended = ended?;
    denied::explain(ended, pid, since).iter().for_each(|word| session.log.warn(word));
    Ok(ended.code())
}
