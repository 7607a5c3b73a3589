//! Starting a program in a new process: clone3 with shared memory and vfork semantics, then execveat.
//!
//! The child runs a few system calls on a stack of its own while the caller's thread is suspended, so nothing
//! of a large or threaded process is copied and no lock can be held by anybody who matters. It never
//! allocates, never returns, and answers through a value that both share.

use super::{Errno, SysResult};
use std::ffi::CStr;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

/// A program to start, and what its process is like.
pub struct Launch<'a> {
    /// The program, opened or in memory.
    pub program: BorrowedFd<'a>,
    pub arguments: &'a [&'a CStr],
    /// `CLONE_NEW…`
    pub namespaces: u64,
    /// A cgroup v2 directory to be born in.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// Descriptors that the program gets under their own numbers. Of all others it sees 0, 1 and 2 alone.
    pub pass: &'a [RawFd],
    /// Standard streams of its own.
    pub streams: [Option<BorrowedFd<'a>>; 3],
    /// Keep the capabilities of a new user namespace over the exec, which drops them while no map is written.
    pub keep_capabilities: bool,
}

/// A process that runs the program. It is a child of the calling process and has to be waited for.
#[derive(Debug)]
pub struct Child {
    pub pid: i32,
    pub pidfd: OwnedFd,
}

impl Child {
    /// SIGKILL, and its exit code is fetched. A child that sleeps in the kernel on something that does not answer
    /// is left to whoever inherits it.
    pub fn end(&self, patience: Duration) {
        // It may have ended by itself.
        let _ = super::process::pidfd_send_signal(self.pidfd.as_fd(), libc::SIGKILL);
        let mut watched = [libc::pollfd { fd: self.pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        // SAFETY: the array has one element and is ours for the call.
        if unsafe { libc::poll(watched.as_mut_ptr(), 1, patience.as_millis() as libc::c_int) } == 1 {
            // Another part of this program may have reaped it.
            let _ = super::wait::reap(self.pidfd.as_fd());
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
const AMBIENT_LAST: usize = 63;

/// What the child is told and what it answers; it lives on the caller's stack.
struct Shared<'a> {
    launch: &'a Launch<'a>,
    argv: *const *const libc::c_char,
    failed: Option<LaunchError>,
}

pub fn launch(launch: &Launch) -> Result<Child, LaunchError> {
    let argv: Vec<*const libc::c_char> =
        launch.arguments.iter().map(|a| a.as_ptr()).chain([ptr::null()]).collect();
    let mut shared = Shared { launch, argv: argv.as_ptr(), failed: None };
    let mut stack = Vec::<u128>::with_capacity(STACK / size_of::<u128>());
    let mut pidfd: RawFd = -1;
    let mut flags = (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD) as u64 | launch.namespaces;
    if launch.cgroup.is_some() {
        flags |= CLONE_INTO_CGROUP;
    }
    let args = [
        flags,
        &raw mut pidfd as u64,
        0,
        0,
        libc::SIGCHLD as u64,
        stack.as_mut_ptr() as u64,
        STACK as u64,
        0,
        0,
        0,
        launch.cgroup.map_or(0, |c| c.as_raw_fd() as u64),
    ];
    // SAFETY: the stack is ours and unused, `child` never returns, and this thread sleeps (CLONE_VFORK) until
    // the child has left our memory, so what it borrows stays alive.
    let returned = unsafe { clone3_on_stack(&args, child, (&raw mut shared).cast()) };
    if returned < 0 {
        return Err(LaunchError::Clone(Errno(-returned as i32)));
    }
    // SAFETY: the kernel has just returned this descriptor to us alone.
    let child = Child { pid: returned as i32, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } };
    match shared.failed.take() {
        None => Ok(child),
        Some(error) => {
            // It has ended itself; only its exit code is left to fetch.
            let _ = super::wait::reap(child.pidfd.as_fd());
            Err(error)
        }
    }
}

/// The child, between clone and exec.
extern "C" fn child(argument: *mut libc::c_void) -> ! {
    // SAFETY: `launch` passes its `Shared`, and sleeps while we use it.
    let shared = unsafe { &mut *argument.cast::<Shared>() };
    let error = match prepare(shared.launch) {
        Err(errno) => LaunchError::Setup(errno),
        Ok(()) => {
            let environment: [*const libc::c_char; 1] = [ptr::null()];
            // SAFETY: argv and the environment end with null pointers and hold NUL-terminated strings.
            unsafe {
                libc::syscall(
                    libc::SYS_execveat,
                    shared.launch.program.as_raw_fd(),
                    c"".as_ptr(),
                    shared.argv,
                    environment.as_ptr(),
                    libc::AT_EMPTY_PATH,
                );
            }
            LaunchError::Exec(super::last_errno())
        }
    };
    shared.failed = Some(error);
    loop {
        // SAFETY: ends this process without touching anything that we share with the parent.
        unsafe { libc::syscall(libc::SYS_exit_group, 127) };
    }
}

fn prepare(launch: &Launch) -> SysResult<()> {
    for (number, stream) in launch.streams.iter().enumerate() {
        if let Some(stream) = stream {
            // SAFETY: dup2 takes numbers; the table of descriptors is the child's own copy.
            super::check(unsafe { libc::dup2(stream.as_raw_fd(), number as i32) }.into())?;
        }
    }
    // What a careless caller left open without close-on-exec does not reach the container (CVE-2024-21626).
    // SAFETY: close_range takes numbers and here only sets a flag in the child's own table.
    super::check(unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) })?;
    for fd in launch.pass {
        // SAFETY: F_SETFD takes numbers; the table of descriptors is the child's own copy.
        super::check(unsafe { libc::fcntl(*fd, libc::F_SETFD, 0) }.into())?;
    }
    if launch.keep_capabilities { keep_capabilities() } else { Ok(()) }
}

/// Permitted becomes inheritable and ambient, which an exec by an unmapped user keeps.
fn keep_capabilities() -> SysResult<()> {
    let header: [u32; 2] = [0x2008_0522 /* _LINUX_CAPABILITY_VERSION_3 */, 0];
    let mut data = [0u32; 6];
    // SAFETY: version 3 has two sets of three words each, which is what `data` holds.
    super::check(unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()) })?;
    data[2] = data[1];
    data[5] = data[4];
    // SAFETY: as above.
    super::check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) })?;
    let permitted = u64::from(data[1]) | u64::from(data[4]) << 32;
    for capability in (0..=AMBIENT_LAST).filter(|c| permitted & (1 << c) != 0) {
        // SAFETY: prctl takes numbers.
        let raised =
            unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, capability, 0, 0) };
        super::check(raised.into())?;
    }
    Ok(())
}

