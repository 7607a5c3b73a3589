//! A container in the making: how each deed of its plan is done (`plan/deeds.rs`), and how they are taken back.

use crate::cgroup::{Cgroup, Driver, Limits, Location};
use crate::engine::caller::{
    console::{self, Console},
    listener, notify, pid_file,
    pidfd::Receiver,
};
use crate::engine::child::{
    belonging, birth,
    born::{self, Hidden},
    diagnose, idmaps,
    init::Init,
    links::{self, KnownMounts},
    message::{self, Followed, Heard},
    open::{self, Given, Opened},
    pipes::Theirs,
};
use crate::engine::life::{
    bundle::Bundle,
    delete::{Leavings, there},
    hooks::{Inside, Occasion},
    netdevices::{self, Company, Moved},
    prepare::Prepared,
    start_pipes,
};
use crate::engine::{Call, CreateOptions, Status};
use crate::error::{Error, Result};
use crate::host::small_table;
use crate::plan::deeds::{Deed, HookKind, undo};
use crate::plan::script::Talk;
use crate::plan::{Field, Opens, Plan, kept};
use crate::spec::destination::absolute;
use crate::spec::{Hook, Linux, Process, Spec};
use crate::state::{self, Entry, Phase, Record};
use crate::sys::Errno;
use crate::sys::launch::{Child, Sleeper};
use crate::sys::wait::{self, Ended};
use crate::wire::Word;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

/// A container in the making.
pub struct Making<'a> {
    pub engine: &'a Call<'a>,
    pub options: &'a CreateOptions<'a>,
    pub bundle: &'a Bundle,
    pub spec: &'a Spec<'a>,
    pub plan: &'a Plan<'a>,
    pub prepared: &'a Prepared,
    pub record: Record,
    pub console: Console<'a>,
    /// Where a descriptor of the process goes.
    pub receivers: Vec<Receiver>,
    pub made: Parts,
}

/// What there is of it so far.
#[derive(Default)]
pub struct Parts {
    pub entry: Option<Entry>,
    pub driver: Driver,
    pub init: Option<Init>,
    /// What is in its scope until init is.
    holder: Option<Init>,
    /// The first process of one that is restored; `init` made it as CRIU, and ends.
    pub restored: Option<Child>,
    /// The master of its terminal, unless it was sent to a socket.
    pub master: Option<OwnedFd>,
    /// The terminal that only its maker can open so far.
    hidden: Option<Hidden>,
    start_pipes: Option<Theirs>,
    opened: Option<Opened>,
    /// The host's network devices that are in the container.
    moved_devices: Option<Moved>,
}

impl Parts {
    /// With the cgroup of a container that another making has.
    pub fn beside(driver: Driver) -> Parts {
        Parts { driver, ..Parts::default() }
    }
}

