//! A process that stays the same one: its pid with its start time, so that a pid that the kernel has reused for
//! another process is never taken for the container's.

use crate::sys::process::Stat;
use crate::sys::{self, Errno, SysResult, file};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::fstat;
use nix::sys::statfs::{FsType, fstatfs};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

/// Start time: clock ticks since boot, field 22 of /proc/PID/stat (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub start: u64,
}

/// Whether the process still runs. A zombie has ended, only its exit code is left; but a program whose main thread alone has
/// ended (SYS_exit) runs as long as one of its threads does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Alive,
    Ended,
}

impl Process {
    /// The process that has `pid` now.
    pub fn of(pid: i32) -> SysResult<Process> {
        Stat::of(pid).map(|stat| Process { pid, start: stat.start })
    }

    pub fn life(&self) -> Life {
        match self.main_thread() {
            Some(Life::Alive) => Life::Alive,
            Some(Life::Ended) if self.open().is_ok() => Life::Alive,
            _ => Life::Ended,
        }
    }

    /// The state of its main thread, which exists until it is reaped.
    fn main_thread(&self) -> Option<Life> {
        let stat = Stat::of(self.pid).ok().filter(|stat| stat.start == self.start)?;
        Some(if matches!(stat.state, b'Z' | b'X' | b'x') { Life::Ended } else { Life::Alive })
    }

    /// A descriptor of this process; `ESRCH` if it has ended.
    pub fn open(&self) -> SysResult<OwnedFd> {
        self.hold().map(|(pidfd, _)| pidfd)
    }

    /// The same, and what became of its main thread. The start time is looked at after the descriptor is held: from then
    /// on the pid cannot be reused without the look noticing it.
    fn hold(&self) -> SysResult<(OwnedFd, Life)> {
        let pidfd = sys::process::pidfd_open(self.pid)?;
        match self.main_thread() {
            Some(Life::Alive) => Ok((pidfd, Life::Alive)),
            // A pidfd becomes readable when all threads have ended.
            Some(Life::Ended)
                if poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO) == Ok(0) =>
            {
                Ok((pidfd, Life::Ended))
            }
            _ => Err(Errno(libc::ESRCH)),
        }
    }

    /// A descriptor by which its namespaces can be joined: a main thread that has ended has none any more, but another
    /// thread has. `ESRCH` if the process has ended, `EINVAL` if the kernel has no descriptors of threads (before 6.9).
    pub fn open_to_join(&self) -> SysResult<OwnedFd> {
        match self.hold()? {
            (pidfd, Life::Alive) => Ok(pidfd),
            (_, Life::Ended) => self.open_thread(),
        }
    }

    /// Any thread that lives. The number of one may be a stranger's by the time it is opened, so that it is still one
    /// of ours is looked at afterwards.
    fn open_thread(&self) -> SysResult<OwnedFd> {
        let threads = format!("/proc/{}/task", self.pid);
        let numbers = std::fs::read_dir(&threads).into_iter().flatten().flatten();
        let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        for number in numbers.filter(|number| *number != self.pid) {
            match sys::process::pidfd_open_thread(number) {
                Ok(thread)
                    if Path::new(&format!("{threads}/{number}")).exists() && self.life() == Life::Alive =>
                {
                    return Ok(thread);
                }
                Err(Errno(libc::EINVAL)) => return Err(Errno(libc::EINVAL)),
                Ok(_) | Err(_) => {}
            }
        }
        Err(Errno(libc::ESRCH))
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
        // It does not exist, or a thread has the number by now.
        Err(Errno(libc::ESRCH | libc::EINVAL | libc::ENOENT)) => Some(Life::Ended),
        Err(_) => None,
    };
    held.iter().map(life).collect()
}

/// PID_FS_MAGIC of linux/magic.h.
const PIDFS: FsType = FsType(0x5049_4446);

/// This run of the kernel. Read once: it is another one only for another process.
pub fn boot_id() -> Option<String> {
    static BOOT: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        let text = file::read_at(file::cwd(), c"/proc/sys/kernel/random/boot_id", 64, 0).ok()?;
        String::from_utf8(text.trim_ascii().to_vec()).ok()
    };
    BOOT.get_or_init(read).clone()
}

/// Whether this process is still init, by the name that init gives itself: the exec of the program takes it away.
pub fn is_init(pid: i32) -> bool {
    sys::process::name(pid).is_ok_and(|name| name == "rruntime:init")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

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
