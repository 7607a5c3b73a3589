//! The keeper: the parent of a pod's shim proper. It holds what must not be lost when that is killed, and starts it again.
//!
//! It reaps, holds descriptors under names that it is told, accepts connections, and hands all of it to the next shim
//! proper. It parses nothing, allocates nothing, and knows no protocol but that of `wire/keeper.rs`. Containers are children
//! of the shim proper; they, and what is orphaned, become the keeper's children when their parent ends (it is the
//! subreaper), so how they ended is never lost.
//!
//! ```text
//!  keeper                                    shim proper
//!     │ clone, execveat(program) ──────────────▶│
//!     │ Held(name) + descriptor … ─────────────▶│ what there is: journal, listener, connections, pipes …
//!     │ Ended(pid, status) … All ──────────────▶│
//!     │◀─────────── Begun; Hold(name) + descriptor, Drop(name), Heard(pid)
//!     │ Answer(name, errno) ═══════════════════▶│ to each Hold, over a socket of its own
//!     │ Held(name) + descriptor ───────────────▶│ a new connection
//!     │◀──────────────────────────────── Finish │ and its end is ours
//! ```
//!
//! Whatever it sends is kept until the shim says that it has it, so a shim may be killed at any instant. It never waits
//! for a shim that does not read.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "start-up and the system call instruction")]
mod arch;
mod held;
#[allow(unsafe_code, dead_code, unused_imports, reason = "the system calls; most are init's")]
mod sys;
#[allow(dead_code, unused_imports, reason = "most is init's")]
mod wire;

use crate::arch::Arguments;
use crate::held::{Endings, Table};
use crate::sys::{Errno, Fd, Polled, Sys};
use crate::wire::keeper::{ANSWERS, CHANNEL, EXTRA, GIVEN, JOURNAL, KeeperMessage, LISTENER, Note};

/// A shim that does not live this long has failed to start; or this long, if it was killed: by an operator, for want of
/// memory.
const LIFE: u64 = 1_000_000_000;
const KILLED: u64 = 2_000_000;
/// Before the next try, once that has happened some times in a row.
const PAUSE: u64 = 200_000_000;
const TRIES: u32 = 3;
/// So many shims in a row that end by themselves before they have taken over: what is left cannot be taken over.
const UNBEGUN: u32 = 25;
const GIVES_UP: &[u8] = b"rruntime-keeper: 25 shims in a row have ended before they had taken over what the one before them \
    has left: each has said why. No other is started; under containerd its `delete` ends the containers\n";

struct Keeper {
    /// Handed on to each shim, with our environment.
    arguments: Arguments,
    program: Fd,
    /// Soft and hard limit of open files, as the shim gets them: ours is raised.
    open_files: (u64, u64),
    signals: Fd,
    listener: Option<Fd>,
    table: Table,
    /// Nothing more can be opened.
    is_full: bool,
    endings: Endings,
    /// Of the shim that runs.
    pid: u32,
    channel: Option<Fd>,
    /// Where what it asks us to hold is answered.
    answers: Option<Fd>,
    /// It has been sent everything that there was when it began.
    complete: bool,
    /// It has taken over.
    begun: bool,
    /// How the one before it ended, as wait4(2) has it.
    last: u32,
    began: u64,
    failures: u32,
    /// How many shims in a row ended before they took over.
    unbegun: u32,
    /// No other shim is started; what this program ends with after the last one.
    finished: Option<u32>,
}

/// The beginning (`arch`).
fn begin(arguments: Arguments) -> ! {
    let code = match Keeper::start(arguments) {
        Ok(keeper) => keeper.serve(),
        Err(Errno(_)) => 125,
    };
    sys::exit(code)
}

impl Keeper {
    fn start(arguments: Arguments) -> Sys<Keeper> {
        // The name is for operators; without it nothing is different.
        let _ = sys::set_name(c"rruntime-keeper");
        // It fails for the leader of a group, and this process has just been born into its parent's.
        let _ = sys::setsid();
        sys::become_subreaper()?;
        sys::default_signals();
        let open_files = sys::limit_of(libc::RLIMIT_NOFILE)?;
        let mut table = Table::within(open_files.1);
        // Before anything else has a number: the first that is free is behind the last of them.
        for (number, name) in (GIVEN + 3..).zip(EXTRA..) {
            if sys::keep_over_exec(Fd(number)).is_err() {
                break;
            }
            table.hold(name, Fd(number))?;
        }
        let signals = sys::child_signals()?;
        sys::prlimit(libc::RLIMIT_NOFILE, open_files.1, open_files.1)?;
        sys::close_range(GIVEN as u32, libc::CLOSE_RANGE_CLOEXEC)?;
        // Away from the place of the channel.
        let program = sys::duplicate(Fd(GIVEN), CHANNEL as u32 + 3)?;
        table.hold(JOURNAL, sys::duplicate(Fd(GIVEN + 1), CHANNEL as u32 + 3)?)?;
        let listener = sys::duplicate(Fd(GIVEN + 2), CHANNEL as u32 + 3).ok();
        if let Some(listener) = listener {
            table.hold(LISTENER, listener)?;
        }
        for number in GIVEN..GIVEN + 3 {
            sys::close(Fd(number));
        }
        let mut keeper = Keeper {
            arguments,
            program,
            open_files,
            signals,
            listener,
            table,
            is_full: false,
            endings: Endings::EMPTY,
            pid: 0,
            channel: None,
            answers: None,
            complete: false,
            begun: false,
            last: 0,
            began: 0,
            failures: 0,
            unbegun: 0,
            finished: None,
        };
        keeper.start_shim();
        Ok(keeper)
    }

