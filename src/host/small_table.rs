//! A mount table that is small, whatever is mounted on the machine: that of the kernel's thread kdevtmpfs.
//!
//! A new mount namespace is a copy of one that exists, and the copy takes the longer the more is mounted there, under a lock
//! that every other start on the machine waits for. The thread that keeps device nodes has had a mount namespace of its own
//! since the machine booted, with one file system in it. A container whose tree comes by descriptors needs nothing else:
//! its process joins that one and copies it (`plan::mounts::small_table`). Nothing is pinned for that, so nothing is left
//! behind. In a container the thread is not to be seen, and so there is no small table.

use super::{FIRST_USER_NAMESPACE, mountinfo};
use crate::sys::namespace;
use crate::sys::process::{is_kernel_thread, open_of};
use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

const THREAD: &str = "kdevtmpfs";
/// By which a state directory remembers its number.
pub const LINK: &CStr = c".thread:kdevtmpfs";
/// The parent of all threads of the kernel.
const PARENT: (i32, &str) = (2, "kthreadd");
/// Before it come some seven threads for each processor.
const MOST: usize = 8192;
/// The number that is remembered where the machine has no such thread, or one that is of no use.
const NONE: i32 = 0;

/// What was found.
#[derive(Debug)]
pub struct SmallTable {
    /// To be remembered, if it is new: the search is some system calls for each of the first threads.
    pub thread: i32,
    pub is_new: bool,
    /// The mount namespace, of which nothing but a copy is to be made.
    pub namespace: Option<OwnedFd>,
}

/// `remembered` is what an earlier call has found. Every answer of this is checked again.
pub fn find(remembered: Option<i32>) -> Option<SmallTable> {
    match remembered {
        Some(NONE) => return None,
        Some(thread) if is_kernel_thread(thread, THREAD) => {
            return Some(SmallTable { thread, is_new: false, namespace: namespace_of(thread) });
        }
        // Of another boot; or none yet.
        _ => {}
    }
    if !is_kernel_thread(PARENT.0, PARENT.1) {
        return None;
    }
    let found = fs::read_dir("/proc").ok()?.flatten().take(MOST).find_map(|entry| {
        let thread = entry.file_name().to_str()?.parse().ok()?;
        is_kernel_thread(thread, THREAD).then_some(thread)
    });
    let (thread, namespace) = match found {
        // Who may not look at it has learnt nothing to remember.
        Some(thread) if is_fit(thread)? => (thread, namespace_of(thread)),
        _ => (NONE, None),
    };
    Some(SmallTable { thread, is_new: true, namespace })
}

fn namespace_of(thread: i32) -> Option<OwnedFd> {
    open_of(thread, "ns/mnt", libc::O_RDONLY).ok()
}

/// It belongs to the machine's first user namespace, and has one mount to be seen, which is on another: pivot_root(2) puts a
/// container's root in its place.
fn is_fit(thread: i32) -> Option<bool> {
    let owner = fs::File::from(namespace::owner(namespace_of(thread)?.as_fd()).ok()?);
    let table = mountinfo::table(thread).ok()?;
    let mut mounts = mountinfo::lines(&table);
    let (root, more) = (mounts.next()?, mounts.next());
    Some(owner.metadata().ok()?.ino() == FIRST_USER_NAMESPACE && more.is_none() && root.id != root.parent)
}
