//! A running init, and the conversation with it.

use crate::engine::Waits;
use crate::engine::child::message::{Heard, LONGEST, Said, decode, out_of_turn, say};
use crate::engine::child::pipes::Pipes;
use crate::engine::child::sources::Sources;
use crate::engine::step_times::{Now, StepTimes};
use crate::error::{Error, Result};
use crate::plan::Script;
use crate::plan::script::Talk;
use crate::sys::launch::Child;
use crate::sys::{Errno, file, process, socket, wait};
use crate::wire::{LEADS, Step, Word};
use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// A running init.
pub struct Init {
    /// The process that does, or did, the first steps.
    pub first: Child,
    /// The process that it has spawned, if the plan says so.
    pub spawned: Option<Child>,
    /// The trees that it copies by itself.
    sources: Sources,
    control: OwnedFd,
    /// Where the conversation goes on once a container can see it.
    pipes: Option<Pipes>,
    /// It has moved there.
    on_pipes: bool,
    /// One that was born has begun on the pipes, and its maker's word of it is still to come on the socket.
    ahead: bool,
    /// Of its steps.
    times: Option<StepTimes>,
    /// What it has to say, and at which steps. A tracer of a process that was born in a container can speak for it, but
    /// cannot say anything else.
    talks: VecDeque<(u32, Talk)>,
    /// What a new process has said before the old one could report it: both speak on one socket.
    held: VecDeque<Said>,
    waits: Rc<Waits>,
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
        first: Child,
        (control, pipes): (OwnedFd, Option<Pipes>),
        times: Option<StepTimes>,
        script: &Script,
        waits: &Rc<Waits>,
    ) -> Init {
        Init {
            first,
            spawned: None,
            sources: Sources::default(),
            control,
            pipes,
            on_pipes: false,
            ahead: false,
            times,
            talks: script.talks().iter().copied().collect(),
            held: VecDeque::new(),
            warned: 0,
            waits: Rc::clone(waits),
            holds_terminal: script.holds_terminal(),
            left: script.len() * MOST_A_STEP,
        }
    }

    /// The process that becomes the user's program.
    pub fn process(&self) -> &Child {
        self.spawned.as_ref().unwrap_or(&self.first)
    }

    /// Our end of the conversation.
    pub fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// That process, when nothing is left to say.
    pub fn into_process(self) -> Child {
        self.spawned.unwrap_or(self.first)
    }

    /// Ends it, with the process that has made it, and fetches their exit codes if they come in time.
    pub fn end(&self) {
        self.waits.end(self.process());
        if self.holds_terminal && self.spawned.is_some() {
            self.waits.end(&self.first);
        }
        // It may have waited for us while we failed.
        self.tell_times(&Heard::Closed);
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

    /// What a `Spawned` message leaves to do: the first process has ended, the second goes on.
    fn take_over(&mut self, pid: i32) -> Result<()> {
        let pidfd = process::pidfd_open(pid).map_err(|e| e.because("open the spawned process"))?;
        let born = Child { pid, pidfd };
        // What can write to the socket of a joining process could name any process to be taken for it.
        if !is_sibling(self.process(), &born) {
            return Err(Error::new(format!("process {pid} was not made by the container's init")));
        }
        let maker = self.spawned.replace(born);
        if self.holds_terminal { Ok(()) } else { self.end_maker(maker.as_ref()) }
    }

    /// The process that has made the one that goes on has nothing left to do, and where its filter refuses its end it would
    /// not come.
    fn end_maker(&self, maker: Option<&Child>) -> Result<()> {
        let maker = maker.unwrap_or(&self.first);
        process::pidfd_kill(maker.pidfd.as_fd());
        // Nothing but its exit code is left, which another part of this program may have fetched.
        self.waits.wait(&[maker.pidfd.as_fd()], maker.pid)?;
        let _ = wait::reap(maker.pidfd.as_fd());
        Ok(())
    }

    /// The next message that is for the caller.
    pub fn hear(&mut self) -> Result<Heard> {
        loop {
            match self.next()? {
                // A process of its pid namespace may be able to speak for one that was born later.
                Heard::Copied(..) | Heard::Blocked(_) if self.later_births() != self.sources.later_births => {
                    return Err(out_of_turn());
                }
                Heard::Copied(handle, copy) => {
                    self.sources.map(handle, copy.as_fd())?;
                    self.say(Word::Go)?;
                }
                Heard::Blocked(handle) => {
                    let pid = self.process().pid;
                    let place = self.sources.open(handle, pid)?;
                    socket::send(self.control.as_fd(), &[0], &[place.as_raw_fd()])
                        .map_err(|e| e.because("send to the container's init"))?;
                }
                other => {
                    self.tell_times(&other);
                    return Ok(other);
                }
            }
        }
    }

    /// Reports the steps up to this message, where their times are wanted.
    pub fn tell_times(&self, heard: &Heard) {
        let Some(times) = &self.times else { return };
        let now = match heard {
            Heard::Ready => Now::Goes,
            Heard::Failed(trouble) => Now::Failed(trouble.message.step, trouble.message.errno),
            Heard::Closed => Now::Ended,
            _ => return,
        };
        times.tell(&self.waits, self.first.pid, now);
    }

    /// The next message, in the order of the steps: nothing of a new process is heard before its pid is known.
    fn next(&mut self) -> Result<Heard> {
        loop {
            let spawn = self.talks.iter().find(|(_, talk)| *talk == Talk::Spawned);
            let spawn = spawn.map_or(u32::MAX, |(step, _)| *step);
            let due = self.held.front().is_some_and(|said| said.step <= spawn);
            let mut said = match if due { self.held.pop_front() } else { None } {
                Some(said) => said,
                None => {
                    // What can be spoken for by a process of the container could go on for ever.
                    self.left = self.left.checked_sub(1).ok_or_else(|| {
                        Error::new("the container's init sent more messages than its plan allows")
                    })?;
                    self.receive()?
                }
            };
            if said.step > spawn {
                self.held.push_back(said);
                continue;
            }
            // Nothing is taken from a process that has nothing to hand over.
            let due = self.talks.front() == Some(&(said.step, Talk::Listener));
            if let Heard::ListenerAt(number) = said.heard
                && due
            {
                said.heard = Heard::Listener(fetch_listener(
                    self.process().pid,
                    self.process().pidfd.as_fd(),
                    number,
                )?);
                self.say(Word::Go)?;
            }
            // One a step: a process that another one has taken over could warn for ever.
            if matches!(said.heard, Heard::Warned { .. }) {
                if said.step < self.warned {
                    continue;
                }
                self.warned = said.step.saturating_add(1);
            }
            // The child is there to take the terminal: its maker lets it go.
            if matches!(said.heard, Heard::Reached(LEADS)) && std::mem::take(&mut self.holds_terminal) {
                self.end_maker(None)?;
                continue;
            }
            expect(&mut self.talks, &said)?;
            if let Heard::Spawned(pid) = said.heard {
                self.take_over(pid)?;
                self.on_pipes |= std::mem::take(&mut self.ahead);
            }
            return Ok(said.heard);
        }
    }

    /// The next message, from the socket before those from the pipes that take its place.
    fn receive(&mut self) -> Result<Said> {
        loop {
            if let Some(pipes) = self.pipes.as_ref().filter(|_| self.on_pipes)
                && let Some(said) = pipes.hear()?
            {
                return Ok(said);
            }
            let socket = (!self.on_pipes).then(|| self.control.as_fd());
            // One that ends before it has its terminal leaves its maker, which has all ends of the conversation too.
            let born = self.spawned.as_ref().filter(|_| self.holds_terminal).map(|born| born.pidfd.as_fd());
            let heard = [socket, self.pipes.as_ref().map(Pipes::answer), born];
            let heard: Vec<BorrowedFd> = heard.into_iter().flatten().collect();
            let first = self.waits.first(&heard, self.process().pid, None)?;
            if born.is_some() && first == Some(heard.len() - 1) {
                self.holds_terminal = false;
                self.end_maker(None)?;
                continue;
            }
            if self.on_pipes {
                continue;
            }
            let mut buffer = [0; LONGEST];
            match (socket::receive_now(self.control.as_fd(), &mut buffer), &self.pipes) {
                // It goes on there, or has ended.
                (Ok((0, _)), Some(_)) => self.on_pipes = true,
                (Ok((length, passed)), _) => return decode(&buffer[..length], passed),
                (Err(Errno(libc::EAGAIN)), None) => {}
                (Err(Errno(libc::EAGAIN)), Some(pipes)) => {
                    if let Some(said) = pipes.hear()? {
                        // One that was born may speak here before its maker has told of it on the socket.
                        let born = |(step, talk): &(u32, Talk)| *talk == Talk::Spawned && *step < said.step;
                        self.ahead = self.talks.iter().any(born);
                        self.on_pipes = !self.ahead;
                        return Ok(said);
                    }
                }
                (Err(e), _) => return Err(e.because("receive from the container's init")),
            }
        }
    }

    fn later_births(&self) -> usize {
        self.talks.iter().filter(|(_, talk)| *talk == Talk::Spawned).count()
    }

    pub fn say(&self, word: Word) -> Result<()> {
        match &self.pipes {
            Some(pipes) if self.on_pipes => pipes.say(word),
            _ => say(self.control.as_fd(), word, None),
        }
    }

    /// What waits at the point `Scope` goes on; what it makes next is born in this group.
    pub fn release_into(&self, group: Option<BorrowedFd>) -> Result<()> {
        say(self.control.as_fd(), Word::Go, group)
    }

    /// Our ends of the conversation: to write to, and to read.
    pub fn ends(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        match &self.pipes {
            Some(pipes) if self.on_pipes => pipes.ends(),
            _ => (self.control.as_fd(), self.control.as_fd()),
        }
    }

    /// For an init that is ready, and waits.
    pub fn pipes(&self) -> Option<&Pipes> {
        self.pipes.as_ref()
    }
}

