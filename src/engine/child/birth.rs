//! Starting init with a script, in the namespaces and the cgroup that it is given.

use crate::cgroup::{Cgroup, is_freezing_group, is_frozen_group, join_threads, kind_of};
use crate::engine::child::image::{image, image_file};
use crate::engine::child::init::Init;
use crate::engine::child::pipes;
use crate::engine::event::{Event, Span};
use crate::engine::step_times::StepTimes;
use crate::engine::{Streams, Waits};
use crate::error::{Error, Kind, Result};
use crate::host::survey;
use crate::plan::Script;
use crate::plan::script::Field;
use crate::sys::launch::{self, Launch, LaunchError, Sleeper};
use crate::sys::memory::{self, Content};
use crate::sys::{Errno, c, file, socket};
use crate::wire::{Point, Step};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;

/// How init is started.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    pub script: &'a Script,
    /// What the plan asked to open, in its order; handle 0 is init's end of the control socket.
    pub handles: &'a [RawFd],
    pub namespaces: u64,
    pub cgroup: Option<BorrowedFd<'a>>,
    pub sleeper: Sleeper,
    pub streams: Streams<'a>,
    /// What its program gets as 3, 4, …
    pub given: &'a [BorrowedFd<'a>],
    pub waits: &'a Rc<Waits>,
}

impl<'a> Start<'a> {
    /// In our own namespaces, cgroup and streams.
    pub fn of(script: &'a Script, handles: &'a [RawFd], waits: &'a Rc<Waits>) -> Start<'a> {
        Start {
            script,
            handles,
            namespaces: 0,
            cgroup: None,
            sleeper: Sleeper::Thread,
            streams: [None; 3],
            given: &[],
            waits,
        }
    }
}

/// Which cgroup of v2 a process of a container that exists is born in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Birthplace {
    /// The one that is given, and no other.
    Exactly,
    /// That, or the one of the container's first process where the container manages cgroups of its own.
    OrBeside,
}

/// Starts init in a cgroup that has processes. `first` is the container's first process.
pub fn start_in(start: Start, cgroup: &Cgroup, birthplace: Birthplace, first: i32) -> Result<Init> {
    let sleeper = if cgroup.charges_memory_on_v1() { Sleeper::None } else { Sleeper::Thread };
    let start_there = |group: Option<BorrowedFd>| {
        // A container that manages cgroups of its own may freeze one while we look.
        if group.is_some_and(is_freezing_group) {
            return Err(frozen());
        }
        self::start(Start { cgroup: group, sleeper, ..start })
    };
    match (start_there(cgroup.birth()), birthplace) {
        // A cgroup that hands controllers down takes no process.
        (Err(error), Birthplace::OrBeside) if error.detail().errno == Some(libc::EBUSY) => {
            start_there(Some(cgroup.beside(first)?.as_fd()))
        }
        (Err(error), Birthplace::Exactly) if error.detail().errno == Some(libc::EBUSY) => Err(error
            .field("--cgroup")
            .remedy("this group hands controllers down to those below it: name one of those")),
        (started, _) => started,
    }
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
    let (word, answer) = their_pipes.as_ref().map(|pipes| (&pipes.word, &pipes.answer)).unzip();
    let ends = [Some(&theirs), word, answer];
    let mut handles = start.handles.to_vec();
    for (handle, end) in handles.iter_mut().zip(ends) {
        *handle = end.map_or(-1, AsRawFd::as_raw_fd);
    }
    let mut behind = Behind { places: 3 + start.given.len() as RawFd, again: Vec::new() };
    for handle in &mut handles {
        *handle = behind.number(*handle)?;
    }
    let times = StepTimes::wanted(start.waits, start.script.len())?;
    let their_times = times.as_ref().map(|times| behind.number(times.number())).transpose()?;
    let file = start.script.file(&handles, their_times.unwrap_or(-1));
    let plan = memory::sealed(c"rruntime-plan", Content::Data, &file)
        .map_err(|e| e.because("memfd_create for the plan"))?;
    let plan = behind.number(plan.as_raw_fd())?;
    let number = c(plan.to_string()).unwrap_or_default();
    // A negative handle is one that there is none for.
    let mut pass: Vec<RawFd> = handles.into_iter().filter(|fd| *fd >= 0).collect();
    pass.push(plan);
    pass.extend(their_times);
    let image = image().map_err(|e| {
        e.because("make the memory file for init")
            .remedy("free memory, or mount /dev/shm or /tmp without noexec")
    })?;
    let mut request = Launch {
        program: image.as_fd(),
        arguments: &[c"rruntime", c"init", &number],
        environment: &[],
        namespaces: start.namespaces,
        cgroup: start.cgroup,
        sleeper: start.sleeper,
        streams: start.streams,
        given: start.given,
        pass: &pass,
        keep_capabilities: start.namespaces & libc::CLONE_NEWUSER as u64 != 0,
    };
    let began = start.waits.watch.begins();
    let first = match launch(&request, start.waits)? {
        // A policy of the host against executable memory files shows at the exec.
        Err(LaunchError::Exec(Errno(libc::EACCES | libc::EPERM))) => {
            let file = image_file().map_err(|e| e.because("make a tmpfs for init"))?;
            request.program = file.as_fd();
            launch(&request, start.waits)?
        }
        Err(LaunchError::Clone(Errno(libc::EOPNOTSUPP))) if start.cgroup.is_some_and(join_threads) => {
            launch(&request, start.waits)?
        }
        other => other,
    }
    .map_err(|e| match (&e, start.cgroup) {
        (LaunchError::Clone(Errno(libc::EOPNOTSUPP)), Some(group)) => {
            launch_error(e, start.namespaces).field("/linux/cgroupsPath").remedy(format!(
                "the kernel lets no process into this cgroup, whose type is {:?}",
                kind_of(group)
            ))
        }
        _ => launch_error(e, start.namespaces),
    });
    start.waits.watch.passed(Span::of("clone"), began, first.as_ref().err());
    let first = first?;
    start.waits.tell(&Event::Born { init: first.pid });
    Ok(Init::of(first, (ours, pipes), times, start.script, start.waits))
}

