//! Id maps of a new user namespace (user_namespaces(7)).
//!
//! A privileged caller writes any map. An ordinary user may map its own id alone, without setgroups; for more
//! it needs the set-uid helpers newuidmap and newgidmap, which check /etc/subuid and /etc/subgid.

use crate::engine::Watch;
use crate::engine::child::{birth, message::Event};
use crate::error::{Context, Error, Result};
use crate::host::Facts;
use crate::plan::script::c;
use crate::plan::{Field, Script, sync};
use crate::spec::IdMapping;
use crate::sys::{file, identity, spawn};
use crate::wire::Step;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Writes both maps of the process `pid`.
pub fn write(pid: i32, uids: &[IdMapping], gids: &[IdMapping], facts: &Facts) -> Result<()> {
    let directory = format!("/proc/{pid}");
    let proc = file::openat2(file::cwd(), &c(&directory), libc::O_PATH | libc::O_DIRECTORY, 0, 0)
        .map_err(|e| e.because(format!("open {directory}")))?;
    let proc = proc.as_fd();
    if facts.privileged {
        write_map(proc, "uid_map", uids).at(|| "/linux/uidMappings".into())?;
        return write_map(proc, "gid_map", gids).at(|| "/linux/gidMappings".into());
    }
    let own = |maps: &[IdMapping], id: u32| matches!(maps, [map] if map.size == 1 && map.host_id == id);
    if own(uids, identity::euid()) {
        write_map(proc, "uid_map", uids).at(|| "/linux/uidMappings".into())?;
    } else {
        helper("newuidmap", pid, uids, "/linux/uidMappings")?;
    }
    if own(gids, identity::egid()) {
        // The kernel's condition for a map by an ordinary user: groups that deny access cannot be dropped.
        file::write_at(proc, c"setgroups", b"deny", 0).map_err(|e| e.because("write setgroups"))?;
        write_map(proc, "gid_map", gids).at(|| "/linux/gidMappings".into())
    } else {
        helper("newgidmap", pid, gids, "/linux/gidMappings")
    }
}

/// A user namespace with these maps and nobody in it, to map the owners of a mount by.
pub fn namespace(uids: &[IdMapping], gids: &[IdMapping]) -> Result<OwnedFd> {
    let mut script = Script::default();
    script.push(Field::None, Step::Sync { point: sync::MAP });
    let watch = Arc::new(Watch::none());
    let start = birth::Start::of(&script, &[-1], &watch);
    let mut holder = birth::start(birth::Start { namespaces: libc::CLONE_NEWUSER as u64, ..start })?;
    let pid = holder.process().pid;
    let made = match holder.hear() {
        Ok(Event::Reached(_)) => map_and_open(pid, uids, gids),
        Ok(_) => Err(Error::new("the process that holds the user namespace has ended")),
        Err(error) => Err(error),
    };
    holder.end();
    made
}

fn map_and_open(pid: i32, uids: &[IdMapping], gids: &[IdMapping]) -> Result<OwnedFd> {
    let directory = format!("/proc/{pid}");
    let proc = file::openat2(file::cwd(), &c(&directory), libc::O_PATH | libc::O_DIRECTORY, 0, 0)
        .map_err(|e| e.because(format!("open {directory}")))?;
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

fn helper(program: &'static str, pid: i32, maps: &[IdMapping], pointer: &str) -> Result<()> {
    let mut command = spawn::program(program);
    command.arg(pid.to_string());
    for map in maps {
        command.args([map.container_id, map.host_id, map.size].map(|n| n.to_string()));
    }
    let output = command.output().map_err(|e| {
        Error::io(format!("run {program}"), &e)
            .field(pointer)
            .remedy("install uidmap, or map only your own id with size 1")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(format!("{program}: {}", said.trim()))
        .field(pointer)
        .remedy("/etc/subuid and /etc/subgid say which ids this user may map"))
}
