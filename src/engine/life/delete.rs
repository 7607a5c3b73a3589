//! `delete`: everything that the record says was made is taken away again, the record last.
//!
//! The order is that of `plan::deeds::delete`. A delete that is killed on the way leaves the
//! record, so that the next one goes on. With force it also clears what a killed `create` left: then parts of
//! what the record names may never have existed, and absence is no error.

use crate::cgroup::{Cgroup, Driver};
use crate::engine::carry::carry_out;
use crate::engine::child::init::Init;
use crate::engine::life::{hooks::Occasion, kill::shares_pids, netdevices::Moved};
use crate::engine::{Call, Force, Planned, Status};
use crate::error::{Error, Kind, Result};
use crate::plan::deeds::{self, Deed, There};
use crate::spec::Spec;
use crate::state::{Entry, Record};
use crate::sys::{Errno, process};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

impl Call<'_> {
    pub fn delete(&self, id: &str, force: Force) -> Result<()> {
        match self.delete_known(id, force) {
            Err(e) if force == Force::Kill && e.detail().kind == Kind::NoSuchContainer => Ok(()),
            other => other,
        }
    }

    fn delete_known(&self, id: &str, force: Force) -> Result<()> {
        if force == Force::Kill {
            let entry = self.store.peek(id)?;
            if let Ok(record) = entry.record() {
                Leavings::of(self, entry, &record).take_back("delete --force", &deeds::FORCE)?;
            }
        }
        let entry = self.watch.span("lock", || self.lock(id))?;
        let record = match (entry.record(), force) {
            (Ok(record), _) => record,
            // The program that wrote it knows what there is to end.
            (Err(e), Force::Kill) if e.detail().kind == Kind::Unsupported => return Err(e.value(id)),
            (Err(e), Force::Kill) => {
                let record = self.store.without_record(id);
                let left = match (record.process, &record.cgroup) {
                    (None, None) => "only its state directory is removed",
                    _ => "what is known of it without a record is ended and removed",
                };
                self.warn(Error::new(format!("container {id}: {e}: {left}")));
                self.destroy(entry, &record)?;
                self.store.release_all(id);
                return Ok(());
            }
            (Err(e), Force::OnlyStopped) => return Err(e.value(id)),
        };
        match (Status::of(&entry, &record), force) {
            // A created container has run no program of the user's yet.
            (Status::Stopped | Status::Created, _) | (_, Force::Kill) => self.destroy(entry, &record),
            (other, Force::OnlyStopped) => {
                Err(Error::new(format!("cannot delete container {id} that is not stopped: {other}"))
                    .kind(Kind::WrongState)
                    .remedy("end it with kill, or delete it with --force"))
            }
        }
    }

    /// Ends and removes all that there is of the container. The caller holds the lock of `entry`.
    pub(in crate::engine) fn destroy(&self, entry: Entry, record: &Record) -> Result<()> {
        Leavings::of(self, entry, record).take_back("delete", &deeds::delete(there(record)))
    }

    /// Every hook runs, whatever became of the ones before it (config.md, Poststop). Only the record is left of the
    /// container, so a failure here is not an error of the command. That a hook has run is noted: a delete that
    /// comes after one that was killed goes on behind it.
    fn poststop(&self, entry: &Entry, config: &[u8], record: &Record) {
        let warn = |e: Error| self.warn(e.doing("poststop hook"));
        let spec = match self.spec_again(config, entry, record) {
            Ok(spec) => spec,
            Err(e) => return warn(e),
        };
        let record = &Record { amendments: spec.amendments.clone(), ..record.clone() };
        let occasion = Occasion::new("poststop", record, Status::Stopped, &self.waits);
        let hooks = spec.hooks.as_ref().map_or(&[][..], |hooks| &hooks.poststop);
        let mut noted = record.clone();
        for outcome in occasion.each_from(record.poststop, hooks) {
            outcome.unwrap_or_else(warn);
            noted.poststop += 1;
            entry.write(&noted).unwrap_or_else(warn);
        }
    }

    /// Kills what runs and waits until the first process has ended.
    fn end_processes(&self, record: &Record) -> Result<()> {
        if record.cgroup_may_be_of_others() {
            return Ok(());
        }
        let first = match record.process.map(|first| first.open().map(|pidfd| (first.pid, pidfd))) {
            Some(Ok(first)) => Some(first),
            None | Some(Err(Errno(libc::ESRCH | libc::ENOENT | libc::EINVAL))) => None,
            Some(Err(e)) => return Err(e.because("open the container's first process")),
        };
        // With the first process of its pid namespace the kernel has ended all others.
        if first.is_some() || record.process.is_none() || shares_pids(record) {
            let driver = Driver::open(record.cgroup.as_ref())?;
            match first.as_ref().map(|(_, pidfd)| process::pidfd_send_signal(pidfd.as_fd(), libc::SIGKILL)) {
                None | Some(Ok(()) | Err(Errno(libc::ESRCH))) => {}
                // An AppArmor profile may take no signal from outside; cgroup.kill asks no profile.
                Some(Err(Errno(libc::EPERM | libc::EACCES))) if driver.cgroup().is_some() => {}
                Some(Err(e)) => return Err(e.because("kill the container's first process")),
            }
            self.patiently(record.cgroup.as_ref(), |rest| driver.kill(libc::SIGKILL, rest))?;
        }
        match &first {
            Some((pid, pidfd)) if !self.waits.end_of(pidfd.as_fd(), *pid)? => {
                Err(Error::new("container init still running")
                    .doing("cannot end the container")
                    .remedy("it sleeps in the kernel, often on a file system that does not answer"))
            }
            _ => Ok(()),
        }
    }

    /// Kills what others have put into the container's group. Not in a group that may not be the container's.
    fn end_strangers(&self, record: &Record) -> Result<()> {
        let Some(location) = record.cgroup.as_ref().filter(|location| location.is_known_by_inode()) else {
            return Ok(());
        };
        let driver = Driver::open(Some(location))?;
        match driver.cgroup().map(Cgroup::pids).transpose()? {
            Some(pids) if !pids.is_empty() => {
                self.patiently(Some(location), |rest| driver.kill(libc::SIGKILL, rest))
            }
            _ => Ok(()),
        }
    }
}

