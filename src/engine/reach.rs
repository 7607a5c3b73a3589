//! How a command gets at a container: to look at it, to act on it, or alone, to change it.

use crate::cgroup::Driver;
use crate::engine::{Call, Engine};
use crate::error::Result;
use crate::state::{Entry, Record};

impl Engine {
    /// The directory and the record of a container, to look at without a lock.
    pub(in crate::engine) fn look(&self, id: &str) -> Result<(Entry, Record)> {
        let entry = self.store.peek(id)?;
        let record = entry.read_record().map_err(|e| e.value(id))?;
        Ok((entry, record))
    }

    /// The same to act on the container without a change to its record.
    pub(in crate::engine) fn reach(&self, id: &str) -> Result<(Entry, Record)> {
        recorded(id, self.store.peek(id)?)
    }
}

impl Call<'_> {
    /// The container's directory, for this command alone.
    pub(in crate::engine) fn lock(&self, id: &str) -> Result<Entry> {
        self.patiently(None, |rest| self.store.lock(id, rest))
    }

    /// The container, to change something: no other command can, until the entry is dropped.
    pub(in crate::engine) fn take(&self, id: &str) -> Result<(Entry, Record)> {
        let (entry, mut record) = recorded(id, self.lock(id)?)?;
        if record.tasks.is_some() {
            // An exec that was killed has left it raised.
            put_back(&entry, &mut record)?;
        }
        Ok((entry, record))
    }
}

/// Its record, to be acted on: that of another user is refused.
fn recorded(id: &str, entry: Entry) -> Result<(Entry, Record)> {
    let record = entry.record().map_err(|e| e.value(id))?;
    Ok((entry, record))
}

/// The limit on tasks that an exec has raised is what it was.
pub(in crate::engine) fn put_back(entry: &Entry, record: &mut Record) -> Result<()> {
    if let Some(limit) = record.tasks {
        Driver::open(record.cgroup.as_ref())?.limit_tasks(limit)?;
    }
    record.tasks = None;
    entry.write(record)
}