    fn serve(mut self) -> i32 {
        while self.finished.is_none() || self.pid != 0 {
            if self.pid == 0 {
                // Not started: no memory, no process. Or it ended at once some times.
                sys::pause(PAUSE);
                self.start_shim();
            }
            self.tell();
            let pending = self.channel.is_some() && self.has_more();
            let mut watched = [Polled::NONE; 3];
            watched[0] = Polled::read(self.signals);
            if let Some(channel) = self.channel {
                watched[1] = if pending { Polled::both(channel) } else { Polled::read(channel) };
            }
            if let Some(listener) = self.listener.filter(|_| self.table.has_room() && !self.is_full) {
                watched[2] = Polled::read(listener);
            }
            if sys::poll(&mut watched).is_err() {
                continue;
            }
            if watched[2].is_readable() {
                self.accept();
            }
            if watched[1].is_readable() {
                self.hear();
            }
            if watched[0].is_readable() {
                sys::drain(self.signals);
            }
            // Whatever woke us: a signal counts for all children that have ended by then, and room may have come.
            self.reap();
        }
        self.finished.unwrap_or(0) as i32
    }

    /// Whether something is still to be sent.
    fn has_more(&self) -> bool {
        !self.complete || self.table.untold().is_some() || self.endings.untold().is_some()
    }

    fn start_shim(&mut self) {
        self.table.begin_again();
        self.endings.begin_again();
        (self.complete, self.begun) = (false, false);
        self.began = sys::now().unwrap_or(0);
        let Ok([ours, theirs]) = sys::socket_pair() else { return };
        let Ok([answers, answered]) = sys::socket_pair() else {
            return [ours, theirs].into_iter().for_each(sys::close);
        };
        match sys::clone(libc::SIGCHLD as usize) {
            Ok(None) => {
                let error = self.become_shim([theirs, answered]);
                sys::exit(if error == Errno(libc::ENOENT) { 127 } else { 126 })
            }
            Ok(Some(pid)) => {
                [theirs, answered].into_iter().for_each(sys::close);
                (self.pid, self.channel, self.answers) = (pid, Some(ours), Some(answers));
            }
            Err(_) => [ours, theirs, answers, answered].into_iter().for_each(sys::close),
        }
    }

    fn become_shim(&self, ends: [Fd; 2]) -> Errno {
        sys::default_signals();
        match self.give(ends) {
            Ok(()) => sys::execveat(self.program, self.arguments),
            Err(errno) => errno,
        }
    }

    /// Both to their places, and the limit as it was.
    fn give(&self, ends: [Fd; 2]) -> Sys<()> {
        // One may be at the other's place.
        let [channel, answers] = ends.map(|end| sys::duplicate(end, ANSWERS as u32 + 1));
        for (end, place) in [(channel?, CHANNEL), (answers?, ANSWERS)] {
            sys::dup3(end, place)?;
            sys::keep_over_exec(Fd(place))?;
        }
        let (soft, hard) = self.open_files;
        sys::prlimit(libc::RLIMIT_NOFILE, soft, hard)
    }

    /// As much as the shim takes now.
    fn tell(&mut self) {
        let Some(channel) = self.channel else { return };
        while let Some((name, fd)) = self.table.untold() {
            if sys::send_now(channel, &KeeperMessage::of(Note::Held, name, 0).encode(), Some(fd)).is_err() {
                return;
            }
            self.table.tell(name);
        }
        while let Some((pid, status)) = self.endings.untold() {
            let ended = KeeperMessage::of(Note::Ended, u64::from(pid), status);
            if sys::send_now(channel, &ended.encode(), None).is_err() {
                return;
            }
            self.endings.tell(pid);
        }
        if !self.complete {
            let all = KeeperMessage::of(Note::All, 0, self.last);
            self.complete = sys::send_now(channel, &all.encode(), None).is_ok();
        }
    }

