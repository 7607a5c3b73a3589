//! Output on its way into the logs, so that a kill at any instant neither loses nor doubles a byte of a file.
//!
//! ```text
//!  the process's pipe ──splice──▶ stage, a pipe of ours ──tee, read──▶ memory ──▶ logs, clients
//!                                   │ held by the keeper                            │
//!                                   └── is emptied when all of them have it ◀───────┘
//! ```
//!
//! What is in the stage is of one stream and one moment, which are noted before it comes. A successor that finds something
//! there makes the same text of it and writes it to the same place of the file again, where a log has not noted yet
//! that it has it; a journal's records are counted by the kernel (`sys::marks`).

use crate::error::{Error, Result};
use crate::shim::conmon::logs::{About, Driver, Form, Output, format, journal};
use crate::shim::files;
use crate::shim::link::{Held, Keeper};
use crate::sys::marks::Marks;
use crate::sys::{Errno, c, file, pipe};
use nix::sys::stat::fstat;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// At a time: empty lines become fifty times as much.
const MOST: usize = 16 * 1024;
/// More logs than any engine names.
pub const LOGS: usize = 8;

// Places of the marks.
const STATE: usize = 0;
const OUTPUT: usize = 1;
const SECONDS: usize = 2;
const NANOS: usize = 3;
/// Of the journal's records of what is in the stage, how many are sent.
const SENT: usize = 4;
/// Of each log: how long it is, how long it is with what is in the stage (0: not yet), and how much was ever written.
const LENGTH: usize = 8;
const NEXT: usize = LENGTH + LOGS;
const TOTAL: usize = NEXT + LOGS;

// What STATE says.
const IDLE: u64 = 0;
const FILLED: u64 = 1;
const WRITTEN: u64 = 2;

enum Log {
    File {
        form: Form,
        path: PathBuf,
        file: OwnedFd,
    },
    /// With its socket, while there is one.
    Journal(Option<OwnedFd>),
}

/// What has come of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Some,
    Nothing,
    Ended,
}

/// Under which names the keeper holds its parts; the logs' follow.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// An end to read and one to write.
    pub stage: [u64; 2],
    pub copy: [u64; 2],
    pub logs: u64,
}

pub struct Stage {
    names: Names,
    read: OwnedFd,
    write: OwnedFd,
    /// Where what is in the stage is copied to, to be read.
    copy: (OwnedFd, OwnedFd),
    marks: Marks,
    about: About,
    logs: Vec<Log>,
    /// What is in the stage, as it came.
    bytes: Vec<u8>,
    /// The log whose service takes nothing now.
    full: Option<usize>,
    /// Why a file has not taken what is in the stage.
    trouble: Option<Error>,
}

impl Stage {
    pub fn open(
        journal: BorrowedFd,
        drivers: &[Driver],
        about: About,
        names: Names,
        keeper: &Keeper,
        held: &mut Held,
    ) -> Result<Stage> {
        let marks = Marks::map(journal).map_err(|e| e.because("map the marks"))?;
        let copy = pipe_of(names.copy, keeper, held)?;
        let (read, write) = pipe_of(names.stage, keeper, held)?;
        // A user who has many pipes gets smaller ones: what is in the stage is to be copied whole.
        let room = pipe::size(copy.1.as_fd()).map_err(|e| e.because("ask for the size of a pipe"))?;
        if pipe::size(write.as_fd()).is_ok_and(|size| size > room) {
            pipe::set_size(write.as_fd(), room).map_err(|e| e.because("set the size of a pipe"))?;
        }
        let (logs, bytes) = (Vec::new(), Vec::new());
        let mut stage =
            Stage { names, read, write, copy, marks, about, logs, bytes, full: None, trouble: None };
        for driver in drivers {
            let at = stage.logs.len();
            if at == LOGS {
                return Err(Error::new(format!("more than {LOGS} logs")));
            }
            let name = names.logs + at as u64;
            match (driver, held.remove(&name)) {
                (Driver::File(form, path), Some(file)) => {
                    stage.logs.push(Log::File { form: *form, path: path.clone(), file });
                }
                (Driver::File(form, path), None) => {
                    let file = open(path, 0)?;
                    if stage.about.alone {
                        lock(path, file.as_fd())?;
                    }
                    let length = length_of(file.as_fd())?;
                    keeper.hold(name, file.as_fd())?;
                    stage.marks.set(LENGTH + at, length);
                    stage.marks.set(TOTAL + at, length);
                    stage.logs.push(Log::File { form: *form, path: path.clone(), file });
                }
                (Driver::Journal, _) => stage.logs.push(Log::Journal(None)),
                (Driver::Passthrough | Driver::None, _) => {}
            }
        }
        stage.take_over()?;
        Ok(stage)
    }