/// Starts a process that does nothing but be there, in our own cgroup: systemd makes a scope for a process, and takes away
/// one that has lost its last. It ends when it is ended, or with us.
pub fn start_holder(waits: &Rc<Waits>) -> Result<Init> {
    let mut script = Script::default();
    script.push(Field::None, Step::Sync { point: Point::Scope });
    script.push(Field::None, Step::Finish {});
    start(Start::of(&script, &[-1], waits))
}

/// What init knows by its number stands behind the places of what its program gets.
struct Behind {
    places: RawFd,
    /// What was opened once more for that.
    again: Vec<OwnedFd>,
}

impl Behind {
    fn number(&mut self, number: RawFd) -> Result<RawFd> {
        if !(0..self.places).contains(&number) {
            return Ok(number);
        }
        let again = file::duplicate(number, self.places).map_err(|e| e.because("fcntl(F_DUPFD_CLOEXEC)"))?;
        let number = again.as_raw_fd();
        self.again.push(again);
        Ok(number)
    }
}

/// Its cgroup may be frozen in the moment of its birth.
fn launch(request: &Launch, waits: &Waits) -> Result<std::result::Result<launch::Child, LaunchError>> {
    let begun = match launch::begin(request) {
        Ok(begun) => begun,
        Err(error) => return Ok(Err(error)),
    };
    waits.wait_until(|| begun.pid(), |patience| begun.has_left(patience))?;
    Ok(begun.finish())
}

/// The error for a birth in a frozen cgroup.
pub fn frozen() -> Error {
    Error::new("cannot start a process in a frozen cgroup")
        .kind(Kind::WrongState)
        .remedy("the container, or its administrator, has frozen it: thaw it first")
}

fn launch_error(error: LaunchError, namespaces: u64) -> Error {
    const NAMESPACES: Option<&str> = Some("/linux/namespaces");
    let errno = match error {
        LaunchError::Clone(errno) => errno,
        LaunchError::Setup(errno) => {
            return errno
                .because("set up the container's first process")
                .remedy("check that all descriptors that --preserve-fds names are open");
        }
        LaunchError::Exec(errno) => {
            return errno
                .because("execute init")
                .remedy("allow the execution of memory files (vm.memfd_noexec) or of a tmpfs");
        }
    };
    let of_users = namespaces & libc::CLONE_NEWUSER as u64 != 0;
    if let libc::EPERM | libc::EACCES = errno.0
        && let Some(remedy) = of_users.then(|| survey::user_namespaces_refused(survey::value)).flatten()
    {
        return errno.because(CLONE).field_if(NAMESPACES).remedy(remedy);
    }
    let (field, remedy) = match errno.0 {
        libc::EPERM | libc::EACCES => (
            NAMESPACES,
            "an ordinary user needs {\"type\": \"user\"} with id mappings; a security module or a seccomp filter of the host may forbid that",
        ),
        libc::ENOSPC => (NAMESPACES, TOO_MANY_NAMESPACES),
        libc::EINVAL if namespaces != 0 => {
            (NAMESPACES, "remove the namespaces that this kernel lacks: /proc/self/ns lists those it has")
        }
        libc::EAGAIN => {
            (None, "a limit on processes is reached: pids.max of a cgroup above, or RLIMIT_NPROC")
        }
        _ => return errno.because(CLONE),
    };
    errno.because(CLONE).field_if(field).remedy(remedy)
}

/// The remedy for ENOSPC.
pub const TOO_MANY_NAMESPACES: &str = "a limit of /proc/sys/user/max_*_namespaces is reached: raise it \
    (sysctl -w user.max_user_namespaces=15000); or namespaces are nested too deep";
const CLONE: &str = "clone the container's first process";
