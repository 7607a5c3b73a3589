//! For which system call a seccomp filter has killed a process. Its parent learns no more than SIGSYS; the kernel writes the
//! call into its log, which root can read, unless an audit daemon takes it or there are too many lines.

use crate::error::Error;
use crate::host::kernel_log::Records;
use crate::seccomp::Arch;
use crate::seccomp::tables::{Syscall, arch_of};
use crate::sys::wait::Ended;
use std::time::{Duration, Instant, SystemTime};

/// The kernel writes such a line from a thread of its own.
const PATIENCE: Duration = Duration::from_millis(200);
/// What a shell says of a program that ended so.
const BY_SHELL: i32 = 128 + libc::SIGSYS;

/// A line of the log about a kill.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    pid: i32,
    /// As the kernel has it: the process may have chosen it.
    name: String,
    call: String,
}

/// What there is to say of a container's process that began `since` then and has ended so; `None` where no filter did it.
pub fn explain(ended: Ended, pid: i32, since: SystemTime) -> Option<Error> {
    let (reason, lines) = match ended {
        Ended::Signaled(libc::SIGSYS) => (
            "the process was killed by SIGSYS, the signal of seccomp filters",
            lines(since, |line| line.pid == pid),
        ),
        Ended::Exited(BY_SHELL) => (
            "the process ended with exit code 159, as a shell does whose program a seccomp filter has killed",
            lines(since, |_| true),
        ),
        _ => return None,
    };
    let told: Vec<String> = lines
        .iter()
        .map(|Line { pid, name, call }| format!("process {pid} ({name}) for the system call {call}"))
        .collect();
    let told = match (&told[..], ended) {
        ([], _) => "the kernel's log does not say for which system call".to_owned(),
        (_, Ended::Signaled(_)) => format!("the kernel's log has {}", told.join(", ")),
        // Lines about others cannot be told from those about what the container's processes were.
        (..) => format!("since then filters on this host have killed {}", told.join(", ")),
    };
    let remedy = "allow the call if the program should have it; `rruntime seccomp record` finds the calls that it needs";
    Some(Error::new(format!("{reason}; {told}")).field("/linux/seccomp").remedy(remedy))
}

/// The lines since then that `wanted` says; the last few.
fn lines(since: SystemTime, wanted: impl Fn(&Line) -> bool) -> Vec<Line> {
    const MOST: usize = 5;
    // An ordinary user may not read it.
    let Some(mut log) = Records::open() else { return Vec::new() };
    let (deadline, mut found) = (Instant::now() + PATIENCE, Vec::new());
    loop {
        match log.take() {
            Ok(Some(record)) => found.extend(parse(&record, since).filter(&wanted)),
            Ok(None) if found.is_empty() && Instant::now() < deadline => {
                if !log.wait(deadline) {
                    return found;
                }
            }
            Ok(None) | Err(_) => return found.split_off(found.len().saturating_sub(MOST)),
        }
    }
}

/// `audit: type=1326 audit(1796065150.278:2): … pid=24206 comm="mkdir" … sig=31 arch=c000003e syscall=83 …`
fn parse(record: &str, since: SystemTime) -> Option<Line> {
    // At its beginning: a file that a process has mapped has its name in lines about crashes.
    let line = record.split_once(';')?.1.strip_prefix("audit: type=1326 audit(")?;
    let seconds = line.split_once('.')?.0.parse::<u64>().ok()?;
    let since = since.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    // No value has a space: the kernel writes such a name in hexadecimal.
    let value = |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    if seconds < since || value("sig")? != "31" {
        return None;
    }
    let (audit, number) = (u32::from_str_radix(value("arch")?, 16).ok()?, value("syscall")?.parse().ok()?);
    let arch = arch_of(audit, number);
    let name = arch.and_then(|arch| Syscall::by_number(arch, number)).map(Syscall::name);
    let mut call = name.map_or_else(|| number.to_string(), str::to_owned);
    match arch {
        Some(arch) if Some(arch) == Arch::native() => {}
        Some(arch) => call += &format!(" of {}", arch.name()),
        None => call += &format!(" of AUDIT_ARCH {audit:#x}"),
    }
    Some(Line { pid: value("pid")?.parse().ok()?, name: value("comm")?.trim_matches('"').to_owned(), call })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_names_process_and_call() {
        const LINE: &str = "5,1198,4198743833,-;audit: type=1326 audit(1796065150.278:2): auid=4294967295 uid=0 gid=0 \
                            ses=4294967295 pid=24206 comm=\"busybox\" exe=\"/bin/busybox\" sig=31 arch=c000003e syscall=83 \
                            compat=0 ip=0x47b567 code=0x80000000\n";
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let line = |text: &str| parse(text, at(1_796_065_150));
        let found = line(LINE).unwrap();
        assert_eq!((found.pid, &*found.name), (24206, "busybox"));
        if Arch::native() == Some(Arch::X86_64) {
            assert_eq!(found.call, "mkdir");
        }
        let other = line(&LINE.replace("arch=c000003e", "arch=40000003")).unwrap();
        assert!(other.call.ends_with(" of SCMP_ARCH_X86"), "{}", other.call);
        assert_eq!(line(&LINE.replace("=83", "=5000")).unwrap().call.split(' ').next(), Some("5000"));
        // Before the container, logged only, another kind of line, and nonsense.
        assert_eq!(parse(LINE, at(1_796_065_151)), None);
        for (from, to) in [("sig=31", "sig=0"), ("1326", "1300"), ("arch=c", "arch=z"), ("pid=", "pud=")] {
            assert_eq!(line(&LINE.replace(from, to)), None, "{to}");
        }
        assert_eq!(line("5,1,1,-;audit: type=1326 audit("), None);
        // A file of this name in the line about a crash.
        assert_eq!(line(&LINE.replace(";audit", ";x[7]: segfault at 0 ip 0 sp 0 error 6 in audit")), None);
    }

    #[test]
    fn an_end_that_no_filter_makes_is_not_explained() {
        let now = SystemTime::now();
        assert!(explain(Ended::Exited(1), 1, now).is_none());
        assert!(explain(Ended::Signaled(libc::SIGKILL), 1, now).is_none());
    }
}
