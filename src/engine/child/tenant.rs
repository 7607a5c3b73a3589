//! A process that joins a container (`exec`, a hook inside): the sealed init with a tenant's script.

use crate::cgroup::{Cgroup, Location};
use crate::engine::child::{
    birth::{self, Birthplace, Start},
    born::{self, Hidden},
    confined, diagnose, early,
    init::{Init, out_of_turn},
    message::{Heard, Trouble},
    open::{self, Given},
    rlimits,
};
use crate::engine::{Streams, Waits, event};
use crate::error::{Error, Kind, Result};
use crate::plan::affinity::Entrance;
use crate::plan::deeds::{self, Deed, Wishes};
use crate::plan::tenant::{Destination, Tenant};
use crate::resctrl::Place;
use crate::spec::Spec;
use crate::state::Record;
use crate::sys::Errno;
use crate::wire::{Message, Part, Point, Step, Word};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// The process of a container whose namespaces are joined, by number and by descriptor; `gone` where it has ended.
pub fn first(record: &Record, gone: impl Fn() -> Error) -> Result<(i32, OwnedFd)> {
    let process = record.process.ok_or_else(&gone)?;
    let opened = process.open_to_join().map_err(|e| match e {
        Errno(libc::EINVAL) => {
            Error::new("the main thread of the container's first process has ended, and other threads go on")
                .kind(Kind::Unsupported)
                .remedy("a process can join them from Linux 6.9 on")
        }
        _ => gone(),
    });
    Ok((process.pid, opened?))
}

/// Where it goes, and which namespaces it joins; `cgroup`: [`Cgroup::there`].
pub fn destination<'r>(record: &'r Record, cgroup: Option<&'r Location>) -> Destination<'r> {
    Destination {
        id: &record.id,
        namespaces: record.namespaces(),
        user_namespaces: &record.user_namespaces,
        cgroup,
        in_resctrl: false,
        keyring: None,
    }
}

/// What a joining process begins with.
pub struct Beginning<'a> {
    /// The container's first process, by number; by descriptor it is given.
    pub first: i32,
    /// With the cgroup in which it is born.
    pub given: Given<'a>,
    pub birthplace: Birthplace,
    pub streams: Streams<'a>,
    /// What its program gets as 3, 4, …
    pub preserved: &'a [BorrowedFd<'a>],
}

impl<'a> Beginning<'a> {
    /// Beside the container's first process, with our own streams.
    pub fn beside((first, pidfd): (i32, BorrowedFd<'a>), cgroup: Option<&'a Cgroup>) -> Beginning<'a> {
        let given = Given { pidfd: Some(pidfd), cgroup, ..Given::default() };
        let birthplace = Birthplace::OrBeside;
        Beginning { first, given, birthplace, streams: [None; 3], preserved: &[] }
    }
}

/// Starts the sealed init on a tenant's script.
pub fn start(tenant: &Tenant, spec: &Spec, beginning: Beginning, waits: &Rc<Waits>) -> Result<Init> {
    let Beginning { first, given, birthplace, streams, preserved } = beginning;
    let unified = match (tenant.entrance, given.cgroup) {
        (Entrance::Step, Some(cgroup)) => {
            Some(cgroup.unified_entrance((birthplace == Birthplace::OrBeside).then_some(first))?)
        }
        _ => None,
    };
    let given = Given { unified: unified.as_ref().map(AsFd::as_fd), ..given };
    let opened = open::open(&tenant.opens, given, spec, waits)?;
    let start = Start { given: preserved, streams, ..Start::of(&tenant.script, &opened.numbers, waits) };
    let init = match (tenant.entrance, given.cgroup) {
        (Entrance::Birth, Some(cgroup)) => birth::start_in(start, cgroup, birthplace, first),
        _ => birth::start(start),
    }?;
    Ok(init.with(opened.into_sources(), &tenant.script))
}

/// What a tenant sends for its caller: descriptors, its pid, and what it could not do and can do without.
pub enum Passed<'a> {
    Pidfd(BorrowedFd<'a>),
    Pid(i32),
    Console(OwnedFd),
    Listener(OwnedFd),
    Warning(Error),
}

/// Starts a process and does what the host's side has to do until its program runs. Behind the birth the container's
/// processes may be able to speak for init: what it says then can only end it, or set what its config allows.
pub fn join(
    tenant: &Tenant,
    (spec, place): (&Spec, Option<&Place>),
    beginning: Beginning,
    wishes: Wishes,
    waits: &Rc<Waits>,
    passed: impl FnMut(Passed) -> Result<()>,
) -> Result<Init> {
    let deeds = deeds::join(&tenant.script, wishes);
    let planned = event::Planned { deeds: &deeds, script: Some(&tenant.script), spec };
    waits.tell(&event::Event::Planned(planned));
    let init = start(tenant, spec, beginning, waits)?;
    let mut joining = Joining { init, tenant, spec, place, passed, terminal: None, ended: false };
    let joined = deeds.into_iter().try_for_each(|deed| waits.timed(deed, || joining.do_one(deed)));
    // A process that its caller does not know may not go on.
    joined.inspect_err(|_| joining.init.end())?;
    Ok(joining.init)
}

