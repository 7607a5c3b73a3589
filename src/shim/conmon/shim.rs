//! The shim proper of one container as one value: what it knows and holds.

use crate::cgroup::oom::OomKills;
use crate::error::Result;
use crate::report::Log;
use crate::shim::conmon::clients::Clients;
use crate::shim::conmon::logs::Stage;
use crate::shim::conmon::options::Options;
use crate::shim::conmon::record::Record;
use crate::shim::conmon::runtime::Maker;
use crate::shim::journal::Journal;
use crate::shim::link::{Keeper, Orphan};
use crate::shim::table::Table;
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::wait::Ended;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

// What an event of epoll is about; a connection has its own name.
pub(super) const OF_KEEPER: u64 = 1;
pub(super) const OF_OUTPUT: [u64; 2] = [2, 3];
pub(super) const OF_INPUT: u64 = 4;
pub(super) const OF_CONTROL: u64 = 5;
pub(super) const OF_SIZE: u64 = 6;
pub(super) const OF_NOTIFY: u64 = 7;
pub(super) const OF_END: u64 = 8;
pub(super) const OF_OOM: u64 = 9;
pub(super) const OF_LOG: u64 = 10;

/// Between two looks at a disk that is full.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// How long a client of an exec is waited for, which has connected already.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

pub(super) type Shared = Arc<Mutex<(Journal, Record)>>;

pub(super) struct Shim {
    pub(super) options: Options,
    /// `None`: another runtime is executed.
    pub(super) maker: Option<Box<dyn Maker>>,
    pub(super) epoll: Epoll,
    pub(super) keeper: Arc<Keeper>,
    pub(super) keeper_is_gone: bool,
    pub(super) shared: Shared,
    /// What was inherited, by its number there.
    pub(super) given: Table<i32, OwnedFd>,
    /// The attach socket, until the first output.
    pub(super) listener: Option<OwnedFd>,
    pub(super) stage: Stage,
    /// Our ends of standard output and error, or the terminal in the place of the first.
    pub(super) sources: [Option<OwnedFd>; 2],
    /// After the end of the process, how much of each is still to come.
    pub(super) rest: [usize; 2],
    pub(super) input: Option<OwnedFd>,
    /// Of the input, what the process has not taken yet.
    pub(super) unread: Vec<u8>,
    pub(super) terminal: Option<OwnedFd>,
    pub(super) clients: Clients,
    pub(super) control: Option<OwnedFd>,
    pub(super) size: Option<OwnedFd>,
    /// The container's end, and the manager's until it has heard that the container is ready.
    pub(super) notify: Option<(OwnedFd, Option<OwnedFd>)>,
    pub(super) pidfd: Option<OwnedFd>,
    pub(super) orphan: Orphan,
    pub(super) oom: Option<OomKills>,
    pub(super) endings: Table<i32, Ended>,
    /// The logs are to be opened anew.
    pub(super) reopens: bool,
    /// A log has no room, which is told.
    pub(super) has_trouble: bool,
    pub(super) look: Option<Instant>,
    pub(super) deadline: Option<Instant>,
    pub(super) ended: Option<Instant>,
    /// What the beginning took of memory is let go of then.
    pub(super) rest_at: Option<Instant>,
    pub(super) log: Arc<Log>,
}

impl Shim {
    pub(super) fn watch(&self, name: u64, fd: BorrowedFd, interest: Interest) -> Result<()> {
        self.epoll.watch(fd, name, interest).map_err(|e| e.because("epoll_ctl"))
    }

    pub(super) fn record(&self) -> Record {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    pub(super) fn note(&self, change: Record) -> Result<()> {
        note(&self.shared, change)
    }

    pub(super) fn pipe_of(&self, number: Option<i32>) -> Option<BorrowedFd<'_>> {
        self.given.get(&number?).map(AsFd::as_fd)
    }

    pub(super) fn sync_pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe_of(self.options.pipes.sync)
    }
}

pub(super) fn note(shared: &Shared, change: Record) -> Result<()> {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    shared.0.append(&change)?;
    shared.1.take(change);
    Ok(())
}

/// Seconds, for what a successor compares.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
