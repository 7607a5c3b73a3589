//! `kill`: a signal for the container's first process, or for all of them.
//!
//! The pid is held by a descriptor and its start time is compared before anything is sent: a pid that belongs
//! to another process by now gets no signal. No lock is taken, so a command that hangs can be ended.

use crate::cgroup::{Cgroup, Driver, without_cgroup};
use crate::engine::{Call, Recipients, Status};
use crate::error::{Error, Kind, Result};
use crate::state::Record;
use crate::sys::{Errno, process};
use std::os::fd::AsFd;

impl Call<'_> {
    pub fn kill(&self, id: &str, signal: i32, recipients: Recipients) -> Result<()> {
        let (entry, record) = self.reach(id)?;
        let stopped = Status::of(&entry, &record) == Status::Stopped;
        let driver = Driver::open(record.own_cgroup())?;
        if recipients == Recipients::All || (signal == libc::SIGKILL && shares_pids(&record)) {
            // Nothing else ends what the first process leaves behind in a pid namespace that is not its own.
            if driver.cgroup().map(Cgroup::pids).transpose()?.is_some_and(|pids| !pids.is_empty()) {
                return self.patiently(record.own_cgroup(), |rest| driver.kill(signal, rest));
            }
        }
        match (stopped, recipients) {
            // As in runc: of all its processes none is left, so each of them has been told.
            (true, Recipients::All) => Ok(()),
            (true, Recipients::FirstProcess) => Err(not_running(id)),
            // The first process of a pid namespace takes the others along; no other signal reaches them by it.
            (false, Recipients::All)
                if driver.cgroup().is_none() && (signal != libc::SIGKILL || shares_pids(&record)) =>
            {
                Err(without_cgroup("signalled as a whole"))
            }
            (false, _) => kill_first(id, &record, driver.cgroup(), signal),
        }
    }
}

/// What helps where the container's process has ended.
pub(in crate::engine) const ENDED: &str = "its process has ended: `rruntime delete` removes it, and `create` makes it anew; `rruntime wait` prints its \
     exit status if --log-output has kept it";

/// With the text that engines look for.
pub fn not_running(id: &str) -> Error {
    Error::new("container not running").kind(Kind::WrongState).value(id).remedy(ENDED)
}

fn kill_first(id: &str, record: &Record, cgroup: Option<&Cgroup>, signal: i32) -> Result<()> {
    let Some(first) = record.process else { return Err(not_running(id)) };
    let sent = first.open().and_then(|pidfd| process::pidfd_send_signal(pidfd.as_fd(), signal));
    match sent {
        // A frozen process of cgroup v1 gets even SIGKILL only when it is thawed.
        Ok(()) if signal == libc::SIGKILL => cgroup.map_or(Ok(()), Cgroup::thaw_all),
        Ok(()) => Ok(()),
        Err(Errno(libc::ESRCH)) => Err(not_running(id)),
        Err(Errno(libc::EINVAL)) => Err(Error::new("the kernel knows no such signal")
            .kind(Kind::Argument)
            .field("signal")
            .value(signal)),
        Err(e) => Err(e.because(format!("signal process {}", first.pid)).value(id)),
    }
}

/// Whether its processes outlive the first one: the pid namespace is not its own.
pub(in crate::engine) fn shares_pids(record: &Record) -> bool {
    record.namespaces_created & libc::CLONE_NEWPID as u32 == 0
}
