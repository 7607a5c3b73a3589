//! `Delete`, and the end of the shim.

use crate::error::Result;
use crate::shim::containerd::ends::event;
use crate::shim::containerd::model::{Call, Container, Name, Phase, Process, Record, Settings, Timestamp};
use crate::shim::containerd::protocol::event_messages as events;
use crate::shim::containerd::protocol::frames::Code;
use crate::shim::containerd::protocol::messages::{DeleteResponse, ProcessRequest};
use crate::shim::containerd::replies::{Reply, internal, nothing, status_of};
use crate::shim::containerd::rootfs;
use crate::shim::containerd::runtime::Runtime;
use crate::shim::containerd::shim::Shim;
use crate::shim::containerd::streams::{Part, Streams};
use crate::sys::wait;
use prost::Message;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long `Delete` waits for output that is still on its way, and `Shutdown` for events.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same for output that moves all the time.
const LONGEST: Duration = Duration::from_secs(30);

impl Shim {
    pub(super) fn delete(&mut self, call: Call, request: ProcessRequest) -> Reply {
        let process = self.process(&request.id, &request.exec_id)?;
        let first = request.exec_id.is_empty();
        match process.phase() {
            Phase::Running | Phase::Released => {
                return Err(Code::FailedPrecondition.saying("cannot delete a running process"));
            }
            _ if !first && self.starting.contains_key(&process.number) => {
                return Err(Code::FailedPrecondition.saying("cannot delete a process that is being started"));
            }
            _ if self.waits_for_output(call, process.number) => return Ok(None),
            _ => {}
        }
        if first { self.delete_container(call, process) } else { self.delete_exec(call, &process) }
    }

    /// Output that is still on its way is given a while.
    fn waits_for_output(&mut self, call: Call, number: u64) -> bool {
        let streams = self.streams.get(&number);
        let (on_its_way, moved) = (streams.is_some_and(Streams::has_output), streams.and_then(|s| s.moved));
        let asked = *self.deleting.get_or_insert(call, Instant::now);
        // A slow reader is waited for as long as it reads; a process that goes on writing, not for ever.
        let until = moved.map_or(asked, |moved| moved.max(asked)) + PATIENCE;
        let waits = on_its_way && Instant::now() < until.min(asked + LONGEST);
        if waits {
            self.postpone(call, until);
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
        let container = self.container(&process.name.container)?;
        let starts = |shim: &Shim| {
            let desk = shim.desk();
            desk.model.processes_of(&container.id).any(|process| shim.starting.contains_key(&process.number))
        };
        if starts(self) {
            self.postpone(call, Instant::now() + Duration::from_millis(20));
            return Ok(None);
        }
        let removed = container.clone();
        let work = move |runtime: &Runtime| remove(runtime, &removed);
        let then = move |shim: &mut Shim, removed| shim.deleted(call, &process, removed);
        self.when_free(call, &container.id, |shim| shim.in_turn(call, &container, work, then))
    }

    fn deleted(&mut self, call: Call, process: &Process, removed: Result<()>) -> Result<()> {
        if let Err(error) = removed {
            return self.answer(call, Err(status_of(&error, "")), Record::default());
        }
        // The end of one that was never started is told when it is reaped, for which there is no time left.
        if let Some(life) = self.lives.remove(&process.number) {
            self.epoll.forget(life.pidfd.as_fd());
            // One of the keeper's children is reaped there.
            let _ = wait::reap(life.pidfd.as_fd());
            self.keeper.let_go(Part::Pidfd.of(process.number))?;
        }
        let name = &process.name;
        let execs: Vec<u64> =
            self.desk().model.processes_of(&name.container).map(|process| process.number).collect();
        execs.into_iter().try_for_each(|number| self.end_streams(number))?;
        self.refuse_waits(&name.container)?;
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

    /// containerd takes this container for gone, and `delete` removes it: nobody will ask for it again.
    pub(super) fn forget(&mut self, request: &ProcessRequest) -> Reply {
        if let Ok(container) = self.container(&request.id) {
            self.forget_container(container.id).map_err(|error| internal(&error))?;
        }
        self.shutdown()
    }

    fn forget_container(&mut self, id: String) -> Result<()> {
        let numbers: Vec<u64> = self.desk().model.processes_of(&id).map(|process| process.number).collect();
        for number in numbers {
            self.end_streams(number)?;
            if let Some(life) = self.lives.remove(&number) {
                self.epoll.forget(life.pidfd.as_fd());
                self.keeper.let_go(Part::Pidfd.of(number))?;
            }
        }
        self.refuse_waits(&id)?;
        let name = Name { container: id, exec: String::new() };
        self.note(Record { removed: Some(name), ..Record::default() })
    }

    /// The shim ends soon, its successors too; or a new container needs it after all.
    pub(super) fn set_finishing(&mut self, finishing: bool) -> Result<()> {
        self.finishing = finishing.then(|| Instant::now() + PATIENCE);
        let settings = self.desk().model.settings.clone();
        if settings.finishing == finishing {
            return Ok(());
        }
        self.note(Record { settings: Some(Settings { finishing, ..settings }), ..Record::default() })
    }

    pub(super) fn shutdown(&mut self) -> Reply {
        if self.desk().model.containers.is_empty() {
            self.set_finishing(true).map_err(|error| internal(&error))?;
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

/// In a thread: the container, then the rootfs. What a predecessor has removed is gone.
pub(super) fn remove(runtime: &Runtime, container: &Container) -> Result<()> {
    runtime.delete(&container.id)?;
    rootfs::unmount(&Path::new(&container.bundle).join("rootfs"))
}
