//! The directories of a checkpoint: its images, and CRIU's log. What lies in them before a restore is untrusted: it may
//! have been made to lead CRIU, which has all rights, to other files of the host, and may change at any time. A dump makes
//! every file anew, in a directory that no other user can write to.
//!
//! ```text
//!  what CRIU is given        of
//!  images/0/                 a copy of the images, which were looked at (`look.rs`) and cannot change any more
//!     parent                 a link to ../1, of the dump that this one builds on; and so on
//!     pages-1.img, …         the files themselves, mounted one by one, for what is too large to copy: processes in a user
//!                            namespace read them, and may not enter the directory, which is the host's root's alone
//!  work/                     the directory that its log is to be in
//! ```

use crate::criu::images::{Kind as Image, kind};
use crate::engine::OpenFiles;
use crate::engine::child::open_files::RaisedLimit;
use crate::error::{Error, Kind, Result};
use crate::plan::criu::DIRECTORY;
use crate::plan::script::c;
use crate::sys::file::{self, cwd};
use crate::sys::{Errno, mount};
use nix::sys::stat::fstat;
use nix::unistd::geteuid;
use std::ffi::CStr;
use std::fs::{self, DirBuilder};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, symlink};
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
    /// Each of them is a descriptor.
    _raised: Option<RaisedLimit>,
    log: &'static str,
    log_path: PathBuf,
}

impl Images {
    /// For a dump: what is missing is made. CRIU writes to files that are there, and through links.
    pub fn make(path: &Path, work: Option<&Path>, log: &'static str) -> Result<Images> {
        make_directory(path, IMAGE)?;
        let images = Images::open(path, work, log)?;
        let work = images.work.iter().zip(work).map(|(work, path)| (work, path, WORK));
        for (directory, path, field) in work.chain([(&images.directory, path, IMAGE)]) {
            own(directory.as_fd()).map_err(|e| named(e, field, path))?;
        }
        for name in images.names()?.iter().filter(|name| kind(name) != Image::Other) {
            absent(images.directory.as_fd(), &c(name)).map_err(|e| e.field(IMAGE))?;
        }
        Ok(images)
    }

    /// With a log of ours in it: CRIU would write through a link that bears its name.
    pub fn open(path: &Path, work: Option<&Path>, log: &'static str) -> Result<Images> {
        let directory = opened(path, IMAGE)?;
        if let Some(work) = work {
            make_directory(work, WORK)?;
        }
        let log_path = work.unwrap_or(path).join(log);
        let work = work.map(|work| opened(work, WORK)).transpose()?;
        let images = Images { directory, work, trees: Vec::new(), _raised: None, log, log_path };
        drop(create(images.logs(), &c(log))?);
        for statistics in [c"stats-dump", c"stats-restore"] {
            absent(images.logs(), statistics)?;
        }
        Ok(images)
    }

    /// For a restore, from what was opened so. With `dedup` CRIU gives back the space of the memory that it has read.
    pub fn taken(self, dedup: bool, open_files: OpenFiles) -> Result<Images> {
        let Images { directory, work, log, log_path, .. } = self;
        let tree = mount::detached_tmpfs().map_err(|e| e.because("make a directory for the images"))?;
        let top = PathBuf::from(format!("/proc/self/fd/{}", tree.as_raw_fd()));
        let logs = tame(work.as_ref().unwrap_or(&directory).as_fd(), 0)?;
        let (mut left, mut dumps) = (MOST_BYTES, Vec::new());
        let mut next = Some(directory);
        while let Some(from) = next {
            if dumps.len() > MOST_PARENTS {
                return Err(Error::new("the directories of this dump stand in a circle, or are too many")
                    .field(IMAGE));
            }
            let (parent, contents) = copy(from.as_fd(), &top, dumps.len(), &mut left)?;
            dumps.push((from, contents));
            next = parent;
        }
        let count = dumps.iter().map(|(_, contents)| contents.len()).sum();
        let raised = RaisedLimit::for_files(count, open_files)?;
        let mut trees = vec![(format!("{DIRECTORY}/work"), logs)];
        let flags = if dedup { 0 } else { libc::MOUNT_ATTR_RDONLY };
        for (number, (from, contents)) in dumps.iter().enumerate() {
            for name in contents {
                let place = format!("{DIRECTORY}/images/{number}/{name}");
                trees.push((place, content(from.as_fd(), name, flags)?));
            }
        }
        let open = |name| file::openat2(tree.as_fd(), name, libc::O_RDONLY | libc::O_DIRECTORY, 0, 0);
        let directory = open(c"0").map_err(|e| e.because("open the copy of the images"))?;
        mount::set_attributes(tree.as_fd(), TAME | libc::MOUNT_ATTR_RDONLY)
            .map_err(|e| e.because("make the copy of the images read-only"))?;
        let work = trees[0].1.try_clone().map_err(|e| Error::io("copy a descriptor", &e))?;
        // What is mounted in it comes behind it.
        trees.insert(0, (format!("{DIRECTORY}/images"), tree));
        Ok(Images { directory, work: Some(work), trees, _raised: raised, log, log_path })
    }

