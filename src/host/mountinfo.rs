//! The mount table of a process, as proc_pid_mountinfo(5) tells it. Reading it takes a lock that every mount in the machine
//! takes too: not for the common path.

use crate::error::{Error, Result};
use crate::host::cgroups::unescape;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub id: u64,
    /// The mount that it is on.
    pub parent: u64,
    /// What of its file system it shows.
    pub root: String,
    /// Where it is, from the process's root.
    pub point: String,
    pub kind: String,
}

/// `process` is a number, or `self`.
pub fn read(process: &str) -> Result<Vec<Line>> {
    let path = format!("/proc/{process}/mountinfo");
    let table = fs::read_to_string(&path).map_err(|e| Error::io(format!("read {path}"), &e))?;
    Ok(parse(&table))
}

/// The mount that what `file` is open on is on.
pub fn id_of(file: BorrowedFd) -> Result<u64> {
    let path = format!("/proc/self/fdinfo/{}", file.as_raw_fd());
    let text = fs::read_to_string(&path).map_err(|e| Error::io(format!("read {path}"), &e))?;
    let id = text.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok());
    id.ok_or_else(|| Error::new("the kernel tells no mount id").value(path))
}

/// That of our own root.
pub fn id_of_root() -> Result<u64> {
    let root = fs::File::open("/").map_err(|e| Error::io("open /", &e))?;
    id_of(root.as_fd())
}

pub fn parse(table: &str) -> Vec<Line> {
    table.lines().filter_map(line).collect()
}

fn line(text: &str) -> Option<Line> {
    let (mount, filesystem) = text.split_once(" - ")?;
    let mut words = mount.split(' ');
    let (id, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (root, point) = (unescape(words.nth(1)?), unescape(words.next()?));
    Some(Line { id, parent, root, point, kind: filesystem.split(' ').next()?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let table = "36 35 98:0 /a\\040b /c\\011d rw,noatime shared:7 master:1 - ext3 /dev/root rw\n\
                     37 36 0:5 / /proc rw - proc proc rw\n";
        let lines = parse(table);
        let first =
            Line { id: 36, parent: 35, root: "/a b".into(), point: "/c\td".into(), kind: "ext3".into() };
        assert_eq!(lines[0], first);
        assert_eq!((lines[1].parent, &*lines[1].kind), (36, "proc"));
    }
}
