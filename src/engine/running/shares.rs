//! The part of `update` that is about resctrl: shares of cache and memory bandwidth.
//!
//! A container that has a group gets other shares there. One that has none gets a group of its own, and its processes
//! move there; the record names the group before it is made, so that `delete` finds it whatever happens.

use crate::cgroup::Cgroup;
use crate::engine::UpdateOptions;
use crate::error::{Error, Result};
use crate::resctrl::{self, Place, Request};
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

pub enum Shares<'o> {
    /// Nothing was asked for.
    None,
    /// In the group that the container has.
    Changed { place: Place, l3_cache: Option<&'o str>, bandwidth: Option<&'o str> },
    /// In a group that will be made; `before` is the record without it.
    Made { request: Box<Request>, before: Box<Record> },
}

impl<'o> Shares<'o> {
    /// What there is to do. Changes nothing.
    pub fn plan(id: &str, options: &'o UpdateOptions, record: &Record) -> Result<Shares<'o>> {
        let (l3_cache, bandwidth) = (options.l3_cache_schema.as_deref(), options.mem_bw_schema.as_deref());
        match &record.resctrl {
            _ if l3_cache.is_none() && bandwidth.is_none() => Ok(Shares::None),
            Some(place) => Ok(Shares::Changed { place: place.clone(), l3_cache, bandwidth }),
            None => {
                let rdt = IntelRdt {
                    l3_cache_schema: l3_cache.map(Into::into),
                    mem_bw_schema: bandwidth.map(Into::into),
                    ..IntelRdt::default()
                };
                let request = Request::find(id, &rdt).map_err(|e| e.field("/linux/intelRdt"))?;
                Ok(Shares::Made { request: Box::new(request), before: Box::new(record.clone()) })
            }
        }
    }

    /// Writes down which group there will be.
    pub fn announce(&self, entry: &Entry, record: &mut Record) -> Result<()> {
        let Shares::Made { request, .. } = self else { return Ok(()) };
        record.resctrl = Some(request.place.clone());
        entry.write(record)
    }

    pub fn carry_out(&self, cgroup: &Cgroup) -> Result<()> {
        match self {
            Shares::None => Ok(()),
            Shares::Changed { place, l3_cache, bandwidth } => {
                // One after the other, so that it can be told what stays if the second is refused.
                resctrl::update(place, *l3_cache, None)?;
                let changed = |error: Error| match l3_cache {
                    Some(_) => error.doing("--l3-cache-schema stays changed"),
                    None => error,
                };
                resctrl::update(place, None, *bandwidth).map_err(changed)
            }
            Shares::Made { request, .. } => {
                request.make()?;
                join(&request.place, cgroup)
            }
        }
    }

    /// Takes back what [`Shares::announce`] and [`Shares::carry_out`] have made, because of `error`.
    #[must_use]
    pub fn forget(&self, entry: &Entry, error: Error) -> Error {
        let Shares::Made { request, before } = self else { return error };
        match request.undo().and_then(|()| entry.write(before)) {
            Ok(()) => error,
            Err(second) => error.doing(format!("the resctrl group stays: {second}")),
        }
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
