//! Waiting for a process that a container, or a user of the host, can hold up: stop it, trace it, freeze its cgroup, let
//! it sleep on a file system that does not answer.
//!
//! There is no time limit: copying, slow file systems and hooks may take long, and only their author knows how long.
//! Instead the wait reports what holds it up, and a signal that ends the command also ends what it has begun.

use crate::engine::event::{Event, Observer, Span};
use crate::engine::hold::{Hold, hold};
use crate::error::{Error, Kind, Result};
use crate::sys::launch::Child;
use crate::sys::poll::{self, Rest};
use crate::sys::wait::{self, Ended};
use crate::sys::{Errno, process};
use nix::poll::{PollFd, PollFlags};
use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What ends the waits of a caller's calls before what they wait for has come.
pub trait Stop: Send + Sync {
    /// Can be read when there is something to look at.
    fn fd(&self) -> BorrowedFd<'_>;
    /// Who or what ends them ("SIGTERM"), if anything does.
    fn reason(&self) -> Option<String>;
}

/// What a caller does while its calls wait: a process with one thread and a loop of its own goes on serving others.
pub trait Meanwhile: Send + Sync {
    /// Can be read when there is something to do: a descriptor of epoll(7), say.
    fn fd(&self) -> BorrowedFd<'_>;
    /// Does it. It may make calls of the engine, for other containers than that of the call that waits, which goes on when
    /// they have returned; their waits come here too.
    fn act(&self);
}

/// Who hears of an engine's work, and what ends its waits.
#[derive(Clone)]
pub struct Watch {
    /// Without it nothing ends a wait but what is waited for.
    stop: Option<Arc<dyn Stop>>,
    meanwhile: Option<Arc<dyn Meanwhile>>,
    pub observer: Observer,
    /// The observer hears of each deed and step how long it took.
    timed: bool,
}

/// The waits of one call: that another one was asked to end, or reads much, is nothing to it.
pub struct Waits {
    pub(in crate::engine) watch: Watch,
    /// The call has been asked to end.
    ended: Cell<bool>,
    /// How often something was read while there was something to look at.
    preferred: Cell<u32>,
}

/// The most that is read before a request to end counts.
const MOST_READ: u32 = 64;
/// Between two looks at a process that is waited for.
pub const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at what cannot be polled.
const GLANCE: Duration = Duration::from_millis(100);

impl Watch {
    /// Reports nothing, and waits to the end.
    pub fn none() -> Watch {
        Watch::new(None, Arc::new(|_| ()))
    }

    pub fn new(stop: Option<Arc<dyn Stop>>, observer: Observer) -> Watch {
        Watch { stop, meanwhile: None, observer, timed: false }
    }

    /// The same, with the times of all deeds and steps ([`Event::Done`], [`Event::StepDone`]), and of what else takes time
    /// ([`Event::Span`]).
    #[must_use]
    pub fn with_times(self) -> Watch {
        Watch { timed: true, ..self }
    }

    /// The same, with what is done during waits.
    #[must_use]
    pub fn with_meanwhile(self, meanwhile: Arc<dyn Meanwhile>) -> Watch {
        Watch { meanwhile: Some(meanwhile), ..self }
    }

    /// The moment at which something begins whose time is wanted.
    pub(in crate::engine) fn begins(&self) -> Option<Instant> {
        self.timed.then(Instant::now)
    }

    /// Does work that is no deed.
    pub(in crate::engine) fn span<T>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let began = self.begins();
        let done = work();
        self.passed(Span::of(name), began, done.as_ref().err());
        done
    }

    pub(in crate::engine) fn passed(&self, span: Span, began: Option<Instant>, failed: Option<&Error>) {
        if let Some(began) = began {
            (self.observer)(&Event::Span { span, began, took: began.elapsed(), failed });
        }
    }

    /// For one call.
    pub fn waits(&self) -> Waits {
        Waits { watch: self.clone(), ended: Cell::new(false), preferred: Cell::new(0) }
    }
}

