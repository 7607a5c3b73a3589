//! Carrying out a list of writes.
//!
//! The kernel checks some files against each other (limit and swap, quota and period), in an order that depends
//! on the old values. A write that may be refused for that reason is marked, tried in its place, and tried once
//! more after all others. That works for raising and for lowering a limit, without reading the old values.

use super::freeze::kind_of;
use super::held::{Cgroup, Held};
use crate::cgroup::limits::{Amount, Limits};
use crate::cgroup::location::{Leg, Version};
use crate::cgroup::render::routed;
use crate::cgroup::render::write::{IfAbsent, IfRefused, Write};
use crate::error::{Error, Kind, Result};
use crate::sys::{Errno, SysResult};
use std::os::fd::AsFd;

impl Cgroup {
    /// Writes the limits of a new container, without the device rules ([`Cgroup::guard_devices`]).
    ///
    /// Errors name the field: no such controller or file, a value that the kernel refuses, a memory limit below
    /// what is in use.
    pub fn apply(&self, limits: &Limits) -> Result<()> {
        self.check_memory(limits)?;
        self.carry_out(limits, |held, write| held.put(write))
    }

    /// Hands each write to `put`, in an order that the kernel accepts.
    pub(super) fn carry_out<'c>(
        &'c self,
        limits: &Limits,
        mut put: impl FnMut(&'c Held, &Write) -> SysResult<()>,
    ) -> Result<()> {
        let mut again = Vec::new();
        let legs: Vec<&Leg> = self.held.iter().map(|held| &held.leg).collect();
        for (at, write) in routed(limits, &legs)? {
            let held = &self.held[at];
            match put(held, &write) {
                Err(Errno(libc::EINVAL)) if write.if_refused == IfRefused::Again => again.push((held, write)),
                Err(errno) => return Err(held.explain(&write, errno)),
                Ok(()) => {}
            }
        }
        for (held, write) in again {
            put(held, &write).map_err(|errno| held.explain(&write, errno))?;
        }
        Ok(())
    }

    /// On v2 the kernel would kill processes to enforce a lower limit; on v1 it refuses the limit, but does not look at
    /// swap.
    pub(super) fn check_memory(&self, limits: &Limits) -> Result<()> {
        if !limits.memory.check_before_update {
            return Ok(());
        }
        let memory = self.held.iter().find(|h| h.leg.has("memory"));
        let (held, name) = match (memory, self.unified()) {
            (Some(held), _) => (held, "memory.usage_in_bytes"),
            (None, Some(held)) => (held, "memory.current"),
            (None, None) => return Ok(()),
        };
        // No file: no controller, which the write itself reports better.
        let Ok(text) = held.read(name) else { return Ok(()) };
        let Ok(used) = text.trim().parse::<u64>() else { return Ok(()) };
        for (amount, field) in [(limits.memory.swap, "swap"), (limits.memory.limit, "limit")] {
            if let Some(Amount::Of(limit)) = amount
                && limit <= used
            {
                let what = if field == "swap" { "memory+swap" } else { "memory" };
                return Err(Error::new(format!(
                    "rejecting {what} limit {limit}: the container uses {used} bytes already"
                ))
                .field(format!("/linux/resources/memory/{field}"))
                .value(limit)
                .remedy("choose a higher limit, or leave out checkBeforeUpdate"));
            }
        }
        Ok(())
    }
}

impl Held {
    pub(super) fn put(&self, write: &Write) -> SysResult<()> {
        let written = self.or_handed_down(&write.controller, || self.write(&write.file, &write.value));
        match (written, &write.if_absent) {
            (Err(Errno(libc::ENOENT)), IfAbsent::Ignore) => Ok(()),
            (Err(Errno(libc::ENOENT)), IfAbsent::Instead((file, value))) => self.write(file, value),
            (written, _) => written,
        }
    }

    /// Does something with a file of this controller; once more, where the file appears only when the parents hand the
    /// controller down (v2).
    pub(super) fn or_handed_down<T>(
        &self,
        controller: &String,
        work: impl Fn() -> SysResult<T>,
    ) -> SysResult<T> {
        let done = work();
        let absent = matches!(done, Err(Errno(libc::ENOENT)));
        if absent && self.leg.version == Version::V2 && self.hand_down(std::slice::from_ref(controller)) {
            return work();
        }
        done
    }

    fn explain(&self, write: &Write, errno: Errno) -> Error {
        let path = format!("{}/{}", self.leg.directory(), write.file);
        if errno.0 == libc::ENOENT {
            let missing = self.missing_controller(&write.controller);
            let error = match (missing, self.parent_is_populated()) {
                // Below it the parent's own list has the processes of the whole tree of threads.
                (true, _) if ["threaded", "domain invalid"].contains(&&*kind_of(self.dir.as_fd())) => {
                    Error::new(format!(
                        "the parent cgroup is for threads, and the controller {} works on whole processes",
                        write.controller
                    ))
                    .remedy("choose a /linux/cgroupsPath whose parent is no threaded cgroup")
                }
                (true, true) => Error::new(format!(
                    "the parent cgroup has processes, so it cannot hand down the controller {}",
                    write.controller
                ))
                .remedy("choose a /linux/cgroupsPath with a parent that has no processes"),
                (true, false) => return write.no_controller(),
                (false, _) => Error::new(format!("this kernel has no {path}"))
                    .kind(Kind::Unsupported)
                    .remedy("remove the limit"),
            };
            return error.field(write.field.clone()).value(write.quoted());
        }
        let remedy = match (errno.0, &*write.controller, &*write.file) {
            (libc::EBUSY, "memory", _) => "the limit is below the memory in use",
            (libc::EINVAL, _, "cpu.weight" | "cpu.shares") => {
                "an idle cgroup has no weight: set cpu.idle to 0 first"
            }
            (libc::EACCES | libc::EINVAL | libc::ENODEV | libc::ERANGE, "cpuset", _) => {
                "the parent cgroup and this machine must have all that the value names"
            }
            (libc::EBUSY | libc::ENOSPC, "cpuset", _) => {
                "a cgroup below it, or a real-time process in it, needs more"
            }
            (libc::ENODEV, "io" | "blkio", _) => "the numbers must be those of a whole block device",
            (libc::EOPNOTSUPP, ..) => {
                "the cgroup or a parent is threaded, or the file belongs to another I/O scheduler"
            }
            _ => "",
        };
        let error = errno.because(format!("write {path}")).field(write.field.clone()).value(write.quoted());
        if remedy.is_empty() { error } else { error.remedy(remedy) }
    }

    /// True if the controller itself is missing in this v2 cgroup, and not only a file of it.
    fn missing_controller(&self, controller: &str) -> bool {
        self.leg.version == Version::V2
            && controller != "cgroup"
            && !self
                .read("cgroup.controllers")
                .is_ok_and(|text| text.split_whitespace().any(|c| c == controller))
    }
}
