//! A container's cgroup as far as commands on an existing container need it. There may be none: it was not
//! made yet, it is gone already, or the host's rules did not allow one. Then every question has its quiet
//! answer.

use crate::cgroup::{Cgroup, Location};
use crate::error::{Error, Kind, Result};
use std::time::Instant;

/// The cgroup, if there is one.
pub struct Group(Option<Cgroup>);

impl Group {
    pub fn open(location: Option<&Location>) -> Result<Group> {
        location.map_or(Ok(None), Cgroup::open).map(Group)
    }

    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    pub fn freeze(&self) -> Result<()> {
        self.0.as_ref().ok_or_else(|| none("paused"))?.freeze()
    }

    pub fn thaw(&self) -> Result<()> {
        self.0.as_ref().ok_or_else(|| none("resumed"))?.thaw()
    }

    pub fn thaw_below(&self) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), Cgroup::thaw_below)
    }

    pub fn is_frozen(&self) -> Result<bool> {
        self.0.as_ref().map_or(Ok(false), Cgroup::is_frozen)
    }

    pub fn kill(&self, signal: i32) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |cgroup| cgroup.kill(signal))
    }

    /// `None` if there is no cgroup to ask.
    pub fn pids(&self) -> Result<Option<Vec<i32>>> {
        self.0.as_ref().map(Cgroup::pids).transpose()
    }

    pub fn remove(self, deadline: Instant) -> Result<()> {
        self.0.map_or(Ok(()), |cgroup| cgroup.remove(deadline))
    }
}

/// Without a cgroup there is nothing to do this with.
pub fn none(what: &str) -> Error {
    Error::new(format!("a container without a cgroup cannot be {what}"))
        .kind(Kind::Unsupported)
        .remedy("its cgroup was removed, or it was made with --cgroup-manager disabled or by a user who may make none")
}
