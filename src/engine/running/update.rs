//! `update`: other limits for a container that exists.
//!
//! ```text
//!  what it has (record, or config.json)  ┐
//!  what is asked for (options or a file) ┴─▶ complete, check ─▶ limits ─▶ files, set back on failure ─▶ record
//! ```
//!
//! Nothing is written before all of it is known to be right. What the container has afterwards is remembered in one
//! step, after the kernel took it; so the next update completes its values from the truth. Device rules are not
//! touched, as runc leaves them: a plugin of the engine may have added some.

use crate::cgroup::{DeviceRules, Driver, Limits, Location, without_cgroup};
use crate::engine::carry::carry_out;
use crate::engine::life::kill::not_running;
use crate::engine::running::shares;
use crate::engine::{Call, Changes, Planned, Status, UpdateOptions};
use crate::error::{Error, Result};
use crate::plan::deeds::{self, Deed, There};
use crate::spec::merge::{SwapCount, complete, merge};
use crate::spec::{Resources, Spec, load, validate};
use crate::state::{Entry, Record};
use std::cell::OnceCell;

/// The pointers of limits that have an option, and the option.
const OPTIONS: [(&str, &str); 15] = [
    ("/blockIO/weight", "--blkio-weight"),
    ("/cpu/period", "--cpu-period"),
    ("/cpu/quota", "--cpu-quota"),
    ("/cpu/burst", "--cpu-burst"),
    ("/cpu/shares", "--cpu-share"),
    ("/cpu/realtimePeriod", "--cpu-rt-period"),
    ("/cpu/realtimeRuntime", "--cpu-rt-runtime"),
    ("/cpu/cpus", "--cpuset-cpus"),
    ("/cpu/mems", "--cpuset-mems"),
    ("/cpu/idle", "--cpu-idle"),
    ("/memory/limit", "--memory"),
    ("/memory/reservation", "--memory-reservation"),
    ("/memory/swap", "--memory-swap"),
    ("/memory/kernel", "--kernel-memory"),
    ("/pids/limit", "--pids-limit"),
];

impl Call<'_> {
    pub fn update(&self, id: &str, options: &UpdateOptions) -> Result<()> {
        let (entry, mut record) = self.take(id)?;
        record.must_be_ours()?;
        match Status::of(&entry, &record) {
            Status::Created | Status::Running | Status::Paused => {}
            Status::Creating | Status::Stopped | Status::Unknown => return Err(not_running(id)),
        }
        let location = record.cgroup.clone().ok_or_else(|| without_cgroup("updated"))?;
        let name = |pointer: &str| Some(field_name(&options.changes, pointer));
        let config = if record.limits.is_none() { entry.config()? } else { Vec::new() };
        let mut present = self.limits_of(&entry, &record, &config)?;
        let mended = OnceCell::new();
        let wanted =
            self.checked(&options.changes, &mended, &present, &location).map_err(|e| e.rename_field(name))?;
        let (limits, warnings) = Limits::from_spec(&wanted, &location.layout(), DeviceRules::Skip)
            .map_err(|e| e.rename_field(name))?;
        warnings.into_iter().for_each(|warning| self.warn(warning.rename_field(name)));
        merge(&mut present, &wanted);
        let limits_now = serde_json::to_string(&present).expect("resources have only string keys");
        let driver = Driver::open(Some(&location))?;
        let cgroup = driver.needed("updated")?;
        let before = record.clone();
        let request = shares::request(id, options, &record).map_err(|e| e.rename_field(name))?;
        let shares = shares::wanted(options, before.resctrl.as_ref(), request.as_ref());
        let deeds = deeds::update(&limits, &limits_now, shares);
        let (mut changed, mut ledger, spec) = (None, Vec::new(), Spec::default());
        let done = carry_out(&self.waits, Planned::of(&deeds, &spec), &mut ledger, &mut |deed| match deed {
            Deed::AnnounceShares(request) => {
                record.resctrl = Some(request.place.clone());
                entry.write(&record)
            }
            Deed::RecordLimits(limits) => {
                record.limits = Some(limits.to_owned());
                entry.prepare(&record)
            }
            Deed::ChangeLimits(limits) => driver.update(limits).map(|undo| changed = Some(undo)),
            Deed::SetShares(shares) => shares::set(shares, cgroup),
            Deed::Publish => entry.publish(),
            _ => Err(deed.misplaced()),
        });
        let Err(mut error) = done else { return Ok(()) };
        // Each adds to the error how it went.
        let mut back = |deed| {
            error = match (deed, changed.take()) {
                (Deed::SetLimitsBack, Some(changed)) => changed.back(error.clone()),
                (Deed::ForgetShares(request), _) => shares::forget(request, (&entry, &before), error.clone()),
                _ => return Err(deed.misplaced()),
            };
            Ok(())
        };
        let way = deeds::undo(&ledger, There::default());
        carry_out(&self.waits, Planned::of(&way, &spec), &mut Vec::new(), &mut back)?;
        Err(error.rename_field(name))
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
        changes: &'a Changes,
        mended: &'a OnceCell<Vec<u8>>,
        present: &Resources<'a>,
        location: &Location,
    ) -> Result<Resources<'a>> {
        let mut wanted: Resources = match changes {
            Changes::Given(resources) => (**resources).clone(),
            Changes::File { name, bytes } => {
                let (parses, mut warnings) =
                    (|text: &[u8]| load::read::<Resources>(text).map(drop), Vec::new());
                let wanted = load::parse_mended(name, bytes, mended, parses, &mut warnings)?;
                self.warn_of(&warnings);
                wanted
            }
        };
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
            self.warn(Error::new("is ignored: device rules stay as they are").field("/devices"));
            wanted.devices.clear();
        }
        Ok(wanted)
    }
}

/// What the caller calls the value at this pointer, which may begin at config.json or at the resources.
fn field_name(changes: &Changes, pointer: &str) -> String {
    if let Some((_, option)) = shares::OPTIONS.iter().find(|(field, _)| *field == pointer) {
        return (*option).to_owned();
    }
    let below = pointer.strip_prefix("/linux/resources").unwrap_or(pointer);
    let option = match changes {
        Changes::File { .. } => None,
        Changes::Given(_) => OPTIONS.iter().find(|(pointer, _)| *pointer == below),
    };
    option.map_or(below, |(_, option)| option).to_owned()
}
