//! The directories of a checkpoint: its images, and CRIU's log. What lies in them before a restore is untrusted: it may
//! have been made to lead CRIU, which has all rights, to other files of the host, and may change at any time.
//!
//! ```text
//!  what CRIU is given        of
//!  images/0/                 a copy of the images, which were looked at (`look.rs`) and cannot change any more
//!     parent                 a link to ../1, of the dump that this one builds on; and so on
//!     pages-1.img, …         links to ../pages-0/pages-1.img, …
//!  images/pages-0/           the directory itself, where CRIU follows no link, for what is too large to copy
//!  work/                     the directory that its log is to be in
//! ```

use crate::criu::images::{Kind as Image, kind};
use crate::error::{Error, Kind, Result};
use crate::plan::criu::DIRECTORY;
use crate::plan::script::c;
use crate::sys::file::{self, cwd};
use crate::sys::{Errno, mount};
use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Longer logs than this are not looked at.
const LOG_LIMIT: usize = 64 << 20;
const PARENT: &CStr = c"parent";
/// As many dumps may stand behind each other, each with what has changed since the one before.
const MOST_PARENTS: usize = 100;
/// Of all images that are copied: they describe processes, and hold no memory.
const MOST_BYTES: usize = 512 << 20;
/// Nothing in such a tree leads elsewhere, or is run.
const TAME: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;

pub struct Images {
    pub directory: OwnedFd,
    pub work: Option<OwnedFd>,
    /// What CRIU's mount table gets, and where: for a restore.
    pub trees: Vec<(String, OwnedFd)>,
    log: &'static str,
    log_path: PathBuf,
}

impl Images {
    /// For a dump: what is missing is made.
    pub fn make(path: &Path, work: Option<&Path>, log: &'static str) -> Result<Images> {
        fs::create_dir_all(path).map_err(|e| named(Error::io("make the directory", &e), IMAGE, path))?;
        Images::open(path, work, log)
    }

    /// With a log of ours in it: CRIU would write through a link that bears its name.
    pub fn open(path: &Path, work: Option<&Path>, log: &'static str) -> Result<Images> {
        let directory = opened(path, IMAGE)?;
        if let Some(work) = work {
            fs::create_dir_all(work).map_err(|e| named(Error::io("make the directory", &e), WORK, work))?;
        }
        let log_path = work.unwrap_or(path).join(log);
        let work = work.map(|work| opened(work, WORK)).transpose()?;
        let images = Images { directory, work, trees: Vec::new(), log, log_path };
        drop(create(images.logs(), &c(log))?);
        for statistics in [c"stats-dump", c"stats-restore"] {
            absent(images.logs(), statistics)?;
        }
        Ok(images)
    }

    /// For a restore, from what was opened so. With `dedup` CRIU gives back the space of the memory that it has read.
    pub fn taken(self, dedup: bool) -> Result<Images> {
        let Images { directory, work, log, log_path, .. } = self;
        let tree = mount::detached_tmpfs().map_err(|e| e.because("make a directory for the images"))?;
        let top = PathBuf::from(format!("/proc/self/fd/{}", tree.as_raw_fd()));
        let logs = tame(work.as_ref().unwrap_or(&directory).as_fd(), 0)?;
        let mut trees = vec![(format!("{DIRECTORY}/work"), logs)];
        let mut left = MOST_BYTES;
        let mut next = Some(directory);
        while let Some(from) = next {
            let number = trees.len() - 1;
            if number > MOST_PARENTS {
                return Err(Error::new("the directories of this dump stand in a circle, or are too many")
                    .field(IMAGE));
            }
            next = copy(from.as_fd(), &top, number, &mut left)?;
            let flags = if dedup { 0 } else { libc::MOUNT_ATTR_RDONLY };
            trees.push((format!("{DIRECTORY}/images/pages-{number}"), tame(from.as_fd(), flags)?));
        }
        let open = |name| file::openat2(tree.as_fd(), name, libc::O_RDONLY | libc::O_DIRECTORY, 0, 0);
        let directory = open(c"0").map_err(|e| e.because("open the copy of the images"))?;
        mount::set_attributes(tree.as_fd(), TAME | libc::MOUNT_ATTR_RDONLY)
            .map_err(|e| e.because("make the copy of the images read-only"))?;
        let work = trees[0].1.try_clone().map_err(|e| Error::io("copy a descriptor", &e))?;
        // What is mounted in it comes behind it.
        trees.insert(0, (format!("{DIRECTORY}/images"), tree));
        Ok(Images { directory, work: Some(work), trees, log, log_path })
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

    /// A file of ours, in the place of whatever has that name.
    pub fn write(&self, name: &CStr, bytes: &[u8]) -> Result<()> {
        let file = create(self.directory.as_fd(), name)?;
        file::write_all(file.as_fd(), bytes).map_err(|e| e.because("write").value(name.to_string_lossy()))
    }

    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        read(self.directory.as_fd(), &c(name), MOST_BYTES)
    }

