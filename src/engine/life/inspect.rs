//! What a container is and what runs in it: `state`, `list`, `ps`. Reads only, and takes no lock.

use crate::cgroup::Driver;
use crate::engine::{Engine, SPEC_VERSION, Status};
use crate::error::{Error, Result};
use crate::state::owner::UserNames;
use crate::state::{Brief, Life};
use serde::Serialize;
use std::collections::BTreeMap;

/// What `state` and `list` report, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContainerState {
    #[serde(rename = "ociVersion")]
    pub oci_version: &'static str,
    pub id: String,
    /// 0 if the container is stopped.
    pub pid: i32,
    pub status: Status,
    pub bundle: String,
    pub rootfs: String,
    pub created: String,
    pub owner: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Engine {
    pub fn state(&self, id: &str) -> Result<ContainerState> {
        let (entry, record) = self.look(id)?;
        Ok(describe(id, Status::of(&entry, &record), record.into(), &UserNames::of_host()))
    }

    /// The processes of the container, in the caller's pid namespace, ascending.
    pub fn pids(&self, id: &str) -> Result<Vec<i32>> {
        let (_, record) = self.look(id)?;
        if let Some(cgroup) = Driver::open(record.own_cgroup())?.cgroup() {
            let mut pids = cgroup.pids()?;
            pids.sort_unstable();
            return Ok(pids);
        }
        let first = record.process.filter(|process| process.life() == Life::Alive);
        if first.is_some() {
            self.warn(Error::new("a container without a cgroup: only its first process is known"));
        }
        Ok(first.map(|process| process.pid).into_iter().collect())
    }
}

pub(in crate::engine) fn describe(
    id: &str,
    status: Status,
    record: Brief,
    owners: &UserNames,
) -> ContainerState {
    let pid = if status == Status::Stopped { 0 } else { record.pid.unwrap_or(0) };
    ContainerState {
        // The version that the state's form is of (runtime.md, State), not the config's.
        oci_version: SPEC_VERSION,
        id: id.to_owned(),
        pid,
        status,
        bundle: record.bundle,
        rootfs: record.rootfs,
        created: record.created,
        owner: owners.name(record.owner_uid),
        annotations: record.annotations,
    }
}
