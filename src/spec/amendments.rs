//! What a container has beside its config.json: from the caller of `create`, its environment, and the administrator. The
//! record holds it; `amend.rs` puts it into the config.

use super::IdMapping;
use serde::{Deserialize, Serialize};

/// Sockets that a service manager has opened for the process: the descriptors from 3 on (sd_listen_fds(3)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    pub count: u32,
    /// LISTEN_FDNAMES, as it is.
    pub names: Option<String>,
}

impl Listening {
    pub fn is_none(&self) -> bool {
        self.count == 0
    }
}

/// How the root of the file system is changed; in a record, whether it is moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
pub enum RootChange {
    #[default]
    PivotRoot,
    /// The host's root is covered, not detached: all that an initramfs allows.
    MoveMount,
}

impl From<bool> for RootChange {
    fn from(no_pivot: bool) -> RootChange {
        if no_pivot { RootChange::MoveMount } else { RootChange::PivotRoot }
    }
}

impl From<RootChange> for bool {
    fn from(change: RootChange) -> bool {
        change == RootChange::MoveMount
    }
}

/// The session keyring of the container's process; in a record, whether it is the caller's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
pub enum Keyring {
    #[default]
    New,
    /// The caller's.
    Inherit,
}

impl From<bool> for Keyring {
    fn from(no_new_keyring: bool) -> Keyring {
        if no_new_keyring { Keyring::Inherit } else { Keyring::New }
    }
}

impl From<Keyring> for bool {
    fn from(keyring: Keyring) -> bool {
        keyring == Keyring::Inherit
    }
}

/// The fields stand in state.json between those of the record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Amendments {
    /// The annotations that reach the host and may; absent: made by 0.1.0, which did not ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_annotations: Option<Vec<String>>,
    /// The agent for the seccomp listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp_receiver: Option<String>,
    /// In place of the config's filter there is one that asks this socket about each call: `seccomp record`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorder: Option<String>,
    #[serde(skip_serializing_if = "Listening::is_none")]
    pub sockets: Listening,
    /// The first process has a notify socket of ours.
    pub notify: bool,
    /// The ids of a new user namespace for which the config has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uid_mappings: Vec<IdMapping>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gid_mappings: Vec<IdMapping>,
}
