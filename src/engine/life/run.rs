//! `run`: create and start in one, without planning twice; and what is left to do when the process has ended.

use crate::engine::caller::{console, notify::Proxy};
use crate::engine::life::{create::Made, start_pipes::Starter};
use crate::engine::{AfterExit, Call, CreateOptions, Started, Terminal};
use crate::error::{Kind, Result};
use crate::spec::Spec;
use crate::state::{Entry, Record};

/// A container that runs. Others may look at it, stop it and delete it.
pub struct Running {
    pub process: Started,
    entry: Entry,
    record: Record,
}

impl Running {
    pub fn of(process: Started, entry: Entry, record: Record) -> Running {
        Running { process, entry, record }
    }
}

impl Call<'_> {
    pub fn run(&self, options: &CreateOptions, after: AfterExit) -> Result<Running> {
        let bundle = self.read(options)?;
        let spec = self.spec(&bundle, options)?;
        spec.needs_process().map_err(|error| bundle.misspelt(error))?;
        check_terminal(&spec, options)?;
        let made = self.make(options, &bundle, &spec, Starter::Us).map_err(|error| bundle.misspelt(error))?;
        let (made, readiness) = self.start_or_undo(made, &spec, options, after)?;
        let Made { entry, record, init, master, .. } = made;
        entry.unlock();
        let process = Started { readiness, ..Started::of(init.into_process(), master) };
        Ok(Running { process, entry, record })
    }

    pub fn finish(&self, running: Running) -> Result<()> {
        let Running { process, entry, record } = running;
        drop(process);
        match self.patiently(None, |rest| entry.relock(rest)) {
            Ok(()) => self.destroy(entry, &record),
            // Another command has deleted it.
            Err(error) if error.detail().kind == Kind::NoSuchContainer => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn start_or_undo(
        &self,
        made: Made,
        spec: &Spec,
        options: &CreateOptions,
        after: AfterExit,
    ) -> Result<(Made, Option<Proxy>)> {
        match self.start_made(&made, spec, options.notify_socket.as_deref()) {
            Ok(readiness) => Ok((made, readiness)),
            Err(error) => {
                let Made { entry, record, init, driver, .. } = made;
                drop(driver);
                init.end();
                if after == AfterExit::Delete
                    && let Err(more) = self.destroy(entry, &record)
                {
                    self.warn(more.doing("cleaning up after a failure"));
                }
                Err(error)
            }
        }
    }
}

pub fn check_terminal(spec: &Spec, options: &CreateOptions) -> Result<()> {
    let terminal = spec.process.as_ref().is_some_and(|process| process.terminal);
    match options.terminal {
        Terminal::None if terminal => {
            Err(console::no_socket("add --console-socket, or set process.terminal to false"))
        }
        _ => Ok(()),
    }
}