impl Waits {
    pub(in crate::engine) fn tell(&self, event: &Event) {
        (self.watch.observer)(event);
    }

    pub(in crate::engine) fn is_timed(&self) -> bool {
        self.watch.timed
    }

    /// How long what is killed may take to end. A process that sleeps on a file system that does not answer never does, and
    /// a command that was asked to end leaves it, for `delete --force`.
    pub(in crate::engine) fn patience(&self) -> Duration {
        Duration::from_secs(if self.ended.get() { 1 } else { 10 })
    }

    /// Until one of these can be read, for which the process `pid` has to act.
    pub fn wait(&self, fds: &[BorrowedFd], pid: i32) -> Result<()> {
        self.wait_for(fds, pid, None, || false).map(drop)
    }

    /// The same, but not any longer once `over` says so, which is asked now and then; `false` in that case.
    pub fn wait_unless(&self, fds: &[BorrowedFd], pid: i32, over: impl Fn() -> bool) -> Result<bool> {
        self.wait_for(fds, pid, None, over).map(|ready| ready.is_some())
    }

    /// The first of these that can be read; `None` at the deadline.
    pub fn first(&self, fds: &[BorrowedFd], pid: i32, deadline: Option<Instant>) -> Result<Option<usize>> {
        self.wait_for(fds, pid, deadline, || false)
    }

    /// Until a process that was killed has ended, whatever its parent is; `false` if that takes too long. What asks for an
    /// end does not end this: it takes back what was begun.
    pub fn end_of(&self, pidfd: BorrowedFd, pid: i32) -> Result<bool> {
        let calm = Watch { stop: None, ..self.watch.clone() }.waits();
        let deadline = Some(Instant::now() + self.patience());
        calm.wait_for(&[pidfd], pid, deadline, || false).map(|ready| ready.is_some())
    }

    /// Kills a process, and fetches its exit code if it is a child of ours and that comes in time.
    pub fn end(&self, process: &Child) {
        process::pidfd_kill(process.pidfd.as_fd());
        if matches!(self.end_of(process.pidfd.as_fd(), process.pid), Ok(true)) {
            // Another part of this program may have reaped it.
            let _ = wait::reap(process.pidfd.as_fd());
        }
    }

    /// Until a process of ours has ended, and how. Where the wait is ended, so is the process.
    pub fn finish(&self, process: &Child) -> Result<Ended> {
        self.wait(&[process.pidfd.as_fd()], process.pid).inspect_err(|_| self.end(process))?;
        wait::reap(process.pidfd.as_fd()).map_err(|e| e.because("fetch the exit code of a process"))
    }

