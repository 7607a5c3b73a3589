//! The shim proper under podman or CRI-O: one loop for one process, over its streams, its clients and its end.
//!
//! It may be killed at any instant. What it makes is handed to the keeper before it is relied on, and noted in the
//! journal; the next one takes both and goes on. What is told twice after a kill is told in the same words.

use crate::cgroup::oom::{OomKills, Seen};
use crate::engine::{Event, Observer, Started};
use crate::error::{Error, Result};
use crate::report::{Format, Log, Verbosity};
use crate::shim::conmon::clients::{Clients, Heard};
use crate::shim::conmon::options::{Options, named_by};
use crate::shim::conmon::record::{
    ANSWER, CONTROL, ERR, IN, NOTIFY, OUT, PIDFD, Record, SIZE, STAGE, TERMINAL, WORD,
};
use crate::shim::conmon::runtime::{self, Given, Globals};
use crate::shim::conmon::{finish, places};
use crate::shim::journal::Journal;
use crate::shim::link::{Keeper, Left, Said, UNKNOWN, how_it_ended};
use crate::shim::logs::{Output, Stage, Taken};
use crate::shim::table::Table;
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::wait::{self, Ended};
use crate::sys::{Errno, file, memory, pipe, poll, process, socket, terminal};
use crate::wire::keeper::{ACCEPTED, EXTRA, LISTENER};
use nix::sys::socket::SockType;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

// What an event of epoll is about; a connection has its own name.
const OF_KEEPER: u64 = 1;
const OF_OUTPUT: [u64; 2] = [2, 3];
const OF_INPUT: u64 = 4;
const OF_CONTROL: u64 = 5;
const OF_SIZE: u64 = 6;
const OF_NOTIFY: u64 = 7;
const OF_END: u64 = 8;
const OF_OOM: u64 = 9;
const OF_LOG: u64 = 10;

/// Between two looks at a disk that is full.
const LOOK: Duration = Duration::from_millis(100);
/// A process that has lived so long goes on for a while, as a rule.
const SETTLED: Duration = Duration::from_secs(3);
/// How often output is moved before something else has its turn.
const TURNS: u32 = 16;
/// How long a client of an exec is waited for, which has connected already.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a disk that is full may hold up the end.
const LAST: Duration = Duration::from_secs(5);

const TIMED_OUT: &str = "command timed out";

type Shared = Arc<Mutex<(Journal, Record)>>;

struct Shim {
    options: Options,
    epoll: Epoll,
    keeper: Arc<Keeper>,
    keeper_is_gone: bool,
    shared: Shared,
    /// What was inherited, by its number there.
    given: BTreeMap<i32, OwnedFd>,
    /// The attach socket, until the first output.
    listener: Option<OwnedFd>,
    stage: Stage,
    /// Our ends of standard output and error, or the terminal in the place of the first.
    sources: [Option<OwnedFd>; 2],
    /// After the end of the process, how much of each is still to come.
    rest: [usize; 2],
    input: Option<OwnedFd>,
    /// Of the input, what the process has not taken yet.
    unread: Vec<u8>,
    terminal: Option<OwnedFd>,
    clients: Clients,
    control: Option<OwnedFd>,
    size: Option<OwnedFd>,
    notify: Option<(OwnedFd, OwnedFd)>,
    pidfd: Option<OwnedFd>,
    oom: Option<OomKills>,
    endings: Table<i32, Ended>,
    look: Option<Instant>,
    deadline: Option<Instant>,
    ended: Option<Instant>,
    /// What the beginning took of memory is let go of then.
    rest_at: Option<Instant>,
    log: Log,
}

