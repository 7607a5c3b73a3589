//! What a container is doing: `state`, `list`, `ps`. Reads only, takes no lock, and asks the kernel rather than
//! the record: the pid with its start time, the start socket, the freezer.

use super::group::{Group, is_frozen};
use super::{Engine, SPEC_VERSION};
use crate::error::{Error, Kind, Result};
use crate::state::owner::Owners;
use crate::state::{Entry, Life, Phase, Record};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The states of the runtime-spec, `paused`, and what a damaged directory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
    /// The record cannot be read.
    Unknown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
            Status::Unknown => "unknown",
        })
    }
}

/// What `state` and `list` tell, in the order in which they tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContainerState {
    #[serde(rename = "ociVersion")]
    pub oci_version: String,
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
        let entry = self.store.peek(id)?;
        let record = entry.record().map_err(|e| e.value(id))?;
        Ok(describe(&entry, record, &Owners::of_host()))
    }

    /// Every container. One whose record cannot be read is listed as unknown, and a warning says why.
    pub fn list(&self) -> Result<Vec<ContainerState>> {
        let ids = self.store.ids()?;
        let owners = if ids.is_empty() { Owners::default() } else { Owners::of_host() };
        let mut states = Vec::with_capacity(ids.len());
        for id in ids {
            let entry = match self.store.peek(&id) {
                Ok(entry) => entry,
                Err(e) if e.detail().kind == Kind::NoSuchContainer => continue,
                Err(e) => {
                    (self.warn)(&format!("container {id}: {e}"));
                    continue;
                }
            };
            match entry.record() {
                Ok(record) => states.push(describe(&entry, record, &owners)),
                Err(e) => states.extend(self.describe_damaged(&entry, &e, &owners)),
            }
        }
        Ok(states)
    }

    /// The processes of the container, in the caller's pid namespace, ascending.
    pub fn pids(&self, id: &str) -> Result<Vec<i32>> {
        let entry = self.store.peek(id)?;
        let record = entry.record().map_err(|e| e.value(id))?;
        if let Some(mut pids) = Group::open(record.cgroup.as_ref())?.pids()? {
            pids.sort_unstable();
            return Ok(pids);
        }
        let first = record.process().filter(|process| process.life() == Life::Alive);
        Ok(first.map(|process| process.pid).into_iter().collect())
    }

    /// A directory without a readable record: being made or removed at this moment, or left by a killed command.
    fn describe_damaged(&self, entry: &Entry, error: &Error, owners: &Owners) -> Option<ContainerState> {
        let busy = entry.is_busy();
        if !busy {
            if self.store.peek(entry.id()).is_err() {
                return None;
            }
            (self.warn)(&format!("container {}: {error}", entry.id()));
        }
        let (created, uid) = entry.inode();
        Some(ContainerState {
            oci_version: SPEC_VERSION.to_owned(),
            id: entry.id().to_owned(),
            pid: 0,
            status: if busy { Status::Creating } else { Status::Unknown },
            bundle: String::new(),
            rootfs: String::new(),
            created,
            owner: owners.name(uid),
            annotations: BTreeMap::new(),
        })
    }
}

/// What the container is doing now.
pub fn status(entry: &Entry, record: &Record) -> Status {
    let Some(process) = record.process() else {
        return if entry.is_busy() { Status::Creating } else { Status::Stopped };
    };
    if process.life() == Life::Ended {
        return Status::Stopped;
    }
    match record.phase {
        Phase::Creating => Status::Creating,
        Phase::Created if entry.awaits_start() => Status::Created,
        Phase::Created if is_frozen(record.cgroup.as_ref()) => Status::Paused,
        Phase::Created => Status::Running,
    }
}

fn describe(entry: &Entry, record: Record, owners: &Owners) -> ContainerState {
    let status = status(entry, &record);
    let pid = if status == Status::Stopped { 0 } else { record.pid.unwrap_or(0) };
    ContainerState {
        // The version that the state's form is of (runtime.md, State), not the config's.
        oci_version: SPEC_VERSION.to_owned(),
        id: entry.id().to_owned(),
        pid,
        status,
        bundle: record.bundle.to_string_lossy().into_owned(),
        rootfs: record.rootfs.to_string_lossy().into_owned(),
        created: record.created,
        owner: owners.name(record.owner_uid),
        annotations: record.annotations,
    }
}
