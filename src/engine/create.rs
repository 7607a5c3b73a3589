//! `create`, and the first half of `run`: from a bundle to a process that waits for start.
//!
//! ```text
//!  read, check, prepare, plan        nothing on the host has changed
//!  state directory with the intent   from here on `delete --force` finds everything
//!  cgroup, descriptors, init         ┐ the parent sets limits while the child
//!  limits ┆ the child's steps        ┘ builds its tree
//!  Ready: record with the pid, pid file
//! ```
//!
//! Whatever fails after the intent undoes everything, in the reverse order, by the same code as `delete`.

use super::bundle::Bundle;
use super::console::{self, Console};
use super::hooks::{Inside, Occasion};
use super::init::{self, Event, Init};
use super::netdevices::{self, Moved};
use super::open::{self, Given};
use super::pidfd::{self, Receiver, Whose};
use super::prepare::{self, Prepared};
use super::{CreateOptions, Engine, Keyring, RootChange};
use super::{diagnose, idmaps, limits, listener, notify, preserve};
use crate::cgroup::{Cgroup, Limits};
use crate::error::{Context, Error, Kind, Result};
use crate::host::cgroups::Layout;
use crate::plan::{self, Plan, sync};
use crate::resctrl;
use crate::spec::{self, Spec};
use crate::state::{Entry, Phase, Process, Record, time};
use crate::sys::wait::{self, Ended};
use crate::sys::{file, socket};
use crate::wire::Kind as Word;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

pub use crate::state::START_SOCKET;

/// Who says start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    /// Another command, later, through the socket in the state directory.
    Command,
    /// This process.
    Us,
}

/// A container whose process waits for start.
pub struct Made {
    pub entry: Entry,
    pub record: Record,
    pub init: Init,
    /// The master of its terminal, where nobody else has got it.
    pub master: Option<OwnedFd>,
    /// Steps and fields, for what may still fail after start.
    pub script: plan::Script,
    pub prepared: Prepared,
    pub cgroup: Option<Cgroup>,
}

impl Engine {
    pub fn create(&self, options: &CreateOptions) -> Result<()> {
        let bundle = Bundle::read(options)?;
        let spec = self.spec(&bundle, options)?;
        let made = self.make(options, &bundle, &spec, Starter::Command)?;
        made.init.say(Word::Detach)
    }

