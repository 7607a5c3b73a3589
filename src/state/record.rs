//! What is remembered of a container: `state.json`.
//!
//! Fields may be added; a reader ignores those that it does not know and takes the default for those that an
//! older writer did not have. A record of another major version is refused by name.

use super::process::Process;
use crate::cgroup::Location;
use crate::error::{Error, Kind, Result};
use crate::report::shape::empty;
use crate::resctrl::Place;
use crate::spec::{Amendments, Keyring, RootChange, load};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The version that this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// How far `create` came. The kernel, not the record, knows what the container does after that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The intent is written; anything in the record may or may not exist yet.
    #[default]
    Creating,
    /// Everything in the record exists or existed.
    Created,
}

/// A mount of `mounts add`: its destination as a path from the root, and the fields of `wire::MountId`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddedMount {
    pub destination: String,
    pub number: u64,
    #[serde(skip_serializing_if = "empty")]
    pub device: u64,
    #[serde(skip_serializing_if = "empty")]
    pub inode: u64,
}

/// A device of `mounts add`: where its node is, as a path from the root, and what its rule allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddedDevice {
    pub path: String,
    #[serde(skip_serializing_if = "empty")]
    pub block: bool,
    pub number: u64,
    pub access: String,
    /// The node may be there; its rule is not among the limits yet.
    #[serde(skip_serializing_if = "empty")]
    pub closed: bool,
}

/// The runtime that made a container, where it is not this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    Runc,
    Crun,
}

impl Maker {
    pub fn name(self) -> &'static str {
        match self {
            Maker::Runc => "runc",
            Maker::Crun => "crun",
        }
    }
}

/// One container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    pub version: u32,
    pub id: String,
    /// `ociVersion` of the container's configuration.
    pub oci_version: String,
    pub bundle: String,
    pub rootfs: String,
    /// RFC 3339, UTC, nanoseconds: [`crate::time::rfc3339_nano`].
    pub created: String,
    pub owner_uid: u32,
    pub phase: Phase,
    /// The first process, once there was one.
    #[serde(skip)]
    pub process: Option<Process>,
    /// The run of the kernel in which the container was made ([`super::boot_id`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// Where the container's cgroup is, in each hierarchy.
    pub cgroup: Option<Location>,
    /// What `mounts add` has mounted, in this order; what has gone by other ways is still here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<AddedMount>,
    /// Devices that `mounts add` has added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<AddedDevice>,
    /// `linux.resources` as the last update left them, in JSON; absent: as config.json has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
    /// The container's place in resctrl.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resctrl: Option<Place>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(skip)]
    pub amendments: Amendments,
    /// `CLONE_NEW…` flags of the namespaces that were made for the container.
    pub namespaces_created: u32,
    /// `CLONE_NEW…` flags of the namespaces that it joined by path.
    pub namespaces_joined: u32,
    /// The user namespaces that all of these belong to, by their inode numbers; first the one that its processes are in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_namespaces: Vec<u64>,
    /// The options of `create` that later commands go by.
    #[serde(rename = "no_pivot")]
    pub root_change: RootChange,
    #[serde(rename = "no_new_keyring")]
    pub session: Keyring,
    /// The name of the session keyring: a process that knows it can join it, so only this file and `script` contain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyring: Option<String>,
    pub preserve_fds: u32,
    /// The limit on tasks that `exec` has raised for a moment, as it has to be again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u64>,
    /// Another runtime, where it is not our own record.
    #[serde(skip)]
    pub made_by: Option<Maker>,
    /// So many of the poststop hooks have run: `delete` goes on behind them.
    #[serde(skip_serializing_if = "empty")]
    pub poststop: usize,
}

/// How [`Record::process`] stands in the file, between the fields of the record.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Numbers {
    pid: Option<i32>,
    pid_start: Option<u64>,
}

