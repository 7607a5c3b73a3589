//! Where a detached container's attach socket, exit status and settings lie: a directory of its own beside those of the
//! containers, which outlives the container. No other user can enter it.

use crate::error::{Error, Result};
use crate::shim::conmon::finish::{LOSS, reserve_of};
use crate::shim::detached::About;
use crate::shim::files;
use crate::state::{Life, Process};
use crate::sys::{Errno, c, file};
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// No id has a colon.
const PREFIX: &str = "detached:";
/// So many ended ones of a state directory are remembered.
const REMEMBERED: usize = 1000;
/// In bytes; a place's files have less.
const SMALL: usize = 64 << 10;

#[derive(Clone, Debug)]
pub struct Place {
    pub id: String,
    pub path: PathBuf,
}

impl Place {
    /// Of a container of this state directory. The id has been checked.
    pub fn of(root: &Path, id: &str) -> Place {
        Place { id: id.to_owned(), path: root.join(format!("{PREFIX}{id}")) }
    }

    /// A new one. What an ended container of the id has left is removed.
    pub fn make(&self) -> Result<()> {
        let root = self.path.parent().unwrap_or(Path::new("/"));
        let _held = lock(root)?;
        forget_the_oldest(root);
        if self.path.exists() {
            if self.is_in_use() {
                return Err(Error::argument("container-id", &self.id, "a shim has a container of this id")
                    .remedy("choose another id, delete that container, or end who is attached to it"));
            }
            remove(&self.path).map_err(|e| self.failed("remove", &e))?;
        }
        DirBuilder::new().mode(0o700).create(&self.path).map_err(|e| match e.raw_os_error() {
            Some(libc::ENAMETOOLONG) => {
                Error::argument("container-id", &self.id, "too long for a detached container")
                    .remedy(format!("use {} characters at most", 255 - PREFIX.len()))
            }
            _ => self.failed("make", &e),
        })?;
        let own = Process::of(std::process::id() as i32).map_err(|e| e.because("read /proc/self/stat"))?;
        // Room for the exit status: the disk may be full by then.
        self.write("command", own)
            .and_then(|()| files::write(&reserve_of(&self.path.join("exit")), &[b' '; 16]))
    }

    fn failed(&self, doing: &str, error: &std::io::Error) -> Error {
        Error::io(format!("{doing} {}", self.path.display()), error)
    }

    /// A shim has it, or a command that has just made it.
    fn is_in_use(&self) -> bool {
        let lives = |name| self.process_in(name).is_some_and(|process| process.life() == Life::Alive);
        lives("keeper") || lives("command") && self.process().is_none()
    }

    /// If it is still what this process has made, or its shim's parent.
    pub fn remove(&self) -> Result<()> {
        let root = self.path.parent().unwrap_or(Path::new("/"));
        let _held = lock(root)?;
        let own = [std::process::id() as i32, nix::unistd::getppid().as_raw()];
        let is = |name| self.process_in(name).is_some_and(|process| own.contains(&process.pid));
        if is("command") || is("keeper") {
            remove(&self.path).map_err(|e| self.failed("remove", &e))
        } else {
            Ok(())
        }
    }

    pub fn write_about(&self, about: &About) -> Result<()> {
        files::write(&self.path.join("about.json"), about.text()?.as_bytes())
    }

    /// `None`: no container of the id was started with `--log-output`.
    pub fn about(&self) -> Result<Option<About>> {
        let Some(text) = self.read("about.json")? else { return Ok(None) };
        let about = About::parse(&text).map_err(|e| {
            e.value(self.path.display())
                .remedy("remove this directory: what it says of the container is lost")
        });
        about.map(Some)
    }

    /// The keeper is this process's parent.
    pub fn write_keeper(&self) -> Result<()> {
        let parent = nix::unistd::getppid().as_raw();
        let keeper = Process::of(parent).map_err(|e| e.because(format!("read /proc/{parent}/stat")))?;
        self.write("keeper", keeper)
    }

    /// The container's first process.
    pub fn write_process(&self, process: Process) -> Result<()> {
        self.write("process", process)
    }

    fn write(&self, name: &str, process: Process) -> Result<()> {
        files::write(&self.path.join(name), format!("{} {}", process.pid, process.start).as_bytes())
    }

    /// While the container, or the end of its output, has a shim.
    pub fn keeper(&self) -> Option<Process> {
        self.process_in("keeper").filter(|keeper| keeper.life() == Life::Alive)
    }

    /// The first process of the container that this is the place of, running or not.
    pub fn process(&self) -> Option<Process> {
        self.process_in("process")
    }

    fn process_in(&self, name: &str) -> Option<Process> {
        let text = String::from_utf8(self.read(name).ok()??).ok()?;
        let (pid, start) = text.split_once(' ')?;
        Some(Process { pid: pid.parse().ok()?, start: start.parse().ok()? })
    }

    /// How the container's first process has ended: the code, or 128 + the signal.
    pub fn exit(&self) -> Result<Option<i32>> {
        let Some(text) = self.read("exit")? else { return Ok(None) };
        let code = String::from_utf8_lossy(&text).trim().parse();
        code.map(Some).map_err(|_| Error::new(format!("{}/exit holds no number", self.path.display())))
    }

    /// What of the output is in no log, if any is missing.
    pub fn loss(&self) -> Result<Option<String>> {
        Ok(self.read(LOSS)?.map(|text| String::from_utf8_lossy(&text).into_owned()))
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match file::read_path(self.path.join(name), SMALL) {
            Ok(text) => Ok(Some(text)),
            Err(Errno(libc::ENOENT | libc::ENOTDIR)) => Ok(None),
            Err(e) => Err(e.because(format!("read {}/{name}", self.path.display()))),
        }
    }
}

/// Held while places are made and removed.
fn lock(root: &Path) -> Result<OwnedFd> {
    let failed = |e: Errno| e.because(format!("lock {}", root.display()));
    let opened = c(root).and_then(|path| file::openat2(file::cwd(), &path, file::DIRECTORY, 0, 0));
    let opened = opened.map_err(failed)?;
    file::flock(opened.as_fd(), libc::LOCK_EX).map_err(failed)?;
    Ok(opened)
}

/// Of ended containers only so many are remembered.
fn forget_the_oldest(root: &Path) {
    // What cannot be read or removed stays: it does no harm.
    let Ok(entries) = fs::read_dir(root) else { return };
    let is_place = |name: OsString| name.to_str().is_some_and(|name| name.starts_with(PREFIX));
    let entries = entries.flatten().filter(|entry| is_place(entry.file_name()));
    let paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    if paths.len() < REMEMBERED {
        return;
    }
    let ended = |path: PathBuf| {
        let place = Place { id: String::new(), path };
        let last = fs::metadata(place.path.join("exit")).or_else(|_| fs::metadata(&place.path));
        if place.is_in_use() { None } else { Some((last.ok()?.modified().ok()?, place.path)) }
    };
    let mut ended: Vec<_> = paths.into_iter().filter_map(ended).collect();
    while ended.len() >= REMEMBERED {
        let oldest = ended.iter().enumerate().min_by_key(|(_, (age, _))| *age).map(|(at, _)| at);
        let Some((_, path)) = oldest.map(|at| ended.swap_remove(at)) else { return };
        // It is tried again by the next command.
        let _ = remove(&path);
    }
}

/// A directory of files.
fn remove(place: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(place)? {
        fs::remove_file(entry?.path())?;
    }
    fs::remove_dir(place)
}
