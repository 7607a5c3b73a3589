//! The calls that change something, or wait. Each has waits of its own.

use crate::engine::running::events::{ContainerEvent, Stream};
use crate::engine::{
    AfterExit, CheckpointOptions, CreateOptions, DeviceOptions, Engine, ExecOptions, Force, Recipients,
    RestoreOptions, Running, Started, UpdateOptions,
};
use crate::error::Result;
use crate::sys::launch::Child;
use std::ops::ControlFlow;
use std::path::Path;

impl Engine {
    /// Makes a container whose process waits for [`Engine::start`].
    pub fn create(&self, options: &CreateOptions) -> Result<Started> {
        self.call().create(options)
    }

    /// Returns when the program runs. `notify`: where a service manager waits to hear that it is ready.
    pub fn start(&self, id: &str, notify: Option<&Path>) -> Result<Started> {
        self.call().start(id, notify)
    }

    /// Both. Returns when the program runs. One that could not be started is deleted, if that is what `after` says.
    pub fn run(&self, options: &CreateOptions, after: AfterExit) -> Result<Running> {
        self.call().run(options, after)
    }

    /// Writes the container's processes to files, by CRIU.
    pub fn checkpoint(&self, id: &str, options: &CheckpointOptions) -> Result<()> {
        self.call().checkpoint(id, options)
    }

    /// Makes a container whose processes come from such files. Returns when they run.
    pub fn restore(&self, options: &RestoreOptions) -> Result<Running> {
        self.call().restore(options)
    }

    /// Deletes a container whose process has ended, unless another command has done so.
    pub fn finish(&self, running: Running) -> Result<()> {
        self.call().finish(running)
    }

    /// Starts another process in the container. Returns when its program runs.
    pub fn exec(&self, id: &str, options: &ExecOptions) -> Result<Started> {
        self.call().exec(id, options)
    }

    /// Kills what was started, and fetches its exit code if that comes in time.
    pub fn end(&self, Started { pid, pidfd, .. }: Started) {
        self.call().waits.end(&Child { pid, pidfd });
    }

    pub fn kill(&self, id: &str, signal: i32, recipients: Recipients) -> Result<()> {
        self.call().kill(id, signal, recipients)
    }

    pub fn delete(&self, id: &str, force: Force) -> Result<()> {
        self.call().delete(id, force)
    }

    /// Changes limits of a container that is created, running or paused.
    ///
    /// Errors name the option, or the pointer into the given file. Of a wrong value nothing is changed; of one that
    /// the kernel refuses, everything is set back.
    pub fn update(&self, id: &str, options: &UpdateOptions) -> Result<()> {
        self.call().update(id, options)
    }

    /// Returns when every process of the container is frozen.
    pub fn pause(&self, id: &str) -> Result<()> {
        self.call().pause(id)
    }

    /// Returns when no process of the container is frozen.
    pub fn resume(&self, id: &str) -> Result<()> {
        self.call().resume(id)
    }

    /// All mounts of the file, or none: what was mounted before one fails is taken away again.
    pub fn add_mounts(&self, id: &str, file: &Path) -> Result<()> {
        self.call().add_mounts(id, file)
    }

    /// The mounts that were added at the destinations of the file's entries, if all of them are there.
    pub fn remove_mounts(&self, id: &str, file: &Path) -> Result<()> {
        self.call().remove_mounts(id, file)
    }

    /// A node of this device in the container, and the rule that opens it; or neither.
    pub fn add_device(&self, id: &str, options: &DeviceOptions) -> Result<()> {
        self.call().add_device(id, options)
    }

    /// Takes away what [`Engine::add_device`] has added with its node at this path.
    pub fn remove_device(&self, id: &str, inside: &str) -> Result<()> {
        self.call().remove_device(id, inside)
    }

    /// Reports on the container until it ends, the reader is gone, or `tell` has heard enough.
    ///
    /// Errors: as [`Engine::stats`]; those of `tell`. Statistics that cannot be read are a warning.
    pub fn events(
        &self,
        id: &str,
        stream: Stream,
        tell: &mut dyn FnMut(ContainerEvent) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.call().events(id, stream, tell)
    }
}
