//! What `list` shows of a container, kept where one system call finds it: the target of a symbolic link that leads
//! nowhere, `brief` beside state.json. A list of a thousand spends its time in opening, reading and closing files.
//!
//! The link says nothing that the record does not say, and is there only while that suffices: from the moment that
//! everything is made, and not while the container may be paused. Where it is missing, the record is read and the
//! kernel asked. So it is never needed, and nothing is lost where it cannot be made.

use super::process::{self, Inode, Life, Process};
use super::record::{Phase, Record};
use crate::spec::load;
use crate::sys::c;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::CString;

/// The longest target of a link, with its end: PATH_MAX.
pub const LONGEST: usize = 4096;

/// The fields of [`Record`] of the same names.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Brief {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    id: String,
    pub pid: Option<i32>,
    pid_start: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inode: Option<Inode>,
    /// Absent where there is an inode, which shows the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot: Option<String>,
    /// The start socket was there; whether it still is has to be asked. None is put there later.
    #[serde(default)]
    pub awaited_start: bool,
    pub bundle: String,
    pub rootfs: String,
    pub created: String,
    pub owner_uid: u32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Brief {
    /// The link's target. `None` for a record that one look at the process does not suffice for, and for a longer one.
    pub(super) fn encode(record: &Record, inode: Option<Inode>, awaited_start: bool) -> Option<CString> {
        let whole = record.phase == Phase::Created && record.process.is_some();
        let boot = record.boot.clone().filter(|_| inode.is_none());
        let brief = Brief { inode, awaited_start, boot, ..Brief::from(record.clone()) };
        let text = serde_json::to_string(&brief).ok().filter(|text| whole && text.len() < LONGEST)?;
        c(text).ok()
    }

    pub(super) fn decode(target: &[u8]) -> Option<Brief> {
        load::read(target).ok()
    }

    /// A directory that was renamed has another container's. 0.1.0 wrote no id.
    pub(super) fn is_of(&self, id: &str) -> bool {
        self.id.is_empty() || self.id == id
    }

    pub(super) fn process(&self) -> Option<Process> {
        Some(Process { pid: self.pid?, start: self.pid_start? })
    }

    /// Whether it was made before the machine was started anew.
    pub(super) fn is_of_another_boot(&self, boot: Option<&str>) -> bool {
        let then = self.inode.as_ref().map(|inode| &inode.boot).or(self.boot.as_ref());
        then.is_some_and(|then| boot.is_some_and(|now| then != now))
    }

    /// Its first process as [`process::lives`] knows it. `None` where only the start time names it: before Linux 6.9.
    fn numbered(&self, boot: Option<&str>) -> Option<(i32, u64)> {
        let inode = self.inode.as_ref().filter(|inode| Some(&*inode.boot) == boot)?;
        Some((self.pid?, inode.number))
    }
}

/// Whether the first process of each container runs. `None` where that takes a closer look. `boot` is
/// [`super::boot_id`].
pub fn lives(briefs: &[Option<Brief>], boot: Option<&str>) -> Vec<Option<Life>> {
    let numbered: Vec<_> = briefs.iter().map(|brief| brief.as_ref()?.numbered(boot)).collect();
    let lives = process::lives(&numbered);
    let life = |((brief, numbered), life): ((&Option<Brief>, &Option<_>), Option<Life>)| match numbered {
        Some(_) => life,
        None => {
            let brief = brief.as_ref()?;
            let life = brief.process()?.life();
            // Another process may have its pid and start time by now: the record knows.
            (life == Life::Ended || !brief.is_of_another_boot(boot)).then_some(life)
        }
    };
    briefs.iter().zip(&numbered).zip(lives).map(life).collect()
}

impl From<Record> for Brief {
    fn from(record: Record) -> Brief {
        Brief {
            id: record.id,
            pid: record.process.map(|process| process.pid),
            pid_start: record.process.map(|process| process.start),
            inode: None,
            boot: None,
            awaited_start: true,
            bundle: record.bundle,
            rootfs: record.rootfs,
            created: record.created,
            owner_uid: record.owner_uid,
            annotations: record.annotations,
        }
    }
}
