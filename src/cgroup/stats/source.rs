//! The files that count: bounded, relative to the held directories, and all of them may be missing.

use super::counters::{Cpu, Memory, MemoryUse, Pids};
use super::parse;
use crate::cgroup::files::held::{Held, on};
use crate::error::Result;
use crate::sys::{Errno, unless_gone};

impl Held {
    /// The text of a file; `None` if this host does not have it, or the cgroup is gone.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>> {
        match unless_gone(self.read(name)) {
            // Pressure that is switched off; the processes of a threaded cgroup.
            Err(Errno(libc::EOPNOTSUPP)) => Ok(None),
            other => other.map_err(|errno| on(&self.leg, &format!("read {name} of"), errno)),
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
        Ok(MemoryUse { limit: self.count(&limit)?, usage, max: self.count(&max)?, failcnt: 0 })
    }
}

/// The sizes of this host's huge pages, as the hugetlb controller writes them in its files' names.
pub(super) fn huge_page_sizes() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/sys/kernel/mm/hugepages") else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| parse::page_size(&name)).collect()
}
