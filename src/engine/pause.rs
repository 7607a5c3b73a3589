//! `pause` and `resume`: the freezer of the container's cgroup.

use super::group::Group;
use super::inspect::status;
use super::kill::not_running;
use super::{Engine, Status};
use crate::error::{Error, Kind, Result};
use crate::state::{Entry, Record};

impl Engine {
    /// Returns when every process of the container is frozen.
    pub fn pause(&self, id: &str) -> Result<()> {
        let (entry, record) = self.hold(id)?;
        match status(&entry, &record) {
            Status::Running | Status::Created => {
                let group = Group::open(record.cgroup.as_ref())?;
                // Before: whoever lists asks the kernel from here on.
                self.note(&entry, record, true);
                group.freeze()
            }
            Status::Paused => Err(Error::new("container not running")
                .kind(Kind::AlreadySo)
                .value(id)
                .remedy("it is paused already")),
            _ => Err(not_running(id)),
        }
    }

    /// Returns when no process of the container is frozen.
    pub fn resume(&self, id: &str) -> Result<()> {
        let (entry, record) = self.hold(id)?;
        match status(&entry, &record) {
            Status::Paused => {
                Group::open(record.cgroup.as_ref())?.thaw()?;
                self.note(&entry, record, false);
                Ok(())
            }
            Status::Running | Status::Created => {
                Err(Error::new("container not paused").kind(Kind::AlreadySo).value(id))
            }
            _ => Err(Error::new("container not paused").kind(Kind::WrongState).value(id)),
        }
    }

    /// A full disk keeps nobody from pausing.
    fn note(&self, entry: &Entry, mut record: Record, paused: bool) {
        record.paused = Some(paused);
        if let Err(e) = entry.write(&record) {
            (self.warn)(&format!("container {}: `list` may not tell whether it is paused: {e}", entry.id()));
        }
    }
}