impl Record {
    /// For what needs to know more of a container than another runtime's record says.
    pub fn must_be_ours(&self) -> Result<()> {
        let Some(name) = self.made_by.map(Maker::name) else { return Ok(()) };
        Err(Error::new(format!("the container was made by {name}"))
            .kind(Kind::Unsupported)
            .field("container-id")
            .value(&self.id)
            .remedy(format!("use {name}, or delete the container and create it again")))
    }

    /// The creation was cut short before the record had the numbers of the cgroup: what is at that path may be another's.
    /// 0.1.0 wrote no numbers, and no list of annotations.
    pub fn cgroup_may_be_of_others(&self) -> bool {
        self.amendments.allowed_annotations.is_some()
            && self.process.is_none()
            && self.phase == Phase::Creating
            && self.cgroup.as_ref().is_some_and(|location| !location.is_known_by_inode())
    }

    /// The cgroup, where its processes are the container's.
    pub fn own_cgroup(&self) -> Option<&Location> {
        self.cgroup.as_ref().filter(|_| !self.cgroup_may_be_of_others())
    }

    /// Every namespace that a process of the container is in and we are not, for setns(2).
    pub fn namespaces(&self) -> u64 {
        u64::from(self.namespaces_created | self.namespaces_joined)
    }

    /// The value of an annotation that reaches the host, if it is present and was allowed.
    pub fn allowed_annotation(&self, name: &str) -> Option<&str> {
        let allowed = self.amendments.allowed_annotations.iter().flatten().any(|allowed| allowed == name);
        self.annotations.get(name).filter(|_| allowed).map(String::as_str)
    }

