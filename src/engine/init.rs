//! The sealed init: its image in memory, starting it with a script, and the conversation with it.
//!
//! Nothing of rruntime's own binary is ever visible in a container: what runs there is a memory file that nobody
//! can write, or, where the host forbids to execute memory files, a file on a read-only tmpfs that is mounted
//! nowhere (CVE-2019-5736).

use super::Watch;
use super::pipes::{self, Pipes};
use super::sources::Sources;
use crate::cgroup::is_frozen_group;
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::plan::Script;
use crate::plan::script::Talk;
use crate::sys::launch::{self, Launch, LaunchError};
use crate::sys::memory::{self, Content};
use crate::sys::{Errno, SysResult, c, file, mount, socket};
use crate::wire::{Kind, LEADS, Message, MountId, PAYLOAD, Step};
use nix::sys::statvfs::{FsFlags, fstatvfs};
use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;

pub static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rruntime-init"));

/// The size of init, which has a budget (`tests/lifecycle/budget`).
pub const IMAGE_SIZE: usize = IMAGE.len();

/// How init is started.
pub struct Start<'a> {
    pub script: &'a Script,
    /// What the plan asked to open, in its order; handle 0 is init's end of the control socket.
    pub handles: &'a [RawFd],
    pub namespaces: u64,
    pub cgroup: Option<BorrowedFd<'a>>,
    pub preserve_fds: u32,
    pub streams: Streams<'a>,
    pub watch: &'a Rc<Watch>,
}

impl<'a> Start<'a> {
    /// In our own namespaces, cgroup and streams.
    pub fn of(script: &'a Script, handles: &'a [RawFd], watch: &'a Rc<Watch>) -> Start<'a> {
        Start { script, handles, namespaces: 0, cgroup: None, preserve_fds: 0, streams: [None; 3], watch }
    }
}

/// Standard input, output and error; those that are not given are our own.
pub type Streams<'a> = [Option<BorrowedFd<'a>>; 3];

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
    watch: Rc<Watch>,
    /// Steps before this one have warned, or will not any more.
    warned: u32,
    /// The process that spawns the one that goes on holds its terminal until that is there to take it.
    holds_terminal: bool,
}

/// A message: what it says, at which step, and with `Spawned` the pid.
#[derive(Debug)]
pub struct Said {
    pub event: Event,
    step: u32,
    pid: Option<i32>,
}

/// What init says.
#[derive(Debug)]
pub enum Event {
    Reached(u32),
    Spawned,
    Ready,
    Failed {
        message: Message,
        note: Vec<u8>,
    },
    /// The master of a terminal, and the mode that was taken away from its other end (0: none was).
    Console {
        master: OwnedFd,
        mode: u32,
    },
    /// The container can do without what a step could not do.
    Warned {
        message: Message,
        note: Vec<u8>,
    },
    Listener(OwnedFd),
    /// The seccomp listener is this descriptor of init's.
    ListenerAt(i32),
    /// `step` has attached this mount; the second time: it is detached.
    Mount {
        step: u32,
        mount: MountId,
    },
    /// `step` has followed a link to this, below its descriptor `root`, and waits for an answer.
    Link {
        step: u32,
        found: OwnedFd,
        root: i32,
    },
    /// A copy of a source whose owners are to be mapped; answered by [`Init::hear`].
    Copied(u32, OwnedFd),
    /// A source that it cannot reach; answered by [`Init::hear`].
    Blocked(u32),
    /// The socket is closed: the user's program runs, or init is dead.
    Closed,
}

