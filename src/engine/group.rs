//! A container's cgroup as far as commands on an existing container need it. There may be none: it was not
//! made yet, it is gone already, or the host's rules did not allow one. Then every question has its quiet
//! answer.

use crate::error::{Error, Kind, Result};
use crate::state::record::Location;
use std::time::Instant;

/// The cgroup, if there is one.
pub struct Group(Option<Location>);

impl Group {
    pub fn open(location: Option<&Location>) -> Result<Group> {
        Ok(Group(location.cloned()))
    }

    pub fn exists(&self) -> bool {
        self.0.is_some()
    }

    pub fn freeze(&self) -> Result<()> {
        Err(self.none("pausing needs the container's cgroup"))
    }

    pub fn thaw(&self) -> Result<()> {
        Err(self.none("resuming needs the container's cgroup"))
    }

    pub fn is_frozen(&self) -> bool {
        false
    }

    pub fn kill(&self, _signal: i32) -> Result<()> {
        Ok(())
    }

    pub fn pids(&self) -> Result<Vec<i32>> {
        Ok(Vec::new())
    }

    pub fn remove(self, _deadline: Instant) -> Result<()> {
        Ok(())
    }

    fn none(&self, reason: &'static str) -> Error {
        Error::new(reason).kind(Kind::Unsupported)
    }
}
