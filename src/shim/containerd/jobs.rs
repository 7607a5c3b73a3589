//! Calls of the engine that may wait, each in a thread of its own for as long as it takes: the loop goes on. An idle shim
//! has one thread.

use crate::error::Result;
use crate::sys::{file, poll};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What is done on the loop's thread when a call has returned.
pub type Finish<S> = Box<dyn FnOnce(&mut S) + Send>;
type Work<S> = Box<dyn FnOnce() -> Finish<S> + Send>;

pub struct Jobs<S: 'static> {
    shared: Arc<Shared<S>>,
    /// How many threads there are, and what waits for one.
    running: usize,
    waiting: VecDeque<Work<S>>,
}

struct Shared<S> {
    signal: OwnedFd,
    done: Mutex<Vec<Finish<S>>>,
}

/// What a call may not wait for: so many of one rank, or of the ranks before it, may hang, and those behind it still find a
/// thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// A container can hold up as many as its client starts.
    Exec,
    /// Of a container there is one at a time.
    Container,
    Signal,
}

impl Rank {
    /// Threads at a time.
    const fn most(self) -> usize {
        match self {
            Rank::Exec => 64,
            Rank::Container => 80,
            Rank::Signal => 96,
        }
    }
}

/// The engine's calls need a third of it.
const STACK: usize = 512 * 1024;

impl<S: 'static> Jobs<S> {
    pub fn new() -> Result<Jobs<S>> {
        let signal = poll::eventfd().map_err(|e| e.because("eventfd"))?;
        let shared = Shared { signal, done: Mutex::default() };
        Ok(Jobs { shared: Arc::new(shared), running: 0, waiting: VecDeque::new() })
    }

    /// Can be read when something was finished.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.shared.signal.as_fd()
    }

    pub fn is_empty(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }

    /// Execs begin in their order; what is not an exec, before all that wait for a thread.
    pub fn begin(&mut self, rank: Rank, work: impl FnOnce() -> Finish<S> + Send + 'static) {
        match rank {
            Rank::Exec => self.waiting.push_back(Box::new(work)),
            Rank::Container | Rank::Signal => self.waiting.push_front(Box::new(work)),
        }
        if self.running < rank.most() {
            // Otherwise it waits for a thread.
            self.begin_next();
        }
    }

    /// Whether something waits, for another one's end or for a thread that the host refuses now.
    pub fn wait(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What no thread could be started for is tried again when something else has ended, or after a while.
    pub fn retry(&mut self) {
        while self.running < Rank::Exec.most() && self.begin_next() {}
    }

    /// Whether another one has a thread now.
    fn begin_next(&mut self) -> bool {
        let Some(next) = self.waiting.pop_front() else { return false };
        let shared = Arc::clone(&self.shared);
        // The work is taken by the thread itself: one that cannot be started leaves it.
        let place = Arc::new(Mutex::new(Some(next)));
        let taken = Arc::clone(&place);
        let run = move || {
            let Some(work) = taken.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
            let finish = work();
            shared.done.lock().unwrap_or_else(PoisonError::into_inner).push(finish);
            // A counter that is full is readable, which is all that it is for.
            let _ = file::write(shared.signal.as_fd(), &1u64.to_ne_bytes());
        };
        let begun = thread::Builder::new().stack_size(STACK).spawn(run).is_ok();
        if begun {
            self.running += 1;
        } else {
            let work = place.lock().unwrap_or_else(PoisonError::into_inner).take();
            work.into_iter().for_each(|work| self.waiting.push_front(work));
        }
        begun
    }

    /// What has been finished since the last time.
    pub fn finished(&mut self) -> Vec<Finish<S>> {
        // Nothing to read is nothing finished.
        let _ = file::read(self.fd(), &mut [0; 8]);
        let done = std::mem::take(&mut *self.shared.done.lock().unwrap_or_else(PoisonError::into_inner));
        self.running -= done.len();
        self.retry();
        done
    }
}
