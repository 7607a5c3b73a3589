//! The user namespaces that a container's namespaces belong to, by their inode numbers: found when it is made, kept in its
//! record, and compared by every process that joins it ([`crate::plan`], belonging).

use crate::engine::Call;
use crate::engine::child::open::Opened;
use crate::error::{Error, Kind, Result};
use crate::names;
use crate::names::namespaces::USER;
use crate::plan::{Open, Opens};
use crate::state::{Entry, Record};
use crate::sys::process::open_of;
use crate::sys::{Errno, SysResult, namespace};
use nix::sys::stat::{fstat, stat};
use std::os::fd::{AsFd, BorrowedFd};

/// Before the container's process exists: those of the namespaces that it joins, and our own where it does not get another.
pub fn known_before(new: u64, opens: &Opens, opened: &Opened) -> Result<Vec<u64>> {
    let failed = |e: Errno| e.because("find the owner of a namespace");
    let mut own = (new & USER == 0).then(|| number_of("self")).transpose().map_err(failed)?;
    let mut others = Vec::new();
    for (open, number) in opens.iter().zip(&opened.numbers) {
        let Open::Namespace { flag, .. } = open else { continue };
        let namespace = opened.borrow(*number);
        match *flag {
            USER => own = Some(fstat(namespace).map_err(|e| failed(e.into()))?.st_ino),
            _ => others.extend(owner(namespace).map_err(failed)?),
        }
    }
    Ok(own.into_iter().chain(others).collect())
}

/// That of process `pid`, which waits for its id maps: it is the container's own.
pub fn of_new(pid: i32) -> Result<u64> {
    number_of(&pid.to_string()).map_err(|e| e.because("find the container's user namespace"))
}

impl Call<'_> {
    /// The record with the user namespaces in it. 0.1.0 noted none: the first command that needs them does, if the
    /// container is in the caller's, or in one that was made there for it.
    pub(in crate::engine) fn with_user_namespaces(&self, record: Record) -> Result<Record> {
        if !record.user_namespaces.is_empty() || record.namespaces() == 0 {
            return Ok(record);
        }
        let entry = self.lock(&record.id)?;
        note_user_namespaces(&entry, entry.record()?)
    }
}

/// The same under the container's lock.
pub fn note_user_namespaces(entry: &Entry, mut record: Record) -> Result<Record> {
    if record.user_namespaces.is_empty() && record.namespaces() != 0 {
        record.user_namespaces = found_now(&record)?;
        entry.write(&record)?;
    }
    Ok(record)
}

fn found_now(record: &Record) -> Result<Vec<u64>> {
    let failed = |e: Errno| e.because("find the container's user namespace");
    let gone = || Error::new("the container has ended").kind(Kind::WrongState);
    let process = record.process.ok_or_else(gone)?;
    let _held = process.open().map_err(|_| gone())?;
    let open = |name: &str| open_of(process.pid, &format!("ns/{name}"), libc::O_RDONLY);
    let user = open("user").map_err(failed)?;
    let inode = |namespace: BorrowedFd| -> SysResult<u64> { Ok(fstat(namespace)?.st_ino) };
    let (found, ours) = (inode(user.as_fd()).map_err(failed)?, number_of("self").map_err(failed)?);
    let is_child = || -> SysResult<bool> { Ok(inode(namespace::parent(user.as_fd())?.as_fd())? == ours) };
    if found != ours && !(record.namespaces() & USER != 0 && is_child().unwrap_or(false)) {
        return Err(Error::new(
            "the container's first process is in a user namespace that was not made for the container by this caller",
        )
        .kind(Kind::WrongState)
        .remedy("an older rruntime has made the container: create it again"));
    }
    let joined = u64::from(record.namespaces_joined) & !USER;
    let mut numbers = vec![found];
    for namespace in names::NAMESPACES.iter().filter(|namespace| joined & namespace.flag != 0) {
        numbers.extend(owner(open(namespace.proc_name).map_err(failed)?.as_fd()).map_err(failed)?);
    }
    Ok(numbers)
}

/// `None` if that is neither our own nor below it: no process of the container can make another that looks so.
fn owner(of: BorrowedFd) -> SysResult<Option<u64>> {
    match namespace::owner(of) {
        Ok(owner) => Ok(Some(fstat(&owner)?.st_ino)),
        Err(Errno(libc::EPERM)) => Ok(None),
        Err(e) => Err(e),
    }
}

fn number_of(process: &str) -> SysResult<u64> {
    Ok(stat(&*format!("/proc/{process}/ns/user"))?.st_ino)
}
