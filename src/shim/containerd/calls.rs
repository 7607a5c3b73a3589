//! The task service: what is asked of a shim, each request by its method. A request is handled once by each shim that finds it
//! without an answer; what a predecessor has done of it already is found out and not done again.

use crate::engine::{
    CreateOptions, Engine, Event as EngineEvent, ExecOptions, ExecProcess, Force, Observer, Paused,
    Recipients, Started, Status as State, Terminal, UpdateOptions,
};
use crate::error::{Error, Kind, Result};
use crate::host::cgroups;
use crate::shim::containerd::ends::{event, how_it_ended};
use crate::shim::containerd::event_messages as events;
use crate::shim::containerd::messages::*;
use crate::shim::containerd::serve::Shim;
use crate::shim::containerd::{metrics, rootfs};
use crate::shim::frames::{Code, Request, Status};
use crate::shim::model::{Call, Container, Name, Phase, Process, Record, Timestamp};
use crate::shim::stdio::{Ends, Part, Stream, Streams};
use crate::spec::{Spec, load};
use crate::sys::{process as processes, terminal};
use prost::Message;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// `None`: the answer comes later.
pub(super) type Reply = std::result::Result<Option<Vec<u8>>, Status>;

/// How long `Delete` waits for output that is still on its way, and `Shutdown` for events.
const PATIENCE: Duration = Duration::from_secs(2);
/// Of a bundle's config.json.
const CONFIG: usize = 32 << 20;

/// By which `delete` tells a shim that containerd has given it up.
pub(super) const OWN_REQUEST: (&str, &str) = ("rruntime.Shim", "Forget");

const SERVICES: [&str; 2] = ["containerd.task.v2.Task", "containerd.task.v3.Task"];

/// The process that a request names: `id` and `exec_id` are the first two fields of all that name one.
pub(super) fn named(request: &Request) -> Option<Name> {
    let named = ProcessRequest::decode(&*request.payload).ok()?;
    Some(Name { container: named.id, exec: named.exec_id })
}

fn read<M: Message + Default>(request: &Request) -> std::result::Result<M, Status> {
    let wrong =
        |e| Code::InvalidArgument.saying(format!("{}: the request cannot be read: {e}", request.method));
    M::decode(&*request.payload).map_err(wrong)
}

fn said(message: &impl Message) -> Reply {
    Ok(Some(message.encode_to_vec()))
}

fn nothing() -> Reply {
    Ok(Some(Vec::new()))
}

/// As containerd is told of one of ours.
pub(super) fn status_of(error: &Error, doing: &str) -> Status {
    let code = match error.detail().kind {
        Kind::NoSuchContainer => Code::NotFound,
        Kind::IdInUse => Code::AlreadyExists,
        Kind::Config | Kind::Argument => Code::InvalidArgument,
        Kind::Unsupported => Code::Unimplemented,
        _ => Code::Unknown,
    };
    // containerd shows it as it is, and clients look for their program's name in it.
    code.saying(if doing.is_empty() { error.to_string() } else { format!("{doing}: {error}") })
}

fn internal(error: &Error) -> Status {
    Code::Internal.saying(error.to_string())
}

impl Shim {
    pub(super) fn handle(&mut self, call: Call, request: &Request) -> Reply {
        if (&*request.service, &*request.method) == OWN_REQUEST {
            return self.forget(&read(request)?);
        }
        if !SERVICES.contains(&&*request.service) {
            return Err(Code::Unimplemented.saying(format!("service {}", request.service)));
        }
        match &*request.method {
            "Create" => self.create(call, read(request)?),
            "Start" => self.start(call, read(request)?),
            "Exec" => self.add_exec(call, &read(request)?),
            "Delete" => self.delete(call, read(request)?),
            "Kill" => self.kill(call, read(request)?),
            "Wait" => self.wait(&read(request)?),
            "State" => self.state(&read(request)?),
            "Pids" => self.pids(&read(request)?),
            "Connect" => self.connected(&read(request)?),
            "Stats" => self.stats(&read(request)?),
            "ResizePty" => self.resize(&read(request)?),
            "CloseIO" => self.close_io(&read(request)?),
            "Pause" => self.pause(call, &read(request)?, true),
            "Resume" => self.pause(call, &read(request)?, false),
            "Update" => self.update(call, read(request)?),
            "Checkpoint" => super::checkpoint::checkpoint(self, call, read(request)?),
            "Shutdown" => self.shutdown(),
            method => Err(Code::Unimplemented.saying(format!("method {method}"))),
        }
    }

