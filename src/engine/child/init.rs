//! A running init, and the conversation with it.

use crate::engine::Watch;
use crate::engine::child::message::{Event, LONGEST, Said, decode, hear, say};
use crate::engine::child::pipes::Pipes;
use crate::engine::child::sources::Sources;
use crate::error::{Error, Result};
use crate::plan::Script;
use crate::plan::script::Talk;
use crate::sys::{Errno, file, launch, socket};
use crate::wire::{LEADS, Step, Word};
use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A running init.
pub struct Init {
    /// The process that does, or did, the first steps.
    pub first: launch::Child,
    /// The process that it has spawned, if the plan says so.
    pub spawned: Option<launch::Child>,
    /// The trees that it copies by itself.
    sources: Sources,
    control: OwnedFd,
    /// Where the conversation goes on once a container can see it.
    pipes: Option<Pipes>,
    /// It does so.
    on_pipes: bool,
    /// What it has to say, and at which steps: whatever may trace a process that was born in a container can speak for it,
    /// but says nothing else.
    talks: VecDeque<(u32, Talk)>,
    /// What a new process has said before the old one could report it: both speak on one socket.
    held: VecDeque<Said>,
    watch: Arc<Watch>,
    /// Steps before this one have warned, or will not any more.
    warned: u32,
    /// The process that spawns the one that goes on holds its terminal until that is there to take it.
    holds_terminal: bool,
    /// How many messages it may still send.
    left: usize,
}

/// A step warns, fails, or reports a mount, a link or a copy, some of them twice.
const MOST_A_STEP: usize = 8;

impl Init {
    /// With our ends of the conversation.
    pub fn of(
        first: launch::Child,
        (control, pipes): (OwnedFd, Option<Pipes>),
        script: &Script,
        watch: &Arc<Watch>,
    ) -> Init {
        Init {
            first,
            spawned: None,
            sources: Sources::default(),
            control,
            pipes,
            on_pipes: false,
            talks: script.talks().iter().copied().collect(),
            held: VecDeque::new(),
            warned: 0,
            watch: Arc::clone(watch),
            holds_terminal: script.holds_terminal(),
            left: script.len() * MOST_A_STEP,
        }
    }

    /// The process that becomes the user's program.
    pub fn process(&self) -> &launch::Child {
        self.spawned.as_ref().unwrap_or(&self.first)
    }

    /// That process, when nothing is left to say.
    pub fn into_process(self) -> launch::Child {
        self.spawned.unwrap_or(self.first)
    }

    /// Ends it, and fetches its exit code if that comes in time.
    pub fn end(&self) {
        self.watch.end(self.process());
    }

    /// One that copies these trees by itself.
    pub fn with(self, mut sources: Sources, script: &Script) -> Init {
        if !sources.is_empty() {
            let copies =
                (0u32..).zip(script.steps()).filter(|(_, (step, _))| matches!(step, Step::Copy { .. }));
            let last = copies.last().map_or(0, |(number, _)| number);
            let births = script.talks().iter().filter(|(_, talk)| *talk == Talk::Spawned);
            sources.later_births = births.filter(|(step, _)| *step > last).count();
        }
        Init { sources, ..self }
    }

    pub fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// What a `Spawned` message leaves to do: the first process has ended, the second is ours.
    fn take_over(&mut self, pid: i32) -> Result<()> {
        let pidfd =
            crate::sys::process::pidfd_open(pid).map_err(|e| e.because("open the spawned process"))?;
        // Whoever could write to the socket of a joining process could name any process to be taken for it.
        if !crate::sys::wait::is_child(pidfd.as_fd()) {
            return Err(Error::new(format!("process {pid} is no child of this command")));
        }
        let maker = self.spawned.replace(launch::Child { pid, pidfd });
        if self.holds_terminal {
            return Ok(());
        }
        self.end_maker(maker.as_ref())
    }

    /// The process that has made the one that goes on: it has nothing left to do, and where its filter refuses its end it
    /// would not come.
    fn end_maker(&self, maker: Option<&launch::Child>) -> Result<()> {
        let maker = maker.unwrap_or(&self.first);
        // It may have ended by itself.
        let _ = crate::sys::process::pidfd_send_signal(maker.pidfd.as_fd(), libc::SIGKILL);
        self.watch.wait(&[maker.pidfd.as_fd()], maker.pid)?;
        // Nothing but its exit code is left.
        let _ = crate::sys::wait::reap(maker.pidfd.as_fd());
        Ok(())
    }

    /// The next message that is for the caller.
    pub fn hear(&mut self) -> Result<Event> {
        loop {
            match self.next()? {
                // Who shares its pid namespace may be able to speak for a process that was born later.
                Event::Copied(..) | Event::Blocked(_) if self.later_births() != self.sources.later_births => {
                    return Err(Error::new("the container's init asks for something out of turn"));
                }
                Event::Copied(handle, copy) => {
                    self.sources.map(handle, copy.as_fd())?;
                    self.say(Word::Go)?;
                }
                Event::Blocked(handle) => {
                    let pid = self.process().pid;
                    let place = self.sources.open(handle, pid)?;
                    socket::send(self.control.as_fd(), &[0], &[place.as_raw_fd()])
                        .map_err(|e| e.because("send to the container's init"))?;
                }
                other => return Ok(other),
            }
        }
    }