    /// What a predecessor has left in it.
    fn take_over(&mut self) -> Result<()> {
        match self.marks.at(STATE) {
            FILLED if self.unread()? == 0 => self.marks.set(STATE, IDLE),
            FILLED => self.look()?,
            WRITTEN => self.empty()?,
            _ => {}
        }
        Ok(())
    }

    fn unread(&self) -> Result<usize> {
        pipe::unread(self.read.as_fd()).map_err(|e| e.because("look into the stage"))
    }

    /// What is on its way, and whose it is.
    pub fn content(&self) -> Option<(Output, &[u8])> {
        let output = if self.marks.at(OUTPUT) == 0 { Output::Out } else { Output::Err };
        (self.marks.at(STATE) == FILLED).then_some((output, &*self.bytes))
    }

    /// Takes what there is, but no more than `most`. There must be nothing on its way.
    pub fn take(&mut self, output: Output, from: BorrowedFd, most: usize) -> Result<Taken> {
        self.marks.forget();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        for (place, number) in [
            (SENT, 0),
            (OUTPUT, u64::from(output == Output::Err)),
            (SECONDS, now.as_secs()),
            (NANOS, now.subsec_nanos().into()),
            (STATE, FILLED),
        ] {
            self.marks.set(place, number);
        }
        match pipe::splice(from, self.write.as_fd(), most.min(MOST)) {
            Ok(moved) if moved > 0 => {
                self.look()?;
                Ok(Taken::Some)
            }
            other => {
                self.marks.set(STATE, IDLE);
                // A terminal that no process has open gives EIO.
                Ok(if other == Err(Errno(libc::EAGAIN)) { Taken::Nothing } else { Taken::Ended })
            }
        }
    }

    /// A copy of what is in the stage.
    fn look(&mut self) -> Result<()> {
        let failed = |e: Errno| e.because("look into the stage");
        let length = self.unread()?;
        let (read, write) = &self.copy;
        // What a shim that was killed here has copied.
        while pipe::unread(read.as_fd()).map_err(failed)? > 0 {
            file::read(read.as_fd(), &mut [0; 4096]).map_err(failed)?;
        }
        self.bytes.clear();
        self.bytes.resize(length, 0);
        let copied = pipe::tee(self.read.as_fd(), write.as_fd(), length).map_err(failed)?;
        let mut filled = 0;
        while filled < copied {
            filled += file::read(read.as_fd(), &mut self.bytes[filled..]).map_err(failed)?;
        }
        if filled == length { Ok(()) } else { Err(Error::new("a copy of the stage is not whole")) }
    }

