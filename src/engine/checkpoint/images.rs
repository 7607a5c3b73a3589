//! The directories of a checkpoint: its images, and CRIU's log. What lies in them before a restore is untrusted: it may
//! have been made to lead CRIU, which has all rights, to other files of the host.

use crate::error::{Error, Kind, Result};
use crate::plan::script::c;
use crate::sys::file::{self, cwd};
use crate::sys::{Errno, SysResult, mount};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Longer logs than this are not looked at.
const LOG_LIMIT: usize = 64 << 20;
const PARENT: &CStr = c"parent";
/// As many dumps may stand behind each other, each with what has changed since the one before.
const MOST_PARENTS: usize = 1000;

pub struct Images {
    pub directory: OwnedFd,
    pub work: Option<OwnedFd>,
    log: &'static str,
    log_path: PathBuf,
}

impl Images {
    /// For a dump: what is missing is made.
    pub fn make(path: &Path, work: Option<&Path>, log: &'static str) -> Result<Images> {
        std::fs::create_dir_all(path).map_err(|e| named(Error::io("make the directory", &e), IMAGE, path))?;
        Images::of(path, work, log, &|path| {
            file::openat2(cwd(), path, libc::O_RDONLY | libc::O_DIRECTORY, 0, 0)
        })
    }

    /// For a restore: each is a tree of its own, for CRIU's mount table.
    pub fn detached(path: &Path, work: Option<&Path>, log: &'static str) -> Result<Images> {
        Images::of(path, work, log, &|path| mount::clone_tree(cwd(), path, 0))
    }

    /// With a log of ours in it: CRIU would write through a link that bears its name.
    fn of(
        path: &Path,
        work: Option<&Path>,
        log: &'static str,
        open: &dyn Fn(&CStr) -> SysResult<OwnedFd>,
    ) -> Result<Images> {
        let opened = |path: &Path, field: &str| {
            let opened = crate::sys::c(path).and_then(|path| open(&path));
            let directory = opened.map_err(|e| named(e.because("open the directory"), field, path))?;
            match file::kind(directory.as_fd()) {
                Ok(libc::S_IFDIR) => Ok(directory),
                _ => Err(named(Error::new("not a directory"), field, path)),
            }
        };
        let directory = opened(path, IMAGE)?;
        if let Some(work) = work {
            std::fs::create_dir_all(work)
                .map_err(|e| named(Error::io("make the directory", &e), WORK, work))?;
        }
        let log_path = work.unwrap_or(path).join(log);
        let work = work.map(|work| opened(work, WORK)).transpose()?;
        let images = Images { directory, work, log, log_path };
        drop(create(images.logs(), &c(log))?);
        for statistics in [c"stats-dump", c"stats-restore"] {
            absent(images.logs(), statistics)?;
        }
        Ok(images)
    }

    fn logs(&self) -> BorrowedFd<'_> {
        self.work.as_ref().unwrap_or(&self.directory).as_fd()
    }

    /// What CRIU has written.
    pub fn log(&self) -> Option<String> {
        let bytes = file::read_at(self.logs(), &c(self.log), LOG_LIMIT, libc::RESOLVE_NO_SYMLINKS).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn log_name(&self) -> Option<String> {
        Some(self.log.to_owned())
    }

    pub fn log_path(&self) -> String {
        self.log_path.display().to_string()
    }

    /// Refuses images that are no plain files: a link, a pipe or a device would lead CRIU elsewhere. The images that this
    /// dump builds on are one link, which leads no further than to a directory beside.
    pub fn check(&self) -> Result<()> {
        check(self.directory.as_fd(), MOST_PARENTS)
    }

    /// A file of ours, in the place of whatever has that name.
    pub fn write(&self, name: &CStr, bytes: &[u8]) -> Result<()> {
        let file = create(self.directory.as_fd(), name)?;
        file::write_all(file.as_fd(), bytes).map_err(|e| e.because("write").value(name.to_string_lossy()))
    }

    pub fn read(&self, name: &CStr, limit: usize) -> Result<Vec<u8>> {
        file::read_at(self.directory.as_fd(), name, limit, libc::RESOLVE_NO_SYMLINKS)
            .map_err(|e| e.because(format!("read {}", name.to_string_lossy())).field(IMAGE))
    }
}

const IMAGE: &str = "--image-path";
const WORK: &str = "--work-path";

fn named(error: Error, field: &str, path: &Path) -> Error {
    error.kind(Kind::Argument).field(field).value(path.display())
}

fn absent(directory: BorrowedFd, name: &CStr) -> Result<()> {
    match file::unlinkat(directory, name, 0) {
        Ok(()) | Err(Errno(libc::ENOENT)) => Ok(()),
        Err(e) => Err(e.because("remove").value(name.to_string_lossy())),
    }
}

fn create(directory: BorrowedFd, name: &CStr) -> Result<OwnedFd> {
    absent(directory, name)?;
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
    file::openat2(directory, name, flags, 0o600, libc::RESOLVE_NO_SYMLINKS)
        .map_err(|e| e.because("make").value(name.to_string_lossy()))
}

fn check(directory: BorrowedFd, parents: usize) -> Result<()> {
    let listed = || -> std::io::Result<Vec<_>> {
        let entries = std::fs::read_dir(format!("/proc/self/fd/{}", directory.as_raw_fd()))?;
        entries.map(|entry| entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?)))).collect()
    };
    for (name, kind) in listed().map_err(|e| Error::io("list the images", &e))? {
        let is_parent = name.as_encoded_bytes() == PARENT.to_bytes();
        if !(kind.is_file() || kind.is_dir() || (kind.is_symlink() && is_parent)) {
            return Err(Error::new("the images of a checkpoint are plain files, and this is none")
                .field(IMAGE)
                .value(name.display())
                .remedy("do not restore this checkpoint: it was made to lead CRIU to other files"));
        }
        if is_parent {
            let parent = beside(directory)?;
            let left = parents.checked_sub(1).ok_or_else(|| {
                Error::new("the directories of this dump stand in a circle, or are too many").field(IMAGE)
            })?;
            check(parent.as_fd(), left)?;
        }
    }
    Ok(())
}

/// What `parent` leads to: a directory beside this one, or below it.
fn beside(directory: BorrowedFd) -> Result<OwnedFd> {
    let failed = |e: Errno| {
        e.because("open the images that this dump builds on").field(IMAGE).value("parent").remedy(
            "a dump and the one it builds on lie in one directory; \
             `parent` is a link from the one to the other",
        )
    };
    let link = file::link_of(directory).map_err(failed)?;
    let name = link.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let path = [name, b"/", PARENT.to_bytes()].concat();
    let path = std::ffi::CString::new(path).map_err(|_| failed(Errno(libc::EINVAL)))?;
    let above = file::openat2(directory, c"..", libc::O_PATH | libc::O_DIRECTORY, 0, 0).map_err(failed)?;
    let flags = libc::O_RDONLY | libc::O_DIRECTORY;
    file::openat2(above.as_fd(), &path, flags, 0, libc::RESOLVE_BENEATH).map_err(failed)
}
