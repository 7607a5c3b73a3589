//! A container's groups, before and after they are made: what joins and removes them does not ask which.

use super::{Demand, Place};
use crate::error::Result;

#[derive(Clone, Copy)]
pub enum Group<'a> {
    /// As a container in the making wants it, or an update.
    Wanted(&'a Demand),
    /// As the record of a container has it.
    Recorded(&'a Place),
}

impl Group<'_> {
    pub fn place(&self) -> &Place {
        match self {
            Group::Wanted(demand) => &demand.place,
            Group::Recorded(place) => place,
        }
    }

    /// Adds a process. A recorded group that its administrator has removed has no tasks: those of the container are in the
    /// default group now.
    pub fn join(&self, pid: i32) -> Result<()> {
        match self {
            Group::Wanted(demand) => demand.join(pid),
            Group::Recorded(place) => match place.join(pid) {
                Err(error) if error.detail().errno == Some(libc::ENOENT) => Ok(()),
                other => other,
            },
        }
    }

    pub fn remove(&self) -> Result<()> {
        match self {
            Group::Wanted(demand) => demand.undo(),
            Group::Recorded(place) => place.remove(),
        }
    }
}
