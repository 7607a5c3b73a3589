//! Opens what a plan needs before its process exists: trees, witnesses, device nodes, namespaces.
//!
//! These are paths of the host that the config's author names; nothing below the root filesystem is opened here
//! except the root itself. Each object is checked on the descriptor that is used.

use crate::cgroup::Cgroup;
use crate::engine::child::{
    idmaps,
    open_files::RaisedLimit,
    sources::{Map, Sources},
};
use crate::engine::{OpenFiles, Waits};
use crate::error::{Error, Kind, Result};
use crate::names;
use crate::plan::opens::{Copier, Mapping, Owners};
use crate::plan::script::c;
use crate::plan::{Field, Open, Opens};
use crate::spec::Spec;
use crate::spec::destination::absolute;
use crate::sys::file::{self, cwd, openat2};
use crate::sys::{Errno, mount};
use std::borrow::Cow;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;

/// Opened descriptors, in the order of the plan.
#[derive(Debug, Default)]
pub struct Opened {
    pub numbers: Vec<RawFd>,
    /// Keeps the descriptors open until init has them.
    owned: Vec<OwnedFd>,
    /// What init may ask of us about the trees that it copies by itself.
    pub sources: Sources,
    /// Closed before this goes.
    _raised: Option<RaisedLimit>,
}

/// The descriptors that the engine already has.
#[derive(Clone, Copy, Default)]
pub struct Given<'a> {
    /// The pipes of start: word and answer.
    pub start: Option<(BorrowedFd<'a>, BorrowedFd<'a>)>,
    pub pidfd: Option<BorrowedFd<'a>>,
    pub pid_namespace: Option<BorrowedFd<'a>>,
    pub cgroup: Option<&'a Cgroup>,
    pub small_table: Option<BorrowedFd<'a>>,
    /// The file by which a process enters the v2 cgroup.
    pub unified: Option<BorrowedFd<'a>>,
    pub open_files: OpenFiles,
}

impl Opened {
    /// One of [`Opened::numbers`] that is open.
    pub fn borrow(&self, number: RawFd) -> BorrowedFd<'_> {
        let owned = self.owned.iter().find(|fd| fd.as_raw_fd() == number);
        owned.expect("a number is that of a descriptor").as_fd()
    }

    /// init has them now.
    pub fn into_sources(self) -> Sources {
        self.sources
    }

    fn keep(&mut self, fd: OwnedFd) -> RawFd {
        self.owned.push(fd);
        self.owned[self.owned.len() - 1].as_raw_fd()
    }
}

/// Opens them in their order. What the plan counts on and the engine does not have is an error.
pub fn open(opens: &Opens, given: Given, spec: &Spec, waits: &Rc<Waits>) -> Result<Opened> {
    let mut opened =
        Opened { _raised: RaisedLimit::for_files(opens.count(), given.open_files)?, ..Opened::default() };
    let absent = || Error::new("the plan opens something that is not there");
    let there = |fd: Option<BorrowedFd>| fd.map(|fd| fd.as_raw_fd()).ok_or_else(absent);
    for (handle, wanted) in opens.iter().enumerate() {
        let number = match wanted {
            // Filled in when init is started.
            Open::Control | Open::Word | Open::Answer => -1,
            Open::StartWord => there(given.start.map(|(word, _)| word))?,
            Open::StartAnswer => there(given.start.map(|(_, answer)| answer))?,
            Open::Pidfd => there(given.pidfd)?,
            Open::SmallTable => there(given.small_table)?,
            Open::PidNamespace => there(given.pid_namespace)?,
            Open::Unified => there(given.unified)?,
            Open::Tasks { mount } => opened.keep(given.cgroup.ok_or_else(absent)?.entrance(mount)?),
            Open::Tree { path, flags, mapping, copier, field } => {
                let owners =
                    || mapping.as_ref().map(|mapping| owners(mapping, *field, spec, waits)).transpose();
                if *copier == Copier::Engine {
                    let tree = tree(path, *flags, *field, spec)?;
                    owners()?.map_or(Ok(()), |owners| owners.map(tree.as_fd()))?;
                    opened.keep(tree)
                } else {
                    let seen = witness(path, *flags, *field, spec)?;
                    if *copier == Copier::Early {
                        let pointer = field.pointer(spec);
                        opened.sources.add(handle, path, *flags, pointer, owners()?, seen.as_fd())?;
                    }
                    opened.keep(seen)
                }
            }
            Open::Filesystem { kind, source, options, attributes, field } => {
                opened.keep(filesystem(kind, source, options, *attributes, *field, spec)?)
            }
            Open::Device { path, number, copier, field } => {
                let node = device(path, *number, *copier, *field, spec)?;
                if *copier == Copier::Early {
                    opened.sources.add(handle, path, 0, field.pointer(spec), None, node.as_fd())?;
                }
                opened.keep(node)
            }
            Open::Namespace { path, flag, field } => opened.keep(namespace(path, *flag, *field, spec)?),
        };
        opened.numbers.push(number);
    }
    Ok(opened)
}

