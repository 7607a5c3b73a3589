//! Signals that arrive as something to read, for as long as they are held back from this thread.

use crate::sys::SysResult;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

/// Signals held back; dropped, the thread's mask is as it was.
pub struct Signals {
    fd: SignalFd,
    /// Taken and put back.
    kept: Mutex<VecDeque<i32>>,
    before: SigSet,
}

impl Signals {
    /// Holds back every signal that can be, except those that report faults of our own.
    pub fn hold() -> SysResult<Signals> {
        let mut set = SigSet::all();
        for fault in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE, Signal::SIGABRT] {
            set.remove(fault);
        }
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let before = set.thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        Ok(Signals { fd, kept: Mutex::default(), before })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Puts a signal back for [`Signals::next`].
    pub fn keep(&self, signal: i32) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push_back(signal);
    }

    /// The next signal that was put back, of which the descriptor says nothing.
    pub fn kept(&self) -> Option<i32> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// The next signal, of those that were put back first.
    pub fn next(&self) -> Option<i32> {
        self.kept().or_else(|| self.take())
    }

    /// The next signal that has arrived.
    pub fn take(&self) -> Option<i32> {
        self.fd.read_signal().ok().flatten().map(|signal| signal.ssi_signo as i32)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // What is still to be read would hit this thread with its default action now.
        while self.next().is_some() {}
        // The mask is the one that this thread had, so it is not refused.
        let _ = self.before.thread_set_mask();
    }
}
