//! A process that joins a container (`exec`, a hook inside): the sealed init with a tenant's script.

use super::init::{self, Event, Init, Streams};
use super::open::{self, Given};
use super::rlimits;
use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::plan::affinity::Entrance;
use crate::plan::sync;
use crate::plan::tenant::Tenant;
use crate::resctrl::Place;
use crate::spec::Spec;
use crate::wire::Kind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Which cgroup of v2 a tenant is born in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Birthplace {
    /// The one that is given, and no other.
    Exactly,
    /// That, or the one of the container's first process where the container manages cgroups of its own.
    OrBeside,
}

/// Starts the sealed init on a tenant's script.
pub fn start(
    tenant: &Tenant,
    (pid_of_first, first): (i32, BorrowedFd),
    cgroup: Option<&Cgroup>,
    birthplace: Birthplace,
    streams: Streams,
    preserve_fds: u32,
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
        let start = init::Start::of(&tenant.script, &opened.numbers);
        init::start(init::Start { cgroup: birth, preserve_fds, streams, ..start })
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

/// Starts one that is told of by `spec`, in our own cgroup and without streams.
pub fn start_alone(tenant: &Tenant, given: Given, spec: &Spec) -> Result<Init> {
    let opened = open::open(&tenant.opens, given, spec)?;
    init::start(init::Start::of(&tenant.script, &opened.numbers))
}

/// Descriptors that a tenant sends.
pub enum Passed {
    Console(OwnedFd),
    Listener(OwnedFd),
}

/// Follows a tenant until its program runs. `place` is where the container is in resctrl.
pub fn converse(
    init: &mut Init,
    tenant: &Tenant,
    spec: &Spec,
    place: Option<&Place>,
    mut passed: impl FnMut(Passed) -> Result<()>,
) -> Result<()> {
    loop {
        match init.hear()? {
            Event::Reached(point) => {
                let pid = init.process().pid;
                match (point, place) {
                    (sync::LIMITS, _) => rlimits::raise(pid, spec)?,
                    (sync::RESCTRL, Some(place)) => join(place, pid)?,
                    _ => {}
                }
                init.say(Kind::Go)?;
            }
            Event::Spawned => {}
            Event::Ready => init.say(Kind::Go)?,
            Event::Console(master) => passed(Passed::Console(master))?,
            Event::Listener(listener) => passed(Passed::Listener(listener))?,
            Event::Failed { message, note } => {
                return Err(super::diagnose::explain(&tenant.script, &message, &note, spec));
            }
            Event::Closed => return Ok(()),
        }
    }
}

/// A group that its administrator has removed has no tasks: those of the container are in the default group now.
fn join(place: &Place, pid: i32) -> Result<()> {
    match place.join(pid) {
        Err(error) if error.detail().errno == Some(libc::ENOENT) => Ok(()),
        other => other,
    }
}
