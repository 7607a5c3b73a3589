//! A container's scope: asked for, waited for, changed and taken away.

use super::bus::{Bus, News};
use super::properties;
use super::value::{Property, Value};
use crate::cgroup::files::held::{Cgroup, Held, Origin};
use crate::cgroup::files::update::Undo;
use crate::cgroup::limits::{Amount, Limits};
use crate::cgroup::location::Unit;
use crate::cgroup::location::{Leg, Location, Version, inside, membership, own_cgroup};
use crate::error::{Error, Result};
use crate::host::cgroups::{Layout, Mount};
use crate::sys::poll::Rest;
use std::time::{Duration, Instant};

/// The cgroup of a scope, and what is said to systemd about it.
pub struct Scope {
    pub cgroup: Cgroup,
    /// Where it is to be, until it is there.
    wanted: Location,
    unit: Unit,
    asked: Option<Asked>,
    /// systemd has said that it does not make it.
    refused: bool,
}

/// A conversation that has begun.
struct Asked {
    pid: i32,
    bus: Bus,
    call: u32,
    properties: Vec<Property>,
    /// Of the host's hierarchies.
    mounts: Vec<Mount>,
    owner: Option<(u32, u32)>,
}

/// What a new scope is to be like.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    pub id: &'a str,
    pub limits: &'a Limits,
    pub layout: &'a Layout,
    /// Whom a group that the container manages is to belong to, where not to the caller.
    pub owner: Option<(u32, u32)>,
    /// What annotations ask for.
    pub annotated: &'a [Property],
}

impl Order<'_> {
    /// What the config asks for. An annotation goes before what is made of it otherwise.
    pub fn properties(&self) -> Vec<Property> {
        let mut all = properties::of_limits(self.limits, self.layout.is_unified());
        if lacks_room(self.limits) {
            all.retain(|one| one.name != properties::TASKS);
            all.push(Property::new(properties::TASKS, Value::U64(ROOM)));
        }
        all.extend(properties::of_devices(self.limits));
        all.retain(|one| self.annotated.iter().all(|annotated| annotated.name != one.name));
        all.extend_from_slice(self.annotated);
        all
    }
}

const UNIT_EXISTS: &str = "org.freedesktop.systemd1.UnitExists";
const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

impl Scope {
    /// One that is to be here.
    pub fn new(location: &Location, unit: &Unit) -> Scope {
        Scope {
            cgroup: Cgroup::default(),
            wanted: location.clone(),
            unit: unit.clone(),
            asked: None,
            refused: false,
        }
    }

    /// The one that a record names, as far as it is there.
    pub fn open(location: &Location, unit: &Unit) -> Result<Scope> {
        let mut cgroup = Cgroup::open(location)?.unwrap_or_default();
        if let Some(inner) = unit.inner() {
            cgroup.enter_inner(&inner)?;
        }
        if unit.users && cgroup.refuses_births() {
            cgroup.moved_by = Some(unit.clone());
        }
        Ok(Scope { cgroup, ..Scope::new(location, unit) })
    }

    pub fn location(&self) -> Result<Location> {
        match self.unit.made {
            true => Ok(Location { unit: Some(self.unit.clone()), ..self.cgroup.location()? }),
            false => Ok(self.wanted.clone()),
        }
    }

    /// Asks for the scope, with this process in it, and does not wait.
    pub fn ask(&mut self, order: &Order, pid: i32, rest: Rest) -> Result<()> {
        let unit = &self.unit;
        let mut all = order.properties();
        let own = properties::of_scope(order.id, &unit.slice, pid.unsigned_abs(), order.layout.is_unified());
        let absent = |one: &Property| order.annotated.iter().all(|annotated| annotated.name != one.name);
        all.extend(own.into_iter().filter(absent));
        let mut bus = Bus::connect(&unit.bus, rest)?;
        bus.watch_jobs(&unit.name)?;
        let call = bus.start(&unit.name, &all)?;
        bus.send()?;
        let v1 = order.layout.hierarchies.iter().map(|hierarchy| &hierarchy.mount);
        let mounts = v1.chain(&order.layout.unified).cloned().collect();
        self.asked = Some(Asked { pid, bus, call, properties: all, mounts, owner: order.owner });
        Ok(())
    }

