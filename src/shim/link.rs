//! The shim proper's end of the conversation with its keeper: what is to outlive this process is handed over here.

use crate::error::{Error, Result};
use crate::shim::table::Table;
use crate::sys::wait::{self, Ended};
use crate::sys::{Errno, SysResult, inbox, socket};
use crate::wire::keeper::{ANSWERS, CHANNEL, JOURNAL, KeeperMessage, Note};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The conversation. Any thread may say something: a message is one call.
pub struct Keeper {
    channel: OwnedFd,
    /// Where it answers what it is asked to hold: one thread after the other asks.
    answers: Mutex<OwnedFd>,
}

/// What a keeper says.
#[derive(Debug)]
pub enum Said {
    /// It holds this, under this name.
    Held(u64, OwnedFd),
    /// How a process of its own has ended.
    Ended(i32, Ended),
    /// All that there was at our beginning is said; and how the shim before us ended.
    All(Ended),
    /// It is gone.
    Gone,
}

/// Descriptors by the names under which the keeper holds them.
pub type Held = Table<u64, OwnedFd>;

/// What a shim proper finds when it begins.
pub struct Left {
    pub journal: OwnedFd,
    /// All else that the keeper holds.
    pub held: Held,
    /// How children of the keeper have ended of which it has not heard that this is noted.
    pub endings: Table<i32, Ended>,
    /// How the shim before this one ended; as if it had succeeded where there was none.
    pub last: Ended,
}

/// For a process of which nothing says how it has ended.
pub const UNKNOWN: Ended = Ended::Exited(255);

impl Keeper {
    /// For a process that a keeper has started.
    pub fn take() -> Result<Keeper> {
        let missing = |e: Errno| {
            e.because("find the keeper that started this").remedy("only a keeper starts this process")
        };
        let end = |number| inbox::inherited(number).map_err(missing);
        Ok(Keeper { channel: end(CHANNEL)?, answers: Mutex::new(end(ANSWERS)?) })
    }

    /// What was left is taken over. A keeper whose shims never come so far gives up.
    pub fn begun(&self) -> Result<()> {
        self.say(Note::Begun, 0)
    }

    /// For the beginning: hears everything that it says by itself.
    pub fn left(&self) -> Result<Left> {
        let (mut held, mut endings) = (Held::new(), Table::new());
        let last = loop {
            match self.hear(true)? {
                Some(Said::Held(name, fd)) => drop(held.insert(name, fd)),
                Some(Said::Ended(pid, ended)) => drop(endings.insert(pid, ended)),
                Some(Said::All(last)) => break last,
                Some(Said::Gone) | None => return Err(Error::new("the keeper has ended")),
            }
        };
        let journal = held.remove(&JOURNAL).ok_or_else(|| Error::new("the keeper holds no journal"))?;
        Ok(Left { journal, held, endings, last })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }

    /// What comes next; `None` where nothing has come, and `wait` is false.
    pub fn hear(&self, wait: bool) -> Result<Option<Said>> {
        let mut buffer = [0; KeeperMessage::SIZE];
        let receive = if wait { socket::receive } else { socket::receive_now };
        let (length, passed) = match receive(self.fd(), &mut buffer) {
            Ok(received) => received,
            Err(Errno(libc::EAGAIN)) => return Ok(None),
            Err(e) => return Err(e.because("read what the keeper says")),
        };
        if length == 0 {
            return Ok(Some(Said::Gone));
        }
        let message = KeeperMessage::decode(&buffer[..length]);
        let said = message.and_then(|message| {
            let ended = Ended::of_status(message.status as i32);
            match (Note::of(message.note)?, passed) {
                (Note::Held, Some(fd)) => Some(Said::Held(message.name, fd)),
                (Note::Ended, _) => Some(Said::Ended(message.name as i32, ended)),
                (Note::All, _) => Some(Said::All(ended)),
                _ => None,
            }
        });
        said.map(Some).ok_or_else(|| Error::new("the keeper says something that is not known"))
    }

    /// A successor gets it under this name. A keeper that is gone holds nothing, which is no error: nothing that this
    /// process holds is lost by that.
    pub fn hold(&self, name: u64, fd: BorrowedFd) -> Result<()> {
        self.hold_all(&[(name, fd)])
    }

