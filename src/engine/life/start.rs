//! `start`: the word for a created container, and the second half of `run`.

use crate::cgroup::Driver;
use crate::engine::caller::{listener, notify::Proxy};
use crate::engine::carry::carry_out;
use crate::engine::child::{
    diagnose, early, init,
    message::{self, Heard, Said, Trouble},
    pipes::Pipes,
};
use crate::engine::life::{
    create::Made,
    delete::{Leavings, there},
    hooks::{Inside, Occasion},
    start_old,
    start_pipes::{self, Starter},
};
use crate::engine::{Call, Planned, Started, Status};
use crate::error::{Error, Kind, Result};
use crate::plan::deeds::{self, Deed, HookKind, Stage};
use crate::plan::{StartWord, kept};
use crate::spec::{Hook, Seccomp, Spec};
use crate::state::{Entry, Process, Record, is_init};
use crate::sys::Errno;
use crate::wire::{Point, Word};
use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

impl Call<'_> {
    pub fn start(&self, id: &str, notify: Option<&Path>) -> Result<Started> {
        let (entry, record) = self.watch.span("lock", || self.take(id))?;
        record.must_be_ours()?;
        match Status::of(&entry, &record) {
            Status::Created => {}
            Status::Stopped => {
                return Err(stopped(id));
            }
            Status::Paused => {
                return Err(Error::new("cannot start a container in the paused state")
                    .kind(Kind::WrongState)
                    .value(id)
                    .remedy("resume it first"));
            }
            _ => {
                return Err(Error::new("cannot start an already running container")
                    .kind(Kind::WrongState)
                    .value(id)
                    .remedy("`rruntime exec` runs another program in it"));
            }
        }
        let config = entry.config()?;
        let spec = self.watch.span("load", || self.spec_again(&config, &entry, &record))?;
        spec.needs_process()?;
        let record = Record { amendments: spec.amendments.clone(), ..record };
        let unreached = |e| match e {
            // Another command has ended it since a moment ago.
            Errno(libc::ECONNREFUSED | libc::ENXIO | libc::ESRCH) => stopped(id),
            e => start_pipes::unreachable(e).value(id),
        };
        let process = record.process.ok_or_else(|| stopped(id))?;
        let first = process.open().map_err(unreached)?;
        let opened = match start_pipes::open(&entry, process.pid, first.as_fd()) {
            Err(Errno(libc::ENOENT)) => None,
            opened => Some(opened.map_err(unreached)?),
        };
        let waiting = match &opened {
            Some((pipes, word)) => Waiting::Pipes(pipes, *word),
            None => Waiting::Old(start_old::connect(&entry).map_err(unreached)?),
        };
        let stage = if matches!(waiting, Waiting::Old(_)) { Stage::Asking } else { Stage::Shown };
        let deeds = deeds::start(&spec, stage, notify.filter(|_| record.amendments.notify));
        let starting = Starting {
            engine: self,
            spec: &spec,
            entry: &entry,
            record: &record,
            process,
            made: None,
            waiting: &waiting,
            readiness: Cell::default(),
        };
        if let Err((failed, error)) = starting.carry_out(&deeds) {
            let back = deeds::back_from_start(failed, there(&record));
            let undone = match failed {
                Deed::RunHooks(..) => Leavings::of(self, entry, &record).take_back(BACK, &back),
                _ => carry_out(&self.waits, Planned::of(BACK, &back, &spec), &mut Vec::new(), &mut |deed| {
                    starting.do_one(deed)
                }),
            };
            undone.unwrap_or_else(|more| self.warn(more.doing("cleaning up after a failure")));
            return Err(error);
        }
        let readiness = starting.readiness.take();
        Ok(Started { pid: process.pid, pidfd: first, terminal: None, readiness })
    }

    /// Says start to a container that this process has made.
    pub(in crate::engine) fn start_made(
        &self,
        made: &Made,
        spec: &Spec,
        notify: Option<&Path>,
    ) -> Result<Option<Proxy>> {
        let (entry, record) = (&made.entry, &made.record);
        let no_way = || Error::new("the container's init cannot be told to start");
        let waiting = &Waiting::Pipes(made.init.pipes().ok_or_else(no_way)?, StartWord::Maker);
        let stage = if start_pipes::shows(Starter::Us, spec) { Stage::Shown } else { Stage::Unshown };
        let process = record.process.ok_or_else(no_way)?;
        let (made, readiness) = (Some(made), Cell::default());
        let starting = Starting { engine: self, spec, entry, record, process, made, waiting, readiness };
        let deeds = deeds::start(spec, stage, notify.filter(|_| record.amendments.notify));
        starting.carry_out(&deeds).map_err(|(_, error)| error)?;
        Ok(starting.readiness.take())
    }
}

