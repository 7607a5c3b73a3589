//! The shim proper of one container, by podman, by CRI-O or by hand: one loop for one process, over its streams, its
//! clients and its end.
//!
//! It may be killed at any instant. What it makes is handed to the keeper before it is relied on, and noted in the
//! journal; the next one takes both and goes on. What is told twice after a kill is told in the same words.

use crate::error::{Error, Result};
use crate::report::Log;
use crate::shim::conmon::clients::{Clients, STALL};
use crate::shim::conmon::finish;
use crate::shim::conmon::logs::Stage;
use crate::shim::conmon::options::Options;
use crate::shim::conmon::record::{
    ANSWER, CONTROL, ERR, IN, NOTIFY, OUT, PIDFD, Record, SIZE, STAGE, TERMINAL, WORD,
};
use crate::shim::conmon::runtime::Maker;
use crate::shim::conmon::shim::{
    OF_CONTROL, OF_END, OF_INPUT, OF_KEEPER, OF_LOG, OF_NOTIFY, OF_OOM, OF_OUTPUT, OF_SIZE, Shared, Shim, now,
};
use crate::shim::journal::Journal;
use crate::shim::link::{Keeper, Left, Orphan, Said, UNKNOWN};
use crate::shim::table::Table;
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::memory;
use crate::wire::keeper::{ACCEPTED, EXTRA, LISTENER};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A process that has lived so long goes on for a while, as a rule.
const SETTLED: Duration = Duration::from_secs(3);
/// How long a disk that is full may hold up the end.
const LAST: Duration = Duration::from_secs(5);

/// The shim proper. Returns when the keeper has been told not to start another.
pub fn serve(options: Options, maker: Option<Box<dyn Maker>>, log: Arc<Log>) -> Result<()> {
    let keeper = Keeper::take()?;
    // However often taking over fails: no other program ends what was begun.
    keeper.begun()?;
    let Left { journal, mut held, endings, last: _ } = keeper.left()?;
    let mut record = Record::default();
    let copy = journal.try_clone().map_err(|e| Error::io("duplicate the journal", &e))?;
    let journal_of_records = Journal::open(copy, |next| record.take(next))?;
    let shared: Shared = Arc::new(Mutex::new((journal_of_records, record.clone())));
    let given = record.given.iter().zip(EXTRA..);
    let given = given.filter_map(|(number, name)| Some((*number, held.remove(&name)?))).collect();
    let drivers = options.drivers.clone();
    let stage = Stage::open(journal.as_fd(), &drivers, options.about(), STAGE, &keeper, &mut held)
        .map_err(|e| e.field(options.log_option));
    let stage = match stage {
        Ok(stage) => stage,
        // What was begun may run: the next shim tries again.
        Err(error) if record.begun == Some(true) => return Err(error),
        Err(error) => return give_up(&options, &keeper, &given, &error),
    };
    let mut take = |name: u64| held.remove(&name);
    let terminal = take(TERMINAL);
    let copy = |fd: &OwnedFd| fd.try_clone().map_err(|e| Error::io("duplicate the terminal", &e));
    let (input, output) = match &terminal {
        Some(master) => (Some(copy(master)?), Some(copy(master)?)),
        None => (take(IN), take(OUT)),
    };
    let mut shim = Shim {
        epoll: Epoll::new().map_err(|e| e.because("epoll_create"))?,
        keeper: Arc::new(keeper),
        keeper_is_gone: false,
        shared,
        given,
        listener: take(LISTENER),
        stage,
        sources: [output, take(ERR)],
        rest: [usize::MAX; 2],
        input,
        unread: Vec::new(),
        terminal,
        clients: Clients::default(),
        control: take(CONTROL),
        size: take(SIZE),
        notify: None,
        pidfd: take(PIDFD),
        orphan: Orphan::default(),
        oom: None,
        endings,
        reopens: false,
        has_trouble: false,
        look: None,
        deadline: None,
        ended: None,
        rest_at: Some(Instant::now() + SETTLED),
        log,
        options,
        maker,
    };
    let (word, _answer) = (take(WORD), take(ANSWER));
    if let Some(notify) = take(NOTIFY) {
        shim.connect_notify(notify);
    }
    for (name, socket) in held.into_iter().filter(|(name, _)| *name >= ACCEPTED) {
        shim.connect(name, socket)?;
    }
    shim.watch(OF_KEEPER, shim.keeper.fd(), Interest::READ)?;
    if let Some(word) = word {
        // An exec whose maker was killed before it could say it.
        crate::engine::release(word.as_fd()).map_err(|e| e.because("release an exec"))?;
        shim.keeper.let_go(WORD)?;
        shim.keeper.let_go(ANSWER)?;
    }
    shim.live()
}

/// Nothing was made, and nothing will be.
fn give_up(options: &Options, keeper: &Keeper, given: &Table<i32, OwnedFd>, error: &Error) -> Result<()> {
    if let Some(sync) = options.pipes.sync.and_then(|number| given.get(&number)) {
        finish::say(sync.as_fd(), options, -1, Some(&error.to_string()))?;
    }
    finish::run_exit_command(options)?;
    keeper.finish(1)
}

impl Shim {
    fn live(&mut self) -> Result<()> {
        let record = self.record();
        let made = if record.pid.is_some() || record.failed == Some(true) {
            Ok(())
        } else {
            self.begin(record.begun == Some(true))
        };
        if let Err(error) = &made {
            self.note(Record { failed: Some(true), ..Record::default() })?;
            self.report_failure(error)?;
        }
        let record = self.record();
        if record.failed == Some(true) {
            self.remove_socket();
            return self.end(1);
        }
        if record.told != Some(true) {
            self.serve(&record)?;
            self.tell_end()?;
        }
        let status = self.record().status.unwrap_or(-1);
        self.end(status)
    }

