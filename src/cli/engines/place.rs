//! Files of engines, below the root of the machine or of a tree that is not running (`--prefix`). No link of
//! such a tree leads out of it. A file is replaced as a whole, and what it was stays beside it.

use crate::error::{Error, Result};
use crate::sys::{Errno, SysResult, c, file};
use nix::fcntl::AtFlags;
use nix::unistd::linkat;
use std::ffi::CString;
use std::fs::{File, Permissions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// No configuration is longer: those that engines ship have some thirty kilobytes.
const LONGEST: usize = 256 << 10;
const INSIDE: u64 = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
/// What a file was, beside it: engines read no file of this name.
const BEFORE: &str = ".before-rruntime";

pub struct Place {
    root: OwnedFd,
    /// As it is shown to people; empty for the machine's own root.
    prefix: PathBuf,
}

impl Place {
    pub fn open(prefix: Option<PathBuf>) -> Result<Place> {
        let path = prefix.as_deref().unwrap_or(Path::new("/"));
        let opened = c(path)
            .and_then(|path| file::openat2(file::cwd(), &path, libc::O_PATH | libc::O_DIRECTORY, 0, 0));
        let root =
            opened.map_err(|errno| errno.because(format!("open {}", path.display())).field("--prefix"))?;
        Ok(Place { root, prefix: prefix.unwrap_or_default() })
    }

    /// Where a file is, for people.
    pub fn shown(&self, path: &str) -> String {
        format!("{}{path}", self.prefix.display()).replace("//", "/")
    }

    fn failed(&self, what: &str, path: &str, errno: Errno) -> Error {
        let error = errno.because(format!("{what} {}", self.shown(path)));
        match errno.0 {
            libc::EACCES | libc::EPERM => error.remedy("be root, or use the files of your own engines"),
            libc::ELOOP => error.remedy("it is a link: change the file that it leads to by hand"),
            _ => error,
        }
    }

    fn open_at(&self, path: &str, flags: i32) -> SysResult<OwnedFd> {
        file::openat2(self.root.as_fd(), &c(path)?, flags, 0, INSIDE)
    }

    pub fn exists(&self, path: &str) -> bool {
        self.open_at(path, libc::O_PATH).is_ok()
    }

    /// `None`: there is no such file.
    pub fn read(&self, path: &str) -> Result<Option<String>> {
        let failed = |errno| self.failed("read", path, errno);
        let found = match self.open_at(path, libc::O_PATH) {
            Err(Errno(libc::ENOENT | libc::ENOTDIR)) => return Ok(None),
            found => found.map_err(failed)?,
        };
        // Looked at before it is opened: a device of the tree's choice could do something by that alone.
        if file::kind(found.as_fd()).map_err(failed)? != libc::S_IFREG {
            return Err(Error::new("is not a regular file").value(self.shown(path)));
        }
        let opened = file::reopen(found.as_fd(), libc::O_RDONLY | libc::O_NONBLOCK);
        let bytes = opened.and_then(|opened| file::read_all(opened.as_fd(), LONGEST)).map_err(failed)?;
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|_| Error::new("the file is not UTF-8 text").value(self.shown(path)))
    }

    /// The files of a directory whose names end so, sorted, with their paths.
    pub fn list(&self, directory: &str, ending: &str) -> Vec<String> {
        let Ok(opened) = self.open_at(directory, libc::O_RDONLY | libc::O_DIRECTORY) else {
            return Vec::new();
        };
        // By the held directory: its name could lead elsewhere by now.
        let entries = std::fs::read_dir(format!("/proc/self/fd/{}", opened.as_raw_fd()));
        let names = entries.into_iter().flatten().flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut paths: Vec<String> =
            names.filter(|name| name.ends_with(ending)).map(|name| format!("{directory}/{name}")).collect();
        paths.sort_unstable();
        paths
    }

    /// The directory of a file, made where it is missing.
    fn directory(&self, path: &str) -> SysResult<OwnedFd> {
        let (directory, _) = path.rsplit_once('/').unwrap_or_default();
        for (end, _) in directory.match_indices('/').skip(1).chain([(directory.len(), "")]) {
            let above = directory[..end]
                .rsplit_once('/')
                .map_or(".", |(above, _)| if above.is_empty() { "." } else { above });
            let name = directory[..end].rsplit('/').next().unwrap_or_default();
            let parent = self.open_at(above, libc::O_PATH | libc::O_DIRECTORY)?;
            match file::mkdirat(parent.as_fd(), &c(name)?, 0o755) {
                Ok(()) | Err(Errno(libc::EEXIST)) => {}
                Err(errno) => return Err(errno),
            }
        }
        self.open_at(directory, libc::O_RDONLY | libc::O_DIRECTORY)
    }

    /// Writes `new` where `old` is, or nothing. Returns the path of what it was.
    pub fn replace(&self, path: &str, old: Option<&str>, new: &str) -> Result<Option<String>> {
        // Another program may have written it since it was read; a link has to stay one.
        if self.read(path)?.as_deref() != old {
            return Err(Error::new("the file has changed in the meantime")
                .value(self.shown(path))
                .remedy("try again"));
        }
        let (directory, name) = path.rsplit_once('/').unwrap_or_default();
        let part = c(format!(".{name}.rruntime-{}", std::process::id()));
        let done = self.directory(path).and_then(|inside| {
            let (inside, part, name) = (inside.as_fd(), part?, c(name)?);
            let done = swap(inside, &part, &name, old.is_some(), new);
            if done.is_err() {
                // It may not be there at all; the error is what matters.
                let _ = file::unlinkat(inside, &part, 0);
            }
            done
        });
        let kept = done.map_err(|errno| self.failed("write", path, errno))?;
        Ok(kept.map(|kept| format!("{directory}/{kept}")))
    }

    /// What the file was before its last change: path and text.
    pub fn before(&self, path: &str) -> Result<Option<(String, String)>> {
        let (directory, name) = path.rsplit_once('/').unwrap_or_default();
        let mut newest = None;
        for number in 1.. {
            let kept = format!("{directory}/{}", numbered(name, number));
            match self.read(&kept)? {
                Some(text) => newest = Some((kept, text)),
                None => break,
            }
        }
        Ok(newest)
    }

    /// Removes the file, or gives it back what it was.
    pub fn restore(&self, path: &str, kept: Option<&str>) -> Result<()> {
        let name = |path: &str| c(path.rsplit('/').next().unwrap_or_default());
        let done = self.directory(path).and_then(|inside| match kept {
            None => file::unlinkat(inside.as_fd(), &name(path)?, 0),
            Some(kept) => file::renameat(inside.as_fd(), &name(kept)?, &name(path)?),
        });
        done.map_err(|errno| self.failed("restore", path, errno))
    }
}