    /// The config with what the caller adds to it.
    pub(super) fn spec<'b>(&self, bundle: &'b Bundle, options: &CreateOptions) -> Result<Spec<'b>> {
        let mut spec = bundle.spec()?;
        let receiver = options.seccomp_receiver.as_ref().map(|path| path.to_string_lossy());
        listener::choose(&mut spec, receiver.as_deref());
        if let Some(process) = &mut spec.process {
            preserve::announce(&options.listening, process);
        }
        if notify::wanted(options.notify_socket.as_deref(), &spec) {
            notify::add(&mut spec, &self.store, &options.id);
        }
        Ok(spec)
    }

    /// Makes the container up to the point where its process waits for start.
    pub(super) fn make(
        &self,
        options: &CreateOptions,
        bundle: &Bundle,
        spec: &Spec,
        starter: Starter,
    ) -> Result<Made> {
        crate::state::id::check(&options.id)?;
        let preserve_fds = preserve::check(&options.listening, options.preserve_fds)?;
        let facts = crate::host::probe()?;
        let plan_options = plan::Options {
            id: options.id.clone(),
            no_pivot: options.root_change == RootChange::MoveMount,
            no_new_keyring: options.keyring == Keyring::Inherit,
            preserve_fds,
            listening: options.listening.count > 0,
            detached_start: starter == Starter::Command,
        };
        self.check(spec, &facts, plan_options.no_pivot)?;
        let rdt = spec.linux.as_ref().and_then(|linux| linux.intel_rdt.as_ref());
        let rdt = rdt.map(|rdt| resctrl::Request::find(&options.id, rdt)).transpose()?;
        let mut prepared = self.prepare_with(facts, spec, &options.id)?;
        self.check_without_cgroup(spec, &prepared)?;
        let plan = prepare::plan(&prepared, spec, &bundle.path, &plan_options)?;
        for warning in prepared.warnings.drain(..).chain(plan.warnings.iter().cloned()) {
            (self.warn)(&warning);
        }
        if let Some(trace) = &self.trace {
            for (number, (step, field)) in plan.script.steps().enumerate() {
                let from = field.pointer(spec).map(|pointer| format!(" for {pointer}")).unwrap_or_default();
                trace(&format!("step {number}{from}: {step:?}"));
            }
        }
        let receivers = pidfd::receivers(options.pidfd_socket.as_deref(), &spec.annotations, Whose::First)?;
        let entry = self.store.create(&options.id)?;
        let mut record = intent(&plan_options, options, bundle, spec, &prepared, &plan);
        record.resctrl = rdt.as_ref().map(|rdt| rdt.place.clone());
        record.notify = notify::is_bound(spec, &self.store, &options.id);
        let free = prepared.host.cgroup.as_ref().map_or(Ok(()), Cgroup::refuse_occupied);
        if let Err(error) = free.and_then(|()| entry.write_intent(&record)) {
            // Nothing but the directory exists, and it holds nothing that is worth an error of its own.
            let _ = entry.remove();
            return Err(error);
        }
        let mut making = Making {
            engine: self,
            options,
            bundle,
            spec,
            prepared,
            record,
            receivers,
            init: None,
            cgroup: None,
            rdt,
            moved: None,
        };
        match making.build(plan, &plan_options, &entry, starter) {
            Ok((script, master)) => {
                let Making { prepared, record, init, cgroup, .. } = making;
                let init = init.expect("a container that was built has its init");
                Ok(Made { entry, record, init, master, script, prepared, cgroup })
            }
            Err(error) => {
                making.undo(entry);
                Err(error.doing("unable to start container process"))
            }
        }
    }
}

/// What there is to clean up if this command dies at the next instant.
fn intent(
    planned: &plan::Options,
    options: &CreateOptions,
    bundle: &Bundle,
    spec: &Spec,
    prepared: &Prepared,
    plan: &Plan,
) -> Record {
    let root = spec.root.as_ref().map_or("", |root| &*root.path);
    Record {
        version: crate::state::record::VERSION,
        id: options.id.clone(),
        oci_version: spec.oci_version.to_string(),
        rootfs: bundle.path.join(root),
        bundle: bundle.path.clone(),
        created: time::rfc3339_nano(SystemTime::now()),
        owner_uid: prepared.facts.euid,
        phase: Phase::Creating,
        pid: None,
        pid_start: None,
        cgroup: prepared.host.cgroup.clone(),
        limits: None,
        resctrl: None,
        annotations: spec::annotations::owned(&spec.annotations),
        namespaces_created: plan.created as u32,
        namespaces_joined: plan.joined as u32,
        no_pivot: planned.no_pivot,
        no_new_keyring: planned.no_new_keyring,
        preserve_fds: planned.preserve_fds,
        listening: planned.listening,
        notify: false,
        seccomp_receiver: options.seccomp_receiver.as_ref().map(|path| path.to_string_lossy().into_owned()),
    }
}

/// A container in the making.
struct Making<'a> {
    engine: &'a Engine,
    options: &'a CreateOptions,
    bundle: &'a Bundle,
    spec: &'a Spec<'a>,
    prepared: Prepared,
    record: Record,
    /// Who wants a descriptor of the process.
    receivers: Vec<Receiver>,
    init: Option<Init>,
    cgroup: Option<Cgroup>,
    rdt: Option<resctrl::Request>,
    /// The host's network devices that are in the container.
    moved: Option<Moved>,
}

