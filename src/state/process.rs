//! A process that stays the same one: its pid with its start time, so that a pid that the kernel has given to
//! somebody else since is never taken for the container's.

use crate::sys::{self, Errno, SysResult, file};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::fstat;
use nix::sys::statfs::{FsType, fstatfs};
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Start time: clock ticks since boot, field 22 of /proc/PID/stat (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub start: u64,
}

/// Whether the process still runs. A zombie has ended: only its exit code is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Alive,
    Ended,
}

impl Process {
    /// The process that has `pid` now.
    pub fn of(pid: i32) -> SysResult<Process> {
        let stat = read(pid)?;
        Ok(Process { pid, start: stat.start })
    }

    pub fn life(&self) -> Life {
        match read(self.pid) {
            Ok(stat) if stat.start == self.start && !stat.ended => Life::Alive,
            _ => Life::Ended,
        }
    }

    /// A descriptor of this process; `ESRCH` if it has ended. The start time is looked at after the descriptor
    /// is held: from then on the pid cannot be reused without the look noticing it.
    pub fn open(&self) -> SysResult<OwnedFd> {
        let pidfd = sys::process::pidfd_open(self.pid)?;
        match self.life() {
            Life::Alive => Ok(pidfd),
            Life::Ended => Err(Errno(libc::ESRCH)),
        }
    }
}

/// What names a process better than its pid: no other has this number until the machine starts anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inode {
    /// The inode of its pidfd.
    pub number: u64,
    /// /proc/sys/kernel/random/boot_id: after a reboot the numbers begin again.
    pub boot: String,
}

impl Inode {
    /// `None` where every pidfd has the same inode: before Linux 6.9.
    pub fn of(pidfd: BorrowedFd) -> Option<Inode> {
        let numbered = fstatfs(pidfd).is_ok_and(|system| system.filesystem_type() == PIDFS);
        if !numbered {
            return None;
        }
        Some(Inode { number: fstat(pidfd).ok()?.st_ino, boot: boot_id()? })
    }
}

/// Whether each of these runs, given by its pid and the number of its [`Inode`]. For `list`, which asks of a thousand:
/// without a look at /proc, which costs twice as much, and with one poll(2) for all. `None` where the kernel does not say.
pub fn lives(asked: &[Option<(i32, u64)>]) -> Vec<Option<Life>> {
    let hold = |&(pid, inode): &(i32, u64)| -> SysResult<OwnedFd> {
        let pidfd = sys::process::pidfd_open(pid)?;
        if fstat(&pidfd)?.st_ino == inode { Ok(pidfd) } else { Err(Errno(libc::ESRCH)) }
    };
    let held: Vec<Option<SysResult<OwnedFd>>> = asked.iter().map(|asked| asked.as_ref().map(hold)).collect();
    let open = held.iter().flatten().flatten();
    let mut ends: Vec<PollFd> = open.map(|pidfd| PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)).collect();
    let polled = poll(&mut ends, PollTimeout::ZERO).is_ok();
    let mut ends = ends.iter();
    let life = |held: &Option<SysResult<OwnedFd>>| match held.as_ref()? {
        Ok(_) => {
            let ended = ends.next()?.any()?;
            polled.then_some(if ended { Life::Ended } else { Life::Alive })
        }
        // There is none, or the number is a thread's by now.
        Err(Errno(libc::ESRCH | libc::EINVAL | libc::ENOENT)) => Some(Life::Ended),
        Err(_) => None,
    };
    held.iter().map(life).collect()
}

/// PID_FS_MAGIC of linux/magic.h.
const PIDFS: FsType = FsType(0x5049_4446);

/// This run of the kernel.
pub fn boot_id() -> Option<String> {
    let text = file::read_at(file::cwd(), c"/proc/sys/kernel/random/boot_id", 64, 0).ok()?;
    String::from_utf8(text.trim_ascii().to_vec()).ok()
}

struct Stat {
    start: u64,
    ended: bool,
}

fn read(pid: i32) -> SysResult<Stat> {
    let path = CString::new(format!("/proc/{pid}/stat")).expect("a number holds no NUL");
    let opened = file::openat2(file::cwd(), &path, libc::O_RDONLY, 0, 0)?;
    // One read holds the whole line: at most 52 numbers and a name of 15 bytes.
    let mut buffer = [0; 2048];
    let length = file::read(opened.as_fd(), &mut buffer)?;
    parse(&buffer[..length]).ok_or(Errno(libc::ESRCH))
}

/// The name (field 2) may hold spaces and parentheses; the last ")" ends it.
fn parse(line: &[u8]) -> Option<Stat> {
    let name_end = line.iter().rposition(|&b| b == b')')?;
    let mut fields = std::str::from_utf8(line.get(name_end + 1..)?).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?.parse().ok()?;
    Some(Stat { start, ended: matches!(state, "Z" | "X" | "x") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = b"42 (a) Z 1 (x)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20 21";
        let stat = parse(line).unwrap();
        assert_eq!((stat.start, stat.ended), (777, false));
        assert!(parse(b"42 (sh) S 1 2").is_none());
        assert!(parse(b"").is_none());
    }

    #[test]
    fn a_process_is_alive_until_it_ends_and_a_reused_pid_is_another() {
        let me = Process::of(std::process::id() as i32).unwrap();
        assert_eq!(me.life(), Life::Alive);
        assert!(me.open().is_ok());
        let other = Process { start: me.start + 1, ..me };
        assert_eq!(other.life(), Life::Ended);
        assert_eq!(other.open().unwrap_err(), Errno(libc::ESRCH));
    }

    fn wait_for_end(pidfd: &OwnedFd) {
        let mut end = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut end, 5000_u16), Ok(1));
    }

    #[test]
    fn a_zombie_has_ended() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let process = Process::of(child.id() as i32).unwrap();
        assert_eq!(process.life(), Life::Alive);
        let pidfd = process.open().unwrap();
        drop(child.stdin.take());
        wait_for_end(&pidfd);
        assert_eq!(process.life(), Life::Ended);
        child.wait().unwrap();
        assert_eq!(process.life(), Life::Ended);
    }

    #[test]
    fn many_at_once_are_told_apart_by_their_inodes() {
        let inode = |pid: u32| {
            let pidfd = sys::process::pidfd_open(pid as i32).unwrap();
            Inode::of(pidfd.as_fd()).map(|inode| inode.number)
        };
        let Some(mine) = inode(std::process::id()) else { return eprintln!("skipped: before Linux 6.9") };
        let me = std::process::id() as i32;
        let mut zombie = Command::new("true").spawn().unwrap();
        let asked = (zombie.id() as i32, inode(zombie.id()).unwrap());
        wait_for_end(&sys::process::pidfd_open(asked.0).unwrap());
        let rows = [
            Some((me, mine)),
            None,
            Some(asked),
            Some((me, mine + 1)),
            Some((me, mine)),
            Some((i32::MAX, 1)),
        ];
        let (alive, ended) = (Some(Life::Alive), Some(Life::Ended));
        assert_eq!(lives(&rows), [alive, None, ended, ended, alive, ended]);
        zombie.wait().unwrap();
        assert_eq!(lives(&[Some(asked)]), [ended]);
    }
}
