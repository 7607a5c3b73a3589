//! `list`: every container of a state directory, a thousand as well as one.
//!
//! A container costs four system calls: one for what is known of it ([`crate::state::brief`]) and three for its process;
//! before its start one more, for the start socket. The two questions that cost most, to /proc and to the freezer, are
//! spared: a process is known by the inode of its pidfd, and the freezer is asked only where `pause` was used. A cgroup
//! that was frozen by hand shows in `state`. Where there are many containers, threads share them; they only read, and
//! nothing of theirs outlives the call.

use crate::engine::Status;
use crate::engine::life::inspect::{ContainerState, describe};
use crate::engine::{Engine, SPEC_VERSION};
use crate::error::{Error, Kind, Result};
use crate::state::brief::{self, LONGEST};
use crate::state::owner::UserNames;
use crate::state::{Brief, Entry, Life, Store, boot_id};
use nix::sched::{CloneFlags, CpuSet, sched_getaffinity, unshare};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// So many containers are looked at together.
const SHARE: usize = 64;
const THREADS: usize = 4;

/// What a look without opening the directory tells; `None` where it tells nothing.
type Glance = Option<ContainerState>;

impl Engine {
    /// Every container. One whose record cannot be read is listed as unknown, and a warning says why.
    pub fn list(&self) -> Result<Vec<ContainerState>> {
        let ids = self.store.ids()?;
        let owners = if ids.is_empty() { UserNames::default() } else { UserNames::of_host() };
        let mut states = Vec::with_capacity(ids.len());
        for (id, glance) in ids.iter().zip(glances(&self.store, &ids, &owners)) {
            states.extend(glance.or_else(|| self.look_closely(id, &owners)));
        }
        Ok(states)
    }

    /// One that is being made or removed, or that a killed command left. `None` if it is gone by now.
    fn look_closely(&self, id: &str, owners: &UserNames) -> Option<ContainerState> {
        let entry = match self.store.peek(id) {
            Ok(entry) => entry,
            Err(e) => {
                if e.detail().kind != Kind::NoSuchContainer {
                    self.warn(e.doing(format!("container {id}")));
                }
                return None;
            }
        };
        match entry.read_record() {
            Ok(record) => Some(describe(id, Status::of(&entry, &record), record.into(), owners)),
            Err(e) => self.describe_damaged(&entry, &e, owners),
        }
    }

    /// A directory without a readable record: being made or removed at this moment, or left by a killed command.
    fn describe_damaged(&self, entry: &Entry, error: &Error, owners: &UserNames) -> Option<ContainerState> {
        let busy = entry.is_busy();
        if !busy {
            if self.store.peek(entry.id()).is_err() {
                return None;
            }
            self.warn(Error::new(format!("container {}: {error}", entry.id())));
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
fn glances(store: &Store, ids: &[String], owners: &UserNames) -> Vec<Glance> {
    let boot = boot_id();
    let shares: Vec<&[String]> = ids.chunks(SHARE).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::with_capacity(shares.len());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(share) = shares.get(number) else { return done };
            done.push((number, look_at(store, share, owners, boot.as_deref())));
        }
    };
    let help = || {
        // With a table of open files for each thread none waits for another's; one that has to share it is only slower.
        let _ = unshare(CloneFlags::CLONE_FILES);
        work()
    };
    let mut done = thread::scope(|scope| {
        // Where there may be no more threads, one does it all.
        let helper = |_| thread::Builder::new().spawn_scoped(scope, help).ok();
        let helpers: Vec<_> = (1..threads(shares.len())).filter_map(helper).collect();
        let mut done = work();
        // A panic has ended the process (panic = abort), so nothing is lost here.
        done.extend(helpers.into_iter().filter_map(|helper| helper.join().ok()).flatten());
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().flat_map(|(_, share)| share).collect()
}

/// As many as have a processor and something to do.
fn threads(shares: usize) -> usize {
    if shares <= 1 {
        return shares;
    }
    let processors = sched_getaffinity(Pid::this()).map_or(1, |set| {
        (0..CpuSet::count()).filter(|number| set.is_set(*number).unwrap_or(false)).take(THREADS).count()
    });
    processors.min(shares)
}

fn look_at(store: &Store, ids: &[String], owners: &UserNames, boot: Option<&str>) -> Vec<Glance> {
    let mut buffer = [0; LONGEST];
    let briefs: Vec<Option<Brief>> = ids.iter().map(|id| store.brief(id, &mut buffer)).collect();
    let lives = brief::lives(&briefs, boot);
    let look = |((id, brief), life): ((&String, Option<Brief>), Option<Life>)| {
        let brief = brief?;
        let status = match life? {
            Life::Ended => Status::Stopped,
            Life::Alive
                if brief.awaited_start && brief.pid.is_some_and(|pid| store.awaits_start(id, pid)) =>
            {
                Status::Created
            }
            Life::Alive => Status::Running,
        };
        Some(describe(id, status, brief, owners))
    };
    ids.iter().zip(briefs).zip(lives).map(look).collect()
}
