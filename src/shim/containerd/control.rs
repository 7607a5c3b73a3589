//! What is done to a task that runs: `Kill`, `Pause`, `Resume`, `Update`.

use crate::engine::Recipients;
use crate::error::{Kind, Result};
use crate::shim::containerd::ends::event;
use crate::shim::containerd::jobs::Rank;
use crate::shim::containerd::model::{Call, Container, Phase, Record};
use crate::shim::containerd::protocol::event_messages as events;
use crate::shim::containerd::protocol::frames::Code;
use crate::shim::containerd::protocol::messages::{KillRequest, ProcessRequest, UpdateRequest};
use crate::shim::containerd::replies::{Reply, internal, nothing, status_of};
use crate::shim::containerd::runtime::Runtime;
use crate::shim::containerd::shim::Shim;
use crate::sys::{Errno, process as processes};
use std::os::fd::AsFd;

impl Shim {
    pub(super) fn kill(&mut self, call: Call, request: KillRequest) -> Reply {
        let process = self.process(&request.id, &request.exec_id)?;
        let finished = || Code::NotFound.saying("process already finished: not found");
        let signal = request.signal as i32;
        if !request.exec_id.is_empty() {
            // containerd 1.6 takes "not found" for an end that it will hear of, and waits for a minute.
            if process.phase() == Phase::Begun {
                return Err(Code::FailedPrecondition.saying("process not created: failed precondition"));
            }
            let Some(life) = self.lives.get(&process.number) else { return Err(finished()) };
            return match processes::pidfd_send_signal(life.pidfd.as_fd(), signal) {
                Ok(()) => nothing(),
                Err(Errno(libc::ESRCH)) => Err(finished()),
                Err(e) => Err(status_of(&e.because("send the signal"), "")),
            };
        }
        let ended = process.phase() == Phase::Ended;
        if ended && !request.all {
            return Err(finished());
        }
        let container = self.container(&request.id)?;
        let runtime = self.runtime(&container, self.observer()).map_err(|error| internal(&error))?;
        self.begin(Rank::Signal, move || {
            let recipients = if request.all { Recipients::All } else { Recipients::FirstProcess };
            let killed = runtime.kill(&request.id, signal, recipients);
            Box::new(move |shim: &mut Shim| {
                let answer = match killed {
                    Ok(()) => Ok(Vec::new()),
                    // All of none.
                    Err(_) if ended => Ok(Vec::new()),
                    Err(error) if error.detail().kind == Kind::WrongState => Err(finished()),
                    Err(error) => Err(status_of(&error, "")),
                };
                let finished = shim.answer_now(call, answer);
                shim.must_answer(call, finished);
            })
        });
        Ok(None)
    }

    pub(super) fn pause(&mut self, call: Call, request: &ProcessRequest, pause: bool) -> Reply {
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
        let (id, changed) = (request.id.clone(), container.clone());
        let work = move |runtime: &Runtime| if pause { runtime.pause(&id) } else { runtime.resume(&id) };
        let then = move |shim: &mut Shim, done| shim.paused(call, changed, pause, done);
        self.when_free(call, &request.id, |shim| shim.in_turn(call, &container, work, then))
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

    pub(super) fn update(&mut self, call: Call, request: UpdateRequest) -> Reply {
        let container = self.container(&request.id)?;
        let missing = || Code::InvalidArgument.saying("an update needs resources");
        let resources = request.resources.ok_or_else(missing)?.value;
        let updated = container.clone();
        let work = move |runtime: &Runtime| runtime.update(&updated, resources);
        let then = move |shim: &mut Shim, updated: Result<()>| {
            shim.answer_now(call, updated.map(|()| Vec::new()).map_err(|error| status_of(&error, "")))
        };
        self.when_free(call, &container.id, |shim| shim.in_turn(call, &container, work, then))
    }
}
