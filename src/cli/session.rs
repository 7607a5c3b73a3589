//! What the global options mean: where state is, where the log goes, how cgroups are made.

use super::face::Face;
use super::phrases;
use super::tracing::Trace;
use crate::engine::{
    Buses, CgroupManager, Engine, Event, Hold, Observer, OpenFiles, Rootless, Started, Stop, Watch, keep_room,
};
use crate::error::{Error, Result};
use crate::names::signal_name;
use crate::plan::{deeds::Deed, words};
use crate::report::Log;
use crate::shim::detached::About;
use crate::state::root::default_root;
use crate::state::{NoRoot, Store};
use crate::sys::{identity, signalfd::Signals};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;

/// One call of the program.
#[derive(Clone)]
pub struct Session {
    pub face: &'static Face,
    /// `--root`, absolute; absent: the default.
    pub root: Option<PathBuf>,
    pub cgroup_manager: CgroupManager,
    pub rootless: Rootless,
    pub allowed_annotations: Vec<String>,
    pub log: Arc<Log>,
    /// This process is the shim of a detached container.
    pub shim: Option<About>,
    /// What `--trace` names.
    pub trace_file: Option<PathBuf>,
    /// Of this command, where one is wanted.
    pub trace: Option<Arc<Trace>>,
}

/// An engine whose waits a signal ends.
pub struct Attended {
    pub engine: Engine,
    pub signals: Arc<Signals>,
}

/// What asks a command to end.
const ENDING: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];

impl Stop for Signals {
    fn fd(&self) -> BorrowedFd<'_> {
        Signals::fd(self)
    }

    /// Signals that ask for no end are kept for the program.
    fn reason(&self) -> Option<String> {
        while let Some(signal) = self.take() {
            if ENDING.contains(&signal) {
                return Some(signal_name(signal).unwrap_or_else(|| "a signal".to_owned()));
            }
            self.keep(signal);
        }
        None
    }
}

impl Session {
    /// For a command that makes containers: the root is made if it is missing.
    pub fn engine_for_new(&self) -> Result<Attended> {
        identity::keep_owners_rights();
        self.attended(NoRoot::Make)
    }

    /// For a command that starts a process in a container, and waits for it.
    pub fn engine_for_process(&self) -> Result<Attended> {
        self.attended(NoRoot::Empty)
    }

    /// For a command that changes containers: a signal ends its waits, and what it has begun.
    pub fn engine_for_change(&self, missing: NoRoot) -> Result<Engine> {
        self.attended(missing).map(|attended| attended.engine)
    }

    /// For a command that looks at containers.
    pub fn engine_for_look(&self, missing: NoRoot) -> Result<Engine> {
        self.engine(missing, None)
    }

    /// For a shim: a signal ends it, and what ends its calls is its own.
    pub fn engine_for_shim(&self, stop: Option<Arc<dyn Stop>>) -> Result<Engine> {
        identity::keep_owners_rights();
        self.engine(NoRoot::Make, stop)
    }

    /// For a command on all containers a root that was named and is missing is a mistake.
    pub fn of_all(&self) -> NoRoot {
        if self.root.is_some() { NoRoot::Refuse } else { NoRoot::Empty }
    }

    /// The state directory, named or not.
    pub fn root_path(&self) -> PathBuf {
        self.root.clone().unwrap_or_else(|| default_root("rruntime"))
    }

    /// Signals are held back from the moment on at which a process may exist to receive them.
    fn attended(&self, missing: NoRoot) -> Result<Attended> {
        let signals = Arc::new(Signals::hold().map_err(|e| e.because("signalfd"))?);
        Ok(Attended { engine: self.engine(missing, Some(signals.clone()))?, signals })
    }

    /// Waits until the program of the container `id` says that it is ready, where a service manager waits for that. It runs
    /// already, whatever becomes of the news.
    pub fn await_ready(&self, engine: &Engine, id: &str, started: Started) {
        let Started { pidfd, readiness: Some(proxy), .. } = started else { return };
        if let Err(error) = proxy.wait(pidfd.as_fd(), &engine.watch.waits()) {
            self.log.warn(&error.doing(format!("container {id}")));
        }
    }

