//! Starting a program in a new process: clone3 with shared memory, then execveat.
//!
//! The child runs a few system calls on a stack of its own, so nothing of a large or threaded process is copied and no
//! lock can be held that matters. It never allocates, never returns, touches nothing but what was made for it, and answers
//! through a value that both share.
//!
//! The caller does not sleep in vfork, which is deaf to all signals but SIGKILL: if the child's cgroup were frozen at the
//! moment of birth, the caller would hang until the group is thawed. Yet a child in a cgroup must be made by vfork: where
//! memory runs out there, the kernel would otherwise kill every process that shares the child's memory, ours included
//! (oom_badness spares in_vfork alone). So a thread of a few instructions sleeps in vfork, and the caller waits for that
//! thread. Only for a cgroup that was just made, which no container can freeze, does the caller sleep itself.

use super::raw::{CAPABILITY_HEADER, call, clone3_on_stack, end};
use super::{pidfd_kill, wait};
use crate::sys::{Errno, SysResult, poll};
use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A program to start, and what its process is like.
pub struct Launch<'a> {
    /// The program, opened or in memory.
    pub program: BorrowedFd<'a>,
    pub arguments: &'a [&'a CStr],
    pub environment: &'a [&'a CStr],
    /// `CLONE_NEW…`
    pub namespaces: u64,
    /// A cgroup v2 directory to be born in.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// What sleeps in vfork until the child has left.
    pub sleeper: Sleeper,
    /// Standard streams of its own.
    pub streams: [Option<BorrowedFd<'a>>; 3],
    /// What it gets as 3, 4, …
    pub given: &'a [BorrowedFd<'a>],
    /// Descriptors that it gets under their own numbers, which are higher. It sees no others, but 0, 1 and 2.
    pub pass: &'a [RawFd],
    /// Keep the capabilities of a new user namespace over the exec, which drops them while no map is written.
    pub keep_capabilities: bool,
}

/// What sleeps in vfork while a child is born in a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleeper {
    /// The caller: in a cgroup that was just made, and that no process of a container can freeze.
    Caller,
    Thread,
    /// Nothing: in a cgroup without the memory controller, as with cgroup v1, whose groups a process enters by itself.
    None,
}

/// A process that runs the program. It is a child of the calling process and has to be waited for.
#[derive(Debug)]
pub struct Child {
    pub pid: i32,
    pub pidfd: OwnedFd,
}

impl Child {
    /// SIGKILL, and its exit code is fetched. A child that sleeps in the kernel on something that does not answer
    /// is left to the process that inherits it.
    fn end(&self, patience: Duration) {
        pidfd_kill(self.pidfd.as_fd());
        if poll::readable(self.pidfd.as_fd(), Some(Instant::now() + patience)) == Ok(true) {
            // Another part of this program may have reaped it.
            let _ = wait::reap(self.pidfd.as_fd());
        }
    }
}

/// Where a launch failed.
#[derive(Debug)]
pub enum LaunchError {
    /// clone3 itself: a namespace, a limit, the cgroup.
    Clone(Errno),
    /// The child could not set itself up.
    Setup(Errno),
    /// execveat: the program cannot be executed.
    Exec(Errno),
}

/// libc's constant of this name has a type that is too narrow for it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
const STACK: usize = 64 * 1024;
/// For the thread that sleeps: two frames.
const SLEEPER: usize = 16 * 1024;
const AMBIENT_LAST: usize = 63;

/// A launch on its way: the child has our memory until [`Begun::has_left`].
pub struct Begun<'a> {
    /// The child has descriptors of its own only once it is there, so what it was given stays open.
    given: PhantomData<BorrowedFd<'a>>,
    /// What the child works on, made by a box. Where it does not leave in time it keeps this for ever.
    shared: NonNull<Shared>,
}

