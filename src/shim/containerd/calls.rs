//! The task service: what is asked of a shim, each request by its method. A request is handled once by each shim that finds
//! it without an answer; what a predecessor has done of it already is found out and not done again.

use crate::error::Result;
use crate::host::cgroups;
use crate::shim::containerd::ends::wait_response;
use crate::shim::containerd::jobs::Rank;
use crate::shim::containerd::metrics;
use crate::shim::containerd::model::{Call, Container, Name, Phase, Process, Timestamp};
use crate::shim::containerd::protocol::frames::{Code, Request, Status};
use crate::shim::containerd::protocol::messages::{
    Any, CloseIoRequest, ConnectResponse, PidsResponse, ProcessDetails, ProcessInfo, ProcessRequest,
    ResizeRequest, StateResponse, StatsResponse,
};
use crate::shim::containerd::replies::{
    OWN_REQUEST, Reply, internal, is_id, named, nothing, read, said, status_of,
};
use crate::shim::containerd::runtime::Runtime;
use crate::shim::containerd::shim::Shim;
use crate::shim::containerd::streams::{Stream, Streams};
use crate::sys::terminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SERVICES: [&str; 2] = ["containerd.task.v2.Task", "containerd.task.v3.Task"];

impl Shim {
    pub(super) fn handle(&mut self, call: Call, request: &Request) -> Reply {
        if (&*request.service, &*request.method) == OWN_REQUEST {
            return self.forget(&read(request)?);
        }
        if let Some(Name { container, exec }) = named(request)
            // The second field of these is something else.
            && let other = matches!(&*request.method, "Create" | "Checkpoint" | "Update")
            && let exec = if other { String::new() } else { exec }
            && let Some(wrong) = [container, exec].into_iter().find(|id| !is_id(id))
        {
            return Err(
                Code::InvalidArgument.saying(format!("{wrong:?} is no id: use letters, digits, _, . and -"))
            );
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
            "Checkpoint" => self.checkpoint(call, read(request)?),
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

    /// Whether another call changes this container now; then this one waits for it.
    pub(super) fn is_busy(&mut self, call: Call, id: &str) -> bool {
        let busy = self.busy.contains_key(id);
        if busy {
            self.postpone(call, Instant::now() + Duration::from_millis(20));
        }
        busy
    }

    /// Begins what changes a container, when no other call does ([`Shim::is_busy`]); the answer comes later.
    pub(super) fn when_free(
        &mut self,
        call: Call,
        id: &str,
        begin: impl FnOnce(&mut Shim) -> Result<()>,
    ) -> Reply {
        if self.is_busy(call, id) {
            return Ok(None);
        }
        begin(self).map(|()| None).map_err(|error| internal(&error))
    }

    /// Changes a container by the engine, in a thread, and goes on with what that has come to. No other call may change it
    /// meanwhile ([`Shim::is_busy`]).
    pub(super) fn in_turn<R: Send + 'static>(
        &mut self,
        call: Call,
        container: &Container,
        work: impl FnOnce(&Runtime) -> R + Send + 'static,
        then: impl FnOnce(&mut Shim, R) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let (runtime, id) = (self.runtime(container, self.observer())?, container.id.clone());
        self.busy.insert(id.clone(), ());
        self.begin(Rank::Container, move || {
            let result = work(&runtime);
            Box::new(move |shim: &mut Shim| {
                let finished = then(shim, result);
                shim.busy.remove(&id);
                shim.later.clear();
                shim.must_answer(call, finished);
            })
        });
        Ok(())
    }

    /// What has failed on the way to an answer is the answer.
    pub(super) fn must_answer(&mut self, call: Call, finished: Result<()>) {
        let Err(error) = finished else { return };
        self.log.warn(&error.clone().doing("the shim"));
        if self.begun.contains_key(&call)
            && let Err(error) = self.answer_now(call, Err(internal(&error)))
        {
            self.log.warn(&error.doing("the shim"));
        }
    }

    fn wait(&mut self, request: &ProcessRequest) -> Reply {
        let process = self.process(&request.id, &request.exec_id)?;
        // Otherwise `answer_waits` finds it when the process ends.
        if process.phase() == Phase::Ended { said(&wait_response(&process)) } else { Ok(None) }
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
        let first = self.process(&request.id, "")?;
        let ended = first.phase() == Phase::Ended;
        let engine = self.plain_engine(&container).map_err(|error| internal(&error))?;
        let pids = match engine.pids(&request.id) {
            // A containerd that starts anew takes a task without processes for a leftover, and its exit status is lost.
            Ok(none) if ended && none.is_empty() => vec![first.pid],
            Err(_) if ended => vec![first.pid],
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
        let keeper = if self.keeper_is_gone { nix::unistd::getpid() } else { nix::unistd::getppid() };
        let shim_pid = keeper.as_raw() as u32;
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
}
