//! What the kernel's log says; and of processes that were killed because memory ran out, which group's limit it was, and
//! which process. No counter tells either.
//!
//! Threat: a container chooses its processes' names and the names of its groups, and both are in these lines. A line in
//! which a key occurs twice, or a name has a comma, is passed over, so that a name cannot speak of another container; and
//! lines that a program has written into the log are not the kernel's.

use crate::sys::{Errno, SysResult, clock, file, poll};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// The kills that the log still has, oldest first.
#[derive(Default)]
pub struct Kills {
    pub list: Vec<Kill>,
    /// By how much their times may be wrong.
    pub uncertain: Duration,
}

/// One kill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// Since the machine was started, as start times of processes are.
    pub since_boot: Duration,
    /// The group whose limit was reached, from the root of the memory hierarchy; `None`: the machine's memory, or that of
    /// some of its nodes.
    pub limited: Option<String>,
    /// The process, and the group that it was in.
    pub group: String,
    pub name: String,
    /// In the machine's first pid namespace.
    pub pid: i32,
    pub uid: u32,
}

/// The kernel's own records, oldest first; those that programs have written are passed over.
pub struct Records {
    log: OwnedFd,
    buffer: Box<[u8; LARGEST]>,
    left: u32,
}

/// No record is longer.
const LARGEST: usize = 8192;

impl Records {
    /// `None`: this caller may not read the log.
    pub fn open() -> Option<Records> {
        /// More records than the log can have.
        const MOST: u32 = 1 << 18;
        let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
        let log = file::openat2(file::cwd(), c"/dev/kmsg", flags, 0, 0).ok()?;
        Some(Records { log, buffer: Box::new([0; LARGEST]), left: MOST })
    }

    /// One record as it is; `None`: there is no more now.
    pub fn take(&mut self) -> SysResult<Option<String>> {
        while self.left > 0 {
            self.left -= 1;
            match file::read(self.log.as_fd(), &mut *self.buffer) {
                Ok(0) | Err(Errno(libc::EAGAIN)) => return Ok(None),
                Ok(length) => {
                    let text = String::from_utf8_lossy(&self.buffer[..length]);
                    if of_kernel(&text).is_some() {
                        return Ok(Some(text.into_owned()));
                    }
                }
                // It was overwritten meanwhile: the next read gives the oldest that there is.
                Err(Errno(libc::EPIPE | libc::EINTR)) => {}
                // This one is too long for the kernel's own format.
                Err(Errno(libc::EINVAL)) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(None)
    }

    /// Waits for a further one; false: none has come by then.
    pub fn wait(&self, deadline: Instant) -> bool {
        poll::readable(self.log.as_fd(), Some(deadline)).unwrap_or(false)
    }
}

/// A record of /dev/kmsg ("6,445,2267574876,-;text"): when it was written, and its text; `None` for one of a program.
fn of_kernel(record: &str) -> Option<(Duration, &str)> {
    let (head, text) = record.split_once(';')?;
    let mut head = head.split(',');
    let (priority, _sequence) = (head.next()?.parse::<u32>().ok()?, head.next()?);
    let microseconds = head.next()?.parse().ok()?;
    // The facility is above the three bits of the level: 0 is the kernel, and no program may write with it.
    (priority >> 3 == 0).then_some((Duration::from_micros(microseconds), text))
}

/// `None`: this caller may not read the log.
///
/// The log has a clock of its own. It goes as the processor counts, so what a time service has corrected since the start,
/// seconds a day, lies between it and all other clocks; suspends do too.
pub fn kills() -> Option<Kills> {
    /// It starts a moment before or after the others.
    const START: Duration = Duration::from_secs(1);
    let uncorrected = clock::since_boot_uncorrected();
    let uncertain = START + clock::since_boot().abs_diff(uncorrected);
    let now = clock::since_boot_with_suspends();
    let mut log = Records::open()?;
    let mut list = Vec::new();
    while let Some(record) = log.take().ok()? {
        list.extend(kill(&record).map(|kill| {
            let ago = uncorrected.saturating_sub(kill.since_boot);
            Kill { since_boot: now.saturating_sub(ago), ..kill }
        }));
    }
    Some(Kills { list, uncertain })
}

/// A record whose text is "oom-kill:constraint=…,oom_memcg=/a,task_memcg=/a/b,task=name,pid=1,uid=0", or has `global_oom`
/// for the first group.
fn kill(record: &str) -> Option<Kill> {
    let (since_boot, text) = of_kernel(record)?;
    let text = text.lines().next()?.strip_prefix("oom-kill:")?;
    let parts: Vec<&str> = text.split(',').collect();
    let [before @ .., limited, group, name, pid, uid] = &parts[..] else { return None };
    const KEYS: [&str; 3] = ["oom_memcg=", "task_memcg=", "global_oom"];
    if before.iter().any(|part| KEYS.iter().any(|key| part.starts_with(key))) {
        return None;
    }
    let limited = match limited.strip_prefix(KEYS[0]) {
        Some(limited) => Some(limited.to_owned()),
        None if *limited == KEYS[2] => None,
        None => return None,
    };
    Some(Kill {
        since_boot,
        limited,
        group: group.strip_prefix(KEYS[1])?.to_owned(),
        name: name.strip_prefix("task=")?.to_owned(),
        pid: pid.strip_prefix("pid=")?.parse().ok()?,
        uid: uid.strip_prefix("uid=")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "6,445,2267574876,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=web,mems_allowed=0,\
                        oom_memcg=/web,task_memcg=/web/job,task=tail,pid=16023,uid=7\n SUBSYSTEM=x\n";

    #[test]
    fn a_line_has_level_and_process() {
        let found = kill(LINE).unwrap();
        let wanted = Kill {
            since_boot: Duration::from_micros(2_267_574_876),
            limited: Some("/web".into()),
            group: "/web/job".into(),
            name: "tail".into(),
            pid: 16023,
            uid: 7,
        };
        assert_eq!(found, wanted);
        let global = LINE.replace("oom_memcg=/web,", "global_oom,");
        assert_eq!(kill(&global), Some(Kill { limited: None, ..wanted }));
    }

    #[test]
    fn names_that_a_container_chooses_say_nothing_of_another() {
        for (from, to) in [
            // The name of its cpuset, of a group below its own, of a process.
            ("cpuset=web", "cpuset=x,oom_memcg=/other,task_memcg=/other,task=y,pid=1,uid=0"),
            ("/web/job", "/web/x,task_memcg=/other"),
            ("/web/job", "/web/x,global_oom"),
            ("=tail", "=a,pid=1,uid=0"),
            ("=tail", "=,task=init"),
            ("=tail", "=a,b"),
            ("/web/job", "/web/x,oom_memcg=/other,task_memcg=/other"),
            ("oom_memcg=/web,", ""),
            // A program has written it.
            ("6,445", "14,445"),
            ("oom-kill:", "x oom-kill:"),
            ("pid=16023", "pid=-"),
        ] {
            let forged = LINE.replacen(from, to, 1);
            assert_ne!(forged, LINE);
            assert_eq!(kill(&forged), None, "{forged}");
        }
        assert_eq!(kill(""), None);
    }
}