    /// Waits until the scope is there, and opens where the process is then. In the hierarchies that systemd leaves alone the
    /// directories are ours to make.
    pub fn settle(&mut self, limits: &Limits, rest: Rest) -> Result<()> {
        let Some(mut asked) = self.asked.take() else { return Err(Error::new("no scope was asked for")) };
        self.await_start(&mut asked, rest)?;
        self.unit.made = true;
        let text = membership(&asked.pid.to_string())?;
        let mut ours = Vec::new();
        for leg in &self.wanted.legs {
            let own = own_cgroup(&text, leg.controllers.first().map_or("", String::as_str)).unwrap_or("/");
            let mount = asked.mounts.iter().find(|mount| mount.path == leg.mount);
            let path = mount.map_or(Ok(own.to_owned()), |mount| inside(mount, own))?;
            if path.rsplit('/').next() == Some(&*self.unit.name) {
                let leg = Leg { path, ..leg.clone() };
                let found = Cgroup::open(&Location { legs: vec![leg], unit: None })?.unwrap_or_default();
                // systemd has just made it for us.
                let made = found.held.into_iter().map(|held| Held { origin: Origin::Made, ..held });
                self.cgroup.held.extend(made);
            } else if leg.version == Version::V1 {
                ours.push(leg.clone());
            }
        }
        if self.cgroup.held.is_empty() {
            return Err(Error::new(format!(
                "systemd has made {}, and the process is not in it",
                self.unit.name
            ))
            .field("/linux/cgroupsPath")
            .value(text.trim())
            .remedy("the cgroup file systems that rruntime sees must be systemd's own"));
        }
        let ours = Location { legs: ours, unit: None };
        self.cgroup.held.extend(Cgroup::make(&ours, limits)?.held);
        match (&self.unit.below, self.unit.inner()) {
            (Some(below), Some(inner)) => {
                self.cgroup.make_inner(&inner, asked.owner)?;
                self.cgroup.enter_inner(below)
            }
            _ => Ok(()),
        }
    }

    fn await_start(&mut self, asked: &mut Asked, rest: Rest) -> Result<()> {
        let name = &self.unit.name;
        let (mut job, mut again) = (None, false);
        loop {
            match asked.bus.hear(rest)? {
                News::Reply(call, path) if call == asked.call => job = path,
                News::Refusal(call, error, _) if call == asked.call && error == UNIT_EXISTS && !again => {
                    // One that has failed keeps its name until it is reset.
                    again = true;
                    asked.bus.reset_failed(name)?;
                    asked.call = asked.bus.start(name, &asked.properties)?;
                    asked.bus.send()?;
                }
                News::Refusal(call, error, words) if call == asked.call => {
                    self.refused = true;
                    return Err(self.unit.refused("make", &error, &words));
                }
                News::JobRemoved(path, result) if Some(&path) == job.as_ref() => {
                    return if result == "done" {
                        Ok(())
                    } else {
                        Err(Error::new(format!("systemd's job to start {name} ended with {result:?}"))
                            .field("/linux/cgroupsPath")
                            .remedy(format!("its log has the reason: journalctl -u {name}")))
                    };
                }
                _ => {}
            }
        }
    }

    /// Other limits: files, then systemd, which writes some of them itself, with its rounding; then those once more.
    pub fn update(&self, limits: &Limits, rest: Rest) -> Result<Undo<'_>> {
        let undo = self.cgroup.update(limits)?;
        let properties = properties::of_limits(limits, self.wanted.is_unified());
        if properties.is_empty() || !self.unit.made {
            return Ok(undo);
        }
        match self.set(&properties, rest).and_then(|()| self.cgroup.apply(limits)) {
            Ok(()) => Ok(undo),
            Err(error) => Err(undo.back(error)),
        }
    }

    /// Takes an update back ([`Undo::back`]): systemd first, which writes files itself.
    #[must_use]
    pub fn set_back(
        &self,
        undo: Undo,
        (limits, earlier): (&Limits, &Limits),
        error: Error,
        rest: Rest,
    ) -> Error {
        let unified = self.wanted.is_unified();
        let changed = properties::of_limits(limits, unified);
        let back = properties::back(&changed, &properties::of_limits(earlier, unified));
        if back.is_empty() || !self.unit.made {
            return undo.back(error);
        }
        let told = self.set(&back, rest);
        let error = undo.back(error);
        match told {
            Ok(()) => error,
            Err(more) => error.doing(format!("systemd keeps limits that were not set: {more}")),
        }
    }

    fn set(&self, properties: &[Property], rest: Rest) -> Result<()> {
        let change = |bus: &mut Bus| bus.set(&self.unit.name, properties);
        self.unit.ask_one("change", change, rest)
    }

    /// Limits of a new container, and its limit of tasks, which had room for init's first stage.
    pub fn apply(&self, limits: &Limits, rest: Rest) -> Result<()> {
        if lacks_room(limits) {
            let tasks = Limits { pids: limits.pids, ..Limits::default() };
            self.set(&properties::of_limits(&tasks, self.wanted.is_unified()), rest)?;
        }
        self.cgroup.hand_to_inner();
        self.cgroup.apply(limits)
    }

    /// Takes it away once it is empty. Its directories in systemd's hierarchies are systemd's to remove: a unit that loses
    /// them otherwise counts as running for ever, and so may one whose process ended too early for systemd to notice. A unit
    /// that has another cgroup than the recorded one by now is another's; before a cgroup is recorded it may be, and is
    /// waited for: stopping one without a process harms none.
    pub fn remove(self, deadline: Instant, rest: Rest) -> Result<()> {
        let Scope { cgroup, unit, refused, .. } = self;
        let is_there = cgroup.is_there();
        let (kept, ours) = cgroup.held.into_iter().partition(|held| held.leg.is_systemds());
        let [kept, ours] = [kept, ours].map(|held| Cgroup { held, ..Cgroup::default() });
        ours.remove(deadline, rest)?;
        if !unit.made && !is_there {
            return if refused { Ok(()) } else { recall(&unit, deadline, rest) };
        }
        kept.await_empty(deadline, rest)?;
        forget(&unit, is_there, rest)?;
        kept.remove(deadline, rest)
    }
}

