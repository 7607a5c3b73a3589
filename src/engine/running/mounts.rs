//! `mounts add` and `mounts remove`: the mounts of a container that runs, by a file with a list of them as in
//! `mounts` of config.json.
//!
//! The container's config stays as it is: what is added is gone with the container. Which mounts were added is in its
//! record, and those alone are removed: where a path leads is the container's word.

use crate::cgroup::{Cgroup, Driver};
use crate::engine::child::{
    belonging, diagnose,
    init::Init,
    links::{self, KnownMounts},
    message::{self, Followed, Heard, Trouble},
    tenant::{self as joining, Beginning},
};
use crate::engine::{Call, Status};
use crate::error::{Error, Kind, Result};
use crate::names::namespaces::MOUNT;
use crate::plan::live;
use crate::plan::tenant::Tenant;
use crate::plan::{Field, Open};
use crate::spec::destination::absolute;
use crate::spec::{Mount, Spec, load, validate};
use crate::state::{AddedMount, Entry, Record};
use crate::sys::wait::Ended;
use crate::sys::{file, process};
use crate::wire::{MOST_KEPT, MountId, Word};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Some thousand mounts.
const FILE_LIMIT: usize = 1 << 20;

impl Call<'_> {
    pub fn add_mounts(&self, id: &str, file: &Path) -> Result<()> {
        let (entry, record) = self.take(id)?;
        record.must_be_ours()?;
        check_can_change(id, Status::of(&entry, &record), &record)?;
        let mut record = belonging::note_user_namespaces(&entry, record)?;
        let bytes = read(file)?;
        let list: Vec<Mount> = parse(file, &bytes)?;
        let config = entry.config()?;
        let spec = self.spec_again(&config, &entry, &record)?;
        let prepared = self.prepare(&spec, &record)?;
        let facts = self.circumstances(&prepared.facts, record.root_change);
        // Errors use the terms of the file.
        let told = |e: Error| of_file(e, file);
        let checked = validate::more_mounts(&list, &spec, &facts).map_err(told)?;
        checked.warnings.into_iter().for_each(|warning| self.warn(told(warning)));
        covered(&list, &spec, &record).into_iter().for_each(|warning| self.warn(told(warning)));
        let own = Spec { mounts: spec.mounts.clone(), linux: spec.linux.clone(), ..Spec::default() };
        let spec = Spec { mounts: list, ..spec };
        let named = KnownMounts::of(&own, &spec.mounts, u64::from(record.namespaces_joined));
        let driver = Driver::open(record.cgroup.as_ref().filter(|_| live::copies(&spec.mounts)))?;
        let cgroup = driver.cgroup();
        let there = cgroup.map(Cgroup::there);
        let to = joining::destination(&record, there.as_ref());
        let planned = live::add(&spec.mounts, &spec, &record.bundle, to, &prepared.host);
        let work = Work { record: &record, spec: &spec, file, cgroup, named, engine: self };
        let mut added = Vec::new();
        let outcome = planned.and_then(|tenant| work.finish(&tenant, &mut added));
        if outcome.is_err() && !added.is_empty() {
            work.take_back(&mut added);
        }
        let outcome = match added.is_empty() {
            true => outcome,
            false => remember(&entry, &mut record, &spec, &added).and(outcome),
        };
        outcome.map_err(told)
    }

    pub fn remove_mounts(&self, id: &str, file: &Path) -> Result<()> {
        let (entry, record) = self.take(id)?;
        record.must_be_ours()?;
        check_can_change(id, Status::of(&entry, &record), &record)?;
        let mut record = belonging::note_user_namespaces(&entry, record)?;
        let bytes = read(file)?;
        let list: Vec<Mount> = parse(file, &bytes)?;
        let chosen = choose(&list, &record).map_err(|e| of_file(e, file))?;
        let spec = Spec { mounts: list, ..Spec::default() };
        let mut left = chosen.clone();
        let named = KnownMounts::of(&spec, &[], 0);
        let work = Work { record: &record, spec: &spec, file, cgroup: None, named, engine: self };
        let outcome = work.finish(&work.removal(&chosen), &mut left);
        let gone = |mount: &MountId| {
            chosen.iter().any(|c| c.mount == *mount) && !left.iter().any(|l| l.mount == *mount)
        };
        record.mounts.retain(|known| !gone(&mount_id(known)));
        entry.write(&record).and(outcome).map_err(|e| of_file(e, file))
    }
}

/// A mount that is attached, and the entry of the file that it is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attached {
    index: usize,
    mount: MountId,
}

fn mount_id(known: &AddedMount) -> MountId {
    MountId { number: known.number, device: known.device, inode: known.inode }
}

