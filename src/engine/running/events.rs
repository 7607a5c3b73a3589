//! `events`: what a container uses, once or again and again, and that memory ran out.
//!
//! One poll over the container's end, the out-of-memory signal, the reader, and the time. No lock is held, so a caller that
//! watches a container for hours does not keep others from ending it. The first process is held by a descriptor, so that
//! a reused pid is never taken for it, and numbers that were read while the container ended are not reported.

use crate::cgroup::oom::{OomKills, Seen};
use crate::cgroup::{self, Driver};
use crate::engine::{Call, Engine, Waits};
use crate::error::{Error, Kind, Result};
use crate::resctrl::{self, Place, Tree};
use crate::sys::poll;
use nix::poll::{PollFd, PollFlags};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Everything that is known of what a container uses. Its JSON is runc's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    pub cgroup: cgroup::stats::Stats,
    /// Absent where the container has no `linux.intelRdt`.
    pub intel_rdt: Option<resctrl::stats::Stats>,
}

impl Serialize for Stats {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let mut json = to.serialize_struct("Stats", 8)?;
        json.serialize_field("cpu", &self.cgroup.cpu)?;
        json.serialize_field("cpuset", &self.cgroup.cpuset)?;
        json.serialize_field("memory", &self.cgroup.memory)?;
        json.serialize_field("pids", &self.cgroup.pids)?;
        json.serialize_field("blkio", &self.cgroup.blkio)?;
        json.serialize_field("hugetlb", &self.cgroup.hugetlb)?;
        match &self.intel_rdt {
            Some(stats) => json.serialize_field("intel_rdt", stats)?,
            None => json.serialize_field("intel_rdt", &resctrl::stats::Stats::default())?,
        }
        // runc counts only interfaces that its library made, and its command line makes none.
        json.serialize_field("network_interfaces", &())?;
        json.end()
    }
}

/// What a stream tells.
#[derive(Clone, Debug, PartialEq)]
pub enum ContainerEvent {
    Stats(Box<Stats>),
    /// Memory ran out and the kernel killed.
    Oom,
}

/// How a stream runs.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    /// Between two statistics; the first comes after one interval. Not zero.
    pub interval: Duration,
    /// The other end of the stream's output: the stream ends when its last reader has closed it.
    pub reader: Option<BorrowedFd<'a>>,
}

impl Engine {
    /// What the container uses now. Errors: it does not run; it has no cgroup.
    pub fn stats(&self, id: &str) -> Result<Stats> {
        let observed = self.observed(id)?;
        let stats = observed.stats()?;
        if observed.has_ended()? { Err(has_no_events(id)) } else { Ok(stats) }
    }

    /// Watches for processes of the container that the kernel kills because memory ran out; `None` where no memory
    /// controller counts for it.
    pub fn watch_oom(&self, id: &str) -> Result<Option<OomKills>> {
        self.observed(id)?.driver.needed("watched")?.watch_oom()
    }

    fn observed(&self, id: &str) -> Result<Observed> {
        let (_, record) = self.look(id)?;
        let process = record.process.ok_or_else(|| has_no_events(id))?;
        let first = process.open().map_err(|_| has_no_events(id))?;
        let driver = Driver::counting(record.cgroup.as_ref())?;
        if driver.cgroup().is_none() {
            let reason = "a container without a cgroup has no statistics";
            return Err(Error::new(reason).kind(Kind::Unsupported).value(id));
        }
        Ok(Observed { first, driver, place: record.resctrl })
    }
}

impl Call<'_> {
    pub fn events(
        &self,
        id: &str,
        stream: Stream,
        tell: &mut dyn FnMut(ContainerEvent) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        if stream.interval.is_zero() {
            return Err(Error::new("the interval must be greater than 0").kind(Kind::Argument));
        }
        let observed = self.observed(id)?;
        let mut oom = observed.driver.needed("watched")?.watch_oom()?;
        if oom.is_none() {
            self.warn(Error::new("memory is not counted for this container: there will be no oom events"));
        }
        let mut due = Instant::now().checked_add(stream.interval);
        loop {
            let woken = await_any(&observed.first, oom.as_ref(), stream.reader, due, &self.waits)?;
            if woken.stopped {
                self.waits.check()?;
            }
            // Before the end: the kill that ended the container counts.
            if let Some(watch) = oom.as_mut().filter(|_| woken.oom || woken.ended) {
                match watch.look()? {
                    Seen::Killed if tell(ContainerEvent::Oom)?.is_break() => return Ok(()),
                    Seen::Killed | Seen::Nothing => {}
                    Seen::Gone => oom = None,
                }
            }
            if woken.ended || woken.unread {
                return Ok(());
            }
            let Some(time) = due.filter(|time| *time <= Instant::now()) else { continue };
            // Ticks that were missed are not made up for.
            due = time.checked_add(stream.interval).map(|next| next.max(Instant::now()));
            let flow = match observed.stats() {
                Ok(_) if observed.has_ended()? => continue,
                Ok(stats) => tell(ContainerEvent::Stats(Box::new(stats)))?,
                Err(error) => {
                    self.warn(error);
                    continue;
                }
            };
            if flow.is_break() {
                return Ok(());
            }
        }
    }
}

/// A container that ran when it was looked up.
struct Observed {
    /// Its first process.
    first: OwnedFd,
    driver: Driver,
    place: Option<Place>,
}

impl Observed {
    fn stats(&self) -> Result<Stats> {
        let intel_rdt = self.place.as_ref().map(shares).transpose()?.flatten();
        Ok(Stats { cgroup: self.driver.needed("watched")?.stats()?, intel_rdt })
    }

    fn has_ended(&self) -> Result<bool> {
        poll::readable(self.first.as_fd(), Some(Instant::now())).map_err(|e| e.because("poll"))
    }
}

/// What resctrl counts for the group; `None` if it is gone.
fn shares(place: &Place) -> Result<Option<resctrl::stats::Stats>> {
    Tree::open(&place.mount)?.map_or(Ok(None), |tree| tree.stats(place))
}

/// The text that scripts look for.
fn has_no_events(id: &str) -> Error {
    Error::new(format!("container with id {id} is not running")).kind(Kind::WrongState)
}

/// What ended a wait; nothing: it was time.
struct Woken {
    ended: bool,
    oom: bool,
    unread: bool,
    stopped: bool,
}

/// Waits for whichever comes first.
fn await_any(
    first: &OwnedFd,
    oom: Option<&OomKills>,
    reader: Option<BorrowedFd>,
    due: Option<Instant>,
    waits: &Waits,
) -> Result<Woken> {
    let stop = waits.stop();
    let stops = stop.is_some();
    let mut watched = vec![PollFd::new(first.as_fd(), PollFlags::POLLIN)];
    // Asked for nothing, poll still reports that the other end was closed.
    watched.extend(reader.map(|fd| PollFd::new(fd, PollFlags::empty())));
    watched.extend(oom.map(OomKills::poll));
    watched.extend(stop);
    waits.poll(&mut watched, due)?;
    let mut ready = watched.iter().map(|fd| fd.any().unwrap_or(false));
    Ok(Woken {
        ended: ready.next() == Some(true),
        unread: reader.is_some() && ready.next() == Some(true),
        oom: oom.is_some() && ready.next() == Some(true),
        stopped: stops && ready.next() == Some(true),
    })
}