    pub(super) fn container(&self, id: &str) -> std::result::Result<Container, Status> {
        let found = self.desk().model.containers.get(id).cloned();
        found.ok_or_else(|| {
            Code::NotFound.saying(format!("container {id} is not known to this shim: not found"))
        })
    }

    pub(super) fn process(&self, id: &str, exec: &str) -> std::result::Result<Process, Status> {
        self.container(id)?;
        let name = Name { container: id.to_owned(), exec: exec.to_owned() };
        let found = self.desk().model.processes.get(&name).cloned();
        found.ok_or_else(|| Code::NotFound.saying(format!("process does not exist {exec}: not found")))
    }

    /// One call at a time changes a container; another one waits for it.
    pub(super) fn take_turn(&mut self, call: Call, id: &str) -> bool {
        let free = self.busy.insert(id.to_owned());
        if !free {
            self.postpone(call, Instant::now() + Duration::from_millis(20));
        }
        free
    }

    /// What a call of the engine's has come to.
    pub(super) fn finish(&mut self, id: &str, result: Result<()>) {
        self.busy.remove(id);
        self.later.clear();
        if let Err(error) = result {
            self.log.warn(&error.doing("the shim"));
        }
    }

    fn create(&mut self, call: Call, request: CreateRequest) -> Reply {
        let id = request.id.clone();
        let name = Name { container: id.clone(), exec: String::new() };
        let earlier = self.desk().model.processes.get(&name).cloned();
        if earlier.as_ref().is_some_and(|process| process.phase() != Phase::Begun) {
            return Err(Code::AlreadyExists.saying(format!("container {id}: already exists")));
        }
        if !self.take_turn(call, &id) {
            return Ok(None);
        }
        let begun = self.begin_create(call, request, earlier);
        begun.map(|()| None).map_err(|error| {
            self.busy.remove(&id);
            status_of(&error, "OCI runtime create failed")
        })
    }

    fn begin_create(&mut self, call: Call, request: CreateRequest, earlier: Option<Process>) -> Result<()> {
        let options: Options = match &request.options {
            Some(any) if any.kind == "containerd.runc.v1.Options" => Options::decode(&*any.value)
                .map_err(|e| Error::argument("options", &any.kind, format!("they cannot be read: {e}")))?,
            _ => Options::default(),
        };
        if !request.checkpoint.is_empty() {
            return Err(Error::argument(
                "checkpoint",
                &request.checkpoint,
                "a task is not restored by this shim yet",
            )
            .kind(Kind::Unsupported));
        }
        if !options.binary_name.is_empty() && !is_this_program(&options.binary_name) {
            return Err(Error::argument(
                "BinaryName",
                &options.binary_name,
                "this shim runs no other runtime yet",
            )
            .kind(Kind::Unsupported)
            .remedy("leave it out, or use io.containerd.runc.v2"));
        }
        let config = super::serve::read_file(&Path::new(&request.bundle).join("config.json"), CONFIG)?;
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
            mounted: !request.rootfs.is_empty(),
            runtime: String::new(),
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
        let made = self.open_streams(&process).and_then(|ends| Ok((ends, self.plain_engine(&container)?)));
        let (ends, engine) = match made {
            Ok(made) => made,
            Err(error) => {
                self.forget_process(&process)?;
                return Err(error);
            }
        };
        let again = earlier.is_some();
        let id = request.id.clone();
        let variables = self.logger_variables(&id);
        self.begin(move || {
            let created = ends.start_logger(&variables).and_then(|logger| {
                let created = create(&engine, &request, &options, &ends, again);
                Ok((created?, logger))
            });
            drop(ends);
            Box::new(move |shim: &mut Shim| {
                let created = created.and_then(|(started, logger)| {
                    shim.keep_logger(process.number, logger)?;
                    Ok(started)
                });
                let finished = shim.created(call, &request, process, created);
                shim.finish(&id, finished);
            })
        })
    }