const BACK: &str = "the way back from start";

fn stopped(id: &str) -> Error {
    Error::new("cannot start a container that has stopped")
        .kind(Kind::WrongState)
        .value(id)
        .remedy("delete it, and create it again")
}

fn gone() -> Error {
    Error::new("the container's init has ended").kind(Kind::WrongState)
}

/// A container that is being started.
struct Starting<'a> {
    engine: &'a Call<'a>,
    spec: &'a Spec<'a>,
    entry: &'a Entry,
    record: &'a Record,
    /// Its first one.
    process: Process,
    /// What this process knows if it has made the container itself.
    made: Option<&'a Made>,
    waiting: &'a Waiting<'a>,
    readiness: Cell<Option<Proxy>>,
}

impl Starting<'_> {
    /// Up to the deed that fails.
    fn carry_out<'d>(&self, deeds: &'d [Deed<'d>]) -> std::result::Result<(), (Deed<'d>, Error)> {
        let (planned, mut ledger) = (Planned::of("start", deeds, self.spec), Vec::new());
        carry_out(&self.engine.waits, planned, &mut ledger, &mut |deed| self.do_one(deed)).map_err(|error| {
            let failed = deeds[ledger.len()];
            match failed {
                // The program runs.
                Deed::HideCreated | Deed::RenewBrief | Deed::RunHooks(HookKind::Poststart, _) => {
                    (failed, error)
                }
                _ => (failed, error.doing("unable to start container process")),
            }
        })
    }

    fn do_one(&self, deed: Deed) -> Result<()> {
        match deed {
            Deed::RelayReadiness(host) => self.relay_readiness(host),
            Deed::RunHooks(HookKind::StartContainer, hooks) => self.run_hooks(hooks),
            Deed::SayStart | Deed::Release => self.waiting.say(Word::Go),
            Deed::Meet(point) => self.follow(Some(point)),
            Deed::AwaitProgram => self.follow(None),
            Deed::HideCreated => self.waiting.remove(self.entry),
            Deed::RenewBrief => {
                self.entry.renew_brief(self.record);
                Ok(())
            }
            Deed::RunHooks(HookKind::Poststart, hooks) => {
                Occasion::new("poststart", self.record, Status::Running, &self.engine.waits).run(hooks)
            }
            // It may not go on without what could not be done for it.
            Deed::KillFirst => {
                if let Ok(first) = self.first() {
                    crate::sys::process::pidfd_kill(first.as_fd());
                }
                Ok(())
            }
            _ => Err(deed.misplaced()),
        }
    }

    /// Follows init until its program runs, or until it asks for the host's part, as that of 0.1.0 does for its hooks.
    fn follow(&self, until: Option<Point>) -> Result<()> {
        let waiting = self.waiting;
        let mut profile = self.spec.linux().seccomp.as_ref();
        loop {
            let pid = self.process.pid;
            // A neighbour that may trace can keep a copy of init's end: then it does not close at the exec.
            let runs = || match waiting {
                Waiting::Pipes(_, StartWord::Maker) => !is_init(pid),
                _ => !self.entry.awaits_start(pid),
            };
            if !self.engine.waits.wait_unless(&[waiting.answer()], pid, runs)? {
                self.tell_times(&Heard::Closed);
                return Ok(());
            }
            let Some(said) = waiting.hear()? else { continue };
            self.tell_times(&said.heard);
            match said.heard {
                // The profile did not let init hand it over before.
                Heard::ListenerAt(number) if let Some(profile) = profile.take() => {
                    let listener = init::fetch_listener(pid, self.first()?.as_fd(), number)?;
                    waiting.say(Word::Go)?;
                    self.send_listener(profile, &listener)?;
                }
                Heard::Listener(listener) if let Some(profile) = profile => {
                    self.send_listener(profile, &listener)?;
                }
                Heard::Failed(trouble) => return Err(self.explain(&trouble)),
                Heard::Reached(_) if until.is_some() => return Ok(()),
                Heard::Closed if until.is_some() => return Err(gone()),
                Heard::Closed => {
                    // Its exit code is told like any other's.
                    let early = self.made.and_then(|made| early::end(made.init.process()));
                    early.into_iter().for_each(|word| self.engine.warn(word));
                    return Ok(());
                }
                _ => return Err(message::out_of_turn()),
            }
        }
    }

    /// Of an init that this process has made.
    fn tell_times(&self, heard: &Heard) {
        if let Some(made) = self.made {
            made.init.tell_times(heard);
        }
    }

    fn relay_readiness(&self, host: &Path) -> Result<()> {
        match Proxy::new(self.entry, host, self.process.pid) {
            Ok(proxy) => self.readiness.set(Some(proxy)),
            // A variable that an engine has left over.
            Err(error) if matches!(error.detail().errno, Some(libc::ENOENT | libc::ECONNREFUSED)) => {
                self.engine.warn(error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn first(&self) -> Result<OwnedFd> {
        self.process.open().map_err(|_| gone())
    }

    /// The script that `create` carried out says what the step was.
    fn explain(&self, trouble: &Trouble) -> Error {
        if let Some(made) = self.made {
            return diagnose::explain(&made.script, trouble, self.spec).doing("error during container init");
        }
        let bytes = self.entry.script().unwrap_or_default();
        diagnose::explain_kept(kept::decode(&bytes).as_ref(), trouble, self.spec)
    }

    fn send_listener(&self, profile: &Seccomp, listener: &OwnedFd) -> Result<()> {
        listener::send(
            profile,
            self.record,
            Status::Creating,
            self.process.pid,
            listener.as_fd(),
            &self.engine.waits,
        )
    }

    fn run_hooks(&self, hooks: &[Hook]) -> Result<()> {
        let first = self.first()?;
        let again;
        let prepared = match self.made {
            Some(made) => &made.prepared,
            None => {
                again = self.engine.prepare(self.spec, self.record)?;
                &again
            }
        };
        let driver = Driver::open(self.record.cgroup.as_ref())?;
        let inside = Inside {
            spec: self.spec,
            host: &prepared.host,
            first: (self.process.pid, first.as_fd()),
            cgroup: driver.cgroup(),
            own: self.spec.process.as_ref().map(|process| (process, prepared.filter.as_ref())),
        };
        let occasion = Occasion::new("startContainer", self.record, Status::Created, &self.engine.waits);
        occasion.before(first.as_fd()).run_inside(hooks, &inside)
    }
}

/// Where a container's init waits for the word.
enum Waiting<'i> {
    /// At these pipes; with `Maker`, in its conversation with this process, which has made it.
    Pipes(&'i Pipes, StartWord),
    /// At the socket of 0.1.0.
    Old(OwnedFd),
}

impl Waiting<'_> {
    fn say(&self, word: Word) -> Result<()> {
        match self {
            Waiting::Pipes(pipes, _) => pipes.say(word),
            Waiting::Old(control) => message::say(control.as_fd(), word, None),
        }
    }

    /// What can be read when there is something to hear.
    fn answer(&self) -> BorrowedFd<'_> {
        match self {
            Waiting::Pipes(pipes, _) => pipes.answer(),
            Waiting::Old(control) => control.as_fd(),
        }
    }

    fn hear(&self) -> Result<Option<Said>> {
        match self {
            Waiting::Pipes(pipes, _) => pipes.hear(),
            Waiting::Old(control) => message::hear(control.as_fd()).map(Some),
        }
    }

    fn remove(&self, entry: &Entry) -> Result<()> {
        match self {
            Waiting::Pipes(_, word) => start_pipes::remove(entry, *word),
            Waiting::Old(_) => start_old::remove(entry),
        }
    }
}
