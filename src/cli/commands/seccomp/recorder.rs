//! Hears which system calls a container makes: the agent of a filter that asks about each, and lets it be done.
//!
//! It runs in the command's one thread, in its waits and the engine's, so a call waits for at most one round of that loop.
//! The container's processes have nothing of it: the listener is in this process, its socket has no name in the file
//! system any more, and what is said to the kernel is always "go on". What they can do is call often, which takes turns
//! with signals and the rest of the loop, and make up numbers, of which `Record` keeps a hundred.

use crate::engine::Meanwhile;
use crate::error::{Error, Result};
use crate::seccomp::record::Record;
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::{self, Errno, file, poll, random, seccomp, socket};
use nix::poll::{PollFd, PollFlags};
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub struct Recorder {
    epoll: Epoll,
    socket: UnixListener,
    /// The socket's file, by which it is connected to.
    file: OwnedFd,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By their names in epoll.
    ends: Vec<Option<End>>,
    record: Record,
}

/// What is watched.
enum End {
    /// Somebody who is about to hand over a listener.
    Connection(OwnedFd),
    Listener(OwnedFd),
}

/// The socket's name in epoll.
const SOCKET: u64 = u64::MAX;
/// One for the container, and for each exec while it runs.
const MOST: usize = 1024;
/// Calls that are answered before others have their turn.
const TURNS: u32 = 64;
const NEXT: Duration = Duration::from_millis(1);
const LISTENER: &[u8] = b"anon_inode:seccomp notify";

impl Recorder {
    /// `directory` is ours alone. Nothing stays in it.
    pub fn listen(directory: &Path, record: Record) -> Result<Recorder> {
        let failed = |what: &'static str| move |e: Errno| e.because(what);
        let name = random::name().map_err(failed("getrandom"))?;
        let directory = sys::c(directory)
            .and_then(|path| file::openat2(file::cwd(), &path, libc::O_PATH | libc::O_DIRECTORY, 0, 0))
            .map_err(|e| e.because(format!("open {}", directory.display())))?;
        // A path of any length has a short name by its descriptor.
        let path = format!("/proc/self/fd/{}/{name}", directory.as_raw_fd());
        let socket = UnixListener::bind(&path).map_err(|e| Error::io("bind the recorder's socket", &e))?;
        let opened = sys::c(&path).and_then(|path| file::openat2(file::cwd(), &path, libc::O_PATH, 0, 0));
        fs::remove_file(&path).map_err(|e| Error::io("remove the name of the recorder's socket", &e))?;
        let file = opened.map_err(failed("open the recorder's socket"))?;
        let epoll = Epoll::new().map_err(failed("epoll_create1"))?;
        file::set_nonblocking(socket.as_fd(), true)
            .and_then(|()| epoll.watch(socket.as_fd(), SOCKET, Interest::READ))
            .map_err(failed("watch the recorder's socket"))?;
        Ok(Recorder { epoll, socket, file, state: Mutex::new(State { record, ..State::default() }) })
    }

    /// Where listeners are sent: for this command, and for every exec while it runs.
    pub fn address(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    pub fn record(&self) -> Record {
        std::mem::take(&mut self.state().record)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, state: &mut State, end: End) {
        let free = state.ends.iter().position(Option::is_none);
        let name = free.unwrap_or(state.ends.len());
        let fd = match &end {
            End::Connection(fd) | End::Listener(fd) => fd.as_fd(),
        };
        // One too many is closed: its processes find out that there is no such call.
        if name < MOST && self.epoll.watch(fd, name as u64, Interest::READ).is_ok() {
            if free.is_none() {
                state.ends.push(None);
            }
            state.ends[name] = Some(end);
        }
    }
}

impl Meanwhile for Recorder {
    fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.fd()
    }

    fn act(&self) {
        let state = &mut *self.state();
        for name in self.epoll.wait(Some(Instant::now())).unwrap_or_default() {
            if name == SOCKET {
                if let Ok(connection) = socket::accept(self.socket.as_fd())
                    && socket::is_of_root_or_us(connection.as_fd())
                {
                    self.keep(state, End::Connection(connection));
                }
                continue;
            }
            let place = name as usize;
            match state.ends.get_mut(place).and_then(Option::take) {
                Some(End::Connection(connection)) => {
                    let received = socket::receive_now(connection.as_fd(), &mut [0; 4096]);
                    if let Ok((_, Some(listener))) = received
                        && file::link_of(listener.as_fd()).is_ok_and(|link| link == LISTENER)
                    {
                        // Older kernels have no such flag, and no harm is done.
                        let _ = seccomp::take_turns(listener.as_fd());
                        self.keep(state, End::Listener(listener));
                    }
                }
                Some(End::Listener(listener)) if answer(listener.as_fd(), &mut state.record) => {
                    state.ends[place] = Some(End::Listener(listener));
                }
                // Nothing is left of its processes.
                Some(End::Listener(_)) | None => {}
            }
        }
    }
}

/// `false`: no process has this filter any more.
fn answer(listener: BorrowedFd, record: &mut Record) -> bool {
    for turn in 0..TURNS {
        // Where one call was, the next is not far: the way round the loop takes longer than this.
        let patience = if turn == 0 { Duration::ZERO } else { NEXT };
        let mut watched = [PollFd::new(listener, PollFlags::POLLIN)];
        let Ok(ready) = poll::wait(&mut watched, Some(Instant::now() + patience)) else { return false };
        let said = watched[0].revents().unwrap_or(PollFlags::empty());
        if !said.contains(PollFlags::POLLIN) {
            return !ready;
        }
        match seccomp::receive(listener) {
            Ok(call) => {
                record.add(call.arch, call.number, call.arguments[0]);
                // A thread that was killed meanwhile needs no answer.
                let _ = seccomp::go_on(listener, call.id);
            }
            Err(Errno(libc::ENOENT | libc::EINTR)) => {}
            Err(_) => return false,
        }
    }
    true
}