    /// Waits while the container's program runs.
    pub fn program<T>(&self, work: impl FnOnce() -> T) -> T {
        let Some(trace) = &self.trace else { return work() };
        let (done, written) = trace.program(work);
        written.unwrap_or_else(|error| self.log.warn(&error));
        done
    }

    fn observer(&self) -> Observer {
        let (log, face) = (Arc::clone(&self.log), self.face);
        let trace = self.trace.clone();
        Arc::new(move |event| {
            if let Some(trace) = &trace {
                trace.hear(event);
            }
            say(&log, face, event);
        })
    }

    fn engine(&self, missing: NoRoot, stop: Option<Arc<dyn Stop>>) -> Result<Engine> {
        keep_room()?;
        let store = Store::open(&self.root_path(), missing)?;
        let watch = Watch::new(stop, self.observer());
        // In the place of runc or crun on a host where its containers still run.
        let in_place = self.root.is_none() && !self.face.is_own();
        let store = if in_place { store.beside(&default_root(self.face.name)) } else { store };
        Ok(Engine {
            store: Arc::new(store),
            cgroup_manager: self.cgroup_manager,
            buses: Buses::of_environment(),
            rootless: self.rootless,
            allowed_annotations: self.allowed_annotations.clone(),
            open_files: OpenFiles::Raise,
            watch: if self.trace.is_some() { watch.with_times() } else { watch },
        })
    }
}

/// Words for what the engine reports.
fn say(log: &Log, face: &Face, event: &Event) {
    match event {
        Event::Warning(error) => match phrases::of(face, error) {
            Some(phrase) => log.warn(&(*error).clone().doing(phrase)),
            None => log.warn(error),
        },
        Event::Held { pid, hold } => {
            log.warn(&Error::new(format!("still waiting for process {pid}: it {}", held(hold, *pid))));
        }
        Event::Planned(_) if !log.wants_debug() => {}
        Event::Done { .. } | Event::StepDone { .. } | Event::Span { .. } | Event::Born { .. } => {}
        Event::Terminal(_) | Event::Releasing { .. } => {}
        Event::Planned(planned) => {
            let from =
                |field: Option<String>| field.map(|pointer| format!(" for {pointer}")).unwrap_or_default();
            let of = |values: String| if values.is_empty() { values } else { format!(": {values}") };
            let (name, mut opens) = (planned.name, None);
            log.debug(&format!("{name}: the deeds of the host's side"));
            for (number, (deed, field)) in planned.deeds().enumerate() {
                if let Deed::Open(all) = deed {
                    opens = Some(all);
                }
                let (words, values) = (deed.words(), of(deed.values()));
                log.debug(&format!("deed {number}{}: {words}{values}", from(field)));
            }
            for (number, (step, field)) in planned.steps().enumerate() {
                if number == 0 {
                    log.debug(&format!("{name}: the steps of init"));
                }
                let (words, values) = (words::step(&step), of(words::values(&step, opens)));
                log.debug(&format!("step {number}{}: {words}{values}", from(field)));
            }
        }
    }
}

/// What a process does that keeps it from going on, and what the reader can do about it.
fn held(hold: &Hold, pid: i32) -> String {
    let end = "SIGTERM ends this command";
    match hold {
        Hold::Stopped => format!("was stopped by a signal (kill -CONT {pid} resumes it; {end})"),
        Hold::Traced { tracer, name } => format!("is held by its tracer, process {tracer} ({name}) ({end})"),
        Hold::Frozen => {
            format!("is in a frozen cgroup, of the container or above it (thaw that group; {end})")
        }
        Hold::Fuse => format!("waits for a file system in user space that does not answer ({end})"),
        Hold::Asleep => {
            format!("sleeps in the kernel, often for a file system that does not answer ({end})")
        }
    }
}
