//! `logs`.

use crate::cli::arguments::{option, switch};
use crate::cli::commands::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::{Arguments, Session};
use crate::error::{Error, Result};
use crate::shim::detached::{self, Output, Part, Reader};
use crate::state::NoRoot;
use clap::Arg;
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::thread::sleep;
use std::time::Duration;

pub const COMMAND: Command = Command {
    name: "logs",
    about: "show the output of a detached container",
    detail: "Of a container that was run with --detach --log-output, which may be gone already. What the process\n\
             wrote to standard error goes there again.",
    options,
    action: Action::Call(run),
    ..ON_A_CONTAINER
};

/// Between two looks at a log that is followed.
const LOOK: Duration = Duration::from_millis(100);

fn options() -> Vec<Arg> {
    vec![
        switch("follow", "go on until the container has ended").short('f'),
        option("tail", "LINES", "show no more than the last lines").short('n'),
        switch("timestamps", "show when each line was written").short('t'),
    ]
}

fn run(session: &Session, arguments: &Arguments) -> Result<i32> {
    let tail = arguments.text("tail")?.filter(|lines| *lines != "all");
    let tail = tail
        .map(|lines| lines.parse().map_err(|_| Error::argument("--tail", lines, "must be a number of lines")))
        .transpose()?;
    let place = detached::of_shim(&session.engine_for_look(NoRoot::Empty)?, &arguments.id())?;
    let mut reader = Reader::of(&place)?;
    if let Some(lines) = tail {
        reader.skip_to_last(lines)?;
    }
    let (times, follow) = (arguments.switch("timestamps"), arguments.switch("follow"));
    // Each stream's last line may go on.
    let mut begins = [true, true];
    let mut reads = ControlFlow::Continue(());
    loop {
        // Looked at first: what was written before that is read afterwards.
        let ended = !follow || place.exit()?.is_some() || place.keeper().is_none();
        let mut more = true;
        while more && reads.is_continue() {
            more = reader.read(|part| {
                if reads.is_continue() {
                    reads = print(&part, times, &mut begins)?;
                }
                Ok(())
            })?;
        }
        if ended || reads.is_break() {
            return Ok(0);
        }
        sleep(LOOK);
    }
}

fn print(part: &Part, times: bool, begins: &mut [bool; 2]) -> Result<ControlFlow<()>> {
    let begins = &mut begins[usize::from(part.output == Output::Err)];
    let mut line = Vec::with_capacity(part.text.len() + 40);
    if times && *begins {
        line.extend_from_slice(part.time.as_bytes());
        line.push(b' ');
    }
    line.extend_from_slice(&part.text);
    if part.ends {
        line.push(b'\n');
    }
    *begins = part.ends;
    let written = match part.output {
        Output::Out => std::io::stdout().write_all(&line).and_then(|()| std::io::stdout().flush()),
        Output::Err => std::io::stderr().write_all(&line),
    };
    match written {
        Ok(()) => Ok(ControlFlow::Continue(())),
        // A reader that went away (`logs | head -1`) has read enough.
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(e) => Err(Error::io("write the container's output", &e)),
    }
}
