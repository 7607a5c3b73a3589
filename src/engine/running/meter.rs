//! `stats` and `top`: what the containers of a state directory use, looked at again and again.
//!
//! No lock is held, and nothing waits for a container. Each first process is held by a descriptor, so that numbers that were
//! read while the container ended are not reported, and a reused pid is never taken for it. The files of the cgroups stay
//! open from one look to the next, as far as this process may have files open.

use super::killed::{Evidence, Killed};
use crate::cgroup::stats::{BlkioEntry, Live, Pressure, Stats};
use crate::cgroup::{Driver, Location};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::names;
use crate::state::{Life, Process};
use crate::sys::{identity, poll};
use nix::poll::{PollFd, PollFlags};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

/// Descriptors that a look needs beside those that stay open.
const SPARE: usize = 128;

/// Which containers are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Running,
    /// Also those that have ended; the group has their counters as long as it is there.
    All,
    /// Running or not.
    Named(Vec<String>),
}

/// Looks at containers.
pub struct Meter<'e> {
    engine: &'e Engine,
    asked: Asked,
    looked: bool,
    /// In the order of their ids.
    watched: Vec<Watched>,
    /// Of these a warning was given.
    warned: Vec<String>,
    /// So many files may stay open.
    room: usize,
}

struct Watched {
    id: String,
    process: Option<Process>,
    first: First,
    location: Option<Location>,
    live: Option<Live>,
    earlier: Option<Earlier>,
    kills: u64,
    killed: Option<Rc<Killed>>,
}

/// The first process of a container.
enum First {
    Held(OwnedFd),
    /// It runs, and there is no room to hold it.
    Known(Process),
    Ended,
}

/// What grows, at the look before.
#[derive(Clone, Copy, Debug)]
pub struct Earlier {
    pub at: Instant,
    pub cpu: u64,
    pub read: u64,
    pub written: u64,
}

/// One container at one look.
#[derive(Clone, Debug)]
pub struct Sample {
    pub id: String,
    /// 0 if it has ended.
    pub pid: i32,
    pub at: Instant,
    /// `None` for a container without a cgroup.
    pub stats: Option<Box<Stats>>,
    pub earlier: Option<Earlier>,
    /// After a kill because memory ran out.
    pub killed: Option<Rc<Killed>>,
}

impl Engine {
    /// Nothing is looked at yet. Errors: the limit of open files cannot be read.
    pub fn meter(&self, asked: Asked) -> Result<Meter<'_>> {
        let (soft, _) =
            identity::prlimit(0, names::RLIMIT_NOFILE, None).map_err(|e| e.because("getrlimit"))?;
        let room = usize::try_from(soft).unwrap_or(usize::MAX).saturating_sub(SPARE);
        Ok(Meter { engine: self, asked, looked: false, watched: Vec::new(), warned: Vec::new(), room })
    }
}

