//! How processes end, and how that is never lost: it is noted before it is reaped, and what a killed shim has left is
//! reaped, and kept, by the keeper.

use crate::cgroup::oom::Seen;
use crate::engine::Recipients;
use crate::error::Result;
use crate::shim::containerd::jobs::Rank;
use crate::shim::containerd::model::{Call, Event, Name, Pending, Phase, Process, Record, Timestamp};
use crate::shim::containerd::protocol::event_messages::{ContainerEvent, ExitedEvent};
use crate::shim::containerd::protocol::frames::Code;
use crate::shim::containerd::protocol::messages::WaitResponse;
use crate::shim::containerd::replies::named;
use crate::shim::containerd::shim::{Life, Shim};
use crate::shim::containerd::streams::Part;
use crate::shim::link::how_it_ended;
use crate::sys::wait::{self, Ended};
use prost::Message;
use std::os::fd::AsFd;

impl Shim {
    /// The process of this number has ended.
    pub(super) fn look_at_end(&mut self, number: u64) -> Result<()> {
        let keeper_is_gone = self.keeper_is_gone;
        let Some(life) = self.lives.get_mut(&number) else { return Ok(()) };
        life.ended = true;
        let told = self.endings.get(&life.pid).copied();
        match how_it_ended(life.pidfd.as_fd(), told, keeper_is_gone, &mut life.orphan) {
            Some(ended) => self.has_ended(number, ended),
            None => Ok(()),
        }
    }

    /// The same where it has ended while something else was done.
    pub(super) fn look_at_ended(&mut self, number: u64) -> Result<()> {
        if self.lives.get(&number).is_some_and(|life| life.ended) { self.look_at_end(number) } else { Ok(()) }
    }

    /// The keeper reports no end after this: those that it has not reported are looked for here.
    pub(super) fn keeper_has_gone(&mut self) -> Result<()> {
        self.keeper_is_gone = true;
        let ended: Vec<u64> =
            self.lives.iter().filter(|(_, life)| life.ended).map(|(number, _)| *number).collect();
        ended.into_iter().try_for_each(|number| self.look_at_end(number))
    }

    /// PID 1 may have reaped by now what was orphaned by the ends of an earlier shim and of the keeper.
    pub(super) fn look_at_orphans(&mut self) -> Result<()> {
        let orphans: Vec<u64> = self
            .lives
            .iter()
            .filter(|(_, life)| life.orphan.is_unknown())
            .map(|(number, _)| *number)
            .collect();
        orphans.into_iter().try_for_each(|number| self.look_at_end(number))
    }

    /// The keeper has reaped this process.
    pub(super) fn keeper_told_end(&mut self, pid: i32) -> Result<()> {
        let ended = self.lives.iter().find(|(_, life)| life.pid == pid).map(|(number, _)| *number);
        let Some(&how) = self.endings.get(&pid) else { return Ok(()) };
        if let Some(number) = ended {
            if let Some(life) = self.lives.get_mut(&number) {
                life.ended = true;
            }
            self.has_ended(number, how)?;
        }
        // Noted, or not one of ours: an orphan. But what a call starts just now may be of another runtime's, and known only
        // when the call returns.
        if ended.is_some() || self.jobs.is_empty() {
            self.heard_end(pid)?;
        }
        Ok(())
    }

    fn heard_end(&mut self, pid: i32) -> Result<()> {
        if self.lives.values().any(|life| life.pid == pid) || self.endings.remove(&pid).is_none() {
            return Ok(());
        }
        self.keeper.heard(pid)
    }

    /// No call is left that could have started them.
    pub(super) fn forget_orphans(&mut self) -> Result<()> {
        if !self.jobs.is_empty() {
            return Ok(());
        }
        let pids: Vec<i32> = self.endings.keys().copied().collect();
        pids.into_iter().try_for_each(|pid| self.heard_end(pid))
    }

    /// A process of a removed container is not waited for any more.
    pub(super) fn refuse_waits(&mut self, container: &str) -> Result<()> {
        let names: Vec<Name> =
            self.desk().model.processes_of(container).map(|process| process.name.clone()).collect();
        for name in names {
            for call in self.waits_for(&name) {
                let gone = Code::NotFound.saying("the task was deleted: not found");
                self.answer_now(call, Err(gone))?;
            }
        }
        Ok(())
    }

