//! Paths below the root filesystem. Nothing here is ever resolved against the host: every lookup is scoped to
//! the root's descriptor by the kernel (RESOLVE_IN_ROOT), refuses magic links, and what is missing is made with
//! mkdirat on a held descriptor, which never follows a link. A rename that races makes a lookup fail or land
//! elsewhere inside the root, never outside (CVE-2021-30465, CVE-2024-45310).

use crate::control::{Fail, In, Outcome};
use crate::sys::{self, Errno, Fd};
use crate::wire::{Part, Word};
use crate::{Init, decimal};
use core::ffi::CStr;

pub const IN_ROOT: u64 = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;

/// What a missing destination becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Directory,
    File,
}

/// What symbolic links do on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// They end it.
    Plain,
    Linked,
    /// They are followed, and rruntime is asked about where they lead.
    Asked,
}

/// A path, or a part of one, with its NUL; it may be rewritten.
pub struct Text {
    bytes: [u8; libc::PATH_MAX as usize],
    length: usize,
}

impl Text {
    pub fn new(path: &[u8]) -> Outcome<Text> {
        let mut text = Text { bytes: [0; libc::PATH_MAX as usize], length: 0 };
        text.push(path)?;
        Ok(text)
    }

    fn push(&mut self, more: &[u8]) -> Outcome<()> {
        let end = self.length + more.len();
        // One byte stays free for the NUL.
        let room = self.bytes.get_mut(self.length..=end).ok_or(TOO_LONG)?;
        room[..more.len()].copy_from_slice(more);
        room[more.len()] = 0;
        self.length = end;
        Ok(())
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub fn c(&self) -> Outcome<&CStr> {
        CStr::from_bytes_with_nul(&self.bytes[..=self.length]).map_err(|_| TOO_LONG)
    }
}

const TOO_LONG: Fail = Fail(Part::OpenTarget, Errno(libc::ENAMETOOLONG));

impl Init<'_> {
    /// Opens (O_PATH) what is at `path` below the root, following links inside of it.
    pub fn lookup(&self, path: &CStr) -> sys::Sys<Fd> {
        self.lookup_by(path, libc::O_PATH, Way::Linked)
    }

    /// Opens (O_PATH) what is at `path`, where no link is on the way.
    pub fn lookup_plain(&self, path: &CStr) -> sys::Sys<Fd> {
        self.lookup_by(path, libc::O_PATH, Way::Plain)
    }

    /// Opens the directory at `path`, made if it is missing, where no link is on the way.
    pub fn plain_directory(&self, path: &CStr) -> Outcome<Fd> {
        self.find_or_make(path, Missing::Directory, Way::Plain)
    }

    /// Opens what is at `path`; what is missing of it is made, also where a dangling link points to.
    pub fn lookup_or_make(&self, path: &CStr, missing: Missing) -> Outcome<Fd> {
        self.find_or_make(path, missing, Way::Linked)
    }

    /// The same for what is to be mounted on or made: where a link is on the way, rruntime looks at where it has led, before
    /// anything is made there.
    pub fn destination(&self, path: &CStr, missing: Missing) -> Outcome<Fd> {
        self.destination_by(path, missing).map(|(found, _)| found)
    }

    /// The same, with the way that led there.
    pub fn destination_by(&self, path: &CStr, missing: Missing) -> Outcome<(Fd, Way)> {
        let by = |way| self.find_or_make(path, missing, way).map(|found| (found, way));
        match by(Way::Plain) {
            Err(Fail(_, Errno(libc::ELOOP))) => by(Way::Asked),
            other => other,
        }
    }

    fn find_or_make(&self, path: &CStr, missing: Missing, way: Way) -> Outcome<Fd> {
        let mut text = Text::new(path.to_bytes())?;
        // Each round makes components or expands one link. The bound ends a loop of links, and a race with
        // a process that removes what we make.
        for _ in 0..libc::PATH_MAX / 2 {
            match self.lookup_by(text.c()?, libc::O_PATH, way) {
                Err(Errno(libc::ENOENT)) => self.make_some(&mut text, missing, way)?,
                other => {
                    let found = other.part(Part::OpenTarget)?;
                    self.ask(found, way)?;
                    return Ok(found);
                }
            }
        }
        Err(Fail(Part::MakeTarget, Errno(libc::ELOOP)))
    }

    fn lookup_by(&self, path: &CStr, flags: i32, way: Way) -> sys::Sys<Fd> {
        let root = self.root.ok_or(Errno(libc::EBADF))?;
        let scope = if way == Way::Plain { IN_ROOT | libc::RESOLVE_NO_SYMLINKS } else { IN_ROOT };
        sys::openat2(root, path, flags, 0, scope)
    }

    /// Whether this is a place to mount on or to make something in, behind a link.
    fn ask(&self, found: Fd, way: Way) -> Outcome<()> {
        if way != Way::Asked {
            return Ok(());
        }
        self.pass(Word::Link, i64::from(self.root()?.0), found)?;
        match self.hear()? {
            word if word == Word::Go as u32 => Ok(()),
            _ => Err(Fail(Part::LinkLeads, Errno(libc::EPERM))),
        }
    }

    /// As `destination`, but a link at the end is what is opened.
    pub fn link_or_make(&self, path: &CStr, missing: Missing) -> Outcome<Fd> {
        self.in_directory(path, |parent, name| {
            let open = || {
                let flags = libc::O_PATH | libc::O_NOFOLLOW;
                sys::openat2(parent, name, flags, 0, IN_ROOT | libc::RESOLVE_NO_SYMLINKS)
            };
            match open() {
                Err(Errno(libc::ENOENT)) => {}
                other => return other.part(Part::OpenTarget),
            }
            make(parent, name, missing).part(Part::MakeTarget)?;
            open().part(Part::OpenTarget)
        })
    }