/// A detached copy; `flags` (`AT_*`) are those of open_tree(2).
fn tree(path: &str, flags: u32, field: Field, spec: &Spec) -> Result<OwnedFd> {
    let tree = mount::clone_tree(cwd(), &c(path), flags as i32).map_err(|e| missing(e, path, field, spec))?;
    check(tree.as_fd(), path, field, spec)?;
    Ok(tree)
}

/// A new file system on a device that the config names.
fn filesystem(
    kind: &str,
    source: &str,
    options: &[Cow<str>],
    attributes: u64,
    field: Field,
    spec: &Spec,
) -> Result<OwnedFd> {
    let options: Vec<CString> = options.iter().map(|option| c(option)).collect();
    let refused = match mount::filesystem(&c(kind), &c(source), &options, attributes) {
        Ok(mount) => return Ok(mount),
        Err(refused) => refused,
    };
    let error = Error::os(refused.reason, refused.errno.0)
        .doing(format!("mount {kind} from {source}"))
        .remedy(match refused.errno.0 {
            libc::ENODEV => "this kernel has no such file system",
            libc::ENOENT => "nothing is at the path of its source on the host",
            libc::ENOTBLK => "its source is no block device",
            _ => "try the same mount on the host",
        });
    let pointer = field.pointer(spec);
    Err(if pointer.is_some() { error.field_if(pointer).value(source) } else { error })
}

/// The user namespace by whose maps a mount shows its owners.
fn owners(mapping: &Mapping, field: Field, spec: &Spec, waits: &Rc<Waits>) -> Result<Map> {
    let pointer = field.pointer(spec).map(|pointer| format!("{pointer}/uidMappings"));
    let namespace = match &mapping.owners {
        Owners::Ranges { uids, gids } => {
            idmaps::namespace(uids, gids, waits).map_err(|e| e.field_if(pointer.as_deref()))?
        }
        Owners::Namespace(path) => namespace(path, libc::CLONE_NEWUSER as u64, field, spec)?,
    };
    Ok(Map { namespace, recursive: mapping.recursive, pointer })
}

fn witness(path: &str, flags: u32, field: Field, spec: &Spec) -> Result<OwnedFd> {
    let link = if flags & libc::AT_SYMLINK_NOFOLLOW as u32 != 0 { libc::O_NOFOLLOW } else { 0 };
    let found =
        openat2(cwd(), &c(path), libc::O_PATH | link, 0, 0).map_err(|e| missing(e, path, field, spec))?;
    check(found.as_fd(), path, field, spec)?;
    Ok(found)
}

