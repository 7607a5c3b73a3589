//! `Create` and `Start` of a container.

use crate::engine::Started;
use crate::error::{Error, Result};
use crate::shim::containerd::delete::remove;
use crate::shim::containerd::ends::event;
use crate::shim::containerd::info::RUNTIME_FILE;
use crate::shim::containerd::model::{Call, Container, Name, Phase, Process, Record};
use crate::shim::containerd::protocol::event_messages as events;
use crate::shim::containerd::protocol::frames::Code;
use crate::shim::containerd::protocol::messages::{
    CreateRequest, CreateResponse, Mount, Options, ProcessRequest, StartResponse,
};
use crate::shim::containerd::replies::{Reply, internal, said, status_of};
use crate::shim::containerd::rootfs;
use crate::shim::containerd::runtime::{self, Runtime};
use crate::shim::containerd::shim::Shim;
use crate::shim::containerd::streams::{Ends, Streams, hold_started};
use crate::shim::files;
use crate::shim::link::Keeper;
use crate::spec::{Spec, load};
use crate::sys::{file, wait};
use prost::Message;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

/// Of a bundle's config.json.
const CONFIG: usize = 32 << 20;

impl Shim {
    pub(super) fn create(&mut self, call: Call, request: CreateRequest) -> Reply {
        let id = &request.id;
        let name = Name { container: id.clone(), exec: String::new() };
        let earlier = self.desk().model.processes.get(&name).cloned();
        if earlier.as_ref().is_some_and(|process| process.phase() != Phase::Begun) {
            return Err(Code::AlreadyExists.saying(format!("container {id}: already exists")));
        }
        if self.is_busy(call, id) {
            return Ok(None);
        }
        self.set_finishing(false).map_err(|error| internal(&error))?;
        self.begin_create(call, request, earlier)
            .map(|()| None)
            .map_err(|error| status_of(&error, "OCI runtime create failed"))
    }

    fn begin_create(&mut self, call: Call, request: CreateRequest, earlier: Option<Process>) -> Result<()> {
        let options = Options::of(request.options.as_ref())
            .map_err(|e| Error::argument("options", Options::KIND, format!("they cannot be read: {e}")))?;
        let runtime = runtime::named(&options.binary_name)?;
        if let Some(program) = &runtime {
            let file = Path::new(&request.bundle).join(RUNTIME_FILE);
            files::write(&file, program.as_bytes())?;
        }
        let config = file::read_path(Path::new(&request.bundle).join("config.json"), CONFIG)
            .map_err(|e| e.because("read config.json of the bundle"))?;
        let spec: Spec = load::parse("config.json", &config)?;
        let own_pids = has_own_pids(&spec);
        let number =
            earlier.as_ref().map_or_else(|| self.desk().model.settings.next_number, |process| process.number);
        // What a killed shim has left of it.
        if let Some(mut streams) = self.streams.remove(&number) {
            streams.end(&self.keeper)?;
        }
        let container = Container {
            id: request.id.clone(),
            bundle: request.bundle.clone(),
            own_pids,
            paused: false,
            systemd: options.systemd_cgroup,
            runtime: runtime.unwrap_or_default(),
            checkpoint: request.checkpoint.clone(),
            options: options.encode_to_vec(),
        };
        let process = Process {
            name: Name { container: request.id.clone(), exec: String::new() },
            number,
            phase: Phase::Begun.into(),
            pid: 0,
            terminal: request.terminal,
            stdin: request.stdin.clone(),
            stdout: request.stdout.clone(),
            stderr: request.stderr.clone(),
            ..Process::default()
        };
        let record = Record {
            container: Some(container.clone()),
            process: Some(process.clone()),
            ..Record::default()
        };
        self.note(record)?;
        let ends = match request.checkpoint.is_empty() {
            true => self.open_streams(&process).inspect_err(|_| drop(self.forget_process(&process)))?,
            // `Start` opens them, which makes the processes.
            false => Ends::default(),
        };
        let again = earlier.is_some();
        let variables = self.logger_variables(&request.id);
        let asked = request.clone();
        let (made, keeper) = (container.clone(), Arc::clone(&self.keeper));
        let work = move |runtime: &Runtime| {
            if options.io_uid != 0 || options.io_gid != 0 {
                ends.give_to(options.io_uid, options.io_gid)?;
            }
            let logger = ends.start_logger(&variables)?;
            let started = create(runtime, &made, &asked.rootfs, &ends, again)?;
            started.iter().try_for_each(|started| hold_or_undo(&keeper, number, started, runtime, &made))?;
            Ok((started, logger))
        };
        self.in_turn(call, &container, work, move |shim, created: Result<(Option<Started>, _)>| {
            let created = created.and_then(|(started, logger)| {
                shim.keep_logger(process.number, logger)?;
                Ok(started)
            });
            shim.created(call, &request, process, created)
        })
    }

