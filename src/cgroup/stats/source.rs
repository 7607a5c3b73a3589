//! The files that count: bounded, relative to the held directories, and all of them may be missing.

use super::parse;
use crate::cgroup::files::held::{Held, on};
use crate::error::Result;
use crate::sys::Errno;

impl Held {
    /// The text of a file; `None` if this host does not have it, or the cgroup is gone.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>> {
        match self.read(name) {
            Ok(text) => Ok(Some(text)),
            // EOPNOTSUPP: pressure that is switched off; the processes of a threaded cgroup.
            Err(Errno(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP)) => Ok(None),
            Err(errno) => Err(on(&self.leg, &format!("read {name} of"), errno)),
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

    pub(super) fn pids_limit(&self) -> Result<u64> {
        // "max" is no limit.
        self.count("pids.max").map(|limit| if limit == u64::MAX { 0 } else { limit })
    }
}

/// The sizes of this host's huge pages, as the hugetlb controller writes them in its files' names.
pub(super) fn huge_page_sizes() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/sys/kernel/mm/hugepages") else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| parse::page_size(&name)).collect()
}
