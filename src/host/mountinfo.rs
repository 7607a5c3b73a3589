//! The mount table of a process, as proc_pid_mountinfo(5) describes it. Reading it takes the lock that every mount on
//! the machine takes: not for the common path.

use crate::error::{Error, Result};
use std::fmt::Display;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// One mount, in the kernel's words: [`unescape`] makes paths of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'t> {
    pub id: u64,
    /// The mount that it is on.
    pub parent: u64,
    /// The number of its file system's device.
    pub device: &'t str,
    /// What of its file system it shows.
    pub root: &'t str,
    /// Where it is, from the process's root.
    pub point: &'t str,
    /// The options of the mount itself.
    pub flags: &'t str,
    groups: &'t str,
    pub kind: &'t str,
    /// The options of its super block.
    pub options: &'t str,
}

impl<'t> Line<'t> {
    /// The number of its peer group (`shared:`), or of the one that it receives from (`master:`).
    pub fn group(&self, name: &str) -> Option<&'t str> {
        self.groups.split(' ').find_map(|word| word.strip_prefix(name))
    }
}

/// The text. A user who may mount can give a mount any name: bytes that are not UTF-8 are replaced, only in their line.
pub fn table(process: impl Display) -> Result<String> {
    text(&format!("/proc/{process}/mountinfo"))
}

fn text(path: &str) -> Result<String> {
    let bytes = fs::read(path).map_err(|e| Error::io(format!("read {path}"), &e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The mount that what `file` is open on is on.
pub fn id_of(file: BorrowedFd) -> Result<u64> {
    let path = format!("/proc/self/fdinfo/{}", file.as_raw_fd());
    let id = text(&path)?.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok());
    id.ok_or_else(|| Error::new("the kernel does not report a mount id").value(path))
}

/// The id of our own root.
pub fn id_of_root() -> Result<u64> {
    let root = fs::File::open("/").map_err(|e| Error::io("open /", &e))?;
    id_of(root.as_fd())
}

/// The lines of such a text.
pub fn lines(table: &str) -> impl Iterator<Item = Line<'_>> {
    table.lines().filter_map(line)
}

fn line(text: &str) -> Option<Line<'_>> {
    let (mount, filesystem) = text.split_once(" - ")?;
    let mut words = mount.splitn(7, ' ');
    let (id, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (device, root, point) = (words.next()?, words.next()?, words.next()?);
    let (flags, groups) = (words.next()?, words.next().unwrap_or_default());
    let mut words = filesystem.split(' ');
    let (kind, options) = (words.next()?, words.nth(1)?);
    Some(Line { id, parent, device, root, point, flags, groups, kind, options })
}

/// mountinfo writes space, tab, newline and backslash as three octal digits.
pub fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                plain.push(char::from(code));
                rest = &rest[at + 4..];
            }
            None => {
                plain.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let table = "36 35 98:0 /a\\040b /c\\011d rw,noatime shared:7 master:1 - ext3 /dev/root rw,x\n\
                     37 36 0:5 / /proc rw - proc proc rw\n";
        let [first, second] = lines(table).collect::<Vec<_>>()[..] else { panic!("two lines") };
        assert_eq!((first.id, first.parent, first.kind, first.options), (36, 35, "ext3", "rw,x"));
        assert_eq!((first.device, first.flags, second.flags), ("98:0", "rw,noatime", "rw"));
        assert_eq!((&*unescape(first.root), &*unescape(first.point)), ("/a b", "/c\td"));
        assert_eq!((first.group("shared:"), first.group("master:")), (Some("7"), Some("1")));
        assert_eq!((second.parent, second.kind, second.group("shared:")), (36, "proc", None));
    }
}
