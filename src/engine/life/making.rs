//! A container in the making: what happens between the intent record and a process that waits for start.
//!
//! ```text
//!  cgroup, descriptors, init         ┐ the parent sets limits while the child
//!  limits ┆ the child's steps        ┘ builds its tree
//!  Ready: record with the pid, pid file
//! ```
//!
//! It holds what it has made, so that `undo` takes away that and nothing else: what bears the same name and was there
//! before is somebody's.

use crate::cgroup::{Cgroup, Driver, Limits};
use crate::engine::caller::{
    console::{self, Console},
    listener, notify, pid_file,
    pidfd::Receiver,
};
use crate::engine::child::{
    belonging, birth,
    born::{self, Hidden},
    confined, diagnose, idmaps,
    init::Init,
    links::{self, Leads, Named},
    message::Event,
    open::{self, Given},
    rlimits,
};
use crate::engine::life::{
    bundle::Bundle,
    hooks::{Inside, Occasion},
    netdevices::{self, Company, Moved},
    prepare::{self, Prepared},
    start_pipes::{self, Starter},
};
use crate::engine::{CreateOptions, Engine, Status, Wait};
use crate::error::{Context, Error, Result};
use crate::host::cgroups::Layout;
use crate::plan::{self, Field, Plan, Script, StartWord, kept, sync};
use crate::resctrl;
use crate::spec::destination::absolute;
use crate::spec::{self, Spec};
use crate::state::{Entry, Phase, Process, Record};
use crate::sys::wait::{self, Ended};
use crate::wire::Kind as Word;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A container in the making.
pub struct Making<'a> {
    pub engine: &'a Engine,
    pub options: &'a CreateOptions,
    pub bundle: &'a Bundle,
    pub spec: &'a Spec<'a>,
    pub prepared: Prepared,
    pub record: Record,
    /// Who wants a descriptor of the process.
    pub receivers: Vec<Receiver>,
    pub init: Option<Init>,
    pub driver: Driver,
    pub rdt: Option<resctrl::Request>,
    /// The host's network devices that are in the container.
    pub moved: Option<Moved>,
}

impl<'a> Making<'a> {
    /// The script that init works on, and the master of the terminal where nobody else has got it.
    pub fn build(
        &mut self,
        plan: Plan<'a>,
        plan_options: &plan::Options,
        entry: &Entry,
        starter: Starter,
    ) -> Result<(plan::Script, Option<OwnedFd>)> {
        let process = self.process();
        // `run --detach` with a terminal has been refused before.
        let wait = if starter == Starter::Us { Wait::Foreground } else { Wait::Detach };
        let console = console::plan(process, self.options.console_socket.as_deref(), wait)?;
        let plan = self.make_cgroup(plan, plan_options)?;
        self.make_rdt()?;
        let start_pipes = start_pipes::make(entry, plan_options.start)?;
        if plan_options.start != StartWord::Named && start_pipes::shows(starter, self.spec) {
            start_pipes::show(entry)?;
        }
        if self.record.notify {
            notify::make_directory(entry)?;
        }
        let given = Given {
            start: start_pipes.as_ref().map(|pipes| (pipes.word.as_fd(), pipes.answer.as_fd())),
            cgroup: self.driver.cgroup(),
            ..Given::default()
        };
        let opened = open::open(&plan.opens, given, self.spec)?;
        self.record.user_namespaces = belonging::known_before(plan.created, &plan.opens, &opened)?;
        // Nothing that the container's image or volumes hold is opened by a process without its device rules.
        let doing = || "set the limits of the container's cgroup".into();
        self.driver.guard_devices(&self.prepared.limits).doing(doing)?;
        let mut limits = Some(std::mem::take(&mut self.prepared.limits));
        let when = moment(&plan, &self.prepared.host.cgroups);
        if when == Moment::BeforeClone {
            self.apply(limits.take())?;
        }
        let init = birth::start(birth::Start {
            namespaces: plan.clone_flags,
            cgroup: self.driver.cgroup().and_then(Cgroup::birth),
            preserve_fds: self.record.preserve_fds,
            ..birth::Start::of(&plan.script, &opened.numbers, &self.engine.watch)
        })?;
        self.init = Some(init.with(opened.into_sources(), &plan.script));
        drop(start_pipes);
        // The child builds its tree meanwhile.
        if when == Moment::AfterClone {
            self.apply(limits.take())?;
        }
        entry.write_config(&self.bundle.bytes)?;
        if starter == Starter::Command {
            entry.write_script(&kept::encode(&plan.script, self.spec))?;
        }
        // What says "created" is written while the child builds its tree, and counts only when it is true: whoever
        // took a container in the making for a running one would `exec` in the host's tree.
        let hooks = self.spec.hooks.is_some();
        // It is seen when the process waits for its id maps, and belongs into the record.
        let own_user = plan.id_maps.is_some();
        if hooks && !plan.staged {
            // Hooks may ask for the state.
            self.note_process(Phase::Creating)?;
            entry.write(&self.record)?;
        } else if !plan.staged && !own_user {
            self.note_process(Phase::Created)?;
            entry.prepare(&self.record)?;
        }
        let master = self.converse(&plan, &console, limits)?;
        if plan.staged || hooks || own_user {
            self.note_process(Phase::Created)?;
            entry.prepare(&self.record)?;
        }
        let process = self.init.as_ref().map(|init| init.process().pidfd.as_fd());
        for (receiver, process) in self.receivers.iter().zip(process.into_iter().cycle()) {
            receiver.send(process)?;
        }
        entry.publish()?;
        if let Some(init) = &self.init {
            entry.write_brief(&self.record, init.process().pidfd.as_fd());
        }
        if let Some(path) = &self.options.pid_file {
            pid_file::write(path, self.init_mut().process().pid)?;
        }
        Ok((plan.script, master))
    }

