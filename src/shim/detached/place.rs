//! Where a detached container's attach socket, exit status and settings lie: a directory of its own beside those of the
//! containers, which outlives the container. No other user can enter it.

use crate::error::{Error, Result};
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

    /// A new one, in which nobody else makes a container while the descriptor is open. What an ended container of the id has
    /// left is removed.
    pub fn make(&self) -> Result<OwnedFd> {
        let all = self.path.parent().unwrap_or(Path::new("/"));
        forget_the_oldest(all);
        let lock = || -> Result<OwnedFd> {
            let failed = |e: Errno| match e {
                Errno(libc::EWOULDBLOCK) => self.in_use(),
                e => e.because(format!("lock {}", self.path.display())),
            };
            let place =
                c(&self.path).and_then(|path| file::openat2(file::cwd(), &path, file::DIRECTORY, 0, 0));
            let place = place.map_err(failed)?;
            file::flock(place.as_fd(), libc::LOCK_EX | libc::LOCK_NB).map_err(failed)?;
            Ok(place)
        };
        if self.path.exists() {
            let _held = lock()?;
            if self.keeper().is_some() {
                return Err(self.in_use());
            }
            self.remove()?;
        }
        let made = DirBuilder::new().mode(0o700).create(&self.path);
        made.map_err(|e| Error::io(format!("make {}", self.path.display()), &e))?;
        lock()
    }

    fn in_use(&self) -> Error {
        Error::argument("container-id", &self.id, "a shim has a container of this id")
            .remedy("choose another id, or delete that container")
    }

    pub fn remove(&self) -> Result<()> {
        remove(&self.path).map_err(|e| Error::io(format!("remove {}", self.path.display()), &e))
    }

    pub fn write_about(&self, about: &About) -> Result<()> {
        let text = serde_json::to_string(about).map_err(|e| Error::new(e.to_string()))?;
        files::write(&self.path.join("about.json"), text.as_bytes())
    }

    /// `None`: no container of the id was started with `--log-output`.
    pub fn about(&self) -> Result<Option<About>> {
        let Some(text) = self.read("about.json")? else { return Ok(None) };
        let about = serde_json::from_slice(&text);
        about.map(Some).map_err(|e| Error::new(format!("read {}/about.json: {e}", self.path.display())))
    }

    /// The keeper is this process's parent.
    pub fn write_keeper(&self) -> Result<()> {
        let parent = nix::unistd::getppid().as_raw();
        let keeper = Process::of(parent).map_err(|e| e.because(format!("read /proc/{parent}/stat")))?;
        // A successor needs no room on the disk to begin.
        if self.process_in("keeper") == Some(keeper) { Ok(()) } else { self.write("keeper", keeper) }
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

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match file::read_path(self.path.join(name), SMALL) {
            Ok(text) => Ok(Some(text)),
            Err(Errno(libc::ENOENT | libc::ENOTDIR)) => Ok(None),
            Err(e) => Err(e.because(format!("read {}/{name}", self.path.display()))),
        }
    }
}

/// Of ended containers only so many are remembered.
fn forget_the_oldest(all: &Path) {
    // What cannot be read or removed stays: it does no harm.
    let Ok(entries) = fs::read_dir(all) else { return };
    let is_place = |name: OsString| name.to_str().is_some_and(|name| name.starts_with(PREFIX));
    let entries = entries.flatten().filter(|entry| is_place(entry.file_name()));
    let paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    if paths.len() < REMEMBERED {
        return;
    }
    let age = |path: &PathBuf| fs::metadata(path.join("exit")).ok()?.modified().ok();
    let mut ended: Vec<_> = paths.iter().filter_map(|path| Some((age(path)?, path))).collect();
    for _ in REMEMBERED..=paths.len() {
        let oldest = ended.iter().enumerate().min_by_key(|(_, (age, _))| *age).map(|(at, _)| at);
        let Some((_, path)) = oldest.map(|at| ended.swap_remove(at)) else { return };
        // It is tried again by the next command.
        let _ = remove(path);
    }
}

/// A directory of files.
fn remove(place: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(place)? {
        fs::remove_file(entry?.path())?;
    }
    fs::remove_dir(place)
}