    /// The name of the container's session keyring, where it has one of its own; 0.1.0 made it from the id.
    pub fn session_keyring(&self) -> Option<Cow<'_, str>> {
        if self.session == Keyring::Inherit {
            return None;
        }
        Some(self.keyring.as_deref().map_or_else(|| format!("_ses.{}", self.id).into(), Cow::Borrowed))
    }

    /// The first process's number in the runtime's pid namespace.
    pub fn pid(&self) -> Option<i32> {
        self.process.map(|process| process.pid)
    }

    /// The record as of now. Processes and groups do not survive a reboot: what has their numbers and names
    /// after it was started anew is others'.
    pub fn in_boot(self, now: Option<&str>) -> Record {
        match (&self.boot, now) {
            (Some(then), Some(now)) if then != now => {
                Record { process: None, cgroup: None, resctrl: None, ..self }
            }
            _ => self,
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let (pid, pid_start) = self.process.map(|process| (process.pid, process.start)).unzip();
        let mut bytes = json(self);
        add_fields(&mut bytes, &Numbers { pid, pid_start });
        add_fields(&mut bytes, &self.amendments);
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Record> {
        let mut record: Record = part(bytes)?;
        record.amendments = part(bytes)?;
        let Numbers { pid, pid_start } = part(bytes)?;
        record.process = pid.zip(pid_start).map(|(pid, start)| Process { pid, start });
        if record.version > VERSION {
            return Err(Error::new(format!(
                "state.json has version {}, but this rruntime reads version {VERSION}",
                record.version
            ))
            .kind(Kind::Unsupported)
            .remedy("use the newer rruntime that created the container"));
        }
        Ok(record)
    }
}

fn json(part: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(part).expect("a record has only string keys and finite numbers")
}

/// Puts the fields of `part` behind those that are there, both objects with fields. (`serde(flatten)` would read every field
/// into a tree first, by code of its own.)
fn add_fields(bytes: &mut Vec<u8>, part: &impl Serialize) {
    let more = json(part);
    bytes.pop();
    bytes.push(b',');
    bytes.extend_from_slice(&more[1..]);
}

/// What `T` knows of the file's fields.
fn part<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    load::read(bytes)
        .map_err(|e| Error::new(format!("state.json is damaged: {e}")).remedy("delete it with --force"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Listening;

    /// The file as the first release wrote it. This text never changes, even if the record does.
    const FIRST: &str = r#"{"version":1,"id":"web","oci_version":"1.2.0","bundle":"/b","rootfs":"/b/rootfs",
        "created":"2026-11-21T07:58:59.25Z","owner_uid":0,"phase":"created","pid":42,"pid_start":777,
        "cgroup":{"legs":[{"version":"v2","mount":"/sys/fs/cgroup","path":"web"}]},"annotations":{"a":"b"},"namespaces_created":131072,"namespaces_joined":0,
        "rootless":false}"#;

    #[test]
    fn a_state_file_of_the_first_release_is_read() {
        let record = Record::decode(FIRST.as_bytes()).unwrap();
        assert_eq!(record.id, "web");
        assert_eq!(record.phase, Phase::Created);
        assert_eq!(record.process, Some(Process { pid: 42, start: 777 }));
        assert_eq!(record.annotations["a"], "b");
        assert_eq!(Record::decode(&record.encode()).unwrap(), record);
    }

    /// As the builds before `Amendments` wrote and read them.
    #[test]
    fn amendments_stand_in_the_file_between_the_fields_of_the_record() {
        let text = br#"{"version":1,"id":"web","allowed_annotations":["a"],"listening":true,"notify":true,
            "seccomp_receiver":"/agent"}"#;
        let record = Record::decode(text).unwrap();
        let allowed_annotations = Some(vec!["a".to_owned()]);
        let seccomp_receiver = Some("/agent".to_owned());
        let expected =
            Amendments { allowed_annotations, seccomp_receiver, notify: true, ..Amendments::default() };
        assert_eq!(record.amendments, expected);
        let sockets = Listening { count: 2, names: Some("web:admin".into()) };
        let record = Record { amendments: Amendments { sockets, ..expected }, ..record };
        assert_eq!(Record::decode(&record.encode()).unwrap(), record);
        let file: serde_json::Value = serde_json::from_slice(&record.encode()).unwrap();
        assert_eq!((&file["notify"], &file["seccomp_receiver"]), (&true.into(), &"/agent".into()));
    }

    /// An older program reads what this one writes.
    #[test]
    fn the_process_stands_in_the_file_as_the_first_release_has_it() {
        let record = Record::decode(FIRST.as_bytes()).unwrap();
        let file: serde_json::Value = serde_json::from_slice(&record.encode()).unwrap();
        assert_eq!((&file["pid"], &file["pid_start"], &file["id"]), (&42.into(), &777.into(), &"web".into()));
        let before: serde_json::Value = serde_json::from_slice(&Record::default().encode()).unwrap();
        assert!(before["pid"].is_null() && before["version"] == 0);
        for damaged in [r#"{"version":1,"pid":"42"}"#, r#"{"version":1,"pid":42,"pid_start":-1}"#] {
            assert!(Record::decode(damaged.as_bytes()).is_err(), "{damaged}");
        }
    }

    #[test]
    fn after_a_reboot_neither_the_process_nor_the_group_is_the_containers() {
        let record = Record { boot: Some("then".into()), ..Record::decode(FIRST.as_bytes()).unwrap() };
        assert_eq!(record.clone().in_boot(Some("then")), record);
        let after = record.in_boot(Some("now"));
        assert_eq!((after.process, after.cgroup.is_none(), after.id.as_str()), (None, true, "web"));
        let old = Record::decode(FIRST.as_bytes()).unwrap();
        assert_eq!(old.clone().in_boot(Some("now")), old, "the first release noted none");
    }

    #[test]
    fn unknown_and_missing_fields_are_no_error() {
        let record = Record::decode(br#"{"version":1,"id":"x","from_the_future":[1]}"#).unwrap();
        assert_eq!((record.id.as_str(), record.phase, record.process), ("x", Phase::Creating, None));
    }

    #[test]
    fn damage_and_a_newer_version_are_told_apart() {
        let damaged = Record::decode(b"{\"id\":").unwrap_err().to_string();
        assert!(damaged.contains("damaged"), "{damaged}");
        let newer = Record::decode(br#"{"version":2}"#).unwrap_err().to_string();
        assert!(newer.contains("version 2"), "{newer}");
    }
}
