//! The seat of the drivers, which make a container's cgroup, write its limits, stop, end and remove it.
//!
//! ```text
//!  what the caller asks for ──CgroupManager::locate──▶ Location ──make──▶ Driver     a container in the making
//!                                record ─────────────▶ Location ──open──▶ Driver     one that exists, whatever is asked
//! ```
//!
//! Nothing outside of this file opens a cgroup. That systemd makes it (`Location::unit`) is asked where a process is to get
//! into it: by plan/container.rs, and by life/create.rs, which asks for the scope. A further driver is a room beside
//! `files/` and `systemd/`, an arm of [`CgroupManager::locate`], what [`Location`] keeps for [`seat`] to find it again, and
//! a variant of [`Seat`] and [`Driver`]: the compiler then names the rest. Every driver's cgroup is directories: code that
//! adds processes or reads uses [`Driver::cgroup`].

use super::files::below::Below;
use super::files::freeze;
use super::files::held::Cgroup;
use super::files::update::Undo;
use super::limits::Limits;
use super::location::{self, Location, Unit};
use super::stats;
use super::systemd::{self, CgroupRequest, Scope, ScopeSettings};
use crate::error::{Error, Kind, Result};
use crate::host::cgroups::{Layout, detect};
use crate::sys::poll::Rest;
use std::time::Instant;

/// Who makes cgroups, as `--cgroup-manager` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CgroupManager {
    /// We do, in the mounted hierarchies.
    #[default]
    Cgroupfs,
    /// systemd does, as a transient scope.
    Systemd,
    /// Nothing: the container stays in the caller's cgroup, without limits of its own.
    Disabled,
}

impl CgroupManager {
    /// The host's hierarchies. They may be absent where they are not needed.
    pub fn layout(self) -> Result<Layout> {
        match self {
            CgroupManager::Disabled => Ok(detect().unwrap_or_default()),
            _ => detect(),
        }
    }

    /// Where the cgroup of container `id` will be; `None` if it is to have none.
    pub fn locate(self, layout: &Layout, request: &CgroupRequest) -> Result<Option<Location>> {
        match self {
            CgroupManager::Cgroupfs => location::locate(layout, request.path, request.id).map(Some),
            CgroupManager::Disabled => Ok(None),
            CgroupManager::Systemd => systemd::locate(layout, request).map(Some),
        }
    }
}

/// A container's cgroup in the hands of its driver.
#[derive(Default)]
pub enum Driver {
    /// There is no cgroup (yet, or any more). Every question has an empty answer then.
    #[default]
    None,
    /// Directories and control files of the mounted hierarchies.
    Files(Cgroup),
    /// A scope of systemd's, with what it leaves to files.
    Systemd(Box<Scope>),
}

/// The drivers that a location can have.
enum Seat<'l> {
    Files,
    Systemd(&'l Unit),
}

/// Which driver has the cgroup: by what the record keeps of it, whatever is asked for now.
fn seat(location: &Location) -> Seat<'_> {
    location.unit.as_ref().map_or(Seat::Files, Seat::Systemd)
}

impl Driver {
    /// Refuses a cgroup that others use, before anything is recorded ([`Cgroup::refuse_occupied`]).
    pub fn refuse_occupied(location: &Location) -> Result<()> {
        match seat(location) {
            Seat::Files => Cgroup::refuse_occupied(location),
            // systemd refuses the name of a unit that exists.
            Seat::Systemd(_) => Ok(()),
        }
    }

    /// The caller may not make one there ([`Cgroup::is_refused`]).
    pub fn is_refused(location: &Location) -> bool {
        match seat(location) {
            Seat::Files => Cgroup::is_refused(location),
            // Whether it may is the manager's answer.
            Seat::Systemd(_) => false,
        }
    }

    /// Makes the cgroup of a new container ([`Cgroup::make`]). A scope is yet to be asked for.
    pub fn make(location: &Location, limits: &Limits) -> Result<Driver> {
        match seat(location) {
            Seat::Files => Cgroup::make(location, limits).map(Driver::Files),
            Seat::Systemd(unit) => Ok(Driver::Systemd(Box::new(Scope::new(location, unit)))),
        }
    }

    /// Asks for the scope of a new container, with this process in it ([`Scope::ask`]).
    pub fn ask(&mut self, settings: &ScopeSettings, pid: i32, rest: Rest) -> Result<()> {
        match self {
            Driver::None | Driver::Files(_) => Err(without_cgroup("asked for")),
            Driver::Systemd(scope) => scope.ask(settings, pid, rest),
        }
    }

    /// Waits until it is there ([`Scope::settle`]).
    pub fn settle(&mut self, limits: &Limits, rest: Rest) -> Result<()> {
        match self {
            Driver::None | Driver::Files(_) => Err(without_cgroup("waited for")),
            Driver::Systemd(scope) => scope.settle(limits, rest),
        }
    }

    /// The cgroup of a container that exists, where there still is one.
    pub fn open(location: Option<&Location>) -> Result<Driver> {
        let Some(location) = location else { return Ok(Driver::None) };
        match seat(location) {
            Seat::Files => Ok(Cgroup::open(location)?.map_or(Driver::None, Driver::Files)),
            Seat::Systemd(unit) => Ok(Driver::Systemd(Box::new(Scope::open(location, unit)?))),
        }
    }