    /// Writes it to the logs that have not got it. `false`: a disk is full, or a service takes nothing now.
    pub fn store(&mut self, keeper: &Keeper) -> Result<bool> {
        let Some((output, _)) = self.content() else { return Ok(true) };
        (self.full, self.trouble) = (None, None);
        let moment = Duration::new(self.marks.at(SECONDS), self.marks.at(NANOS) as u32);
        for at in 0..self.logs.len() {
            let done = match &mut self.logs[at] {
                Log::File { form, .. } => {
                    let form = *form;
                    self.marks.at(NEXT + at) != 0 || {
                        let text = format::text(form, output, moment, &self.bytes);
                        self.write_file(at, &text, keeper)?
                    }
                }
                Log::Journal(_) => self.write_journal(at, output)?,
            };
            if !done {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn write_file(&mut self, at: usize, text: &[u8], keeper: &Keeper) -> Result<bool> {
        let Log::File { path, file, .. } = &mut self.logs[at] else { return Ok(true) };
        let (size_max, total_max) = (self.about.size_max, self.about.total_max);
        let total = self.marks.at(TOTAL + at);
        if total_max > 0 && total + text.len() as u64 > total_max {
            self.marks.set(NEXT + at, self.marks.at(LENGTH + at).max(1));
            return Ok(true);
        }
        let text = if size_max > 0 { end_of(text, size_max as usize) } else { text };
        let mut length = self.marks.at(LENGTH + at);
        if size_max > 0 && length > 0 && length + text.len() as u64 > size_max {
            let name = self.names.logs + at as u64;
            // As on a full disk: it is tried again.
            match begin_again(path).and_then(|new| keeper.hold(name, new.as_fd()).map(|()| new)) {
                Ok(new) => *file = new,
                Err(error) => {
                    self.trouble = Some(error);
                    return Ok(false);
                }
            }
            length = 0;
            self.marks.set(LENGTH + at, 0);
        }
        // Another process has made it shorter.
        let there = length_of(file.as_fd())?;
        if there < length {
            length = there;
            self.marks.set(LENGTH + at, length);
        }
        match file::pwrite_all(file.as_fd(), text, length) {
            Ok(()) => {
                self.marks.set(NEXT + at, length + text.len() as u64);
                Ok(true)
            }
            // A full disk, as a rule: it is tried again.
            Err(e) => {
                self.trouble = Some(e.because(format!("write to {}", path.display())));
                Ok(false)
            }
        }
    }

    /// Without a journal its records are lost, as any of this host's are.
    fn write_journal(&mut self, at: usize, output: Output) -> Result<bool> {
        let Log::Journal(socket) = &mut self.logs[at] else { return Ok(true) };
        let mut sent = self.marks.at(SENT) as u32;
        if self.marks.has_sent(sent) {
            sent += 1;
        }
        for (number, (line, ended)) in (0u32..).zip(format::lines(&self.bytes)).skip(sent as usize) {
            let record = journal::record(&self.about, output, line, ended);
            let mut tries = 0;
            loop {
                if socket.is_none() {
                    *socket = journal::connect().ok();
                }
                let Some(fd) = socket.as_ref() else { break };
                match self.marks.send(fd.as_fd(), &record, number) {
                    Err(Errno(libc::EAGAIN | libc::ENOBUFS)) => {
                        self.marks.set(SENT, number.into());
                        self.full = Some(at);
                        return Ok(false);
                    }
                    Err(_) if tries == 0 => {
                        *socket = None;
                        tries = 1;
                    }
                    _ => break,
                }
            }
            self.marks.set(SENT, u64::from(number) + 1);
        }
        Ok(true)
    }

    /// Can be written to when a log that took nothing takes something again; without one it is a disk.
    pub fn full(&self) -> Option<BorrowedFd<'_>> {
        match self.logs.get(self.full?)? {
            Log::Journal(socket) => socket.as_ref().map(AsFd::as_fd),
            Log::File { .. } => None,
        }
    }

    /// Why a file takes nothing now.
    pub fn trouble(&self) -> Option<&Error> {
        self.trouble.as_ref()
    }

    pub fn has_logs(&self) -> bool {
        !self.logs.is_empty()
    }

    /// All have it.
    pub fn release(&mut self) -> Result<()> {
        self.marks.set(STATE, WRITTEN);
        self.empty()
    }

    fn empty(&mut self) -> Result<()> {
        self.bytes = Vec::new();
        let mut rest = vec![0; self.unread()?];
        while !rest.is_empty() {
            let read = file::read(self.read.as_fd(), &mut rest);
            let read = read.map_err(|e| e.because("empty the stage"))?;
            rest.truncate(rest.len() - read);
        }
        for at in 0..self.logs.len() {
            let next = self.marks.at(NEXT + at);
            if next != 0 {
                let written = next.saturating_sub(self.marks.at(LENGTH + at));
                self.marks.set(TOTAL + at, self.marks.at(TOTAL + at) + written);
                self.marks.set(LENGTH + at, next);
                self.marks.set(NEXT + at, 0);
            }
        }
        self.marks.set(STATE, IDLE);
        Ok(())
    }

    /// A program that rotates logs has moved the files away.
    pub fn reopen(&mut self, keeper: &Keeper) -> Result<()> {
        for at in 0..self.logs.len() {
            let Log::File { path, file, .. } = &mut self.logs[at] else { continue };
            // Whoever may write to the directory decides what is there, and not what a link leads to.
            *file = open(path, libc::O_NOFOLLOW)?;
            keeper.hold(self.names.logs + at as u64, file.as_fd())?;
            self.marks.set(LENGTH + at, length_of(file.as_fd())?);
        }
        Ok(())
    }

    pub fn sync(&self) {
        for log in &self.logs {
            if let Log::File { file, .. } = log {
                // What the disk does not take is lost with it.
                let _ = nix::unistd::fsync(file);
            }
        }
    }
}

/// The pipe that the keeper holds under these names, or a new one.
fn pipe_of([read, write]: [u64; 2], keeper: &Keeper, held: &mut Held) -> Result<(OwnedFd, OwnedFd)> {
    if let (Some(read), Some(write)) = (held.remove(&read), held.remove(&write)) {
        return Ok((read, write));
    }
    let pipe = pipe::to_read().map_err(|e| e.because("pipe"))?;
    keeper.hold_all(&[(read, pipe.0.as_fd()), (write, pipe.1.as_fd())])?;
    Ok(pipe)
}

/// The last lines that are no longer together than this; at least the last one.
fn end_of(text: &[u8], most: usize) -> &[u8] {
    let from = text.len().saturating_sub(most);
    if from == 0 {
        return text;
    }
    let ends = |range: std::ops::Range<usize>| text[range].iter().position(|byte| *byte == b'\n');
    let last = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let begin = ends(from - 1..text.len() - 1).map_or(last, |end| from + end);
    &text[begin..]
}

fn open(path: &Path, flags: i32) -> Result<OwnedFd> {
    let flags = flags | libc::O_WRONLY | libc::O_CREAT | libc::O_NOCTTY | libc::O_NONBLOCK;
    let opened = c(path).and_then(|path| file::openat2(file::cwd(), &path, flags, 0o600, 0));
    let opened = opened.map_err(|e| {
        let error = e.because(format!("open {}", path.display()));
        error.remedy("its directory must exist and be writable")
    })?;
    match file::kind(opened.as_fd()) {
        // /dev/null is one of these.
        Ok(libc::S_IFREG | libc::S_IFCHR) => Ok(opened),
        _ => Err(Error::new("a log is a file, and this is none").value(path.display())),
    }
}

/// Nobody else writes to the file while this is open, if all ask so. One whose container has just ended lets go of it soon.
fn lock(path: &Path, file: BorrowedFd) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(2);
    if file::kind(file) != Ok(libc::S_IFREG) {
        return Ok(());
    }
    file::lock_within(file, PATIENCE).map_err(|e| match e {
        Errno(libc::EWOULDBLOCK) => Error::new("another container's output goes to this file")
            .value(path.display())
            .remedy("give each container a file of its own"),
        e => e.because(format!("lock {}", path.display())),
    })
}

/// An empty file in its place. One that is killed before the keeper has it leaves a successor with the old file, which is
/// too long still.
fn begin_again(path: &Path) -> Result<OwnedFd> {
    let beside = files::beside(path)?;
    let file = open(&beside, libc::O_EXCL)?;
    // Nobody knows it yet, and the old file stays locked until then.
    let _ = file::flock(file.as_fd(), libc::LOCK_EX | libc::LOCK_NB);
    std::fs::rename(&beside, path)
        .map_err(|e| Error::io(format!("rename {} to {}", beside.display(), path.display()), &e))?;
    Ok(file)
}

fn length_of(file: BorrowedFd) -> Result<u64> {
    let found = fstat(file).map_err(|e| Errno::from(e).because("stat a log"))?;
    Ok(found.st_size as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory;

    #[test]
    fn a_user_who_gets_small_pipes_loses_nothing() {
        let names = Names { stage: [1, 2], copy: [3, 4], logs: 5 };
        let keeper = Keeper::gone();
        let (read, write) = pipe::to_read().unwrap();
        pipe::set_size(write.as_fd(), 8192).unwrap();
        // A shim that was killed has copied this.
        file::write_all(write.as_fd(), b"before").unwrap();
        let mut held: Held = [(3, read), (4, write)].into_iter().collect();
        let journal = memory::scratch(c"journal").unwrap();
        let stage = Stage::open(journal.as_fd(), &[], About::default(), names, &keeper, &mut held);
        let mut stage = stage.unwrap();
        let (from, to) = nix::unistd::pipe2(nix::fcntl::OFlag::O_DIRECT).unwrap();
        file::set_nonblocking(from.as_fd(), true).unwrap();
        let mut taken = Vec::new();
        for number in 0..10 {
            // Each is a buffer of its own.
            file::write_all(to.as_fd(), &[number]).unwrap();
        }
        while stage.take(Output::Out, from.as_fd(), usize::MAX).unwrap() == Taken::Some {
            let (_, bytes) = stage.content().unwrap();
            assert!(bytes.len() <= 2, "{bytes:?}");
            taken.extend_from_slice(bytes);
            stage.release().unwrap();
        }
        assert_eq!(taken, (0..10).collect::<Vec<u8>>());
    }

    #[test]
    fn of_more_than_a_log_may_have_its_last_lines_are_kept() {
        let text = b"one\ntwo\nthree\n";
        for (most, kept) in [(14, 0), (13, 4), (10, 4), (9, 8), (6, 8), (1, 8)] {
            assert_eq!(end_of(text, most), &text[kept..], "{most}");
        }
    }
}