/// How long the init of a creation that was cut short may take to notice that; what is in the cgroup after that has come in
/// another way.
const INIT_ENDS: Duration = Duration::from_secs(2);

/// What its record names.
pub fn there(record: &Record) -> There<'_> {
    There { cgroup: record.cgroup.as_ref(), resctrl: record.resctrl.as_ref() }
}

/// What there is of a container, while it is taken away.
pub struct Leavings<'a> {
    pub engine: &'a Call<'a>,
    pub record: &'a Record,
    pub entry: Option<Entry>,
    /// What the process that has made it has in its hands.
    pub init: Option<Init>,
    pub moved_devices: Option<Moved>,
}

impl<'a> Leavings<'a> {
    /// Of a container that others may have made.
    pub fn of(engine: &'a Call<'a>, entry: Entry, record: &'a Record) -> Leavings<'a> {
        Leavings { engine, record, entry: Some(entry), init: None, moved_devices: None }
    }

    /// Does these deeds of the way back, up to the first that fails: the record stays, for another try.
    pub fn take_back(mut self, name: &'static str, deeds: &[Deed]) -> Result<()> {
        let (waits, spec) = (&self.engine.waits, Spec::default());
        carry_out(waits, Planned::of(name, deeds, &spec), &mut Vec::new(), &mut |deed| self.do_one(deed))
    }

    fn do_one(&mut self, deed: Deed) -> Result<()> {
        let Leavings { engine, record, .. } = *self;
        match (deed, &self.entry) {
            (Deed::GiveDevicesBack, _) => {
                let devices = self.moved_devices.take();
                devices.into_iter().for_each(|devices| devices.give_back(&|warning| engine.warn(warning)));
                Ok(())
            }
            (Deed::EndProcesses, _) => {
                self.init.iter().for_each(Init::end);
                engine.end_processes(record)
            }
            (Deed::EndStrangers, _) => engine.end_strangers(record),
            (Deed::RemoveCgroup(location), _) => {
                let driver = Driver::open(Some(location))?;
                let others = record.cgroup_may_be_of_others();
                let patience = if others { INIT_ENDS } else { engine.waits.patience() };
                let deadline = Instant::now() + patience;
                let removed = engine.patiently(Some(location), |rest| driver.remove(deadline, rest));
                match removed {
                    Err(error) if others && error.detail().kind != Kind::Interrupted => {
                        engine.warn(
                            error.doing("the creation was cut short, and this cgroup may be another's"),
                        );
                        Ok(())
                    }
                    other => other,
                }
            }
            (Deed::RemoveResctrl(group), _) => group.remove(),
            (Deed::RunPoststop, Some(entry)) => {
                // A container whose creation was cut short may have no config, and then it had no hooks to run.
                if let Ok(bytes) = entry.config()
                    && has_poststop(&bytes)
                {
                    engine.poststop(entry, &bytes, record);
                }
                Ok(())
            }
            (Deed::ReleaseCgroup(location), _) => {
                engine.store.release(location, &record.id);
                Ok(())
            }
            (Deed::RemoveState, Some(_)) => self.entry.take().map_or(Ok(()), Entry::remove),
            _ => Err(deed.misplaced()),
        }
    }
}

/// Spares most containers the parsing of their config. A key may be written with escapes.
fn has_poststop(config: &[u8]) -> bool {
    str::from_utf8(config).is_ok_and(|text| text.contains("\"poststop\"") || text.contains("\\u"))
}