/// An error for anything but the next thing that the script lets init say.
fn expect(talks: &mut VecDeque<(u32, Talk)>, said: &Said) -> Result<()> {
    match said.heard {
        // At any step and as often as `left` allows; who hears it knows whether its plan has such steps.
        Heard::Failed(_) | Heard::Warned(_) | Heard::Mount { .. } | Heard::Link(_) => Ok(()),
        Heard::Copied(..) | Heard::Blocked(_) | Heard::Closed => Ok(()),
        _ => match talks.pop_front() {
            Some((step, talk)) if step == said.step && said.heard.is(talk) => Ok(()),
            _ => Err(out_of_turn()),
        },
    }
}

/// Whether a process was born beside another one (CLONE_PARENT): as our child, or with the same parent, which need not be
/// us.
fn is_sibling(maker: &Child, born: &Child) -> bool {
    let is_there = |process: &Child| process::pidfd_send_signal(process.pidfd.as_fd(), 0).is_ok();
    let parent = |process: &Child| process::Stat::of(process.pid).ok().map(|stat| stat.parent);
    wait::is_child(born.pidfd.as_fd()) || {
        // A parent outside of our pid namespace has no number.
        let same = parent(maker).is_some_and(|number| number != 0 && Some(number) == parent(born));
        // The numbers are theirs if they have not been reaped by now.
        same && is_there(maker) && is_there(born)
    }
}

