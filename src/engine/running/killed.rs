//! What is known of processes that the kernel killed because memory ran out: whose memory it was, and which process.
//!
//! The kernel's log says both, if this caller may read it and it still has the lines. Otherwise the counters of the groups
//! say whose limit was reached.

use crate::cgroup::Location;
use crate::cgroup::shortage::{MemoryGroup, Shortage};
use crate::error::Result;
use crate::host::cgroups::{Layout, detect};
use crate::host::kernel_log::{self, Kill, Kills};
use crate::state::Process;
use crate::sys::clock;
use crate::time::rfc3339;
use serde::Serialize;
use std::time::{Duration, SystemTime};

/// The kills of one container.
#[derive(Clone, Debug, PartialEq)]
pub struct Killed {
    /// As the cgroup counts them.
    pub kills: u64,
    /// At the last one.
    pub shortage: Shortage,
    /// Those that the kernel's log has, oldest first; they may be fewer.
    pub processes: Vec<KilledProcess>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KilledProcess {
    /// In the machine's first pid namespace.
    pub pid: i32,
    pub name: String,
    pub uid: u32,
    /// RFC 3339, UTC.
    pub time: String,
}

/// At most so many processes are kept of one container: one that is killed and started again fills the log.
const PROCESSES: usize = 8;

/// What is read once for all containers of a look.
#[derive(Default)]
pub(super) struct Evidence {
    read: Option<(Kills, Layout)>,
}

impl Evidence {
    /// `None` if its memory is not counted, or its group is gone. `first`: its first process.
    pub(super) fn of(
        &mut self,
        location: &Location,
        first: Option<Process>,
        kills: u64,
    ) -> Result<Option<Killed>> {
        let (log, layout) = self
            .read
            .get_or_insert_with(|| (kernel_log::kills().unwrap_or_default(), detect().unwrap_or_default()));
        let Some(group) = MemoryGroup::of(location, layout)? else { return Ok(None) };
        // A path is a container's for as long as it is there: an older line is about another one, and the latest `kills`
        // lines are its own, unless the kernel, which has a limit, has left some out.
        let started = first.map_or(Duration::ZERO, began).saturating_sub(log.uncertain);
        let is_its_own = |kill: &&Kill| kill.since_boot >= started && group.holds(&kill.group);
        let known: Vec<&Kill> = log.list.iter().filter(is_its_own).collect();
        let known = &known[known.len().saturating_sub(PROCESSES.min(usize::try_from(kills).unwrap_or(1)))..];
        let shortage = match known.last() {
            Some(kill) => group.shortage(kill.limited.as_deref()),
            None => group.counted_shortage()?,
        };
        let processes = known.iter().map(|kill| KilledProcess {
            pid: kill.pid,
            name: kill.name.clone(),
            uid: kill.uid,
            time: moment(kill.since_boot),
        });
        Ok(Some(Killed { kills, shortage, processes: processes.collect() }))
    }
}

fn began(process: Process) -> Duration {
    clock::TICK.saturating_mul(u32::try_from(process.start).unwrap_or(u32::MAX))
}

fn moment(since_boot: Duration) -> String {
    let ago = clock::since_boot_with_suspends().saturating_sub(since_boot);
    rfc3339(SystemTime::now() - ago)
}
