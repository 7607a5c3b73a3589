//! What is used now, read again and again: the files stay open, and a look at one is one system call.
//!
//! A directory is held only as long as something has to be found in it. A file that this host does not have is asked for
//! once.

use super::Stats;
use super::source::{Extent, Kept, Source};
use crate::cgroup::files::held::{Cgroup, Held};
use crate::cgroup::location::{Leg, Version};
use crate::error::Result;

/// The counters of one cgroup, open.
pub struct Live {
    legs: Vec<Open>,
}

struct Open {
    leg: Leg,
    held: Option<Held>,
    kept: Kept,
}

impl Open {
    fn source(&self) -> Source<'_> {
        Source { leg: &self.leg, held: self.held.as_ref(), kept: Some(&self.kept), extent: Extent::Use }
    }
}

impl Live {
    pub(in crate::cgroup) fn of(cgroup: Cgroup) -> Live {
        let open = |held: Held| Open { leg: held.leg.clone(), held: Some(held), kept: Kept::default() };
        Live { legs: cgroup.held.into_iter().map(open).collect() }
    }

    /// What was used until now, without what only `events` tells; `None` if the cgroup is gone.
    pub fn read(&mut self) -> Result<Option<Stats>> {
        let stats = super::read(&self.legs.iter().map(Open::source).collect::<Vec<_>>())?;
        let counts_tasks = self.legs.iter().any(|open| open.kept.has("pids.current"));
        for open in &mut self.legs {
            let walked = match open.leg.version {
                // Groups below it count their own kills.
                Version::V1 => open.leg.has("memory"),
                // Processes are counted one by one.
                Version::V2 => !counts_tasks,
            };
            if !walked {
                open.held = None;
            }
        }
        Ok((!self.legs.iter().any(|open| open.kept.is_gone())).then_some(stats))
    }

    /// How many descriptors it holds.
    pub fn descriptors(&self) -> usize {
        self.legs.iter().map(|open| open.kept.count() + open.held.as_ref().map_or(0, |_| 2)).sum()
    }
}
