//! The part of `update` that is about resctrl: shares of cache and memory bandwidth.
//!
//! A container that has a group gets other shares there. One that has none gets a group of its own, and its processes
//! move there; the record names the group before it is made, so that `delete` finds it whatever happens.

use crate::cgroup::Cgroup;
use crate::engine::UpdateOptions;
use crate::error::{Error, Result};
use crate::plan::deeds::Shares;
use crate::resctrl::{self, Demand, Group, Place};
use crate::spec::IntelRdt;
use crate::state::{Entry, Record};

/// The fields that errors of resctrl name, and the options of `update` that give them.
pub const OPTIONS: [(&str, &str); 3] = [
    ("/linux/intelRdt/l3CacheSchema", "--l3-cache-schema"),
    ("/linux/intelRdt/memBwSchema", "--mem-bw-schema"),
    ("/linux/intelRdt", "--l3-cache-schema or --mem-bw-schema"),
];

/// A process that starts others while it moves leaves some behind: they are looked for again, so often at most.
const ROUNDS: usize = 20;

/// The group that will be made where shares are asked for and there is none. Changes nothing.
pub fn demand(id: &str, options: &UpdateOptions, record: &Record) -> Result<Option<Demand>> {
    let (l3_cache, bandwidth) = (options.l3_cache_schema.as_deref(), options.mem_bw_schema.as_deref());
    if record.resctrl.is_some() || (l3_cache.is_none() && bandwidth.is_none()) {
        return Ok(None);
    }
    let rdt = IntelRdt::of(l3_cache, bandwidth);
    Demand::find(id, &rdt).map(Some).map_err(|e| e.field("/linux/intelRdt"))
}

/// What there is to do, if anything is asked for.
pub fn wanted<'a>(
    options: &'a UpdateOptions,
    present: Option<&'a Place>,
    demand: Option<&'a Demand>,
) -> Option<Shares<'a>> {
    let (l3_cache, bandwidth) = (options.l3_cache_schema.as_deref(), options.mem_bw_schema.as_deref());
    let group = demand.map(Group::Wanted).or(present.map(Group::Recorded))?;
    (l3_cache.is_some() || bandwidth.is_some()).then_some(Shares { group, l3_cache, bandwidth })
}

pub fn set(Shares { group, l3_cache, bandwidth }: Shares, cgroup: &Cgroup) -> Result<()> {
    match group {
        Group::Recorded(place) => {
            // One after the other, so that it can be told what stays if the second is refused.
            resctrl::update(place, l3_cache, None)?;
            let changed = |error: Error| match l3_cache {
                Some(_) => error.doing("--l3-cache-schema stays changed"),
                None => error,
            };
            resctrl::update(place, None, bandwidth).map_err(changed)
        }
        Group::Wanted(demand) => {
            demand.make()?;
            join(&demand.place, cgroup)
        }
    }
}

/// Takes back what was announced and made, because of `error`.
#[must_use]
pub fn forget(demand: &Demand, (entry, before): (&Entry, &Record), error: Error) -> Error {
    match demand.undo().and_then(|()| entry.write(before)) {
        Ok(()) => error,
        Err(second) => error.doing(format!("the resctrl group stays: {second}")),
    }
}

/// Moves every process of the container.
fn join(place: &Place, cgroup: &Cgroup) -> Result<()> {
    let mut moved: Vec<i32> = Vec::new();
    for _ in 0..ROUNDS {
        let new: Vec<i32> = cgroup.pids()?.into_iter().filter(|pid| !moved.contains(pid)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for pid in new {
            match place.join(pid) {
                Ok(()) => {}
                // It has ended meanwhile.
                Err(error) if error.detail().errno == Some(libc::ESRCH) => {}
                Err(error) => return Err(error),
            }
            moved.push(pid);
        }
    }
    Err(Error::new("the container starts processes faster than they can be moved to the resctrl group")
        .remedy("pause it first"))
}
