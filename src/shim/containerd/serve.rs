//! The loop of the shim proper: the keeper, connections, streams, the ends of processes.
//!
//! It may be killed at any instant. What came over a connection is noted before it is acted on, what was done before it is
//! answered, how a process ended before it is reaped; the keeper holds every descriptor that counts. So a successor reads
//! the journal, takes the descriptors, and does what has no answer yet, some of it for the second time: every call is
//! written so that this changes nothing.

use crate::engine::{keep_all_room, release};
use crate::error::{Error, Result};
use crate::report::{Format, Log, Verbosity};
use crate::shim::containerd::info::socket_of;
use crate::shim::containerd::jobs::Jobs;
use crate::shim::containerd::model::{Call, Chunk, Desk, Pending, Phase, Process, Record, Timestamp};
use crate::shim::containerd::protocol::frames::Code;
use crate::shim::containerd::publisher::{Progress, Publisher};
use crate::shim::containerd::replies::named;
use crate::shim::containerd::shim::{
    CONNECTION, END, JOBS, KEEPER, KIND, LOG, LOGGER, LOOK, OOM, PUBLISHER, STREAM, Shim,
};
use crate::shim::containerd::streams::{Moved, Part, Stream, Streams};
use crate::shim::link::{Held, Keeper, Left, Said, UNKNOWN};
use crate::shim::table::Table;
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::inbox::Inbox;
use crate::sys::wait::{self, Ended};
use crate::sys::{Errno, memory, poll, socket};
use crate::wire::keeper::{ACCEPTED, OWN};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long nothing is done before memory is let go: longer than between two probes.
const CALM: Duration = Duration::from_secs(3);
/// A request that was there when so many shims have ended by themselves is refused.
const CRASHES: u32 = 3;

/// The shim proper. Returns when the keeper has been told not to start another.
pub fn serve() -> Result<()> {
    keep_all_room()?;
    let keeper = Keeper::take()?;
    let Left { journal, held, endings, last } = keeper.left()?;
    let inbox = Inbox::map(journal.as_fd()).map_err(|e| e.because("map the inbox"))?;
    let desk = Desk::open(journal)?;
    let detail = if desk.model.settings.debug { Verbosity::Debug } else { Verbosity::Usual };
    let publisher = Publisher::new(&desk.model.settings.events);
    let mut shim = Shim {
        epoll: Epoll::new().map_err(|e| e.because("epoll_create"))?,
        keeper: Arc::new(keeper),
        keeper_is_gone: false,
        desk: Arc::new(Mutex::new(desk)),
        inbox,
        connections: Table::new(),
        lives: Table::new(),
        streams: Table::new(),
        ooms: Table::new(),
        starting: Table::new(),
        loggers: Table::new(),
        endings,
        jobs: Jobs::new()?,
        begun: Table::new(),
        busy: Table::new(),
        later: Table::new(),
        inherited: Table::new(),
        deleting: Table::new(),
        unsent: Table::new(),
        publisher,
        log: Arc::new(Log::stderr(Format::Text, detail)),
        idle: None,
        look: None,
        finishing: None,
    };
    // SIGKILL is what ends a shim from outside, by an operator or for want of memory.
    let crashed = ![Ended::Signaled(libc::SIGKILL), Ended::Exited(0)].contains(&last);
    shim.take_over(held, crashed)?;
    shim.keeper.begun()?;
    shim.run()
}

impl Shim {
    /// What a predecessor has left: descriptors, and what was received and not noted.
    fn take_over(&mut self, mut held: Held, crashed: bool) -> Result<()> {
        if crashed {
            self.note(Record { crashed: true, ..Record::default() })?;
        }
        let received =
            |shim: &Shim, name: u64| shim.desk().model.connections.get(&name).map_or(0, |c| c.received);
        if let Some((connection, before, bytes)) = self.inbox.left()
            && received(self, connection) == before
        {
            let chunk = Chunk { connection, bytes: bytes.to_vec() };
            self.note(Record { chunk: Some(chunk), ..Record::default() })?;
        }
        self.inbox.forget();
        let processes: Vec<Process> = self.desk().model.processes.values().cloned().collect();
        for process in processes {
            self.take_process(&process, &mut held)?;
        }
        for (name, fd) in held {
            if name >= ACCEPTED {
                self.connect(name, fd)?;
            } else if name >= OWN {
                // Of a process that came no further.
                self.keeper.let_go(name)?;
            }
        }
        let gone: Vec<u64> = self.desk().model.connections.keys().copied().collect();
        for name in gone.into_iter().filter(|name| !self.connections.contains_key(name)) {
            self.note(Record { closed: Some(name), ..Record::default() })?;
        }
        let inherited = self.desk().model.calls().map(|(call, _)| (call, ())).collect();
        self.inherited = inherited;
        if self.desk().model.settings.finishing {
            self.set_finishing(true)?;
        }
        let unsent: Vec<i32> = self.endings.keys().copied().collect();
        unsent.into_iter().try_for_each(|pid| self.keeper_told_end(pid))
    }

