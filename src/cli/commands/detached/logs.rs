//! `logs`.

use crate::cli::arguments::{option, switch};
use crate::cli::commands::command::{Action, Command, ON_A_CONTAINER};
use crate::cli::{Arguments, Session};
use crate::error::{Error, Result};
use crate::shim::detached::{self, Output, Part, Place, Reader};
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
    examples: "logs --tail 20 --follow web  # the last 20 lines, and all that follow",
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
    let opened = Reader::of(&place);
    if opened.is_err() {
        warn_of_loss(session, &place)?;
    }
    let mut reader = opened?;
    if let Some(lines) = tail {
        reader.skip_to_last(lines)?;
    }
    let follow = arguments.switch("follow");
    let mut shown = Shown {
        times: arguments.switch("timestamps"),
        begins: [true, true],
        output: Output::Out,
        text: Vec::new(),
        reads: ControlFlow::Continue(()),
    };
    loop {
        // Looked at first: what was written before that is read afterwards.
        let runs = || {
            place.keeper().is_some() || place.process().is_some_and(|process| process.life() == Life::Alive)
        };
        let ended = !follow || place.exit()?.is_some() || !runs();
        while shown.reads.is_continue() && reader.read(|part| shown.take(&part))? {
            shown.flush()?;
        }
        if ended || shown.reads.is_break() {
            warn_of_loss(session, &place)?;
            return Ok(0);
        }
        sleep(LOOK);
    }
}

fn warn_of_loss(session: &Session, place: &Place) -> Result<()> {
    if let Some(loss) = place.loss()? {
        session.log.warn(&Error::new(loss));
    }
    Ok(())
}

/// What is on its way to our standard output or error.
struct Shown {
    times: bool,
    /// Each stream's last line may go on.
    begins: [bool; 2],
    output: Output,
    text: Vec<u8>,
    /// A reader that went away (`logs | head -1`) has read enough.
    reads: ControlFlow<()>,
}

impl Shown {
    fn take(&mut self, part: &Part) -> Result<()> {
        if part.output != self.output {
            // Both are seen in their order where they are the same file.
            self.flush()?;
            self.output = part.output;
        }
        let begins = &mut self.begins[usize::from(part.output == Output::Err)];
        if self.times && *begins {
            self.text.extend_from_slice(part.time.as_bytes());
            self.text.push(b' ');
        }
        self.text.extend_from_slice(&part.text);
        if part.ends {
            self.text.push(b'\n');
        }
        *begins = part.ends;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let text = std::mem::take(&mut self.text);
        if self.reads.is_continue() {
            self.reads = match self.output {
                Output::Out => write(stdout().as_fd(), &text),
                Output::Err => write(stderr().as_fd(), &text),
            }?;
        }
        Ok(())
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
            Err(Errno(libc::EPIPE)) => return Ok(ControlFlow::Break(())),
            Err(e) => return Err(e.because("write the container's output")),
        }
    }
    Ok(ControlFlow::Continue(()))
}
