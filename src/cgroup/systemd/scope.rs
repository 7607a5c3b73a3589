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
}

/// A conversation that has begun.
struct Asked {
    pid: i32,
    bus: Bus,
    call: u32,
    properties: Vec<Property>,
    /// What annotations ask for, by their names.
    annotated: Vec<String>,
    /// Of the host's hierarchies.
    mounts: Vec<Mount>,
    owner: Option<(u32, u32)>,
}

/// What a new scope is to be like.
#[derive(Clone, Copy)]
pub struct ScopeSettings<'a> {
    pub id: &'a str,
    pub limits: &'a Limits,
    pub layout: &'a Layout,
    /// The owner of the group that the container manages; absent: the caller.
    pub owner: Option<(u32, u32)>,
    /// What annotations ask for.
    pub annotated: &'a [Property],
}

impl ScopeSettings<'_> {
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
        Scope { cgroup: Cgroup::default(), wanted: location.clone(), unit: unit.clone(), asked: None }
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
            false => Ok(Location { unit: Some(self.unit.clone()), ..self.wanted.clone() }),
        }
    }

    /// Asks for the scope, with this process in it, and does not wait.
    pub fn ask(&mut self, settings: &ScopeSettings, pid: i32, rest: Rest) -> Result<()> {
        let unit = &self.unit;
        let mut all = settings.properties();
        let own =
            properties::of_scope(settings.id, &unit.slice, pid.unsigned_abs(), settings.layout.is_unified());
        let absent = |one: &Property| settings.annotated.iter().all(|annotated| annotated.name != one.name);
        all.extend(own.into_iter().filter(absent));
        let remedy = match unit.users {
            true => {
                "a user's systemd is there after a login, or for good with loginctl enable-linger; name its bus in \
                 DBUS_SESSION_BUS_ADDRESS, or leave --systemd-cgroup out"
            }
            false => {
                "start systemd's D-Bus, or leave --systemd-cgroup out and let the engine use its cgroupfs driver"
            }
        };
        let mut bus = Bus::connect(&unit.bus, rest).map_err(|error| error.remedy(remedy))?;
        bus.watch_jobs(&unit.name)?;
        let call = bus.start(&unit.name, &all)?;
        bus.send()?;
        let annotated = settings.annotated.iter().map(|property| property.name.clone()).collect();
        let v1 = settings.layout.hierarchies.iter().map(|hierarchy| &hierarchy.mount);
        let mounts = v1.chain(&settings.layout.unified).cloned().collect();
        self.asked =
            Some(Asked { pid, bus, call, properties: all, annotated, mounts, owner: settings.owner });
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
                "systemd created {} but did not move the process into it",
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
        let name = self.unit.name.clone();
        let until = Instant::now() + RESTART;
        let (mut job, mut reset, mut restarted) = (None, false, false);
        loop {
            let Some(news) = asked.bus.hear_within(GLANCE, rest)? else {
                // From a systemd that was started anew no word may come.
                if job.is_some() && is_in(&name, asked.pid)? {
                    return Ok(());
                }
                continue;
            };
            let mut repeat = false;
            match news {
                News::Reply(call, path) if call == asked.call => job = path,
                News::Refusal(call, error, words) if call == asked.call => {
                    let has_time = Instant::now() < until;
                    if (restarted || is_restarting(&error)) && is_in(&name, asked.pid)? {
                        return Ok(());
                    }
                    if has_time && (is_restarting(&error) || (restarted && error == UNIT_EXISTS)) {
                        restarted = true;
                        pause(rest)?;
                    } else if error == UNIT_EXISTS && !reset {
                        // One that has failed keeps its name until it is reset.
                        reset = true;
                        asked.bus.reset_failed(&name)?;
                    } else {
                        self.unit.refused = true;
                        return Err(self.unit.refused("create", &error, &words, &asked.annotated));
                    }
                    repeat = true;
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
            if repeat {
                asked.call = asked.bus.start(&name, &asked.properties)?;
                asked.bus.send()?;
            }
        }
    }

    /// Other limits: files, then systemd, which writes some of them itself, with its rounding; then those once more.
    /// `earlier` are the limits from before.
    pub fn update(&self, limits: &Limits, earlier: &Limits, rest: Rest) -> Result<Undo<'_>> {
        let undo = self.cgroup.update(limits, earlier)?;
        let mut properties = properties::of_limits(limits, self.wanted.is_unified());
        properties.extend(properties::of_other_devices(limits));
        if properties.is_empty() || !self.unit.made {
            return Ok(undo);
        }
        if let Err(error) = self.set(&properties, rest) {
            return Err(undo.back(error));
        }
        let again = self.cgroup.apply(limits);
        let rules =
            |()| limits.devices.as_ref().map_or(Ok(()), |rules| self.cgroup.rewrite_exceptions(rules));
        match again.and_then(rules) {
            Ok(()) => Ok(undo),
            Err(error) => Err(self.set_back(undo, (limits, earlier), error, rest)),
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
        let mut back = properties::back(&changed, &properties::of_limits(earlier, unified));
        if limits.devices.is_some() {
            back.extend(properties::of_other_devices(earlier));
        }
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
        let Scope { cgroup, unit, wanted, .. } = self;
        if unit.refused {
            return Ok(());
        }
        let (kept, ours): (Vec<_>, _) = cgroup.held.into_iter().partition(|held| held.leg.is_systemds());
        let group = |held| Cgroup { held, ..Cgroup::default() };
        group(ours).remove(deadline, rest)?;
        let looks_anywhere = !wanted.legs.iter().any(Leg::is_of_units);
        let is_there = kept.iter().any(|held| looks_anywhere || held.leg.is_of_units());
        let kept = group(kept);
        if is_there {
            kept.await_empty(deadline, rest)?;
            forget(&unit, rest)?;
            return kept.remove(deadline, rest);
        }
        let patience = if unit.made { Duration::ZERO } else { RECALL };
        recall(&unit, deadline.min(Instant::now() + patience), rest)?;
        // What systemd has left behind. A process in it is of another unit that has the name by now.
        let _ = kept.remove(Instant::now(), rest);
        Ok(())
    }
}

impl Unit {
    /// One call on a connection of its own.
    fn ask_one(&self, verb: &str, call: impl Fn(&mut Bus) -> Result<u32>, rest: Rest) -> Result<()> {
        let until = Instant::now() + RESTART;
        loop {
            let mut bus = self.connect_again(rest)?;
            let wanted = call(&mut bus)?;
            bus.send()?;
            match bus.answer(wanted, rest)? {
                News::Refusal(_, error, _) if is_restarting(&error) && Instant::now() < until => pause(rest)?,
                News::Refusal(_, error, words) => return Err(self.refused(verb, &error, &words, &[])),
                _ => return Ok(()),
            }
        }
    }

    /// For a scope that there is.
    fn connect_again(&self, rest: Rest) -> Result<Bus> {
        let Unit { name, bus, .. } = self;
        Bus::connect(bus, rest)
            .map_err(|error| error.remedy(format!("the container is {name}: start the bus, and try again")))
    }

    fn refused(&self, verb: &str, error: &str, words: &str, annotated: &[String]) -> Error {
        let Unit { name, bus, .. } = self;
        let short = error.rsplit('.').next().unwrap_or_default();
        let refusal = Error::new(format!("systemd (on {bus}) refused to {verb} {name}: {words} [{short}]"));
        let refusal = match short {
            "UnitExists" => refusal
                .remedy(format!("give the container another name, or end what has it: systemctl stop {name}")),
            "AccessDenied" | "InteractiveAuthorizationRequired" => refusal.remedy(
                "only root may change units of the machine's systemd: an ordinary user's bus is in DBUS_SESSION_BUS_ADDRESS",
            ),
            "ServiceUnknown" | "NameHasNoOwner" | "NoReply" | "Disconnected" | "TimedOut" | "Timeout" => {
                refusal.remedy("systemd does not answer on this bus: look with systemctl status, and try again")
            }
            "LimitsExceeded" => refusal.remedy("the bus has reached one of its limits: try again"),
            _ if !annotated.is_empty() => {
                let names: Vec<String> =
                    annotated.iter().map(|name| format!("org.systemd.property.{name}")).collect();
                refusal.field("/annotations").remedy(format!("check the value of {}", names.join(", ")))
            }
            _ => refusal,
        };
        refusal.field(if verb == "change" { "/linux/resources" } else { "/linux/cgroupsPath" })
    }
}

/// How long systemd may take to be there again when it is started anew (`systemctl daemon-reexec`, an upgrade).
const RESTART: Duration = Duration::from_secs(5);
/// How long no word may come before it may have got lost.
const GLANCE: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_millis(20);

/// What the bus says of a systemd that is being started anew. Whether it has done what it was told is unknown.
fn is_restarting(error: &str) -> bool {
    matches!(error.rsplit('.').next(), Some("NoReply" | "Disconnected" | "NameHasNoOwner"))
}

fn pause(rest: Rest) -> Result<()> {
    rest(None, PAUSE).map_err(|errno| errno.because("wait for systemd"))
}

/// Whether the process is in this unit.
fn is_in(name: &str, pid: i32) -> Result<bool> {
    let text = membership(&pid.to_string())?;
    Ok(text.lines().any(|line| line.rsplit('/').next() == Some(name)))
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
    unit.ask_one("move the process into", attach, rest)
}

/// How long to wait for a scope that may still appear.
const RECALL: Duration = Duration::from_secs(2);

/// Stops a unit whose cgroup is not there. systemd may make it only now, when it comes to it; and one that has lost its
/// cgroup, or whose process ended too early, counts as running for ever. One with processes that stay is another's. A bus
/// that is not there or does not answer has nothing of ours that can be taken back.
fn recall(unit: &Unit, until: Instant, rest: Rest) -> Result<()> {
    loop {
        let Ok(mut bus) = Bus::connect_for(RECALL, &unit.bus, rest) else { return Ok(()) };
        let wanted = bus.processes(&unit.name)?;
        match bus.send().and_then(|()| bus.answer(wanted, rest)) {
            Ok(News::Processes(_, 0)) => return forget(unit, rest),
            Ok(News::Processes(..)) if Instant::now() < until => pause(rest)?,
            _ => return Ok(()),
        }
    }
}

/// Stops it, and forgets that it has failed.
fn forget(unit: &Unit, rest: Rest) -> Result<()> {
    let until = Instant::now() + RESTART;
    loop {
        match told_to_stop(unit, rest)? {
            Told::Done => return Ok(()),
            Told::Refused(error, _) if is_restarting(&error) && Instant::now() < until => pause(rest)?,
            Told::Nothing if Instant::now() < until => {}
            Told::Refused(error, words) => {
                let remedy = format!("stop it by hand: systemctl stop {}", unit.name);
                return Err(unit.refused("stop", &error, &words, &[]).remedy(remedy));
            }
            Told::Nothing => {
                return Err(Error::new(format!("systemd does not say whether it has stopped {}", unit.name))
                    .remedy("look at its jobs with systemctl list-jobs, and try again"));
            }
        }
    }
}

/// What systemd says of a unit that it is to stop.
enum Told {
    Done,
    Refused(String, String),
    /// For a second.
    Nothing,
}

fn told_to_stop(unit: &Unit, rest: Rest) -> Result<Told> {
    let mut bus = unit.connect_again(rest)?;
    bus.watch_jobs(&unit.name)?;
    bus.reset_failed(&unit.name)?;
    let stop = bus.stop(&unit.name)?;
    bus.send()?;
    let mut job = None;
    loop {
        let Some(news) = bus.hear_within(Duration::from_secs(1), rest)? else { return Ok(Told::Nothing) };
        match news {
            News::Reply(call, path) if call == stop => job = path,
            News::Refusal(call, error, _) if call == stop && error == NO_SUCH_UNIT => return Ok(Told::Done),
            News::Refusal(call, error, words) if call == stop => return Ok(Told::Refused(error, words)),
            // Whatever its result is: the cgroup was empty.
            News::JobRemoved(path, _) if Some(&path) == job.as_ref() => return Ok(Told::Done),
            _ => {}
        }
    }
}
