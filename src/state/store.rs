//! The root of all containers, and one container's directory.

use super::brief::{Brief, LONGEST};
use super::foreign;
use super::id;
use super::process::{Inode, Life, boot_id, is_init};
use super::record::{Phase, Record};
use crate::error::{Error, Kind, Result};
use crate::sys::poll::Rest;
use crate::sys::{Errno, SysResult, c, file, identity, unless_gone};
use crate::time;
use nix::fcntl::renameat;
use nix::sys::stat::fstat;
use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::fs::DirBuilder;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

const STATE: &CStr = c"state.json";
const STATE_NEXT: &CStr = c".state.json.next";
const BRIEF: &CStr = c"brief";
const CONFIG: &CStr = c"config.json";
const SCRIPT: &CStr = c"script";
/// As long as it exists, the container's init may wait for the word to start.
pub const START_AWAITED: &CStr = c"start.awaited";
/// The pipes of start where `start` cannot take them from init; init reads the word as long as it waits for it.
pub const START_WORD: &CStr = c"start.word";
pub const START_ANSWER: &CStr = c"start.answer";
/// The socket on which a container that 0.1.0 has created waits instead.
pub const START_SOCKET: &CStr = c"start.sock";
/// The only directory in it.
const NOTIFY: &CStr = c"notify";
/// In the order of their removal: as long as the record exists, `list` and `delete` know what this was.
const OURS: [&CStr; 9] =
    [BRIEF, START_AWAITED, START_WORD, START_ANSWER, START_SOCKET, SCRIPT, CONFIG, STATE_NEXT, STATE];

/// A larger config.json is refused before it is read.
const LARGEST_CONFIG: usize = 64 << 20;
const LARGEST_STATE: usize = 16 << 20;
/// How long a command waits for another one on the same container.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a root that is not there means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoot {
    /// It is made, with its parents, for us alone (0700).
    Make,
    /// There are no containers.
    Empty,
    /// The reader named a directory that does not exist.
    Refuse,
}

/// The directory that holds every container's directory.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// Absent if the root is.
    dir: Option<OwnedFd>,
    /// The owner of the root.
    owner: u32,
    /// Where a container is looked for that is not here: [`Store::beside`].
    beside: Option<Box<Store>>,
}

impl Store {
    /// `root` must be absolute.
    pub fn open(root: &Path, missing: NoRoot) -> Result<Store> {
        let path = root.to_path_buf();
        let no_name =
            |_| Error::new("a path cannot hold a NUL byte").kind(Kind::Argument).value(root.display());
        let name = c(root).map_err(no_name)?;
        let dir = match (open_dir(file::cwd(), &name, 0), missing) {
            (Ok(dir), _) => Some(dir),
            (Err(Errno(libc::ENOENT)), NoRoot::Empty) => None,
            (Err(Errno(libc::ENOENT)), NoRoot::Make) => {
                make_root(root)?;
                Some(open_dir(file::cwd(), &name, 0).map_err(|e| root_error(root, e))?)
            }
            (Err(e), _) => return Err(root_error(root, e)),
        };
        // A user who may write there could give a container another's name, or make us act on a record of their own.
        let owner = dir.as_ref().map_or(Ok(0), |dir| closed_to_others(dir.as_fd(), root, "--root"))?;
        Ok(Store { path, dir, owner, beside: None })
    }

