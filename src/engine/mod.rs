//! Carries plans out: the only code that changes the host.
//!
//! Each command of the command line is one call here, and a shim or a test makes the same calls, from any thread: nothing
//! is printed, the process does not exit, no call waits for a program to end, and every failure is an `Error`. No
//! process-wide state is changed, unless its caller asks for it ([`OpenFiles`]). A call returns when its work is done; where
//! it has to wait, its caller's own loop goes on ([`Meanwhile`]), or it is made from a thread.

mod call;
mod caller;
mod carry;
mod checkpoint;
pub mod child;
mod event;
mod hold;
mod life;
pub mod options;
mod reach;
pub mod running;
mod started;
mod status;
mod step_times;
mod watch;

pub use caller::console::copy_size;
pub use caller::notify::Proxy;
pub use child::open_files::{keep_all_room, keep_room};
pub use child::pipes::release;
pub use event::{End, Event, Observer, Planned, Span, warnings_to};
pub use hold::Hold;
pub use life::explain::{Explained, Found, Subject, Whole};
pub use life::inspect::ContainerState;
pub use life::run::Running;
pub use options::*;
pub use running::denied;
pub use started::Started;
pub use status::Status;
pub use watch::{Meanwhile, Stop, Waits, Watch};

use crate::cgroup::{Driver, Location};
use crate::error::{Error, Result};
use crate::state::Store;
use crate::sys::poll::Rest;
use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

pub use crate::spec::template::OCI_VERSION as SPEC_VERSION;

/// The engine over one state directory. Many threads may call one (`call.rs`); a clone with another `watch` is for a caller
/// that hears each container by itself.
#[derive(Clone)]
pub struct Engine {
    pub store: Arc<Store>,
    pub cgroup_manager: CgroupManager,
    /// Where systemd is asked for cgroups.
    pub buses: Buses,
    pub rootless: Rootless,
    /// Annotations that may reach the host, besides those of the administrator's list.
    pub allowed_annotations: Vec<String>,
    pub open_files: OpenFiles,
    /// Who hears of its work, and what ends its waits for what a container can hold up.
    pub watch: Watch,
}

impl Engine {
    /// Over this state directory, with nothing else chosen: fields are set for what is.
    pub fn over(store: Store, watch: Watch) -> Engine {
        Engine {
            store: Arc::new(store),
            cgroup_manager: CgroupManager::default(),
            buses: Buses::of_environment(),
            rootless: Rootless::Auto,
            allowed_annotations: Vec::new(),
            open_files: OpenFiles::Keep,
            watch,
        }
    }

    fn tell(&self, event: &Event) {
        (self.watch.observer)(event);
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

    fn warn(&self, warning: Error) {
        self.tell(&Event::Warning(&warning));
    }

    /// A list of thousands is one mistake, and no log is made for it.
    fn warn_of(&self, warnings: &[Error]) {
        let told = warnings.len().min(100);
        warnings[..told].iter().for_each(|warning| self.tell(&Event::Warning(warning)));
        if told < warnings.len() {
            self.warn(Error::new(format!("{} more warnings are not shown", warnings.len() - told)));
        }
    }

    fn call(&self) -> Call<'_> {
        Call { engine: self, waits: Rc::new(self.watch.waits()) }
    }
}

/// An engine at the work of one call.
struct Call<'e> {
    engine: &'e Engine,
    waits: Rc<Waits>,
}

impl Deref for Call<'_> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.engine
    }
}

impl Call<'_> {
    /// Does work that waits for a group, or for another command: what asks for an end ends it, and after a while the
    /// observer hears who holds the group.
    fn patiently<T>(&self, location: Option<&Location>, work: impl FnOnce(Rest) -> Result<T>) -> Result<T> {
        let look = Cell::new(Some(Instant::now() + watch::LOOK));
        self.waits.resting(|rest| {
            work(&|fd, time| {
                if look.get().is_some_and(|look| look <= Instant::now()) {
                    look.set(None);
                    self.tell_holds(location);
                }
                rest(fd, time)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_engine_may_be_called_by_any_thread() {
        fn needs<T: Send + Sync>() {}
        needs::<super::Engine>();
    }
}
