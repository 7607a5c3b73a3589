//! How the process ends, and who is told.

use crate::cgroup::oom::Seen;
use crate::error::Result;
use crate::shim::conmon::record::{PIDFD, Record};
use crate::shim::conmon::shim::{OF_OOM, Shim};
use crate::shim::conmon::{finish, places};
use crate::shim::link::how_it_ended;
use crate::sys::wait::{self, Ended};
use crate::sys::{poll, process};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

const TIMED_OUT: &str = "command timed out";

impl Shim {
    pub(super) fn look_at_end(&mut self) -> Result<()> {
        let Some(pidfd) = &self.pidfd else { return Ok(()) };
        let told = self.record().pid.and_then(|pid| self.endings.get(&pid).copied());
        let ended = how_it_ended(pidfd.as_fd(), told, self.keeper_is_gone, &mut self.orphan);
        ended.map_or(Ok(()), |ended| self.has_ended(ended))
    }

    /// The same where it may run.
    pub(super) fn look_whether_ended(&mut self) -> Result<()> {
        let ended = |fd: &OwnedFd| poll::readable(fd.as_fd(), Some(Instant::now())) == Ok(true);
        if self.pidfd.as_ref().is_some_and(ended) { self.look_at_end() } else { Ok(()) }
    }

    pub(super) fn has_ended(&mut self, ended: Ended) -> Result<()> {
        if self.ended.is_some() {
            return Ok(());
        }
        self.look_at_oom()?;
        self.note(Record { status: Some(ended.code()), ..Record::default() })?;
        if let Some(pidfd) = self.pidfd.take() {
            self.epoll.forget(pidfd.as_fd());
            // Not ours to reap where the keeper has done so.
            let _ = wait::try_reap(pidfd.as_fd());
        }
        self.keeper.let_go(PIDFD)?;
        self.bound_output();
        self.deadline = None;
        Ok(())
    }

    pub(super) fn end_in_time(&mut self) -> Result<()> {
        self.deadline = None;
        self.note(Record { timed_out: Some(true), ..Record::default() })?;
        if let Some(pidfd) = &self.pidfd {
            process::pidfd_kill(pidfd.as_fd());
        }
        Ok(())
    }

    pub(super) fn watch_oom(&mut self) {
        if self.options.exec {
            return;
        }
        let Some(maker) = &self.maker else { return };
        // Without a memory controller, or for a container that ends at once, there is nothing to watch.
        let watched = maker.engine().and_then(|engine| engine.watch_oom(&self.options.id));
        let Ok(Some(oom)) = watched else { return };
        let (fd, interest) = oom.watched();
        if self.watch(OF_OOM, fd, interest).is_ok() {
            self.oom = Some(oom);
        }
    }

    pub(super) fn look_at_oom(&mut self) -> Result<()> {
        let Some(oom) = &mut self.oom else { return Ok(()) };
        match oom.look().unwrap_or(Seen::Gone) {
            Seen::Killed => finish::write_oom_files(&self.options),
            Seen::Nothing => Ok(()),
            Seen::Gone => {
                self.epoll.forget(oom.watched().0);
                self.oom = None;
                Ok(())
            }
        }
    }

    pub(super) fn tell_end(&mut self) -> Result<()> {
        let record = self.record();
        if !self.options.no_sync_log {
            self.stage.sync();
        }
        let timed_out = record.timed_out == Some(true);
        let status = if timed_out { -1 } else { record.status.unwrap_or(-1) };
        // Reserved ports are free again before it is known that the container has ended.
        let sync = self.options.pipes.sync;
        for number in self.given.keys().copied().filter(|number| Some(*number) != sync).collect::<Vec<_>>() {
            if let Some(name) = record.name_of(number) {
                self.keeper.let_go(name)?;
            }
            self.given.remove(&number);
        }
        self.remove_socket();
        if let Err(error) = finish::write_exit_files(&self.options, status) {
            self.log.warn(&error);
        }
        if let Some(sync) = self.sync_pipe().filter(|_| self.options.exec) {
            finish::say(sync, &self.options, status, timed_out.then_some(TIMED_OUT))?;
        }
        self.note(Record { told: Some(true), ..Record::default() })
    }

    /// No client can attach any more. This comes before the exit file: an engine that reads that file may start the
    /// container anew, and the next shim has a socket of the same name.
    pub(super) fn remove_socket(&self) {
        if self.options.bundle.as_os_str().is_empty() {
            return;
        }
        let link = places::link(&self.options).filter(|path| path.is_symlink());
        // It may have gone with its directory.
        let _ = std::fs::remove_file(link.unwrap_or_else(|| self.options.bundle.join("attach")));
    }

    pub(super) fn end(&mut self, status: i32) -> Result<()> {
        if let Some(number) = self.options.pipes.sync {
            if let Some(name) = self.record().name_of(number) {
                self.keeper.let_go(name)?;
            }
            self.given.remove(&number);
        }
        for name in self.clients.names() {
            self.clients.remove(name, &self.epoll);
        }
        self.forget_gone()?;
        if let Err(error) = finish::run_exit_command(&self.options) {
            self.log.warn(&error);
        }
        self.keeper.finish(status as u32 & 0xff)
    }
}