    /// Looks below `other` too, for containers that another runtime made. Nothing is made there. A root that is missing, or
    /// that others can write, has no containers for us.
    #[must_use]
    pub fn beside(self, other: &Path) -> Store {
        let beside = Store::open(other, NoRoot::Empty).ok().filter(|store| store.dir.is_some());
        Store { beside: beside.map(Box::new), ..self }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new directory for `id`, locked. Of two callers, one gets it; `rest` passes the time in which a delete holds it.
    pub fn create(&self, id: &str, rest: Rest) -> Result<Entry> {
        id::check(id)?;
        let name = c_id(id);
        let root = self.root()?;
        ours(self.owner)?;
        let in_use = || id_in_use(id);
        if self.beside.as_ref().is_some_and(|other| other.peek(id).is_ok()) {
            return Err(in_use());
        }
        match file::mkdirat(root, &name, 0o700) {
            Ok(()) => {}
            Err(Errno(libc::EEXIST)) => return Err(in_use()),
            Err(e) => return Err(e.because(format!("make {}", self.path.join(id).display()))),
        }
        let entry = self.peek(id)?;
        entry.lock_until(Instant::now() + PATIENCE, rest)?;
        // A forced delete may have removed ours, and another command made its own, before it was locked.
        if entry.is_removed() || entry.is_named() { Err(in_use()) } else { Ok(entry) }
    }

    /// The container's directory, held by this command alone until the entry is dropped or unlocked; `rest` passes the
    /// time in which another one holds it.
    pub fn lock(&self, id: &str, rest: Rest) -> Result<Entry> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let entry = self.peek(id)?;
            entry.lock_until(deadline, rest)?;
            if !entry.is_removed() {
                return Ok(entry);
            }
            // The holder of the lock has removed this directory; another may have its name by now.
        }
    }

    /// The container's directory, for reading: changes by other commands in the meantime may or may not be seen.
    pub fn peek(&self, id: &str) -> Result<Entry> {
        id::check(id)?;
        let elsewhere =
            || self.beside.as_ref().map_or_else(|| Err(no_such_container(id)), |other| other.peek(id));
        let Some(root) = &self.dir else { return elsewhere() };
        match open_dir(root.as_fd(), &c_id(id), libc::O_NOFOLLOW) {
            Ok(dir) => Ok(Entry {
                id: id.to_owned(),
                path: self.path.join(id),
                dir,
                root_owner: self.owner,
                held: Cell::new(false),
            }),
            Err(Errno(libc::ENOENT)) => elsewhere(),
            Err(e) => Err(e.because(format!("open {}", self.path.join(id).display()))),
        }
    }

    /// What `list` shows of a container. `None` for whatever takes a closer look: [`Store::peek`].
    pub fn brief(&self, id: &str, buffer: &mut [u8; LONGEST]) -> Option<Brief> {
        let path = c(format!("{id}/brief")).ok()?;
        let target = file::readlinkat(self.dir.as_ref()?.as_fd(), &path, buffer).ok()?;
        Brief::decode(target).filter(|brief| brief.is_of(id))
    }

    /// What is known of a container without its record: its process by the brief, its group by its link.
    pub fn without_record(&self, id: &str) -> Record {
        let now = boot_id();
        let brief =
            self.brief(id, &mut [0; LONGEST]).filter(|brief| !brief.is_of_another_boot(now.as_deref()));
        Record {
            id: id.to_owned(),
            process: brief.as_ref().and_then(Brief::process).filter(|process| process.life() == Life::Alive),
            bundle: brief.map(|brief| brief.bundle).unwrap_or_default(),
            cgroup: self.claimed(id),
            phase: Phase::Created,
            ..Record::default()
        }
    }

    /// Whether the container waits for `start`, without its directory being opened.
    pub fn awaits_start(&self, id: &str, pid: i32) -> bool {
        self.dir.as_ref().is_some_and(|dir| awaited(dir.as_fd(), &format!("{id}/"), pid))
    }

    /// Every container's id, sorted. What cannot be a container's directory is passed over.
    pub fn ids(&self) -> Result<Vec<String>> {
        let mut ids = self.beside.as_ref().map_or_else(|| Ok(Vec::new()), |other| other.ids())?;
        if self.dir.is_none() {
            return Ok(ids);
        }
        let failed = |e: std::io::Error| Error::io(format!("read {}", self.path.display()), &e);
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            match entry.file_name().into_string() {
                // crun keeps a .cache and an .empty-directory beside its containers.
                Ok(id) if id.starts_with('.') && !self.peek(&id).is_ok_and(|entry| entry.has_record()) => {}
                Ok(id) if is_directory && id::is_valid(&id) => ids.push(id),
                _ => {}
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    pub(super) fn root(&self) -> Result<BorrowedFd<'_>> {
        self.dir.as_ref().map(AsFd::as_fd).ok_or_else(|| root_error(&self.path, Errno(libc::ENOENT)))
    }
}

