//! The sealed init: the part of rruntime that runs inside the container until the user's program takes over.
//!
//! rruntime starts it from a sealed memory file, so that nothing in the container can ever reach the runtime's
//! binary (the class of CVE-2019-5736), and hands it a plan: a flat list of steps. It does them in order. It never
//! sees the config, allocates nothing and decides no policy; of the host it opens what the list names,
//! and /proc. A step that fails is reported by its number; rruntime knows which field it came from.
//!
//! ```text
//!  rruntime                               init
//!     │ clone3 + execveat(memfd) ──────────▶│ maps the plan
//!     │◀──────────────────── Reached(point) │ a Sync step: id maps, cgroup, hooks are rruntime's part
//!     │ Go ────────────────────────────────▶│
//!     │◀────────────────────────────  Ready │ everything is done but start, the filter is loaded
//!     │ Go  (run)  or  Detach  (create) ───▶│ … Detach: waits for Go at the pipes of the state directory
//!     │◀───────────── Failed, or the ends  │ close at exec: the user's program runs
//! ```
#![no_std]
#![no_main]
#![deny(unsafe_code)]

#[allow(
    unsafe_code,
    dead_code,
    reason = "start-up and the system call instruction; the keeper uses more of it"
)]
mod arch;
mod control;
mod copy;
mod decimal;
mod holder;
mod home;
mod identity;
mod keyring;
mod landlock;
mod live;
mod mount;
mod node;
mod path;
mod program;
mod search;
mod step;
#[allow(unsafe_code, dead_code, unused_imports, reason = "the system calls; some are the keeper's")]
mod sys;
mod variable;
#[allow(dead_code, unused_imports, reason = "the encoding half is rruntime's")]
mod wire;

use crate::control::NO_SENSE;
use crate::sys::{Fd, Times};
use crate::variable::Variable;
use crate::wire::{Handle, Header, Reader, Step, Wire};
use core::cell::Cell;
use core::ffi::CStr;

/// What init holds while it works. Descriptors are absent until the step that opens them.
pub struct Init<'a> {
    /// The step that is being done.
    number: u32,
    header: Header<'a>,
    /// Where the moments of steps are noted, where rruntime wants them.
    times: Option<Times>,
    /// Where messages to rruntime go, and where its words come from.
    control: Fd,
    word: Fd,
    /// The two ends at which start is awaited: the word's and the answer's.
    start: Option<(Fd, Fd)>,
    /// The root filesystem's mount.
    root: Option<Fd>,
    host_proc: Option<Fd>,
    /// A procfs that cannot be mounted over.
    proc: Option<Fd>,
    /// The mounts that were made on /proc and on /sys.
    kernel_mounts: [Option<Fd>; 2],
    /// What may have to be taken away again.
    kept: live::AttachedMounts,
    /// /dev, while one node or link after the other is made in it.
    dev: Cell<Option<Fd>>,
    /// The container's /dev/null, verified.
    null: Option<Fd>,
    /// The read-only tmpfs that hides directories; attached at the first of them.
    empty: Option<Fd>,
    /// Landlock rules in the making.
    ruleset: Option<Fd>,
    /// The console's slave.
    console: Option<Fd>,
    /// It is the terminal of this process's own session.
    holds_terminal: bool,
    /// What `Resolve` found; or where the exec has to look by itself.
    program: Option<&'a CStr>,
    candidates: wire::Strings<'a>,
    /// `HOME=…` for the program.
    home: Option<Variable>,
    /// `LISTEN_PID=…` for the program.
    listen_pid: Option<Variable>,
    /// The cgroup v2 directory that the next process is born in, or this one was, where that is not the scope's own.
    birthplace: Option<Fd>,
    /// The number of a spawned process in its own pid namespace.
    born: i32,
    arranged: Option<program::Arranged<'a>>,
    /// The working directory is the program's: the next `Chdir` has nothing left to do.
    entered: bool,
    /// Whose rights this process has for a moment.
    searcher: Option<wire::Searcher<'a>>,
    /// The words that go with a failure: the file system's own, or the first bytes of a program.
    note: [u8; wire::PAYLOAD],
    noted: usize,
    /// How much of `note` is the beginning of the program.
    head: usize,
}

/// The beginning (`arch`). rruntime gives three arguments, the last of which is the number of the descriptor of the plan's
/// file.
fn begin(arguments: arch::Arguments) -> ! {
    let Some(plan) = arguments.get(2) else { sys::exit(125) };
    let plan = plan.to_bytes().iter().fold(0i32, |n, digit| n * 10 + i32::from(digit.wrapping_sub(b'0')));
    let code = match sys::map_sealed(Fd(plan)) {
        Ok(bytes) => run(bytes),
        Err(_) => 125,
    };
    sys::exit(code)
}

/// Does the plan; returns only to end this process.
fn run(bytes: &'static [u8]) -> i32 {
    let mut reader = Reader::new(bytes);
    let Some(header) = Header::take(&mut reader) else { return 125 };
    let Some(control) = header.descriptor(Handle::CONTROL).map(Fd) else { return 125 };
    let mut init = Init {
        number: 0,
        times: take_times(&header),
        header,
        control,
        word: control,
        start: None,
        root: None,
        host_proc: None,
        proc: None,
        kernel_mounts: [None; 2],
        kept: live::AttachedMounts::NOTHING,
        dev: Cell::new(None),
        null: None,
        empty: None,
        ruleset: None,
        console: None,
        holds_terminal: false,
        program: None,
        candidates: wire::Strings::EMPTY,
        arranged: None,
        home: None,
        listen_pid: None,
        birthplace: None,
        born: 0,
        entered: false,
        searcher: None,
        note: [0; wire::PAYLOAD],
        noted: 0,
        head: 0,
    };
    // The name that operators see while the container waits; a refusal changes nothing.
    let _ = sys::set_name(c"rruntime:init");
    for number in 0..header.steps {
        init.stamp(number);
        init.number = number;
        let outcome = match Step::take(&mut reader) {
            Some(step) => init.step(step),
            None => Err(NO_SENSE),
        };
        if let Err(fail) = outcome {
            init.take_back();
            init.report(number, fail);
            return 1;
        }
    }
    init.stamp(header.steps);
    // Every plan ends with an exec, or says that it is finished.
    init.report(header.steps, NO_SENSE);
    1
}

/// The file is not needed once it is mapped. Without the memory there are no times, and nothing else is missing.
fn take_times(header: &Header) -> Option<Times> {
    let file = (header.times >= 0).then_some(Fd(header.times))?;
    let times = Times::of(file, header.steps as usize + 1);
    sys::close(file);
    times.ok()
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    sys::exit(125)
}
