//! A process that joins a container (`exec`, a hook inside): the sealed init with a tenant's script.

use crate::cgroup::{Cgroup, is_freezing_group};
use crate::engine::child::{
    birth,
    born::{self, Hidden},
    confined,
    init::Init,
    message::Event,
    open::{self, Given},
    rlimits,
};
use crate::engine::{Streams, Watch};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::plan::affinity::Entrance;
use crate::plan::sync;
use crate::plan::tenant::Tenant;
use crate::resctrl::Place;
use crate::spec::Spec;
use crate::state::Record;
use crate::sys::Errno;
use crate::wire::{Kind, Message, Part, Step};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Which cgroup of v2 a tenant is born in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Birthplace {
    /// The one that is given, and no other.
    Exactly,
    /// That, or the one of the container's first process where the container manages cgroups of its own.
    OrBeside,
}

/// The process of a container whose namespaces are joined; `gone` where it has ended.
pub fn first(record: &Record, gone: impl Fn() -> Error) -> Result<OwnedFd> {
    record.process.ok_or_else(&gone)?.open_to_join().map_err(|e| match e {
        Errno(libc::EINVAL) => {
            Error::new("the main thread of the container's first process has ended, and other threads go on")
                .kind(ErrorKind::Unsupported)
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
    let (birth, unified) = match (tenant.entrance, cgroup) {
        (_, None) => (None, None),
        (Entrance::Birth, Some(cgroup)) => (cgroup.birth(), None),
        (Entrance::Step, Some(cgroup)) => {
            (None, cgroup.unified_entrance((birthplace == Birthplace::OrBeside).then_some(pid_of_first))?)
        }
    };
    let unified = unified.as_ref().map(AsFd::as_fd);
    let given = Given { pidfd: Some(first), cgroup, unified, ..Given::default() };
    let opened = open::open(&tenant.opens, given, &Spec::default())?;
    let launch = |birth: Option<BorrowedFd>| {
        // A container that manages cgroups of its own may freeze one while we look.
        if birth.is_some_and(is_freezing_group) {
            return Err(birth::frozen());
        }
        let start = birth::Start::of(&tenant.script, &opened.numbers, watch);
        birth::start(birth::Start { cgroup: birth, preserve_fds, streams, ..start })
    };
    // A cgroup that hands controllers down takes no process.
    let full = |error: &Error| error.detail().errno == Some(libc::EBUSY);
    match (launch(birth), cgroup.filter(|_| birth.is_some()), birthplace) {
        (Err(error), Some(cgroup), Birthplace::OrBeside) if full(&error) => {
            let beside = cgroup.beside(pid_of_first)?;
            launch(Some(beside.as_fd()))
        }
        (Err(error), _, Birthplace::Exactly) if full(&error) => Err(error
            .field("--cgroup")
            .remedy("this group hands controllers down to those below it: name one of those")),
        (started, ..) => started,
    }
}

/// What a tenant sends for its caller: descriptors, and what it could not do and can do without.
pub enum Passed {
    Console(OwnedFd),
    Listener(OwnedFd),
    Warning(Error),
}

/// Follows init until the program runs. Behind the birth the container's processes may be able to speak for it: what it says
/// then can only end it, or set what its config allows.
pub fn converse(
    init: &mut Init,
    tenant: &Tenant,
    spec: &Spec,
    place: Option<&Place>,
    mut passed: impl FnMut(Passed) -> Result<()>,
) -> Result<()> {
    let mut terminal: Option<Hidden> = None;
    loop {
        match init.hear()? {
            Event::Reached(point) => {
                let pid = init.process().pid;
                match (point, place) {
                    (sync::LIMITS, _) => rlimits::raise(pid, spec)?,
                    (sync::RESCTRL, Some(place)) => join(place, pid)?,
                    (sync::CONFINED, _) => {
                        if let Some(sets) = &tenant.confined {
                            confined::check(pid, sets)?;
                        }
                    }
                    (sync::PROCESSES, _) => born::limit_processes(pid, spec)?,
                    (sync::BORN, _) => {
                        born::settle(pid, spec)?;
                        if let Some(terminal) = terminal.take() {
                            terminal.show()?;
                            passed(Passed::Console(terminal.master))?;
                        }
                    }
                    _ => {}
                }
                init.say(Kind::Go)?;
            }
            // `Init::hear` answers the last two.
            Event::Spawned
            | Event::Mount { .. }
            | Event::Link { .. }
            | Event::Copied(..)
            | Event::Blocked(_) => {}
            Event::Ready => init.say(Kind::Go)?,
            // It goes on when it is the program's, and not somebody else's.
            Event::Console { master, mode } => terminal = Some(Hidden { master, mode }),
            Event::Listener(listener) => passed(Passed::Listener(listener))?,
            // Fetched by `Init::hear`.
            Event::ListenerAt(_) => {}
            Event::Failed { message, note } => {
                let error = crate::engine::child::diagnose::explain(&tenant.script, &message, &note, spec);
                return Err(match &terminal {
                    Some(terminal) if takes_terminal(tenant, &message) => {
                        terminal.taken(error).kind(ErrorKind::Taken)
                    }
                    None if takes_terminal(tenant, &message) => error
                        .doing("a process of the container makes every new terminal its own")
                        .remedy("end that process")
                        .kind(ErrorKind::Taken),
                    _ => error,
                });
            }
            Event::Warned { message, note } => {
                let warning = crate::engine::child::diagnose::explain(&tenant.script, &message, &note, spec);
                passed(Passed::Warning(warning))?;
            }
            Event::Closed => return Ok(()),
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
fn join(place: &Place, pid: i32) -> Result<()> {
    match place.join(pid) {
        Err(error) if error.detail().errno == Some(libc::ENOENT) => Ok(()),
        other => other,
    }
}
