//! `mounts add` and `mounts remove`: the mounts of a container that runs, by a file with a list of them as in
//! `mounts` of config.json.
//!
//! The container's own record and config stay as they are: what is added is gone with the container.

use super::init::{self, Init};
use super::inspect::status;
use super::open::{self, Given};
use super::tenant as joining;
use super::{Engine, Status, Watch};
use crate::cgroup::{Cgroup, Location};
use crate::error::{Error, Kind, Result};
use crate::plan::Open;
use crate::plan::live;
use crate::plan::namespaces::MOUNT;
use crate::plan::tenant::{Destination, Tenant};
use crate::spec::destination::absolute;
use crate::spec::{Mount, Spec, load, validate};
use crate::state::{Entry, Record};
use crate::sys::file::{self, cwd};
use crate::sys::wait::{self, Ended};
use crate::sys::{process, socket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

/// Some thousand mounts.
const FILE_LIMIT: usize = 1 << 20;

/// Seconds for all mounts of a file; copying into a tmpfs may take a while.
const PATIENCE: i64 = 120;

impl Engine {
    /// All mounts of the file, or none: what was mounted before one fails is taken away again.
    pub fn add_mounts(&self, id: &str, file: &Path) -> Result<()> {
        let (entry, record) = self.hold(id)?;
        check_status(id, &entry, &record)?;
        let bytes = read(file)?;
        let list: Vec<Mount> = parse(file, &bytes)?;
        let config = entry.config()?;
        let spec: Spec = load::parse("config.json", &config)?;
        let prepared = self.prepare(&spec, id)?;
        let facts = self.facts_for_rules(&prepared.facts, record.no_pivot);
        for warning in &validate::more_mounts(&list, &spec, &facts)?.warnings {
            (self.warn)(warning);
        }
        // What fails is told in terms of the file.
        let spec = Spec { mounts: list, ..spec };
        let cgroup = record.cgroup.as_ref().filter(|_| live::copies(&spec.mounts));
        let to = Destination { cgroup, ..destination(&record) };
        let planned = live::add(&spec.mounts, &spec, &record.bundle, to, &prepared.host);
        let outcome = planned.and_then(|tenant| finish(&tenant, to.cgroup, &record, &spec, &self.watch));
        outcome.map_err(|e| e.below("/mounts"))
    }

    /// The mounts at the destinations of the file's entries, if all of them are there.
    pub fn remove_mounts(&self, id: &str, file: &Path) -> Result<()> {
        let (entry, record) = self.hold(id)?;
        check_status(id, &entry, &record)?;
        let bytes = read(file)?;
        let list: Vec<Mount> = parse(file, &bytes)?;
        let config = entry.config()?;
        let spec: Spec = load::parse("config.json", &config)?;
        check_removable(&list, &spec)?;
        let spec = Spec { mounts: list, ..spec };
        let tenant = live::remove(&spec.mounts, destination(&record));
        finish(&tenant, None, &record, &spec, &self.watch).map_err(|e| e.below("/mounts"))
    }
}

fn check_status(id: &str, entry: &Entry, record: &Record) -> Result<()> {
    let wrong = |text: &'static str, remedy: &'static str| {
        Err(Error::new(text).kind(Kind::WrongState).value(id).remedy(remedy))
    };
    match status(entry, record) {
        Status::Created | Status::Running => {}
        Status::Paused => return wrong("cannot change the mounts of a paused container", "resume it first"),
        _ => return wrong("cannot change the mounts of a stopped container", "start a new one"),
    }
    if record.namespaces() & MOUNT == 0 {
        return wrong("the container has no mount namespace of its own", "its mounts would be the host's");
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    file::read_at(cwd(), &crate::plan::script::c(&path.to_string_lossy()), FILE_LIMIT, 0)
        .map_err(|e| e.because("read the file with the mounts").kind(Kind::Argument).value(path.display()))
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

/// What hides or protects something by the config's word stays.
fn check_removable(list: &[Mount], spec: &Spec) -> Result<()> {
    let linux = spec.linux.as_ref();
    let hidden = linux.map_or(&[][..], |linux| &linux.masked_paths);
    let protected = linux.map_or(&[][..], |linux| &linux.readonly_paths);
    for (i, mount) in list.iter().enumerate() {
        let refuse = |reason: &'static str| {
            let error = Error::new(reason).kind(Kind::Config).field(format!("/{i}/destination"));
            Err(error.value(&mount.destination))
        };
        let path = absolute(&mount.destination);
        if mount.destination.is_empty() {
            return refuse("is missing or empty");
        }
        if path == "/" {
            return refuse("the container's root cannot be removed");
        }
        if hidden.iter().chain(protected).any(|known| absolute(known) == path) {
            return refuse("linux.maskedPaths and linux.readonlyPaths of the container's config cover this");
        }
    }
    Ok(())
}

fn destination(record: &Record) -> Destination<'_> {
    Destination {
        id: &record.id,
        namespaces: record.namespaces(),
        cgroup: None,
        in_resctrl: false,
        keyring: None,
    }
}

/// Lets init do it: in our own cgroup, because the container's limits are for its processes; in the container's where
/// `cgroup` says so.
fn finish(
    tenant: &Tenant,
    cgroup: Option<&Location>,
    record: &Record,
    spec: &Spec,
    watch: &Rc<Watch>,
) -> Result<()> {
    let gone = || Error::new("the container has ended meanwhile").kind(Kind::WrongState);
    let process = record.process().ok_or_else(gone)?;
    let first = joining::first(record, gone)?;
    let shows_processes = tenant.opens.iter().any(|open| *open == Open::PidNamespace);
    let pid_namespace = shows_processes.then(|| pid_namespace(process.pid, first.as_fd())).transpose()?;
    let cgroup = cgroup.map(Cgroup::open).transpose()?.flatten();
    let given = Given {
        cgroup: cgroup.as_ref(),
        pidfd: Some(first.as_fd()),
        pid_namespace: pid_namespace.as_ref().map(AsFd::as_fd),
        ..Given::default()
    };
    let mut init = start(tenant, given, process.pid, spec, watch)?;
    // A file system that a process of the container serves may never answer.
    socket::be_patient(init.control(), PATIENCE).map_err(|e| e.because("setsockopt"))?;
    let outcome = joining::converse(&mut init, tenant, spec, None, |_| Ok(()));
    if let Err(error) = &outcome
        && error.detail().errno == Some(libc::EAGAIN)
    {
        init.process().end();
        return Err(Error::new(format!("the mounts were not done after {PATIENCE} s")).remedy(
            "does something in the container serve a file system on the way? a part may be mounted",
        ));
    }
    let ended = wait::reap(init.process().pidfd.as_fd()).map_err(|e| e.because("wait for init"))?;
    match (outcome, ended) {
        (Err(error), _) => Err(error),
        (Ok(()), Ended::Exited(0)) => Ok(()),
        (Ok(()), _) if cgroup.is_some() => Err(Error::new("the process that copies was killed").remedy(
            "is there memory left in the container's cgroup? what tmpcopyup copies is the container's: set its size=",
        )),
        (Ok(()), _) => Err(Error::new("the process that changes the mounts was killed")
            .remedy("look at the container's mounts: it may have done a part")),
    }
}

/// The process lives after the look, so the number was its own.
fn pid_namespace(pid: i32, pidfd: BorrowedFd) -> Result<OwnedFd> {
    let path = crate::plan::script::c(&format!("/proc/{pid}/ns/pid"));
    let namespace = file::openat2(cwd(), &path, libc::O_RDONLY, 0, 0)
        .map_err(|e| e.because("open the container's pid namespace"))?;
    process::pidfd_send_signal(pidfd, 0)
        .map_err(|_| Error::new("the container has ended meanwhile").kind(Kind::WrongState))?;
    Ok(namespace)
}

/// Born in the v2 cgroup that is given, or where it hands controllers down in that of the container's first process.
fn start(tenant: &Tenant, given: Given, first: i32, spec: &Spec, watch: &Rc<Watch>) -> Result<Init> {
    let opened = open::open(&tenant.opens, given, spec)?;
    let launch = |cgroup: Option<BorrowedFd>| {
        init::start(init::Start { cgroup, ..init::Start::of(&tenant.script, &opened.numbers, watch) })
    };
    match (launch(given.cgroup.and_then(Cgroup::birth)), given.cgroup) {
        (Err(error), Some(cgroup)) if error.detail().errno == Some(libc::EBUSY) => {
            launch(Some(cgroup.beside(first)?.as_fd()))
        }
        (started, _) => started,
    }
}