    /// The first missing component of `text` is made, and those below it as far as they are names; or it is replaced by
    /// what the link there says.
    fn make_some(&self, text: &mut Text, missing: Missing, way: Way) -> Outcome<()> {
        let (mut parent, mut at) = self.deepest(text.bytes(), way)?;
        self.ask(parent, way)?;
        let first = at;
        let outcome = loop {
            let rest = &text.bytes()[at..];
            let length = rest.iter().position(|&b| b == b'/').unwrap_or(rest.len());
            let (name, after) = rest.split_at(length);
            let next = after.iter().position(|&b| b != b'/');
            let name = Text::new(name)?;
            let c_name = name.c()?;
            // Below a directory that was just made, "." and ".." are no names: the path is looked up again.
            if at != first && matches!(name.bytes(), b"." | b"..") {
                break Ok(());
            }
            let kind = if next.is_none() { missing } else { Missing::Directory };
            match self.as_root(|| make(parent, c_name, kind))? {
                Ok(()) => {}
                Err(Errno(libc::EEXIST)) if at == first && way == Way::Plain => {
                    break Err(Fail(Part::OpenTarget, Errno(libc::ELOOP)));
                }
                Err(Errno(libc::EEXIST)) if at == first => {
                    break expand(text, parent, c_name, at, length);
                }
                // Another process was faster.
                Err(Errno(libc::EEXIST)) => break Ok(()),
                Err(errno) => break Err(Fail(Part::MakeTarget, errno)),
            }
            let Some(slashes) = next else { break Ok(()) };
            let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
            let Ok(below) = sys::openat2(parent, c_name, flags, 0, IN_ROOT | libc::RESOLVE_NO_SYMLINKS)
            else {
                break Ok(());
            };
            self.close_unless_root(parent);
            parent = below;
            at += length + slashes;
        };
        self.close_unless_root(parent);
        outcome
    }

    /// The deepest existing directory of `path`, and where in the text its first missing component begins.
    ///
    /// Where a beginning of the path is missing, each longer one is: halving keeps a path of two thousand names, which an
    /// image may ask for, from taking minutes.
    fn deepest(&self, path: &[u8], way: Way) -> Outcome<(Fd, usize)> {
        let slashes = |&&b: &&u8| b == b'/';
        let name_from = |at: usize| at + path[at..].iter().take_while(slashes).count();
        let name_before = |at: usize| at - path[..at].iter().rev().take_while(slashes).count();
        let mut parent = self.root()?;
        // What is above the name at `low` exists; what is above any name that begins at `high` or behind does not.
        let (mut low, mut high) = (name_from(0), name_before(path.len()));
        while low < high {
            let middle = low + (high - low) / 2;
            // The first name that begins behind the middle, else the last one before it.
            let behind = path[middle..high].iter().position(|&b| b == b'/').map(|n| name_from(middle + n));
            let before = || path[low..middle].iter().rposition(|&b| b == b'/').map(|n| low + n + 1);
            let Some(begin) = behind.or_else(before) else { break };
            let prefix = Text::new(&path[..begin])?;
            match self.lookup_by(prefix.c()?, libc::O_PATH | libc::O_DIRECTORY, way) {
                Err(Errno(libc::ENOENT)) => high = name_before(begin),
                other => {
                    self.close_unless_root(parent);
                    (parent, low) = (other.part(Part::OpenTarget)?, begin);
                }
            }
        }
        Ok((parent, low))
    }

    pub fn close_unless_root(&self, file: Fd) {
        if self.root != Some(file) {
            sys::close(file);
        }
    }
}

/// Opens the file behind an O_PATH descriptor, whatever its name stands for now. `proc` is a procfs in which this
/// process is.
pub fn reopen(proc: Fd, found: Fd, flags: i32) -> sys::Sys<Fd> {
    // A magic link, of our own descriptor.
    sys::openat2(proc, descriptor_path(found, &mut [0; DESCRIPTOR_PATH]), flags, 0, 0)
}

pub const DESCRIPTOR_PATH: usize = 8 + decimal::DIGITS + 1;

/// Where a procfs shows our descriptor.
pub fn descriptor_path(file: Fd, text: &mut [u8; DESCRIPTOR_PATH]) -> &CStr {
    text[..8].copy_from_slice(b"self/fd/");
    decimal::write(file.0.unsigned_abs(), &mut text[8..]);
    CStr::from_bytes_until_nul(text).unwrap_or_default()
}

fn make(parent: Fd, name: &CStr, missing: Missing) -> sys::Sys<()> {
    match missing {
        Missing::File => {
            // O_EXCL and O_NOFOLLOW: a link that appears meanwhile is not followed.
            let flags = libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_WRONLY;
            sys::openat2(parent, name, flags, 0o644, 0).map(sys::close)
        }
        Missing::Directory => sys::mkdirat(parent, name, 0o755),
    }
}

/// Puts a dangling link's text in the place of its name: relative links go on from the same directory, and an
/// absolute one begins at the root again.
fn expand(text: &mut Text, parent: Fd, name: &CStr, name_at: usize, length: usize) -> Outcome<()> {
    let mut buffer = [0; libc::PATH_MAX as usize];
    let link = sys::link_text(parent, name, &mut buffer);
    let link = link.map_err(|_| Fail(Part::MakeTarget, Errno(libc::EEXIST)))?.to_bytes();
    let from = if link.first() == Some(&b'/') { 0 } else { name_at };
    let mut expanded = Text::new(&text.bytes()[..from])?;
    expanded.push(link)?;
    expanded.push(&text.bytes()[name_at + length..])?;
    *text = expanded;
    Ok(())
}