/// The root must be a directory; and what is bound on /proc a procfs: programs in the container trust what they read there
/// (CVE-2019-16884).
fn check(fd: BorrowedFd, path: &str, field: Field, spec: &Spec) -> Result<()> {
    let looked = |e: Errno| e.because(format!("look at {path}"));
    match field {
        Field::Fixed("/root/path") if file::kind(fd).map_err(looked)? != libc::S_IFDIR => {
            Err(Error::os("the root filesystem", libc::ENOTDIR)
                .kind(Kind::Config)
                .field("/root/path")
                .value(path)
                .remedy("name the directory that becomes / of the container"))
        }
        Field::Mount(i)
            if spec.mounts.get(i).is_some_and(|m| absolute(&m.destination) == "/proc")
                && !file::is_procfs(fd).map_err(looked)? =>
        {
            Err(Error::new("only a file system of type proc may be bound on /proc")
                .kind(Kind::Config)
                .field(format!("/mounts/{i}/source"))
                .value(path)
                .remedy("mount a proc file system there, or bind the host's /proc"))
        }
        _ => Ok(()),
    }
}

/// A node with the expected number; a copy that can be attached, or a witness.
fn device(path: &str, number: u64, copier: Copier, field: Field, spec: &Spec) -> Result<OwnedFd> {
    let fd =
        if copier == Copier::Engine { tree(path, 0, field, spec) } else { witness(path, 0, field, spec) }?;
    let found = file::device_number(fd.as_fd()).map_err(|e| e.because(format!("look at {path}")))?;
    if found == Some(number) {
        return Ok(fd);
    }
    let error = Error::new("the host has another device, or none, at this path")
        .value(path)
        .remedy("in a user namespace devices come from the host; let the path and the numbers be the host's");
    Err(error.field_if(field.pointer(spec)))
}

fn namespace(path: &str, flag: u64, field: Field, spec: &Spec) -> Result<OwnedFd> {
    let pointer = |error: Error| {
        error.field_if(field.pointer(spec).map(|pointer| format!("{pointer}/path"))).value(path)
    };
    let fd = openat2(cwd(), &c(path), libc::O_RDONLY, 0, 0).map_err(|e| {
        pointer(e.because("open the namespace to join").remedy(match e {
            Errno(libc::EACCES | libc::EPERM) => {
                "the runtime has to be allowed to trace the process that holds it: ptrace(2)"
            }
            _ => "check that the process that holds it is alive",
        }))
    })?;
    let named = |flag: u64| names::NAMESPACES.iter().find(|n| n.flag == flag);
    let kind = |flag: u64| named(flag).map_or("unknown", |n| n.kind);
    match crate::sys::namespace::kind(fd.as_fd()) {
        Ok(found) if found == flag => Ok(fd),
        Ok(found) => Err(pointer(
            Error::new(format!("this is a {} namespace, not a {} namespace", kind(found), kind(flag)))
                .kind(Kind::Config)
                .remedy(format!("give the path of a {} namespace", kind(flag))),
        )),
        Err(_) => Err(pointer(Error::new("this file is no namespace").kind(Kind::Config).remedy(format!(
            "a path like /proc/PID/ns/{} is expected",
            named(flag).map_or("*", |n| n.proc_name)
        )))),
    }
}

/// A path of the host that is not there or cannot be used.
fn missing(errno: Errno, path: &str, field: Field, spec: &Spec) -> Error {
    let (what, pointer) = match field {
        Field::Fixed("/root/path") => ("the root filesystem", Some("/root/path".to_owned())),
        Field::Mount(i) => ("the mount's source", Some(format!("/mounts/{i}/source"))),
        other => ("open", other.pointer(spec)),
    };
    let remedy = match errno.0 {
        libc::ENOENT => "nothing is at this path on the host",
        libc::EMFILE => "each bind takes a descriptor: raise the hard limit of open files (ulimit -Hn)",
        libc::EINVAL => "it may be on a mount that cannot be copied (unbindable, locked)",
        _ => "",
    };
    let error = errno.because(what).value(path).field_if(pointer);
    if remedy.is_empty() { error } else { error.remedy(remedy) }
}
