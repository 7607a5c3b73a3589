//! Signals that arrive as something to read, for as long as they are held back from this thread.

use super::{Errno, SysResult, check};
use std::collections::VecDeque;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// Signals held back; dropped, the thread's mask is as it was.
pub struct Signals {
    fd: OwnedFd,
    /// Taken and put back.
    kept: Mutex<VecDeque<i32>>,
    before: libc::sigset_t,
}

impl Signals {
    /// Holds back every signal that can be, except those that report faults of our own.
    pub fn hold() -> SysResult<Signals> {
        // SAFETY: all zeroes is a valid value of both plain structs, which the calls below fill.
        let (mut set, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { (zeroed(), zeroed()) };
        // SAFETY: set and before are ours; the numbers are those of signals.
        unsafe {
            libc::sigfillset(&mut set);
            for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT] {
                libc::sigdelset(&mut set, fault);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &set, &mut before);
        }
        // SAFETY: set is valid for the call.
        let fd = check(unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) }.into());
        match fd {
            Ok(fd) => {
                // SAFETY: the kernel has just returned this descriptor to us alone.
                let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
                Ok(Signals { fd, kept: Mutex::default(), before })
            }
            Err(errno) => {
                // SAFETY: before was filled by the first call.
                unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) };
                Err(errno)
            }
        }
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
        let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
        loop {
            match super::file::read(self.fd.as_fd(), &mut info) {
                Ok(n) if n == info.len() => {
                    return Some(i32::from_ne_bytes([info[0], info[1], info[2], info[3]]));
                }
                Err(Errno(libc::EINTR)) => {}
                _ => return None,
            }
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // What is still to be read would hit this thread with its default action now.
        while self.next().is_some() {}
        // SAFETY: before was filled by the kernel in `hold`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut()) };
    }
}
