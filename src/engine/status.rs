//! What a container is doing, asked of the kernel rather than of the record: the pid with its start time, the pipes
//! of start, the freezer. And the state that hooks and seccomp agents read.

use crate::cgroup::Driver;
use crate::engine::SPEC_VERSION;
use crate::state::{Entry, Life, Phase, Record};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// The states of the runtime-spec, `paused`, and what a damaged directory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
    /// The record cannot be read.
    Unknown,
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Status {
    /// As reports and scripts have it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
            Status::Unknown => "unknown",
        }
    }

    /// What the container is doing now.
    pub fn of(entry: &Entry, record: &Record) -> Status {
        match record.process {
            None if entry.is_busy() => Status::Creating,
            None => Status::Stopped,
            Some(process) if process.life() == Life::Ended => Status::Stopped,
            Some(process) => match record.phase {
                Phase::Creating => Status::Creating,
                // Before the start too: a command that talked to a frozen init would wait until it is thawed.
                Phase::Created if record.cgroup.as_ref().is_some_and(Driver::is_frozen) => Status::Paused,
                Phase::Created if record.made_by.is_some() && entry.has_start_fifo() => Status::Created,
                Phase::Created if entry.awaits_start(process.pid) => Status::Created,
                Phase::Created => Status::Running,
            },
        }
    }
}

/// The state that hooks and seccomp agents read (runtime.md, State).
pub fn state_json(record: &Record, status: Status) -> String {
    #[derive(Serialize)]
    struct State<'a> {
        #[serde(rename = "ociVersion")]
        oci_version: &'a str,
        id: &'a str,
        status: Status,
        #[serde(skip_serializing_if = "Option::is_none")]
        pid: Option<i32>,
        bundle: &'a str,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        annotations: &'a BTreeMap<String, String>,
    }
    let state = State {
        oci_version: SPEC_VERSION,
        id: &record.id,
        status,
        pid: record.pid().filter(|_| status != Status::Stopped),
        bundle: &record.bundle,
        annotations: &record.annotations,
    };
    serde_json::to_string(&state).expect("a state has only string keys")
}