    pub fn read_if_there(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match file::openat2(self.directory.as_fd(), &c(name), libc::O_PATH, 0, 0) {
            Err(Errno(libc::ENOENT)) => Ok(None),
            _ => self.read(name).map(Some),
        }
    }

    /// The names of the images.
    pub fn names(&self) -> Result<Vec<String>> {
        let path = format!("/proc/self/fd/{}", self.directory.as_raw_fd());
        let names = fs::read_dir(path).map_err(|e| Error::io("list the images", &e))?;
        Ok(names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
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

fn opened(path: &Path, field: &str) -> Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY;
    let opened = crate::sys::c(path).and_then(|path| file::openat2(cwd(), &path, flags, 0, 0));
    opened.map_err(|e| named(e.because("open the directory"), field, path))
}

/// A tree of its own, with these attributes and all that keeps it from leading elsewhere.
fn tame(directory: BorrowedFd, attributes: u64) -> Result<OwnedFd> {
    let failed = |e: Errno| e.because("open the directory").field(IMAGE);
    let tree = mount::clone_tree(directory, c"", libc::AT_EMPTY_PATH).map_err(failed)?;
    mount::set_attributes(tree.as_fd(), attributes | TAME).map_err(failed)?;
    match mount::set_attributes(tree.as_fd(), libc::MOUNT_ATTR_NOSYMFOLLOW) {
        // Linux 5.14 knows it.
        Ok(()) | Err(Errno(libc::EINVAL)) => Ok(tree),
        Err(e) => Err(failed(e)),
    }
}

/// Copies the images of a directory to `number` in `top`. Returns the one that they build on.
fn copy(from: BorrowedFd, top: &Path, number: usize, left: &mut usize) -> Result<Option<OwnedFd>> {
    let listed = || -> std::io::Result<Vec<_>> {
        let entries = fs::read_dir(format!("/proc/self/fd/{}", from.as_raw_fd()))?;
        entries.map(|entry| entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?)))).collect()
    };
    let to = top.join(number.to_string());
    let made =
        |result: std::io::Result<()>| result.map_err(|e| Error::io("copy the images", &e).field(IMAGE));
    made(fs::create_dir(&to))?;
    made(fs::create_dir(top.join(format!("pages-{number}"))))?;
    let mut parent = None;
    for (name, file_type) in listed().map_err(|e| Error::io("list the images", &e).field(IMAGE))? {
        let Some(name) = name.to_str() else { continue };
        let kind = kind(name);
        if matches!(kind, Image::Image | Image::Content) && !file_type.is_file() {
            return Err(Error::new("the images of a checkpoint are plain files, and this is none")
                .field(IMAGE)
                .value(name)
                .remedy("do not restore this checkpoint: it was made to lead CRIU to other files"));
        }
        let link = |target: String| made(symlink(target, to.join(name)));
        match kind {
            Image::Other => {}
            Image::Parent => {
                parent = Some(beside(from)?);
                link(format!("../{}", number + 1))?;
            }
            Image::Content => link(format!("../pages-{number}/{name}"))?,
            Image::Image => {
                let bytes = read(from, &c(name), *left)?;
                *left -= bytes.len();
                made(fs::write(to.join(name), bytes))?;
            }
            Image::Unknown => {
                return Err(Error::new("the checkpoint has an image of something that is not restored")
                    .kind(Kind::Unsupported)
                    .field(IMAGE)
                    .value(name)
                    .remedy("only CRIU 4 or newer, without plugins, writes what `restore` reads"));
            }
        }
    }
    Ok(parent)
}

/// A plain file, whatever has taken its place since it was listed.
fn read(directory: BorrowedFd, name: &CStr, limit: usize) -> Result<Vec<u8>> {
    let value = || name.to_string_lossy();
    let flags = libc::O_RDONLY | libc::O_NOCTTY | libc::O_NONBLOCK;
    let failed = |e: Errno| e.because(format!("read {}", value())).field(IMAGE);
    let file = file::openat2(directory, name, flags, 0, libc::RESOLVE_NO_SYMLINKS).map_err(failed)?;
    if file::kind(file.as_fd()) != Ok(libc::S_IFREG) {
        return Err(Error::new("not a plain file").field(IMAGE).value(value()));
    }
    match file::read_all(file.as_fd(), limit) {
        Err(Errno(libc::EFBIG)) => Err(Error::new("the images are larger than 512 MB, without their memory")
            .field(IMAGE)
            .value(value())),
        other => other.map_err(failed),
    }
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