impl Making<'_> {
    pub fn do_one(&mut self, deed: Deed) -> Result<()> {
        match deed {
            Deed::MakeState(id) => {
                let entry = self.engine.patiently(None, |rest| self.engine.store.create(id, rest))?;
                self.made.entry = Some(entry);
                Ok(())
            }
            Deed::ClaimCgroup(location) => self.claim_cgroup(location),
            Deed::WriteIntent => self.entry()?.write_intent(&self.record),
            Deed::MakeCgroup(location, limits) => self.make_cgroup(location, limits),
            Deed::MakeResctrl(demand) => demand.make(),
            Deed::MakeStartPipes(start) => {
                self.made.start_pipes = start_pipes::make(self.entry()?, start)?;
                Ok(())
            }
            Deed::ShowCreated => {
                start_pipes::show(self.entry()?, &self.record, self.made.start_pipes.as_ref())
            }
            Deed::MakeNotifyDirectory => notify::make_directory(self.entry()?),
            Deed::Open(opens) => self.open(opens),
            Deed::GuardDevices(limits) => self.made.driver.guard_devices(limits),
            Deed::SetLimits(limits) => {
                let driver = &self.made.driver;
                self.engine.patiently(None, |rest| driver.apply(limits, rest))
            }
            Deed::StartHolder => {
                self.made.holder = Some(birth::start_holder(&self.engine.waits)?);
                Ok(())
            }
            Deed::AskForScope(settings) => {
                let held = self.made.holder.as_ref().or(self.made.init.as_ref());
                let pid = held.ok_or_else(|| Deed::StartHolder.misplaced())?.process().pid;
                let driver = &mut self.made.driver;
                self.engine.patiently(None, |rest| driver.ask(&settings, pid, rest))
            }
            Deed::AwaitScope(limits) => {
                let driver = &mut self.made.driver;
                let settled = self.engine.patiently(None, |rest| driver.settle(limits, rest));
                // Also where that fails: what was made is to be taken away.
                self.record.cgroup = driver.location()?;
                settled
            }
            Deed::EndHolder => {
                self.made.holder.take().iter().for_each(Init::end);
                Ok(())
            }
            Deed::StartInit(namespaces) => self.start_init(namespaces),
            Deed::KeepConfig => self.entry()?.write_config(self.bundle.text()),
            Deed::KeepScript => self.entry()?.write_script(&kept::encode(&self.plan.script, self.spec)),
            Deed::RecordProcess => {
                self.note_process(Phase::Creating)?;
                self.entry()?.write(&self.record)
            }
            Deed::RecordCreated => {
                self.note_process(Phase::Created)?;
                self.entry()?.prepare(&self.record)
            }
            Deed::Meet(point) => self.follow(Talk::Reached(point)).map(drop),
            Deed::Release => self.init()?.say(Word::Go),
            Deed::ReleaseIntoScope => {
                self.init()?.release_into(self.made.driver.cgroup().and_then(Cgroup::inner))
            }
            Deed::WriteIdMaps(uids, gids) => {
                let pid = self.pid()?;
                self.record.user_namespaces.insert(0, belonging::of_new(pid)?);
                idmaps::write(pid, uids, gids, &self.prepared.facts, &self.engine.waits)
            }
            Deed::RaiseLimits(_) | Deed::ScoreForOom(_) | Deed::JoinResctrl(_) => {
                born::do_for(self.pid()?, deed)
            }
            Deed::CheckConfined(_) | Deed::LimitProcesses(_) | Deed::SettleBorn(_) => {
                born::do_for(self.pid()?, deed)
            }
            Deed::MoveDevices(linux) => self.move_devices(linux),
            Deed::RunHooks(kind, hooks) => self.run_hooks(kind, hooks),
            Deed::TakeTerminal(process) => self.take_terminal(process),
            Deed::SendListener(profile) => match self.follow(Talk::Listener)? {
                Heard::Listener(fd) => {
                    self.know_process()?;
                    let (record, waits) = (&self.record, &self.engine.waits);
                    listener::send(profile, record, Status::Creating, self.pid()?, fd.as_fd(), waits)
                }
                _ => Err(message::out_of_turn()),
            },
            Deed::AwaitReady => self.follow(Talk::Ready).map(drop),
            Deed::ShowTerminal => self.made.hidden.take().map_or(Ok(()), |terminal| terminal.show()),
            Deed::GivePidfd => {
                let process = self.first()?.pidfd.as_fd();
                self.receivers.iter().try_for_each(|receiver| receiver.send(process))
            }
            Deed::Publish => self.entry()?.publish(),
            Deed::WriteBrief(waits) => {
                self.entry()?.write_brief(&self.record, self.first()?.pidfd.as_fd(), waits);
                Ok(())
            }
            Deed::WritePidFile(path) => pid_file::write(path, self.pid()?),
            _ => Err(deed.misplaced()),
        }
    }

    pub fn entry(&self) -> Result<&Entry> {
        self.made.entry.as_ref().ok_or_else(|| Deed::MakeState(&self.record.id).misplaced())
    }

    fn init(&self) -> Result<&Init> {
        self.made.init.as_ref().ok_or_else(|| Deed::StartInit(0).misplaced())
    }

    /// The container's first process.
    pub fn first(&self) -> Result<&Child> {
        self.made.restored.as_ref().map_or_else(|| self.init().map(Init::process), Ok)
    }

    pub fn pid(&self) -> Result<i32> {
        self.first().map(|first| first.pid)
    }

    /// Of two containers one gets a path; a group that others use is claimed by neither.
    fn claim_cgroup(&mut self, location: &Location) -> Result<()> {
        let (store, id) = (&self.engine.store, &self.record.id);
        let claimed = self.engine.patiently(None, |rest| store.claim(location, id, rest));
        let claimed = claimed.and_then(|()| Driver::refuse_occupied(location));
        claimed.inspect_err(|_| store.release_all(id))
    }

    fn open(&mut self, opens: &Opens) -> Result<()> {
        let small_table = self.prepared.small_table.as_ref();
        if let Some(found) = small_table.filter(|found| found.is_new) {
            self.engine.store.remember(small_table::LINK, found.thread);
        }
        let given = Given {
            start: self.made.start_pipes.as_ref().map(|pipes| (pipes.word.as_fd(), pipes.answer.as_fd())),
            cgroup: self.made.driver.cgroup(),
            small_table: small_table.and_then(|found| found.namespace.as_ref()).map(AsFd::as_fd),
            open_files: self.engine.open_files,
            ..Given::default()
        };
        let opened = open::open(opens, given, self.spec, &self.engine.waits)?;
        self.record.user_namespaces = belonging::known_before(self.plan.created, opens, &opened)?;
        self.made.opened = Some(opened);
        Ok(())
    }

    fn start_init(&mut self, namespaces: u64) -> Result<()> {
        let opened = self.made.opened.take().ok_or_else(|| Deed::Open(&self.plan.opens).misplaced())?;
        let given = [&self.options.sockets[..], &self.options.preserve_fds].concat();
        let init = birth::start(birth::Start {
            namespaces,
            cgroup: self.made.driver.cgroup().and_then(Cgroup::birth),
            sleeper: Sleeper::Caller,
            streams: self.options.streams,
            given: &given,
            ..birth::Start::of(&self.plan.script, &opened.numbers, &self.engine.waits)
        })?;
        self.made.init = Some(init.with(opened.into_sources(), &self.plan.script));
        self.made.start_pipes = None;
        Ok(())
    }

    fn make_cgroup(&mut self, location: &Location, limits: &Limits) -> Result<()> {
        let driver = Driver::make(location, limits)?;
        match driver.location() {
            Ok(location) => self.record.cgroup = location,
            Err(error) => {
                // The ledger does not have it yet. What stays is in the way of the next one, which says so.
                let deadline = Instant::now() + self.engine.waits.patience();
                let _ = self.engine.patiently(Some(location), |rest| driver.remove(deadline, rest));
                return Err(error);
            }
        }
        self.made.driver = driver;
        Ok(())
    }

    fn take_terminal(&mut self, process: &Process) -> Result<()> {
        let Heard::Console(Hidden { master, mode }) = self.follow(Talk::Console)? else {
            return Err(message::out_of_turn());
        };
        let again = master.try_clone().map_err(|e| Error::io("dup", &e))?;
        self.made.hidden = Some(Hidden { master: again, mode });
        self.made.master = console::take(master, &self.console, process)?;
        Ok(())
    }

    /// Follows init until it says this.
    fn follow(&mut self, until: Talk) -> Result<Heard> {
        // init asks twice about what it makes: at the directory above it, and once it is there.
        let mut shown = None;
        loop {
            let init = self.made.init.as_mut().ok_or_else(|| Deed::StartInit(0).misplaced())?;
            match init.hear()? {
                heard if heard.is(until) => return Ok(heard),
                Heard::Link(link) => {
                    let warning = self.look_behind(&link)?;
                    if let Some(warning) = warning.filter(|_| shown.replace(link.step) != Some(link.step)) {
                        self.engine.warn(warning);
                    }
                    self.init()?.say(Word::Go)?;
                }
                Heard::Failed(trouble) => {
                    return Err(diagnose::explain(&self.plan.script, &trouble, self.spec)
                        .doing("error during container init"));
                }
                Heard::Warned(trouble) => {
                    self.engine.warn(diagnose::explain(&self.plan.script, &trouble, self.spec));
                }
                Heard::Closed => return Err(self.died()),
                // `Init::hear` follows the process that was spawned.
                Heard::Spawned(_) => {}
                _ => return Err(message::out_of_turn()),
            }
        }
    }

    /// Pods expect that a link may lead a mount onto one of the host's, with a warning; into a proc or a sysfs none may.
    fn look_behind(&self, link: &Followed) -> Result<Option<Error>> {
        let step = self.plan.script.step(link.step as usize);
        let named = step.and_then(|(_, field)| Some((field, field.pointer(self.spec)?)));
        let Some((field, pointer)) = named else { return Ok(None) };
        let (words, key) = match field {
            Field::Mount(i) => (self.spec.mounts.get(i).map(|mount| &mount.destination), "destination"),
            Field::Device(i) => {
                let linux = self.spec.linux.as_ref();
                (linux.and_then(|linux| linux.devices.get(i)).map(|device| &device.path), "path")
            }
            _ => (None, ""),
        };
        let words = absolute(words.map_or("/", |words| words));
        let field = format!("{pointer}/{key}");
        let named = KnownMounts::of(self.spec, &[], u64::from(self.record.namespaces_joined));
        let name = links::look(self.init()?, link, &words, &field, &named)?;
        Ok(name.map(|name| {
            let shows = "a mount that is shared with the host, where it shows";
            Error::new(format!("the link {name} leads it onto {shows}")).field(field).value(words)
        }))
    }

    fn move_devices(&mut self, linux: &Linux) -> Result<()> {
        let process = self.first()?.pidfd.try_clone().map_err(|e| Error::io("dup", &e))?;
        let joined = self.plan.joined & libc::CLONE_NEWNET as u64 != 0;
        let company = if joined { Company::Shared } else { Company::Alone };
        self.made.moved_devices =
            Some(netdevices::move_in(linux, process.as_fd(), company, &|warning| self.engine.warn(warning))?);
        Ok(())
    }

    fn run_hooks(&mut self, kind: HookKind, hooks: &[Hook]) -> Result<()> {
        self.know_process()?;
        let first = self.first()?;
        let occasion = Occasion::new(kind.name(), &self.record, Status::Creating, &self.engine.waits)
            .before(first.pidfd.as_fd());
        let inside = Inside {
            spec: self.spec,
            host: &self.prepared.host,
            first: (first.pid, first.pidfd.as_fd()),
            cgroup: self.made.driver.cgroup(),
            own: None,
        };
        match kind {
            HookKind::Prestart | HookKind::CreateRuntime => occasion.run(hooks),
            HookKind::CreateContainer => occasion.run_inside(hooks, &inside),
            _ => Err(Deed::RunHooks(kind, hooks).misplaced()),
        }
    }

    /// init has ended without a message.
    fn died(&self) -> Error {
        let Ok(process) = self.init().map(Init::process) else { return Deed::StartInit(0).misplaced() };
        let ended = match self.engine.waits.end_of(process.pidfd.as_fd(), process.pid) {
            Ok(true) => wait::reap(process.pidfd.as_fd()),
            _ => Err(Errno(libc::ETIME)),
        };
        let how = match ended {
            Ok(Ended::Signaled(libc::SIGKILL)) => {
                let killed = Error::new("the container's init was killed");
                let resources = self.spec.linux.as_ref().and_then(|linux| linux.resources.as_ref());
                return match resources.and_then(|resources| resources.memory.as_ref()?.limit) {
                    Some(limit) if limit > 0 => killed
                        .field("/linux/resources/memory/limit")
                        .value(limit)
                        .remedy("probably by the kernel's out-of-memory killer: raise the limit"),
                    _ => killed
                        .remedy("probably by the kernel's out-of-memory killer: the host is short of memory"),
                };
            }
            Ok(Ended::Signaled(signal)) => format!("the container's init was ended by signal {signal}"),
            Ok(Ended::Exited(code)) => format!("the container's init ended with exit status {code}"),
            Err(_) => "the container's init has ended".to_owned(),
        };
        Error::new(how)
    }

    /// One that was spawned is noted when others are told of it.
    fn know_process(&mut self) -> Result<()> {
        let pid = self.pid()?;
        match self.record.process {
            Some(process) if process.pid == pid => Ok(()),
            _ => self.note_process(Phase::Creating),
        }
    }

    /// From here on every command finds the process. The lock is ours until it is ready.
    fn note_process(&mut self, phase: Phase) -> Result<()> {
        let pid = self.pid()?;
        let process = state::Process::of(pid).map_err(|e| e.because(format!("read /proc/{pid}/stat")))?;
        self.record.process = Some(process);
        self.record.phase = phase;
        Ok(())
    }

    /// Takes back what was done. An empty cgroup that was there before has become the container's, with all below it. A
    /// failure here is a warning, because the error that led here is the one to report.
    pub fn undo(mut self, ledger: &[Deed]) {
        let Parts { entry, driver, init, holder, restored, moved_devices, .. } = self.made;
        drop(driver);
        holder.iter().for_each(Init::end);
        restored.iter().for_each(|first| self.engine.waits.end(first));
        // It is ended by its descriptor; then all that is in its group.
        self.record.process = None;
        let back = undo(ledger, there(&self.record));
        let leavings = Leavings { engine: self.engine, record: &self.record, entry, init, moved_devices };
        let undone = leavings.take_back("the way back from create", &back);
        undone.unwrap_or_else(|error| self.engine.warn(error.doing("cleaning up after a failure")));
    }
}