    /// All of these, or none. Those of which each name is the one behind its predecessor's go in one message.
    pub fn hold_all(&self, parts: &[(u64, BorrowedFd)]) -> Result<()> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = || {
            let runs = parts.chunk_by(|before, after| before.0.checked_add(1) == Some(after.0));
            runs.flat_map(|run| run.chunks(KeeperMessage::MOST))
        };
        for run in runs() {
            let others = run.len() as u32 - 1;
            let message = KeeperMessage::of(Note::Hold, run[0].0, others).encode();
            let descriptors: Vec<RawFd> = run.iter().map(|(_, fd)| fd.as_raw_fd()).collect();
            unless_gone(socket::send(self.fd(), &message, &descriptors))?;
        }
        let mut refused = None;
        for _ in runs() {
            let mut buffer = [0; KeeperMessage::SIZE];
            match socket::receive(answers.as_fd(), &mut buffer) {
                // It is gone.
                Ok((0, _)) | Err(Errno(libc::ECONNRESET)) => return Ok(()),
                Ok((length, _)) => match KeeperMessage::decode(&buffer[..length]) {
                    Some(KeeperMessage { status: 0, .. }) => {}
                    answer => refused = Some(answer.map_or(libc::EPROTO, |answer| answer.status as i32)),
                },
                Err(e) => return Err(e.because("read the keeper's answer")),
            }
        }
        let Some(errno) = refused else { return Ok(()) };
        runs().try_for_each(|run| self.let_go_from(run[0].0, run.len() as u32))?;
        let doing = "hand a descriptor to the keeper, which has as many as it can hold";
        Err(Errno(errno)
            .because(doing)
            .remedy("raise the limit of open files (LimitNOFILE) of containerd, or of podman"))
    }

    pub fn let_go(&self, name: u64) -> Result<()> {
        self.let_go_from(name, 1)
    }

    /// Of what has this name, and the names behind it, so many together; not all of them need be in use.
    pub fn let_go_from(&self, name: u64, count: u32) -> Result<()> {
        let message = KeeperMessage::of(Note::Drop, name, count.saturating_sub(1)).encode();
        unless_gone(socket::send(self.fd(), &message, &[]))
    }

    /// The end of this process is noted.
    pub fn heard(&self, pid: i32) -> Result<()> {
        self.say(Note::Heard, pid as u64)
    }

    /// Everything that there is by now is said, and then [`Said::All`].
    pub fn ask(&self) -> Result<()> {
        self.say(Note::Ask, 0)
    }

    /// No successor is to be started, and this is what the keeper ends with.
    pub fn finish(&self, status: u32) -> Result<()> {
        let message = KeeperMessage::of(Note::Finish, 0, status).encode();
        unless_gone(socket::send(self.fd(), &message, &[]))
    }

    fn say(&self, note: Note, name: u64) -> Result<()> {
        unless_gone(socket::send(self.fd(), &KeeperMessage::of(note, name, 0).encode(), &[]))
    }
}

/// For tests.
#[cfg(test)]
impl Keeper {
    pub fn gone() -> Keeper {
        let [channel, answers] = [0, 1].map(|_| socket::pair().expect("socketpair").0);
        Keeper { channel, answers: Mutex::new(answers) }
    }
}

/// How a process has ended whose descriptor says that it has: it is our child, or the keeper's, which has told us or will.
/// `None`: the keeper has not spoken of it yet; or a tracer (CRIU, a debugger) still has our child, and `Epoll::watch_end`
/// tells when it lets go; or it is an orphan, and [`Orphan::due`] tells when to ask again.
pub fn how_it_ended(
    pidfd: BorrowedFd,
    told: Option<Ended>,
    keeper_is_gone: bool,
    orphan: &mut Orphan,
) -> Option<Ended> {
    match wait::peek(pidfd).or(told) {
        // The keeper may have ended without a word of it.
        None if keeper_is_gone && !wait::is_child(pidfd) => orphan.how_it_ended(pidfd),
        ended => ended,
    }
}

/// The wait for how a process has ended whose parents, an earlier shim and the keeper, are both gone: Linux (from 6.15 on)
/// tells it once PID 1 has reaped the process. Its descriptor is readable before that, and says nothing at that moment.
#[derive(Default)]
pub struct Orphan {
    reaped_by: Option<Instant>,
    ended: Option<Ended>,
}

impl Orphan {
    fn how_it_ended(&mut self, pidfd: BorrowedFd) -> Option<Ended> {
        let reaped_by = *self.reaped_by.get_or_insert_with(|| Instant::now() + wait::REAPED);
        let is_late = reaped_by <= Instant::now();
        self.ended = self.ended.or_else(|| wait::reap(pidfd).ok()).or(is_late.then_some(UNKNOWN));
        self.ended
    }

    pub fn is_unknown(&self) -> bool {
        self.reaped_by.is_some() && self.ended.is_none()
    }

    /// When to ask again.
    pub fn due(&self) -> Option<Instant> {
        self.is_unknown().then(|| Instant::now() + wait::ASK)
    }
}

fn unless_gone(sent: SysResult<()>) -> Result<()> {
    match sent {
        Ok(()) | Err(Errno(libc::EPIPE | libc::ECONNRESET)) => Ok(()),
        Err(e) => Err(e.because("say something to the keeper")),
    }
}