    /// One message at a time: what it asks for may wake us anew.
    fn hear(&mut self) {
        let Some(channel) = self.channel else { return };
        let mut buffer = [0; KeeperMessage::SIZE];
        let mut passed = [Fd(-1); KeeperMessage::MOST];
        let (length, count) = match sys::receive_several_now(channel, &mut buffer, &mut passed) {
            Ok(received) => received,
            // It has ended without reading all; what it has said is still to come.
            Err(Errno(libc::ECONNRESET)) => return,
            // It has ended; something that it was about to start still has a copy of its end.
            Err(Errno(libc::EAGAIN)) if self.pid != 0 => return,
            Err(_) => (0, 0),
        };
        let passed = &passed[..count];
        if length == 0 {
            // The end of the shim: it is reaped in a moment.
            sys::close(channel);
            self.answers.into_iter().for_each(sys::close);
            (self.channel, self.answers) = (None, None);
            return;
        }
        let message = KeeperMessage::decode(&buffer[..length]);
        let note = message.and_then(|message| Some((Note::of(message.note)?, message.name, message.status)));
        match note {
            Some((Note::Hold, name, others)) => {
                let held = self.hold(name, others, passed);
                self.answer(name, held.err().map_or(0, |errno| errno.0));
            }
            Some((Note::Drop, name, others)) => {
                (name..=name + u64::from(others)).for_each(|name| self.table.drop(name));
                self.is_full = false;
            }
            Some((Note::Heard, pid, _)) => self.endings.heard(pid as u32),
            Some((Note::Finish, _, status)) => self.finish(status),
            Some((Note::Ask, ..)) => self.complete = false,
            Some((Note::Begun, ..)) => (self.begun, self.unbegun) = (true, 0),
            _ => passed.iter().for_each(|fd| sys::close(*fd)),
        }
    }

    fn hold(&mut self, name: u64, others: u32, passed: &[Fd]) -> Sys<()> {
        if passed.len() != others as usize + 1 {
            // What did not come was cut off: there was no room for its number.
            passed.iter().for_each(|fd| sys::close(*fd));
            return Err(Errno(libc::EMFILE));
        }
        for (at, fd) in (0..).zip(passed) {
            if let Err(errno) = self.table.hold(name + at, *fd) {
                (name..name + at).for_each(|name| self.table.drop(name));
                passed.iter().skip(at as usize).for_each(|fd| sys::close(*fd));
                return Err(errno);
            }
            self.table.tell(name + at);
        }
        Ok(())
    }

    fn answer(&self, name: u64, errno: i32) {
        if let Some(answers) = self.answers {
            let answer = KeeperMessage::of(Note::Answer, name, errno as u32);
            // It has ended; or it does not read what it has asked for, which is its own loss.
            let _ = sys::send_now(answers, &answer.encode(), None);
        }
    }

    fn finish(&mut self, status: u32) {
        self.finished = Some(status);
        // No new connection to a shim that ends.
        self.table.drop(LISTENER);
        self.listener = None;
    }

    fn accept(&mut self) {
        let Some(listener) = self.listener else { return };
        match sys::accept(listener) {
            // There is room: it was asked before.
            Ok(connection) => {
                let name = self.table.next_connection();
                if self.table.hold(name, connection).is_err() {
                    sys::close(connection);
                }
            }
            // The limit of open files: until one is closed.
            Err(_) => self.is_full = true,
        }
    }

    /// All that have ended, as long as how they ended can be kept.
    fn reap(&mut self) {
        // The shim itself, whatever is kept: without one nothing that is kept is heard.
        if self.pid != 0
            && let Ok(Some((_, status))) = sys::reap(self.pid)
        {
            self.shim_ended(status);
        }
        while self.endings.has_room() {
            match sys::reap(u32::MAX) {
                Ok(Some((pid, status))) if pid == self.pid => self.shim_ended(status),
                Ok(Some((pid, status))) => self.endings.keep(pid, status),
                _ => return,
            }
        }
    }

    fn shim_ended(&mut self, status: u32) {
        self.pid = 0;
        self.last = status;
        // What it said last counts.
        while self.channel.is_some() {
            self.hear();
        }
        if self.finished.is_some() {
            return;
        }
        let lived = sys::now().unwrap_or(0).saturating_sub(self.began);
        let killed = status & 0x7f == libc::SIGKILL as u32;
        if !self.begun && !killed {
            self.unbegun += 1;
        }
        if self.unbegun >= UNBEGUN {
            // There is no other place to say it.
            let _ = sys::write(Fd(2), GIVES_UP);
            return self.finish(125);
        }
        let failed = lived < if killed { KILLED } else { LIFE };
        self.failures = if failed { self.failures.saturating_add(1) } else { 0 };
        if self.failures < TRIES {
            self.start_shim();
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    sys::exit(125)
}
