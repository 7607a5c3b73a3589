//! A process that joins a container (`exec`, a hook inside): the sealed init with a tenant's script.

use crate::cgroup::{Cgroup, Location, systemd};
use crate::engine::carry::carry_out;
use crate::engine::child::{
    birth::{self, Birthplace, Start},
    born::{self, Hidden},
    diagnose, early,
    init::Init,
    message::{self, Heard, Trouble},
    open::{self, Given, Opened},
};
use crate::engine::{Event, Planned, Streams, Waits};
use crate::error::{Error, Kind, Result};
use crate::plan::Opens;
use crate::plan::affinity::Entrance;
use crate::plan::deeds::{self, Deed, There, Wishes};
use crate::plan::script::Talk;
use crate::plan::tenant::{Destination, Tenant};
use crate::resctrl::Place;
use crate::spec::{Seccomp, Spec};
use crate::state::Record;
use crate::sys::Errno;
use crate::sys::launch::Child;
use crate::wire::{Message, Part, Point, Step, Word};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
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
        Errno(libc::ENOSYS) => e.because("open the container's first process"),
        _ => gone(),
    });
    Ok((process.pid, opened?))
}

/// Where it goes, and which namespaces it joins; `cgroup`: [`Cgroup::there`].
pub fn destination<'r>(record: &'r Record, cgroup: Option<&'r Location>) -> Destination<'r> {
    Destination {
        namespaces: record.namespaces(),
        user_namespaces: &record.user_namespaces,
        cgroup,
        mover: None,
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

/// What is open for a tenant until its init has it; the file by which that enters its v2 cgroup among it.
struct ForTenant(Opened, Option<OwnedFd>);

fn open(
    opens: &Opens,
    tenant: &Tenant,
    spec: &Spec,
    beginning: &Beginning,
    waits: &Rc<Waits>,
) -> Result<ForTenant> {
    let Beginning { first, given, birthplace, .. } = *beginning;
    let unified = match (tenant.entrance, given.cgroup) {
        (Entrance::Step, Some(cgroup)) => {
            Some(cgroup.unified_entrance((birthplace == Birthplace::OrBeside).then_some(first))?)
        }
        _ => None,
    };
    let given = Given { unified: unified.as_ref().map(AsFd::as_fd), ..given };
    Ok(ForTenant(open::open(opens, given, spec, waits)?, unified))
}

fn launch(
    ForTenant(opened, _unified): ForTenant,
    tenant: &Tenant,
    beginning: &Beginning,
    waits: &Rc<Waits>,
) -> Result<Init> {
    let Beginning { first, given, birthplace, streams, preserved } = *beginning;
    let start = Start { given: preserved, streams, ..Start::of(&tenant.script, &opened.numbers, waits) };
    let init = match (tenant.entrance, given.cgroup) {
        (Entrance::Birth, Some(cgroup)) => birth::start_in(start, cgroup, birthplace, first),
        _ => birth::start(start),
    }?;
    Ok(init.with(opened.into_sources(), &tenant.script))
}

/// Starts the sealed init on a tenant's script.
pub fn start(tenant: &Tenant, spec: &Spec, beginning: Beginning, waits: &Rc<Waits>) -> Result<Init> {
    let opened = open(&tenant.opens, tenant, spec, &beginning, waits)?;
    launch(opened, tenant, &beginning, waits)
}

/// What a tenant sends for its caller: descriptors, its pid, and what it could not do and can do without.
pub enum Passed<'a> {
    Pidfd(BorrowedFd<'a>),
    /// For this file.
    Pid(&'a Path, i32),
    Console(OwnedFd),
    /// Of a filter with this profile.
    Listener(&'a Seccomp<'a>, OwnedFd),
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
    let deeds = deeds::join(tenant, spec, place, wishes)?;
    let name = "a process that joins the container";
    let planned = Planned { name, deeds: &deeds, script: Some(&tenant.script), spec };
    let (init, opened, terminal) = (None, None, None);
    let mut joining =
        Joining { init, opened, tenant, spec, beginning, waits, passed, terminal, ended: false, point: None };
    let mut ledger = Vec::new();
    let joined = carry_out(waits, planned, &mut ledger, &mut |deed| joining.do_one(deed));
    if let Err(error) = joined {
        // A process that its caller does not know may not go on.
        let back = deeds::undo(&ledger, There::default());
        let planned = Planned::of("the way back of that process", &back, spec);
        let undone = carry_out(waits, planned, &mut Vec::new(), &mut |deed| joining.do_one(deed));
        if let Err(more) = undone {
            // Whatever its hearer makes of it: the error that led here is the one to report.
            let _ = (joining.passed)(Passed::Warning(more.doing("cleaning up after a failure")));
        }
        return Err(error);
    }
    joining.init.ok_or_else(|| Deed::StartJoining.misplaced())
}

/// A process on its way into a container, and the listener that is told about it.
struct Joining<'a, F> {
    init: Option<Init>,
    opened: Option<ForTenant>,
    tenant: &'a Tenant<'a>,
    spec: &'a Spec<'a>,
    beginning: Beginning<'a>,
    waits: &'a Rc<Waits>,
    passed: F,
    /// The terminal that only its maker can open so far.
    terminal: Option<Hidden>,
    /// The process has ended before its program ran, as one of a container that is ended does.
    ended: bool,
    /// Where it waits, or waited last.
    point: Option<Point>,
}

impl<F: FnMut(Passed) -> Result<()>> Joining<'_, F> {
    fn init(&mut self) -> Result<&mut Init> {
        self.init.as_mut().ok_or_else(|| Deed::StartJoining.misplaced())
    }

    fn pid(&mut self) -> Result<i32> {
        self.init().map(|init| init.process().pid)
    }

    fn do_one(&mut self, deed: Deed) -> Result<()> {
        match deed {
            Deed::Open(opens) => {
                self.opened = Some(open(opens, self.tenant, self.spec, &self.beginning, self.waits)?);
                Ok(())
            }
            Deed::StartJoining => {
                let opened = self.opened.take().ok_or_else(|| Deed::Open(&self.tenant.opens).misplaced())?;
                self.init = Some(launch(opened, self.tenant, &self.beginning, self.waits)?);
                Ok(())
            }
            Deed::EndJoining => {
                self.init.iter().for_each(Init::end);
                Ok(())
            }
            Deed::GivePidfd => {
                let init = self.init.as_ref().ok_or_else(|| Deed::StartJoining.misplaced())?;
                (self.passed)(Passed::Pidfd(init.process().pidfd.as_fd()))
            }
            Deed::WritePidFile(path) => {
                let pid = self.pid()?;
                (self.passed)(Passed::Pid(path, pid))
            }
            // Its exit code says why.
            Deed::Meet(_) | Deed::Release | Deed::RaiseLimits(_) | Deed::JoinResctrl(_) if self.ended => {
                Ok(())
            }
            Deed::MoveIntoScope(_) | Deed::ReleaseIntoScope if self.ended => Ok(()),
            Deed::CheckConfined(_) | Deed::LimitProcesses(_) | Deed::SettleBorn(_) if self.ended => Ok(()),
            Deed::TakeTerminal(_) | Deed::ShowTerminal | Deed::SendListener(_) if self.ended => Ok(()),
            Deed::AwaitProgram if self.ended => Ok(()),
            Deed::Meet(point) => {
                self.point = Some(point);
                self.follow(Some(Talk::Reached(point))).map(drop)
            }
            // It goes on when it is the program's, and not another session's.
            Deed::TakeTerminal(_) => match self.follow(Some(Talk::Console))? {
                Some(Heard::Console(hidden)) => {
                    self.terminal = Some(hidden);
                    Ok(())
                }
                None => Ok(()),
                Some(_) => Err(message::out_of_turn()),
            },
            Deed::SendListener(profile) => match self.follow(Some(Talk::Listener))? {
                Some(Heard::Listener(listener)) => (self.passed)(Passed::Listener(profile, listener)),
                None => Ok(()),
                Some(_) => Err(message::out_of_turn()),
            },
            Deed::AwaitProgram => self.follow(None).map(drop),
            Deed::Release => {
                let (waits, last) = (self.waits, self.point == Some(Point::Born));
                let init = self.init()?;
                if last {
                    let (word, answer) = init.ends();
                    waits.tell(&Event::Releasing { process: init.process(), word, answer });
                }
                init.say(Word::Go)
            }
            // systemd has moved it into the very group, so that what it makes is born there.
            Deed::ReleaseIntoScope => self.init()?.release_into(None),
            Deed::MoveIntoScope(unit) => {
                let pid = self.pid()?;
                self.waits.resting(|rest| systemd::attach(unit, pid, rest))
            }
            Deed::RaiseLimits(_) | Deed::JoinResctrl(_) => born::do_for(self.pid()?, deed),
            Deed::CheckConfined(_) | Deed::LimitProcesses(_) | Deed::SettleBorn(_) => {
                born::do_for(self.pid()?, deed)
            }
            Deed::ShowTerminal => {
                let Some(terminal) = self.terminal.take() else { return Ok(()) };
                terminal.show()?;
                (self.passed)(Passed::Console(terminal.master))
            }
            _ => Err(deed.misplaced()),
        }
    }

    /// Follows init until it says this, or without it until its program runs; `None` where it does or the process has ended.
    fn follow(&mut self, until: Option<Talk>) -> Result<Option<Heard>> {
        loop {
            match self.init()?.hear()? {
                heard if until.is_some_and(|talk| heard.is(talk)) => return Ok(Some(heard)),
                Heard::Closed => {
                    if until.is_some() {
                        self.must_have_ended()?;
                    }
                    let early = early::end(self.init()?.process());
                    early.map_or(Ok(()), |word| (self.passed)(Passed::Warning(word)))?;
                    return Ok(None);
                }
                Heard::Ready => self.init()?.say(Word::Go)?,
                Heard::Failed(trouble) => return Err(self.failure(&trouble)),
                Heard::Warned(trouble) => {
                    let warning = diagnose::explain(&self.tenant.script, &trouble, self.spec);
                    (self.passed)(Passed::Warning(warning))?;
                }
                // `Init::hear` follows the process that was spawned.
                Heard::Spawned(_) => {}
                _ => return Err(message::out_of_turn()),
            }
        }
    }

    /// A process of the container that may trace can close init's end of the conversation. What init waits for would then
    /// not be done for a process that goes on.
    fn must_have_ended(&mut self) -> Result<()> {
        let waits = self.waits;
        let Child { pid, pidfd } = self.init()?.process();
        self.ended = waits.end_of(pidfd.as_fd(), *pid)?;
        if self.ended { Ok(()) } else { Err(message::out_of_turn()) }
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
