//! The beginning of the process: by the engine, or by the other runtime that conmon was told to execute.

use crate::engine::{Event, Observer, Started};
use crate::error::{Error, Result};
use crate::shim::conmon::record::{
    ANSWER, CONTROL, ERR, IN, NOTIFY, OUT, PIDFD, Record, SIZE, TERMINAL, WORD,
};
use crate::shim::conmon::runtime::{self, Given};
use crate::shim::conmon::shim::{PATIENCE, Shim, note, now};
use crate::shim::conmon::{finish, places};
use crate::shim::foreign;
use crate::sys::process::pidfd_kill;
use crate::sys::{Errno, file, pipe, poll};
use nix::sys::socket::SockType;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

impl Shim {
    pub(super) fn begin(&mut self, again: bool) -> Result<()> {
        self.note(Record { begun: Some(true), ..Record::default() })?;
        if again && self.maker.is_none() {
            foreign::end_unknown(&runtime::pid_file(&self.options))?;
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
        let made = self.make(again)?;
        // No other shim would know of it.
        self.keeper.hold(PIDFD, made.pidfd.as_fd()).inspect_err(|_| end(&made.pidfd))?;
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
        if let Some(attach) = self.pipe_of(self.options.pipes.attach) {
            finish::say(attach, &self.options, 0, None)?;
        }
        let Some(start) = self.pipe_of(self.options.pipes.start) else { return Ok(()) };
        // It is not read: a successor finds the word there too.
        poll::readable(start, None).map_err(|e| e.because("wait for the word on the start pipe"))?;
        let deadline = Instant::now() + PATIENCE;
        while self.clients.is_empty() && poll::readable(self.keeper.fd(), Some(deadline)) == Ok(true) {
            self.hear_keeper()?;
        }
        Ok(())
    }

    fn make(&mut self, again: bool) -> Result<Started> {
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
        let refused = Arc::new(Mutex::new(None));
        let observer = self.observer(Arc::clone(&refused));
        if let Some(maker) = &self.maker {
            if self.options.terminal {
                streams = [None; 3];
            }
            let given = self.given_to_process(streams);
            let made = maker.make(&self.options, given, observer, again);
            let refused = refused.lock().unwrap_or_else(PoisonError::into_inner).take();
            return refused.map_or(made, Err);
        }
        let (said, errors) = pipe::to_read().map_err(failed)?;
        if self.options.terminal {
            streams[2] = Some(errors.as_fd());
        }
        let said = self.sources[1].as_ref().unwrap_or(&said);
        runtime::execute(&self.options, &self.given_to_process(streams), said.as_fd())
    }

    fn given_to_process<'a>(&'a self, streams: [Option<BorrowedFd<'a>>; 3]) -> Given<'a> {
        let wanted = (3..).map_while(|number| {
            self.given.get(&number).filter(|_| !self.options.pipes.have(number)).map(AsFd::as_fd)
        });
        let descriptors: Vec<BorrowedFd> = wanted.collect();
        let announced = std::env::var("LISTEN_FDS").ok().and_then(|number| number.parse().ok());
        let sockets =
            announced.filter(|_| self.options.replace_listen_pid && !self.options.exec).unwrap_or(0);
        Given { streams, sockets: descriptors.len().min(sockets), descriptors, sync: self.sync_pipe() }
    }

    /// A successor finds an exec that waits for its word.
    fn observer(&self, refused: Arc<Mutex<Option<Error>>>) -> Observer {
        let (keeper, shared) = (Arc::clone(&self.keeper), Arc::clone(&self.shared));
        Arc::new(move |event| {
            let Event::Releasing { process, word, answer } = event else { return };
            let parts = [(PIDFD, process.pidfd.as_fd()), (WORD, *word), (ANSWER, *answer)];
            let noted = keeper.hold_all(&parts).and_then(|()| {
                note(&shared, Record { pid: Some(process.pid), since: Some(now()), ..Record::default() })
            });
            if let Err(error) = noted {
                // What no successor would know of does not become its program.
                end(&process.pidfd);
                *refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        })
    }

    pub(super) fn report_failure(&self, error: &Error) -> Result<()> {
        match self.sync_pipe() {
            Some(sync) => finish::say(sync, &self.options, -1, Some(&error.to_string())).map(drop),
            None => Ok(()),
        }
    }
}

fn end(process: impl AsFd) {
    pidfd_kill(process.as_fd());
}
