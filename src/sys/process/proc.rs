//! What /proc says of a process.

use crate::sys::{Errno, SysResult, c, file};
use std::fmt::Display;
use std::os::fd::{AsFd, OwnedFd};

/// A file of /proc/PID; without a name the directory itself. `pid` may be `self`, or `thread-self`.
pub fn open_of(pid: impl Display, name: &str, flags: i32) -> SysResult<OwnedFd> {
    file::openat2(file::cwd(), &c(format!("/proc/{pid}/{name}"))?, flags, 0, 0)
}

/// The name of its program, as the kernel has it: /proc/PID/comm.
pub fn name(pid: i32) -> SysResult<String> {
    let name = file::read_path(format!("/proc/{pid}/comm"), 64)?;
    Ok(String::from_utf8_lossy(name.trim_ascii()).into_owned())
}

/// Of /proc/PID/stat (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// `S`, `T`, `Z` …
    pub state: u8,
    pub parent: i32,
    /// The number of its controlling terminal; 0: it has none.
    pub terminal: i32,
    /// Clock ticks since boot.
    pub start: u64,
}

impl Stat {
    /// `ESRCH` where it has gone.
    pub fn of(pid: i32) -> SysResult<Stat> {
        let opened = open_of(pid, "stat", libc::O_RDONLY)?;
        // One read holds the whole line: at most 52 numbers and a name of 15 bytes.
        let mut buffer = [0; 2048];
        let length = file::read(opened.as_fd(), &mut buffer)?;
        Stat::parse(&buffer[..length]).ok_or(Errno(libc::ESRCH))
    }

    /// The name (field 2) may hold spaces and parentheses; the last ")" ends it.
    fn parse(line: &[u8]) -> Option<Stat> {
        let name_end = line.iter().rposition(|&b| b == b')')?;
        let mut fields = std::str::from_utf8(line.get(name_end + 1..)?).ok()?.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let (parent, terminal) = (fields.next()?.parse().ok()?, fields.nth(2)?.parse().ok()?);
        Some(Stat { state, parent, terminal, start: fields.nth(14)?.parse().ok()? })
    }
}

/// Whether this process is a thread of the kernel's with this name. A process can have any name, but is no such thread.
pub fn is_kernel_thread(pid: i32, name: &str) -> bool {
    const PF_KTHREAD: u64 = 0x20_0000;
    let mut buffer = [0; 128];
    let line = open_of(pid, "stat", libc::O_RDONLY).and_then(|stat| file::read(stat.as_fd(), &mut buffer));
    line.ok()
        .and_then(|length| flags(&buffer[..length], pid, name))
        .is_some_and(|flags| flags & PF_KTHREAD != 0)
}

/// The flags in a line of /proc/PID/stat, if the process has this name.
fn flags(line: &[u8], pid: i32, name: &str) -> Option<u64> {
    let begin = format!("{pid} ({name}) ");
    let words = std::str::from_utf8(line.strip_prefix(begin.as_bytes())?).ok()?;
    // A name that goes on behind a parenthesis of its own would move other numbers to the place of the flags.
    if words.contains(')') {
        return None;
    }
    // Behind the name: state, parent, group, session, terminal and its group, flags (proc_pid_stat(5)).
    words.split(' ').nth(6)?.parse().ok()
}

/// The number behind `NAME:` at the beginning of a line of /proc/PID/status.
pub fn number(status: &str, name: &str, radix: u32) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    u64::from_str_radix(line.trim(), radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = b"42 (a) Z 1 (x)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20 21";
        assert_eq!(Stat::parse(line), Some(Stat { state: b'S', parent: 1, terminal: 4, start: 777 }));
        assert!(Stat::parse(b"42 (sh) S 1 2").is_none() && Stat::parse(b"").is_none());
    }

    /// A terminal's number, or that of a group of processes, may have the bit of the kernel's threads.
    #[test]
    fn a_name_with_parentheses_does_not_bring_other_numbers_to_the_place_of_the_flags() {
        let flags = |line: &str| flags(line.as_bytes(), 25, "kdevtmpfs");
        assert_eq!(flags("25 (kdevtmpfs) S 2 0 0 0 -1 2097216 0"), Some(2_097_216));
        for line in [
            "25 (kdevtmpfs)  ) R 23499 25 25 2131968 25 4194368 20",
            "25 (kdevtmpfs)   ) R 1 2 2097152 0 -1 4194368 20",
            "25 (kdevtmpfs) S) R 2097152 2097152 2097152 2097152 2097152 0 20",
            "25 (kdevtmpfs2) S 2 0 0 0 -1 2097216 0",
            "26 (kdevtmpfs) S 2 0 0 0 -1 2097216 0",
            "25 (kdevtmpfs) S 2",
        ] {
            assert_eq!(flags(line), None, "{line}");
        }
    }

    #[test]
    fn the_kernels_words_about_a_process_are_read() {
        let status = "Name:\tx\nCapPrm:\t00000000a80425fb\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(number(status, "CapPrm", 16), Some(0xa804_25fb));
        assert_eq!(number(status, "Seccomp", 10), Some(2));
        assert_eq!(number(status, "CapEff", 16), None);
    }
}