    fn run(&mut self) -> Result<()> {
        self.watch(KEEPER, 0, self.keeper.fd(), Interest::READ)?;
        self.watch(JOBS, 0, self.jobs.fd(), Interest::READ)?;
        // What is no fifo cannot be watched, and has no reader that could go.
        let _ = self.epoll.watch_other_end(std::io::stderr().as_fd(), LOG << KIND);
        loop {
            self.serve_requests()?;
            self.publish()?;
            if self.finishing.is_none() && self.is_abandoned() {
                self.set_finishing(true)?;
            }
            if self.is_over() {
                self.remove_files();
                return self.keeper.finish(0);
            }
            let events = self.epoll.wait(self.deadline());
            self.rest(matches!(&events, Ok(events) if events.is_empty()));
            for event in events.map_err(|e| e.because("epoll_wait"))? {
                // What fails for one process, or one client, is no reason to leave the others.
                let acted = self.act(event >> KIND, event & ((1 << KIND) - 1));
                acted.unwrap_or_else(|error| self.log.warn(&error.doing("the shim")));
            }
            self.act_in_time().unwrap_or_else(|error| self.log.warn(&error.doing("the shim")));
        }
    }

    /// A shim that waits holds little.
    fn rest(&mut self, is_idle: bool) {
        let now = Instant::now();
        if !is_idle {
            self.idle = Some(now + CALM);
        } else if self.idle.is_some_and(|idle| idle <= now) {
            self.idle = None;
            // Otherwise it stays.
            let _ = memory::let_go_of_code();
        }
    }

    /// The containerd that had this shim started has ended without a container in it: nothing would ever ask it to end. The
    /// next containerd takes away what it finds.
    fn is_abandoned(&self) -> bool {
        self.connections.is_empty()
            && self.desk().model.containers.is_empty()
            && poll::is_unread(std::io::stderr().as_fd())
    }

    /// Nothing is left to do, or to tell, or containerd has not taken the rest in time.
    fn is_over(&self) -> bool {
        let Some(deadline) = self.finishing.filter(|_| self.desk().model.containers.is_empty()) else {
            return false;
        };
        let told = self.desk().model.events.is_empty() && self.unsent.is_empty() && self.jobs.is_empty();
        told || deadline <= Instant::now()
    }

    fn deadline(&self) -> Option<Instant> {
        let later = self.later.values().min().copied();
        let thread = self.jobs.wait().then(|| Instant::now() + LOOK);
        let orphan = self.lives.values().filter_map(|life| life.orphan.due()).min();
        [self.look, later, thread, orphan, self.publisher.due(), self.finishing, self.idle]
            .into_iter()
            .flatten()
            .min()
    }