/// What the child gets and what it answers.
struct Shared {
    /// The child runs on it; no other code touches it.
    stack: UnsafeCell<Vec<u128>>,
    program: Cell<RawFd>,
    /// Of `strings`, each with a null pointer at its end.
    argv: Vec<*const libc::c_char>,
    environment: Vec<*const libc::c_char>,
    _strings: Vec<CString>,
    /// The streams, and what is given behind them.
    places: Vec<Cell<Option<RawFd>>>,
    pass: Vec<RawFd>,
    keep_capabilities: bool,
    /// The kernel clears it and wakes what waits for that, when the child has left our memory and the thread that slept
    /// is gone (CLONE_CHILD_CLEARTID).
    present: AtomicU32,
    /// For clone3 of the child.
    args: libc::clone_args,
    /// What clone3 returned; then the child's pid, and its pidfd.
    cloned: AtomicI32,
    pid: AtomicI32,
    pidfd: AtomicI32,
    /// The thread's to run on.
    sleeper: UnsafeCell<Vec<u128>>,
    failed: UnsafeCell<Option<LaunchError>>,
}

/// Starts the child. What it was given has to stay open until it has left.
pub fn begin<'a>(launch: &Launch<'a>) -> Result<Begun<'a>, LaunchError> {
    let all = launch.arguments.iter().chain(launch.environment);
    let strings: Vec<CString> = all.map(|&string| string.to_owned()).collect();
    let (arguments, environment) = strings.split_at(launch.arguments.len());
    let list =
        |strings: &[CString]| strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect();
    let (argv, environment) = (list(arguments), list(environment));
    // SAFETY: all zeroes is a valid value of this plain struct.
    let nothing: libc::clone_args = unsafe { zeroed() };
    let places = launch.streams.into_iter().chain(launch.given.iter().copied().map(Some));
    let made = Box::new(Shared {
        stack: UnsafeCell::new(Vec::with_capacity(STACK / size_of::<u128>())),
        program: Cell::new(launch.program.as_raw_fd()),
        argv,
        environment,
        _strings: strings,
        places: places.map(|fd| Cell::new(fd.map(|fd| fd.as_raw_fd()))).collect(),
        pass: launch.pass.to_vec(),
        keep_capabilities: launch.keep_capabilities,
        present: AtomicU32::new(1),
        args: nothing,
        cloned: AtomicI32::new(0),
        pid: AtomicI32::new(0),
        pidfd: AtomicI32::new(-1),
        sleeper: UnsafeCell::new(Vec::with_capacity(SLEEPER / size_of::<u128>())),
        failed: UnsafeCell::new(None),
    });
    let raw = NonNull::from(Box::leak(made));
    // SAFETY: it is ours alone until there is a child.
    let shared = unsafe { &mut *raw.as_ptr() };
    let sleeper = launch.cgroup.map_or(Sleeper::None, |_| launch.sleeper);
    let flag = |on: bool, flag: u64| if on { flag } else { 0 };
    shared.args = libc::clone_args {
        flags: (libc::CLONE_VM | libc::CLONE_PIDFD | libc::CLONE_PARENT_SETTID) as u64
            | launch.namespaces
            | flag(launch.cgroup.is_some(), CLONE_INTO_CGROUP)
            | flag(sleeper != Sleeper::None, libc::CLONE_VFORK as u64)
            | flag(sleeper != Sleeper::Thread, libc::CLONE_CHILD_CLEARTID as u64),
        pidfd: shared.pidfd.as_ptr() as u64,
        child_tid: shared.present.as_ptr() as u64,
        parent_tid: shared.pid.as_ptr() as u64,
        exit_signal: libc::SIGCHLD as u64,
        stack: shared.stack.get_mut().as_mut_ptr() as u64,
        stack_size: STACK as u64,
        cgroup: launch.cgroup.map_or(0, |c| c.as_raw_fd() as u64),
        ..nothing
    };
    let of_thread = libc::clone_args {
        flags: THREAD | libc::CLONE_CHILD_CLEARTID as u64,
        child_tid: shared.present.as_ptr() as u64,
        stack: shared.sleeper.get_mut().as_mut_ptr() as u64,
        stack_size: SLEEPER as u64,
        ..nothing
    };
    // A handler of the caller's that a signal ran in the child would work on our memory. init lets them through again.
    let before = set_signals(u64::MAX);
    // SAFETY: each stack is of one process alone, neither function returns, and `Begun` keeps what they work on until both
    // have left.
    let returned = unsafe {
        if sleeper == Sleeper::Thread {
            clone3_on_stack(&of_thread, sleep, raw.as_ptr().cast())
        } else {
            clone3_on_stack(&shared.args, child, raw.as_ptr().cast())
        }
    };
    set_signals(before);
    if returned < 0 {
        // SAFETY: there is no child, and no other code has it.
        drop(unsafe { Box::from_raw(raw.as_ptr()) });
        return Err(LaunchError::Clone(Errno(-returned as i32)));
    }
    Ok(Begun { given: PhantomData, shared: raw })
}