    fn wait_for(
        &self,
        fds: &[BorrowedFd],
        pid: i32,
        deadline: Option<Instant>,
        over: impl Fn() -> bool,
    ) -> Result<Option<usize>> {
        let (mut told, mut look) = (None, Instant::now() + LOOK);
        loop {
            let ready = self.wait_once(fds, deadline.map_or(look, |deadline| deadline.min(look)))?;
            if ready.is_some() || over() || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(ready);
            }
            if Instant::now() >= look {
                self.tell_hold(pid, &mut told);
                look += LOOK;
            }
        }
    }

    /// Until `over`, which waits by itself as long as it is told to. `pid` is asked anew at each look: a child may not be
    /// there yet.
    pub fn wait_until(&self, pid: impl Fn() -> i32, mut over: impl FnMut(Duration) -> bool) -> Result<()> {
        let (mut told, mut look) = (None, Instant::now() + LOOK);
        while !over(GLANCE) {
            self.check()?;
            self.poll(&mut Vec::new(), Some(Instant::now()))?;
            if Instant::now() >= look {
                self.tell_hold(pid(), &mut told);
                look += LOOK;
            }
        }
        Ok(())
    }

    fn tell_hold(&self, pid: i32, told: &mut Option<Hold>) {
        match hold(pid) {
            Some(hold) if told.as_ref() != Some(&hold) => {
                self.tell(&Event::Held { pid, hold: hold.clone() });
                *told = Some(hold);
            }
            _ => {}
        }
    }

    /// The first that can be read in time. What can be read counts first, for a signal may be meant for a program that runs
    /// already; but it may never end.
    pub(in crate::engine) fn wait_once(&self, fds: &[BorrowedFd], until: Instant) -> Result<Option<usize>> {
        let stop = self.watch.stop.as_ref().map(|stop| stop.fd());
        let all = fds.iter().copied().chain(stop);
        let mut watched: Vec<PollFd> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        self.poll(&mut watched, Some(until))?;
        let ready = |polled: &PollFd| polled.any().unwrap_or(false);
        let (watched, signals) = watched.split_at(fds.len());
        let readable = watched.iter().position(ready);
        let signalled = signals.iter().any(ready);
        let preferred = if signalled && readable.is_some() { self.preferred.get() + 1 } else { 0 };
        self.preferred.set(preferred);
        if signalled && !(1..MOST_READ).contains(&preferred) {
            self.check()?;
        }
        Ok(readable)
    }

    /// Passes this time, or less: until there is something to say of `fd`, and no longer than to the next look. A call
    /// that was asked to end, and takes back what it has begun, is not asked again.
    pub fn rest(&self, fd: Option<PollFd>, time: Duration) -> Result<()> {
        let stop = self.watch.stop.as_ref().filter(|_| !self.ended.get()).map(|stop| stop.fd());
        let stop = stop.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let stops = usize::from(stop.is_some());
        let mut watched: Vec<PollFd> = stop.into_iter().chain(fd).collect();
        self.poll(&mut watched, Some(Instant::now() + time.min(LOOK)))?;
        if watched[..stops].iter().any(|stop| stop.any().unwrap_or(false)) { self.check() } else { Ok(()) }
    }

    /// Does work that rests between two looks; what ends a rest is the error.
    pub(in crate::engine) fn resting<T>(&self, work: impl FnOnce(Rest) -> Result<T>) -> Result<T> {
        let stopped = Cell::new(None);
        let done = work(&|fd, time| {
            self.rest(fd, time).map_err(|error| {
                stopped.set(Some(error));
                Errno(libc::EINTR)
            })
        });
        stopped.take().map_or(done, Err)
    }

    /// Until there is something to say of one of these, or to the deadline; its caller does meanwhile what it has to.
    pub(in crate::engine) fn poll<'a>(
        &'a self,
        watched: &mut Vec<PollFd<'a>>,
        deadline: Option<Instant>,
    ) -> Result<()> {
        loop {
            let meanwhile = self.watch.meanwhile.as_deref();
            watched.extend(meanwhile.map(|meanwhile| PollFd::new(meanwhile.fd(), PollFlags::POLLIN)));
            poll::wait(watched, deadline).map_err(|e| e.because("poll"))?;
            let Some(meanwhile) = meanwhile else { return Ok(()) };
            let acts = watched.pop().is_some_and(|polled| polled.any().unwrap_or(false));
            if acts {
                meanwhile.act();
            }
            if !acts || watched.iter().any(|polled| polled.any().unwrap_or(false)) {
                return Ok(());
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                // What came while the caller acted came in time.
                return poll::wait(watched, deadline).map(drop).map_err(|e| e.because("poll"));
            }
        }
    }

    /// What asks for an end, for a caller that polls by itself; then [`Waits::check`].
    pub(in crate::engine) fn stop(&self) -> Option<PollFd<'_>> {
        self.watch.stop.as_ref().map(|stop| PollFd::new(stop.fd(), PollFlags::POLLIN))
    }

    /// An error if the call has been asked to end.
    pub(in crate::engine) fn check(&self) -> Result<()> {
        let Some(reason) = self.watch.stop.as_ref().and_then(|stop| stop.reason()) else { return Ok(()) };
        self.ended.set(true);
        Err(Error::new(format!("ended by {reason} while it waited for the container"))
            .kind(Kind::Interrupted))
    }
}