fn no_listener() -> Error {
    Error::new("the container's init handed over a descriptor that is not a seccomp listener")
}

/// A copy of the listener that is descriptor `number` of this process.
pub fn fetch_listener(pid: i32, pidfd: BorrowedFd, number: i32) -> Result<OwnedFd> {
    // Anything else could do something when we close it.
    let link = file::link_of_process(pid, number);
    if link.is_ok_and(|link| link != LISTENER) {
        return Err(no_listener());
    }
    let taken = process::pidfd_getfd(pidfd, number).map_err(|e| {
        e.because("take the seccomp listener from init")
            .remedy("the runtime has to be allowed to trace it: ptrace(2)")
    })?;
    // A process that may trace init can have exchanged it meanwhile.
    if file::link_of(taken.as_fd()).is_ok_and(|link| link == LISTENER) {
        Ok(taken)
    } else {
        Err(no_listener())
    }
}

const LISTENER: &[u8] = b"anon_inode:seccomp notify";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Point;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    /// The parent may be a keeper that has started the first of them for us.
    #[test]
    fn a_process_is_known_by_its_parent_where_that_is_not_us() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 100 & echo $!; sleep 100 & echo $!; wait"]).stdout(Stdio::piped());
        let mut parent = command.spawn().unwrap();
        let child = |pid: i32| Child { pid, pidfd: process::pidfd_open(pid).unwrap() };
        let lines = BufReader::new(parent.stdout.take().unwrap()).lines().take(2);
        let children: Vec<Child> = lines.map(|pid| child(pid.unwrap().parse().unwrap())).collect();
        let told = [is_sibling(&children[0], &children[1]), is_sibling(&children[0], &child(1))];
        for child in &children {
            process::pidfd_send_signal(child.pidfd.as_fd(), libc::SIGKILL).unwrap();
        }
        parent.wait().unwrap();
        assert_eq!(told, [true, false]);
        assert!(!is_sibling(&children[0], &children[1]), "both have gone");
    }

    /// Whatever may trace a process that was born in a container can write to its end of the conversation.
    #[test]
    fn init_is_believed_what_its_script_lets_it_say_and_nothing_else() {
        let script = [(3, Talk::Spawned), (5, Talk::Reached(Point::Born)), (6, Talk::Ready)];
        let said = |step, heard| Said { heard, step };
        let told =
            |after: usize, said: Said| expect(&mut script.into_iter().skip(after).collect(), &said).is_ok();
        assert!(told(0, said(3, Heard::Spawned(1))));
        assert!(told(1, said(5, Heard::Reached(Point::Born as u32))));
        assert!(told(1, said(9, Heard::Closed)), "an end can come at any time");
        for (after, heard) in [
            (1, Heard::Reached(Point::Map as u32)),
            (1, Heard::Reached(Point::Hooks as u32)),
            (1, Heard::Spawned(1)),
            (1, Heard::Ready),
            (1, Heard::ListenerAt(0)),
            (2, Heard::Reached(Point::Born as u32)),
            (3, Heard::Ready),
        ] {
            let words = format!("{heard:?}");
            assert!(!told(after, said(5, heard)), "{words}");
        }
        assert!(!told(1, said(4, Heard::Reached(Point::Born as u32))), "at another step");
    }
}