/// Starts init.
pub fn start(start: Start) -> Result<Init> {
    if start.cgroup.is_some_and(is_frozen_group) {
        return Err(frozen());
    }
    let (ours, theirs) = socket::pair().map_err(|e| e.because("socketpair"))?;
    let (pipes, their_pipes) = match start.script.confines().then(pipes::pair).transpose() {
        Ok(pair) => pair.unzip(),
        Err(e) => return Err(e.because("pipe2 for the conversation with init")),
    };
    let mut handles = start.handles.to_vec();
    let ends =
        [Some(&theirs), their_pipes.as_ref().map(|p| &p.word), their_pipes.as_ref().map(|p| &p.answer)];
    for (handle, end) in handles.iter_mut().zip(ends) {
        *handle = end.map_or(-1, AsRawFd::as_raw_fd);
    }
    let plan = memory::sealed(c"rruntime-plan", Content::Data, &start.script.file(&handles))
        .map_err(|e| e.because("memfd_create for the plan"))?;
    let number = c(plan.as_raw_fd().to_string()).unwrap_or_default();
    // A negative handle is one that there is none for.
    let mut pass: Vec<RawFd> = handles.into_iter().filter(|fd| *fd >= 0).collect();
    pass.push(plan.as_raw_fd());
    pass.extend(3..3 + start.preserve_fds as RawFd);
    let image = image().map_err(|e| {
        e.because("make the memory file for init")
            .remedy("is there memory left, and may /dev/shm or /tmp hold programs?")
    })?;
    let mut request = Launch {
        program: image.as_fd(),
        arguments: &[c"rruntime", c"init", &number],
        namespaces: start.namespaces,
        cgroup: start.cgroup,
        pass: &pass,
        streams: start.streams,
        keep_capabilities: start.namespaces & libc::CLONE_NEWUSER as u64 != 0,
    };
    let first = match launch(&request, start.watch)? {
        // A policy of the host against executable memory files shows at the exec.
        Err(LaunchError::Exec(Errno(libc::EACCES | libc::EPERM))) => {
            let file = image_file().map_err(|e| e.because("make a tmpfs for init"))?;
            request.program = file.as_fd();
            launch(&request, start.watch)?
        }
        other => other,
    }
    .map_err(|e| launch_error(e, start.namespaces))?;
    let talks = start.script.talks().iter().copied().collect();
    Ok(Init {
        first,
        spawned: None,
        sources: Sources::default(),
        control: ours,
        pipes,
        on_pipes: false,
        talks,
        held: VecDeque::new(),
        warned: 0,
        watch: Rc::clone(start.watch),
        holds_terminal: start.script.holds_terminal(),
    })
}

/// Its cgroup may be frozen in the moment of its birth.
fn launch(request: &Launch, watch: &Watch) -> Result<std::result::Result<launch::Child, LaunchError>> {
    let begun = match launch::begin(request) {
        Ok(begun) => begun,
        Err(error) => return Ok(Err(error)),
    };
    watch.wait_until(begun.pid(), |patience| begun.has_left(patience))?;
    Ok(begun.finish())
}

/// The error for a birth in a frozen cgroup.
pub fn frozen() -> Error {
    Error::new("cannot start a process in a frozen cgroup")
        .kind(ErrorKind::WrongState)
        .remedy("the container, or its administrator, has frozen it: thaw it first")
}

fn image() -> SysResult<OwnedFd> {
    match memory::sealed(c"rruntime-init", Content::Program, IMAGE) {
        // vm.memfd_noexec=2
        Err(Errno(libc::EACCES)) => image_file(),
        other => other,
    }
}

/// init as a file of a tmpfs that is mounted nowhere and read-only by the time it runs.
fn image_file() -> SysResult<OwnedFd> {
    let tmpfs = match mount::detached_tmpfs() {
        // An ordinary user may mount nothing here.
        Err(Errno(libc::EPERM)) => return nameless_file(),
        other => other?,
    };
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
    write_image(file::openat2(tmpfs.as_fd(), c"init", flags, 0o500, 0)?.as_fd())?;
    mount::set_attributes(tmpfs.as_fd(), libc::MOUNT_ATTR_RDONLY)?;
    file::openat2(tmpfs.as_fd(), c"init", libc::O_RDONLY, 0, 0)
}

