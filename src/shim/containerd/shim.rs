//! The shim proper under containerd as one value: what it knows, what it holds, and how it answers.

use crate::cgroup::oom::OomKills;
use crate::engine::{CgroupManager, Engine, Observer, Watch, warnings_to};
use crate::error::{Error, Result};
use crate::report::Log;
use crate::shim::containerd::jobs::{Finish, Jobs, Rank};
use crate::shim::containerd::model::{Answer, Call, Container, Desk, Name, Process, Record};
use crate::shim::containerd::protocol::frames::{self, RESPONSE, Response, Status};
use crate::shim::containerd::publisher::Publisher;
use crate::shim::containerd::runtime::{self, Runtime};
use crate::shim::containerd::streams::{Stream, Streams};
use crate::shim::link::{Keeper, Orphan};
use crate::shim::table::Table;
use crate::state::{NoRoot, Store};
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::inbox::Inbox;
use crate::sys::launch::Child;
use crate::sys::pipe;
use crate::sys::wait::Ended;
use crate::wire::keeper::ACCEPTED;
use nix::sys::socket::{MsgFlags, send};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What an event of epoll is about: the kind above, which one below.
pub(super) const KIND: u64 = 48;
pub(super) const KEEPER: u64 = 1;
pub(super) const JOBS: u64 = 2;
pub(super) const CONNECTION: u64 = 3;
pub(super) const END: u64 = 4;
pub(super) const STREAM: u64 = 5;
pub(super) const OOM: u64 = 6;
pub(super) const PUBLISHER: u64 = 7;
pub(super) const LOGGER: u64 = 8;
pub(super) const LOG: u64 = 9;

/// Between two looks at what cannot be polled: a full disk, a client that has not come.
pub(super) const LOOK: Duration = Duration::from_millis(100);
pub struct Shim {
    pub(super) epoll: Epoll,
    pub(super) keeper: Arc<Keeper>,
    pub(super) keeper_is_gone: bool,
    pub(super) desk: Arc<Mutex<Desk>>,
    pub(super) inbox: Inbox,
    pub(super) connections: Table<u64, OwnedFd>,
    /// Processes whose end has not been noted, by their numbers.
    pub(super) lives: Table<u64, Life>,
    pub(super) streams: Table<u64, Streams>,
    pub(super) ooms: Table<u64, OomKills>,
    /// First processes that are being started: their end is told after that.
    pub(super) starting: Table<u64, ()>,
    /// Programs that read the output of processes, which end when that does.
    pub(super) loggers: Table<u64, Child>,
    /// Of the keeper's children.
    pub(super) endings: Table<i32, Ended>,
    pub(super) jobs: Jobs<Shim>,
    /// What this shim is at, and what waits until something else is done.
    pub(super) begun: Table<Call, ()>,
    pub(super) busy: Table<String, ()>,
    pub(super) later: Table<Call, Instant>,
    /// Requests that were there when this shim began: a predecessor may have been at them.
    pub(super) inherited: Table<Call, ()>,
    /// Since when deletions wait for output.
    pub(super) deleting: Table<Call, Instant>,
    /// Answers for which there was no room.
    pub(super) unsent: Table<Call, Vec<u8>>,
    pub(super) publisher: Publisher,
    pub(super) log: Arc<Log>,
    /// When this process has had nothing to do for a while; then it lets go of memory.
    pub(super) idle: Option<Instant>,
    /// Streams are to be looked at again then.
    pub(super) look: Option<Instant>,
    pub(super) finishing: Option<Instant>,
}

/// A process that runs, or waits for start.
pub(super) struct Life {
    pub name: Name,
    pub pid: i32,
    pub pidfd: OwnedFd,
    /// It has ended; what is missing is how.
    pub ended: bool,
    pub orphan: Orphan,
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
        let store = Store::open(Path::new(&root), NoRoot::Make)?;
        let cgroup_manager =
            if container.systemd { CgroupManager::Systemd } else { CgroupManager::default() };
        Ok(Engine { cgroup_manager, ..Engine::over(store, Watch::new(None, observer)) })
    }

    /// An engine whose warnings go to the log.
    pub(super) fn plain_engine(&self, container: &Container) -> Result<Engine> {
        self.engine(container, self.observer())
    }

    /// What carries out the calls of this container.
    pub(super) fn runtime(&self, container: &Container, observer: Observer) -> Result<Runtime> {
        if container.runtime.is_empty() {
            return Ok(Runtime::Ours(Box::new(self.engine(container, observer)?)));
        }
        let root = self.desk().model.settings.root.clone();
        Ok(Runtime::Other(runtime::other(container, Path::new(&root))))
    }

    pub(super) fn observer(&self) -> Observer {
        warnings_to(Arc::clone(&self.log))
    }

    pub(super) fn watch(&self, kind: u64, which: u64, fd: BorrowedFd, interest: Interest) -> Result<()> {
        self.epoll.watch(fd, kind << KIND | which, interest).map_err(|e| e.because("epoll_ctl"))
    }

    pub(super) fn begin(&mut self, rank: Rank, work: impl FnOnce() -> Finish<Shim> + Send + 'static) {
        self.jobs.begin(rank, work);
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
    pub(super) fn send(&mut self, call: Call, frame: Vec<u8>) -> Result<()> {
        self.begun.remove(&call);
        let Some(socket) = self.connections.get(&call.connection) else { return Ok(()) };
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let full = nix::errno::Errno::EAGAIN;
        let room = has_room(socket, frame.len());
        let sent = if room { send(socket.as_raw_fd(), &frame, flags) } else { Err(full) };
        if sent.is_ok_and(|sent| sent < frame.len()) {
            // Its buffer takes no more, however long it is waited for.
            self.log.warn(&Error::new("an answer is too long for its connection, which is closed"));
            return self.disconnect(call.connection);
        }
        if sent == Err(full) {
            self.watch(CONNECTION, call.connection & !ACCEPTED, socket.as_fd(), Interest::WRITE)?;
            self.unsent.insert(call, frame);
            return Ok(());
        }
        // Sent; or its client is gone, which is heard of next.
        self.note(Record { answered: Some(call), ..Record::default() })
    }

    pub(super) fn watch_streams(&mut self, number: u64) -> Result<()> {
        Stream::ALL.into_iter().try_for_each(|stream| self.watch_stream(number, stream))
    }

    pub(super) fn watch_stream(&mut self, number: u64, stream: Stream) -> Result<()> {
        let Some(streams) = self.streams.get(&number) else { return Ok(()) };
        match streams.watched(stream) {
            Some((fd, interest)) => self.watch(STREAM, number * 4 + stream as u64, fd, interest)?,
            None if streams.runs(stream) => self.look = Some(Instant::now() + LOOK),
            None => {}
        }
        Ok(())
    }

    /// Its end is waited for from now on.
    pub(super) fn live(&mut self, process: &Process, pidfd: OwnedFd) -> Result<()> {
        let watched = self.epoll.watch_end(pidfd.as_fd(), END << KIND | process.number);
        watched.map_err(|e| e.because("epoll_ctl"))?;
        let life = Life {
            name: process.name.clone(),
            pid: process.pid,
            pidfd,
            ended: false,
            orphan: Orphan::default(),
        };
        self.lives.insert(process.number, life);
        // The keeper may have told its end before it was known.
        self.keeper_told_end(process.pid)
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