    fn has_ended(&mut self, number: u64, how: Ended) -> Result<()> {
        let Some(life) = self.lives.get(&number) else { return Ok(()) };
        let name = life.name.clone();
        let (first, own_pids) = (name.exec.is_empty(), self.has_own_pids(&name.container));
        // With its pid namespace all of its processes end: they are heard of before it is.
        if self.starting.contains_key(&number) {
            return Ok(());
        }
        let others = |shim: &Shim| {
            shim.lives
                .values()
                .any(|other| other.name.container == name.container && !other.name.exec.is_empty())
        };
        if first && own_pids && others(self) {
            return Ok(());
        }
        let mut events = Vec::new();
        if first && self.look_at_oom(number)? {
            events.push(event(
                "/tasks/oom",
                "TaskOOM",
                &ContainerEvent { container_id: name.container.clone() },
            ));
        }
        let Some(process) = self.desk().model.processes.get(&name).cloned() else { return Ok(()) };
        let (status, ended) = (how.code() as u32, Timestamp::now());
        let exited = ExitedEvent {
            container_id: name.container.clone(),
            id: if first { name.container.clone() } else { name.exec.clone() },
            pid: process.pid as u32,
            exit_status: status,
            exited_at: Some(ended),
        };
        // What was never started has no end that a client waits for, but its client is told of it nevertheless.
        events.push(event("/tasks/exit", "TaskExit", &exited));
        let process = Process { phase: Phase::Ended.into(), status, ended: Some(ended), ..process };
        self.note(Record { process: Some(process), events, ..Record::default() })?;
        let Some(life) = self.lives.remove(&number) else { return Ok(()) };
        self.epoll.forget(life.pidfd.as_fd());
        // Not ours to reap where the keeper has done so.
        let _ = wait::try_reap(life.pidfd.as_fd());
        if self.endings.remove(&life.pid).is_some() {
            self.keeper.heard(life.pid)?;
        }
        Part::Pidfd.let_go(Part::Answer, number, &self.keeper)?;
        self.answer_waits(&name)?;
        if first {
            self.ooms.remove(&number);
            if !own_pids {
                self.kill_rest(&name.container)?;
            }
        } else if let Some(first) = self.first_that_waits(&name.container) {
            self.look_at_end(first)?;
        }
        Ok(())
    }

    /// A first process whose end is held back until the others' were told.
    fn first_that_waits(&self, container: &str) -> Option<u64> {
        let is_it =
            |life: &&Life| life.name.container == container && life.name.exec.is_empty() && life.ended;
        self.lives.iter().find(|(_, life)| is_it(life)).map(|(number, _)| *number)
    }

    fn has_own_pids(&self, container: &str) -> bool {
        self.desk().model.containers.get(container).is_none_or(|container| container.own_pids)
    }

    /// Without a pid namespace of its own a container's processes go on without the first one.
    fn kill_rest(&mut self, id: &str) -> Result<()> {
        let Some(container) = self.desk().model.containers.get(id).cloned() else { return Ok(()) };
        let (runtime, id) = (self.runtime(&container, self.observer())?, id.to_owned());
        self.begin(Rank::Signal, move || {
            let killed = runtime.kill(&id, libc::SIGKILL, Recipients::All);
            Box::new(move |shim: &mut Shim| {
                // Nothing is left, as a rule.
                if let Err(error) = killed {
                    shim.log.debug(&format!("{error}"));
                }
            })
        });
        Ok(())
    }

    /// Whether memory ran out since the last look; then it is told.
    pub(super) fn look_at_oom(&mut self, number: u64) -> Result<bool> {
        let Some(oom) = self.ooms.get_mut(&number) else { return Ok(false) };
        let seen = oom.look().unwrap_or(Seen::Gone);
        if seen == Seen::Gone {
            let (fd, _) = oom.watched();
            self.epoll.forget(fd);
            self.ooms.remove(&number);
        }
        let Some(life) = self.lives.get(&number).filter(|_| seen == Seen::Killed) else { return Ok(false) };
        if life.ended {
            return Ok(true);
        }
        let told =
            event("/tasks/oom", "TaskOOM", &ContainerEvent { container_id: life.name.container.clone() });
        // One that is not published yet says it: a container may run out of memory all the time while containerd is away.
        let is_it = |other: &Event| other.kind == told.kind && other.body == told.body;
        if self.desk().model.events.iter().any(is_it) {
            return Ok(false);
        }
        self.note(Record { events: vec![told], ..Record::default() })?;
        Ok(false)
    }

    fn waits_for(&self, name: &Name) -> Vec<Call> {
        let desk = self.desk();
        let is_wait = |pending: &Pending| {
            pending.request.method == "Wait" && named(&pending.request).as_ref() == Some(name)
        };
        desk.model.calls().filter(|(_, pending)| is_wait(pending)).map(|(call, _)| call).collect()
    }

    fn answer_waits(&mut self, name: &Name) -> Result<()> {
        for call in self.waits_for(name) {
            let answer = self.desk().model.processes.get(name).map(wait_response);
            if let Some(answer) = answer {
                self.answer_now(call, Ok(answer.encode_to_vec()))?;
            }
        }
        Ok(())
    }
}

pub(super) fn wait_response(process: &Process) -> WaitResponse {
    WaitResponse { exit_status: process.status, exited_at: process.ended }
}

pub(super) fn event(topic: &str, kind: &str, body: &impl Message) -> Event {
    Event {
        topic: topic.to_owned(),
        kind: format!("containerd.events.{kind}"),
        body: body.encode_to_vec(),
        time: Some(Timestamp::now()),
    }
}