    fn created(
        &mut self,
        call: Call,
        request: &CreateRequest,
        process: Process,
        created: Result<Started>,
    ) -> Result<()> {
        let started = match created {
            Ok(started) => started,
            Err(error) => {
                self.forget_process(&process)?;
                let status = status_of(&error, "OCI runtime create failed");
                return self.answer(call, Err(status), Record::default());
            }
        };
        self.keeper.hold(Part::Pidfd.of(process.number), started.pidfd.as_fd())?;
        if let (Some(master), Some(streams)) = (started.terminal, self.streams.get_mut(&process.number)) {
            streams.attach(master, &self.keeper)?;
        }
        let pid = started.pid;
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
            checkpoint: String::new(),
            pid: pid as u32,
        };
        self.watch_streams(process.number)?;
        let changes = Record {
            process: Some(process.clone()),
            events: vec![event("/tasks/create", "TaskCreate", &told)],
            ..Record::default()
        };
        self.answer(call, Ok(CreateResponse { pid: pid as u32 }.encode_to_vec()), changes)?;
        self.live(&process, started.pidfd)?;
        self.watch_oom(&process.name.container, process.number);
        Ok(())
    }

    fn open_streams(&mut self, process: &Process) -> Result<Ends> {
        let paths = [&*process.stdin, &*process.stdout, &*process.stderr];
        let (streams, ends) = Streams::open(process.number, paths, process.terminal, &self.keeper)?;
        self.streams.insert(process.number, streams);
        Ok(ends)
    }

    /// What a logger finds in its environment.
    fn logger_variables(&self, id: &str) -> [(&'static str, String); 2] {
        let namespace = self.desk().model.settings.namespace.clone();
        [("CONTAINER_ID", id.to_owned()), ("CONTAINER_NAMESPACE", namespace)]
    }

    /// It was not made.
    fn forget_process(&mut self, process: &Process) -> Result<()> {
        self.end_streams(process.number)?;
        self.note(Record { removed: Some(process.name.clone()), ..Record::default() })
    }

    fn end_streams(&mut self, number: u64) -> Result<()> {
        self.streams.remove(&number).map_or(Ok(()), |mut streams| streams.end(&self.keeper))
    }

    fn start(&mut self, call: Call, request: ProcessRequest) -> Reply {
        let process = self.process(&request.id, &request.exec_id)?;
        match process.phase() {
            Phase::Begun if !request.exec_id.is_empty() => self.start_exec(call, process),
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
    fn was_begun_before(&self, call: Call) -> bool {
        self.inherited.contains(&call)
    }

    fn start_first(&mut self, call: Call, process: Process) -> Reply {
        let id = process.name.container.clone();
        let container = self.container(&id)?;
        if !self.take_turn(call, &id) {
            return Ok(None);
        }
        let again = self.was_begun_before(call);
        self.starting.insert(process.number);
        let begun = self.plain_engine(&container).and_then(|engine| {
            let id = id.clone();
            self.begin(move || {
                let started = start_once(&engine, &id, again);
                Box::new(move |shim: &mut Shim| {
                    let finished = shim.started(call, process, started);
                    shim.finish(&id, finished);
                })
            })
        });
        begun.map(|()| None).map_err(|error| {
            self.busy.remove(&id);
            internal(&error)
        })
    }

    fn started(&mut self, call: Call, process: Process, started: Result<()>) -> Result<()> {
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

    fn add_exec(&mut self, call: Call, request: &ExecRequest) -> Reply {
        self.container(&request.id)?;
        let name = Name { container: request.id.clone(), exec: request.exec_id.clone() };
        if request.exec_id.is_empty() {
            return Err(Code::InvalidArgument.saying("an exec needs an id"));
        }
        let first = self.process(&request.id, "")?;
        if first.phase() == Phase::Ended {
            return Err(Code::Unknown.saying("cannot exec in a stopped state"));
        }
        if self.container(&request.id)?.paused {
            return Err(Code::Unknown.saying("cannot exec in a paused state"));
        }
        if self.desk().model.processes.contains_key(&name) {
            return Err(Code::AlreadyExists.saying(format!("id {}: already exists", request.exec_id)));
        }
        let process = Process {
            name,
            number: self.desk().model.settings.next_number,
            phase: Phase::Begun.into(),
            terminal: request.terminal,
            stdin: request.stdin.clone(),
            stdout: request.stdout.clone(),
            stderr: request.stderr.clone(),
            spec: request.spec.as_ref().map(|any| any.value.clone()).unwrap_or_default(),
            ..Process::default()
        };
        let told =
            events::ExecAddedEvent { container_id: request.id.clone(), exec_id: request.exec_id.clone() };
        let changes = Record {
            process: Some(process),
            events: vec![event("/tasks/exec-added", "TaskExecAdded", &told)],
            ..Record::default()
        };
        self.answer(call, Ok(Vec::new()), changes).map(|()| None).map_err(|error| internal(&error))
    }

    fn start_exec(&mut self, call: Call, process: Process) -> Reply {
        let container = self.container(&process.name.container)?;
        if self.process(&process.name.container, "")?.phase() == Phase::Ended {
            return Err(Code::Unknown.saying("cannot exec in a stopped container"));
        }
        self.begin_exec(call, process, &container).map(|()| None).map_err(|error| internal(&error))
    }

    fn begin_exec(&mut self, call: Call, process: Process, container: &Container) -> Result<()> {
        // What a killed shim has left of it.
        self.end_streams(process.number)?;
        let ends = match self.open_streams(&process) {
            Ok(ends) => ends,
            Err(error) => {
                return self.answer(
                    call,
                    Err(status_of(&error, "OCI runtime exec failed")),
                    Record::default(),
                );
            }
        };
        let keeper = Arc::clone(&self.keeper);
        let (desk, released) = (self.shared_desk(), process.clone());
        let usual = self.observer();
        let failed = Arc::new(Mutex::new(None));
        let failure = Arc::clone(&failed);
        let observer: Observer = Arc::new(move |told| {
            let EngineEvent::Releasing { process, word, answer } = told else { return usual(told) };
            let number = released.number;
            let held = keeper
                .hold(Part::Pidfd.of(number), process.pidfd.as_fd())
                .and_then(|()| keeper.hold(Part::Word.of(number), *word))
                .and_then(|()| keeper.hold(Part::Answer.of(number), *answer));
            let phase = Phase::Released.into();
            let record = Process { phase, pid: process.pid, ..released.clone() };
            let noted = held.and_then(|()| {
                let mut desk = desk.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                desk.note(Record { process: Some(record), ..Record::default() })
            });
            if let Err(error) = noted {
                *failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
            }
        });
        let engine = self.engine(container, observer)?;
        let id = process.name.container.clone();
        let variables = self.logger_variables(&id);
        self.begin(move || {
            let options = ExecOptions {
                tty: Some(process.terminal),
                terminal: Terminal::Caller { like: None, output: None },
                streams: if process.terminal { [None; 3] } else { ends.borrowed() },
                paused: Paused::Refuse,
                ..ExecOptions::of(ExecProcess::Object(process.spec.clone()))
            };
            let executed =
                ends.start_logger(&variables).and_then(|logger| Ok((engine.exec(&id, &options)?, logger)));
            drop(ends);
            Box::new(move |shim: &mut Shim| {
                let executed = executed.and_then(|(started, logger)| {
                    shim.keep_logger(process.number, logger)?;
                    Ok(started)
                });
                let failed = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                if let Some(error) = failed {
                    shim.log.warn(&error);
                }
                if let Err(error) = shim.executed(call, process, executed) {
                    shim.log.warn(&error);
                }
            })
        })
    }

    fn executed(&mut self, call: Call, process: Process, executed: Result<Started>) -> Result<()> {
        let number = process.number;
        [Part::Word, Part::Answer].into_iter().try_for_each(|part| self.keeper.let_go(part.of(number)))?;
        let started = match executed {
            Ok(started) => started,
            Err(error) => {
                self.keeper.let_go(Part::Pidfd.of(number))?;
                self.end_streams(number)?;
                let changes = Record { process: Some(process), ..Record::default() };
                return self.answer(
                    call,
                    Err(status_of(&error, "OCI runtime exec failed: exec failed")),
                    changes,
                );
            }
        };
        if let (Some(master), Some(streams)) = (started.terminal, self.streams.get_mut(&number)) {
            streams.attach(master, &self.keeper)?;
        }
        self.keeper.hold(Part::Pidfd.of(number), started.pidfd.as_fd())?;
        let pid = started.pid;
        let process = Process { phase: Phase::Running.into(), pid, ..process };
        let told = events::ExecStartedEvent {
            container_id: process.name.container.clone(),
            exec_id: process.name.exec.clone(),
            pid: pid as u32,
        };
        let changes = Record {
            process: Some(process.clone()),
            events: vec![event("/tasks/exec-started", "TaskExecStarted", &told)],
            ..Record::default()
        };
        self.answer(call, Ok(StartResponse { pid: pid as u32 }.encode_to_vec()), changes)?;
        self.watch_streams(number)?;
        self.live(&process, started.pidfd)
    }

    fn delete(&mut self, call: Call, request: ProcessRequest) -> Reply {
        let process = self.process(&request.id, &request.exec_id)?;
        let first = request.exec_id.is_empty();
        match process.phase() {
            Phase::Running | Phase::Released => {
                return Err(Code::FailedPrecondition.saying("cannot delete a running process"));
            }
            _ if self.waits_for_output(call, process.number) => return Ok(None),
            _ => {}
        }
        if first { self.delete_container(call, process) } else { self.delete_exec(call, &process) }
    }

    /// Output that is still on its way is given a while.
    fn waits_for_output(&mut self, call: Call, number: u64) -> bool {
        let on_its_way = self.streams.get(&number).is_some_and(Streams::has_output);
        let since = *self.deleting.entry(call).or_insert_with(Instant::now);
        let waits = on_its_way && since.elapsed() < PATIENCE;
        if waits {
            self.postpone(call, since + PATIENCE);
        } else {
            self.deleting.remove(&call);
        }
        waits
    }

    fn delete_exec(&mut self, call: Call, process: &Process) -> Reply {
        let deleted = deleted(process);
        let changes = Record { removed: Some(process.name.clone()), ..Record::default() };
        let answered = self.end_streams(process.number);
        let answered = answered.and_then(|()| self.answer(call, Ok(deleted.encode_to_vec()), changes));
        answered.map(|()| None).map_err(|error| internal(&error))
    }

    fn delete_container(&mut self, call: Call, process: Process) -> Reply {
        let id = process.name.container.clone();
        let container = self.container(&id)?;
        if !self.take_turn(call, &id) {
            return Ok(None);
        }
        let begun = self.plain_engine(&container).and_then(|engine| {
            let id = id.clone();
            self.begin(move || {
                let deleted = remove(&engine, &container);
                Box::new(move |shim: &mut Shim| {
                    let finished = shim.deleted(call, &process, deleted);
                    shim.finish(&id, finished);
                })
            })
        });
        begun.map(|()| None).map_err(|error| {
            self.busy.remove(&id);
            internal(&error)
        })
    }

    fn deleted(&mut self, call: Call, process: &Process, removed: Result<()>) -> Result<()> {
        if let Err(error) = removed {
            return self.answer(call, Err(status_of(&error, "")), Record::default());
        }
        // The end of one that was never started is told when it is reaped, for which there is no time left.
        if let Some(life) = self.lives.remove(&process.number) {
            self.epoll.forget(life.pidfd.as_fd());
            let _ = crate::sys::wait::reap(life.pidfd.as_fd());
            self.keeper.let_go(Part::Pidfd.of(process.number))?;
        }
        let name = &process.name;
        let execs: Vec<u64> =
            self.desk().model.processes_of(&name.container).map(|process| process.number).collect();
        execs.into_iter().try_for_each(|number| self.end_streams(number))?;
        let answer = deleted(process);
        let told = events::DeletedEvent {
            container_id: name.container.clone(),
            pid: answer.pid,
            exit_status: answer.exit_status,
            exited_at: answer.exited_at,
            id: String::new(),
        };
        let changes = Record {
            removed: Some(name.clone()),
            events: vec![event("/tasks/delete", "TaskDelete", &told)],
            ..Record::default()
        };
        self.answer(call, Ok(answer.encode_to_vec()), changes)
    }

    fn kill(&mut self, call: Call, request: KillRequest) -> Reply {
        let process = self.process(&request.id, &request.exec_id)?;
        let finished = || Code::NotFound.saying("process already finished: not found");
        let signal = request.signal as i32;
        if !request.exec_id.is_empty() {
            let Some(life) = self.lives.get(&process.number) else { return Err(finished()) };
            return match processes::pidfd_send_signal(life.pidfd.as_fd(), signal) {
                Ok(()) => nothing(),
                Err(crate::sys::Errno(libc::ESRCH)) => Err(finished()),
                Err(e) => Err(status_of(&e.because("send the signal"), "")),
            };
        }
        let ended = process.phase() == Phase::Ended;
        if ended && !request.all {
            return Err(finished());
        }
        let container = self.container(&request.id)?;
        let engine = self.plain_engine(&container).map_err(|error| internal(&error))?;
        let begun = self.begin(move || {
            let recipients = if request.all { Recipients::All } else { Recipients::FirstProcess };
            let killed = engine.kill(&request.id, signal, recipients);
            Box::new(move |shim: &mut Shim| {
                let answer = match killed {
                    Ok(()) => Ok(Vec::new()),
                    // All of none.
                    Err(_) if ended => Ok(Vec::new()),
                    Err(error) if error.detail().kind == Kind::WrongState => Err(finished()),
                    Err(error) => Err(status_of(&error, "")),
                };
                if let Err(error) = shim.answer_now(call, answer) {
                    shim.log.warn(&error);
                }
            })
        });
        begun.map(|()| None).map_err(|error| internal(&error))
    }

    fn wait(&mut self, request: &ProcessRequest) -> Reply {
        let process = self.process(&request.id, &request.exec_id)?;
        // Otherwise `answer_waits` finds it when the process ends.
        if process.phase() == Phase::Ended { said(&how_it_ended(&process)) } else { Ok(None) }
    }

    fn state(&mut self, request: &ProcessRequest) -> Reply {
        let container = self.container(&request.id)?;
        let process = self.process(&request.id, &request.exec_id)?;
        let (created, running, stopped, paused) = (1, 2, 3, 4);
        let status = match process.phase() {
            Phase::Begun | Phase::Created => created,
            Phase::Released | Phase::Running if container.paused => paused,
            Phase::Released | Phase::Running => running,
            Phase::Ended => stopped,
        };
        let first = request.exec_id.is_empty();
        said(&StateResponse {
            id: if first { container.id } else { request.exec_id.clone() },
            bundle: container.bundle,
            pid: process.pid as u32,
            status,
            stdin: process.stdin,
            stdout: process.stdout,
            stderr: process.stderr,
            terminal: process.terminal,
            exit_status: process.status,
            exited_at: Some(process.ended.unwrap_or(Timestamp::NONE)),
            exec_id: String::new(),
        })
    }

    fn pids(&mut self, request: &ProcessRequest) -> Reply {
        let container = self.container(&request.id)?;
        let ended = self.process(&request.id, "")?.phase() == Phase::Ended;
        let engine = self.plain_engine(&container).map_err(|error| internal(&error))?;
        let pids = match engine.pids(&request.id) {
            Err(_) if ended => Vec::new(),
            pids => pids.map_err(|error| status_of(&error, ""))?,
        };
        let desk = self.desk();
        let details = |pid: i32| {
            let mut processes = desk.model.processes_of(&request.id);
            let exec = processes.find(|process| process.pid == pid && !process.name.exec.is_empty())?;
            let details = ProcessDetails { exec_id: exec.name.exec.clone() };
            Some(Any::of("containerd.runc.v1.ProcessDetails", &details))
        };
        let processes = pids.into_iter().map(|pid| ProcessInfo { pid: pid as u32, info: details(pid) });
        said(&PidsResponse { processes: processes.collect() })
    }

    fn connected(&mut self, request: &ProcessRequest) -> Reply {
        let task = self.process(&request.id, "").map_or(0, |process| process.pid as u32);
        // It is what lives as long as the pod does.
        let shim_pid = nix::unistd::getppid().as_raw() as u32;
        said(&ConnectResponse { shim_pid, task_pid: task, version: String::new() })
    }

    fn stats(&mut self, request: &ProcessRequest) -> Reply {
        let container = self.container(&request.id)?;
        let engine = self.plain_engine(&container).map_err(|error| internal(&error))?;
        let stats = engine.stats(&request.id).map_err(|error| status_of(&error, ""))?;
        let unified = cgroups::detect().is_ok_and(|layout| layout.is_unified());
        said(&StatsResponse { stats: Some(metrics::of(&stats.cgroup, unified)) })
    }

    fn resize(&mut self, request: &ResizeRequest) -> Reply {
        let process = self.process(&request.id, &request.exec_id)?;
        let master = self.streams.get(&process.number).and_then(Streams::terminal);
        if let Some(master) = master {
            let number = |size: u32| u16::try_from(size).unwrap_or(u16::MAX);
            let (rows, columns) = (number(request.height), number(request.width));
            terminal::set_size(master, rows, columns)
                .map_err(|e| status_of(&e.because("resize the terminal"), ""))?;
        }
        nothing()
    }

    fn close_io(&mut self, request: &CloseIoRequest) -> Reply {
        let process = self.process(&request.id, &request.exec_id)?;
        let keeper = Arc::clone(&self.keeper);
        if request.stdin
            && !process.terminal
            && let Some(streams) = self.streams.get_mut(&process.number)
        {
            // What the client has written before is still for the process.
            let drained = streams.advance(Stream::In, &keeper);
            drained
                .and_then(|_| streams.close_when_empty(Stream::In, &keeper))
                .map_err(|error| internal(&error))?;
        }
        nothing()
    }

    fn pause(&mut self, call: Call, request: &ProcessRequest, pause: bool) -> Reply {
        let container = self.container(&request.id)?;
        let phase = self.process(&request.id, "")?.phase();
        let words = if pause { "pause" } else { "resume" };
        if phase != Phase::Running || (container.paused == pause && !self.was_begun_before(call)) {
            let state = match phase {
                Phase::Running if container.paused => "paused",
                Phase::Running => "running",
                Phase::Ended => "stopped",
                _ => "created",
            };
            return Err(Code::Unknown.saying(format!("cannot {words} a {state} process")));
        }
        if !self.take_turn(call, &request.id) {
            return Ok(None);
        }
        let id = request.id.clone();
        let begun = self.plain_engine(&container).and_then(|engine| {
            let id = id.clone();
            self.begin(move || {
                let done = if pause { engine.pause(&id) } else { engine.resume(&id) };
                Box::new(move |shim: &mut Shim| {
                    let finished = shim.paused(call, container, pause, done);
                    shim.finish(&id, finished);
                })
            })
        });
        begun.map(|()| None).map_err(|error| {
            self.busy.remove(&id);
            internal(&error)
        })
    }

    fn paused(&mut self, call: Call, container: Container, pause: bool, done: Result<()>) -> Result<()> {
        match done {
            // A predecessor has done it.
            Err(error) if error.detail().kind == Kind::AlreadySo => {}
            Err(error) => return self.answer(call, Err(status_of(&error, "")), Record::default()),
            Ok(()) => {}
        }
        let told = events::ContainerEvent { container_id: container.id.clone() };
        let told = match pause {
            true => event("/tasks/paused", "TaskPaused", &told),
            false => event("/tasks/resumed", "TaskResumed", &told),
        };
        let container = Container { paused: pause, ..container };
        let changes = Record { container: Some(container), events: vec![told], ..Record::default() };
        self.answer(call, Ok(Vec::new()), changes)
    }

    fn update(&mut self, call: Call, request: UpdateRequest) -> Reply {
        let container = self.container(&request.id)?;
        let missing = || Code::InvalidArgument.saying("an update needs resources");
        let resources = request.resources.ok_or_else(missing)?.value;
        let id = request.id;
        if !self.take_turn(call, &id) {
            return Ok(None);
        }
        let begun = self.plain_engine(&container).and_then(|engine| {
            let id = id.clone();
            self.begin(move || {
                let options = UpdateOptions {
                    resources,
                    from: "the request".to_owned(),
                    typed: Vec::new(),
                    l3_cache_schema: None,
                    mem_bw_schema: None,
                };
                let updated = engine.update(&id, &options);
                Box::new(move |shim: &mut Shim| {
                    let answer = updated.map(|()| Vec::new()).map_err(|error| status_of(&error, ""));
                    let finished = shim.answer_now(call, answer);
                    shim.finish(&id, finished);
                })
            })
        });
        begun.map(|()| None).map_err(|error| {
            self.busy.remove(&id);
            internal(&error)
        })
    }

    /// containerd takes this container for gone, and `delete` removes it: nobody will ask for it again.
    fn forget(&mut self, request: &ProcessRequest) -> Reply {
        if let Ok(container) = self.container(&request.id) {
            let numbers: Vec<u64> =
                self.desk().model.processes_of(&container.id).map(|process| process.number).collect();
            for number in numbers {
                self.end_streams(number).map_err(|error| internal(&error))?;
                if let Some(life) = self.lives.remove(&number) {
                    self.epoll.forget(life.pidfd.as_fd());
                    self.keeper.let_go(Part::Pidfd.of(number)).map_err(|error| internal(&error))?;
                }
            }
            let name = Name { container: container.id, exec: String::new() };
            self.note(Record { removed: Some(name), ..Record::default() })
                .map_err(|error| internal(&error))?;
        }
        self.shutdown()
    }

    fn shutdown(&mut self) -> Reply {
        if self.desk().model.containers.is_empty() {
            self.finishing = Some(Instant::now() + PATIENCE);
        }
        nothing()
    }
}

fn deleted(process: &Process) -> DeleteResponse {
    DeleteResponse {
        pid: process.pid as u32,
        exit_status: process.status,
        exited_at: Some(process.ended.unwrap_or(Timestamp::NONE)),
    }
}

/// In a thread: the rootfs, then the container.
fn create(
    engine: &Engine,
    request: &CreateRequest,
    options: &Options,
    ends: &Ends,
    again: bool,
) -> Result<Started> {
    let rootfs = Path::new(&request.bundle).join("rootfs");
    if again {
        // What a killed shim has begun.
        engine.delete(&request.id, Force::Kill)?;
        rootfs::unmount(&rootfs)?;
    }
    rootfs::mount(&request.rootfs, &rootfs)?;
    let create = CreateOptions {
        id: request.id.clone(),
        bundle: PathBuf::from(&request.bundle),
        terminal: Terminal::Caller { like: None, output: None },
        streams: if request.terminal { [None; 3] } else { ends.borrowed() },
        root_change: options.no_pivot_root.into(),
        keyring: options.no_new_keyring.into(),
        ..CreateOptions::default()
    };
    engine.create(&create).inspect_err(|_| {
        // The error that led here is the one to report.
        let _ = rootfs::unmount(&rootfs);
    })
}

/// In a thread. A predecessor may have done it, and then it is done.
fn start_once(engine: &Engine, id: &str, again: bool) -> Result<()> {
    if again && engine.state(id).is_ok_and(|state| state.status != State::Created) {
        return Ok(());
    }
    engine.start(id, None).map(drop)
}

/// In a thread: the container, then the rootfs. What a predecessor has removed is gone.
fn remove(engine: &Engine, container: &Container) -> Result<()> {
    engine.delete(&container.id, Force::Kill)?;
    rootfs::unmount(&Path::new(&container.bundle).join("rootfs"))
}

fn has_own_pids(spec: &Spec) -> bool {
    spec.linux().namespaces.iter().any(|namespace| &*namespace.kind == "pid" && namespace.path.is_none())
}

fn is_this_program(name: &str) -> bool {
    let found = nix::sys::stat::stat(name);
    let own = nix::sys::stat::stat("/proc/self/exe");
    matches!((found, own), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}