    /// Makes the cgroup. A caller who may not, and has asked neither for a place nor for a limit, gets what it
    /// has asked for without one, and nothing has to be said about it.
    fn make_cgroup(&mut self, plan: Plan<'a>, plan_options: &plan::Options) -> Result<Plan<'a>> {
        let Some(location) = &self.prepared.host.cgroup else { return Ok(plan) };
        match Driver::make(location, &self.prepared.limits) {
            Ok(driver) => {
                self.driver = driver;
                self.record.cgroup = self.driver.cgroup().map(Cgroup::location).transpose()?;
                Ok(plan)
            }
            Err(error) if self.may_do_without(&error) => {
                self.engine.store.release(location, &self.record.id);
                self.prepared.host.cgroup = None;
                self.record.cgroup = None;
                prepare::plan(&self.prepared, self.spec, &self.bundle.path, plan_options)
            }
            Err(error) => {
                // What is there now is not ours, and the clean-up that follows ends nothing there.
                self.engine.store.release(location, &self.record.id);
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
        let Some(limits) = limits else { return Ok(()) };
        self.driver.apply(&limits).doing(|| "set the limits of the container's cgroup".into())
    }

    /// Follows init until it is ready; does the host's part where it waits for that.
    fn converse(
        &mut self,
        plan: &Plan,
        console: &Console,
        mut limits: Option<Limits>,
    ) -> Result<Option<OwnedFd>> {
        let (mut kept_master, mut hidden) = (None, None);
        // init asks twice about what it makes: at the place above, and when it is there.
        let mut shown = None;
        loop {
            match self.init_mut().hear()? {
                Event::Reached(point) => {
                    self.reach(point, plan)?;
                    self.init_mut().say(Word::Go)?;
                }
                // `Init::hear` answers the last two.
                Event::Spawned | Event::Mount { .. } | Event::Copied(..) | Event::Blocked(_) => {}
                Event::Link { step, found, root } => {
                    let warning = self.look_behind_link(&plan.script, step, found.as_fd(), root)?;
                    if let Some(warning) = warning.filter(|_| shown.replace(step) != Some(step)) {
                        self.engine.warn(Error::new(warning));
                    }
                    self.init_mut().say(Word::Go)?;
                }
                Event::Console { master, mode } => {
                    let again = master.try_clone().map_err(|e| Error::io("dup", &e))?;
                    hidden = Some(Hidden { master: again, mode });
                    kept_master = console::take(master, console, self.process())?;
                }
                Event::Listener(fd) => {
                    let pid = self.init_mut().process().pid;
                    listener::send(self.spec, &self.record, Status::Creating, pid, fd.as_fd())?;
                }
                Event::Failed { message, note } => {
                    return Err(diagnose::explain(&plan.script, &message, &note, self.spec)
                        .doing("error during container init"));
                }
                Event::Warned { message, note } => {
                    let warning = diagnose::explain(&plan.script, &message, &note, self.spec);
                    self.engine.warn(warning);
                }
                Event::Closed => return Err(self.died()),
                // Fetched by `Init::hear`.
                Event::ListenerAt(_) => {}
                Event::Ready => {
                    if let Some(sets) = &plan.confined {
                        confined::check(self.init_mut().process().pid, sets)?;
                    }
                    if let Some(terminal) = hidden {
                        terminal.show()?;
                    }
                    self.apply(limits.take())?;
                    return Ok(kept_master);
                }
            }
        }
    }

    /// A link may lead a mount to the host only where pods expect that; and nowhere into a proc or a sysfs.
    fn look_behind_link(
        &self,
        script: &Script,
        step: u32,
        found: BorrowedFd,
        root: i32,
    ) -> Result<Option<String>> {
        let (Some(init), Some((_, field))) = (&self.init, script.step(step as usize)) else {
            return Ok(None);
        };
        let Some(pointer) = field.pointer(self.spec) else { return Ok(None) };
        let (words, key) = match field {
            Field::Mount(i) => (self.spec.mounts.get(i).map(|mount| &*mount.destination), "destination"),
            Field::Device(i) => {
                let devices = self.spec.linux.as_ref().map_or(&[][..], |linux| &linux.devices);
                (devices.get(i).map(|device| &*device.path), "path")
            }
            _ => (None, ""),
        };
        let words = absolute(words.unwrap_or("/"));
        let named = Named::of(self.spec, &[], u64::from(self.record.namespaces_joined));
        let link = || links::first_link(init, root, &words).unwrap_or_else(|| words.clone().into_owned());
        match links::judge(init, found, &words, &named)? {
            Leads::Nowhere => Ok(None),
            Leads::Kernel => Err(links::into_kernel(&link()).field(format!("{pointer}/{key}")).value(&words)),
            Leads::Host => Ok(Some(format!(
                "{pointer}/{key} = \"{words}\": the link {} leads it onto a mount that is shared with the host, where it shows",
                link()
            ))),
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
                self.record.user_namespaces.insert(0, belonging::of_new(pid)?);
                if let Some((uids, gids)) = &plan.id_maps {
                    idmaps::write(pid, uids, gids, &self.prepared.facts)?;
                }
                if self.prepared.facts.privileged { rlimits::raise(pid, self.spec) } else { Ok(()) }
            }
            sync::RESCTRL => self.rdt.as_ref().map_or(Ok(()), |rdt| rdt.join(pid)),
            sync::NETWORK => {
                let process = self.init_mut().process().pidfd.try_clone();
                let process = process.map_err(|e| Error::io("dup", &e))?;
                let joined = plan.joined & libc::CLONE_NEWNET as u64 != 0;
                let company = if joined { Company::Shared } else { Company::Alone };
                let moved = netdevices::move_in(self.spec, process.as_fd(), company, &|warning| {
                    self.engine.warn(warning)
                })?;
                self.moved = Some(moved);
                Ok(())
            }
            sync::HOOKS => self.run_hooks(pid, plan),
            sync::CONFINED => plan.confined.as_ref().map_or(Ok(()), |sets| confined::check(pid, sets)),
            sync::PROCESSES => born::limit_processes(pid, self.spec),
            sync::BORN => born::settle(pid, self.spec),
            _ => Ok(()),
        }
    }

    fn run_hooks(&mut self, pid: i32, plan: &Plan) -> Result<()> {
        let Some(hooks) = &self.spec.hooks else { return Ok(()) };
        // One that was spawned is noted here first.
        if self.record.process.is_none_or(|process| process.pid != pid) {
            self.note_process(Phase::Creating)?;
        }
        let first = self.init.as_ref().expect("init waits for its hooks").process();
        let occasion = |kind| {
            Occasion::new(kind, &self.record, Status::Creating, &self.engine.watch)
                .before(first.pidfd.as_fd())
        };
        occasion("prestart").run(&hooks.prestart)?;
        occasion("createRuntime").run(&hooks.create_runtime)?;
        let inside = Inside {
            spec: self.spec,
            host: &self.prepared.host,
            id: &self.record.id,
            // A createContainer hook has all of our rights: it is not born where neighbours could trace it.
            namespaces: plan.created | plan.joined & !(libc::CLONE_NEWPID as u64),
            user_namespaces: &self.record.user_namespaces,
            first: (first.pid, first.pidfd.as_fd()),
            location: self.record.cgroup.as_ref(),
            cgroup: self.driver.cgroup(),
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
        self.record.process = Some(process);
        self.record.phase = phase;
        Ok(())
    }

    /// Takes everything away again. What fails here is a warning: the error that led here is the one to report.
    pub fn undo(mut self, entry: Entry) {
        if let Some(moved) = self.moved.take() {
            moved.give_back(&|warning| self.engine.warn(warning));
        }
        if let Some(init) = &self.init {
            init.end();
        }
        self.record.process = None;
        drop(std::mem::take(&mut self.driver));
        if let Some(Err(error)) = self.rdt.as_ref().map(resctrl::Request::undo) {
            self.engine.warn(error.doing("cleaning up after a failure"));
        }
        if let Err(error) = self.engine.destroy(entry, &self.record) {
            self.engine.warn(error.doing("cleaning up after a failure"));
        }
    }
}

/// When limits are set; device rules always stand before the process exists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    BeforeClone,
    AfterClone,
    /// When the container is ready.
    Last,
}

/// On v1 the process enters its cgroups by itself and finds its limits there; on v2 they are set while the child works. A
/// first process that spawns the real one must not meet a limit of one task.
fn moment(plan: &Plan, cgroups: &Layout) -> Moment {
    match (plan.staged, cgroups) {
        (true, _) => Moment::Last,
        (false, Layout::Legacy { .. }) => Moment::BeforeClone,
        (false, Layout::Unified { .. }) => Moment::AfterClone,
    }
}