fn remember(entry: &Entry, record: &mut Record, spec: &Spec, added: &[Attached]) -> Result<()> {
    record.mounts.extend(added.iter().filter_map(|&Attached { index, mount }| {
        let destination = absolute(&spec.mounts.get(index)?.destination).into_owned();
        let MountId { number, device, inode } = mount;
        Some(AddedMount { destination, number, device, inode })
    }));
    entry.write(record)
}

/// A warning for each entry that covers another mount: who adds one a second time may not mean it.
fn covered(list: &[Mount], spec: &Spec, record: &Record) -> Vec<Error> {
    let place = |mount: &Mount| absolute(&mount.destination).into_owned();
    let warning = |(index, mount): (usize, &Mount)| {
        let destination = place(mount);
        let is_there = |other: &Mount| place(other) == destination;
        let what = match () {
            () if list[..index].iter().any(is_there) => "an entry before it",
            () if record.mounts.iter().any(|added| added.destination == destination) => {
                "what `mounts add` has mounted here before"
            }
            () if spec.mounts.iter().any(is_there) => "the mount of the container's config",
            () => return None,
        };
        let error = Error::new(format!("covers {what}")).value(&mount.destination);
        Some(
            error
                .field(format!("/{index}/destination"))
                .remedy("`mounts remove` takes away the last one first"),
        )
    };
    list.iter().enumerate().filter_map(warning).collect()
}

/// For each entry of the file the last mount that was added at its destination. In the order in which they can be taken
/// away: a later one may be on an earlier one.
fn choose(list: &[Mount], record: &Record) -> Result<Vec<Attached>> {
    let mut chosen: Vec<(usize, Attached)> = Vec::with_capacity(list.len());
    for (index, entry) in list.iter().enumerate() {
        let path = absolute(&entry.destination);
        let refuse = |reason: &'static str| {
            let error = Error::new(reason).kind(Kind::Config).field(format!("/{index}/destination"));
            error.value(&entry.destination)
        };
        if entry.destination.is_empty() {
            return Err(refuse("is missing or empty"));
        }
        let free = |at: &usize| !chosen.iter().any(|(taken, _)| taken == at);
        let mut known = (0..record.mounts.len()).rev().filter(|&at| record.mounts[at].destination == path);
        let Some(at) = known.find(free) else {
            let remedy = |pid| format!("to take away another one: umount --namespace {pid} {path}");
            return Err(
                refuse("`mounts add` has no mount at this destination").remedy_if(record.pid().map(remedy))
            );
        };
        let place = chosen.partition_point(|(later, _)| *later > at);
        chosen.insert(place, (at, Attached { index, mount: mount_id(&record.mounts[at]) }));
    }
    Ok(chosen.into_iter().map(|(_, attached)| attached).collect())
}

pub(super) fn check_can_change(id: &str, status: Status, record: &Record) -> Result<()> {
    let wrong = |text: &'static str, remedy: &'static str| {
        Err(Error::new(text).kind(Kind::WrongState).value(id).remedy(remedy))
    };
    match status {
        Status::Created | Status::Running => {}
        Status::Paused => return wrong("cannot change the mounts of a paused container", "resume it first"),
        _ => return wrong("cannot change the mounts of a stopped container", "start a new one"),
    }
    if record.namespaces() & MOUNT == 0 {
        let remedy = "create it with {\"type\": \"mount\"} in linux.namespaces";
        return wrong(
            "the container has no mount namespace of its own: its mounts would be the host's",
            remedy,
        );
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    file::read_path(path, FILE_LIMIT).map_err(|e| {
        let error = e.because("read the file with the mounts").kind(Kind::Argument).value(path.display());
        error.remedy(
            "name a JSON file with a list of mounts, as `mounts` of config.json has them; --device is for devices",
        )
    })
}

fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<Vec<Mount<'a>>> {
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        return Err(Error::new("the mounts have to be a JSON array")
            .kind(Kind::Config)
            .value(path.display())
            .remedy("its entries are those of \"mounts\" in config.json, without anything around them"));
    }
    load::parse(&path.to_string_lossy(), bytes)
}

/// An error about an entry of the file.
fn of_file(error: Error, file: &Path) -> Error {
    let error = error.below("/mounts");
    match &error.detail().field {
        Some(pointer) if pointer.starts_with('/') => error.doing(file.display().to_string()),
        _ => error,
    }
}

/// One change, and what it is about.
pub(super) struct Work<'a> {
    pub record: &'a Record,
    /// The file's entries are its mounts.
    pub spec: &'a Spec<'a>,
    pub file: &'a Path,
    /// Where the work is done: in our own cgroup without one, because the container's limits are for its processes.
    pub cgroup: Option<&'a Cgroup>,
    pub named: KnownMounts<'a>,
    pub engine: &'a Call<'a>,
}

