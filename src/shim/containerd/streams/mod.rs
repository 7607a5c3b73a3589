//! A process's standard streams: pipes or a terminal of its own on one side, what its client reads and writes on the other.
//!
//! The process gets pipes that are nobody else's, so that it can open /dev/stdout anew, and a client that comes and goes
//! neither ends nor kills it. What is in one side is moved to the other by splice(2), inside the kernel: a shim that is
//! killed at any instant has neither lost nor doubled a byte, because both ends are held by the keeper. A client that does
//! not read fills its fifo, then the pipe, and then the process waits; the shim holds nothing.

mod loggers;
mod targets;

use self::targets::Target;
use crate::engine::Started;
use crate::error::{Error, Result};
use crate::shim::link::{Held, Keeper};
use crate::sys::epoll::Interest;
use crate::sys::launch::Child;
use crate::sys::{Errno, SysResult, c, file, pipe};
use crate::wire::keeper::OWN;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a process holds at its keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Part {
    /// Our ends of its pipes, and what its client has the other end of.
    InFifo = 0,
    In,
    Out,
    OutFifo,
    Err,
    ErrFifo,
    /// The master of its terminal.
    Terminal,
    Pidfd,
    /// Two ends of the conversation with an exec that waits for its word.
    Word,
    Answer,
}

impl Part {
    const COUNT: u64 = 16;

    /// The name of this part of the process of this number.
    pub fn of(self, process: u64) -> u64 {
        OWN + process * Part::COUNT + self as u64
    }

    /// The keeper lets go of this part and of those behind it, up to and with the last of these two.
    pub fn let_go(self, last: Part, process: u64, keeper: &Keeper) -> Result<()> {
        keeper.let_go_from(self.of(process), last as u32 - self as u32 + 1)
    }
}

/// Where a stream's bytes go, or come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    In,
    Out,
    Err,
}

impl Stream {
    pub const ALL: [Stream; 3] = [Stream::In, Stream::Out, Stream::Err];

    fn parts(self, terminal: bool) -> [Part; 2] {
        match (self, terminal) {
            (Stream::In, false) => [Part::InFifo, Part::In],
            (Stream::Out, false) => [Part::Out, Part::OutFifo],
            (Stream::Err, _) => [Part::Err, Part::ErrFifo],
            (Stream::In, true) => [Part::InFifo, Part::Terminal],
            (Stream::Out, true) => [Part::Terminal, Part::OutFifo],
        }
    }
}

/// Bytes on their way.
#[derive(Debug)]
struct Way {
    from: OwnedFd,
    to: OwnedFd,
    into_file: bool,
    state: State,
}

impl Way {
    fn of(from: OwnedFd, to: OwnedFd, state: State) -> Way {
        let into_file = file::kind(to.as_fd()) == Ok(libc::S_IFREG);
        Way { from, to, into_file, state }
    }
}

/// What a way waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Bytes,
    Room,
    /// The target has no room on its disk: it is tried again.
    Disk,
    /// All has been moved, and is to be read by a client that has not come yet.
    Reader,
}

/// What has become of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It goes on, when there is something to say of this end.
    Waits,
    /// It is to be tried again after a while.
    Later,
    /// Nothing will come any more.
    Ended,
}

/// The streams of one process.
#[derive(Debug)]
pub struct Streams {
    pub number: u64,
    terminal: Option<OwnedFd>,
    ways: [Option<Way>; 3],
    /// The ends to read of output fifos, so that one without a client can be written to; closed when all is in them.
    readers: [Option<OwnedFd>; 3],
    /// Its input is to end when the client's side is empty.
    closing: bool,
    /// When bytes have moved last.
    pub moved: Option<Instant>,
}

/// What a process is started with.
#[derive(Debug, Default)]
pub struct Ends {
    /// Its terminal is made with it, in place of them.
    pub terminal: bool,
    pub streams: [Option<OwnedFd>; 3],
    /// A program that is to read its output, with its arguments and the ends to read.
    pub logger: Option<(PathBuf, Vec<String>, [OwnedFd; 2])>,
}

impl Ends {
    /// Gives them to the user of a container whose root is not the host's, so that it can open /dev/stdout anew.
    pub fn give_to(&self, uid: u32, gid: u32) -> Result<()> {
        let pipes = self.streams.iter().flatten().filter(|fd| file::kind(fd.as_fd()) == Ok(libc::S_IFIFO));
        let (uid, gid) = (Some(uid.into()), Some(gid.into()));
        pipes.into_iter().try_for_each(|fd| {
            nix::unistd::fchown(fd, uid, gid)
                .map_err(|e| Errno::from(e).because("fchown of a standard stream"))
        })
    }