/// What threads share.
const THREAD: u64 = (libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM) as u64;

/// A thread without anything of libc's: it makes the child, and sleeps until that has left.
extern "C" fn sleep(argument: *mut libc::c_void) -> ! {
    // SAFETY: `begin` passes its `Shared`, which stays until the kernel has cleared `present` at our end.
    let shared = unsafe { &*argument.cast::<Shared>() };
    // SAFETY: as in `begin`.
    let returned = unsafe { clone3_on_stack(&shared.args, child, argument) };
    shared.cloned.store(returned as i32, Ordering::Release);
    end(libc::SYS_exit, 0)
}

/// rt_sigprocmask(SIG_SETMASK) of this thread, for all signals, also those that libc keeps for itself. Returns the mask that
/// there was. Reference: sigprocmask(2), which cannot fail with these arguments.
fn set_signals(mask: u64) -> u64 {
    let mut before = 0u64;
    let (mask, size) = (&raw const mask, size_of::<u64>());
    // SAFETY: both masks are there for the call, and are as long as it says.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, mask, &raw mut before, size) };
    before
}

impl Begun<'_> {
    fn shared(&self) -> &Shared {
        // SAFETY: `drop` alone takes it away.
        unsafe { self.shared.as_ref() }
    }

    /// The child's pid, once there is one.
    pub fn pid(&self) -> i32 {
        self.shared().pid.load(Ordering::Acquire)
    }

    /// Its descriptor can be taken only once.
    fn child(&self) -> Option<Child> {
        // The kernel writes the pid last. A clone3 that fails leaves the number of a descriptor that it has closed again.
        if self.pid() == 0 {
            return None;
        }
        let pidfd = self.shared().pidfd.swap(-1, Ordering::AcqRel);
        // SAFETY: the kernel has given this descriptor to us alone.
        (pidfd >= 0).then(|| Child { pid: self.pid(), pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
    }

    /// Whether the child runs the program or has ended. Waits at most this long for that.
    pub fn has_left(&self, patience: Duration) -> bool {
        let present = &self.shared().present;
        let now = present.load(Ordering::Acquire);
        if now != 0 {
            let patience =
                libc::timespec { tv_sec: patience.as_secs() as _, tv_nsec: patience.subsec_nanos().into() };
            // SAFETY: futex reads the word and the time, which are there. It returns at once if the word has changed.
            unsafe {
                libc::syscall(libc::SYS_futex, present.as_ptr(), libc::FUTEX_WAIT, now, &raw const patience);
            }
        }
        present.load(Ordering::Acquire) == 0
    }

    /// The child, which has left; or what kept it from running the program.
    pub fn finish(self) -> Result<Child, LaunchError> {
        while !self.has_left(Duration::from_secs(1)) {}
        // SAFETY: the child has left our memory.
        let failed = unsafe { (*self.shared().failed.get()).take() };
        let cloned = self.shared().cloned.load(Ordering::Acquire);
        match (self.child(), failed) {
            _ if cloned < 0 => Err(LaunchError::Clone(Errno(-cloned))),
            (Some(child), None) => Ok(child),
            (Some(child), Some(error)) => {
                // It has ended itself; only its exit code is left to fetch.
                let _ = wait::reap(child.pidfd.as_fd());
                Err(error)
            }
            (None, _) => Err(LaunchError::Setup(Errno(libc::ESRCH))),
        }
    }
}

impl Drop for Begun<'_> {
    /// Ends a child that was given up, whatever its cgroup.
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        while self.pid() == 0 && !self.has_left(Duration::from_millis(1)) && Instant::now() < deadline {}
        if let Some(child) = self.child() {
            child.end(Duration::from_millis(100));
        }
        if self.has_left(Duration::from_millis(100)) {
            // SAFETY: the child has left our memory, and no other code has it.
            drop(unsafe { Box::from_raw(self.shared.as_ptr()) });
        }
    }
}