impl<'a> Making<'a> {
    fn build(
        &mut self,
        plan: Plan<'a>,
        plan_options: &plan::Options,
        entry: &Entry,
        starter: Starter,
    ) -> Result<(plan::Script, Option<OwnedFd>)> {
        let process = self.process();
        let foreground = starter == Starter::Us;
        let console = console::plan(process, self.options.console_socket.as_deref(), foreground)?;
        let plan = self.make_cgroup(plan, plan_options)?;
        self.make_rdt()?;
        // It also says that the program has not begun: where hooks run after start, they have to find it so.
        let listens = starter == Starter::Command || has_start_hooks(self.spec);
        let start_socket = if listens { Some(listen(entry)?) } else { None };
        if self.record.notify {
            notify::make_directory(entry)?;
        }
        let given = Given {
            listener: start_socket.as_ref().filter(|_| starter == Starter::Command).map(AsFd::as_fd),
            pidfd: None,
            cgroup: self.cgroup.as_ref(),
            unified: None,
        };
        let opened = open::open(&plan.opens, given, self.spec)?;
        let mut limits = Some(std::mem::take(&mut self.prepared.limits));
        let when = moment(&plan, &self.prepared.host.cgroups);
        if when == Moment::BeforeClone {
            self.apply(limits.take())?;
        }
        let control = socket::pair().map_err(|e| e.because("socketpair"))?;
        let start = init::Start {
            script: &plan.script,
            handles: &opened.numbers,
            namespaces: plan.clone_flags,
            cgroup: self.cgroup.as_ref().and_then(Cgroup::birth),
            preserve_fds: self.record.preserve_fds,
            streams: [None, None, None],
        };
        self.init = Some(init::start(control, start)?);
        drop(opened);
        // The child builds its tree meanwhile.
        if when == Moment::AfterClone {
            self.apply(limits.take())?;
        }
        entry.write_config(&self.bundle.bytes)?;
        // What says "created" is written while the child builds its tree, and counts only when it is true: whoever
        // took a container in the making for a running one would `exec` in the host's tree.
        let hooks = self.spec.hooks.is_some();
        if hooks && !plan.staged {
            // Hooks may ask for the state.
            self.note_process(Phase::Creating)?;
            entry.write(&self.record)?;
        } else if !plan.staged {
            self.note_process(Phase::Created)?;
            entry.prepare(&self.record)?;
        }
        let master = self.converse(&plan, &console, limits)?;
        if plan.staged || hooks {
            self.note_process(Phase::Created)?;
            entry.prepare(&self.record)?;
        }
        let process = self.init.as_ref().map(|init| init.process().pidfd.as_fd());
        for (receiver, process) in self.receivers.iter().zip(process.into_iter().cycle()) {
            receiver.send(process)?;
        }
        entry.publish()?;
        if let Some(path) = &self.options.pid_file {
            write_pid_file(path, self.init_mut().process().pid)?;
        }
        Ok((plan.script, master))
    }