    fn act(&mut self, kind: u64, which: u64) -> Result<()> {
        match kind {
            KEEPER => self.hear_keeper(),
            JOBS => {
                for finish in self.jobs.finished() {
                    finish(self);
                }
                self.forget_orphans()
            }
            CONNECTION => self.hear(ACCEPTED | which),
            END => self.look_at_end(which),
            STREAM => self.move_bytes(which / 4, Stream::ALL[(which % 4) as usize % 3]),
            OOM => self.look_at_oom(which).map(drop),
            LOGGER => {
                // One of a predecessor is the keeper's to reap.
                if let Some(logger) = self.loggers.remove(&which) {
                    let _ = wait::reap(logger.pidfd.as_fd());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn act_in_time(&mut self) -> Result<()> {
        let now = Instant::now();
        self.later.retain(|_, time| *time > now);
        self.jobs.retry();
        self.look_at_orphans()?;
        if self.look.is_some_and(|look| look <= now) {
            self.look = None;
            let all: Vec<u64> = self.streams.keys().copied().collect();
            for number in all {
                for stream in Stream::ALL {
                    let waits = self
                        .streams
                        .get(&number)
                        .is_some_and(|s| s.runs(stream) && s.watched(stream).is_none());
                    if waits {
                        self.move_bytes(number, stream)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn hear_keeper(&mut self) -> Result<()> {
        while let Some(said) = self.keeper.hear(false)? {
            match said {
                Said::Held(name, fd) if name >= ACCEPTED => self.connect(name, fd)?,
                Said::Held(..) | Said::All(_) => {}
                Said::Ended(pid, ended) => {
                    self.endings.insert(pid, ended);
                    self.keeper_told_end(pid)?;
                }
                Said::Gone => {
                    // We hold what it held. What is orphaned from now on is ours to reap.
                    self.epoll.forget(self.keeper.fd());
                    self.log.warn(&Error::new("the keeper has ended: a kill of this shim is final now"));
                    return self.keeper_has_gone();
                }
            }
        }
        Ok(())
    }

    fn connect(&mut self, name: u64, fd: OwnedFd) -> Result<()> {
        if !socket::is_of_root_or_us(fd.as_fd()) {
            // Its directory keeps other users away from the socket already.
            return self.keeper.let_go(name);
        }
        self.watch(CONNECTION, name & !ACCEPTED, fd.as_fd(), Interest::READ)?;
        self.connections.insert(name, fd);
        self.publisher.hurry();
        Ok(())
    }

    fn hear(&mut self, name: u64) -> Result<()> {
        // While a client has not read an answer, no more is read of it.
        if self.unsent.keys().any(|call| call.connection == name) {
            return self.send_rest(name);
        }
        let Some(socket) = self.connections.get(&name) else { return Ok(()) };
        let before = self.desk().model.connections.get(&name).map_or(0, |connection| connection.received);
        let chunk = match self.inbox.receive(socket.as_fd(), name, before) {
            Ok([]) | Err(Errno(libc::ECONNRESET)) => return self.disconnect(name),
            Ok(bytes) => Chunk { connection: name, bytes: bytes.to_vec() },
            Err(Errno(libc::EAGAIN)) => return Ok(()),
            Err(e) => {
                self.log.warn(&e.because("read a request"));
                return self.disconnect(name);
            }
        };
        let noted = self.note(Record { chunk: Some(chunk), ..Record::default() });
        self.inbox.forget();
        if let Err(error) = noted {
            // What follows would be read as something else.
            self.log.warn(&error.doing("note a request: its connection is closed"));
            return self.disconnect(name);
        }
        let malformed =
            self.desk().model.connections.get(&name).is_some_and(|connection| connection.malformed);
        if malformed {
            let text = "a client has sent what is no request, or too much of them: its connection is closed";
            self.log.warn(&Error::new(text));
            return self.disconnect(name);
        }
        Ok(())
    }

    pub(super) fn disconnect(&mut self, name: u64) -> Result<()> {
        if let Some(socket) = self.connections.remove(&name) {
            self.epoll.forget(socket.as_fd());
        }
        self.unsent.retain(|call, _| call.connection != name);
        self.later.retain(|call, _| call.connection != name);
        self.deleting.retain(|call, _| call.connection != name);
        for calls in [&mut self.begun, &mut self.inherited] {
            calls.retain(|call, ()| call.connection != name);
        }
        self.note(Record { closed: Some(name), ..Record::default() })?;
        self.keeper.let_go(name)
    }

    fn serve_requests(&mut self) -> Result<()> {
        // Most that there are wait for the end of a process.
        let waits = |call: &Call| {
            self.begun.contains_key(call) || self.unsent.contains_key(call) || self.later.contains_key(call)
        };
        let calls: Vec<Call> =
            self.desk().model.calls().map(|(call, _)| call).filter(|call| !waits(call)).collect();
        for call in calls {
            let pending = self.desk().model.pending(call).cloned();
            match pending {
                // Another that is served before it has had it answered.
                Some(_) if self.unsent.contains_key(&call) => {}
                None => {}
                // A predecessor's answer, which may have been sent.
                Some(Pending { answer: Some(frame), .. }) => self.send(call, frame)?,
                Some(pending) => self.serve_request(call, &pending)?,
            }
        }
        Ok(())
    }

    fn serve_request(&mut self, call: Call, pending: &Pending) -> Result<()> {
        self.begun.insert(call, ());
        // One that waits does nothing that could have ended them.
        if pending.crashes >= CRASHES && pending.request.method != "Wait" {
            let method = &pending.request.method;
            let text = format!("{method}: the shim has ended {CRASHES} times while it was at this request");
            return self.answer(call, Err(Code::Internal.saying(text)), Record::default());
        }
        if self.log.wants_debug() {
            let name = named(&pending.request).unwrap_or_default();
            self.log.debug(&format!("{} {} {}", pending.request.method, name.container, name.exec));
        }
        match self.handle(call, &pending.request) {
            Ok(None) => Ok(()),
            Ok(Some(payload)) => self.answer_now(call, Ok(payload)),
            Err(status) => self.answer_now(call, Err(status)),
        }
    }

    fn send_rest(&mut self, name: u64) -> Result<()> {
        let Some(socket) = self.connections.get(&name) else { return Ok(()) };
        self.watch(CONNECTION, name & !ACCEPTED, socket.as_fd(), Interest::READ)?;
        let calls: Vec<Call> = self.unsent.keys().filter(|call| call.connection == name).copied().collect();
        for call in calls {
            if let Some(frame) = self.unsent.remove(&call) {
                self.send(call, frame)?;
            }
        }
        Ok(())
    }

    fn move_bytes(&mut self, number: u64, stream: Stream) -> Result<()> {
        let keeper = Arc::clone(&self.keeper);
        let Some(streams) = self.streams.get_mut(&number) else { return Ok(()) };
        let side = |streams: &Streams| streams.watched(stream).map(|(fd, _)| fd.as_raw_fd());
        let before = side(streams);
        let moved = streams.advance(stream, &keeper);
        if matches!(moved, Ok(Moved::Waits)) && side(streams) == before {
            return Ok(());
        }
        streams.sides(stream).into_iter().flatten().for_each(|fd| self.epoll.forget(fd));
        match moved? {
            Moved::Ended => {
                streams.close(stream, &keeper)?;
                if !streams.has_output() {
                    // What waits for the end of output.
                    self.later.clear();
                }
                Ok(())
            }
            Moved::Later => {
                self.look = Some(Instant::now() + LOOK);
                Ok(())
            }
            Moved::Waits => self.watch_stream(number, stream),
        }
    }

    /// A process that a predecessor knew.
    fn take_process(&mut self, process: &Process, held: &mut Held) -> Result<()> {
        let number = process.number;
        let streams = Streams::take(number, held);
        if !streams.is_idle() {
            self.streams.insert(number, streams);
            self.watch_streams(number)?;
        }
        let phase = process.phase();
        // One without a pid comes from a checkpoint, by `Start`.
        if phase == Phase::Ended || phase == Phase::Begun || process.pid == 0 {
            return Ok(());
        }
        let Some(pidfd) = held.remove(&Part::Pidfd.of(number)) else {
            // It is handed over before its pid is noted, so this does not happen; a shim that ended here would do so for
            // ever.
            self.log.warn(&Error::new(format!("the keeper holds no descriptor of process {}", process.pid)));
            let process = Process {
                phase: Phase::Ended.into(),
                status: UNKNOWN.code() as u32,
                ended: Some(Timestamp::now()),
                ..process.clone()
            };
            return self.note(Record { process: Some(process), ..Record::default() });
        };
        if phase == Phase::Released {
            if let Some(word) = held.remove(&Part::Word.of(number)) {
                release(word.as_fd()).map_err(|e| e.because("release an exec"))?;
            }
            let process = Process { phase: Phase::Running.into(), ..process.clone() };
            self.note(Record { process: Some(process), ..Record::default() })?;
        }
        self.live(process, pidfd)?;
        if process.name.exec.is_empty() {
            self.watch_oom(&process.name.container, number);
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<()> {
        loop {
            let (namespace, event) = {
                let desk = self.desk();
                let Some(event) = desk.model.events.front() else { return Ok(()) };
                (desk.model.settings.namespace.clone(), event.clone())
            };
            match self.publisher.advance(&namespace, &event) {
                Progress::Done => self.note(Record { published: true, ..Record::default() })?,
                Progress::Waits => {
                    let watched = self.publisher.watched();
                    let name = PUBLISHER << KIND;
                    return watched.map_or(Ok(()), |(fd, interest)| {
                        self.epoll.watch(fd, name, interest).map_err(|e| e.because("epoll_ctl"))
                    });
                }
            }
        }
    }

    /// The socket, and what leads to it: not what leads to another one of the same pod by now.
    fn remove_files(&self) {
        let desk = self.desk();
        let [socket, pod] = &desk.model.settings.files[..] else { return };
        let leads =
            std::fs::read_to_string(pod).is_ok_and(|address| socket_of(&address) == Path::new(socket));
        for path in [Some(socket), Some(pod).filter(|_| leads)].into_iter().flatten() {
            // One that is gone is what is wanted.
            let _ = std::fs::remove_file(path);
        }
    }
}