/// The child, between clone and exec.
extern "C" fn child(argument: *mut libc::c_void) -> ! {
    // SAFETY: `begin` passes its `Shared`, of which it leaves alone what is in cells until we have left.
    let shared = unsafe { &*argument.cast::<Shared>() };
    let error = match prepare(shared) {
        Err(errno) => LaunchError::Setup(errno),
        Ok(()) => {
            let (argv, environment) = (shared.argv.as_ptr() as usize, shared.environment.as_ptr() as usize);
            let empty = c"".as_ptr() as usize;
            let arguments =
                [shared.program.get() as usize, empty, argv, environment, libc::AT_EMPTY_PATH as usize, 0];
            // SAFETY: argv and the environment end with null pointers and hold NUL-terminated strings.
            match unsafe { call(libc::SYS_execveat, arguments) } {
                Ok(_) => LaunchError::Exec(Errno(0)),
                Err(errno) => LaunchError::Exec(errno),
            }
        }
    };
    // SAFETY: our parent reads it when we have left.
    unsafe { *shared.failed.get() = Some(error) };
    end(libc::SYS_exit_group, 127)
}

fn prepare(shared: &Shared) -> SysResult<()> {
    let numbers = |number, a: i32, b: i32, c: usize| {
        // SAFETY: these calls take numbers; the table of descriptors is the child's own copy.
        unsafe { call(number, [a as usize, b as usize, c, 0, 0, 0]) }
    };
    let behind = shared.places.len() as RawFd;
    let aside = |fd| match fd < behind {
        true => numbers(libc::SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, behind as usize).map(|fd| fd as RawFd),
        false => Ok(fd),
    };
    let places = || (0..).zip(&shared.places).filter_map(|(place, fd)| Some((place, fd, fd.get()?)));
    // Nothing is taken away by what comes to its place.
    for (_, cell, fd) in places().filter(|(place, _, fd)| fd != place) {
        cell.set(Some(aside(fd)?));
    }
    shared.program.set(aside(shared.program.get())?);
    for (place, _, fd) in places() {
        // dup3 refuses what is at its place already.
        if fd == place {
            numbers(libc::SYS_fcntl, fd, libc::F_SETFD, 0)?;
        } else {
            numbers(libc::SYS_dup3, fd, place, 0)?;
        }
    }
    // What a careless caller left open without close-on-exec does not reach the container (CVE-2024-21626).
    numbers(libc::SYS_close_range, behind, -1, libc::CLOSE_RANGE_CLOEXEC as usize)?;
    for fd in &shared.pass {
        numbers(libc::SYS_fcntl, *fd, libc::F_SETFD, 0)?;
    }
    if shared.keep_capabilities { keep_capabilities() } else { Ok(()) }
}

