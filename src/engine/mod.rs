//! Carries plans out: the only code that changes the host.
//!
//! Each command of the command line is one call here, and a shim or a test makes the same calls, from any thread: nothing
//! is printed, the process does not exit, no call waits for a program to end, and every failure is an `Error`. No
//! process-wide state is changed, unless its caller asks for it ([`OpenFiles`]).

mod caller;
pub mod child;
mod event;
mod hold;
mod life;
pub mod options;
pub mod running;
mod started;
mod watch;

pub use caller::console::copy_size;
pub use caller::notify::Proxy;
pub use child::open_files::keep_room;
pub use event::{Event, Listener, Planned};
pub use hold::Hold;
pub use life::inspect::{ContainerState, Status};
pub use life::run::Running;
pub use options::*;
pub use started::Started;
pub use watch::{Stop, Watch};

use crate::cgroup::{Driver, Location};
use crate::error::{Error, Result};
use crate::plan::deeds::Deed;
use crate::spec::Spec;
use crate::state::{Entry, Record, Store};
use crate::sys::Errno;
use crate::sys::poll::Pause;
use serde::Serialize;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub use crate::spec::template::OCI_VERSION as SPEC_VERSION;

/// The engine over one state directory. Many threads may call one; a clone with another `watch` is for a caller that hears
/// each container by itself.
#[derive(Clone)]
pub struct Engine {
    pub store: Arc<Store>,
    pub cgroup_manager: CgroupManager,
    pub rootless: Rootless,
    /// Annotations that may reach the host, besides those of the administrator's list.
    pub allowed_annotations: Vec<String>,
    pub open_files: OpenFiles,
    /// Who hears of its work, and what ends its waits for what a container can hold up.
    pub watch: Arc<Watch>,
}

impl Engine {
    fn tell(&self, event: &Event) {
        (self.watch.listener)(event);
    }

    /// Who keeps a group from being frozen, or from being removed.
    fn tell_holds(&self, location: Option<&Location>) {
        // The error that led here says what cannot be read.
        let Ok(driver) = Driver::open(location) else { return };
        let pids = driver.cgroup().and_then(|cgroup| cgroup.pids().ok()).unwrap_or_default();
        for (pid, hold) in pids.into_iter().filter_map(|pid| Some((pid, hold::hold(pid)?))) {
            self.tell(&Event::Held { pid, hold });
        }
    }

    /// Tells what is about to be done by deeds alone.
    fn tell_planned(&self, deeds: &[Deed], spec: &Spec) {
        self.tell(&Event::Planned(Planned { deeds, script: None, spec }));
    }

    /// Does work that waits for a group, or for another command: what asks for an end ends it, and after a while the
    /// listener hears who holds the group.
    fn patiently<T>(&self, location: Option<&Location>, work: impl FnOnce(Pause) -> Result<T>) -> Result<T> {
        let (stopped, look) = (Cell::new(None), Cell::new(Some(Instant::now() + watch::LOOK)));
        let done = work(&|fd, time| {
            if look.get().is_some_and(|look| look <= Instant::now()) {
                look.set(None);
                self.tell_holds(location);
            }
            self.watch.pause(fd, time).map_err(|error| {
                stopped.set(Some(error));
                Errno(libc::EINTR)
            })
        });
        stopped.take().map_or(done, Err)
    }

    /// The container's directory, for this command alone.
    fn lock(&self, id: &str) -> Result<Entry> {
        self.patiently(None, |pause| self.store.lock(id, pause))
    }

    fn warn(&self, warning: Error) {
        self.tell(&Event::Warning(&warning));
    }

    fn warn_of(&self, warnings: &[String]) {
        warnings.iter().for_each(|warning| self.warn(Error::new(warning.clone())));
    }

    /// The directory and the record of a container, to look at without a lock.
    fn look(&self, id: &str) -> Result<(Entry, Record)> {
        let entry = self.store.peek(id)?;
        let record = entry.read_record().map_err(|e| e.value(id))?;
        Ok((entry, record))
    }

    /// The same to act on the container without a change to its record.
    fn reach(&self, id: &str) -> Result<(Entry, Record)> {
        recorded(id, self.store.peek(id)?)
    }

    /// The same to change something: no other command can, until the entry is dropped.
    fn hold(&self, id: &str) -> Result<(Entry, Record)> {
        let (entry, mut record) = recorded(id, self.lock(id)?)?;
        if record.tasks.is_some() {
            // An exec that was killed has left it raised.
            running::room::put_back(&entry, &mut record)?;
        }
        Ok((entry, record))
    }
}

/// Its record, to be acted on: that of another user is refused.
fn recorded(id: &str, entry: Entry) -> Result<(Entry, Record)> {
    let record = entry.record().map_err(|e| e.value(id))?;
    Ok((entry, record))
}

/// The state that hooks and seccomp agents read (runtime.md, State).
fn state_json(record: &Record, status: Status) -> String {
    #[derive(Serialize)]
    struct State<'a> {
        #[serde(rename = "ociVersion")]
        oci_version: &'a str,
        id: &'a str,
        status: Status,
        #[serde(skip_serializing_if = "Option::is_none")]
        pid: Option<i32>,
        bundle: &'a Path,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        annotations: &'a BTreeMap<String, String>,
    }
    let state = State {
        oci_version: SPEC_VERSION,
        id: &record.id,
        status,
        pid: record.pid().filter(|_| status != Status::Stopped),
        bundle: &record.bundle,
        annotations: &record.annotations,
    };
    serde_json::to_string(&state).expect("a state has only string keys")
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_engine_may_be_called_by_any_thread() {
        fn needs<T: Send + Sync>() {}
        needs::<super::Engine>();
    }
}
