//! Carries plans out: the only code that changes the host.
//!
//! Each command of the command line is one call here, and a shim or a test makes the same calls: nothing is
//! printed, the process does not exit, no process-wide state is changed, and every failure is an `Error`.

pub mod delete;
mod group;
pub mod inspect;
pub mod kill;
pub mod options;
pub mod pause;

pub use inspect::{ContainerState, Status};
pub use options::*;

use crate::error::{Error, Kind, Result};
use crate::state::Store;

/// The engine over one state directory.
pub struct Engine {
    pub store: Store,
    /// systemd makes the cgroups.
    pub systemd_cgroup: bool,
    pub rootless: Rootless,
    /// Where warnings go.
    pub warn: Box<dyn Fn(&str)>,
}

/// The lead's: these four move to create.rs, start.rs, run.rs and exec.rs.
impl Engine {
    pub fn create(&self, options: &CreateOptions) -> Result<()> {
        Err(unbuilt(&options.id))
    }

    pub fn start(&self, id: &str) -> Result<()> {
        Err(unbuilt(id))
    }

    /// The exit code of the process; 0 when detached.
    pub fn run(&self, options: &CreateOptions, _run: &RunOptions) -> Result<i32> {
        Err(unbuilt(&options.id))
    }

    /// The exit code of the process; 0 when detached.
    pub fn exec(&self, id: &str, _options: &ExecOptions) -> Result<i32> {
        Err(unbuilt(id))
    }
}

fn unbuilt(id: &str) -> Error {
    Error::new("this build cannot make processes").kind(Kind::Unsupported).value(id)
}