    fn serve(&mut self, record: &Record) -> Result<()> {
        if !self.keeper_is_gone {
            self.keeper.let_go(WORD)?;
            self.keeper.let_go(ANSWER)?;
        }
        // An exec's older callers expect one number, which is its exit code.
        if record.reported != Some(true) && (self.options.api_version >= 1 || !self.options.exec) {
            if let (Some(sync), Some(pid)) = (self.sync_pipe(), record.pid) {
                let heard = finish::say(sync, &self.options, pid, None)?;
                if let Some(maker) = self.maker.as_ref().filter(|_| !heard) {
                    maker.unheard(&self.options)?;
                }
            }
            self.note(Record { reported: Some(true), ..Record::default() })?;
        }
        let since = record.since.unwrap_or_else(now);
        if self.options.timeout > 0 {
            let left = (since + self.options.timeout).saturating_sub(now());
            self.deadline = Some(Instant::now() + Duration::from_secs(left));
        }
        self.watch_oom();
        self.resume()?;
        for (name, fd) in [(OF_CONTROL, &self.control), (OF_SIZE, &self.size)] {
            if let Some(fd) = fd {
                self.watch(name, fd.as_fd(), Interest::READ)?;
            }
        }
        if let Some((notify, _)) = &self.notify {
            self.watch(OF_NOTIFY, notify.as_fd(), Interest::READ)?;
        }
        match &self.pidfd {
            // A predecessor has noted it.
            _ if record.status.is_some() => self.bound_output(),
            Some(pidfd) => {
                let watched = self.epoll.watch_end(pidfd.as_fd(), OF_END);
                watched.map_err(|e| e.because("epoll_ctl"))?;
            }
            None => self.has_ended(UNKNOWN)?,
        }
        self.pump()?;
        while !self.is_over() {
            let events = self.epoll.wait(self.due()).map_err(|e| e.because("epoll_wait"))?;
            self.hear_keeper()?;
            let mut moved = false;
            // A size that a client has set before it wrote is the terminal's before the process reads that.
            let is_client = |event: &&u64| **event >= ACCEPTED;
            let own = events.iter().filter(|event| !is_client(event));
            for event in own.chain(events.iter().filter(is_client)).copied() {
                match event {
                    OF_KEEPER => {}
                    OF_INPUT => self.write_input()?,
                    OF_CONTROL => self.control()?,
                    OF_SIZE => self.resize()?,
                    OF_NOTIFY => self.pass_notice(),
                    OF_END => self.look_at_end()?,
                    OF_OOM => self.look_at_oom()?,
                    OF_LOG => moved = true,
                    name if name >= ACCEPTED => self.hear(name)?,
                    _ => {}
                }
                moved |= OF_OUTPUT.contains(&event) || event >= ACCEPTED;
            }
            if self.orphan.is_unknown() {
                self.look_at_end()?;
            }
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                self.end_in_time()?;
            }
            if self.patience_ends().is_some_and(|due| due <= now) {
                let patience = if self.ended.is_some() { LAST } else { STALL };
                self.clients.end_stalled(patience, &self.epoll);
                self.forget_gone()?;
                moved = true;
            }
            if self.rest_at.is_some_and(|time| time <= now) {
                self.rest_at = None;
                // Memory that is not given back is no error.
                let _ = memory::let_go_of_code();
            }
            if self.look.is_some_and(|look| look <= now) {
                self.look = None;
                moved = true;
            }
            if moved || self.ended.is_some() {
                self.pump()?;
            }
        }
        self.report_loss();
        Ok(())
    }

    fn due(&self) -> Option<Instant> {
        let dues = [self.look, self.deadline, self.rest_at, self.patience_ends(), self.orphan.due()];
        dues.into_iter().flatten().min()
    }

    /// When clients that take nothing are waited for no longer: where a log has it all, and when the process has ended.
    fn patience_ends(&self) -> Option<Instant> {
        match self.ended {
            Some(_) => self.clients.due(LAST),
            None => self.clients.due(STALL).filter(|_| self.stage.has_logs()),
        }
    }

    /// The process has ended, and what it has written is where it belongs, or cannot be.
    fn is_over(&self) -> bool {
        let Some(since) = self.ended else { return false };
        let moved = self.stage.content().is_none() && self.sources.iter().all(Option::is_none);
        moved || (self.look.is_some() && since.elapsed() > LAST)
    }

    pub(super) fn hear_keeper(&mut self) -> Result<()> {
        while !self.keeper_is_gone {
            let Some(said) = self.keeper.hear(false)? else { return Ok(()) };
            self.take_word(said)?;
        }
        Ok(())
    }

    pub(super) fn take_word(&mut self, said: Said) -> Result<()> {
        match said {
            Said::Held(name, fd) if name >= ACCEPTED => self.connect(name, fd),
            Said::Held(..) | Said::All(_) => Ok(()),
            Said::Ended(pid, ended) if self.record().pid == Some(pid) => {
                self.endings.insert(pid, ended);
                self.look_at_end()
            }
            Said::Ended(pid, _) => self.keeper.heard(pid),
            Said::Gone => {
                // We hold what it held.
                self.epoll.forget(self.keeper.fd());
                self.keeper_is_gone = true;
                // It reports no end after this.
                self.look_whether_ended()
            }
        }
    }
}