/// At which of init's descriptors it waits for the word to start, and which pipes these are: the target of `start.awaited`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The word's; the answer's is the next.
    pub descriptor: i32,
    pub word: u64,
    pub answer: u64,
}

impl Awaited {
    /// What /proc/PID/fd shows of a pipe.
    pub fn name(inode: u64) -> String {
        format!("pipe:[{inode}]")
    }

    fn parse(target: &[u8]) -> Option<Awaited> {
        let mut numbers = std::str::from_utf8(target).ok()?.split(' ');
        let mut next = || numbers.next()?.parse::<u64>().ok();
        Some(Awaited { descriptor: next()?.try_into().ok()?, word: next()?, answer: next()? })
    }
}

/// Whether this process has that pipe there: it closes at the exec of the program, however that calls itself. Where it may
/// not be looked at, the name that init gives itself must suffice.
pub fn awaited_at(pid: i32, descriptor: i32, word: u64) -> bool {
    match file::link_of_process(pid, descriptor) {
        Ok(link) => link == Awaited::name(word).as_bytes(),
        Err(Errno(libc::EACCES | libc::EPERM)) => is_init(pid),
        Err(_) => false,
    }
}

/// The mark of a container that is created; inside, where init waits, unless that is the conversation with its maker.
fn mark(dir: BorrowedFd, path: &CStr) -> Option<Option<Awaited>> {
    file::readlinkat(dir, path, &mut [0; 128]).ok().map(Awaited::parse)
}

/// Whether init waits for the word to start below `prefix`. A pipe without a reader cannot be opened for writing.
fn awaited(dir: BorrowedFd, prefix: &str, pid: i32) -> bool {
    let name = |name: &CStr| c(format!("{prefix}{}", name.to_string_lossy())).unwrap_or_default();
    match mark(dir, &name(START_AWAITED)) {
        Some(Some(Awaited { descriptor, word, .. })) => return awaited_at(pid, descriptor, word),
        Some(None) => return is_init(pid),
        None => {}
    }
    let flags = libc::O_WRONLY | libc::O_NONBLOCK | libc::O_NOFOLLOW;
    match file::openat2(dir, &name(START_WORD), flags, 0, 0) {
        // Another process may keep a copy of init's end.
        Ok(_) => is_init(pid),
        // The name of a pipe without a reader.
        Err(Errno(libc::ENXIO)) => false,
        // Only its owner may write to it; that it exists must suffice.
        Err(Errno(libc::EACCES)) => true,
        Err(_) => file::openat2(dir, &name(START_SOCKET), libc::O_PATH | libc::O_NOFOLLOW, 0, 0).is_ok(),
    }
}

/// One container's directory, by a held descriptor.
#[derive(Debug)]
pub struct Entry {
    id: String,
    path: PathBuf,
    dir: OwnedFd,
    /// The owner of the directory above.
    root_owner: u32,
    /// Whether this entry holds the lock: asking the kernel would change the lock itself.
    held: Cell<bool>,
}

impl Entry {
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is remembered, to be acted on: it names processes to end, groups to remove and programs to run. So it is
    /// our own, or root's; another user could have written anything there, for us to do with our rights.
    pub fn record(&self) -> Result<Record> {
        ours(self.root_owner)?;
        ours(self.closed_to_others()?)?;
        self.decoded()
    }

    /// The record, for display. A missing or damaged file is an error.
    pub fn read_record(&self) -> Result<Record> {
        self.closed_to_others()?;
        self.decoded()
    }

    fn closed_to_others(&self) -> Result<u32> {
        closed_to_others(self.dir(), &self.path, "container-id")
    }

    fn decoded(&self) -> Result<Record> {
        match self.state_file()? {
            Some(bytes) => self.of_bytes(&bytes),
            None => self.without_state(),
        }
    }

