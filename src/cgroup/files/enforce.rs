//! Makes a list of device rules effective: v1 by file, v2 by program.
//!
//! At no moment may more be allowed than the old or the new rules allow, and on an update nothing that both allow
//! may be refused in between: v1 gets only the differences, v2 a replacement in one step.

use super::held::{Cgroup, Held, Origin, on};
use super::walk::INSIDE;
use crate::cgroup::devices::Rules;
use crate::cgroup::limits::Limits;
use crate::cgroup::render::exceptions::{Change, Exceptions};
use crate::cgroup::render::program;
use crate::error::{Error, Kind, Result};
use crate::sys::{Errno, SysResult, bpf, file};
use std::os::fd::{AsFd, OwnedFd};

impl Cgroup {
    /// Applies the rules of a new container, if it has any.
    pub fn guard_devices(&self, limits: &Limits) -> Result<()> {
        limits.devices.as_ref().map_or(Ok(()), |rules| self.enforce(rules))
    }

    /// On the v1 devices hierarchy, or on v2 if that is not mounted.
    fn enforce(&self, rules: &Rules) -> Result<()> {
        if let Some(held) = self.by_exceptions() {
            return by_file(held, rules);
        }
        if let Some(held) = self.unified() {
            return by_program(held, rules);
        }
        if rules.allows_everything() {
            return Ok(());
        }
        Err(Error::new("this host cannot enforce device rules: the v1 devices controller is not mounted")
            .kind(Kind::Unsupported)
            .field(FIELD)
            .remedy("mount -t cgroup -o devices none /sys/fs/cgroup/devices"))
    }
}

/// The rules before an update.
pub(super) enum EarlierRules<'c> {
    /// The writes that lead back.
    Exceptions(&'c Held, Vec<Change>),
    /// The program of the update, and the one that it has replaced.
    Program(&'c Held, OwnedFd, Option<OwnedFd>),
}

impl Cgroup {
    /// Other rules in the place of `earlier`, or an error and no change. What other programs have done to them stays.
    pub(super) fn change_devices(&self, rules: &Rules, earlier: &Rules) -> Result<Option<EarlierRules<'_>>> {
        if let Some(held) = self.by_exceptions() {
            let target = Exceptions::of(rules)?;
            let [there, back] = present(held)?
                .update(&Exceptions::of(earlier)?, &target)
                .ok_or_else(|| strange("devices.list does not have the rules that rruntime has written"))?;
            let back = EarlierRules::Exceptions(held, back);
            return match write(held, &there) {
                Ok(()) => Ok(Some(back)),
                Err(error) => Err(match back.restore() {
                    Ok(()) => error,
                    Err(more) => error.doing(format!("device rules that stay changed: {more}")),
                }),
            };
        }
        let Some(held) = self.unified() else {
            return Err(Error::new("this host cannot enforce device rules").kind(Kind::Unsupported));
        };
        let old = own_program(held)?;
        if old.is_none() {
            if !earlier.allows_everything() {
                return Err(strange(
                    "the cgroup does not have the device program that rruntime has attached",
                ));
            }
            if rules.allows_everything() {
                return Ok(None);
            }
        }
        let program = load(rules)?;
        attach(held, &program, old.as_ref())?;
        Ok(Some(EarlierRules::Program(held, program, old)))
    }

    /// The rules as a whole, where systemd has written its own words for them.
    pub(in crate::cgroup) fn rewrite_exceptions(&self, rules: &Rules) -> Result<()> {
        self.by_exceptions().map_or(Ok(()), |held| by_file(held, rules))
    }

    fn by_exceptions(&self) -> Option<&Held> {
        self.held.iter().find(|held| held.leg.has("devices"))
    }
}

impl EarlierRules<'_> {
    pub(super) fn restore(self) -> Result<()> {
        match self {
            EarlierRules::Exceptions(held, back) => write(held, &back),
            EarlierRules::Program(held, program, Some(old)) => attach(held, &old, Some(&program)),
            EarlierRules::Program(held, program, None) => {
                bpf::detach_device_program(held.dir.as_fd(), program.as_fd())
                    .map_err(|errno| on(&held.leg, "detach the device program from", errno))
            }
        }
    }
}

fn strange(reason: &'static str) -> Error {
    Error::new(reason).kind(Kind::WrongState).field(FIELD).remedy(
        "another program has changed the container's device rules: make the change there, or create the container anew",
    )
}

/// Of the programs of this cgroup the one that is ours. Others (systemd's) have to agree with it.
fn own_program(held: &Held) -> Result<Option<OwnedFd>> {
    let failed = |errno| on(&held.leg, "look at the device programs of", errno).field(FIELD);
    for id in bpf::device_program_ids(held.dir.as_fd()).map_err(failed)? {
        let program = bpf::program_by_id(id).map_err(failed)?;
        if bpf::program_name(program.as_fd()).map_err(failed)? == bpf::DEVICE_PROGRAM {
            return Ok(Some(program));
        }
    }
    Ok(None)
}