impl Meter<'_> {
    /// What each container uses now, in the order of the ids. One that ends meanwhile is left out, or shown as ended.
    ///
    /// Errors: the state directory cannot be read; at the first look, a container that was named and cannot be found. Of
    /// others a warning says what is wrong, once.
    pub fn look(&mut self) -> Result<Vec<Sample>> {
        self.find()?;
        self.looked = true;
        let mut open: usize = self.watched.iter().map(Watched::descriptors).sum();
        let mut samples = Vec::with_capacity(self.watched.len());
        for at in 0..self.watched.len() {
            let watched = &mut self.watched[at];
            let before = watched.descriptors();
            let (sample, error) = watched.sample(self.room.saturating_sub(open - before));
            open = open - before + watched.descriptors();
            samples.push(sample);
            if let Some(error) = error {
                let id = watched.id.clone();
                self.warn_once(&id, error);
            }
        }
        self.notice_ends()?;
        let mut evidence = Evidence::default();
        for (sample, watched) in samples.iter_mut().zip(&mut self.watched) {
            if !watched.runs() {
                sample.pid = 0;
            }
            sample.killed = watched.killed(self.engine, sample.stats.as_deref(), &mut evidence);
        }
        if self.asked == Asked::Running {
            samples.retain(|sample| sample.pid > 0);
        }
        Ok(samples)
    }

    /// Finds those that have come, and looks anew at those that had ended: another may have the id.
    fn find(&mut self) -> Result<()> {
        let ids = match &self.asked {
            Asked::Named(ids) => ids.clone(),
            Asked::Running | Asked::All => self.engine.store.ids()?,
        };
        // Both are in the same order.
        let mut known = std::mem::take(&mut self.watched).into_iter().peekable();
        for id in ids {
            while known.peek().is_some_and(|watched| watched.id < id) {
                known.next();
            }
            let earlier = known.next_if(|watched| watched.id == id);
            let found = match earlier {
                Some(watched) if watched.runs() => Some(watched),
                earlier => self.meet(id, earlier)?,
            };
            self.watched.extend(found);
        }
        Ok(())
    }

    /// `earlier`: what was known of a container of this id that has ended.
    fn meet(&mut self, id: String, earlier: Option<Watched>) -> Result<Option<Watched>> {
        // The other half is for files.
        let holds = self.watched.len() < self.room / 2;
        match Watched::find(self.engine, &id, holds) {
            Ok(mut watched) => {
                if let Some(earlier) = earlier.filter(|earlier| earlier.process == watched.process) {
                    (watched.kills, watched.killed) = (earlier.kills, earlier.killed);
                    watched.earlier = earlier.earlier;
                }
                return Ok(Some(watched).filter(|watched| watched.runs() || self.asked != Asked::Running));
            }
            Err(error) if matches!(self.asked, Asked::Named(_)) && !self.looked => return Err(error),
            Err(error) if error.detail().kind == Kind::NoSuchContainer => {}
            // Being made or removed at this moment.
            Err(_) if self.engine.store.peek(&id).is_ok_and(|entry| entry.is_busy()) => {}
            Err(error) => self.warn_once(&id, error),
        }
        Ok(None)
    }

    fn warn_once(&mut self, id: &str, error: Error) {
        if !self.warned.iter().any(|warned| warned == id) {
            self.warned.push(id.to_owned());
            self.engine.warn(error.doing(format!("container {id}")));
        }
    }

    /// One poll for all first processes that are held.
    fn notice_ends(&mut self) -> Result<()> {
        let mut polled = Vec::with_capacity(self.watched.len());
        for watched in &self.watched {
            if let First::Held(first) = &watched.first {
                polled.push(PollFd::new(first.as_fd(), PollFlags::POLLIN));
            }
        }
        poll::wait(&mut polled, Some(Instant::now())).map_err(|e| e.because("poll"))?;
        let ready: Vec<bool> = polled.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        let mut ready = ready.into_iter();
        for watched in &mut self.watched {
            let has_ended = match &watched.first {
                First::Held(_) => ready.next() == Some(true),
                First::Known(process) => process.life() == Life::Ended,
                First::Ended => true,
            };
            if has_ended {
                watched.first = First::Ended;
            }
        }
        Ok(())
    }
}

impl Watched {
    fn find(engine: &Engine, id: &str, holds: bool) -> Result<Watched> {
        let (_, record) = engine.look(id)?;
        let first = match record.process {
            Some(process) if holds => process.open().map_or(First::Ended, First::Held),
            Some(process) if process.life() == Life::Alive => First::Known(process),
            Some(_) | None => First::Ended,
        };
        let (process, location) = (record.process, record.own_cgroup().cloned());
        let id = id.to_owned();
        Ok(Watched { id, process, first, location, live: None, earlier: None, kills: 0, killed: None })
    }

    fn runs(&self) -> bool {
        !matches!(self.first, First::Ended)
    }

    fn sample(&mut self, room: usize) -> (Sample, Option<Error>) {
        let at = Instant::now();
        let (stats, error) = match self.read(room) {
            Ok(stats) => (stats.map(Box::new), None),
            Err(error) => (None, Some(error)),
        };
        let (id, pid) = (self.id.clone(), self.process.map_or(0, |process| process.pid));
        let sample = Sample { id, pid, at, stats, earlier: self.earlier, killed: None };
        self.earlier = sample.stats.as_ref().map(|stats| {
            let [read, written] = sample.transfers().unwrap_or_default();
            Earlier { at, cpu: stats.cpu.usage.total, read, written }
        });
        (sample, error)
    }

