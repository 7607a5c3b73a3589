//! The shim proper under containerd: one loop over the keeper, connections, streams, and the ends of processes.
//!
//! It may be killed at any instant. What came over a connection is noted before it is acted on, what was done before it is
//! answered, how a process ended before it is reaped; the keeper holds every descriptor that counts. So a successor reads
//! the journal, takes the descriptors, and does what has no answer yet, some of it for the second time: every call below is
//! written so that this changes nothing.

use crate::cgroup::oom::OomKills;
use crate::engine::{Buses, CgroupManager, Engine, Event, Observer, OpenFiles, Rootless, Watch, keep_room};
use crate::error::{Error, Result};
use crate::report::{Format, Log, Verbosity};
use crate::shim::containerd::publisher::{Progress, Publisher};
use crate::shim::containerd::start;
use crate::shim::frames::{self, RESPONSE, Response, Status};
use crate::shim::jobs::{Finish, Jobs};
use crate::shim::link::{Keeper, Said};
use crate::shim::model::{Answer, Call, Chunk, Container, Desk, Name, Phase, Process, Record, Timestamp};
use crate::shim::stdio::{Held, Moved, Part, Stream, Streams};
use crate::state::{NoRoot, Store};
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::inbox::Inbox;
use crate::sys::launch::Child;
use crate::sys::{Errno, file, pipe, wait};
use crate::wire::keeper::{ACCEPTED, JOURNAL, OWN};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What an event of epoll is about: the kind above, which one below.
const KIND: u64 = 48;
const KEEPER: u64 = 1;
const JOBS: u64 = 2;
const CONNECTION: u64 = 3;
const END: u64 = 4;
const STREAM: u64 = 5;
const OOM: u64 = 6;
const PUBLISHER: u64 = 7;
const LOGGER: u64 = 8;

/// Between two looks at what cannot be polled: a full disk, a client that has not come.
const LOOK: Duration = Duration::from_millis(100);
/// A request that was there when so many shims have ended by themselves is refused.
const CRASHES: u32 = 3;
/// Of answers that a client has not read: while there are any, no more is read of it.
const ANSWERS: usize = 1;

pub struct Shim {
    pub(super) epoll: Epoll,
    pub(super) keeper: Arc<Keeper>,
    keeper_is_gone: bool,
    desk: Arc<Mutex<Desk>>,
    inbox: Inbox,
    connections: BTreeMap<u64, OwnedFd>,
    /// Processes whose end has not been noted, by their numbers.
    pub(super) lives: BTreeMap<u64, Life>,
    pub(super) streams: BTreeMap<u64, Streams>,
    pub(super) ooms: BTreeMap<u64, OomKills>,
    /// First processes that are being started: their end is told after that.
    pub(super) starting: BTreeSet<u64>,
    /// Programs that read the output of processes, which end when that does.
    pub(super) loggers: BTreeMap<u64, Child>,
    /// Of the keeper's children.
    pub(super) endings: BTreeMap<i32, u32>,
    jobs: Jobs<Shim>,
    /// What this shim is at, and what waits until something else is done.
    pub(super) begun: BTreeSet<Call>,
    pub(super) busy: BTreeSet<String>,
    pub(super) later: BTreeMap<Call, Instant>,
    /// Requests that were there when this shim began: a predecessor may have been at them.
    pub(super) inherited: BTreeSet<Call>,
    /// Since when deletions wait for output.
    pub(super) deleting: BTreeMap<Call, Instant>,
    /// Answers for which there was no room.
    unsent: BTreeMap<Call, Vec<u8>>,
    publisher: Publisher,
    pub(super) log: Arc<Log>,
    /// Streams are to be looked at again then.
    look: Option<Instant>,
    pub(super) finishing: Option<Instant>,
}

/// A process that runs, or waits for start.
pub(super) struct Life {
    pub name: Name,
    pub pid: i32,
    pub pidfd: OwnedFd,
    /// It has ended; what is missing is how.
    pub ended: bool,
}

