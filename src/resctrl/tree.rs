//! The mounted resctrl file system: found, verified, held; what is read and written in it.

use super::schema::Write;
use crate::error::{Error, Kind, Result};
use crate::host::cgroups::mounts_of;
use crate::sys::file::{self, DIRECTORY, INSIDE};
use crate::sys::{Errno, SysResult, c};
use nix::sys::statfs::{FsType, fstatfs};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// RDTGROUP_SUPER_MAGIC (linux/magic.h).
const MAGIC: FsType = FsType(0x0765_5821);
/// A schemata file has a number for each cache and node of the machine.
const LIMIT: usize = 1 << 20;

/// The top directory of resctrl. A group is named by its directory there; the empty name is the default group, the
/// top directory itself.
pub struct Tree {
    top: OwnedFd,
}

impl Tree {
    /// The first resctrl in the table of mounts, and where it is.
    pub fn find() -> Result<(PathBuf, Tree)> {
        for mount in mounts_of("resctrl")? {
            let mount = PathBuf::from(mount);
            if let Some(tree) = Tree::open(&mount)? {
                return Ok((mount, tree));
            }
        }
        let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
        let remedy = if known.lines().any(|line| line.ends_with("\tresctrl")) {
            "mount it with `mount -t resctrl resctrl /sys/fs/resctrl`"
        } else {
            "this kernel or this processor has none (CONFIG_X86_CPU_RESCTRL, and rdt_a or cqm in /proc/cpuinfo): leave \
             the field out"
        };
        Err(Error::new("no resctrl file system is mounted")
            .kind(Kind::Unsupported)
            .field("/linux/intelRdt")
            .remedy(remedy))
    }

    /// The resctrl at `mount`; `None` if there is none (any more).
    pub fn open(mount: &Path) -> Result<Option<Tree>> {
        let shown = mount.display();
        let failed = |errno: Errno| errno.because(format!("open {shown}")).field("/linux/intelRdt");
        let path = c(mount).map_err(failed)?;
        let top = match file::openat2(file::cwd(), &path, DIRECTORY, 0, 0) {
            Err(Errno(libc::ENOENT | libc::ENOTDIR)) => return Ok(None),
            other => other.map_err(failed)?,
        };
        let found = fstatfs(&top).map_err(|e| failed(e.into()))?;
        Ok((found.filesystem_type() == MAGIC).then_some(Tree { top }))
    }

    /// A directory with the files of resctrl in it, whatever file system it is on.
    pub fn of(top: OwnedFd) -> Tree {
        Tree { top }
    }