    /// `None`: it is not there.
    fn state_file(&self) -> Result<Option<Vec<u8>>> {
        match file::read_at(self.dir(), STATE, LARGEST_STATE, libc::RESOLVE_NO_SYMLINKS) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Errno(libc::ENOENT)) => Ok(None),
            Err(e) => Err(self.failed("read", STATE)(e)),
        }
    }

    fn of_bytes(&self, bytes: &[u8]) -> Result<Record> {
        match Record::decode(bytes) {
            Ok(record) if record.version > 0 => self.own(record.in_boot(boot_id().as_deref())),
            _ if foreign::is_of_runc(bytes) => self.own(foreign::of_runc(bytes, self.inode().1)?),
            // Every record of ours has its version.
            other => other.and_then(|_| Err(foreign::unknown(bytes))),
        }
    }

    /// crun calls its record otherwise.
    fn without_state(&self) -> Result<Record> {
        if let Ok(status) = self.read(foreign::STATUS) {
            let config = self.read(CONFIG).unwrap_or_default();
            return foreign::of_crun(&self.id, &status, &config, self.inode().1);
        }
        // Another command makes or removes it at this moment.
        if self.is_removed() || self.is_busy() {
            return Err(no_such_container(&self.id));
        }
        // That command may have come to its end since the first look.
        if let Some(bytes) = self.state_file()? {
            return self.of_bytes(&bytes);
        }
        Err(Error::new("the container's creation or removal was interrupted: state.json is missing")
            .remedy("delete it with --force"))
    }

    /// A directory that was renamed has another container's record: what is meant for the one would be done to the other.
    fn own(&self, record: Record) -> Result<Record> {
        if record.id == self.id {
            return Ok(record);
        }
        Err(Error::new(format!("this is the record of another container, {}", record.id))
            .kind(Kind::Unsupported)
            .value(self.path.join("state.json").display())
            .remedy("the directory was renamed: rename it back to the container's id"))
    }

    /// The first record of a new directory. Written in place: there is nothing yet that a reader could miss, and one who
    /// comes in the middle finds the lock taken.
    pub fn write_intent(&self, record: &Record) -> Result<()> {
        self.write_new(STATE, &record.encode()).map_err(self.failed("write", STATE))
    }

    /// Replaces the record in one step. The caller holds the lock. Another runtime's is never written.
    pub fn write(&self, record: &Record) -> Result<()> {
        if record.made_by.is_some() {
            return Ok(());
        }
        self.prepare(record)?;
        self.publish()
    }

    /// Writes a record beside the one that counts; no command sees it before [`Entry::publish`].
    pub fn prepare(&self, record: &Record) -> Result<()> {
        self.write_new(STATE_NEXT, &record.encode()).map_err(self.failed("write", STATE))
    }

    /// Makes the record of [`Entry::prepare`] the one that counts.
    pub fn publish(&self) -> Result<()> {
        file::renameat(self.dir(), STATE_NEXT, STATE).map_err(self.failed("write", STATE))
    }

    /// Lets `list` be short about this container, whose record is published, and which may wait for `start`. Without it, it
    /// only takes longer.
    pub fn write_brief(&self, record: &Record, pidfd: BorrowedFd, waits: bool) {
        if record.made_by.is_some() {
            return;
        }
        if let Some(target) = Brief::encode(record, Inode::of(pidfd), waits) {
            // Ignored: see above.
            let _ = file::symlinkat(&target, self.dir(), BRIEF);
        }
    }

    /// The same for a container that was started or resumed.
    pub fn renew_brief(&self, record: &Record) {
        if let (Ok(()), Some(Ok(first))) = (self.remove_brief(), record.process.map(|process| process.open()))
        {
            self.write_brief(record, first.as_fd(), false);
        }
    }

    /// From here on `list` asks the kernel.
    pub fn remove_brief(&self) -> Result<()> {
        unless_gone(file::unlinkat(self.dir(), BRIEF, 0)).map(drop).map_err(self.failed("remove", BRIEF))
    }

    /// Says which file of this directory an error is about.
    fn failed(&self, verb: &str, name: &CStr) -> impl Fn(Errno) -> Error {
        move |e| e.because(format!("{verb} {}/{}", self.path.display(), name.to_string_lossy()))
    }

    /// Keeps the bytes that the container is made from.
    pub fn write_config(&self, bytes: &[u8]) -> Result<()> {
        self.write_new(CONFIG, bytes).map_err(self.failed("write", CONFIG))
    }

    /// What [`Entry::write_config`] has kept.
    pub fn config(&self) -> Result<Vec<u8>> {
        self.read(CONFIG).or_else(|e| match (e, self.read(STATE)) {
            // Another command removes it at this moment.
            (Errno(libc::ENOENT), _) if self.is_removed() || self.is_busy() => {
                Err(no_such_container(&self.id))
            }
            (Errno(libc::ENOENT), Ok(state)) if foreign::is_of_runc(&state) => {
                foreign::poststop_of_runc(&state)
            }
            (e, _) => Err(self.failed("read", CONFIG)(e)),
        })
    }

    fn read(&self, name: &CStr) -> SysResult<Vec<u8>> {
        file::read_at(self.dir(), name, LARGEST_CONFIG, libc::RESOLVE_NO_SYMLINKS)
    }

    /// Keeps the script of a container that waits ([`crate::plan::kept`]).
    pub fn write_script(&self, bytes: &[u8]) -> Result<()> {
        self.write_new(SCRIPT, bytes).map_err(self.failed("write", SCRIPT))
    }

    /// What was kept of its script. Nothing by `run`, and by a program that kept none.
    pub fn script(&self) -> Option<Vec<u8>> {
        self.read(SCRIPT).ok()
    }

    /// Marks it as created.
    pub fn await_start(&self, at: Option<Awaited>) -> SysResult<()> {
        let text = |at: Awaited| format!("{} {} {}", at.descriptor, at.word, at.answer);
        let target = c(at.map_or_else(|| "maker".to_owned(), text))?;
        file::symlinkat(&target, self.dir(), START_AWAITED)
    }

    /// That mark.
    pub fn awaited(&self) -> Option<Option<Awaited>> {
        mark(self.dir(), START_AWAITED)
    }

    /// Whether the container waits for `start`.
    pub fn awaits_start(&self, pid: i32) -> bool {
        awaited(self.dir(), "", pid)
    }

    /// Whether there is a record, readable or not.
    pub(super) fn has_record(&self) -> bool {
        [STATE, STATE_NEXT, foreign::STATUS, CONFIG].iter().any(|name| self.read(name).is_ok())
    }

    /// The same of a container that another runtime made.
    pub fn has_start_fifo(&self) -> bool {
        file::readlinkat(self.dir(), foreign::FIFO, &mut [0]) == Err(Errno(libc::EINVAL))
    }

    /// Whether another command holds the lock at this moment.
    pub fn is_busy(&self) -> bool {
        if self.held.get() {
            return false;
        }
        match file::flock(self.dir(), libc::LOCK_SH | libc::LOCK_NB) {
            Ok(()) => {
                self.unlock();
                false
            }
            Err(_) => true,
        }
    }

    /// When the directory was last changed, and whose it is: all that a directory without a record tells.
    pub fn inode(&self) -> (String, u32) {
        use std::os::unix::fs::MetadataExt;
        let meta = std::fs::metadata(&self.path).ok();
        let changed = meta.as_ref().and_then(|meta| meta.modified().ok()).unwrap_or(SystemTime::UNIX_EPOCH);
        (time::rfc3339_nano(changed), meta.map_or(0, |meta| meta.uid()))
    }

    /// Lets other commands in while this one waits for something (`run` in the foreground).
    pub fn unlock(&self) {
        self.held.set(false);
        // Ignored: LOCK_UN fails only for a descriptor that is not open.
        let _ = file::flock(self.dir(), libc::LOCK_UN);
    }

    /// Takes the lock again. The container may have been deleted meanwhile: then it does not exist.
    pub fn relock(&self, rest: Rest) -> Result<()> {
        self.lock_until(Instant::now() + PATIENCE, rest)?;
        if self.is_removed() { Err(no_such_container(&self.id)) } else { Ok(()) }
    }

    /// Removes the directory and what this program puts there; the record goes last. Nothing is descended
    /// into: a directory in it is removed only if it is empty, so a mount in it loses nothing.
    pub fn remove(self) -> Result<()> {
        for name in OURS {
            unless_gone(file::unlinkat(self.dir(), name, 0)).map_err(|e| self.remove_error(e))?;
        }
        match self.remove_directory() {
            Err(Errno(libc::ENOTEMPTY | libc::EEXIST)) => {
                // Ignored: what stays is in the way of the next step, which reports it.
                let _ = self.empty_notify();
                self.sweep();
                self.remove_directory()
            }
            other => other,
        }
        .map_err(|e| self.remove_error(e))
    }

    fn remove_directory(&self) -> SysResult<()> {
        unless_gone(file::unlinkat(file::cwd(), &c(&self.path)?, libc::AT_REMOVEDIR)).map(drop)
    }

    /// What the container sees at the place of its notify socket. One with all rights may have written there, a tree of any
    /// depth, and a process may still hold it: so no path is walked, and what is below a directory comes up to be removed.
    fn empty_notify(&self) -> SysResult<()> {
        let directory = |above: BorrowedFd, name: &CStr| {
            let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
            file::openat2(above, name, flags, 0, libc::RESOLVE_BENEATH | libc::RESOLVE_NO_XDEV)
        };
        let notify = directory(self.dir(), NOTIFY)?;
        let deadline = Instant::now() + PATIENCE;
        let mut number = 0_u64;
        loop {
            let found = names(notify.as_fd());
            if found.is_empty() || Instant::now() >= deadline {
                return Ok(());
            }
            for name in found {
                if file::unlinkat(notify.as_fd(), &name, 0).is_ok() {
                    continue;
                }
                let below = directory(notify.as_fd(), &name)?;
                for inner in names(below.as_fd()) {
                    if file::unlinkat(below.as_fd(), &inner, 0).is_ok() {
                        continue;
                    }
                    // A number may be the name of something else there.
                    while let Err(e) = renameat(&below, &*inner, &notify, &*number.to_string()) {
                        if Instant::now() >= deadline {
                            return Err(e.into());
                        }
                        number += 1;
                    }
                }
                file::unlinkat(notify.as_fd(), &name, libc::AT_REMOVEDIR)?;
            }
        }
    }

    /// Files that an older or newer version left.
    fn sweep(&self) {
        for name in names(self.dir()) {
            // Ignored: what cannot be removed makes the removal of the directory fail, which is reported.
            let _ = file::unlinkat(self.dir(), &name, 0)
                .or_else(|_| file::unlinkat(self.dir(), &name, libc::AT_REMOVEDIR));
        }
    }

    fn remove_error(&self, e: Errno) -> Error {
        e.because(format!("remove {}", self.path.display()))
    }

    fn write_new(&self, name: &CStr, bytes: &[u8]) -> SysResult<()> {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_NOFOLLOW;
        let opened = file::openat2(self.dir(), name, flags, 0o600, 0)?;
        file::write_all(opened.as_fd(), bytes)
    }

    /// flock(2) has no timeout, so a contended lock, and only that, is asked for again and again.
    fn lock_until(&self, deadline: Instant, rest: Rest) -> Result<()> {
        let mut time = Duration::from_micros(200);
        loop {
            match file::flock(self.dir(), libc::LOCK_EX | libc::LOCK_NB) {
                Ok(()) => {
                    self.held.set(true);
                    return Ok(());
                }
                Err(Errno(libc::EWOULDBLOCK | libc::EINTR)) if Instant::now() < deadline => {
                    rest(None, time).map_err(|e| e.because("wait for another command"))?;
                    time = (time * 2).min(Duration::from_millis(20));
                }
                Err(Errno(libc::EWOULDBLOCK | libc::EINTR)) => {
                    return Err(Error::new("another command is working on this container")
                        .kind(Kind::WrongState)
                        .value(&self.id)
                        .remedy("wait for that command to end, or end it"));
                }
                Err(e) => return Err(e.because(format!("lock {}", self.path.display()))),
            }
        }
    }

    /// Whether a command has written a record.
    fn is_named(&self) -> bool {
        file::openat2(self.dir(), STATE, libc::O_PATH | libc::O_NOFOLLOW, 0, 0).is_ok()
    }

    /// Whether the directory that is held has no name any more.
    fn is_removed(&self) -> bool {
        fstat(&self.dir).is_ok_and(|stat| stat.st_nlink == 0)
    }
}