/// The shim proper. Returns when the keeper has been told not to start another.
pub fn serve() -> Result<()> {
    keep_room()?;
    let keeper = Keeper::take()?;
    let mut held = Held::new();
    let mut endings = BTreeMap::new();
    let last = loop {
        match keeper.hear(true)? {
            Some(Said::Held(name, fd)) => drop(held.insert(name, fd)),
            Some(Said::Ended(pid, status)) => drop(endings.insert(pid, status)),
            Some(Said::All(last)) => break last,
            Some(Said::Gone) | None => return Err(Error::new("the keeper has ended")),
        }
    };
    let journal = held.remove(&JOURNAL).ok_or_else(|| Error::new("the keeper holds no journal"))?;
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
        connections: BTreeMap::new(),
        lives: BTreeMap::new(),
        streams: BTreeMap::new(),
        ooms: BTreeMap::new(),
        starting: BTreeSet::new(),
        loggers: BTreeMap::new(),
        endings,
        jobs: Jobs::new()?,
        begun: BTreeSet::new(),
        busy: BTreeSet::new(),
        later: BTreeMap::new(),
        inherited: BTreeSet::new(),
        deleting: BTreeMap::new(),
        unsent: BTreeMap::new(),
        publisher,
        log: Arc::new(Log::stderr(Format::Text, detail)),
        look: None,
        finishing: None,
    };
    // SIGKILL is what ends a shim from outside, by an operator or for want of memory.
    let crashed = last & 0x7f != libc::SIGKILL as u32 && last != 0;
    shim.take_over(held, crashed)?;
    shim.run()
}

impl Shim {
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shared_desk(&self) -> Arc<Mutex<Desk>> {
        Arc::clone(&self.desk)
    }

    pub(super) fn note(&self, record: Record) -> Result<()> {
        self.desk().note(record)
    }

    /// For one call, of this container.
    pub(super) fn engine(&self, container: &Container, observer: Observer) -> Result<Engine> {
        let root = self.desk().model.settings.root.clone();
        Ok(Engine {
            store: Arc::new(Store::open(Path::new(&root), NoRoot::Make)?),
            cgroup_manager: if container.systemd { CgroupManager::Systemd } else { CgroupManager::default() },
            buses: Buses::of(|name| std::env::var(name).ok().filter(|value| !value.is_empty())),
            rootless: Rootless::Auto,
            allowed_annotations: Vec::new(),
            open_files: OpenFiles::Keep,
            watch: Watch::new(None, observer),
        })
    }

    /// An engine whose warnings go to the log.
    pub(super) fn plain_engine(&self, container: &Container) -> Result<Engine> {
        self.engine(container, self.observer())
    }

    pub(super) fn observer(&self) -> Observer {
        let log = Arc::clone(&self.log);
        Arc::new(move |event| {
            if let Event::Warning(warning) = event {
                log.warn(warning);
            }
        })
    }

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
        let names: Vec<u64> = held.keys().copied().collect();
        for name in names {
            let Some(fd) = held.remove(&name) else { continue };
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
        let desk = self.shared_desk();
        let desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
        for (connection, known) in &desk.model.connections {
            let calls = known.requests.keys().map(|stream| Call { connection: *connection, stream: *stream });
            self.inherited.extend(calls);
        }
        drop(desk);
        let unsent: Vec<i32> = self.endings.keys().copied().collect();
        unsent.into_iter().try_for_each(|pid| self.keeper_told_end(pid))
    }

    fn run(&mut self) -> Result<()> {
        self.watch(KEEPER, 0, self.keeper.fd(), Interest::READ)?;
        self.watch(JOBS, 0, self.jobs.fd(), Interest::READ)?;
        loop {
            self.serve_requests()?;
            self.publish()?;
            if self.is_over() {
                start::remove_files(&self.desk().model.settings);
                return self.keeper.finish();
            }
            for event in self.epoll.wait(self.deadline()).map_err(|e| e.because("epoll_wait"))? {
                self.act(event >> KIND, event & ((1 << KIND) - 1))?;
            }
            self.act_in_time()?;
        }
    }