    /// The program that reads the output, if there is to be one; it runs when this returns.
    pub fn start_logger(&self, variables: &[(&'static str, String)]) -> Result<Option<Child>> {
        let Some((path, words, [stdout, stderr])) = &self.logger else { return Ok(None) };
        loggers::start(path, words, variables, [stdout.as_fd(), stderr.as_fd()]).map(Some)
    }

    pub fn borrowed(&self) -> [Option<BorrowedFd<'_>>; 3] {
        [0, 1, 2].map(|at| self.streams[at].as_ref().map(AsFd::as_fd))
    }
}

/// Of a client's fifo: what is moved there takes a place for each write of the process, however short, and the usual size
/// has sixteen.
const FIFO: i32 = 256 * 1024;

/// How much one call moves at most, and how many calls before another stream has its turn.
const MOST: usize = 1 << 20;
const TURNS: u32 = 16;

impl Streams {
    /// Opens the client's sides and makes the process's own, all of them held by the keeper before the process is there.
    /// With a terminal the process's side is given later ([`Streams::attach`]), and held before ([`hold_terminal`]).
    pub fn open(number: u64, paths: [&str; 3], terminal: bool, keeper: &Keeper) -> Result<(Streams, Ends)> {
        let mut streams = Streams {
            number,
            terminal: None,
            ways: [None, None, None],
            readers: [None, None, None],
            closing: false,
            moved: None,
        };
        let mut ends = Ends { terminal, ..Ends::default() };
        let null = || open(Path::new("/dev/null"), libc::O_RDWR);
        let output = if paths[1].is_empty() { None } else { Some(Target::of(paths[1])?) };
        if let (Some(Target::Program(program, words)), false) = (&output, terminal) {
            let pipe = || pipe::pipe().map_err(|e| e.because("pipe"));
            let ((stdout, ours), (stderr, theirs)) = (pipe()?, pipe()?);
            (ends.streams[1], ends.streams[2]) = (Some(ours), Some(theirs));
            ends.logger = Some((program.clone(), words.clone(), [stdout, stderr]));
        }
        let log = match &output {
            Some(Target::File(path)) => Some(targets::open_file(path)?),
            _ => None,
        };
        for (at, stream) in Stream::ALL.into_iter().enumerate() {
            if terminal && stream == Stream::Err {
                continue;
            }
            if stream != Stream::In && ends.logger.is_some() {
                continue;
            }
            // A file is named for standard output, and is for both.
            let into_file = log.as_ref().filter(|_| stream != Stream::In);
            if paths[at].is_empty() && into_file.is_none() {
                ends.streams[at] = if terminal { None } else { Some(null()?) };
                continue;
            }
            let (client, reader) = match into_file {
                Some(log) => (log.try_clone().map_err(|e| Error::io("duplicate a log file", &e))?, None),
                None => open_client(stream, paths[at])?,
            };
            let (ours, theirs) = match (stream, terminal) {
                // A place for it until the terminal is there.
                (_, true) => (null()?, None),
                (Stream::In, false) => {
                    let (ours, theirs) = pipe::to_write().map_err(|e| e.because("pipe"))?;
                    (ours, Some(theirs))
                }
                (_, false) => {
                    let (ours, theirs) = pipe::to_read().map_err(|e| e.because("pipe"))?;
                    (ours, Some(theirs))
                }
            };
            let way = match stream {
                Stream::In => Way::of(client, ours, State::Bytes),
                Stream::Out | Stream::Err => Way::of(ours, client, State::Bytes),
            };
            streams.readers[at] = reader;
            ends.streams[at] = theirs;
            streams.ways[at] = Some(way);
        }
        streams.hold(terminal, keeper)?;
        Ok((streams, ends))
    }

    fn hold(&self, terminal: bool, keeper: &Keeper) -> Result<()> {
        let ways =
            Stream::ALL.into_iter().filter_map(|stream| Some((stream, self.ways[stream as usize].as_ref()?)));
        let sides =
            ways.flat_map(|(stream, way)| stream.parts(terminal).into_iter().zip([&way.from, &way.to]));
        let parts = sides.filter(|(part, _)| *part != Part::Terminal);
        let parts: Vec<(u64, BorrowedFd)> =
            parts.map(|(part, fd)| (part.of(self.number), fd.as_fd())).collect();
        keeper.hold_all(&parts)
    }

    /// What a predecessor has left.
    pub fn take(number: u64, held: &mut Held) -> Streams {
        let mut take = |part: Part| held.remove(&part.of(number));
        let terminal = take(Part::Terminal);
        let mut streams = Streams {
            number,
            terminal,
            ways: [None, None, None],
            readers: [None, None, None],
            closing: false,
            moved: None,
        };
        for (at, stream) in Stream::ALL.into_iter().enumerate() {
            let [from, to] = stream.parts(streams.terminal.is_some());
            let own = |streams: &Streams| streams.terminal.as_ref().and_then(|fd| fd.try_clone().ok());
            let from = if from == Part::Terminal { own(&streams) } else { take(from) };
            let to = if to == Part::Terminal { own(&streams) } else { take(to) };
            streams.ways[at] = match (from, to) {
                (Some(from), Some(to)) => {
                    streams.readers[at] = if stream == Stream::In { None } else { reader_of(to.as_fd()) };
                    Some(Way::of(from, to, State::Bytes))
                }
                // All of it was moved, and its reader had not come.
                (None, Some(to)) if stream != Stream::In => {
                    to.try_clone().ok().map(|from| Way::of(from, to, State::Reader))
                }
                _ => None,
            };
        }
        streams
    }

    /// The terminal of the process, which is there now, and which the keeper holds.
    pub fn attach(&mut self, master: OwnedFd) -> Result<()> {
        let copy = || master.try_clone().map_err(|e| Error::io("duplicate the terminal", &e));
        if let Some(way) = &mut self.ways[0] {
            way.to = copy()?;
        }
        if let Some(way) = &mut self.ways[1] {
            way.from = copy()?;
        }
        self.terminal = Some(master);
        Ok(())
    }

    pub fn terminal(&self) -> Option<BorrowedFd<'_>> {
        self.terminal.as_ref().map(AsFd::as_fd)
    }

    pub fn runs(&self, stream: Stream) -> bool {
        self.ways[stream as usize].is_some()
    }

    /// Whether output is still on its way.
    pub fn has_output(&self) -> bool {
        self.ways[1..].iter().flatten().any(|way| way.state != State::Reader)
    }

    /// Whether anything is left to wait for.
    pub fn is_idle(&self) -> bool {
        self.ways.iter().all(Option::is_none)
    }

    /// What to watch for the stream; nothing where only time helps.
    pub fn watched(&self, stream: Stream) -> Option<(BorrowedFd<'_>, Interest)> {
        let way = self.ways[stream as usize].as_ref()?;
        match way.state {
            State::Bytes => Some((way.from.as_fd(), Interest::READ)),
            State::Room => Some((way.to.as_fd(), Interest::WRITE)),
            State::Disk | State::Reader => None,
        }
    }

    /// Both ends that are ours, of which one is watched at a time.
    pub fn sides(&self, stream: Stream) -> Option<[BorrowedFd<'_>; 2]> {
        self.ways[stream as usize].as_ref().map(|way| [way.from.as_fd(), way.to.as_fd()])
    }

    /// Moves what can be moved.
    pub fn advance(&mut self, stream: Stream, keeper: &Keeper) -> Result<Moved> {
        let at = stream as usize;
        let Some(way) = &mut self.ways[at] else { return Ok(Moved::Ended) };
        if way.state == State::Reader {
            return Ok(if has_reader(way.to.as_fd()) { Moved::Ended } else { Moved::Later });
        }
        way.state = State::Bytes;
        for _ in 0..TURNS {
            match move_some(way) {
                Ok(0) => return self.end_of_bytes(stream, keeper),
                Ok(_) => self.moved = Some(Instant::now()),
                // An empty source, or a full target: one of the two will say so.
                Err(Errno(libc::EAGAIN)) => {
                    let empty = matches!(pipe::unread(way.from.as_fd()), Ok(0));
                    if empty && stream == Stream::In && self.closing {
                        return Ok(Moved::Ended);
                    }
                    // A file always takes something: bytes have come in the meantime.
                    way.state = if empty || way.into_file { State::Bytes } else { State::Room };
                    return Ok(Moved::Waits);
                }
                Err(Errno(libc::ENOSPC | libc::EDQUOT | libc::EFBIG)) => {
                    way.state = State::Disk;
                    return Ok(Moved::Later);
                }
                // The slave of a terminal was closed by all, or the process its input.
                Err(_) => return self.end_of_bytes(stream, keeper),
            }
        }
        Ok(Moved::Waits)
    }

    /// A fifo with bytes that no client has opened yet would lose them if we closed it.
    fn end_of_bytes(&mut self, stream: Stream, keeper: &Keeper) -> Result<Moved> {
        let at = stream as usize;
        let Some(way) = &mut self.ways[at] else { return Ok(Moved::Ended) };
        let is_fifo = self.readers[at].take().is_some();
        let unread = is_fifo && !matches!(pipe::unread(way.to.as_fd()), Ok(0));
        if stream == Stream::In || !unread || has_reader(way.to.as_fd()) {
            return Ok(Moved::Ended);
        }
        way.state = State::Reader;
        let [from, _] = stream.parts(self.terminal.is_some());
        if from != Part::Terminal {
            // By this a successor knows.
            keeper.let_go(from.of(self.number))?;
        }
        Ok(Moved::Later)
    }

    /// Takes a stream away, here and at the keeper. A terminal stays: its other stream may be in use.
    pub fn close(&mut self, stream: Stream, keeper: &Keeper) -> Result<()> {
        let at = stream as usize;
        self.readers[at] = None;
        if self.ways[at].take().is_none() {
            return Ok(());
        }
        let parts = stream.parts(self.terminal.is_some()).into_iter().filter(|part| *part != Part::Terminal);
        parts.into_iter().try_for_each(|part| keeper.let_go(part.of(self.number)))
    }

    /// The same when what has come of it by now is moved: it ends as soon as it is empty, or at once where it is.
    pub fn close_when_empty(&mut self, stream: Stream, keeper: &Keeper) -> Result<()> {
        let Some(way) = &self.ways[stream as usize] else { return Ok(()) };
        if matches!(pipe::unread(way.from.as_fd()), Ok(0) | Err(_)) {
            return self.close(stream, keeper);
        }
        self.closing = true;
        Ok(())
    }

    /// Takes all of them away.
    pub fn end(&mut self, keeper: &Keeper) -> Result<()> {
        Stream::ALL.into_iter().try_for_each(|stream| self.close(stream, keeper))?;
        self.terminal = None;
        Part::InFifo.let_go(Part::Terminal, self.number, keeper)
    }
}

/// What the engine has started is known to the next shim too.
pub fn hold_started(keeper: &Keeper, number: u64, started: &Started) -> Result<()> {
    keeper.hold(Part::Pidfd.of(number), started.pidfd.as_fd())?;
    started.terminal.as_ref().map_or(Ok(()), |master| hold_terminal(keeper, number, master.as_fd()))
}

/// The master of a process's terminal: without one that is held its program would end with this shim.
pub fn hold_terminal(keeper: &Keeper, number: u64, master: BorrowedFd) -> Result<()> {
    file::set_nonblocking(master, true).map_err(|e| e.because("set the terminal's mode"))?;
    keeper.hold(Part::Terminal.of(number), master)
}

/// The end to read of a fifo that is open for writing.
fn reader_of(writer: BorrowedFd) -> Option<OwnedFd> {
    let is_fifo = file::kind(writer) == Ok(libc::S_IFIFO);
    is_fifo.then(|| file::reopen(writer, libc::O_RDONLY | libc::O_NONBLOCK).ok()).flatten()
}

fn move_some(way: &Way) -> SysResult<usize> {
    if way.into_file {
        targets::follow_truncation(way.to.as_fd());
    }
    pipe::splice(way.from.as_fd(), way.to.as_fd(), MOST)
}

fn open(path: &Path, flags: i32) -> Result<OwnedFd> {
    let opened = c(path).and_then(|path| file::openat2(file::cwd(), &path, flags | libc::O_NOCTTY, 0, 0));
    opened.map_err(|e| e.because(format!("open {}", path.display())))
}

/// The client's side of a stream, and for output the other end of it.
fn open_client(stream: Stream, place: &str) -> Result<(OwnedFd, Option<OwnedFd>)> {
    let path = match Target::of(place)? {
        Target::Fifo(path) => path,
        _ => return Err(Error::argument("stdio", place, "this is for standard output alone")),
    };
    let path = &*path;
    if stream == Stream::In {
        let fifo = open(path, libc::O_RDONLY | libc::O_NONBLOCK)?;
        return match file::kind(fifo.as_fd()) {
            Ok(libc::S_IFIFO) => Ok((fifo, None)),
            _ => Err(Error::argument("stdin", path.display(), "this is no fifo")),
        };
    }
    // With an end to read of our own the one to write can be opened, and written to, without a client.
    let reader = open(path, libc::O_RDONLY | libc::O_NONBLOCK)?;
    if file::kind(reader.as_fd()) != Ok(libc::S_IFIFO) {
        return Err(Error::argument("stdout", path.display(), "this is no fifo"));
    }
    // Where it is refused the usual size serves.
    let _ = pipe::set_size(reader.as_fd(), FIFO);
    let writer = file::reopen(reader.as_fd(), libc::O_WRONLY | libc::O_NONBLOCK);
    Ok((writer.map_err(|e| e.because(format!("open {}", path.display())))?, Some(reader)))
}

/// Whether another process has this fifo, which we only write to, open for reading.
fn has_reader(fifo: BorrowedFd) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut watched = [PollFd::new(fifo, PollFlags::empty())];
    let told = poll(&mut watched, PollTimeout::ZERO).is_ok_and(|told| told > 0);
    !(told && watched[0].revents().is_some_and(|found| found.contains(PollFlags::POLLERR)))
}