/// init as a file that has never had a name and is used for this one process. The container's root, who is the
/// user, could write to it once init has gone: then it is nobody's program any more.
fn nameless_file() -> SysResult<OwnedFd> {
    let mut refused = Errno(libc::EACCES);
    for place in [c"/dev/shm", c"/tmp", c"/var/tmp"] {
        let flags = libc::O_TMPFILE | libc::O_EXCL | libc::O_RDWR;
        let made = file::openat2(file::cwd(), place, flags, 0o500, 0).and_then(|writable| {
            write_image(writable.as_fd())?;
            let executable =
                fstatvfs(&writable).is_ok_and(|found| !found.flags().contains(FsFlags::ST_NOEXEC));
            // A program cannot be executed while it is open for writing.
            let path = c(format!("/proc/self/fd/{}", writable.as_raw_fd())).unwrap_or_default();
            let readable = file::openat2(file::cwd(), &path, libc::O_RDONLY, 0, 0)?;
            if executable { Ok(readable) } else { Err(Errno(libc::EACCES)) }
        });
        match made {
            Ok(file) => return Ok(file),
            Err(errno) => refused = errno,
        }
    }
    Err(refused)
}

fn write_image(file: BorrowedFd) -> SysResult<()> {
    let mut rest = IMAGE;
    while !rest.is_empty() {
        let written = file::write(file, rest)?;
        rest = &rest[written..];
    }
    Ok(())
}

fn launch_error(error: LaunchError, namespaces: u64) -> Error {
    match error {
        LaunchError::Clone(Errno(libc::EPERM)) => Errno(libc::EPERM)
            .because("clone the container's first process")
            .field("/linux/namespaces")
            .remedy("an ordinary user needs {\"type\": \"user\"} with id mappings; a host may forbid that"),
        LaunchError::Clone(Errno(libc::ENOSPC)) => Errno(libc::ENOSPC)
            .because("clone the container's first process")
            .field("/linux/namespaces")
            .remedy(
                "a limit of /proc/sys/user/max_*_namespaces is reached, or namespaces are nested too deep",
            ),
        LaunchError::Clone(Errno(libc::EINVAL)) if namespaces != 0 => Errno(libc::EINVAL)
            .because("clone the container's first process")
            .field("/linux/namespaces")
            .remedy("does the kernel have all of these namespaces? see /proc/self/ns"),
        LaunchError::Clone(Errno(libc::EAGAIN)) => Errno(libc::EAGAIN)
            .because("clone the container's first process")
            .remedy("a limit on processes is reached: pids.max of a cgroup above, or RLIMIT_NPROC"),
        LaunchError::Clone(errno) => errno.because("clone the container's first process"),
        LaunchError::Setup(errno) => errno
            .because("set up the container's first process")
            .remedy("are all descriptors that --preserve-fds names open?"),
        LaunchError::Exec(errno) => errno
            .because("execute init")
            .remedy("does a policy of the host forbid to execute memory files and tmpfs?"),
    }
}

impl Init {
    /// The process that becomes the user's program.
    pub fn process(&self) -> &launch::Child {
        self.spawned.as_ref().unwrap_or(&self.first)
    }