/// Permitted becomes inheritable and ambient, which an exec by an unmapped user keeps.
fn keep_capabilities() -> SysResult<()> {
    let mut data = [0u32; 6];
    let sets = [CAPABILITY_HEADER.as_ptr() as usize, data.as_mut_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: version 3 has two sets of three words each, which is what `data` holds.
    unsafe { call(libc::SYS_capget, sets) }?;
    (data[2], data[5]) = (data[1], data[4]);
    // SAFETY: as above.
    unsafe { call(libc::SYS_capset, sets) }?;
    let permitted = u64::from(data[1]) | u64::from(data[4]) << 32;
    for capability in (0..=AMBIENT_LAST).filter(|c| permitted & (1 << c) != 0) {
        let (ambient, raise) = (libc::PR_CAP_AMBIENT as usize, libc::PR_CAP_AMBIENT_RAISE as usize);
        // SAFETY: prctl takes numbers.
        unsafe { call(libc::SYS_prctl, [ambient, raise, capability, 0, 0, 0]) }?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::path::{Path, PathBuf};

    fn launch<'a>(program: &'a File, arguments: &'a [&CStr]) -> Launch<'a> {
        Launch {
            program: program.as_fd(),
            arguments,
            environment: &[],
            namespaces: 0,
            cgroup: None,
            sleeper: Sleeper::Thread,
            streams: [None; 3],
            given: &[],
            pass: &[],
            keep_capabilities: false,
        }
    }

    /// A group of cgroup v2 that goes with it.
    struct Frozen(PathBuf);

    impl Frozen {
        fn new() -> Option<Frozen> {
            let places = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
            let root = places.into_iter().find(|place| place.join("cgroup.controllers").exists())?;
            let group = root.join(format!("rr-test-{}-launch", std::process::id()));
            fs::create_dir(&group).ok()?;
            fs::write(group.join("cgroup.freeze"), "1").unwrap();
            Some(Frozen(group))
        }
    }

    impl Drop for Frozen {
        fn drop(&mut self) {
            for _ in 0..100 {
                if fs::remove_dir(&self.0).is_ok() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    #[test]
    fn a_child_that_is_born_frozen_holds_up_no_process_and_can_be_given_up() {
        let Some(frozen) = Frozen::new() else { return eprintln!("skipped: no cgroup v2 to write to") };
        let group = File::open(&frozen.0).unwrap();
        let program = File::open("/bin/sleep").unwrap();
        let born = |seconds| Launch { cgroup: Some(group.as_fd()), ..launch(&program, seconds) };
        let begun = begin(&born(&[c"sleep", c"100"])).unwrap();
        assert!(!begun.has_left(Duration::from_millis(200)), "it runs in a frozen group");
        drop(begun);
        assert_eq!(fs::read_to_string(frozen.0.join("cgroup.procs")).unwrap(), "");

        let begun = begin(&born(&[c"sleep", c"0"])).unwrap();
        fs::write(frozen.0.join("cgroup.freeze"), "0").unwrap();
        let child = begun.finish().unwrap();
        assert_eq!(wait::reap(child.pidfd.as_fd()), Ok(wait::Ended::Exited(0)));
    }

    /// One that came between clone and exec would run the caller's handler, on the caller's memory.
    #[test]
    fn no_signal_comes_to_a_child_that_has_our_memory() {
        let before = fs::read_to_string("/proc/thread-self/status").unwrap();
        let program = File::open("/bin/sleep").unwrap();
        let child = begin(&launch(&program, &[c"sleep", c"100"])).unwrap().finish().unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", child.pid)).unwrap();
        child.end(Duration::from_secs(10));
        // All but SIGKILL and SIGSTOP.
        assert!(status.contains("SigBlk:\tfffffffffffbfeff\n"), "{status}");
        let mask = |text: &str| text.lines().find(|line| line.starts_with("SigBlk")).map(str::to_owned);
        assert_eq!(mask(&before), mask(&fs::read_to_string("/proc/thread-self/status").unwrap()));
    }

    #[test]
    fn what_the_child_cannot_do_is_answered() {
        let program = File::open("/etc/passwd").unwrap();
        let started = |pass| begin(&Launch { pass, ..launch(&program, &[c"x"]) }).unwrap().finish();
        assert!(matches!(started(&[]), Err(LaunchError::Exec(Errno(libc::EACCES)))));
        assert!(matches!(started(&[1 << 20]), Err(LaunchError::Setup(Errno(libc::EBADF)))));
    }
}