    /// What the engine has started, and the keeper holds. Returns its pid and its descriptor.
    pub(super) fn take_started(&mut self, process: &Process, started: Started) -> Result<(i32, OwnedFd)> {
        if let (Some(master), Some(streams)) = (started.terminal, self.streams.get_mut(&process.number)) {
            streams.attach(master)?;
        }
        self.watch_streams(process.number)?;
        Ok((started.pid, started.pidfd))
    }

    fn created(
        &mut self,
        call: Call,
        request: &CreateRequest,
        process: Process,
        created: Result<Option<Started>>,
    ) -> Result<()> {
        let started = match created {
            Ok(started) => started,
            Err(error) => {
                self.forget_process(&process)?;
                let status = status_of(&error, "OCI runtime create failed");
                return self.answer(call, Err(status), Record::default());
            }
        };
        let pidfd = started.map(|started| self.take_started(&process, started)).transpose()?;
        let pid = pidfd.as_ref().map_or(0, |(pid, _)| *pid);
        let process = Process { phase: Phase::Created.into(), pid, ..process };
        let told = events::CreatedEvent {
            container_id: request.id.clone(),
            bundle: request.bundle.clone(),
            rootfs: request.rootfs.clone(),
            io: Some(events::Io {
                stdin: request.stdin.clone(),
                stdout: request.stdout.clone(),
                stderr: request.stderr.clone(),
                terminal: request.terminal,
            }),
            checkpoint: request.checkpoint.clone(),
            pid: pid as u32,
        };
        let changes = Record {
            process: Some(process.clone()),
            events: vec![event("/tasks/create", "TaskCreate", &told)],
            ..Record::default()
        };
        self.answer(call, Ok(CreateResponse { pid: pid as u32 }.encode_to_vec()), changes)?;
        let Some((_, pidfd)) = pidfd else { return Ok(()) };
        self.live(&process, pidfd)?;
        self.watch_oom(&process.name.container, process.number);
        Ok(())
    }

    pub(super) fn open_streams(&mut self, process: &Process) -> Result<Ends> {
        let paths = [&*process.stdin, &*process.stdout, &*process.stderr];
        let (streams, ends) = Streams::open(process.number, paths, process.terminal, &self.keeper)?;
        self.streams.insert(process.number, streams);
        Ok(ends)
    }

