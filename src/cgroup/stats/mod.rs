//! What the processes of a container's cgroup have used, in the units of cgroup v1 whatever the host has: engines read
//! one shape for both. A controller that is not there leaves its part empty. Nothing is written.

mod counters;
mod live;
pub(super) mod parse;
pub(super) mod source;
mod v1;
mod v2;

pub use counters::*;
pub use live::Live;
pub use parse::is_limit;

use super::files::held::Cgroup;
use super::location::{Leg, Location, Version};
use crate::error::Result;
use source::Source;

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
        read(&self.held.iter().map(Source::all_of).collect::<Vec<_>>())
    }
}

fn read(sources: &[Source]) -> Result<Stats> {
    let mut stats = Stats::default();
    for source in sources.iter().filter(|source| source.leg.version == Version::V1) {
        v1::read(*source, &mut stats)?;
    }
    if let Some(unified) = sources.iter().find(|source| source.leg.version == Version::V2) {
        let counted = |controller: &str| sources.iter().any(|source| source.leg.has(controller));
        v2::read(*unified, &counted, &mut stats)?;
    }
    Ok(stats)
}
