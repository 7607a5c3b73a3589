//! What rruntime does to a process while its init waits: what would have forbidden its birth in a container, the mode of its
//! terminal, and each deed that needs the process's number alone.

use crate::engine::child::{confined, rlimits};
use crate::error::{Error, Result};
use crate::names::{self, RLIMITS};
use crate::plan::deeds::Deed;
use crate::plan::scheduling::scheduler;
use crate::spec::{Process, Rlimit};
use crate::sys::process::{self, Stat};
use crate::sys::{identity, terminal};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Does a deed of the host's part that is about the process `pid` and nothing else.
pub fn do_for(pid: i32, deed: Deed) -> Result<()> {
    match deed {
        Deed::RaiseLimits(limits) => rlimits::raise(pid, limits),
        Deed::ScoreForOom(score) => score_for_oom(pid, score),
        Deed::JoinResctrl(group) => group.join(pid),
        Deed::CheckConfined(sets) => confined::check(pid, sets),
        Deed::LimitProcesses(limits) => limit_processes(pid, limits),
        Deed::SettleBorn(process) => settle(pid, process),
        _ => Err(deed.misplaced()),
    }
}

/// A terminal that only its program can open yet.
#[derive(Debug)]
pub struct Hidden {
    pub master: OwnedFd,
    /// What its mode was before it was taken away; 0: it was not.
    pub mode: u32,
}

impl Hidden {
    /// The terminal is the program's: from here on it is a terminal like any other.
    pub fn show(&self) -> Result<()> {
        show(self.master.as_fd(), self.mode)
    }

    /// The error of a process that could not make the terminal its own, because a process of the container's did so first.
    pub fn taken(&self, error: Error) -> Error {
        let number = terminal::number(self.master.as_fd()).ok();
        let holder = number.and_then(holder).unwrap_or_else(|| "a process of the container".to_owned());
        error
            .doing(format!("{holder} has made the new terminal its own"))
            .remedy("end that process, or try again")
    }
}

/// Gives a terminal its mode back. `mode` 0: it was never taken away.
pub fn show(master: BorrowedFd, mode: u32) -> Result<()> {
    if mode == 0 {
        return Ok(());
    }
    terminal::set_mode(master, mode)
        .map_err(|e| e.because("set the mode of the terminal").field("/process/terminal"))
}

/// "process PID (NAME)", which has this number of a devpts as its controlling terminal. The kernel does not say of which
/// devpts.
fn holder(number: u32) -> Option<String> {
    // UNIX98 slaves begin at major 136, with 256 minors each.
    let device = ((136 + number / 256) << 8) | (number % 256);
    let pids =
        fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has = |pid: &i32| Stat::of(*pid).is_ok_and(|stat| stat.terminal as u32 == device);
    pids.into_iter()
        .find(has)
        .map(|pid| format!("process {pid} ({})", process::name(pid).unwrap_or_default()))
}

fn score_for_oom(pid: i32, score: i64) -> Result<()> {
    fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string()).map_err(|e| {
        Error::io("write oom_score_adj", &e)
            .field("/process/oomScoreAdj")
            .value(score)
            .remedy("a score lower than the runtime's own needs CAP_SYS_RESOURCE on the host")
    })
}

/// Sets a scheduling policy that no child inherits.
fn settle(pid: i32, wanted: &Process) -> Result<()> {
    let Some(attributes) = scheduler(wanted)? else { return Ok(()) };
    process::sched_setattr(pid, &attributes).map_err(|e| {
        e.because("set the scheduler")
            .field("/process/scheduler")
            .remedy("this policy needs CAP_SYS_NICE on the host; a deadline policy also needs a process that may run on every CPU, and time that the host's CPUs have left")
    })
}

/// Sets the limit on processes, which would have forbidden the birth where the user has as many.
fn limit_processes(pid: i32, limits: &[Rlimit]) -> Result<()> {
    let name = RLIMITS.iter().find(|(_, kind)| *kind == names::RLIMIT_NPROC).map_or("", |(name, _)| name);
    let limits = limits.iter().enumerate().filter(|(_, limit)| &*limit.kind == name);
    for (i, limit) in limits {
        identity::prlimit(pid, names::RLIMIT_NPROC, Some((limit.soft, limit.hard)))
            .map_err(|e| rlimits::refused(e, i, limit))?;
    }
    Ok(())
}
