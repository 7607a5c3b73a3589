//! Starting a keeper, which starts the shim proper: this program, by a descriptor of its file.

use crate::engine::child::image;
use crate::error::{Error, Result};
use crate::shim::execute::Program;
use crate::shim::journal::Journal;
use crate::sys::launch::{Child, LaunchError};
use crate::sys::{c, file, memory};
use prost::Message;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

static KEEPER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rruntime-keeper"));

/// A journal that says this and nothing else.
pub fn journal(first: &impl Message) -> Result<OwnedFd> {
    let file = memory::scratch(c"rruntime-journal").map_err(|e| e.because("memfd_create for the journal"))?;
    let copy = file.try_clone().map_err(|e| Error::io("duplicate the journal", &e))?;
    Journal::open(copy, |()| ())?.append(first)?;
    Ok(file)
}

/// Changes the working directory: a keeper stays where it is started, and holds that file system.
#[expect(
    clippy::disallowed_methods,
    reason = "this process is one command, whose engine goes by absolute paths"
)]
pub fn enter(directory: &Path) -> Result<()> {
    std::env::set_current_dir(directory)
        .map_err(|e| Error::io(format!("change to {}", directory.display()), &e))
}

/// The arguments are those of the shim proper; both processes have our environment, `log` as standard error, and nothing
/// else of ours. `extra` is what the keeper holds besides, under names from `wire::keeper::EXTRA` on.
pub fn start(
    arguments: &[&str],
    journal: BorrowedFd,
    listener: BorrowedFd,
    extra: &[BorrowedFd],
    log: BorrowedFd,
) -> Result<Child> {
    let text = |text: &str| c(text).map_err(|_| Error::argument("argument", text, "it has a NUL in it"));
    let arguments: Vec<CString> = arguments.iter().map(|argument| text(argument)).collect::<Result<_>>()?;
    let open = |path: &CStr, flags| {
        file::openat2(file::cwd(), path, flags, 0, 0)
            .map_err(|e| e.because(format!("open {}", path.to_string_lossy())))
    };
    let own = open(c"/proc/self/exe", libc::O_RDONLY)?;
    let null = open(c"/dev/null", libc::O_RDWR)?;
    let keeper = image::sealed(c"rruntime-keeper", KEEPER).map_err(|e| {
        e.because("make the memory file for the keeper")
            .remedy("free memory, or mount /dev/shm or /tmp without noexec")
    })?;
    // As `wire::keeper::GIVEN` has it.
    let given = [&[own.as_fd(), journal, listener], extra].concat();
    let program = Program {
        file: keeper.as_fd(),
        arguments: &arguments,
        variables: &[],
        streams: [Some(null.as_fd()), Some(null.as_fd()), Some(log)],
        given: &given,
        pass: &[],
    };
    program.start().map_err(|error| match error {
        LaunchError::Clone(errno) => errno.because("clone3 for the keeper"),
        LaunchError::Setup(errno) => errno.because("set up the keeper"),
        LaunchError::Exec(errno) => {
            errno.because("execute the keeper").remedy("vm.memfd_noexec may forbid it")
        }
    })
}

/// Whether this process was started by a keeper.
pub fn is_of_keeper() -> bool {
    file::inherited(crate::wire::keeper::CHANNEL).is_some()
}

/// Whether this file is the one that runs, under whatever name.
pub fn is_this_program(path: impl AsRef<Path>) -> bool {
    let found = nix::sys::stat::stat(path.as_ref());
    let own = nix::sys::stat::stat("/proc/self/exe");
    matches!((found, own), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}
