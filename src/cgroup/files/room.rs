//! Room for one more process in a container that has as many as it may: a limit on tasks that is raised for a birth and put
//! back. The kernel counts a limit for births alone, so what is above it stays.

use super::held::{Cgroup, Held, on};
use crate::error::Result;

impl Cgroup {
    /// How many tasks there are, and may be. `None` where nothing limits them here.
    pub fn tasks(&self) -> Option<(u64, u64)> {
        let held = self.counting()?;
        let number = |name| held.read(name).ok()?.trim().parse().ok();
        Some((number("pids.current")?, number("pids.max")?))
    }

    pub fn limit_tasks(&self, limit: u64) -> Result<()> {
        let Some(held) = self.counting() else { return Ok(()) };
        held.write("pids.max", &limit.to_string()).map_err(|errno| on(&held.leg, "write pids.max of", errno))
    }

    fn counting(&self) -> Option<&Held> {
        self.held.iter().find(|held| held.leg.has("pids")).or_else(|| self.unified())
    }
}
