//! The images of a checkpoint: which files CRIU 4 writes, and as much of their content as a restore is decided by. Numbers
//! and types are those of its images/*.proto. Names are bytes: those of files need not be UTF-8.

use crate::error::{Error, Result};
use prost::Message;

/// What becomes of a file in the directory of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Memory, or what lies in a file system of the container's own: large, and CRIU decides nothing by it.
    Content,
    Image,
    /// The images that an incremental dump builds on.
    Parent,
    /// Not CRIU's to read: logs, statistics, what engines keep there.
    Other,
    /// An image of something that no container has which can be restored here.
    Unknown,
}

/// What the standard streams were: rruntime's own.
pub const DESCRIPTORS: &str = "descriptors.json";

const SINGLE: [&str; 13] = [
    "inventory",
    "pstree",
    "files",
    "seccomp",
    "cgroup",
    "remap-fpath",
    "pipes-data",
    "fifo-data",
    "sk-queues",
    "tty-info",
    "tty-data",
    "filelocks",
    "memfd",
];
/// With the number of a process, a namespace or a file behind it.
const NUMBERED: [&str; 18] = [
    "core-",
    "ids-",
    "mm-",
    "fs-",
    "fdinfo-",
    "pagemap-",
    "pagemap-shmem-",
    "netns-",
    "utsns-",
    "ipcns-var-",
    "ipcns-msg-",
    "ipcns-sem-",
    "timens-",
    "pidns-",
    "userns-",
    "mountpoints-",
    "ghost-file-",
    "tcp-stream-",
];
const CONTENT: [(&str, &str); 3] = [("pages-", ""), ("tmpfs-dev-", ".tar.gz"), ("ipcns-shm-", "")];

pub fn kind(name: &str) -> Kind {
    let numbered =
        |rest: Option<&str>| rest.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_hexdigit()));
    let Some(stem) = name.strip_suffix(".img") else {
        return match name {
            DESCRIPTORS => Kind::Image,
            "parent" => Kind::Parent,
            _ => Kind::Other,
        };
    };
    let is_content = |(head, tail): &(&str, &str)| {
        numbered(stem.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail)))
    };
    if CONTENT.iter().any(is_content) {
        Kind::Content
    } else if SINGLE.contains(&stem) || NUMBERED.iter().any(|head| numbered(stem.strip_prefix(head))) {
        Kind::Image
    } else {
        Kind::Unknown
    }
}

/// At the head of every image but the inventory, before the number of its kind.
const COMMON: u32 = 0x5456_4319;
const INVENTORY: u32 = 0x5831_3116;

fn word(bytes: &mut &[u8]) -> Option<u32> {
    let (word, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*word))
}