    /// Nothing is left to do, or to tell, or containerd has not taken the rest in time.
    fn is_over(&self) -> bool {
        let Some(deadline) = self.finishing else { return false };
        let told = self.desk().model.events.is_empty() && self.unsent.is_empty() && self.jobs.is_empty();
        told || deadline <= Instant::now()
    }

    fn deadline(&self) -> Option<Instant> {
        let later = self.later.values().min().copied();
        [self.look, later, self.publisher.due(), self.finishing].into_iter().flatten().min()
    }

    fn act(&mut self, kind: u64, which: u64) -> Result<()> {
        match kind {
            KEEPER => self.hear_keeper(),
            JOBS => {
                for finish in self.jobs.finished()? {
                    finish(self);
                }
                Ok(())
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

    fn watch(&self, kind: u64, which: u64, fd: std::os::fd::BorrowedFd, interest: Interest) -> Result<()> {
        self.epoll.watch(fd, kind << KIND | which, interest).map_err(|e| e.because("epoll_ctl"))
    }

    pub(super) fn begin(&mut self, work: impl FnOnce() -> Finish<Shim> + Send + 'static) -> Result<()> {
        self.jobs.begin(work)
    }

    // The keeper.

    pub(super) fn keeper_has_ended(&self) -> bool {
        self.keeper_is_gone
    }

    fn hear_keeper(&mut self) -> Result<()> {
        while let Some(said) = self.keeper.hear(false)? {
            match said {
                Said::Held(name, fd) if name >= ACCEPTED => self.connect(name, fd)?,
                Said::Held(..) | Said::All(_) => {}
                Said::Ended(pid, status) => {
                    self.endings.insert(pid, status);
                    self.keeper_told_end(pid)?;
                }
                Said::Gone => {
                    // We hold what it held. What is orphaned from now on is ours to reap.
                    self.epoll.forget(self.keeper.fd());
                    self.keeper_is_gone = true;
                    self.log.warn(&Error::new("the keeper has ended: a kill of this shim is final now"));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    // Connections.

    fn connect(&mut self, name: u64, fd: OwnedFd) -> Result<()> {
        let peer = nix::sys::socket::getsockopt(&fd, nix::sys::socket::sockopt::PeerCredentials);
        let trusted = peer.is_ok_and(|peer| [0, crate::sys::identity::euid()].contains(&peer.uid()));
        if !trusted {
            // Its directory keeps other users away from the socket already.
            return self.keeper.let_go(name);
        }
        self.watch(CONNECTION, name & !ACCEPTED, fd.as_fd(), Interest::READ)?;
        self.connections.insert(name, fd);
        self.publisher.hurry();
        Ok(())
    }

    fn hear(&mut self, name: u64) -> Result<()> {
        if self.unsent.keys().filter(|call| call.connection == name).count() >= ANSWERS {
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
        self.note(Record { chunk: Some(chunk), ..Record::default() })?;
        self.inbox.forget();
        let malformed =
            self.desk().model.connections.get(&name).is_some_and(|connection| connection.malformed);
        if malformed {
            self.log.warn(&Error::new("a client has sent what is no request: its connection is closed"));
            return self.disconnect(name);
        }
        Ok(())
    }

    fn disconnect(&mut self, name: u64) -> Result<()> {
        if let Some(socket) = self.connections.remove(&name) {
            self.epoll.forget(socket.as_fd());
        }
        self.unsent.retain(|call, _| call.connection != name);
        self.later.retain(|call, _| call.connection != name);
        self.note(Record { closed: Some(name), ..Record::default() })?;
        self.keeper.let_go(name)
    }

    // Requests and answers.

    fn serve_requests(&mut self) -> Result<()> {
        let calls: Vec<(Call, bool)> = {
            let desk = self.desk();
            let connections = desk.model.connections.iter();
            connections
                .flat_map(|(name, connection)| {
                    let of = |stream: &u32| Call { connection: *name, stream: *stream };
                    connection
                        .requests
                        .iter()
                        .map(move |(stream, pending)| (of(stream), pending.answer.is_some()))
                })
                .collect()
        };
        for (call, is_known) in calls {
            if self.unsent.contains_key(&call) || self.later.contains_key(&call) {
                continue;
            }
            if is_known {
                // A predecessor's, which may have been sent.
                let frame = self.desk().model.pending(call).and_then(|pending| pending.answer.clone());
                frame.map_or(Ok(()), |frame| self.send(call, frame))?;
            } else if self.begun.insert(call) {
                self.serve_request(call)?;
            }
        }
        Ok(())
    }

    fn serve_request(&mut self, call: Call) -> Result<()> {
        let Some(pending) = self.desk().model.pending(call).cloned() else { return Ok(()) };
        if pending.crashes >= CRASHES {
            let method = pending.request.method;
            let text = format!("{method}: the shim has ended {CRASHES} times while it was at this request");
            return self.answer(call, Err(frames::Code::Internal.saying(text)), Record::default());
        }
        if self.log.wants_debug() {
            let name = super::calls::named(&pending.request).unwrap_or_default();
            self.log.debug(&format!("{} {} {}", pending.request.method, name.container, name.exec));
        }
        match self.handle(call, &pending.request) {
            Ok(None) => Ok(()),
            Ok(Some(payload)) => self.answer_now(call, Ok(payload)),
            Err(status) => self.answer_now(call, Err(status)),
        }
    }

    /// It is handled anew, at this time or when something has been answered.
    pub(super) fn postpone(&mut self, call: Call, time: Instant) {
        self.begun.remove(&call);
        self.later.insert(call, time);
    }

    /// An answer that a successor must not find again by itself, together with what has changed.
    pub(super) fn answer(
        &mut self,
        call: Call,
        answer: std::result::Result<Vec<u8>, Status>,
        changes: Record,
    ) -> Result<()> {
        let frame = frame_of(call, answer);
        self.note(Record { answer: Some(Answer { call, frame: frame.clone() }), ..changes })?;
        self.send(call, frame)
    }

    /// One that a successor would give again.
    pub(super) fn answer_now(
        &mut self,
        call: Call,
        answer: std::result::Result<Vec<u8>, Status>,
    ) -> Result<()> {
        self.send(call, frame_of(call, answer))
    }

    /// All of it in one call, or nothing: half an answer would make all that follow unreadable.
    fn send(&mut self, call: Call, frame: Vec<u8>) -> Result<()> {
        self.begun.remove(&call);
        let Some(socket) = self.connections.get(&call.connection) else { return Ok(()) };
        if !has_room(socket, frame.len()) {
            self.epoll
                .watch(socket.as_fd(), CONNECTION << KIND | (call.connection & !ACCEPTED), Interest::WRITE)
                .map_err(|e| e.because("epoll_ctl"))?;
            self.unsent.insert(call, frame);
            return Ok(());
        }
        use nix::sys::socket::{MsgFlags, send};
        use std::os::fd::AsRawFd;
        match send(socket.as_raw_fd(), &frame, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
            Ok(_) => self.note(Record { answered: Some(call), ..Record::default() }),
            // The client is gone: it is heard of next.
            Err(_) => self.note(Record { answered: Some(call), ..Record::default() }),
        }
    }

    fn send_rest(&mut self, name: u64) -> Result<()> {
        let Some(socket) = self.connections.get(&name) else { return Ok(()) };
        self.epoll
            .watch(socket.as_fd(), CONNECTION << KIND | (name & !ACCEPTED), Interest::READ)
            .map_err(|e| e.because("epoll_ctl"))?;
        let calls: Vec<Call> = self.unsent.keys().filter(|call| call.connection == name).copied().collect();
        for call in calls {
            if let Some(frame) = self.unsent.remove(&call) {
                self.send(call, frame)?;
            }
        }
        Ok(())
    }

    // Streams.

    pub(super) fn watch_streams(&mut self, number: u64) -> Result<()> {
        let Some(streams) = self.streams.get(&number) else { return Ok(()) };
        for (at, stream) in Stream::ALL.into_iter().enumerate() {
            match streams.watched(stream) {
                Some((fd, interest)) => self.watch(STREAM, number * 4 + at as u64, fd, interest)?,
                None if streams.runs(stream) => self.look = Some(Instant::now() + LOOK),
                None => {}
            }
        }
        Ok(())
    }

    fn move_bytes(&mut self, number: u64, stream: Stream) -> Result<()> {
        let keeper = Arc::clone(&self.keeper);
        let Some(streams) = self.streams.get_mut(&number) else { return Ok(()) };
        if let Some((fd, _)) = streams.watched(stream) {
            self.epoll.forget(fd);
        }
        match streams.advance(stream, &keeper)? {
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
            Moved::Waits => {
                let at = stream as u64;
                match self.streams.get(&number).and_then(|streams| streams.watched(stream)) {
                    Some((fd, interest)) => self.watch(STREAM, number * 4 + at, fd, interest),
                    None => Ok(()),
                }
            }
        }
    }

    // Processes.

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
            // It is handed over before its pid is noted, so this does not happen; a shim that ended here would do so for ever.
            self.log.warn(&Error::new(format!("the keeper holds no descriptor of process {}", process.pid)));
            let process = Process {
                phase: Phase::Ended.into(),
                status: 255,
                ended: Some(Timestamp::now()),
                ..process.clone()
            };
            return self.note(Record { process: Some(process), ..Record::default() });
        };
        if phase == Phase::Released {
            if let Some(word) = held.remove(&Part::Word.of(number)) {
                crate::engine::release(word.as_fd()).map_err(|e| e.because("release an exec"))?;
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

    /// Its end is waited for from now on.
    pub(super) fn live(&mut self, process: &Process, pidfd: OwnedFd) -> Result<()> {
        self.watch(END, process.number, pidfd.as_fd(), Interest::READ)?;
        let life = Life { name: process.name.clone(), pid: process.pid, pidfd, ended: false };
        self.lives.insert(process.number, life);
        Ok(())
    }

    pub(super) fn keep_logger(&mut self, number: u64, logger: Option<Child>) -> Result<()> {
        let Some(logger) = logger else { return Ok(()) };
        self.watch(LOGGER, number, logger.pidfd.as_fd(), Interest::READ)?;
        self.loggers.insert(number, logger);
        Ok(())
    }

    pub(super) fn watch_oom(&mut self, id: &str, number: u64) {
        let Some(container) = self.desk().model.containers.get(id).cloned() else { return };
        // Without a memory controller, or for a container that ends at once, there is nothing to watch.
        let watched = self.plain_engine(&container).and_then(|engine| engine.watch_oom(id));
        let Ok(Some(oom)) = watched else { return };
        let (fd, interest) = oom.watched();
        if self.watch(OOM, number, fd, interest).is_ok() {
            self.ooms.insert(number, oom);
        }
    }

    // Events.

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
}

fn frame_of(call: Call, answer: std::result::Result<Vec<u8>, Status>) -> Vec<u8> {
    let response = match answer {
        Ok(payload) => Response { status: None, payload },
        Err(status) => Response { status: Some(status), payload: Vec::new() },
    };
    frames::frame(call.stream, RESPONSE, &response)
}

/// Whether the kernel takes so many bytes in one piece now.
fn has_room(socket: &OwnedFd, length: usize) -> bool {
    use nix::sys::socket::{getsockopt, setsockopt, sockopt};
    let size = getsockopt(socket, sockopt::SndBuf).unwrap_or(0);
    if length > size / 4 {
        // One that is refused leaves the usual size, in which all but monstrous answers fit.
        let _ = setsockopt(socket, sockopt::SndBufForce, &(length * 4));
    }
    match pipe::unsent(socket.as_fd()) {
        Ok(0) => true,
        // What is accounted for a message is more than its bytes.
        Ok(used) => used + 2 * length + 4096 < size,
        // It is gone: the send says so.
        Err(_) => true,
    }
}

/// What nothing else names.
pub(super) fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>> {
    file::read_path(path, limit).map_err(|e| e.because(format!("read {}", path.display())))
}
