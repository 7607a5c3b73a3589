//! What the process writes, to the logs and to the clients that are attached.

use crate::error::{Error, Result};
use crate::shim::conmon::finish;
use crate::shim::conmon::logs::{Output, Taken};
use crate::shim::conmon::record::{ERR, OUT};
use crate::shim::conmon::shim::{LOOK, OF_LOG, OF_OUTPUT, Shim};
use crate::sys::epoll::Interest;
use crate::sys::pipe;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

/// How often output is moved before something else has its turn.
const TURNS: u32 = 16;

impl Shim {
    /// Moves what has come, to the logs and to the clients.
    pub(super) fn pump(&mut self) -> Result<()> {
        let mut turns = 0;
        while turns < TURNS || self.ended.is_some() {
            turns += 1;
            if self.listener.is_some() && self.stage.content().is_some() {
                self.meet_clients()?;
            }
            if let Some((output, bytes)) = self.stage.content() {
                let given = self.clients.give(output, bytes, &self.epoll);
                self.forget_gone()?;
                if let Some(log) = self.stage.full() {
                    self.epoll.forget(log);
                }
                let stored = self.stage.store(&self.keeper)?;
                if !stored {
                    self.report_trouble();
                    self.look = Some(Instant::now() + LOOK);
                    if let Some(log) = self.stage.full() {
                        self.watch(OF_LOG, log, Interest::WRITE)?;
                    }
                }
                if !given || !stored {
                    return self.stall();
                }
                self.has_trouble = false;
                self.stage.release()?;
                self.clients.released();
            }
            if std::mem::take(&mut self.reopens) {
                self.reopen()?;
            }
            if !self.take()? {
                break;
            }
        }
        self.resume()
    }

    /// Takes some of the output, if there is any.
    fn take(&mut self) -> Result<bool> {
        for (at, output) in [Output::Out, Output::Err].into_iter().enumerate() {
            let Some(source) = &self.sources[at] else { continue };
            let taken = match self.rest[at] {
                0 => Taken::Ended,
                rest => self.stage.take(output, source.as_fd(), rest)?,
            };
            match taken {
                Taken::Some => {
                    let length = self.stage.content().map_or(0, |(_, bytes)| bytes.len());
                    self.rest[at] = self.rest[at].saturating_sub(length);
                    return Ok(true);
                }
                Taken::Nothing if self.ended.is_none() => {}
                Taken::Nothing | Taken::Ended => {
                    self.epoll.forget(source.as_fd());
                    self.sources[at] = None;
                    // A terminal stays: another process may open its other side.
                    if self.terminal.is_none() {
                        self.keeper.let_go([OUT, ERR][at])?;
                    }
                }
            }
        }
        Ok(false)
    }

    /// A program that rotates logs has moved the files away. What cannot be opened anew goes on as it is.
    fn reopen(&mut self) -> Result<()> {
        if let Err(error) = self.stage.reopen(&self.keeper) {
            self.log.warn(&error);
        }
        Ok(())
    }

    /// Once for each time that a log has no room: the process may wait for it.
    fn report_trouble(&mut self) {
        if let Some(trouble) = self.stage.trouble().filter(|_| !self.has_trouble) {
            self.log.warn(&Error::new(format!("the container's output waits for its log: {trouble}")));
            self.has_trouble = true;
        }
    }

    /// The process has ended, and a log has not taken all in time.
    pub(super) fn report_loss(&mut self) {
        let unread = |source: &OwnedFd| pipe::unread(source.as_fd()).unwrap_or_default();
        let staged = self.stage.content().map_or(0, |(_, bytes)| bytes.len());
        let lost = staged + self.sources.iter().flatten().map(unread).sum::<usize>();
        if lost == 0 {
            return;
        }
        let reason = self.stage.trouble().map_or_else(String::new, |trouble| format!(": {trouble}"));
        let text = format!("the last {lost} bytes of the container's output are lost{reason}");
        self.log.warn(&Error::new(text.clone()));
        if self.options.by_hand {
            finish::write_loss(&self.options, &text);
        }
    }

    fn stall(&mut self) -> Result<()> {
        self.sources.iter().flatten().for_each(|source| self.epoll.forget(source.as_fd()));
        Ok(())
    }

    pub(super) fn resume(&mut self) -> Result<()> {
        for (at, source) in self.sources.iter().enumerate() {
            if let Some(source) = source {
                self.watch(OF_OUTPUT[at], source.as_fd(), Interest::READ)?;
            }
        }
        Ok(())
    }

    /// The process has ended: what its descendants go on to write is not waited for.
    pub(super) fn bound_output(&mut self) {
        for at in 0..self.sources.len() {
            let unread = self.sources[at].as_ref().map(|source| pipe::unread(source.as_fd()));
            self.rest[at] = match (unread, &self.terminal) {
                (Some(Ok(unread)), None) => unread,
                _ => 1 << 20,
            };
        }
        self.ended = Some(Instant::now());
    }
}