    /// The next message, in the order of the steps: nothing of a new process is heard before its pid is known.
    fn next(&mut self) -> Result<Event> {
        loop {
            let spawn = self.talks.iter().find(|(_, talk)| *talk == Talk::Spawned);
            let spawn = spawn.map_or(u32::MAX, |(step, _)| *step);
            let due = self.held.front().is_some_and(|said| said.step <= spawn);
            let mut said = match if due { self.held.pop_front() } else { None } {
                Some(said) => said,
                None => {
                    // What can be spoken for by a process of the container could go on for ever.
                    self.left = self
                        .left
                        .checked_sub(1)
                        .ok_or_else(|| Error::new("the container's init says more than its plan has"))?;
                    self.receive()?
                }
            };
            if said.step > spawn {
                self.held.push_back(said);
                continue;
            }
            // Nothing is taken from a process that has nothing to hand over.
            let due = self.talks.front() == Some(&(said.step, Talk::Listener));
            if let Event::ListenerAt(number) = said.event
                && due
            {
                said.event = Event::Listener(fetch_listener(
                    self.process().pid,
                    self.process().pidfd.as_fd(),
                    number,
                )?);
                self.say(Word::Go)?;
            }
            // One a step: a process that another one has taken over could warn for ever.
            if matches!(said.event, Event::Warned { .. }) {
                if said.step < self.warned {
                    continue;
                }
                self.warned = said.step.saturating_add(1);
            }
            // The child is there to take the terminal: its maker lets it go.
            if matches!(said.event, Event::Reached(LEADS)) && std::mem::take(&mut self.holds_terminal) {
                self.end_maker(None)?;
                continue;
            }
            expect(&mut self.talks, &said)?;
            if let Event::Spawned(pid) = said.event {
                self.take_over(pid)?;
            }
            return Ok(said.event);
        }
    }

    /// The next message, from the socket before those from the pipes that take its place.
    fn receive(&mut self) -> Result<Said> {
        let pid = self.process().pid;
        loop {
            let Some(pipes) = &self.pipes else {
                self.watch.wait(&[self.control.as_fd()], pid)?;
                return hear(self.control.as_fd());
            };
            if self.on_pipes {
                if let Some(said) = pipes.hear()? {
                    return Ok(said);
                }
                self.watch.wait(&[pipes.answer()], pid)?;
                continue;
            }
            self.watch.wait(&[self.control.as_fd(), pipes.answer()], pid)?;
            let mut buffer = [0; LONGEST];
            match socket::receive_now(self.control.as_fd(), &mut buffer) {
                // It goes on there, or has ended.
                Ok((0, _)) => self.on_pipes = true,
                Ok((length, passed)) => return decode(&buffer[..length], passed),
                Err(Errno(libc::EAGAIN)) => {
                    if let Some(said) = pipes.hear()? {
                        self.on_pipes = true;
                        return Ok(said);
                    }
                }
                Err(e) => return Err(e.because("receive from the container's init")),
            }
        }
    }

    fn later_births(&self) -> usize {
        self.talks.iter().filter(|(_, talk)| *talk == Talk::Spawned).count()
    }

    pub fn say(&self, word: Word) -> Result<()> {
        match &self.pipes {
            Some(pipes) if self.on_pipes => pipes.say(word),
            _ => say(self.control.as_fd(), word),
        }
    }

    /// For an init that is ready, and waits.
    pub fn pipes(&self) -> Option<&Pipes> {
        self.pipes.as_ref()
    }
}

/// An error for anything but the next thing that the script lets init say.
fn expect(talks: &mut VecDeque<(u32, Talk)>, said: &Said) -> Result<()> {
    let talk = match &said.event {
        Event::Reached(point) => Talk::Reached(*point),
        Event::Spawned(_) => Talk::Spawned,
        Event::Ready => Talk::Ready,
        Event::Console(_) => Talk::Console,
        Event::Listener(_) | Event::ListenerAt(_) => Talk::Listener,
        _ => return Ok(()),
    };
    match talks.pop_front() {
        Some(next) if next == (said.step, talk) => Ok(()),
        _ => Err(Error::new("the container's init says something out of turn")
            .remedy("a process of the container may be speaking for it")),
    }
}

/// A copy of the listener that is descriptor `number` of this process.
pub fn fetch_listener(pid: i32, pidfd: BorrowedFd, number: i32) -> Result<OwnedFd> {
    // Anything else could do something when we close it.
    let link = file::link_of_process(pid, number);
    if link.is_ok_and(|link| link != b"anon_inode:seccomp notify") {
        return Err(Error::new("the container's init hands over something that is no seccomp listener"));
    }
    crate::sys::process::pidfd_getfd(pidfd, number).map_err(|e| {
        e.because("take the seccomp listener from init")
            .remedy("the runtime has to be allowed to trace it: ptrace(2)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sync;

    /// Whatever may trace a process that was born in a container can write to its end of the conversation.
    #[test]
    fn init_is_believed_what_its_script_lets_it_say_and_nothing_else() {
        let script = [(3, Talk::Spawned), (5, Talk::Reached(sync::BORN)), (6, Talk::Ready)];
        let said = |step, event| Said { event, step };
        let told =
            |after: usize, said: Said| expect(&mut script.into_iter().skip(after).collect(), &said).is_ok();
        assert!(told(0, said(3, Event::Spawned(1))));
        assert!(told(1, said(5, Event::Reached(sync::BORN))));
        assert!(told(1, said(9, Event::Closed)), "an end can come at any time");
        for (after, event) in [
            (1, Event::Reached(sync::MAP)),
            (1, Event::Reached(sync::HOOKS)),
            (1, Event::Spawned(1)),
            (1, Event::Ready),
            (1, Event::ListenerAt(0)),
            (2, Event::Reached(sync::BORN)),
            (3, Event::Ready),
        ] {
            let words = format!("{event:?}");
            assert!(!told(after, said(5, event)), "{words}");
        }
        assert!(!told(1, said(4, Event::Reached(sync::BORN))), "at another step");
    }
}
