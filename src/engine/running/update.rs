//! `update`: other limits for a container that exists.
//!
//! ```text
//!  what it has (record, or config.json)  ┐
//!  what is asked for (options or a file) ┴─▶ complete, check ─▶ limits ─▶ files, set back on failure ─▶ record
//! ```
//!
//! Nothing is written before all of it is known to be right. What the container has afterwards is remembered in one
//! step, after the kernel took it; so the next update completes its values from the truth. Device rules of a file are not
//! taken, as runc leaves them: engines write the config's into every update, and a plugin of the engine may have added some.

use crate::cgroup::devices::is_everyones;
use crate::cgroup::systemd::lacking_on_v1;
use crate::cgroup::{DeviceRules, Driver, Limits, Location, without_cgroup};
use crate::engine::carry::carry_out;
use crate::engine::life::kill::not_running;
use crate::engine::running::shares;
use crate::engine::{Call, Planned, Status, Typed, UpdateOptions};
use crate::error::{Detail, Error, Kind, Result};
use crate::host;
use crate::plan::deeds::{self, Deed, There};
use crate::spec::merge::{SwapCount, complete, merge};
use crate::spec::{DeviceRule, Resources, Spec, load, validate};
use crate::state::{Entry, Record};
use std::cell::OnceCell;
use std::collections::BTreeMap;

impl Call<'_> {
    pub fn update(&self, id: &str, options: &UpdateOptions) -> Result<()> {
        let (entry, record) = self.take(id)?;
        record.must_be_ours()?;
        self.update_taken(id, (&entry, record), options, None)
    }

    /// The same for one that this command has taken already. The record is written with what else is
    /// different in it.
    pub(in crate::engine) fn update_taken(
        &self,
        id: &str,
        (entry, mut record): (&Entry, Record),
        options: &UpdateOptions,
        plugged: Option<Plugged>,
    ) -> Result<()> {
        match Status::of(entry, &record) {
            Status::Created | Status::Running | Status::Paused => {}
            Status::Creating | Status::Stopped | Status::Unknown => return Err(not_running(id)),
        }
        let location = record.cgroup.clone().ok_or_else(|| without_cgroup("updated"))?;
        let named = |problem: &mut Detail| named(&options.typed, problem);
        let before = record.clone();
        let config = if record.limits.is_none() { entry.config()? } else { Vec::new() };
        let mut present = self.limits_of(entry, &before, &config)?;
        let mended = OnceCell::new();
        let mut wanted = self.checked(options, &mended, &present, &location).map_err(|e| e.each(&named))?;
        let rules = if options.device_rules.is_empty() && plugged.is_none() {
            DeviceRules::Skip
        } else {
            wanted.devices =
                other_devices(&present, &options.device_rules, plugged).map_err(|e| e.each(&named))?;
            DeviceRules::Enforce
        };
        let (limits, mut warnings) =
            Limits::from_spec(&wanted, &location.layout(), rules).map_err(|e| e.each(&named))?;
        if location.unit.is_some() && !location.is_unified() {
            warnings.extend(lacking_on_v1(&limits, &BTreeMap::new()));
        }
        warnings.into_iter().for_each(|warning| self.warn(warning.each(&named)));
        // For the way back; what an older record says otherwise is left to the files.
        let earlier = Limits::from_spec(&present, &location.layout(), rules);
        let earlier = match earlier {
            Ok((earlier, _)) => earlier,
            Err(error) if rules == DeviceRules::Enforce => return Err(error),
            Err(_) => Limits::default(),
        };
        merge(&mut present, &wanted);
        if rules == DeviceRules::Enforce {
            present.devices = wanted.devices;
        }
        let limits_now = serde_json::to_string(&present).expect("resources have only string keys");
        let driver = Driver::open(Some(&location))?;
        let cgroup = driver.needed("updated")?;
        let demand = shares::demand(id, options, &record).map_err(|e| e.each(&named))?;
        let shares = shares::wanted(options, before.resctrl.as_ref(), demand.as_ref());
        let deeds = deeds::update(&limits, &limits_now, shares);
        let (mut changed, mut ledger, spec) = (None, Vec::new(), Spec::default());
        let planned = Planned::of("update", &deeds, &spec);
        let done = carry_out(&self.waits, planned, &mut ledger, &mut |deed| match deed {
            Deed::AnnounceShares(demand) => {
                record.resctrl = Some(demand.place.clone());
                entry.write(&record)
            }
            Deed::RecordLimits(limits) => {
                record.limits = Some(limits.to_owned());
                entry.prepare(&record)
            }
            Deed::ChangeLimits(limits) => {
                let undo = self.patiently(None, |rest| driver.update(limits, &earlier, rest))?;
                changed = Some(undo);
                Ok(())
            }
            Deed::SetShares(shares) => shares::set(shares, cgroup),
            Deed::Publish => entry.publish(),
            _ => Err(deed.misplaced()),
        });
        let Err(mut error) = done else { return Ok(()) };
        // Each adds to the error how it went.
        let mut back = |deed| {
            error = match (deed, changed.take()) {
                (Deed::SetLimitsBack, Some(changed)) => {
                    let of = (&limits, &earlier);
                    self.patiently(None, |rest| Ok(driver.set_back(changed, of, error.clone(), rest)))?
                }
                (Deed::ForgetShares(demand), _) => shares::forget(demand, (entry, &before), error.clone()),
                _ => return Err(deed.misplaced()),
            };
            Ok(())
        };
        let way = deeds::undo(&ledger, There::default());
        let planned = Planned::of("the way back from update", &way, &spec);
        carry_out(&self.waits, planned, &mut Vec::new(), &mut back)?;
        Err(error.each(&named))
    }

    /// What the last update left, or what the container was made with.
    fn limits_of<'a>(&self, entry: &Entry, record: &'a Record, config: &'a [u8]) -> Result<Resources<'a>> {
        if let Some(limits) = &record.limits {
            return load::parse("the limits in state.json", limits.as_bytes());
        }
        let spec = self.spec_again(config, entry, record)?;
        Ok(spec.linux.and_then(|linux| linux.resources).unwrap_or_default())
    }

    /// What is asked for, complete and right.
    fn checked<'a>(
        &self,
        options: &'a UpdateOptions,
        mended: &'a OnceCell<Vec<u8>>,
        present: &Resources<'a>,
        location: &Location,
    ) -> Result<Resources<'a>> {
        let (parses, mut warnings) = (|text: &[u8]| load::read::<Resources>(text).map(drop), Vec::new());
        let mut wanted: Resources =
            load::parse_mended(&options.from, &options.resources, mended, parses, &mut warnings)?;
        self.warn_of(&warnings);
        // 0 is what engines write for an option that was not given: it leaves what there is.
        if let Some(pids) = wanted.pids.as_mut().filter(|pids| pids.limit == Some(0)) {
            pids.limit = None;
        }
        let v2 = location.layout().is_unified();
        let count = if v2 { SwapCount::Alone } else { SwapCount::WithMemory };
        complete(&mut wanted, present, count);
        let checked = validate::resources(&wanted)?;
        self.warn_of(&checked.warnings);
        if !wanted.devices.is_empty() {
            self.warn(
                Error::new("is ignored: device rules stay as they are")
                    .field("/devices")
                    .remedy("--device-rule changes them"),
            );
            wanted.devices.clear();
        }
        Ok(wanted)
    }
}

