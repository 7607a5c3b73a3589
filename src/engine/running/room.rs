//! An administrator gets into a container that has used up its tasks: its limit is raised by what a birth needs, under the
//! lock and noted in the record, and put back when its program runs. What it starts then counts like everything else.
//!
//! The process is never born outside and moved in late: it would be seen by the container without its device rules.

use crate::cgroup::Driver;
use crate::engine::{Call, reach};
use crate::error::{Error, Result};

/// The process that joins, and the one that it spawns inside.
const BIRTH: u64 = 2;

impl Call<'_> {
    /// Does it once more with room, where the container's own limit on tasks is what `refused` the birth.
    pub(in crate::engine) fn with_room<T>(
        &self,
        id: &str,
        refused: Error,
        birth: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if refused.detail().errno != Some(libc::EAGAIN) {
            return Err(refused);
        }
        let (entry, mut record) = self.take(id)?;
        let driver = Driver::open(record.cgroup.as_ref())?;
        let Some((now, limit)) = driver.tasks() else { return Err(refused) };
        if now + BIRTH <= limit {
            // Another limit, of a group above it or of a user.
            return Err(refused);
        }
        record.tasks = Some(limit);
        entry.write(&record)?;
        let born = driver.limit_tasks(now + BIRTH).and_then(|()| birth());
        match reach::put_back(&entry, &mut record) {
            Ok(()) => born,
            Err(error) => Err(born.err().unwrap_or(error)),
        }
    }
}
