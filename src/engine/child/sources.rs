//! The host's trees that init copies by itself, in the mount table of its user namespace (`Step::Copy`): what it asks of
//! us meanwhile, because that needs the host's rights.
//!
//! Both answers are about the copy in init's own mount table, whose flags the kernel has locked: the owners of a copy are
//! mapped while it is attached nowhere, and the way to a place that the caller's user may not pass is opened below
//! /proc/PID/root, which is that table. Each is given once, for what the config names and for nothing else.

use crate::engine::child::message::out_of_turn;
use crate::error::Result;
use crate::plan::script::c;
use crate::sys::file::{self, openat2};
use crate::sys::process::open_of;
use crate::sys::{Errno, mount};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A user namespace with the maps by which a mount shows its owners.
#[derive(Debug)]
pub struct Map {
    pub namespace: OwnedFd,
    pub recursive: bool,
    /// The field that asks for it.
    pub pointer: Option<String>,
}

impl Map {
    /// Of a tree that is attached nowhere.
    pub fn map(&self, tree: BorrowedFd) -> Result<()> {
        mount::map_owners(tree, self.namespace.as_fd(), self.recursive).map_err(|e| {
            let error = e.because("map the owners of the mount").remedy(
                "the file system of the source must support id-mapped mounts, and be mapped only once",
            );
            error.field_if(self.pointer.as_deref())
        })
    }
}

#[derive(Debug)]
struct Source {
    handle: u32,
    path: String,
    flags: u32,
    pointer: Option<String>,
    map: Option<Map>,
    /// Device and inode, where owners are mapped.
    seen: Option<(u64, u64)>,
    opened: bool,
}

#[derive(Debug, Default)]
pub struct Sources {
    list: Vec<Source>,
    /// Processes that are born after the copies.
    pub later_births: usize,
}

impl Sources {
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn add(
        &mut self,
        handle: usize,
        path: &str,
        flags: u32,
        pointer: Option<String>,
        map: Option<Map>,
        seen: BorrowedFd,
    ) -> Result<()> {
        let seen = map.as_ref().map(|_| file::identity(seen)).transpose();
        let seen = seen.map_err(|e| e.because(format!("look at {path}")))?;
        let path = path.to_owned();
        self.list.push(Source { handle: handle as u32, path, flags, pointer, map, seen, opened: false });
        Ok(())
    }

    /// Maps the owners of init's copy.
    pub fn map(&mut self, handle: u32, copy: BorrowedFd) -> Result<()> {
        let source = self.named(handle)?;
        let map = source.map.take().ok_or_else(out_of_turn)?;
        let found = file::identity(copy).map_err(|e| e.because(format!("look at {}", source.path)))?;
        if Some(found) != source.seen {
            let stale = Errno(libc::ESTALE).because("the mount's source");
            return Err(stale.field_if(source.pointer.as_deref()));
        }
        map.map(copy)
    }

    /// What is at the source's path in the mount table of the process `pid`.
    pub fn open(&mut self, handle: u32, pid: i32) -> Result<OwnedFd> {
        let source = self.named(handle)?;
        if std::mem::replace(&mut source.opened, true) {
            return Err(out_of_turn());
        }
        let link = if source.flags & libc::AT_SYMLINK_NOFOLLOW as u32 != 0 { libc::O_NOFOLLOW } else { 0 };
        let root = open_of(pid, "root", libc::O_PATH | libc::O_DIRECTORY);
        root.and_then(|root| {
            openat2(root.as_fd(), &c(&source.path), libc::O_PATH | link, 0, libc::RESOLVE_IN_ROOT)
        })
        .map_err(|e| {
            let error = e.because("the mount's source, in the container's mount table").value(&source.path);
            let remedy = "the container's user must be able to pass every directory above it";
            error.remedy(remedy).field_if(source.pointer.as_deref())
        })
    }

    fn named(&mut self, handle: u32) -> Result<&mut Source> {
        self.list.iter_mut().find(|source| source.handle == handle).ok_or_else(out_of_turn)
    }
}
