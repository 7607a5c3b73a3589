//! A process that joins a container (`exec`, a hook inside): the sealed init with a tenant's script.

use crate::cgroup::Cgroup;
use crate::engine::child::{
    birth::{self, Birthplace, Start},
    born::{self, Hidden},
    confined, diagnose,
    init::Init,
    message::Event,
    open::{self, Given},
    rlimits,
};
use crate::engine::{Streams, Watch};
use crate::error::{Error, Kind, Result};
use crate::plan::affinity::Entrance;
use crate::plan::deeds::Deed;
use crate::plan::tenant::Tenant;
use crate::plan::words;
use crate::resctrl::Place;
use crate::spec::Spec;
use crate::state::Record;
use crate::sys::Errno;
use crate::wire::{Message, Part, Step, Word};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// The process of a container whose namespaces are joined; `gone` where it has ended.
pub fn first(record: &Record, gone: impl Fn() -> Error) -> Result<OwnedFd> {
    record.process.ok_or_else(&gone)?.open_to_join().map_err(|e| match e {
        Errno(libc::EINVAL) => {
            Error::new("the main thread of the container's first process has ended, and other threads go on")
                .kind(Kind::Unsupported)
                .remedy("a process can join them from Linux 6.9 on")
        }
        _ => gone(),
    })
}

/// Starts the sealed init on a tenant's script.
pub fn start(
    tenant: &Tenant,
    (pid_of_first, first): (i32, BorrowedFd),
    cgroup: Option<&Cgroup>,
    birthplace: Birthplace,
    streams: Streams,
    preserve_fds: u32,
    watch: &Arc<Watch>,
) -> Result<Init> {
    let unified = match (tenant.entrance, cgroup) {
        (Entrance::Step, Some(cgroup)) => {
            cgroup.unified_entrance((birthplace == Birthplace::OrBeside).then_some(pid_of_first))?
        }
        _ => None,
    };
    let unified = unified.as_ref().map(AsFd::as_fd);
    let given = Given { pidfd: Some(first), cgroup, unified, ..Given::default() };
    let opened = open::open(&tenant.opens, given, &Spec::default())?;
    let start = Start { preserve_fds, streams, ..Start::of(&tenant.script, &opened.numbers, watch) };
    match (tenant.entrance, cgroup) {
        (Entrance::Birth, Some(cgroup)) => birth::start_in(start, cgroup, birthplace, pid_of_first),
        _ => birth::start(start),
    }
}

/// What a tenant sends for its caller: descriptors, its pid, and what it could not do and can do without.
pub enum Passed<'a> {
    Pidfd(BorrowedFd<'a>),
    Pid(i32),
    Console(OwnedFd),
    Listener(OwnedFd),
    Warning(Error),
}

/// A process on its way into a container, and who hears of it.
pub struct Joining<'a, F> {
    pub init: Init,
    pub tenant: &'a Tenant<'a>,
    pub spec: &'a Spec<'a>,
    /// The container's resctrl groups.
    pub place: Option<&'a Place>,
    pub passed: F,
    /// The terminal that only its maker can open so far.
    terminal: Option<Hidden>,
    /// The process has ended before its program ran, as one of a container that is ended does.
    ended: bool,
}

