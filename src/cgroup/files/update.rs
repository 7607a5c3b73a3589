//! Other limits for a cgroup that is in use: all of them, or none.
//!
//! What a file says is read before it is written, so that what was written already can be set back when the kernel
//! refuses a later one. Of device rules only what the update changes is changed: others (an engine's plugin for GPUs) may
//! have changed them too.

use super::enforce::EarlierRules;
use super::held::{Cgroup, Held};
use crate::cgroup::limits::Limits;
use crate::cgroup::render::write::{IfAbsent, Write};
use crate::error::{Error, Result};
use crate::sys::{Errno, SysResult};

/// What the files said before an update.
pub struct Undo<'c> {
    before: Vec<Before<'c>>,
    devices: Option<EarlierRules<'c>>,
}

struct Before<'c> {
    held: &'c Held,
    file: String,
    /// `None` if what was there cannot be written.
    value: Option<String>,
}

impl Cgroup {
    /// Writes limits, then device rules if there are other ones. When one is refused, those that were written before it are
    /// set back, and the error says so; if that fails as well, it names the files that stay changed.
    pub fn update(&self, limits: &Limits, earlier: &Limits) -> Result<Undo<'_>> {
        self.check_memory(limits)?;
        let mut undo = Undo { before: Vec::new(), devices: None };
        let mut done = self.carry_out(limits, |held, write| undo.put(held, write));
        if let (Ok(()), Some(rules), Some(earlier)) = (&done, &limits.devices, &earlier.devices) {
            done = self.change_devices(rules, earlier).map(|devices| undo.devices = devices);
        }
        match done {
            Ok(()) => Ok(undo),
            Err(error) => Err(undo.back(error)),
        }
    }
}

impl<'c> Undo<'c> {
    /// Sets everything back because of `error`, and adds to it how that went.
    #[must_use]
    pub fn back(self, error: Error) -> Error {
        let write = |before: &Before| match &before.value {
            Some(value) => before.held.write(&before.file, value),
            None => Err(Errno(libc::EINVAL)),
        };
        let devices = self.devices.and_then(|devices| devices.restore().err());
        let error = match devices {
            Some(more) => error.doing(format!("device rules that stay changed: {more}")),
            None => error,
        };
        // Backwards; and what depends on an earlier file once more, as with limits (see `apply`).
        let again: Vec<Before> =
            self.before.into_iter().rev().filter(|before| write(before).is_err()).collect();
        let stay: Vec<String> =
            again.iter().filter(|before| write(before).is_err()).map(Before::changed).collect();
        match stay.is_empty() {
            true => error.doing("no limit was changed"),
            false => error.doing(format!("limits that stay changed: {}", stay.join(", "))),
        }
    }

    fn put(&mut self, held: &'c Held, write: &Write) -> SysResult<()> {
        let known = self.before.len();
        if let Some((file, text)) = present(held, write) {
            let value = earlier(&file, &write.value, &text);
            self.before.push(Before { held, file, value });
        }
        let written = held.put(write);
        if written.is_err() {
            self.before.truncate(known);
        }
        written
    }
}

impl Before<'_> {
    fn changed(&self) -> String {
        match &self.value {
            Some(value) => format!("{} (was {:?})", self.file, value.trim_end()),
            None => self.file.clone(),
        }
    }
}

/// The file that the write will find, and what is in it. A file that can only be written is not known beforehand.
fn present(held: &Held, write: &Write) -> Option<(String, String)> {
    let read = |file: &str| held.read(file).map(|text| (file.to_owned(), text));
    let found = held.or_handed_down(&write.controller, || read(&write.file));
    match &write.if_absent {
        IfAbsent::Instead((file, _)) if found.is_err() => read(file).ok(),
        _ => found.ok(),
    }
}

/// What makes `text`, the content of a file, out of what `value` will have made of it.
fn earlier(file: &str, value: &str, text: &str) -> Option<String> {
    if let Some((key, _)) = value.trim().split_once(' ').filter(|_| has_keys(file)) {
        let line = text.lines().find(|line| line.split(' ').next() == Some(key));
        return match line {
            Some(line) => Some(line.to_owned()),
            None => unset(file).map(|unset| format!("{key} {unset}")),
        };
    }
    let line = text.lines().next().unwrap_or_default();
    Some(match line.strip_prefix("oom_kill_disable ") {
        Some(number) => number.to_owned(),
        // There is nothing to write.
        None if line.is_empty() => "\n".to_owned(),
        None => line.to_owned(),
    })
}

/// Files with a line for each device; they are written line by line.
fn has_keys(file: &str) -> bool {
    ["io.", "blkio.", "rdma.", "net_prio.", "misc."].iter().any(|controller| file.starts_with(controller))
}

/// What stands for "no limit" behind a device, which then has no line any more.
fn unset(file: &str) -> Option<&'static str> {
    Some(match file {
        "io.max" => "rbps=max wbps=max riops=max wiops=max",
        "rdma.max" => "hca_handle=max hca_object=max",
        "misc.max" => "max",
        "net_prio.ifpriomap" => "0",
        file if file.starts_with("blkio.throttle.") => "0",
        file if file.contains("weight") => "default",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_can_be_written_again() {
        let rows = [
            ("memory.max", "1000", "max\n", Some("max")),
            ("cpu.max", "5 10", "max 100000\n", Some("max 100000")),
            ("cpuset.cpus", "0-1", "\n", Some("\n")),
            ("cpuset.cpus", "0", "", Some("\n")),
            (
                "io.max",
                "8:0 rbps=5",
                "8:16 rbps=1 wbps=max\n8:0 rbps=7 wbps=max\n",
                Some("8:0 rbps=7 wbps=max"),
            ),
            ("io.max", "8:0 rbps=5", "8:16 rbps=1\n", Some("8:0 rbps=max wbps=max riops=max wiops=max")),
            ("blkio.throttle.read_bps_device", "8:0 5", "", Some("8:0 0")),
            ("io.weight", "50", "default 100\n8:0 7\n", Some("default 100")),
            ("io.bfq.weight", "8:0 50", "default 100\n", Some("8:0 default")),
            ("memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\n", Some("0")),
            ("io.latency", "8:0 target=5", "", None),
        ];
        for (file, value, text, expected) in rows {
            assert_eq!(earlier(file, value, text).as_deref(), expected, "{file}");
        }
    }
}