/// Refuses a directory that others than its owner may write; a sticky one too, in which they may make what they like.
/// Returns the owner.
fn closed_to_others(dir: BorrowedFd, path: &Path, field: &str) -> Result<u32> {
    let stat = fstat(dir).map_err(|e| Errno::from(e).because(format!("look at {}", path.display())))?;
    if stat.st_mode & 0o022 == 0 {
        return Ok(stat.st_uid);
    }
    Err(Error::new(format!(
        "other users may write to this state directory (mode {:04o})",
        stat.st_mode & 0o7777
    ))
    .kind(Kind::Unsupported)
    .field(field)
    .value(path.display())
    .remedy(
        "check that its content is yours and run chmod go-w, or name a directory of your own with --root",
    ))
}

/// Refuses to act on what another user, who is not root, has written: it would be done with our rights.
fn ours(owner: u32) -> Result<()> {
    if owner == 0 || owner == identity::euid() {
        return Ok(());
    }
    Err(Error::new(format!("the state directory belongs to another user, {owner}"))
        .kind(Kind::Unsupported)
        .remedy("run the command as that user"))
}

/// With the text that engines look for.
pub fn id_in_use(id: &str) -> Error {
    Error::new("container with given ID already exists")
        .kind(Kind::IdInUse)
        .field("container-id")
        .value(id)
        .remedy("choose another id, or delete that container")
}