impl Work<'_> {
    /// Lets init do it. `attached` is what is mounted afterwards.
    pub fn finish(&self, tenant: &Tenant, attached: &mut Vec<Attached>) -> Result<()> {
        let gone = || Error::new("the container has ended").kind(Kind::WrongState);
        let (pid, first) = joining::first(self.record, gone)?;
        let shows_processes = tenant.opens.iter().any(|open| *open == Open::PidNamespace);
        let pid_namespace = shows_processes.then(|| pid_namespace(pid, first.as_fd())).transpose()?;
        let mut beginning = Beginning::beside((pid, first.as_fd()), self.cgroup);
        beginning.given.open_files = self.engine.open_files;
        beginning.given.pid_namespace = pid_namespace.as_ref().map(AsFd::as_fd);
        let mut init = joining::start(tenant, self.spec, beginning, &self.engine.waits)?;
        if let Err(error) = self.converse(&mut init, tenant, attached) {
            init.end();
            return Err(error);
        }
        match self.engine.waits.finish(init.process())? {
            Ended::Exited(0) => Ok(()),
            _ if self.cgroup.is_some() => Err(Error::new("the process that copies was killed").remedy(
                "the container's cgroup may be out of memory, which what tmpcopyup copies is charged to: limit it with size=",
            )),
            _ if self.file.as_os_str().is_empty() => Err(Error::new("the process that changes the node was killed")
                .remedy("no rule opens the node: remove it in the container if it is there, and try again")),
            _ => Err(Error::new("the process that changes the mounts was killed")
                .remedy("`mounts remove` takes away what it has done")),
        }
    }

    fn converse(&self, init: &mut Init, tenant: &Tenant, attached: &mut Vec<Attached>) -> Result<()> {
        let explain = |trouble: &Trouble| diagnose::explain(&tenant.script, trouble, self.spec);
        let mut refused = None;
        loop {
            match init.hear()? {
                Heard::Mount { step, mount } => {
                    let before = attached.len();
                    attached.retain(|known| known.mount != mount);
                    if let Some(index) = entry_of(tenant, step)
                        && attached.len() == before
                        && before < MOST_KEPT
                    {
                        attached.push(Attached { index, mount });
                    }
                }
                Heard::Link(link) => {
                    let looked = self.look_behind(&link, init, tenant);
                    init.say(if looked.is_ok() { Word::Go } else { Word::Detach })?;
                    refused = looked.err();
                }
                Heard::Failed(trouble) => {
                    return Err(refused.unwrap_or_else(|| explain(&trouble)));
                }
                Heard::Warned(trouble) => self.engine.warn(of_file(explain(&trouble), self.file)),
                Heard::Closed => return Ok(()),
                // No plan of these asks for anything else.
                _ => return Err(message::out_of_turn()),
            }
        }
    }

    fn look_behind(&self, link: &Followed, init: &Init, tenant: &Tenant) -> Result<()> {
        let index = entry_of(tenant, link.step).unwrap_or_default();
        let words = self.spec.mounts.get(index).map_or("/".into(), |mount| absolute(&mount.destination));
        let field = format!("/mounts/{index}/destination");
        let Some(name) = links::look(init, link, &words, &field, &self.named)? else { return Ok(()) };
        Err(Error::new(format!("the link {name} leads onto a mount that is shared with the host"))
            .kind(Kind::Config)
            .field(field)
            .value(words)
            .remedy("name the place itself: then it is meant to show on the host"))
    }

    fn removal(&self, list: &[Attached]) -> Tenant<'static> {
        let added = |&Attached { index, mount }: &Attached| {
            let destination = &*self.spec.mounts.get(index)?.destination;
            Some(live::Added { index, destination, mount })
        };
        let list: Vec<_> = list.iter().filter_map(added).collect();
        live::remove(&list, joining::destination(self.record, None))
    }

    /// The process that has attached these was killed. What cannot be taken away stays in `left`.
    fn take_back(&self, left: &mut Vec<Attached>) {
        let list: Vec<Attached> = left.iter().rev().copied().collect();
        // The failure that led here is the one to report; what stays is remembered.
        let _ = self.finish(&self.removal(&list), left);
    }
}

/// The entry of the file that a step is of.
fn entry_of(tenant: &Tenant, step: u32) -> Option<usize> {
    match tenant.script.step(step as usize)? {
        (_, Field::Mount(index)) => Some(index),
        _ => None,
    }
}

/// The process lives after the look, so the number was its own.
fn pid_namespace(pid: i32, pidfd: BorrowedFd) -> Result<OwnedFd> {
    let namespace = process::open_of(pid, "ns/pid", libc::O_RDONLY)
        .map_err(|e| e.because("open the container's pid namespace"))?;
    process::pidfd_send_signal(pidfd, 0)
        .map_err(|_| Error::new("the container has ended").kind(Kind::WrongState))?;
    Ok(namespace)
}
