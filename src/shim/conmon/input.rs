//! Clients that attach, and what they write to the process.

use crate::error::Result;
use crate::shim::conmon::clients::Heard;
use crate::shim::conmon::record::IN;
use crate::shim::conmon::shim::{OF_INPUT, PATIENCE, Shim};
use crate::shim::link::Said;
use crate::sys::epoll::Interest;
use crate::sys::{Errno, file, poll};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

impl Shim {
    pub(super) fn connect(&mut self, name: u64, socket: OwnedFd) -> Result<()> {
        if self.clients.add(name, socket, &self.epoll) { Ok(()) } else { self.keeper.let_go(name) }
    }

    pub(super) fn hear(&mut self, name: u64) -> Result<()> {
        match self.clients.hear(name, &self.epoll) {
            Heard::Bytes(bytes) => {
                if self.input.is_some() {
                    self.unread = bytes;
                    self.write_input()?;
                }
            }
            Heard::End => self.end_input()?,
            Heard::Gone if !self.options.by_hand => self.end_input()?,
            Heard::Gone | Heard::Nothing => {}
        }
        self.forget_gone()
    }

    /// The keeper has a copy of each connection.
    pub(super) fn forget_gone(&mut self) -> Result<()> {
        self.clients.take_gone().into_iter().try_for_each(|name| self.keeper.let_go(name))
    }

    pub(super) fn write_input(&mut self) -> Result<()> {
        let Some(input) = &self.input else { return Ok(()) };
        while !self.unread.is_empty() {
            match file::write(input.as_fd(), &self.unread) {
                Ok(length) => drop(self.unread.drain(..length)),
                Err(Errno(libc::EAGAIN)) => {
                    self.clients.listen(false, &self.epoll);
                    return self.watch(OF_INPUT, input.as_fd(), Interest::WRITE);
                }
                // It reads no more.
                Err(_) => self.unread.clear(),
            }
        }
        self.unread = Vec::new();
        self.epoll.forget(input.as_fd());
        self.clients.listen(true, &self.epoll);
        Ok(())
    }

    /// A client says no more.
    fn end_input(&mut self) -> Result<()> {
        if self.options.stdin && !self.options.leave_stdin_open && self.terminal.is_none() {
            if let Some(input) = self.input.take() {
                self.epoll.forget(input.as_fd());
            }
            self.keeper.let_go(IN)?;
        }
        Ok(())
    }

    /// A client that has connected before the first output sees it: the keeper has accepted it, and has told us.
    pub(super) fn meet_clients(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let waits = |fd: &OwnedFd| poll::readable(fd.as_fd(), Some(Instant::now())) == Ok(true);
        while self.listener.as_ref().is_some_and(waits) && Instant::now() < deadline {
            let soon = Instant::now() + Duration::from_millis(1);
            if poll::readable(self.keeper.fd(), Some(soon)) == Ok(true) {
                self.hear_keeper()?;
            }
        }
        self.keeper.ask()?;
        while !self.keeper_is_gone {
            let Some(said) = self.keeper.hear(true)? else { break };
            let all = matches!(said, Said::All(_));
            self.take_word(said)?;
            if all {
                break;
            }
        }
        self.listener = None;
        Ok(())
    }
}