/// The shim proper. Returns when the keeper has been told not to start another.
pub fn serve(options: Options) -> Result<()> {
    let keeper = Keeper::take()?;
    let Left { journal, mut held, endings, last: _ } = keeper.left()?;
    let mut record = Record::default();
    let copy = journal.try_clone().map_err(|e| Error::io("duplicate the journal", &e))?;
    let journal_of_records = Journal::open(copy, |next| record.take(next))?;
    let shared: Shared = Arc::new(Mutex::new((journal_of_records, record.clone())));
    let given = record.given.iter().zip(EXTRA..);
    let given = given.filter_map(|(number, name)| Some((*number, held.remove(&name)?))).collect();
    let detail = if options.debug { Verbosity::Debug } else { Verbosity::Usual };
    let log = Log::stderr(Format::Text, detail);
    let drivers = options.drivers.clone();
    let stage = Stage::open(journal.as_fd(), &drivers, options.about(), STAGE, &keeper, &mut held);
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
        oom: None,
        endings,
        look: None,
        deadline: None,
        ended: None,
        rest_at: Some(Instant::now() + SETTLED),
        log,
        options,
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
fn give_up(options: &Options, keeper: &Keeper, given: &BTreeMap<i32, OwnedFd>, error: &Error) -> Result<()> {
    if let Some(sync) = named_by("_OCI_SYNCPIPE").and_then(|number| given.get(&number)) {
        finish::say(sync.as_fd(), options, -1, Some(&error.to_string()))?;
    }
    finish::run_exit_command(options)?;
    keeper.finish(1)
}

impl Shim {
    fn watch(&self, name: u64, fd: BorrowedFd, interest: Interest) -> Result<()> {
        self.epoll.watch(fd, name, interest).map_err(|e| e.because("epoll_ctl"))
    }

    fn record(&self) -> Record {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    fn note(&self, change: Record) -> Result<()> {
        note(&self.shared, change)
    }

    fn pipe_of(&self, variable: &str) -> Option<BorrowedFd<'_>> {
        self.given.get(&named_by(variable)?).map(AsFd::as_fd)
    }

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
            return self.end(1);
        }
        if record.told != Some(true) {
            self.serve(&record)?;
            self.tell_end()?;
        }
        let status = self.record().status.unwrap_or(-1);
        self.end(status)
    }

    // The beginning.

    fn begin(&mut self, again: bool) -> Result<()> {
        self.note(Record { begun: Some(true), ..Record::default() })?;
        let globals = Globals::of(&self.options);
        if again && globals.is_none() {
            if !self.options.exec {
                runtime::delete(&self.options)?;
            }
            return Err(Error::new("the shim was killed while the runtime was executed"));
        }
        let bundle = self.options.bundle.clone();
        if !bundle.as_os_str().is_empty() {
            let control = places::fifo(&bundle, "ctl")?;
            let size = places::fifo(&bundle, "winsz")?;
            self.keeper.hold(CONTROL, control.as_fd())?;
            self.keeper.hold(SIZE, size.as_fd())?;
            (self.control, self.size) = (Some(control), Some(size));
        }
        if self.options.notify_socket.is_some() && !self.options.exec {
            let place = bundle.join("notify");
            std::fs::create_dir_all(&place)
                .map_err(|e| Error::io(format!("make {}", place.display()), &e))?;
            let path = place.join("notify.sock");
            // The container's processes may have any user.
            let bound = places::bound(&path, SockType::Datagram, 0o777);
            let notify = bound.map_err(|e| e.because(format!("bind {}", path.display())))?;
            self.keeper.hold(NOTIFY, notify.as_fd())?;
            self.connect_notify(notify);
        }
        self.await_client()?;
        let made = self.make(globals.as_ref(), again)?;
        self.keeper.hold(PIDFD, made.pidfd.as_fd())?;
        if let Some(master) = made.terminal {
            file::set_nonblocking(master.as_fd(), true).map_err(|e| e.because("set the terminal's mode"))?;
            self.keeper.hold(TERMINAL, master.as_fd())?;
            let copy = || master.try_clone().map_err(|e| Error::io("duplicate the terminal", &e));
            (self.input, self.sources[0]) = (Some(copy()?), Some(copy()?));
            self.terminal = Some(master);
        }
        self.pidfd = Some(made.pidfd);
        self.note(Record { pid: Some(made.pid), since: Some(now()), ..Record::default() })
    }

    /// The caller of an exec is told that it can attach, and says when it has.
    fn await_client(&mut self) -> Result<()> {
        if !self.options.exec_attach {
            return Ok(());
        }
        if let Some(attach) = self.pipe_of("_OCI_ATTACHPIPE") {
            finish::say(attach, &self.options, 0, None)?;
        }
        let Some(start) = self.pipe_of("_OCI_STARTPIPE") else { return Ok(()) };
        file::read(start, &mut [0; 64]).map_err(|e| e.because("read the start pipe"))?;
        let deadline = Instant::now() + PATIENCE;
        while self.clients.is_empty() && poll::readable(self.keeper.fd(), Some(deadline)) == Ok(true) {
            self.hear_keeper()?;
        }
        Ok(())
    }

    fn make(&mut self, globals: Option<&Globals>, again: bool) -> Result<Started> {
        let failed = |e: Errno| e.because("pipe");
        let null = file::openat2(file::cwd(), c"/dev/null", libc::O_RDWR, 0, 0);
        let null = null.map_err(|e| e.because("open /dev/null"))?;
        let mut ends: [Option<OwnedFd>; 3] = [None, None, None];
        let passthrough = self.options.has_passthrough();
        if !self.options.terminal && !passthrough {
            if self.options.stdin {
                let (ours, theirs) = pipe::to_write().map_err(failed)?;
                self.keeper.hold(IN, ours.as_fd())?;
                (self.input, ends[0]) = (Some(ours), Some(theirs));
            }
            for (at, name) in [OUT, ERR].into_iter().enumerate() {
                let (ours, theirs) = pipe::to_read().map_err(failed)?;
                self.keeper.hold(name, ours.as_fd())?;
                (self.sources[at], ends[at + 1]) = (Some(ours), Some(theirs));
            }
        }
        let mut streams = [0, 1, 2].map(|at| match ends[at].as_ref() {
            Some(end) => Some(end.as_fd()),
            None if passthrough => self.given.get(&(at as i32)).map(AsFd::as_fd),
            None => Some(null.as_fd()),
        });
        let observer = self.observer();
        if let Some(globals) = globals {
            if self.options.terminal {
                streams = [None; 3];
            }
            let given = self.given_to_process(streams);
            return runtime::call(&self.options, globals, given, observer, again);
        }
        let (said, errors) = pipe::to_read().map_err(failed)?;
        if self.options.terminal {
            streams[2] = Some(errors.as_fd());
        }
        let said = self.sources[1].as_ref().unwrap_or(&said);
        runtime::execute(&self.options, &self.given_to_process(streams), said.as_fd())
    }

    fn given_to_process<'a>(&'a self, streams: [Option<BorrowedFd<'a>>; 3]) -> Given<'a> {
        let ours = ["_OCI_SYNCPIPE", "_OCI_STARTPIPE", "_OCI_ATTACHPIPE"].map(named_by);
        let wanted = (3..).map_while(|number| {
            self.given.get(&number).filter(|_| !ours.contains(&Some(number))).map(AsFd::as_fd)
        });
        let descriptors: Vec<BorrowedFd> = wanted.collect();
        let announced = std::env::var("LISTEN_FDS").ok().and_then(|number| number.parse().ok());
        let sockets =
            announced.filter(|_| self.options.replace_listen_pid && !self.options.exec).unwrap_or(0);
        Given { streams, sockets: descriptors.len().min(sockets), descriptors }
    }

    /// A successor finds an exec that waits for its word.
    fn observer(&self) -> Observer {
        let (keeper, shared) = (Arc::clone(&self.keeper), Arc::clone(&self.shared));
        Arc::new(move |event| {
            let Event::Releasing { process, word, answer } = event else { return };
            let noted = keeper
                .hold(PIDFD, process.pidfd.as_fd())
                .and_then(|()| keeper.hold(WORD, *word))
                .and_then(|()| keeper.hold(ANSWER, *answer))
                .and_then(|()| {
                    let pid = Record { pid: Some(process.pid), since: Some(now()), ..Record::default() };
                    note(&shared, pid)
                });
            // Without it a kill in the next moment would lose the exec, and nothing else.
            drop(noted);
        })
    }

    fn report_failure(&self, error: &Error) -> Result<()> {
        match self.pipe_of("_OCI_SYNCPIPE") {
            Some(sync) => finish::say(sync, &self.options, -1, Some(&error.to_string())),
            None => Ok(()),
        }
    }

    // The loop.

    fn serve(&mut self, record: &Record) -> Result<()> {
        if !self.keeper_is_gone {
            self.keeper.let_go(WORD)?;
            self.keeper.let_go(ANSWER)?;
        }
        // An exec's older callers expect one number, which is its exit code.
        if record.reported != Some(true) && (self.options.api_version >= 1 || !self.options.exec) {
            if let (Some(sync), Some(pid)) = (self.pipe_of("_OCI_SYNCPIPE"), record.pid) {
                finish::say(sync, &self.options, pid, None)?;
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
            Some(pidfd) => self.watch(OF_END, pidfd.as_fd(), Interest::READ)?,
            None => self.has_ended(UNKNOWN)?,
        }
        self.pump()?;
        while !self.is_over() {
            let events = self.epoll.wait(self.due()).map_err(|e| e.because("epoll_wait"))?;
            self.hear_keeper()?;
            let mut moved = false;
            for event in events {
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
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                self.end_in_time()?;
            }
            if self.clients.due().is_some_and(|due| due <= now) && self.stage.has_logs() {
                self.clients.end_stalled(&self.epoll);
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
                if self.pidfd.as_ref().is_some_and(|fd| poll::readable(fd.as_fd(), Some(now)) == Ok(true)) {
                    self.look_at_end()?;
                }
            }
            if moved || self.ended.is_some() {
                self.pump()?;
            }
        }
        Ok(())
    }

    fn due(&self) -> Option<Instant> {
        let clients = self.clients.due().filter(|_| self.stage.has_logs());
        [self.look, self.deadline, self.rest_at, clients].into_iter().flatten().min()
    }

    /// The process has ended, and what it has written is where it belongs, or cannot be.
    fn is_over(&self) -> bool {
        let Some(since) = self.ended else { return false };
        let moved = self.stage.content().is_none() && self.sources.iter().all(Option::is_none);
        moved || (self.look.is_some() && since.elapsed() > LAST)
    }

    // Output.

    /// Moves what has come, to the logs and to the clients.
    fn pump(&mut self) -> Result<()> {
        let mut turns = 0;
        while turns < TURNS || self.ended.is_some() {
            turns += 1;
            if self.listener.is_some() && self.stage.content().is_some() {
                self.meet_clients()?;
            }
            if let Some((output, bytes)) = self.stage.content() {
                let given = self.clients.give(output, bytes, &self.epoll);
                if let Some(log) = self.stage.full() {
                    self.epoll.forget(log);
                }
                let stored = self.stage.store(&self.keeper)?;
                if !stored {
                    self.look = Some(Instant::now() + LOOK);
                    if let Some(log) = self.stage.full() {
                        self.watch(OF_LOG, log, Interest::WRITE)?;
                    }
                }
                if !given || !stored {
                    return self.stall();
                }
                self.stage.release()?;
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

    fn stall(&mut self) -> Result<()> {
        self.sources.iter().flatten().for_each(|source| self.epoll.forget(source.as_fd()));
        Ok(())
    }

    fn resume(&mut self) -> Result<()> {
        for (at, source) in self.sources.iter().enumerate() {
            if let Some(source) = source {
                self.watch(OF_OUTPUT[at], source.as_fd(), Interest::READ)?;
            }
        }
        Ok(())
    }

    // Clients and input.

    fn connect(&mut self, name: u64, socket: OwnedFd) -> Result<()> {
        if self.clients.add(name, socket, &self.epoll) { Ok(()) } else { self.keeper.let_go(name) }
    }

    fn hear(&mut self, name: u64) -> Result<()> {
        match self.clients.hear(name, &self.epoll) {
            Heard::Bytes(bytes) => {
                if self.input.is_some() {
                    self.unread = bytes;
                    self.write_input()?;
                }
            }
            Heard::End => self.end_input()?,
            Heard::Nothing => {}
        }
        if !self.clients.names().contains(&name) {
            self.keeper.let_go(name)?;
        }
        Ok(())
    }

    fn write_input(&mut self) -> Result<()> {
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

    // Fifos, and the notify socket.

    fn words_of(fifo: Option<&OwnedFd>) -> Vec<Vec<u16>> {
        let mut bytes = [0; 4096];
        let length = fifo.map_or(0, |fifo| file::read(fifo.as_fd(), &mut bytes).unwrap_or(0));
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        let numbers =
            |line: &str| line.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
        text.lines().map(numbers).collect()
    }

    fn control(&mut self) -> Result<()> {
        for line in Shim::words_of(self.control.as_ref()) {
            match line[..] {
                [1, rows, columns] => self.set_size(rows, columns),
                [2, ..] if self.stage.content().is_none() => self.stage.reopen(&self.keeper)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn resize(&mut self) -> Result<()> {
        for line in Shim::words_of(self.size.as_ref()) {
            if let [rows, columns] = line[..] {
                self.set_size(rows, columns);
            }
        }
        Ok(())
    }

    fn set_size(&self, rows: u16, columns: u16) {
        if let Some(master) = &self.terminal {
            // A terminal whose other side is closed needs no size.
            let _ = terminal::set_size(master.as_fd(), rows, columns);
        }
    }

    fn connect_notify(&mut self, notify: OwnedFd) {
        let Some(path) = &self.options.notify_socket else { return };
        match socket::connect_datagram(path, 1) {
            Ok(host) => self.notify = Some((notify, host)),
            Err(e) => self.log.warn(&e.because(format!("connect to {}", path.display()))),
        }
    }

    /// Of what a container says, the host's manager hears that it is ready, and nothing else.
    fn pass_notice(&mut self) {
        let Some((notify, host)) = &self.notify else { return };
        let mut bytes = [0; 4096];
        let Ok(length) = socket::receive_datagram(notify.as_fd(), &mut bytes) else { return };
        let mut lines = bytes[..length].split(|byte| *byte == b'\n');
        if lines.any(|line| line == b"READY=1") {
            // A manager that takes nothing does not hold the container up.
            let _ = socket::send(host.as_fd(), b"READY=1", &[]);
        }
    }

    // The keeper.

    fn hear_keeper(&mut self) -> Result<()> {
        while !self.keeper_is_gone {
            let Some(said) = self.keeper.hear(false)? else { return Ok(()) };
            self.take_word(said)?;
        }
        Ok(())
    }

    fn take_word(&mut self, said: Said) -> Result<()> {
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
                Ok(())
            }
        }
    }

    /// A client that has connected before the first output sees it: the keeper has accepted it, and has told us.
    fn meet_clients(&mut self) -> Result<()> {
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

    // The end.

    fn look_at_end(&mut self) -> Result<()> {
        let Some(pidfd) = &self.pidfd else { return Ok(()) };
        let told = self.record().pid.and_then(|pid| self.endings.get(&pid).copied());
        match how_it_ended(pidfd.as_fd(), told, self.keeper_is_gone) {
            Some(ended) => self.has_ended(ended),
            None => {
                self.epoll.forget(pidfd.as_fd());
                self.look = Some(Instant::now() + LOOK);
                Ok(())
            }
        }
    }

    fn has_ended(&mut self, ended: Ended) -> Result<()> {
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

    /// The process has ended: what its descendants go on to write is not waited for.
    fn bound_output(&mut self) {
        for at in 0..self.sources.len() {
            let unread = self.sources[at].as_ref().map(|source| pipe::unread(source.as_fd()));
            self.rest[at] = match (unread, &self.terminal) {
                (Some(Ok(unread)), None) => unread,
                _ => 1 << 20,
            };
        }
        self.ended = Some(Instant::now());
    }

    fn end_in_time(&mut self) -> Result<()> {
        self.deadline = None;
        self.note(Record { timed_out: Some(true), ..Record::default() })?;
        if let Some(pidfd) = &self.pidfd {
            // It may have ended by itself.
            let _ = process::pidfd_send_signal(pidfd.as_fd(), libc::SIGKILL);
        }
        Ok(())
    }

    fn watch_oom(&mut self) {
        if self.options.exec {
            return;
        }
        let Some(globals) = Globals::of(&self.options) else { return };
        // Without a memory controller, or for a container that ends at once, there is nothing to watch.
        let watched = globals.engine(None).and_then(|engine| engine.watch_oom(&self.options.id));
        let Ok(Some(oom)) = watched else { return };
        let (fd, interest) = oom.watched();
        if self.watch(OF_OOM, fd, interest).is_ok() {
            self.oom = Some(oom);
        }
    }

    fn look_at_oom(&mut self) -> Result<()> {
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

    fn tell_end(&mut self) -> Result<()> {
        let record = self.record();
        if !self.options.no_sync_log {
            self.stage.sync();
        }
        let timed_out = record.timed_out == Some(true);
        let status = if timed_out { -1 } else { record.status.unwrap_or(-1) };
        // Reserved ports are free again before it is known that the container has ended.
        let sync = named_by("_OCI_SYNCPIPE");
        for number in self.given.keys().copied().filter(|number| Some(*number) != sync).collect::<Vec<_>>() {
            if let Some(name) = record.name_of(number) {
                self.keeper.let_go(name)?;
            }
            self.given.remove(&number);
        }
        if let Err(error) = finish::write_exit_files(&self.options, status) {
            self.log.warn(&error);
        }
        if let Some(sync) = self.pipe_of("_OCI_SYNCPIPE").filter(|_| self.options.exec) {
            finish::say(sync, &self.options, status, timed_out.then_some(TIMED_OUT))?;
        }
        self.note(Record { told: Some(true), ..Record::default() })
    }

    fn end(&mut self, status: i32) -> Result<()> {
        if let Some(number) = named_by("_OCI_SYNCPIPE") {
            if let Some(name) = self.record().name_of(number) {
                self.keeper.let_go(name)?;
            }
            self.given.remove(&number);
        }
        for name in self.clients.names() {
            self.clients.remove(name, &self.epoll);
            self.keeper.let_go(name)?;
        }
        if !self.options.bundle.as_os_str().is_empty() {
            let link = places::link(&self.options).filter(|path| path.is_symlink());
            let path = link.unwrap_or_else(|| self.options.bundle.join("attach"));
            remove(&path);
        }
        if let Err(error) = finish::run_exit_command(&self.options) {
            self.log.warn(&error);
        }
        self.keeper.finish(status as u32 & 0xff)
    }
}

fn remove(path: &Path) {
    // It may have gone with its directory.
    let _ = std::fs::remove_file(path);
}

fn note(shared: &Shared, change: Record) -> Result<()> {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    shared.0.append(&change)?;
    shared.1.take(change);
    Ok(())
}

/// Seconds, for what a successor compares.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