/// A process on its way into a container, and the listener that is told about it.
struct Joining<'a, F> {
    init: Init,
    tenant: &'a Tenant<'a>,
    spec: &'a Spec<'a>,
    /// The container's resctrl groups.
    place: Option<&'a Place>,
    passed: F,
    /// The terminal that only its maker can open so far.
    terminal: Option<Hidden>,
    /// The process has ended before its program ran, as one of a container that is ended does.
    ended: bool,
}

impl<F: FnMut(Passed) -> Result<()>> Joining<'_, F> {
    fn do_one(&mut self, deed: Deed) -> Result<()> {
        let pid = self.init.process().pid;
        match deed {
            Deed::GivePidfd => (self.passed)(Passed::Pidfd(self.init.process().pidfd.as_fd())),
            Deed::WritePidFile => (self.passed)(Passed::Pid(pid)),
            // Its exit code says why.
            Deed::Meet(_) | Deed::Release | Deed::RaiseLimits | Deed::JoinResctrl if self.ended => Ok(()),
            Deed::CheckConfined | Deed::LimitProcesses | Deed::SettleBorn if self.ended => Ok(()),
            Deed::ShowTerminal | Deed::AwaitProgram if self.ended => Ok(()),
            Deed::Meet(point) => self.follow(Some(point)),
            Deed::AwaitProgram => self.follow(None),
            Deed::Release => self.init.say(Word::Go),
            Deed::RaiseLimits => rlimits::raise(pid, self.spec),
            Deed::JoinResctrl => place_in(self.place.ok_or_else(|| deed.misplaced())?, pid),
            Deed::CheckConfined => {
                confined::check(pid, self.tenant.confined.as_ref().ok_or_else(|| deed.misplaced())?)
            }
            Deed::LimitProcesses => born::limit_processes(pid, self.spec),
            Deed::SettleBorn => born::settle(pid, self.spec),
            Deed::ShowTerminal => {
                let Some(terminal) = self.terminal.take() else { return Ok(()) };
                terminal.show()?;
                (self.passed)(Passed::Console(terminal.master))
            }
            _ => Err(deed.misplaced()),
        }
    }

    /// Follows init until it waits at this point, or without one until its program runs.
    fn follow(&mut self, until: Option<Point>) -> Result<()> {
        loop {
            match self.init.hear()? {
                Heard::Reached(number) if until.is_some_and(|point| point as u32 == number) => return Ok(()),
                Heard::Closed => {
                    self.ended = until.is_some();
                    return early::end(self.init.process())
                        .map_or(Ok(()), |word| (self.passed)(Passed::Warning(word)));
                }
                Heard::Ready => self.init.say(Word::Go)?,
                // It goes on when it is the program's, and not another session's.
                Heard::Console(hidden) => self.terminal = Some(hidden),
                Heard::Listener(listener) => (self.passed)(Passed::Listener(listener))?,
                Heard::Failed(trouble) => return Err(self.failure(&trouble)),
                Heard::Warned(trouble) => {
                    let warning = diagnose::explain(&self.tenant.script, &trouble, self.spec);
                    (self.passed)(Passed::Warning(warning))?;
                }
                // `Init::hear` follows the process that was spawned.
                Heard::Spawned(_) => {}
                _ => return Err(out_of_turn()),
            }
        }
    }

    fn failure(&self, trouble: &Trouble) -> Error {
        let error = diagnose::explain(&self.tenant.script, trouble, self.spec);
        match &self.terminal {
            _ if !takes_terminal(self.tenant, &trouble.message) => error,
            Some(terminal) => terminal.taken(error).kind(Kind::Taken),
            None => error
                .doing("a process of the container makes every new terminal its own")
                .remedy("end that process")
                .kind(Kind::Taken),
        }
    }
}

/// A terminal that is another session's already is refused: to the process that is to have it, or to the one that was to
/// hold it for that.
fn takes_terminal(tenant: &Tenant, message: &Message) -> bool {
    let step = tenant.script.step(message.step as usize);
    let terminal = matches!(step, Some((Step::Session {} | Step::Console { .. }, _)));
    terminal && message.errno == libc::EPERM && message.part == Part::Ioctl as u32
}

/// A group that its administrator has removed has no tasks: those of the container are in the default group now.
fn place_in(place: &Place, pid: i32) -> Result<()> {
    match place.join(pid) {
        Err(error) if error.detail().errno == Some(libc::ENOENT) => Ok(()),
        other => other,
    }
}