    /// The whole of `file` of a group, or with an empty name of the top: `mon_data/mon_L3_00/llc_occupancy`, say.
    pub fn read(&self, group: &str, file: &str) -> SysResult<String> {
        let path = below(group, file)?;
        let bytes = file::read_at(self.top.as_fd(), &path, LIMIT, INSIDE)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The names of the directories in `directory` of a group, sorted.
    pub(super) fn subdirectories(&self, group: &str, directory: &str) -> SysResult<Vec<String>> {
        let opened = file::openat2(self.top.as_fd(), &below(group, directory)?, DIRECTORY, 0, INSIDE)?;
        let names = file::subdirectories(opened.as_fd())?;
        let mut names: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The `schemata` of a group; `None` is the default group, which has every resource of the machine. A machine that
    /// only monitors has no such file.
    pub fn schemata(&self, group: Option<&str>) -> Result<String> {
        match self.read(group.unwrap_or_default(), "schemata") {
            Err(Errno(libc::ENOENT)) if group.is_none() => Ok(String::new()),
            other => other.map_err(|e| e.because("read the group's schemata").field("/linux/intelRdt")),
        }
    }

    /// Whether this is a group: a directory with tasks in it.
    pub fn has_group(&self, group: &str) -> Result<bool> {
        match below(group, "tasks")
            .and_then(|path| file::openat2(self.top.as_fd(), &path, libc::O_PATH, 0, INSIDE))
        {
            Ok(_) => Ok(true),
            Err(Errno(libc::ENOENT)) => Ok(false),
            Err(errno) => {
                Err(errno.because("look for the resctrl group").field("/linux/intelRdt").value(group))
            }
        }
    }

    /// Whether groups here can have monitoring groups.
    pub fn monitors(&self) -> bool {
        file::openat2(self.top.as_fd(), c"mon_groups", DIRECTORY, 0, INSIDE).is_ok()
    }

    pub fn make_group(&self, group: &str) -> Result<()> {
        self.make(&below("", group).map_err(|e| e.because("name the group"))?, "make the resctrl group")
            .map_err(|error| error.field("/linux/intelRdt").value(group))
    }

    pub fn make_monitor(&self, group: &str, monitor: &str) -> Result<()> {
        let path = monitor_path(group, monitor).map_err(|e| e.because("name the monitoring group"))?;
        self.make(&path, "make the monitoring group")
            .map_err(|error| error.field("/linux/intelRdt/enableMonitoring").value(monitor))
    }

    fn make(&self, path: &CStr, what: &'static str) -> Result<()> {
        file::mkdirat(self.top.as_fd(), path, 0o755).map_err(|errno| {
            let error = self.because(errno, what);
            match errno.0 {
                libc::ENOSPC => error.remedy(
                    "all groups that the hardware has are in use: remove one, or share one by closID",
                ),
                libc::EEXIST => error.remedy("another program has created it: remove it if it is left over"),
                libc::EACCES | libc::EPERM | libc::EROFS => {
                    error.remedy("this needs root, a writable mount, and hardware that supports allocation")
                }
                _ => error,
            }
        })
    }

    pub fn write_schemata(&self, group: &str, write: &Write) -> Result<()> {
        self.write(group, "schemata", &write.text).map_err(|e| {
            self.because(e, "write the schemata").field(write.field).value(write.text.trim_end())
        })
    }

    /// Adds a process, and what it starts from now on, to a group; and to its monitoring group.
    pub fn add_task(&self, group: &str, monitor: Option<&str>, pid: i32) -> Result<()> {
        let failed =
            |errno| self.because(errno, "add the process to the resctrl group").field("/linux/intelRdt");
        let text = pid.to_string();
        self.write(group, "tasks", &text).map_err(failed)?;
        // After the group: a monitoring group takes only tasks of the group that it is in.
        let Some(monitor) = monitor else { return Ok(()) };
        let directory = monitor_path(group, monitor).map_err(failed)?;
        self.write(&directory.to_string_lossy(), "tasks", &text).map_err(failed)
    }

    /// Whether nothing runs in the group; a group that is gone is empty.
    pub fn is_empty(&self, group: &str) -> bool {
        match self.read(group, "tasks") {
            Ok(tasks) => tasks.trim().is_empty(),
            Err(errno) => errno == Errno(libc::ENOENT),
        }
    }

    pub fn remove_group(&self, group: &str) -> Result<()> {
        self.remove(below("", group))
    }

    pub fn remove_monitor(&self, group: &str, monitor: &str) -> Result<()> {
        self.remove(monitor_path(group, monitor))
    }

    fn remove(&self, path: SysResult<CString>) -> Result<()> {
        match path.and_then(|path| file::unlinkat(self.top.as_fd(), &path, libc::AT_REMOVEDIR)) {
            Ok(()) | Err(Errno(libc::ENOENT)) => Ok(()),
            Err(errno) => Err(self.because(errno, "remove the resctrl group").field("/linux/intelRdt")),
        }
    }

    fn write(&self, group: &str, file: &str, text: &str) -> SysResult<()> {
        file::write_at(self.top.as_fd(), &below(group, file)?, text.as_bytes(), INSIDE)
    }

    /// The kernel says in a file of its own why it has refused.
    fn because(&self, errno: Errno, what: &'static str) -> Error {
        let said = self.read("", "info/last_cmd_status").unwrap_or_default();
        let said = said.trim();
        match said {
            "" | "ok" => errno.because(what),
            said => errno.because(said.replace('\n', "; ")).doing(what),
        }
    }
}

/// A path below the top. Names come from a record too, and decide what is removed.
fn below(group: &str, file: &str) -> SysResult<CString> {
    let path = if group.is_empty() { file.to_owned() } else { format!("{group}/{file}") };
    let bad = path.split('/').any(|part| matches!(part, "" | "." | ".."));
    if bad { Err(Errno(libc::EINVAL)) } else { c(path) }
}

fn monitor_path(group: &str, monitor: &str) -> SysResult<CString> {
    if monitor.contains('/') {
        return Err(Errno(libc::EINVAL));
    }
    below(group, &format!("mon_groups/{monitor}"))
}