/// clone3(2) whose child calls `function(argument)` on the stack that `args` names.
///
/// # Safety
/// `args` must describe a stack that nobody else uses, `function` must not return, and `argument` must stay
/// valid until the child has exec'd or ended.
#[cfg(target_arch = "x86_64")]
unsafe fn clone3_on_stack(
    args: &[u64; 11],
    function: extern "C" fn(*mut libc::c_void) -> !,
    argument: *mut libc::c_void,
) -> isize {
    let returned: isize;
    // SAFETY: as promised by the caller; the parent goes on behind the label with the registers as declared.
    unsafe {
        std::arch::asm!(
            "syscall", "test eax, eax", "jnz 2f",
            "xor ebp, ebp", "mov rdi, r12", "call r13", "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 as isize => returned,
            in("rdi") args.as_ptr(), in("rsi") size_of::<[u64; 11]>(),
            in("r12") argument, in("r13") function,
            out("rcx") _, out("r11") _,
        );
    }
    returned
}

/// clone3(2) whose child calls `function(argument)` on the stack that `args` names.
///
/// # Safety
/// `args` must describe a stack that nobody else uses, `function` must not return, and `argument` must stay
/// valid until the child has exec'd or ended.
#[cfg(target_arch = "aarch64")]
unsafe fn clone3_on_stack(
    args: &[u64; 11],
    function: extern "C" fn(*mut libc::c_void) -> !,
    argument: *mut libc::c_void,
) -> isize {
    let returned: isize;
    // SAFETY: as promised by the caller; the parent goes on behind the label with the registers as declared.
    unsafe {
        std::arch::asm!(
            "svc #0", "cbnz x0, 2f",
            "mov x29, #0", "mov x0, x20", "blr x21", "brk #1",
            "2:",
            in("x8") libc::SYS_clone3, inlateout("x0") args.as_ptr() => returned,
            in("x1") size_of::<[u64; 11]>(), in("x20") argument, in("x21") function,
        );
    }
    returned
}