impl<'a, F: FnMut(Passed) -> Result<()>> Joining<'a, F> {
    pub fn new(
        init: Init,
        tenant: &'a Tenant<'a>,
        spec: &'a Spec<'a>,
        place: Option<&'a Place>,
        passed: F,
    ) -> Joining<'a, F> {
        Joining { init, tenant, spec, place, passed, terminal: None, ended: false }
    }

    /// Does what the host's side has to do until the program runs. Behind the birth the container's processes may be able to
    /// speak for init: what it says then can only end it, or set what its config allows.
    pub fn carry_out(&mut self, deeds: &[Deed]) -> Result<()> {
        deeds.iter().try_for_each(|deed| self.do_one(*deed))
    }

    fn do_one(&mut self, deed: Deed) -> Result<()> {
        let pid = self.init.process().pid;
        match deed {
            Deed::GivePidfd => (self.passed)(Passed::Pidfd(self.init.process().pidfd.as_fd())),
            Deed::WritePidFile => (self.passed)(Passed::Pid(pid)),
            // Its exit code says why.
            _ if self.ended => Ok(()),
            Deed::Meet(point) => self.follow(Some(point)),
            Deed::AwaitProgram => self.follow(None),
            Deed::Release => self.init.say(Word::Go),
            Deed::RaiseLimits => rlimits::raise(pid, self.spec),
            Deed::JoinResctrl => self.place.map_or(Ok(()), |place| join(place, pid)),
            Deed::CheckConfined => {
                self.tenant.confined.as_ref().map_or(Ok(()), |sets| confined::check(pid, sets))
            }
            Deed::LimitProcesses => born::limit_processes(pid, self.spec),
            Deed::SettleBorn => born::settle(pid, self.spec),
            Deed::ShowTerminal => {
                let Some(terminal) = self.terminal.take() else { return Ok(()) };
                terminal.show()?;
                (self.passed)(Passed::Console(terminal.master))
            }
            _ => Err(misplaced(deed)),
        }
    }

    /// Follows init until it waits at this point, or without one until its program runs.
    fn follow(&mut self, until: Option<u32>) -> Result<()> {
        loop {
            match self.init.hear()? {
                Event::Reached(point) if until == Some(point) => return Ok(()),
                Event::Closed => {
                    self.ended = until.is_some();
                    return Ok(());
                }
                Event::Reached(_) => {
                    return Err(Error::new("the container's init waits where its plan does not"));
                }
                // `Init::hear` answers the last two.
                Event::Spawned
                | Event::Mount { .. }
                | Event::Link { .. }
                | Event::Copied(..)
                | Event::Blocked(_) => {}
                Event::Ready => self.init.say(Word::Go)?,
                // It goes on when it is the program's, and not another session's.
                Event::Console { master, mode } => self.terminal = Some(Hidden { master, mode }),
                Event::Listener(listener) => (self.passed)(Passed::Listener(listener))?,
                // Fetched by `Init::hear`.
                Event::ListenerAt(_) => {}
                Event::Failed { message, note } => return Err(self.failure(&message, &note)),
                Event::Warned { message, note } => {
                    let warning = diagnose::explain(&self.tenant.script, &message, &note, self.spec);
                    (self.passed)(Passed::Warning(warning))?;
                }
            }
        }
    }

    fn failure(&self, message: &Message, note: &[u8]) -> Error {
        let error = diagnose::explain(&self.tenant.script, message, note, self.spec);
        match &self.terminal {
            Some(terminal) if takes_terminal(self.tenant, message) => terminal.taken(error).kind(Kind::Taken),
            None if takes_terminal(self.tenant, message) => error
                .doing("a process of the container makes every new terminal its own")
                .remedy("end that process")
                .kind(Kind::Taken),
            _ => error,
        }
    }
}

/// A plan never asks for what it has not prepared.
pub fn misplaced(deed: Deed) -> Error {
    Error::new(format!("the plan is out of order: {}", words::deed(deed)))
}

/// A terminal that is another session's already is refused: to the process that is to have it, or to the one that was to
/// hold it for that.
fn takes_terminal(tenant: &Tenant, message: &Message) -> bool {
    let step = tenant.script.step(message.step as usize);
    let terminal = matches!(step, Some((Step::Session {} | Step::Console { .. }, _)));
    terminal && message.errno == libc::EPERM && message.part == Part::Ioctl as u32
}

/// A group that its administrator has removed has no tasks: those of the container are in the default group now.
fn join(place: &Place, pid: i32) -> Result<()> {
    match place.join(pid) {
        Err(error) if error.detail().errno == Some(libc::ENOENT) => Ok(()),
        other => other,
    }
}