    /// The same as far as it has something to count.
    pub fn counting(location: Option<&Location>) -> Result<Driver> {
        Driver::open(location.map(stats::counting).as_ref())
    }

    /// The counters of what it uses, to be read again and again; `None` where there is no cgroup any more.
    pub fn live(location: &Location) -> Result<Option<stats::Live>> {
        Ok(Cgroup::open(&stats::counting(location))?.map(stats::Live::of))
    }

    /// Whether its processes are stopped ([`freeze::is_frozen`]): by file, with every driver.
    pub fn is_frozen(location: &Location) -> bool {
        freeze::is_frozen(location)
    }

    /// A group below it ([`Cgroup::below`]).
    pub fn below(self, wanted: &[Below]) -> Result<Driver> {
        match self {
            Driver::None => Err(without_cgroup("entered")),
            Driver::Files(cgroup) => cgroup.below(wanted).map(Driver::Files),
            Driver::Systemd(scope) => scope.cgroup.below(wanted).map(Driver::Files),
        }
    }

    /// Its directories, with every driver.
    pub fn cgroup(&self) -> Option<&Cgroup> {
        match self {
            Driver::None => None,
            Driver::Files(cgroup) => Some(cgroup),
            Driver::Systemd(scope) => Some(&scope.cgroup).filter(|cgroup| cgroup.is_there()),
        }
    }

    /// The same for what cannot be done without one.
    pub fn needed(&self, what: &str) -> Result<&Cgroup> {
        self.cgroup().ok_or_else(|| without_cgroup(what))
    }

    /// Where it is, with the numbers by which it will be known.
    pub fn location(&self) -> Result<Option<Location>> {
        match self {
            Driver::None => Ok(None),
            Driver::Files(cgroup) => cgroup.location().map(Some),
            Driver::Systemd(scope) => scope.location().map(Some),
        }
    }

    /// Stops every process ([`Cgroup::freeze`]): by file, with every driver.
    pub fn freeze(&self, rest: Rest) -> Result<()> {
        self.needed("paused")?.freeze(rest)
    }

    pub fn thaw(&self) -> Result<()> {
        self.needed("resumed")?.thaw()
    }

    /// Sends a signal to every process ([`Cgroup::kill`]).
    pub fn kill(&self, signal: i32, rest: Rest) -> Result<()> {
        self.cgroup().map_or(Ok(()), |cgroup| cgroup.kill(signal, rest))
    }

    /// Device rules of a new container: in force before it has a process ([`Cgroup::guard_devices`]).
    pub fn guard_devices(&self, limits: &Limits) -> Result<()> {
        self.cgroup().map_or(Ok(()), |cgroup| cgroup.guard_devices(limits))
    }

    /// The limits of a new container ([`Cgroup::apply`]).
    pub fn apply(&self, limits: &Limits, rest: Rest) -> Result<()> {
        match self {
            Driver::None => Ok(()),
            Driver::Files(cgroup) => cgroup.apply(limits),
            Driver::Systemd(scope) => scope.apply(limits, rest),
        }
    }

    /// Other limits, all of them or none ([`Cgroup::update`]).
    pub fn update(&self, limits: &Limits, earlier: &Limits, rest: Rest) -> Result<Undo<'_>> {
        match self {
            Driver::None => Err(without_cgroup("updated")),
            Driver::Files(cgroup) => cgroup.update(limits, earlier),
            Driver::Systemd(scope) => scope.update(limits, earlier, rest),
        }
    }

    /// Takes an update back because of `error`, and adds to it how that went. `of` are the limits that were
    /// to be, and those from before.
    #[must_use]
    pub fn set_back(&self, undo: Undo, of: (&Limits, &Limits), error: Error, rest: Rest) -> Error {
        match self {
            Driver::None | Driver::Files(_) => undo.back(error),
            Driver::Systemd(scope) => scope.set_back(undo, of, error, rest),
        }
    }

    /// How many tasks there are, and may be.
    pub fn tasks(&self) -> Option<(u64, u64)> {
        self.cgroup().and_then(Cgroup::tasks)
    }

    pub fn limit_tasks(&self, limit: u64) -> Result<()> {
        self.cgroup().map_or(Ok(()), |cgroup| cgroup.limit_tasks(limit))
    }

    /// Takes it away once it is empty ([`Cgroup::remove`]).
    pub fn remove(self, deadline: Instant, rest: Rest) -> Result<()> {
        match self {
            Driver::None => Ok(()),
            Driver::Files(cgroup) => cgroup.remove(deadline, rest),
            Driver::Systemd(scope) => scope.remove(deadline, rest),
        }
    }
}

/// Without a cgroup there is nothing to do this with.
pub fn without_cgroup(what: &str) -> Error {
    Error::new(format!("a container without a cgroup cannot be {what}"))
        .kind(Kind::Unsupported)
        .remedy("the cgroup was removed, or the container was created with --cgroup-manager disabled or by an ordinary user")
}