    /// Makes the cgroup. A caller who may not, and has asked neither for a place nor for a limit, gets what it
    /// has asked for without one, and nothing has to be said about it.
    fn make_cgroup(&mut self, plan: Plan<'a>, plan_options: &plan::Options) -> Result<Plan<'a>> {
        let Some(location) = &self.prepared.host.cgroup else { return Ok(plan) };
        match Cgroup::create(location, &self.prepared.limits.controllers()) {
            Ok(cgroup) => {
                self.cgroup = Some(cgroup);
                Ok(plan)
            }
            Err(error) if self.may_do_without(&error) => {
                self.prepared.host.cgroup = None;
                self.record.cgroup = None;
                prepare::plan(&self.prepared, self.spec, &self.bundle.path, plan_options)
            }
            Err(error) => {
                // What is there now is not ours, and the clean-up that follows ends nothing there.
                self.record.cgroup = None;
                Err(error)
            }
        }
    }

    fn make_rdt(&mut self) -> Result<()> {
        let made = self.rdt.as_ref().map_or(Ok(()), resctrl::Request::make);
        if made.is_err() {
            // It has left nothing; what bears the same name now is somebody else's.
            self.rdt = None;
            self.record.resctrl = None;
        }
        made
    }

    fn may_do_without(&self, error: &Error) -> bool {
        let path = self.spec.linux.as_ref().and_then(|linux| linux.cgroups_path.as_deref());
        let refused = matches!(error.detail().errno, Some(libc::EACCES | libc::EPERM | libc::EROFS));
        refused
            && self.engine.forgives_cgroups(&self.prepared.facts)
            && self.prepared.limits == Limits::default()
            && path.is_none_or(str::is_empty)
    }

    fn apply(&self, limits: Option<Limits>) -> Result<()> {
        match (&self.cgroup, limits) {
            (Some(cgroup), Some(limits)) => {
                cgroup.apply(&limits).doing(|| "set the limits of the container's cgroup".into())
            }
            _ => Ok(()),
        }
    }

    /// Follows init until it is ready; does the host's part where it waits for that.
    fn converse(
        &mut self,
        plan: &Plan,
        console: &Console,
        mut limits: Option<Limits>,
    ) -> Result<Option<OwnedFd>> {
        let mut kept_master = None;
        loop {
            match self.init_mut().hear()? {
                Event::Reached(point) => {
                    self.reach(point, plan)?;
                    self.init_mut().say(Word::Go)?;
                }
                Event::Spawned => {}
                Event::Console(master) => kept_master = console::take(master, console, self.process())?,
                Event::Listener(fd) => {
                    let pid = self.init_mut().process().pid;
                    listener::send(self.spec, &self.record, "creating", pid, fd.as_fd())?;
                }
                Event::Failed { message, note } => {
                    return Err(diagnose::explain(&plan.script, &message, &note, self.spec)
                        .doing("error during container init"));
                }
                Event::Closed => return Err(self.died()),
                Event::Ready => {
                    self.apply(limits.take())?;
                    return Ok(kept_master);
                }
            }
        }
    }

    fn process(&self) -> &'a spec::Process<'a> {
        self.spec.process.as_ref().expect("validation asks for a process")
    }

    fn init_mut(&mut self) -> &mut Init {
        self.init.as_mut().expect("a conversation has somebody to talk to")
    }

    fn reach(&mut self, point: u32, plan: &Plan) -> Result<()> {
        let pid = self.init_mut().process().pid;
        match point {
            sync::MAP => {
                if let Some((uids, gids)) = &plan.id_maps {
                    idmaps::write(pid, uids, gids, &self.prepared.facts)?;
                }
                if self.prepared.facts.privileged { limits::raise(pid, self.spec) } else { Ok(()) }
            }
            sync::RESCTRL => self.rdt.as_ref().map_or(Ok(()), |rdt| rdt.join(pid)),
            sync::NETWORK => {
                let process = self.init_mut().process().pidfd.try_clone();
                let process = process.map_err(|e| Error::io("dup", &e))?;
                self.moved = Some(netdevices::move_in(self.spec, process.as_fd(), &self.engine.warn)?);
                Ok(())
            }
            sync::HOOKS => self.run_hooks(pid, plan),
            _ => Ok(()),
        }
    }

    fn run_hooks(&mut self, pid: i32, plan: &Plan) -> Result<()> {
        let Some(hooks) = &self.spec.hooks else { return Ok(()) };
        self.record.pid = Some(pid);
        let first = self.init.as_ref().expect("init waits for its hooks").process();
        let occasion = |kind| Occasion::new(kind, &self.record, "creating").before(first.pidfd.as_fd());
        occasion("prestart").run(&hooks.prestart)?;
        occasion("createRuntime").run(&hooks.create_runtime)?;
        let inside = Inside {
            spec: self.spec,
            host: &self.prepared.host,
            id: &self.record.id,
            namespaces: plan.created | plan.joined,
            first: (first.pid, first.pidfd.as_fd()),
            location: self.record.cgroup.as_ref(),
            cgroup: self.cgroup.as_ref(),
            own: None,
        };
        occasion("createContainer").run_inside(&hooks.create_container, &inside)
    }

    /// init has ended without a word.
    fn died(&mut self) -> Error {
        let ended = wait::reap(self.init_mut().process().pidfd.as_fd());
        let how = match ended {
            Ok(Ended::Signaled(libc::SIGKILL)) => {
                return Error::new("the container's init was killed").remedy(
                    "by the kernel for want of memory? then linux.resources.memory.limit is too low",
                );
            }
            Ok(Ended::Signaled(signal)) => format!("the container's init was ended by signal {signal}"),
            Ok(Ended::Exited(code)) => format!("the container's init ended with exit status {code}"),
            Err(_) => "the container's init has ended".to_owned(),
        };
        Error::new(how)
    }

    /// From here on every command finds the process. The lock is ours until it is ready.
    fn note_process(&mut self, phase: Phase) -> Result<()> {
        let pid = self.init_mut().process().pid;
        let process = Process::of(pid).map_err(|e| e.because(format!("read /proc/{pid}/stat")))?;
        self.record.pid = Some(pid);
        self.record.pid_start = Some(process.start);
        self.record.phase = phase;
        Ok(())
    }

    /// Takes everything away again. What fails here is a warning: the error that led here is the one to report.
    fn undo(mut self, entry: Entry) {
        if let Some(moved) = self.moved.take() {
            moved.give_back(&self.engine.warn);
        }
        if let Some(init) = &self.init {
            init.process().end();
        }
        self.record.pid = None;
        drop(self.cgroup.take());
        if let Some(Err(error)) = self.rdt.as_ref().map(resctrl::Request::undo) {
            (self.engine.warn)(&format!("cleaning up after a failure: {error}"));
        }
        if let Err(error) = self.engine.destroy(entry, &self.record) {
            (self.engine.warn)(&format!("cleaning up after a failure: {error}"));
        }
    }
}

/// When limits are set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    BeforeClone,
    AfterClone,
    /// When the container is ready.
    Last,
}

