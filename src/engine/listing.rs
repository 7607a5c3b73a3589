//! `list`: every container of a state directory, a thousand as well as one.
//!
//! A container costs five system calls: one for what is known of it ([`crate::state::brief`]) and four for its process;
//! before its start one more, for the start socket. The two questions that cost most, to /proc and to the freezer, are
//! spared: a process is known by the inode of its pidfd, and the freezer is asked only where `pause` was used. Who freezes
//! a cgroup by hand sees that in `state`. Where there are many containers, threads share them; they only read, and nothing
//! of theirs outlives the call.

use super::inspect::{ContainerState, Status, describe, status};
use super::{Engine, SPEC_VERSION};
use crate::error::{Error, Kind, Result};
use crate::state::brief::LONGEST;
use crate::state::owner::Owners;
use crate::state::{Entry, Life, Store, boot_id};
use std::collections::BTreeMap;
use std::thread;

/// For so many containers a thread is worth its start.
const SHARE: usize = 128;
const THREADS: usize = 4;

/// What a look without opening the directory tells; `None` where it tells nothing.
type Glance = Option<ContainerState>;

impl Engine {
    /// Every container. One whose record cannot be read is listed as unknown, and a warning says why.
    pub fn list(&self) -> Result<Vec<ContainerState>> {
        let ids = self.store.ids()?;
        let owners = if ids.is_empty() { Owners::default() } else { Owners::of_host() };
        let mut states = Vec::with_capacity(ids.len());
        for (id, glance) in ids.iter().zip(glances(&self.store, &ids, &owners)) {
            states.extend(glance.or_else(|| self.look_closely(id, &owners)));
        }
        Ok(states)
    }

    /// One that is being made or removed, or that a killed command left. `None` if it is gone by now.
    fn look_closely(&self, id: &str, owners: &Owners) -> Option<ContainerState> {
        let entry = match self.store.peek(id) {
            Ok(entry) => entry,
            Err(e) => {
                if e.detail().kind != Kind::NoSuchContainer {
                    (self.warn)(&format!("container {id}: {e}"));
                }
                return None;
            }
        };
        match entry.read_record() {
            Ok(record) => Some(describe(id, status(&entry, &record), record.into(), owners)),
            Err(e) => self.describe_damaged(&entry, &e, owners),
        }
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
            oci_version: SPEC_VERSION,
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

/// One for each id, in the same order.
fn glances(store: &Store, ids: &[String], owners: &Owners) -> Vec<Glance> {
    let boot = boot_id();
    let look = |ids: &[String]| look_at(store, ids, owners, boot.as_deref());
    if ids.len() <= SHARE {
        return look(ids);
    }
    let share = ids.len().div_ceil(THREADS).max(SHARE);
    thread::scope(|scope| {
        let parts: Vec<_> = ids.chunks(share).map(|part| (part, scope.spawn(move || look(part)))).collect();
        // A panic has ended the process (panic = abort), so the second arm is for the type alone.
        parts.into_iter().flat_map(|(part, thread)| thread.join().unwrap_or_else(|_| look(part))).collect()
    })
}

fn look_at(store: &Store, ids: &[String], owners: &Owners, boot: Option<&str>) -> Vec<Glance> {
    let mut buffer = [0; LONGEST];
    let look = |id: &String| {
        let brief = store.brief(id, &mut buffer)?;
        let status = match brief.life(boot)? {
            Life::Ended => Status::Stopped,
            Life::Alive if brief.awaited_start && store.awaits_start(id) => Status::Created,
            Life::Alive => Status::Running,
        };
        Some(describe(id, status, brief, owners))
    };
    ids.iter().map(look).collect()
}
