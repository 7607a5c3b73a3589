//! A process that joins a container (`exec`, a hook inside): the sealed init with a tenant's script.

use super::init::{self, Event, Init};
use super::limits;
use super::open::{self, Given};
use crate::cgroup::Cgroup;
use crate::error::Result;
use crate::plan::affinity::Entrance;
use crate::plan::sync;
use crate::plan::tenant::Tenant;
use crate::spec::Spec;
use crate::sys::socket;
use crate::wire::Kind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Starts the sealed init on a tenant's script.
pub fn start(
    tenant: &Tenant,
    (pid_of_first, first): (i32, BorrowedFd),
    cgroup: Option<&Cgroup>,
    streams: [Option<BorrowedFd>; 3],
    preserve_fds: u32,
) -> Result<Init> {
    let (birth, unified) = match (tenant.entrance, cgroup) {
        (_, None) => (None, None),
        (Entrance::Birth, Some(cgroup)) => (cgroup.birth(), None),
        (Entrance::Step, Some(cgroup)) => (None, cgroup.unified_entrance(pid_of_first)?),
    };
    let unified = unified.as_ref().map(AsFd::as_fd);
    let given = Given { listener: None, pidfd: Some(first), cgroup, unified };
    let opened = open::open(&tenant.opens, given, &Spec::default())?;
    let launch = |birth: Option<BorrowedFd>| {
        let control = socket::pair().map_err(|e| e.because("socketpair"))?;
        let start = init::Start {
            script: &tenant.script,
            handles: &opened.numbers,
            namespaces: 0,
            cgroup: birth,
            preserve_fds,
            streams,
        };
        init::start(control, start)
    };
    match (launch(birth), cgroup.filter(|_| birth.is_some())) {
        // The container manages cgroups of its own: its top one hands controllers down and takes no process.
        (Err(error), Some(cgroup)) if error.detail().errno == Some(libc::EBUSY) => {
            let beside = cgroup.beside(pid_of_first)?;
            launch(Some(beside.as_fd()))
        }
        (started, _) => started,
    }
}

/// Starts one that is told of by `spec`, in our own cgroup and without streams.
pub fn start_alone(tenant: &Tenant, given: Given, spec: &Spec) -> Result<Init> {
    let opened = open::open(&tenant.opens, given, spec)?;
    let control = socket::pair().map_err(|e| e.because("socketpair"))?;
    let start = init::Start {
        script: &tenant.script,
        handles: &opened.numbers,
        namespaces: 0,
        cgroup: None,
        preserve_fds: 0,
        streams: [None, None, None],
    };
    init::start(control, start)
}

/// Descriptors that a tenant sends.
pub enum Passed {
    Console(OwnedFd),
    Listener(OwnedFd),
}

/// Follows a tenant until its program runs.
pub fn converse(
    init: &mut Init,
    tenant: &Tenant,
    spec: &Spec,
    mut passed: impl FnMut(Passed) -> Result<()>,
) -> Result<()> {
    loop {
        match init.hear()? {
            Event::Reached(point) => {
                if point == sync::LIMITS {
                    limits::raise(init.process().pid, spec)?;
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
