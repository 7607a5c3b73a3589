//! What `list` shows of a container, kept where one system call finds it: the target of a symbolic link that leads
//! nowhere, `brief` beside state.json. A list of a thousand spends its time in opening, reading and closing files.
//!
//! The link says nothing that the record does not say, and is there only while that suffices: from the moment that
//! everything is made, and not while the container may be paused. Where it is missing, the record is read and the
//! kernel asked. So it is never needed, and nothing is lost where it cannot be made.

use super::process::{Inode, Life, Process};
use super::record::{Phase, Record};
use crate::spec::load;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::PathBuf;

/// The longest target of a link, with its end: PATH_MAX.
pub const LONGEST: usize = 4096;

/// The fields of [`Record`] of the same names.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Brief {
    pub pid: Option<i32>,
    pid_start: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inode: Option<Inode>,
    /// The start socket was there; whether it still is has to be asked. Nobody puts one there later.
    #[serde(default)]
    pub awaited_start: bool,
    pub bundle: PathBuf,
    pub rootfs: PathBuf,
    pub created: String,
    pub owner_uid: u32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Brief {
    /// The link's target. `None` for a record that one look at the process does not suffice for, and for a longer one.
    pub(super) fn encode(record: &Record, inode: Option<Inode>, awaited_start: bool) -> Option<CString> {
        let whole = record.phase == Phase::Created && record.process().is_some();
        let brief = Brief { inode, awaited_start, ..Brief::from(record.clone()) };
        let text = serde_json::to_vec(&brief).ok().filter(|text| whole && text.len() < LONGEST)?;
        CString::new(text).ok()
    }

    pub(super) fn decode(target: &[u8]) -> Option<Brief> {
        load::read(target).ok()
    }

    /// Whether the first process runs. `boot` is [`super::boot_id`].
    pub fn life(&self, boot: Option<&str>) -> Option<Life> {
        let process = Process { pid: self.pid?, start: self.pid_start? };
        Some(match &self.inode {
            Some(inode) if Some(&*inode.boot) == boot => process.life_by(inode.number),
            _ => process.life(),
        })
    }
}

impl From<Record> for Brief {
    fn from(record: Record) -> Brief {
        Brief {
            pid: record.pid,
            pid_start: record.pid_start,
            inode: None,
            awaited_start: true,
            bundle: record.bundle,
            rootfs: record.rootfs,
            created: record.created,
            owner_uid: record.owner_uid,
            annotations: record.annotations,
        }
    }
}