/// On v1, rules for devices are "deny everything" first and exceptions then, and in between nobody could make a node;
/// so they stand before the process exists. On v2 they are set at once, and the child works meanwhile. A first
/// process that spawns the real one must not meet a limit of one task.
fn moment(plan: &Plan, cgroups: &Layout) -> Moment {
    match (plan.staged, cgroups) {
        (true, _) => Moment::Last,
        (false, Layout::Legacy { .. }) => Moment::BeforeClone,
        (false, Layout::Unified { .. }) => Moment::AfterClone,
    }
}

/// The socket on which init waits. Its path is long, and the address of a socket is short.
fn listen(entry: &Entry) -> Result<OwnedFd> {
    let path = start_socket_path(entry);
    socket::listen(Path::new(&path)).map_err(|e| e.because("listen on the start socket"))
}

/// Written beside and renamed: a reader sees the whole number or nothing.
pub fn write_pid_file(path: &Path, pid: i32) -> Result<()> {
    let refused = |e: std::io::Error| {
        let error = Error::io("write the pid file", &e).field("--pid-file").value(path.display());
        error.remedy("its directory must exist and be writable")
    };
    let name = path.file_name().ok_or_else(|| {
        Error::new("the pid file needs a name").kind(Kind::Argument).field("--pid-file").value(path.display())
    })?;
    let temporary = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    // The directory may be anybody's and the umask anything: what somebody has put at this name is not written
    // through, and nobody else may change the number.
    let _ = std::fs::remove_file(&temporary);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o644).open(&temporary).map_err(refused)?;
    file.write_all(pid.to_string().as_bytes()).map_err(refused)?;
    std::fs::rename(&temporary, path).map_err(|e| {
        // Nobody needs it any more.
        let _ = std::fs::remove_file(&temporary);
        refused(e)
    })
}

/// The path by which the start socket is reached.
pub fn start_socket_path(entry: &Entry) -> String {
    format!("/proc/self/fd/{}/{}", entry.dir().as_raw_fd(), START_SOCKET.to_string_lossy())
}

pub fn has_start_hooks(spec: &Spec) -> bool {
    spec.hooks.as_ref().is_some_and(|hooks| !hooks.start_container.is_empty())
}

pub fn remove_start_socket(entry: &Entry) -> Result<()> {
    file::unlinkat(entry.dir(), START_SOCKET, 0).map_err(|e| e.because("remove the start socket"))
}
