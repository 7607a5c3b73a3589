//! `logs`.

use crate::cli::arguments::{option, switch};
use crate::cli::commands::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::{Arguments, Session};
use crate::error::{Error, Result};
use crate::shim::detached::{self, Output, Part, Reader};
use crate::state::{Life, NoRoot};
use crate::sys::{Errno, file, poll};
use clap::Arg;
use nix::poll::{PollFd, PollFlags};
use std::io::{stderr, stdout};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
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
        let runs = || {
            place.keeper().is_some() || place.process().is_some_and(|process| process.life() == Life::Alive)
        };
        let ended = !follow || place.exit()?.is_some() || !runs();
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
    match part.output {
        Output::Out => write(stdout().as_fd(), &line),
        Output::Err => write(stderr().as_fd(), &line),
    }
}

fn write(output: BorrowedFd, mut bytes: &[u8]) -> Result<ControlFlow<()>> {
    while !bytes.is_empty() {
        match file::write(output, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno(libc::EAGAIN)) => {
                poll::wait(&mut [PollFd::new(output, PollFlags::POLLOUT)], None)
                    .map_err(|e| e.because("poll"))?;
            }
            // A reader that went away (`logs | head -1`) has read enough.
            Err(Errno(libc::EPIPE)) => return Ok(ControlFlow::Break(())),
            Err(e) => return Err(e.because("write the container's output")),
        }
    }
    Ok(ControlFlow::Continue(()))
}
