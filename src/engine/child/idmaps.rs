//! Id maps of a new user namespace (user_namespaces(7)).
//!
//! A privileged caller writes any map. An ordinary user may map its own id alone, without setgroups; for more
//! it needs the set-uid helpers newuidmap and newgidmap, which check /etc/subuid and /etc/subgid.

use crate::engine::Waits;
use crate::engine::child::{birth, message::Heard};
use crate::error::{Context, Error, Result};
use crate::host::Facts;
use crate::plan::script::c;
use crate::plan::{Field, Script};
use crate::spec::IdMapping;
use crate::sys::wait::Ended;
use crate::sys::{file, identity, memory, process, spawn};
use crate::wire::{Point, Step};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::rc::Rc;

/// The most that is kept of a helper's words.
const SAID: u64 = 4096;

/// Writes both maps of the process `pid`.
pub fn write(pid: i32, uids: &[IdMapping], gids: &[IdMapping], facts: &Facts, waits: &Waits) -> Result<()> {
    let proc = open(pid)?;
    let proc = proc.as_fd();
    let own = |maps: &[IdMapping], id: u32| {
        facts.privileged || matches!(maps, [map] if map.size == 1 && map.host_id == id)
    };
    if own(uids, identity::euid()) {
        write_map(proc, "uid_map", uids)
    } else {
        helper("newuidmap", pid, uids, waits)
    }
    .at(|| "/linux/uidMappings".into())?;
    if own(gids, identity::egid()) {
        if !facts.privileged {
            // The kernel's condition for a map by an ordinary user: groups that deny access cannot be dropped.
            file::write_at(proc, c"setgroups", b"deny", 0).map_err(|e| e.because("write setgroups"))?;
        }
        write_map(proc, "gid_map", gids)
    } else {
        helper("newgidmap", pid, gids, waits)
    }
    .at(|| "/linux/gidMappings".into())
}

fn open(pid: i32) -> Result<OwnedFd> {
    process::open_of(pid, "", libc::O_PATH | libc::O_DIRECTORY)
        .map_err(|e| e.because(format!("open /proc/{pid}")))
}

/// A user namespace with these maps without a process, to map the owners of a mount by.
pub fn namespace(uids: &[IdMapping], gids: &[IdMapping], waits: &Rc<Waits>) -> Result<OwnedFd> {
    let mut script = Script::default();
    script.push(Field::None, Step::Sync { point: Point::Map });
    let start = birth::Start::of(&script, &[-1], waits);
    let mut holder = birth::start(birth::Start { namespaces: libc::CLONE_NEWUSER as u64, ..start })?;
    let pid = holder.process().pid;
    let made = match holder.hear() {
        Ok(Heard::Reached(_)) => map_and_open(pid, uids, gids),
        Ok(_) => Err(Error::new("the process that holds the user namespace has ended")),
        Err(error) => Err(error),
    };
    holder.end();
    made
}

fn map_and_open(pid: i32, uids: &[IdMapping], gids: &[IdMapping]) -> Result<OwnedFd> {
    let proc = open(pid)?;
    write_map(proc.as_fd(), "uid_map", uids)?;
    write_map(proc.as_fd(), "gid_map", gids)?;
    file::openat2(proc.as_fd(), c"ns/user", libc::O_RDONLY, 0, 0)
        .map_err(|e| e.because("open the user namespace"))
}

fn write_map(proc: BorrowedFd, name: &'static str, maps: &[IdMapping]) -> Result<()> {
    let text: String =
        maps.iter().map(|m| format!("{} {} {}\n", m.container_id, m.host_id, m.size)).collect();
    file::write_at(proc, &c(name), text.as_bytes(), 0).map_err(|e| {
        e.because(format!("write {name}"))
            .value(text.trim_end().replace('\n', ", "))
            .remedy("ranges may not overlap, and the host's ids must be the caller's to map")
    })
}

fn helper(program: &'static str, pid: i32, maps: &[IdMapping], waits: &Waits) -> Result<()> {
    let said = memory::scratch(c"words").map_err(|e| e.because("memfd_create"))?;
    let words = said.try_clone().map_err(|e| Error::io("dup", &e))?;
    let mut command = spawn::program(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(words).arg(pid.to_string());
    for map in maps {
        command.args([map.container_id, map.host_id, map.size].map(|n| n.to_string()));
    }
    let helper = spawn::start(&mut command).map_err(|e| {
        Error::io(format!("run {program}"), &e).remedy("install uidmap, or map only your own id with size 1")
    })?;
    match waits.finish(&helper)? {
        Ended::Exited(0) => Ok(()),
        _ => Err(Error::new(format!("{program}: {}", memory::written(said, SAID)))
            .remedy("/etc/subuid and /etc/subgid say which ids this user may map")),
    }
}