const FIELD: &str = "/linux/resources/devices";

fn present(held: &Held) -> Result<Exceptions> {
    let failed = |errno| on(&held.leg, "read devices.list of", errno).field(FIELD);
    let list = held.read("devices.list").map_err(failed)?;
    Exceptions::parse(&list).ok_or_else(|| failed(Errno(libc::EBADMSG)))
}

fn by_file(held: &Held, rules: &Rules) -> Result<()> {
    let target = Exceptions::of(rules)?;
    write(held, &present(held)?.towards(&target))
}

fn write(held: &Held, changes: &[Change]) -> Result<()> {
    let failed = |doing: &str, errno| on(&held.leg, doing, errno).field(FIELD);
    let mut files: [Option<OwnedFd>; 2] = [None, None];
    for change in changes {
        let (slot, name) =
            if change.allow { (&mut files[0], c"devices.allow") } else { (&mut files[1], c"devices.deny") };
        let open = match slot {
            Some(open) => open,
            None => slot.insert(
                file::openat2(held.dir.as_fd(), name, libc::O_WRONLY, 0, INSIDE)
                    .map_err(|errno| failed("open the device rules of", errno))?,
            ),
        };
        file::write(open.as_fd(), change.line.as_bytes()).map_err(|errno| {
            let verb = if change.allow { "allow" } else { "deny" };
            let error = failed("write the device rules of", errno).value(format!("{verb} {}", change.line));
            match errno.0 {
                libc::EPERM => error.remedy("the parent cgroup does not allow this device"),
                _ => error,
            }
        })?;
    }
    Ok(())
}

/// Attaches next to what may be attached to parents (all have to agree), and replaces what an earlier call of ours
/// attached to this very cgroup.
fn by_program(held: &Held, rules: &Rules) -> Result<()> {
    let failed = |doing: &str, errno| on(&held.leg, doing, errno).field(FIELD);
    let old = match held.origin {
        Origin::Made => Vec::new(),
        Origin::Found => bpf::device_program_ids(held.dir.as_fd())
            .map_err(|errno| failed("list the device programs of", errno))?,
    };
    if old.is_empty() && rules.allows_everything() {
        return Ok(());
    }
    let program = load(rules)?;
    let mut old = old
        .into_iter()
        .map(bpf::program_by_id)
        .collect::<SysResult<Vec<_>>>()
        .map_err(|errno| failed("open the device programs of", errno))?;
    // With several, all decide together: detaching the others after ours is in place only ever allows what ours
    // allows.
    let replaced = old.pop();
    attach(held, &program, replaced.as_ref())?;
    for other in old {
        bpf::detach_device_program(held.dir.as_fd(), other.as_fd())
            .map_err(|errno| failed("detach an old device program from", errno))?;
    }
    Ok(())
}

fn attach(held: &Held, program: &OwnedFd, replaced: Option<&OwnedFd>) -> Result<()> {
    bpf::attach_device_program(held.dir.as_fd(), program.as_fd(), replaced.map(AsFd::as_fd)).map_err(
        |errno| {
            let error = on(&held.leg, "attach the device program to", errno).field(FIELD);
            match errno.0 {
                libc::EPERM => error.remedy("a parent cgroup has a device program that permits no others"),
                _ => error,
            }
        },
    )
}

fn load(rules: &Rules) -> Result<OwnedFd> {
    let program = program::assemble(rules);
    let errno = match bpf::load_device_program(&program, None) {
        Ok(program) => return Ok(program),
        Err(errno) => errno,
    };
    let error = errno.because("load the device program (bpf)").field(FIELD);
    Err(match errno.0 {
        // Kernels before 5.11 charge programs to the limit of locked memory.
        libc::EPERM => error
            .kind(Kind::Unsupported)
            .remedy("this needs CAP_BPF and CAP_NET_ADMIN or CAP_SYS_ADMIN; before Linux 5.11 also ulimit -l unlimited"),
        libc::ENOSYS => error.kind(Kind::Unsupported).remedy("the kernel needs CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF"),
        _ => match verdict(&program) {
            Some(text) if text.contains("too complex") => error.remedy(format!(
                "use fewer rules, or rules whose access is rwm; the kernel's verifier says: {text}"
            )),
            Some(text) => error.remedy(format!("the kernel's verifier says: {text}")),
            None => error.remedy("the kernel needs CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF"),
        },
    })
}

/// The last line of the verifier's log but one: the reason (the last is a statistic).
fn verdict(program: &[bpf::Instruction]) -> Option<String> {
    let mut log = vec![0_u8; 64 << 10];
    // It has failed before; only the log is of interest now.
    let _ = bpf::load_device_program(program, Some(&mut log));
    let end = log.iter().position(|b| *b == 0)?;
    let text = String::from_utf8_lossy(&log[..end]).into_owned();
    text.lines().rev().find(|l| !l.is_empty() && !l.starts_with("processed ")).map(str::to_owned)
}
