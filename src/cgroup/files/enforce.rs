//! Makes a list of device rules effective: v1 by file, v2 by program.
//!
//! At no moment may more be allowed than the old or the new rules allow, and on an update nothing that both allow
//! may be refused in between: v1 gets only the differences, v2 a replacement in one step.

use super::held::{Cgroup, Held, Origin, on};
use super::walk::INSIDE;
use crate::cgroup::devices::Rules;
use crate::cgroup::limits::Limits;
use crate::cgroup::render::exceptions::Exceptions;
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
        if let Some(held) = self.held.iter().find(|h| h.leg.has("devices")) {
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
            .field("/linux/resources/devices")
            .remedy("mount -t cgroup -o devices none /sys/fs/cgroup/devices"))
    }
}

fn by_file(held: &Held, rules: &Rules) -> Result<()> {
    let target = Exceptions::of(rules)?;
    let failed = |doing: &str, errno| on(&held.leg, doing, errno).field("/linux/resources/devices");
    let list = held.read("devices.list").map_err(|errno| failed("read devices.list of", errno))?;
    let present =
        Exceptions::parse(&list).ok_or_else(|| failed("read devices.list of", Errno(libc::EBADMSG)))?;
    let changes = present.towards(&target);
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
    let failed = |doing: &str, errno| on(&held.leg, doing, errno).field("/linux/resources/devices");
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
    bpf::attach_device_program(held.dir.as_fd(), program.as_fd(), replaced.as_ref().map(AsFd::as_fd))
        .map_err(|errno| {
            let error = failed("attach the device program to", errno);
            match errno.0 {
                libc::EPERM => error.remedy("a parent cgroup has a device program that permits no others"),
                _ => error,
            }
        })?;
    for other in old {
        bpf::detach_device_program(held.dir.as_fd(), other.as_fd())
            .map_err(|errno| failed("detach an old device program from", errno))?;
    }
    Ok(())
}

fn load(rules: &Rules) -> Result<OwnedFd> {
    let program = program::assemble(rules);
    let errno = match bpf::load_device_program(&program, None) {
        Ok(program) => return Ok(program),
        Err(errno) => errno,
    };
    let error = errno.because("load the device program (bpf)").field("/linux/resources/devices");
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
