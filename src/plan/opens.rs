//! What the engine opens for init before it launches it: what the steps of a script name by their handles.

use super::Host;
use super::script::{Field, Script, c};
use crate::cgroup::{Location, Version};
use crate::names::namespaces::USER;
use crate::spec::IdMapping;
use crate::wire::{Handle, Step};
use std::borrow::Cow;

/// The owners that a mount shows instead of the file system's (mount_setattr(2)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping<'a> {
    pub owners: Owners<'a>,
    pub recursive: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owners<'a> {
    /// Ids of the file system's side, and of the host's.
    Ranges { uids: Vec<IdMapping>, gids: Vec<IdMapping> },
    /// By the maps of the user namespace at this path.
    Namespace(Cow<'a, str>),
}

/// When the mounts are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// While the container is built, and nothing of it runs.
    Building,
    /// Beside its processes, which may move what a path names at any time.
    Running,
}

/// Which process makes the copy of a host's tree that is attached in the container.
///
/// In a container with a user namespace never the engine: its copies have the host's flags unlocked, and are peers of the
/// host's mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copier {
    Engine,
    /// init by `Step::Copy`, as the caller's user, in a mount table of the container's user namespace.
    Early,
    /// init by path where it binds it, as root of a user namespace that the caller's rights do not go beyond.
    Late,
}

impl Copier {
    /// `namespaces` are the container's.
    pub fn of(host: &Host, namespaces: u64, moment: Moment) -> Copier {
        match (host.privileged, moment) {
            (false, Moment::Building) => Copier::Late,
            (false, Moment::Running) => Copier::Early,
            (true, _) if namespaces & USER != 0 => Copier::Early,
            (true, _) => Copier::Engine,
        }
    }
}

/// Something that the engine opens for init before it launches it. Its index is the step's handle.
#[derive(Debug, PartialEq, Eq)]
pub enum Open<'a> {
    /// The socket between rruntime and init: handle 0.
    Control,
    /// The two pipes that take its place once a container can see init: handles 1 and 2.
    Word,
    Answer,
    /// The pipe with the word for start, and the one for the answer.
    StartWord,
    StartAnswer,
    /// The tree at this path of the host; `flags` (`AT_*`) are those of open_tree(2). A detached copy if the engine makes
    /// it; else what is there, to compare with what init finds there.
    Tree {
        path: Cow<'a, str>,
        flags: u32,
        mapping: Option<Mapping<'a>>,
        copier: Copier,
        field: Field,
    },
    /// A new file system on a device of the host, which the container's device rules do not have to allow.
    Filesystem {
        kind: Cow<'a, str>,
        source: Cow<'a, str>,
        options: Vec<Cow<'a, str>>,
        attributes: u64,
        field: Field,
    },
    /// A device node of the host, which must have this number; a tree like the others.
    Device {
        path: Cow<'a, str>,
        number: u64,
        copier: Copier,
        field: Field,
    },
    /// A namespace to join, which must be of the kind `flag` (`CLONE_NEW…`).
    Namespace {
        path: Cow<'a, str>,
        flag: u64,
        field: Field,
    },
    /// The container's PID 1.
    Pidfd,
    /// Its pid namespace.
    PidNamespace,
    /// A small mount namespace to copy (`mounts::small_table`).
    SmallTable,
    /// The tasks file of the container's v1 cgroup in the hierarchy mounted here.
    Tasks {
        mount: String,
    },
    /// The file by which a process enters the container's v2 cgroup.
    Unified,
}

impl Open<'_> {
    /// Something that the config names by its path.
    pub fn is_by_path(&self) -> bool {
        matches!(
            self,
            Open::Tree { .. } | Open::Filesystem { .. } | Open::Device { .. } | Open::Namespace { .. }
        )
    }
}

/// Of the steps that enter a cgroup.
pub const CGROUP: Field = Field::Fixed("/linux/cgroupsPath");

/// Pushes the steps that enter the v1 hierarchies of a cgroup; in v2 the process is born.
pub fn push_cgroup(location: Option<&Location>, script: &mut Script, opens: &mut Opens) {
    let legs = location.map_or(&[][..], |location| &location.legs);
    for leg in legs.iter().filter(|leg| leg.version == Version::V1) {
        let tasks = opens.add(Open::Tasks { mount: leg.mount.clone() });
        script.push(CGROUP, Step::EnterCgroup { tasks });
    }
}

/// Descriptors beside those of a plan: streams, sockets, cgroups, init's own.
pub const SPARE: usize = 128;

/// The table of what is to be opened.
#[derive(Debug)]
pub struct Opens<'a>(Vec<Open<'a>>);

impl Default for Opens<'_> {
    fn default() -> Self {
        Opens(vec![Open::Control, Open::Word, Open::Answer])
    }
}

impl<'a> Opens<'a> {
    pub fn add(&mut self, open: Open<'a>) -> Handle {
        self.0.push(open);
        Handle(self.0.len() as u32 - 1)
    }

    /// The steps for the copies that init makes of them before it becomes another user.
    pub fn early_copies(&self) -> Script {
        let mut script = Script::default();
        for (i, open) in self.0.iter().enumerate() {
            let (path, flags, mapped, field) = match open {
                Open::Tree { path, flags, mapping, copier: Copier::Early, field } => {
                    (path, *flags, mapping.is_some(), *field)
                }
                Open::Device { path, copier: Copier::Early, field, .. } => (path, 0, false, *field),
                _ => continue,
            };
            script.push(field, Step::Copy { tree: Handle(i as u32), path: &c(path), flags, mapped });
        }
        script
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// They and what else is open may be more than `soft` descriptors.
    pub fn exceed(&self, soft: u64) -> bool {
        (self.0.len() + SPARE) as u64 > soft
    }

    /// What is opened as this handle.
    pub fn get(&self, handle: Handle) -> Option<&Open<'a>> {
        self.0.get(handle.0 as usize)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Open<'a>> {
        self.0.iter()
    }
}