    /// The earlier dump that this one builds on: CRIU writes the path into a link.
    pub fn parent(&self, path: &str) -> Result<String> {
        let refused = |reason: &'static str| Err(Error::argument("--parent-path", path, reason));
        if Path::new(path).is_absolute() {
            return refused("--parent-path must be relative");
        }
        // The way there leads through the directory of this dump.
        match fs::metadata(format!("/proc/self/fd/{}/{path}", self.directory.as_raw_fd())) {
            Ok(found) if found.is_dir() => Ok(path.to_owned()),
            Ok(_) => refused("invalid --parent-path: not a directory"),
            Err(e) => Err(Error::io("invalid --parent-path", &e)
                .kind(Kind::Argument)
                .field("--parent-path")
                .value(path)
                .remedy("it is a path from the image directory, such as ../earlier")),
        }
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

/// What is in it is all of a container's memory.
fn make_directory(path: &Path, field: &str) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| named(Error::io("make the directory", &e), field, path))
}

/// No other user can put a link, or a file of its own, where CRIU is about to write.
fn own(directory: BorrowedFd) -> Result<()> {
    let found = fstat(directory).map_err(|e| Errno::from(e).because("look at the directory"))?;
    let group = if found.st_gid == 0 { 0 } else { libc::S_IWGRP };
    if found.st_uid == geteuid().as_raw() && found.st_mode & (group | libc::S_IWOTH) == 0 {
        return Ok(());
    }
    Err(Error::new("another user can write to the directory, and could lead CRIU to other files")
        .remedy("name a directory that is not there yet, or one that root alone can write to"))
}

/// No file, and no link: a directory stays.
fn absent(directory: BorrowedFd, name: &CStr) -> Result<()> {
    match file::unlinkat(directory, name, 0) {
        Ok(()) | Err(Errno(libc::ENOENT | libc::EISDIR)) => Ok(()),
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

/// A file of memory, to be mounted.
fn content(directory: BorrowedFd, name: &str, attributes: u64) -> Result<OwnedFd> {
    let failed = |e: Errno| e.because("open").field(IMAGE).value(name);
    let file = mount::clone_tree(directory, &c(name), libc::AT_SYMLINK_NOFOLLOW).map_err(failed)?;
    if file::kind(file.as_fd()) != Ok(libc::S_IFREG) {
        return Err(not_plain(name));
    }
    mount::set_attributes(file.as_fd(), attributes | TAME).map_err(failed)?;
    Ok(file)
}

fn not_plain(name: &str) -> Error {
    Error::new("the images of a checkpoint are plain files, and this is none")
        .field(IMAGE)
        .value(name)
        .remedy("do not restore this checkpoint: it was made to lead CRIU to other files")
}

/// Copies the images of a directory to `number` in `top`. Returns the directory that they build on, and the names of what is
/// not copied: there is an empty file for each.
fn copy(
    from: BorrowedFd,
    top: &Path,
    number: usize,
    left: &mut usize,
) -> Result<(Option<OwnedFd>, Vec<String>)> {
    let listed = || -> std::io::Result<Vec<_>> {
        let entries = fs::read_dir(format!("/proc/self/fd/{}", from.as_raw_fd()))?;
        entries.map(|entry| entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?)))).collect()
    };
    let to = top.join(number.to_string());
    let made =
        |result: std::io::Result<()>| result.map_err(|e| Error::io("copy the images", &e).field(IMAGE));
    made(fs::create_dir(&to))?;
    let (mut parent, mut contents) = (None, Vec::new());
    for (name, file_type) in listed().map_err(|e| Error::io("list the images", &e).field(IMAGE))? {
        let Some(name) = name.to_str() else { continue };
        let kind = kind(name);
        if matches!(kind, Image::Image | Image::Content) && !file_type.is_file() {
            return Err(not_plain(name));
        }
        match kind {
            Image::Other => {}
            Image::Parent => {
                parent = Some(beside(from)?);
                made(symlink(format!("../{}", number + 1), to.join(name)))?;
            }
            Image::Content => {
                made(fs::write(to.join(name), ""))?;
                contents.push(name.to_owned());
            }
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
    Ok((parent, contents))
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
