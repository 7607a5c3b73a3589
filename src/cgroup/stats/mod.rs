//! What the processes of a container's cgroup have used, in the units of cgroup v1 whatever the host has: engines read
//! one shape for both. A controller that is not there leaves its part empty. Nothing is written.

mod counters;
pub(super) mod parse;
mod source;
mod v1;
mod v2;

pub use counters::*;

use super::files::held::{Cgroup, Held};
use super::location::{Leg, Location, Version};
use crate::error::Result;

/// The v1 controllers that count something.
const COUNTING: [&str; 7] = ["cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "hugetlb"];

/// The part of a location that has something to count, so that nothing else is opened.
pub fn counting(location: &Location) -> Location {
    let counts = |leg: &&Leg| leg.version == Version::V2 || COUNTING.iter().any(|name| leg.has(name));
    Location { legs: location.legs.iter().filter(counts).cloned().collect(), unit: None }
}

impl Cgroup {
    /// Reads every number. What this host does not count stays at zero or absent.
    ///
    /// On a hybrid host the v1 hierarchies count, and the v2 leg adds what no v1 hierarchy has.
    /// Errors: an existing file that cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        let v1 = |held: &&Held| held.leg.version == Version::V1;
        for held in self.held.iter().filter(v1) {
            v1::read(held, &mut stats)?;
        }
        if let Some(unified) = self.unified() {
            let counted = |controller: &str| self.held.iter().any(|held| held.leg.has(controller));
            v2::read(unified, &counted, &mut stats)?;
        }
        Ok(stats)
    }
}
