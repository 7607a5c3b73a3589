//! What the global options mean: where state is, where the log goes, how cgroups are made.

use super::face::Face;
use crate::engine::{CgroupManager, Engine, Hear, Rootless, Watch};
use crate::error::Result;
use crate::report::Log;
use crate::state::root::default_root;
use crate::state::{Missing, Store};
use crate::sys::signalfd::Signals;
use std::path::PathBuf;
use std::rc::Rc;

/// One call of the program.
pub struct Session {
    pub face: &'static Face,
    /// What this program is called in messages.
    pub name: &'static str,
    /// `--root`, absolute; absent: the default.
    pub root: Option<PathBuf>,
    pub cgroup_manager: CgroupManager,
    pub rootless: Rootless,
    pub allowed_annotations: Vec<String>,
    pub log: Rc<Log>,
}

impl Session {
    /// For a command that makes containers: the root is made if it is missing.
    pub fn engine_for_new(&self) -> Result<Engine> {
        self.engine(Missing::Make, self.watch()?)
    }

    /// For a command that starts a process in a container, and waits for it.
    pub fn engine_for_process(&self) -> Result<Engine> {
        self.engine(Missing::Empty, self.watch()?)
    }

    /// For a command on one container: in a root that is missing there is none.
    pub fn engine_for_one(&self) -> Result<Engine> {
        self.engine(Missing::Empty, Watch::none())
    }

    /// For a command on all containers: a root that was named and is missing is a mistake.
    pub fn engine_for_all(&self) -> Result<Engine> {
        self.engine(if self.root.is_some() { Missing::Refuse } else { Missing::Empty }, Watch::none())
    }

    /// The state directory, named or not.
    pub fn root_path(&self) -> PathBuf {
        self.root.clone().unwrap_or_else(default_root)
    }

    /// Signals are held back from the moment on at which a process may exist to receive them.
    fn watch(&self) -> Result<Watch> {
        let log = Rc::clone(&self.log);
        let signals = Signals::hold().map_err(|e| e.because("signalfd"))?;
        Ok(Watch::new(Some(signals), Box::new(move |message| log.warn(message))))
    }

    fn engine(&self, missing: Missing, watch: Watch) -> Result<Engine> {
        let root = self.root_path();
        let log = Rc::clone(&self.log);
        let debug = Rc::clone(&self.log);
        let trace: Option<Hear> =
            self.log.wants_debug().then(|| Box::new(move |message: &str| debug.debug(message)) as _);
        Ok(Engine {
            store: Store::open(&root, missing)?,
            cgroup_manager: self.cgroup_manager,
            rootless: self.rootless,
            allowed_annotations: self.allowed_annotations.clone(),
            warn: Box::new(move |message| log.warn(message)),
            watch: Rc::new(watch),
            trace,
        })
    }
}