/// With the text that engines look for.
pub fn no_such_container(id: &str) -> Error {
    Error::new("container does not exist").kind(Kind::NoSuchContainer).value(id).remedy(
        "`rruntime list` shows the containers; one that was created with another --root needs that option",
    )
}

fn root_error(root: &Path, e: Errno) -> Error {
    let error = e.because(format!("open {}", root.display())).field("--root");
    match e.0 {
        libc::EACCES | libc::EPERM => error.remedy("name a directory of your own with --root"),
        libc::ENOENT => error.remedy("there are no containers below that directory"),
        _ => error,
    }
}

/// An ordinary user's runtime directory is cleaned of old files by the host, unless they are sticky.
fn make_root(root: &Path) -> Result<()> {
    let mode = if identity::euid() == 0 { 0o700 } else { 0o1700 };
    DirBuilder::new().recursive(true).mode(mode).create(root).map_err(|e| {
        Error::io(format!("make {}", root.display()), &e)
            .field("--root")
            .remedy("name a directory of your own with --root")
    })
}

/// What is in a directory; nothing if it cannot be read.
pub(super) fn names(dir: BorrowedFd) -> Vec<CString> {
    let entries = std::fs::read_dir(format!("/proc/self/fd/{}", dir.as_raw_fd())).into_iter().flatten();
    entries.flatten().filter_map(|entry| c(entry.file_name()).ok()).collect()
}

fn open_dir(dir: BorrowedFd, name: &CStr, flags: i32) -> SysResult<OwnedFd> {
    file::openat2(dir, name, libc::O_RDONLY | libc::O_DIRECTORY | flags, 0, 0)
}

fn c_id(id: &str) -> CString {
    c(id).expect("a checked id holds no NUL")
}