    /// Without room for its files they are opened anew each time.
    fn read(&mut self, room: usize) -> Result<Option<Stats>> {
        let mut live = match (self.live.take(), &self.location) {
            (Some(live), _) => live,
            (None, Some(location)) => match Driver::live(location)? {
                Some(live) => live,
                None => return Ok(None),
            },
            (None, None) => return Ok(None),
        };
        let stats = live.read()?;
        self.live = Some(live).filter(|live| stats.is_some() && live.descriptors() < room);
        Ok(stats)
    }

    fn descriptors(&self) -> usize {
        self.live.as_ref().map_or(0, Live::descriptors) + usize::from(matches!(self.first, First::Held(_)))
    }

    /// What is known of its kills, asked for again when there are more.
    fn killed(
        &mut self,
        engine: &Engine,
        stats: Option<&Stats>,
        evidence: &mut Evidence,
    ) -> Option<Rc<Killed>> {
        let kills = stats.map_or(0, |stats| stats.memory.oom_kills);
        if kills != self.kills {
            self.kills = kills;
            let location = self.location.as_ref().filter(|_| kills > 0)?;
            match evidence.of(location, self.process, kills) {
                Ok(killed) => self.killed = killed.map(Rc::new),
                Err(error) => engine.warn(error),
            }
        }
        self.killed.clone()
    }
}

impl Sample {
    /// Of one processor, since the look before.
    pub fn cpu_percent(&self) -> Option<f64> {
        let used = self.stats.as_ref()?.cpu.usage.total;
        Some(self.a_second(used, |earlier| earlier.cpu)? / 1e7)
    }

    /// Bytes read and written in a second.
    pub fn transfers_a_second(&self) -> Option<[f64; 2]> {
        let [read, written] = self.transfers()?;
        Some([
            self.a_second(read, |earlier| earlier.read)?,
            self.a_second(written, |earlier| earlier.written)?,
        ])
    }

    /// How much of something that grows was added in a second.
    fn a_second(&self, now: u64, then: impl Fn(&Earlier) -> u64) -> Option<f64> {
        let earlier = self.earlier.as_ref()?;
        let seconds = self.at.duration_since(earlier.at).as_secs_f64();
        (seconds > 0.0).then(|| now.saturating_sub(then(earlier)) as f64 / seconds)
    }

    /// Without the pages of files that nothing has asked for lately, which the kernel takes back first.
    pub fn working_set(&self) -> Option<u64> {
        let memory = &self.stats.as_ref()?.memory;
        // v1 counts the groups below in lines of their own.
        let idle = memory.raw.get("total_inactive_file").or(memory.raw.get("inactive_file"));
        let counted = !memory.raw.is_empty();
        counted.then(|| memory.usage.usage.saturating_sub(idle.copied().unwrap_or(0)))
    }

    pub fn memory_limit(&self) -> Option<u64> {
        let memory = &self.stats.as_ref()?.memory;
        let limit = memory.usage.limit;
        (!memory.raw.is_empty() && crate::cgroup::stats::is_limit(limit)).then_some(limit)
    }

    /// Bytes read and written in all.
    pub fn transfers(&self) -> Option<[u64; 2]> {
        let io = &self.stats.as_ref()?.blkio;
        io.counted.then(|| ["Read", "Write"].map(|op| moved(&io.io_service_bytes_recursive, op)))
    }

    /// The same in transfers.
    pub fn operations(&self) -> Option<[u64; 2]> {
        let io = &self.stats.as_ref()?.blkio;
        io.counted.then(|| ["Read", "Write"].map(|op| moved(&io.io_serviced_recursive, op)))
    }

    /// Processes killed because memory ran out.
    pub fn oom_kills(&self) -> Option<u64> {
        let memory = &self.stats.as_ref()?.memory;
        (!memory.raw.is_empty()).then_some(memory.oom_kills)
    }

    /// Of processors, memory, and transfers, in this order.
    pub fn pressure(&self) -> [Option<&Pressure>; 3] {
        let Some(stats) = &self.stats else { return [None; 3] };
        [&stats.cpu.psi, &stats.memory.psi, &stats.blkio.psi].map(Option::as_ref)
    }
}

/// The sum over all devices.
fn moved(entries: &[BlkioEntry], op: &str) -> u64 {
    entries.iter().filter(|entry| entry.op == op).map(|entry| entry.value).sum()
}
