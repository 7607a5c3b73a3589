//! Whether a process in a container's pid namespace could trace another one there: CAP_SYS_PTRACE in the bounding set of
//! any thread, from which it can come back with the next exec.
//!
//! Asked only where a profile does not let init give up a right in time (`plan/behind.rs`).

use crate::error::{Error, Kind, Result};
use crate::names::namespaces::PID;
use crate::plan::program::Tracers;
use crate::plan::tenant::lacks;
use crate::seccomp::Filter;
use crate::spec::Process;
use crate::sys::process::number;
use nix::errno::Errno;
use nix::sys::stat::stat;
use std::fs;
use std::path::Path;

const SYS_PTRACE: u64 = 1 << 19;

/// Who could trace a process of this kind before it has given up what the container does not have. Asked of the kernel
/// only where its profile makes a difference.
pub fn of(
    process: &Process,
    filter: Option<&Filter>,
    held: bool,
    namespaces: u64,
    pid: i32,
) -> Result<Tracers> {
    if namespaces & PID == 0 {
        Ok(Tracers::None)
    } else if lacks(process, filter, held).is_none() {
        Ok(Tracers::Possible)
    } else {
        beside(pid)
    }
}

/// Looks at every process that is in the pid namespace of `pid`.
fn beside(pid: i32) -> Result<Tracers> {
    let namespace = |process: &Path| stat(&process.join("ns/pid")).ok().map(|found| found.st_ino);
    let proc = Path::new("/proc");
    let Some(wanted) = namespace(&proc.join(pid.to_string())) else {
        return Err(Error::new("the container has ended").kind(Kind::WrongState));
    };
    let directories = fs::read_dir(proc).map_err(|e| Error::io("read /proc", &e))?;
    let numbered = |name: &std::ffi::OsStr| name.to_str().is_some_and(|n| n.parse::<u32>().is_ok());
    // One that has ended meanwhile has no namespace; one that we may not look at may be inside.
    let may_be_inside = |process: &Path| match stat(&process.join("ns/pid")) {
        Ok(found) => found.st_ino == wanted,
        Err(errno) => matches!(errno, Errno::EACCES | Errno::EPERM),
    };
    let inside = directories
        .flatten()
        .filter(|entry| numbered(&entry.file_name()))
        .filter(|entry| may_be_inside(&entry.path()));
    for process in inside {
        for thread in fs::read_dir(process.path().join("task")).into_iter().flatten().flatten() {
            let Ok(status) = fs::read_to_string(thread.path().join("status")) else { continue };
            if number(&status, "CapBnd", 16).is_none_or(|bounding| bounding & SYS_PTRACE != 0) {
                return Ok(Tracers::Possible);
            }
        }
    }
    Ok(Tracers::None)
}