    /// What a logger finds in its environment.
    pub(super) fn logger_variables(&self, id: &str) -> [(&'static str, String); 2] {
        let namespace = self.desk().model.settings.namespace.clone();
        [("CONTAINER_ID", id.to_owned()), ("CONTAINER_NAMESPACE", namespace)]
    }

    /// It was not made.
    fn forget_process(&mut self, process: &Process) -> Result<()> {
        self.end_streams(process.number)?;
        self.note(Record { removed: Some(process.name.clone()), ..Record::default() })
    }

    pub(super) fn end_streams(&mut self, number: u64) -> Result<()> {
        self.streams.remove(&number).map_or(Ok(()), |mut streams| streams.end(&self.keeper))
    }

    pub(super) fn start(&mut self, call: Call, request: ProcessRequest) -> Reply {
        let process = self.process(&request.id, &request.exec_id)?;
        match process.phase() {
            Phase::Begun if !request.exec_id.is_empty() => self.start_exec(call, process),
            Phase::Created if request.exec_id.is_empty() && process.pid == 0 => self.restore(call, process),
            Phase::Created if request.exec_id.is_empty() => self.start_first(call, process),
            // By a shim that was killed before it could answer; or by a client that asks twice.
            Phase::Running | Phase::Ended if self.was_begun_before(call) => {
                said(&StartResponse { pid: process.pid as u32 })
            }
            Phase::Ended => Err(Code::Unknown.saying("cannot start a stopped process")),
            _ => Err(Code::Unknown.saying("cannot start a running process")),
        }
    }

    /// Whether a predecessor may have been at this request.
    pub(super) fn was_begun_before(&self, call: Call) -> bool {
        self.inherited.contains_key(&call)
    }

    fn start_first(&mut self, call: Call, process: Process) -> Reply {
        let container = self.container(&process.name.container)?;
        let (id, again) = (container.id.clone(), self.was_begun_before(call));
        let work = move |runtime: &Runtime| start_once(runtime, &id, again);
        let number = process.number;
        self.when_free(call, &container.id, |shim| {
            shim.in_turn(call, &container, work, move |shim, started| shim.started(call, process, started))?;
            shim.starting.insert(number, ());
            Ok(())
        })
    }

    pub(super) fn started(&mut self, call: Call, process: Process, started: Result<()>) -> Result<()> {
        self.starting.remove(&process.number);
        if let Err(error) = started {
            self.answer(call, Err(status_of(&error, "OCI runtime start failed")), Record::default())?;
            return self.look_at_ended(process.number);
        }
        let (pid, number) = (process.pid as u32, process.number);
        let told = events::StartedEvent { container_id: process.name.container.clone(), pid };
        let process = Process { phase: Phase::Running.into(), ..process };
        let changes = Record {
            process: Some(process),
            events: vec![event("/tasks/start", "TaskStart", &told)],
            ..Record::default()
        };
        self.answer(call, Ok(StartResponse { pid }.encode_to_vec()), changes)?;
        self.look_at_ended(number)
    }
}

/// In a thread: the rootfs, then the container; nothing of one whose processes come from a checkpoint.
fn create(
    runtime: &Runtime,
    container: &Container,
    mounts: &[Mount],
    ends: &Ends,
    again: bool,
) -> Result<Option<Started>> {
    let rootfs = Path::new(&container.bundle).join("rootfs");
    if again {
        // What a killed shim has begun.
        runtime.end_unknown(container, "")?;
        runtime.delete(&container.id)?;
        rootfs::unmount(&rootfs)?;
    }
    rootfs::mount(mounts, &rootfs)?;
    if !container.checkpoint.is_empty() {
        return Ok(None);
    }
    let terminal = ends.terminal;
    let streams = if terminal { [None; 3] } else { ends.borrowed() };
    runtime.create(container, terminal, streams).map(Some).inspect_err(|_| {
        // The error that led here is the one to report.
        let _ = rootfs::unmount(&rootfs);
    })
}

/// In a thread: what was made, and no other shim would know of, is taken away.
pub(super) fn hold_or_undo(
    keeper: &Keeper,
    number: u64,
    started: &Started,
    runtime: &Runtime,
    container: &Container,
) -> Result<()> {
    hold_started(keeper, number, started).inspect_err(|_| {
        // The error that led here is the one to report. A process of another runtime's is the keeper's to reap.
        let _ = (remove(runtime, container), wait::reap(started.pidfd.as_fd()));
    })
}

/// In a thread. A predecessor may have done it, and then it is done.
fn start_once(runtime: &Runtime, id: &str, again: bool) -> Result<()> {
    let is_done = || again && runtime.is_started(id);
    if is_done() {
        return Ok(());
    }
    // The word may have been said, and the program begin only now.
    runtime.start(id).or_else(|error| if is_done() { Ok(()) } else { Err(error) })
}

fn has_own_pids(spec: &Spec) -> bool {
    spec.linux().namespaces.iter().any(|namespace| &*namespace.kind == "pid" && namespace.path.is_none())
}