/// The entries of an image, each behind its length. Without `all` the first: behind that may be content.
fn entries<T: Message + Default>(mut bytes: &[u8], all: bool) -> Option<Vec<T>> {
    let mut found = Vec::new();
    if bytes.is_empty() {
        return Some(found);
    }
    match word(&mut bytes)? {
        COMMON => drop(word(&mut bytes)?),
        INVENTORY => {}
        _ => return None,
    }
    while !bytes.is_empty() && (all || found.is_empty()) {
        let length = word(&mut bytes)? as usize;
        let (entry, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        found.push(T::decode(entry).ok()?);
    }
    Some(found)
}

fn damaged(name: &str) -> Error {
    Error::new("an image of the checkpoint is damaged, or of a CRIU before 2.0")
        .field("--image-path")
        .value(name)
}

pub fn read<T: Message + Default>(name: &str, bytes: &[u8]) -> Result<Vec<T>> {
    entries(bytes, true).ok_or_else(|| damaged(name))
}

pub fn head<T: Message + Default>(name: &str, bytes: &[u8]) -> Result<T> {
    let first = entries(bytes, false).and_then(|entries| entries.into_iter().next());
    first.ok_or_else(|| damaged(name))
}

/// mountpoints-N: one mount of the namespace N.
#[derive(Clone, PartialEq, Message)]
pub struct Mount {
    #[prost(uint32, tag = "1")]
    pub kind: u32,
    #[prost(uint32, tag = "2")]
    pub id: u32,
    /// The mount that it is on.
    #[prost(uint32, tag = "4")]
    pub parent: u32,
    /// `MS_…`
    #[prost(uint32, tag = "5")]
    pub flags: u32,
    #[prost(bytes = "vec", tag = "6")]
    pub root: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    pub point: Vec<u8>,
    #[prost(bool, tag = "12")]
    pub with_plugin: bool,
    #[prost(bool, tag = "13")]
    pub external: bool,
    #[prost(bool, tag = "16")]
    pub deleted: bool,
    /// Those of its super block.
    #[prost(uint32, tag = "17")]
    pub system_flags: u32,
    /// Which of the mounts that we tell CRIU of it is.
    #[prost(bytes = "vec", optional, tag = "18")]
    pub external_key: Option<Vec<u8>>,
}

/// The kinds of mnt.proto that a container has of its own.
pub const FILE_SYSTEMS: [(u32, &str); 8] = [
    (1, "proc"),
    (2, "sysfs"),
    (3, "devtmpfs"),
    (5, "tmpfs"),
    (6, "devpts"),
    (12, "cgroup"),
    (14, "mqueue"),
    (23, "cgroup2"),
];

/// pstree: a process.
#[derive(Clone, PartialEq, Message)]
pub struct Process {
    #[prost(uint32, tag = "1")]
    pub pid: u32,
    #[prost(uint32, tag = "2")]
    pub parent: u32,
    /// With the first of them, which has its number.
    #[prost(uint32, repeated, packed = "false", tag = "5")]
    pub threads: Vec<u32>,
}

/// ids-N, and root_ids of the inventory.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Ids {
    #[prost(uint32, tag = "9")]
    pub mount: u32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Inventory {
    #[prost(message, optional, tag = "3")]
    pub root_ids: Option<Ids>,
}

/// files: one open file. CRIU goes by the type, and takes the entry of that type.
#[derive(Clone, PartialEq, Message)]
pub struct File {
    #[prost(uint32, tag = "1")]
    pub kind: u32,
    #[prost(message, optional, tag = "3")]
    pub regular: Option<Regular>,
    #[prost(message, optional, tag = "4")]
    pub inet: Option<Inet>,
    #[prost(message, optional, tag = "7")]
    pub netlink: Option<Netlink>,
    #[prost(message, optional, tag = "13")]
    pub inotify: Option<Inotify>,
    #[prost(message, optional, tag = "14")]
    pub fanotify: Option<Fanotify>,
    #[prost(message, optional, tag = "16")]
    pub unix: Option<Unix>,
}

/// What is open by a path: files, directories, devices, named pipes, terminals.
#[derive(Clone, PartialEq, Message)]
pub struct Regular {
    #[prost(uint32, tag = "1")]
    pub id: u32,
    #[prost(uint32, tag = "2")]
    pub flags: u32,
    #[prost(bytes = "vec", tag = "6")]
    pub name: Vec<u8>,
    #[prost(sint32, optional, tag = "7")]
    pub mount: Option<i32>,
    /// A descriptor of ours takes its place.
    #[prost(bool, tag = "9")]
    pub external: bool,
    #[prost(uint32, tag = "10")]
    pub mode: u32,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Inet {
    /// `SOCK_…`
    #[prost(uint32, tag = "4")]
    pub kind: u32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Netlink {
    #[prost(uint32, tag = "3")]
    pub protocol: u32,
    #[prost(uint32, repeated, packed = "false", tag = "8")]
    pub groups: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Unix {
    #[prost(uint32, tag = "6")]
    pub flags: u32,
    /// Abstract names begin with NUL.
    #[prost(bytes = "vec", tag = "11")]
    pub name: Vec<u8>,
    #[prost(bytes = "vec", tag = "14")]
    pub directory: Vec<u8>,
    #[prost(sint32, optional, tag = "17")]
    pub mount: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Inotify {
    #[prost(message, repeated, tag = "5")]
    pub watches: Vec<Watch>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Fanotify {
    #[prost(message, repeated, tag = "6")]
    pub marks: Vec<Mark>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Watch {
    #[prost(message, optional, tag = "7")]
    pub file: Option<FileHandle>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Mark {
    #[prost(message, optional, tag = "7")]
    pub inode: Option<Marked>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Marked {
    #[prost(message, optional, tag = "2")]
    pub file: Option<FileHandle>,
}

#[derive(Clone, PartialEq, Message)]
pub struct FileHandle {
    #[prost(bytes = "vec", optional, tag = "4")]
    pub path: Option<Vec<u8>>,
    #[prost(int32, optional, tag = "5")]
    pub mount: Option<i32>,
}

/// remap-fpath: a file that has lost its name.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Remap {
    #[prost(uint32, tag = "1")]
    pub file: u32,
    /// The file that has another name of it; or which ghost-file it is.
    #[prost(uint32, tag = "2")]
    pub to: u32,
    #[prost(uint32, optional, tag = "3")]
    pub kind: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Ghost {
    #[prost(uint32, tag = "3")]
    pub mode: u32,
}

/// mm-N: the mappings of a process.
#[derive(Clone, PartialEq, Message)]
pub struct Memory {
    #[prost(message, repeated, tag = "14")]
    pub areas: Vec<Area>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Area {
    /// `O_…`, of the file that is mapped.
    #[prost(uint32, tag = "10")]
    pub flags: u32,
}

/// core-N: a thread.
#[derive(Clone, PartialEq, Message)]
pub struct Core {
    #[prost(message, optional, tag = "3")]
    pub task: Option<Task>,
    #[prost(message, optional, tag = "5")]
    pub thread: Option<Thread>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Task {
    #[prost(uint32, tag = "1")]
    pub state: u32,
    #[prost(message, optional, tag = "8")]
    pub limits: Option<Limits>,
    /// As in `Thread`, where an older CRIU has it.
    #[prost(uint32, optional, tag = "12")]
    pub filter: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Limits {
    /// In the order of their numbers.
    #[prost(message, repeated, tag = "1")]
    pub each: Vec<Limit>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Limit {
    #[prost(uint64, tag = "2")]
    pub hard: u64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Thread {
    #[prost(message, optional, tag = "10")]
    pub credentials: Option<Credentials>,
    /// The newest filter that it had, of those in seccomp.img.
    #[prost(uint32, optional, tag = "12")]
    pub filter: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Credentials {
    #[prost(uint32, tag = "13")]
    pub secure_bits: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_no_image_to_restore_from() {
        for (name, expected) in [
            ("core-12.img", Kind::Image),
            ("ghost-file-a1.img", Kind::Image),
            ("descriptors.json", Kind::Image),
            ("pages-1.img", Kind::Content),
            ("tmpfs-dev-43.tar.gz.img", Kind::Content),
            ("parent", Kind::Parent),
            ("dump.log", Kind::Other),
            ("stats-dump", Kind::Other),
            ("config.json", Kind::Other),
            ("iptables-9.img", Kind::Unknown),
            ("binfmt-misc.img", Kind::Unknown),
            ("reg-files.img", Kind::Unknown),
            ("core-.img", Kind::Unknown),
            ("core-1/../x.img", Kind::Unknown),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
    }

    #[test]
    fn entries_stand_behind_their_lengths() {
        let mut bytes = [COMMON.to_le_bytes(), [1; 4], [2, 0, 0, 0]].concat();
        bytes.extend([16, 7]);
        let read_mounts = |bytes: &[u8]| read::<Mount>("x", bytes).map(|found| found.len());
        assert_eq!(read::<Mount>("x", &bytes).unwrap()[0].id, 7);
        assert_eq!(head::<Mount>("x", &[&bytes[..], b"content"].concat()).unwrap().id, 7);
        assert_eq!(read_mounts(&[]).unwrap(), 0);
        for damaged in [&bytes[..bytes.len() - 1], &bytes[4..], b"x", &[&bytes[..], b"content"].concat()] {
            assert!(read_mounts(damaged).is_err(), "{damaged:?}");
        }
    }
}
