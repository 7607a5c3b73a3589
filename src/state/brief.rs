//! What `list` shows of a record. The rest of it, hierarchies of cgroups above all, is read over: a record costs half of
//! what it costs as a whole.

use super::process::{Inode, Life, Process};
use super::record::{Phase, Record, VERSION};
use crate::spec::load;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The fields of [`Record`] of the same names.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Brief {
    version: u32,
    pub bundle: PathBuf,
    pub rootfs: PathBuf,
    pub created: String,
    pub owner_uid: u32,
    phase: Phase,
    pub pid: Option<i32>,
    pid_start: Option<u64>,
    pid_inode: Option<Inode>,
    paused: Option<bool>,
    pub annotations: BTreeMap<String, String>,
}

impl Brief {
    /// `None` for whatever takes a closer look: a record that cannot be read, a container that is being made, one that
    /// may be paused.
    pub fn decode(bytes: &[u8]) -> Option<Brief> {
        let brief: Brief = load::read(bytes).ok()?;
        let plain = brief.version <= VERSION && brief.phase == Phase::Created && brief.paused == Some(false);
        plain.then_some(brief)
    }

    /// Whether the first process runs. `boot` is [`super::boot_id`].
    pub fn life(&self, boot: Option<&str>) -> Option<Life> {
        let process = Process { pid: self.pid?, start: self.pid_start? };
        Some(match &self.pid_inode {
            Some(inode) if Some(&*inode.boot) == boot => process.life_by(inode.number),
            _ => process.life(),
        })
    }
}

impl From<Record> for Brief {
    fn from(record: Record) -> Brief {
        Brief {
            version: record.version,
            bundle: record.bundle,
            rootfs: record.rootfs,
            created: record.created,
            owner_uid: record.owner_uid,
            phase: record.phase,
            pid: record.pid,
            pid_start: record.pid_start,
            pid_inode: record.pid_inode,
            paused: record.paused,
            annotations: record.annotations,
        }
    }
}
