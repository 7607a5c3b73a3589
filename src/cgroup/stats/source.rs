//! The files that count: bounded, relative to the held directories, and all of them may be missing.

use super::counters::{Cpu, Memory, MemoryUse, Pids};
use super::parse;
use crate::cgroup::files::held::{Held, on};
use crate::cgroup::files::walk::{INSIDE, c};
use crate::cgroup::location::Leg;
use crate::error::Result;
use crate::sys::{Errno, SysResult, file, unless_gone};
use nix::sys::uio::pread;
use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, OwnedFd};

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Everything,
    /// What is used now: what `stats` and `top` show, for many containers again and again.
    Use,
}

/// Files that stay open, each with `None` where this host does not have it; and whether the cgroup is gone.
#[derive(Default)]
pub(super) struct Kept {
    files: RefCell<Vec<(String, Option<OwnedFd>)>>,
    gone: Cell<bool>,
}

impl Kept {
    pub(super) fn is_gone(&self) -> bool {
        self.gone.get()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.borrow().iter().any(|(known, file)| known == name && file.is_some())
    }

    pub(super) fn count(&self) -> usize {
        self.files.borrow().iter().filter(|(_, file)| file.is_some()).count()
    }

    fn read(&self, held: Option<&Held>, name: &str) -> SysResult<String> {
        let mut files = self.files.borrow_mut();
        let at = match files.iter().position(|(known, _)| known == name) {
            Some(at) => at,
            None => {
                let open =
                    |held: &Held| file::openat2(held.dir.as_fd(), &c(name)?, libc::O_RDONLY, 0, INSIDE);
                files.push((name.to_owned(), held.map(open).map_or(Ok(None), unless_gone)?));
                files.len() - 1
            }
        };
        let file = files[at].1.as_ref().ok_or(Errno(libc::ENOENT))?;
        let read = again(file);
        if read == Err(Errno(libc::ENODEV)) {
            self.gone.set(true);
        }
        read
    }
}

/// A file of the kernel's from its start, as it is now.
pub(in crate::cgroup) fn again(file: &OwnedFd) -> SysResult<String> {
    const LIMIT: usize = 1 << 20;
    let mut bytes = vec![0; 4096];
    let mut length = 0;
    loop {
        let read = pread(file, &mut bytes[length..], length as libc::off_t)?;
        length += read;
        // What fits is given at once.
        if read == 0 || length < bytes.len() || length >= LIMIT {
            bytes.truncate(length);
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        bytes.resize(2 * length, 0);
    }
}

/// One hierarchy's files, as they are read.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub leg: &'a Leg,
    /// Its directory, which is not needed once every file is open.
    pub held: Option<&'a Held>,
    pub kept: Option<&'a Kept>,
    pub extent: Extent,
}

impl<'a> Source<'a> {
    pub(super) fn all_of(held: &'a Held) -> Source<'a> {
        Source { leg: &held.leg, held: Some(held), kept: None, extent: Extent::Everything }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.extent == Extent::Everything
    }

    fn read(&self, name: &str) -> SysResult<String> {
        match (self.kept, self.held) {
            (Some(kept), held) => kept.read(held, name),
            (None, Some(held)) => held.read(name),
            (None, None) => Err(Errno(libc::ENOENT)),
        }
    }

    /// The text of a file; `None` if this host does not have it, or the cgroup is gone.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>> {
        match unless_gone(self.read(name)) {
            // Pressure that is switched off; the processes of a threaded cgroup.
            Err(Errno(libc::EOPNOTSUPP)) => Ok(None),
            other => other.map_err(|errno| on(self.leg, &format!("read {name} of"), errno)),
        }
    }

    /// The only number of a file.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>> {
        Ok(self.text(name)?.and_then(|text| parse::number(&text)))
    }

    /// [`Held::number`], or 0 without the file.
    pub(super) fn count(&self, name: &str) -> Result<u64> {
        self.number(name).map(Option::unwrap_or_default)
    }

    /// Tasks; `None` without the controller.
    pub(super) fn tasks(&self) -> Result<Option<Pids>> {
        let Some(current) = self.number("pids.current")? else { return Ok(None) };
        // "max" is no limit.
        let limit = Some(self.count("pids.max")?).filter(|limit| *limit != u64::MAX);
        Ok(Some(Pids { current, limit: limit.unwrap_or(0) }))
    }

    /// cpu.stat: the times that v1 has in nanoseconds v2 has in microseconds, with those of cpuacct.
    pub(super) fn cpu_stat(&self, cpu: &mut Cpu) -> Result<()> {
        let text = self.text("cpu.stat")?.unwrap_or_default();
        for (name, value) in parse::pairs(&text) {
            let nanoseconds = value.saturating_mul(1000);
            match name {
                "usage_usec" => cpu.usage.total = nanoseconds,
                "user_usec" => cpu.usage.user = nanoseconds,
                "system_usec" => cpu.usage.kernel = nanoseconds,
                "nr_periods" => cpu.throttling.periods = value,
                "nr_throttled" => cpu.throttling.throttled_periods = value,
                "throttled_time" => cpu.throttling.throttled_time = value,
                "throttled_usec" => cpu.throttling.throttled_time = nanoseconds,
                _ => {}
            }
        }
        Ok(())
    }

    /// memory.stat, of which the line `cache` is the page cache; false where memory is not counted.
    pub(super) fn memory_lines(&self, cache: &str, memory: &mut Memory) -> Result<bool> {
        let Some(text) = self.text("memory.stat")? else { return Ok(false) };
        memory.raw.extend(parse::pairs(&text).map(|(name, value)| (name.to_owned(), value)));
        memory.cache = memory.raw.get(cache).copied().unwrap_or(0);
        Ok(true)
    }

    /// Usage, limit, and the most that was used, by the last part of the files' names. This kernel may not count all kinds.
    pub(super) fn memory_use(&self, kind: &str, names: [&str; 3]) -> Result<MemoryUse> {
        let [usage, limit, max] = names.map(|name| format!("{kind}.{name}"));
        let Some(usage) = self.number(&usage)? else { return Ok(MemoryUse::default()) };
        let max = if self.is_whole() { self.count(&max)? } else { 0 };
        Ok(MemoryUse { limit: self.count(&limit)?, usage, max, failcnt: 0 })
    }
}

/// The sizes of this host's huge pages, as the hugetlb controller writes them in its files' names.
pub(super) fn huge_page_sizes() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/sys/kernel/mm/hugepages") else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| parse::page_size(&name)).collect()
}