    /// Ends it, and fetches its exit code if that comes in time.
    pub fn end(&self) {
        self.process().end(self.watch.patience());
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
                    self.say(Kind::Go)?;
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
                None => self.receive()?,
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
                self.say(Kind::Go)?;
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
            if let (Event::Spawned, Some(pid)) = (&said.event, said.pid) {
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

    pub fn say(&self, kind: Kind) -> Result<()> {
        match &self.pipes {
            Some(pipes) if self.on_pipes => pipes.say(kind),
            _ => say(self.control.as_fd(), kind),
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
        Event::Spawned => Talk::Spawned,
        Event::Ready => Talk::Ready,
        Event::Console { .. } => Talk::Console,
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
    let link = std::fs::read_link(format!("/proc/{pid}/fd/{number}"));
    if link.is_ok_and(|link| link.as_os_str() != "anon_inode:seccomp notify") {
        return Err(Error::new("the container's init hands over something that is no seccomp listener"));
    }
    crate::sys::process::pidfd_getfd(pidfd, number).map_err(|e| {
        e.because("take the seccomp listener from init")
            .remedy("the runtime has to be allowed to trace it: ptrace(2)")
    })
}

/// The most that a message takes.
pub const LONGEST: usize = Message::SIZE + PAYLOAD;

/// One message from whoever is at the other end.
///
/// Without a deadline: a step takes as long as the file systems of the config take, and nobody but its author knows how
/// long that is (a network file system, a large `tmpcopyup`). Who waits for the process first (`watch.rs`) is told what
/// holds it, and can be ended; and `delete --force` ends the process without waiting for our lock.
pub fn hear(control: BorrowedFd) -> Result<Said> {
    let mut buffer = [0; LONGEST];
    let (length, passed) =
        socket::receive(control, &mut buffer).map_err(|e| e.because("receive from the container's init"))?;
    decode(&buffer[..length], passed)
}

/// A message with what came along; without any bytes the other end is closed.
pub fn decode(bytes: &[u8], passed: Option<OwnedFd>) -> Result<Said> {
    if bytes.is_empty() {
        return Ok(Said { event: Event::Closed, step: 0, pid: None });
    }
    let garbled = || Error::new("the container's init has sent something that is no message");
    let message = Message::decode(bytes).ok_or_else(garbled)?;
    let kinds = [
        Kind::Reached,
        Kind::Spawned,
        Kind::Ready,
        Kind::Failed,
        Kind::Console,
        Kind::Listener,
        Kind::Warned,
        Kind::Mount,
        Kind::Link,
        Kind::Copied,
        Kind::Blocked,
    ];
    let kind = kinds.into_iter().find(|kind| *kind as u32 == message.kind).ok_or_else(garbled)?;
    let rest = &bytes[Message::SIZE..];
    let event = match (kind, passed) {
        (Kind::Reached, _) => Event::Reached(message.value as u32),
        (Kind::Spawned, _) => Event::Spawned,
        (Kind::Ready, _) => Event::Ready,
        (Kind::Console, Some(master)) => Event::Console { master, mode: message.value as u32 & 0o7777 },
        (Kind::Listener, Some(listener)) => Event::Listener(listener),
        (Kind::Listener, None) => Event::ListenerAt(i32::try_from(message.value).map_err(|_| garbled())?),
        (Kind::Warned, _) => Event::Warned { message, note: rest.to_vec() },
        (Kind::Mount, _) => {
            let (Some((device, inode)), 16) = (rest.split_first_chunk(), rest.len()) else {
                return Err(garbled());
            };
            let inode = inode.try_into().map_or(0, u64::from_le_bytes);
            let mount = MountId { number: message.value as u64, device: u64::from_le_bytes(*device), inode };
            Event::Mount { step: message.step, mount }
        }
        (Kind::Link, Some(found)) => Event::Link { step: message.step, found, root: message.value as i32 },
        (Kind::Copied, Some(copy)) => Event::Copied(message.value as u32, copy),
        (Kind::Blocked, None) => Event::Blocked(message.value as u32),
        (Kind::Failed, _) => Event::Failed { message, note: rest.to_vec() },
        _ => return Err(garbled()),
    };
    let pid = (kind == Kind::Spawned).then_some(message.value as i32);
    Ok(Said { event, step: message.step, pid })
}

/// One word to whoever is at the other end.
pub fn say(control: BorrowedFd, kind: Kind) -> Result<()> {
    socket::send(control, &Message::of(kind).encode(), &[]).map_err(|e| {
        e.because("send to the container's init")
            .kind(ErrorKind::Other)
            .remedy("the process has ended meanwhile")
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
        let said = |step, event| Said { event, step, pid: None };
        let told =
            |after: usize, said: Said| expect(&mut script.into_iter().skip(after).collect(), &said).is_ok();
        assert!(told(0, said(3, Event::Spawned)));
        assert!(told(1, said(5, Event::Reached(sync::BORN))));
        assert!(told(1, said(9, Event::Closed)), "an end can come at any time");
        for (after, event) in [
            (1, Event::Reached(sync::MAP)),
            (1, Event::Reached(sync::HOOKS)),
            (1, Event::Spawned),
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

    /// A container that rruntime 0.1.0 has created waits for these numbers.
    #[test]
    fn the_words_for_a_waiting_init_keep_their_numbers() {
        assert_eq!((Kind::Reached as u32, Kind::Failed as u32, Kind::Listener as u32), (1, 4, 6));
        assert_eq!((Kind::Go as u32, Kind::Detach as u32), (7, 8));
    }
}