/// The first, the second … copy of a file.
fn numbered(name: &str, number: u32) -> String {
    if number == 1 { format!("{name}{BEFORE}") } else { format!("{name}{BEFORE}.{number}") }
}

fn swap(
    inside: BorrowedFd,
    part: &CString,
    name: &CString,
    exists: bool,
    new: &str,
) -> SysResult<Option<String>> {
    let failed = |e: std::io::Error| Errno(e.raw_os_error().unwrap_or(libc::EIO));
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
    let written = File::from(file::openat2(inside, part, flags, 0o600, INSIDE)?);
    file::write_all(written.as_fd(), new.as_bytes())?;
    let mut kept = None;
    let mut mode = 0o644;
    if exists {
        let old = File::from(file::openat2(inside, name, libc::O_PATH | libc::O_NOFOLLOW, 0, INSIDE)?);
        if file::kind(old.as_fd())? != libc::S_IFREG {
            return Err(Errno(libc::ELOOP));
        }
        let old = old.metadata().map_err(failed)?;
        mode = old.mode() & 0o7777;
        fchown(&written, Some(old.uid()), Some(old.gid())).map_err(failed)?;
        let text = name.to_string_lossy();
        for number in 1.. {
            let copy = numbered(&text, number);
            match linkat(inside, name.as_c_str(), inside, copy.as_str(), AtFlags::empty()) {
                Ok(()) => {
                    kept = Some(copy);
                    break;
                }
                Err(nix::errno::Errno::EEXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
    written.set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
    written.sync_all().map_err(failed)?;
    file::renameat(inside, part, name)?;
    Ok(kept)
}
