//! `Exec`, and `Start` of one.
//!
//! Its process is told to become its program when its pid, and both ends of the conversation with it, are in safe hands: a
//! shim that is killed around that moment leaves a process that waits for its successor's word, not one that nobody knows.

use crate::engine::{Event as EngineEvent, Observer, Started};
use crate::error::{Error, Result};
use crate::shim::containerd::ends::event;
use crate::shim::containerd::jobs::Rank;
use crate::shim::containerd::model::{Call, Container, Name, Phase, Process, Record};
use crate::shim::containerd::protocol::event_messages as events;
use crate::shim::containerd::protocol::frames::Code;
use crate::shim::containerd::protocol::messages::{ExecRequest, StartResponse};
use crate::shim::containerd::replies::{Reply, internal, status_of};
use crate::shim::containerd::shim::Shim;
use crate::shim::containerd::streams::{Part, hold_started, hold_terminal};
use crate::sys::process::pidfd_kill;
use crate::sys::wait;
use prost::Message;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

impl Shim {
    pub(super) fn add_exec(&mut self, call: Call, request: &ExecRequest) -> Reply {
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

    pub(super) fn start_exec(&mut self, call: Call, process: Process) -> Reply {
        let container = self.container(&process.name.container)?;
        if self.process(&process.name.container, "")?.phase() == Phase::Ended {
            return Err(Code::Unknown.saying("cannot exec in a stopped container"));
        }
        if self.starting.contains_key(&process.number) {
            return Err(Code::FailedPrecondition.saying("the process is being started"));
        }
        let begun = if !container.runtime.is_empty() && self.was_begun_before(call) {
            self.refuse_exec(call, process, container)
        } else {
            self.begin_exec(call, process, &container)
        };
        begun.map(|()| None).map_err(|error| internal(&error))
    }

    /// A shim was killed while it executed another runtime for this: whether the process has begun cannot be known.
    fn refuse_exec(&mut self, call: Call, process: Process, container: Container) -> Result<()> {
        let runtime = self.runtime(&container, self.observer())?;
        self.starting.insert(process.number, ());
        self.begin(Rank::Exec, move || {
            let ended = runtime.end_unknown(&container, &process.name.exec);
            Box::new(move |shim: &mut Shim| {
                shim.starting.remove(&process.number);
                let text = "the shim was killed while another runtime started this process";
                let error = match ended {
                    Ok(()) => {
                        Error::new(format!("{text}: what it has started is ended")).remedy("start it again")
                    }
                    Err(error) => error.doing(text),
                };
                let finished = shim.end_streams(process.number);
                let finished = finished.and_then(|()| shim.answer_now(call, Err(internal(&error))));
                shim.must_answer(call, finished);
            })
        });
        Ok(())
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
        let (keeper, holder) = (Arc::clone(&self.keeper), Arc::clone(&self.keeper));
        // What it executes need not be noted again: it is for the engine, which has it.
        let (desk, released) = (self.shared_desk(), Process { spec: Vec::new(), ..process.clone() });
        let usual = self.observer();
        let safe = Arc::new(Mutex::new(Safe::default()));
        let noted = Arc::clone(&safe);
        let observer: Observer = Arc::new(move |told| {
            let number = released.number;
            let mut safe = noted.lock().unwrap_or_else(PoisonError::into_inner);
            let (process, word, answer) = match told {
                EngineEvent::Releasing { process, word, answer } => (process, word, answer),
                EngineEvent::Terminal(master) => {
                    safe.failure = hold_terminal(&keeper, number, *master).err();
                    return;
                }
                _ => return usual(told),
            };
            if safe.failure.is_none() {
                let parts = [
                    (Part::Pidfd.of(number), process.pidfd.as_fd()),
                    (Part::Word.of(number), *word),
                    (Part::Answer.of(number), *answer),
                ];
                let record = Process { phase: Phase::Released.into(), pid: process.pid, ..released.clone() };
                let noted = keeper.hold_all(&parts).and_then(|()| {
                    let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
                    desk.note(Record { process: Some(record), ..Record::default() })
                });
                safe.released = noted.is_ok();
                safe.failure = noted.err();
            }
            if safe.failure.is_some() {
                // What no successor would know of does not become its program.
                pidfd_kill(process.pidfd.as_fd());
            }
        });
        let runtime = self.runtime(container, observer)?;
        let container = container.clone();
        let id = process.name.container.clone();
        let variables = self.logger_variables(&id);
        self.starting.insert(process.number, ());
        self.begin(Rank::Exec, move || {
            let executed = ends.start_logger(&variables).and_then(|logger| {
                let streams = if process.terminal { [None; 3] } else { ends.borrowed() };
                let executed = runtime.exec(&container, &process, streams);
                let safe = std::mem::take(&mut *safe.lock().unwrap_or_else(PoisonError::into_inner));
                let started = match safe.failure {
                    None => executed?,
                    Some(error) => {
                        executed.iter().for_each(end);
                        return Err(error);
                    }
                };
                if !safe.released {
                    hold_started(&holder, process.number, &started).inspect_err(|_| end(&started))?;
                }
                Ok((started, logger))
            });
            drop(ends);
            Box::new(move |shim: &mut Shim| {
                let executed = executed.and_then(|(started, logger)| {
                    shim.keep_logger(process.number, logger)?;
                    Ok(started)
                });
                let finished = shim.executed(call, process, executed);
                shim.must_answer(call, finished);
            })
        });
        Ok(())
    }

    fn executed(&mut self, call: Call, process: Process, executed: Result<Started>) -> Result<()> {
        let number = process.number;
        self.starting.remove(&number);
        Part::Word.let_go(Part::Answer, number, &self.keeper)?;
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
        let (pid, pidfd) = self.take_started(&process, started)?;
        let process = Process { phase: Phase::Running.into(), pid, spec: Vec::new(), ..process };
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
        self.live(&process, pidfd)
    }
}

/// What has come of an exec's observer.
#[derive(Default)]
struct Safe {
    /// The keeper holds its process, and its terminal; both are noted.
    released: bool,
    failure: Option<Error>,
}

/// In a thread: a process that no other shim would know of.
fn end(started: &Started) {
    pidfd_kill(started.pidfd.as_fd());
    // One of another runtime's is the keeper's to reap.
    let _ = wait::reap(started.pidfd.as_fd());
}
