//! `start`: the word for a created container, and the second half of `run`.

use super::create::{self, Made};
use super::hooks::{self, Inside};
use super::init::{self, Event};
use super::inspect::status;
use super::prepare::{self, Prepared};
use super::{Engine, Status, diagnose, listener, state_json};
use crate::cgroup::Cgroup;
use crate::error::{Error, Kind, Result};
use crate::plan::{self, Script};
use crate::spec::{Spec, load};
use crate::state::Record;
use crate::sys::socket;
use crate::wire::{Kind as Word, Message};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

impl Engine {
    pub fn start(&self, id: &str) -> Result<()> {
        let entry = self.store.lock(id)?;
        let record = entry.record().map_err(|e| e.value(id))?;
        match status(&entry, &record) {
            Status::Created => {}
            Status::Stopped => {
                return Err(Error::new("cannot start a container that has stopped")
                    .kind(Kind::WrongState)
                    .value(id));
            }
            Status::Paused => {
                return Err(Error::new("cannot start a container in the paused state")
                    .kind(Kind::WrongState)
                    .value(id)
                    .remedy("it was started before; resume it"));
            }
            _ => {
                return Err(Error::new("cannot start an already running container")
                    .kind(Kind::WrongState)
                    .value(id));
            }
        }
        let config = entry.config()?;
        let spec: Spec = load::parse("config.json", &config)?;
        let path = create::start_socket_path(&entry);
        let control = socket::connect(Path::new(&path))
            .map_err(|e| e.because("connect to the container's init").value(id))?;
        let starting = Starting { engine: self, spec: &spec, record: &record, made: None };
        let outcome = starting.run(control.as_fd());
        // Started, or ended by what went wrong: in both cases nobody waits there any more.
        create::remove_start_socket(&entry)?;
        outcome.map_err(|e| e.doing("unable to start container process"))?;
        self.after_start(&spec, &record)
    }

    /// Says start to a container that this process has made.
    pub(super) fn start_made(&self, made: &Made, spec: &Spec) -> Result<()> {
        let starting = Starting { engine: self, spec, record: &made.record, made: Some(made) };
        starting.run(made.init.control()).map_err(|e| e.doing("unable to start container process"))
    }

    /// poststart hooks; their failure ends the container.
    pub(super) fn after_start(&self, spec: &Spec, record: &Record) -> Result<()> {
        let Some(hooks) = &spec.hooks else { return Ok(()) };
        hooks::run("poststart", &hooks.poststart, &state_json(record, "running"), &record.bundle).inspect_err(
            |_| {
                if let Some(first) = record.process().and_then(|process| process.open().ok()) {
                    // A process that has ended meanwhile is what is wanted.
                    let _ = crate::sys::process::pidfd_send_signal(first.as_fd(), libc::SIGKILL);
                }
            },
        )
    }
}

/// A container that is being started.
struct Starting<'a> {
    engine: &'a Engine,
    spec: &'a Spec<'a>,
    record: &'a Record,
    /// What this process knows if it has made the container itself.
    made: Option<&'a Made>,
}

impl Starting<'_> {
    /// Says start, and returns when the user's program runs. Where that fails the container's process ends: it may not
    /// go on without what could not be done for it.
    fn run(&self, control: BorrowedFd) -> Result<()> {
        init::say(control, Word::Go)?;
        self.follow(control).inspect_err(|_| {
            if let Some(Ok(first)) = self.record.process().map(|process| process.open()) {
                // It may have ended by itself.
                let _ = crate::sys::process::pidfd_send_signal(first.as_fd(), libc::SIGKILL);
            }
        })
    }

    fn follow(&self, control: BorrowedFd) -> Result<()> {
        loop {
            match init::hear(control)?.event {
                Event::Reached(_) => {
                    self.run_hooks()?;
                    init::say(control, Word::Go)?;
                }
                Event::Listener(fd) => {
                    let pid = self.record.pid.unwrap_or_default();
                    listener::send(self.spec, self.record, "creating", pid, fd.as_fd())?;
                }
                Event::Failed { message, note } => return Err(self.explain(&message, &note)),
                Event::Closed => return Ok(()),
                Event::Ready | Event::Spawned | Event::Console(_) => {}
            }
        }
    }

    /// The plan that `create` carried out tells what the step was: planning is pure, and its inputs are in the config
    /// and the record.
    fn explain(&self, message: &Message, note: &[u8]) -> Error {
        let explained = |script: &Script| {
            diagnose::explain(script, message, note, self.spec).doing("error during container init")
        };
        if let Some(made) = self.made {
            return explained(&made.script);
        }
        let options = plan::Options {
            id: self.record.id.clone(),
            no_pivot: self.record.no_pivot,
            no_new_keyring: self.record.no_new_keyring,
            preserve_fds: self.record.preserve_fds,
            detached_start: true,
        };
        let planned = self.prepared_again().and_then(|prepared| {
            prepare::plan(&prepared, self.spec, &self.record.bundle, &options)
                .map(|plan| explained(&plan.script))
        });
        planned.unwrap_or_else(|_| Error::os("the container's init failed after start", message.errno))
    }

    fn prepared_again(&self) -> Result<Prepared> {
        let mut prepared = self.engine.prepare(self.spec, &self.record.id)?;
        prepared.host.cgroup = self.record.cgroup.clone();
        Ok(prepared)
    }

    fn run_hooks(&self) -> Result<()> {
        let Some(hooks) = &self.spec.hooks else { return Ok(()) };
        let gone = || Error::new("the container's init has ended").kind(Kind::WrongState);
        let first = self.record.process().ok_or_else(gone)?.open().map_err(|_| gone())?;
        let again;
        let prepared = match self.made {
            Some(made) => &made.prepared,
            None => {
                again = self.prepared_again()?;
                &again
            }
        };
        let cgroup = self.record.cgroup.as_ref().map(Cgroup::open).transpose()?.flatten();
        let inside = Inside {
            host: &prepared.host,
            id: &self.record.id,
            namespaces: self.record.namespaces(),
            first: (self.record.pid.unwrap_or_default(), first.as_fd()),
            location: self.record.cgroup.as_ref(),
            cgroup: cgroup.as_ref(),
            own: self.spec.process.as_ref().map(|process| (process, prepared.filter.as_ref())),
        };
        let state = state_json(self.record, "created");
        hooks::run_inside("startContainer", &hooks.start_container, &state, &inside)
    }
}