impl Unit {
    /// One call on a connection of its own.
    fn ask_one(&self, verb: &str, call: impl FnOnce(&mut Bus) -> Result<u32>, rest: Rest) -> Result<()> {
        let mut bus = Bus::connect(&self.bus, rest)?;
        let wanted = call(&mut bus)?;
        bus.send()?;
        bus.answer(wanted, rest)?.map_err(|(error, words)| self.refused(verb, &error, &words))
    }

    fn refused(&self, verb: &str, error: &str, words: &str) -> Error {
        let Unit { name, bus, .. } = self;
        let short = error.rsplit('.').next().unwrap_or_default();
        let refusal =
            Error::new(format!("systemd does not {verb} {name}: {words}")).field("/linux/cgroupsPath");
        match short {
            "UnitExists" => refusal.remedy(format!(
                "give the container another name, or end what has it: systemctl stop {name}"
            )),
            "AccessDenied" | "InteractiveAuthorizationRequired" => refusal.value(bus).remedy(
                "only root may change units of the machine's systemd: an ordinary user's bus is in DBUS_SESSION_BUS_ADDRESS",
            ),
            "ServiceUnknown" | "NameHasNoOwner" | "NoReply" | "Disconnected" | "TimedOut" | "Timeout" => {
                refusal.value(bus).remedy("systemd does not answer on this bus: look with systemctl status, and try again")
            }
            "LimitsExceeded" => refusal.value(bus).remedy("the bus has more to do than it may: try again"),
            _ => refusal.value(error),
        }
    }
}

/// init's first stage is there until it has made the process that stays.
const ROOM: u64 = 2;

/// A limit of tasks that would forbid that.
fn lacks_room(limits: &Limits) -> bool {
    matches!(limits.pids, Some(Amount::Of(tasks)) if tasks < ROOM)
}

/// Has a process moved into the scope, for a caller that may not move it.
pub fn attach(unit: &Unit, pid: i32, rest: Rest) -> Result<()> {
    let attach = |bus: &mut Bus| bus.attach(&unit.name, unit.inner().as_deref(), pid.unsigned_abs());
    unit.ask_one("take the process into", attach, rest)
}

/// How long a bus may take that has not made a scope so far.
const RECALL: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(10);

/// Stops a scope that may have been asked for and that nobody has waited for: systemd makes it when it comes to it, and with
/// a process that has ended by then the unit counts as running for ever. One with processes that stay is another's. A bus
/// that is not there or does not answer has nothing of ours that can be taken back.
fn recall(unit: &Unit, deadline: Instant, rest: Rest) -> Result<()> {
    let until = deadline.min(Instant::now() + RECALL);
    loop {
        let Ok(mut bus) = Bus::connect_for(RECALL, &unit.bus, rest) else { return Ok(()) };
        let wanted = bus.processes(&unit.name)?;
        let processes = bus.send().and_then(|()| bus.count(wanted, rest));
        match processes {
            Ok(Some(0)) => return forget(unit, true, rest),
            Ok(Some(_)) if Instant::now() < until => {
                rest(None, STEP).map_err(|e| e.because("wait for systemd"))?
            }
            _ => return Ok(()),
        }
    }
}

fn forget(unit: &Unit, stop: bool, rest: Rest) -> Result<()> {
    let mut bus = Bus::connect(&unit.bus, rest)?;
    bus.watch_jobs(&unit.name)?;
    let reset = bus.reset_failed(&unit.name)?;
    let last = if stop { bus.stop(&unit.name)? } else { reset };
    bus.send()?;
    let mut job = None;
    loop {
        match bus.hear(rest)? {
            News::Reply(call, Some(path)) if call == last => job = Some(path),
            News::Reply(call, None) if call == last => return Ok(()),
            News::Refusal(call, error, _) if call == last && error == NO_SUCH_UNIT => return Ok(()),
            News::Refusal(call, _, words) if call == last => {
                return Err(Error::new(format!("systemd does not stop the unit {}: {words}", unit.name))
                    .remedy(format!("systemctl stop {}", unit.name)));
            }
            // Whatever its result is: the cgroup was empty.
            News::JobRemoved(path, _) if Some(&path) == job.as_ref() => return Ok(()),
            _ => {}
        }
    }
}