/// The rule of a device that comes or goes with its node.
#[derive(Clone, Copy)]
pub(in crate::engine) enum Plugged<'d> {
    In(&'d DeviceRule<'d>),
    /// The last rule that is like this one.
    Out(&'d DeviceRule<'d>),
    /// The rules are set once more as they are.
    Nothing,
}

/// The container's rules for devices with these behind them.
fn other_devices<'a>(
    present: &Resources<'a>,
    added: &[DeviceRule<'a>],
    plugged: Option<Plugged<'a>>,
) -> Result<Vec<DeviceRule<'a>>> {
    let facts = host::probe()?;
    if !facts.administrator || facts.in_user_namespace {
        return Err(Error::new("device rules are the host's root's to change")
            .kind(Kind::Unsupported)
            .field("/linux/resources/devices")
            .remedy(
                "an ordinary user's container, and one in a user namespace, opens what the user may open",
            ));
    }
    if added.iter().any(|rule| !rule.allow && is_everyones(rule)) {
        return Err(Error::new("every container may use this device, whatever its rules say")
            .kind(Kind::Unsupported)
            .field("/linux/resources/devices")
            .remedy("leave the rule out"));
    }
    let mut list = present.devices.clone();
    // One that is there already decides nothing in front of the same one.
    list.retain(|rule| !added.iter().any(|other| same(rule, other)));
    list.extend_from_slice(added);
    match plugged {
        Some(Plugged::In(rule)) => list.push(rule.clone()),
        Some(Plugged::Out(rule)) => {
            let last = list.iter().rposition(|other| same(rule, other));
            last.map(|at| list.remove(at));
        }
        Some(Plugged::Nothing) | None => {}
    }
    Ok(list)
}

fn same(a: &DeviceRule, b: &DeviceRule) -> bool {
    (a.allow, &a.kind, a.major, a.minor, &a.access) == (b.allow, &b.kind, b.major, b.minor, &b.access)
}

/// Names the value at fault as the caller typed it, not by its pointer, which may begin at config.json or at the resources.
fn named(typed: &[Typed], problem: &mut Detail) {
    let Some(pointer) = problem.field.take() else { return };
    let below = pointer.strip_prefix("/linux/resources").unwrap_or(&pointer);
    let share = shares::OPTIONS.iter().find(|(field, _)| *field == pointer).map(|(_, option)| *option);
    let limit = typed.iter().find(|limit| limit.pointer == below);
    let name = share.or(limit.map(|limit| &*limit.option)).unwrap_or(below).to_owned();
    problem.field = Some(name);
    if problem.value.is_some()
        && let Some(value) = limit.and_then(|limit| limit.value.clone())
    {
        problem.value = Some(value);
    }
}
