//! `pause` and `resume`: the freezer of the container's cgroup.

use crate::cgroup::Driver;
use crate::engine::life::kill::{ENDED, not_running};
use crate::engine::{Call, Status};
use crate::error::{Error, Kind, Result};

impl Call<'_> {
    pub fn pause(&self, id: &str) -> Result<()> {
        let (entry, record) = self.take(id)?;
        match Status::of(&entry, &record) {
            Status::Running | Status::Created => {
                let driver = Driver::open(record.cgroup.as_ref())?;
                entry.remove_brief()?;
                self.patiently(record.cgroup.as_ref(), |rest| driver.freeze(rest))
            }
            Status::Paused => Err(Error::new("container not running")
                .kind(Kind::AlreadySo)
                .value(id)
                .remedy("it is paused already")),
            _ => Err(not_running(id)),
        }
    }

    pub fn resume(&self, id: &str) -> Result<()> {
        let (entry, record) = self.take(id)?;
        match Status::of(&entry, &record) {
            Status::Paused => {
                Driver::open(record.cgroup.as_ref())?.thaw()?;
                entry.renew_brief(&record);
                Ok(())
            }
            Status::Running | Status::Created => {
                let error = Error::new("container not paused").kind(Kind::AlreadySo).value(id);
                Err(error.remedy("nothing is to do: its processes run"))
            }
            _ => Err(Error::new("container not paused").kind(Kind::WrongState).value(id).remedy(ENDED)),
        }
    }
}
