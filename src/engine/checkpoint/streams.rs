//! The standard streams of a container's first process, which are the caller's: at a dump CRIU hears that they are not its
//! own to write, at a restore another caller's take their places. `descriptors.json` keeps what they were, as runc has it.

use crate::criu::images::DESCRIPTORS;
use crate::criu::messages::InheritFd;
use crate::engine::checkpoint::images::Images;
use crate::error::{Error, Result};
use crate::host::mountinfo;
use crate::plan::script::c;
use crate::sys::file;

/// The major numbers of the slaves of pseudo terminals: UNIX98_PTY_SLAVE_MAJOR and those behind it.
const PTS: std::ops::Range<u32> = 136..144;

/// What each of the three is to CRIU, and which of them it has to hear of.
pub struct Streams {
    words: Vec<String>,
    pub external: Vec<String>,
}

/// Those of process `pid` with the mount table `table`.
pub fn of(pid: i32, table: &str) -> Streams {
    let (mut words, mut external) = (Vec::new(), Vec::new());
    for number in 0..3 {
        let link = file::link_of_process(pid, number).unwrap_or_default();
        let mut word = String::from_utf8_lossy(&link).into_owned();
        if let Some(key) = outside(pid, number, table) {
            external.push(key.clone());
            word = key;
        }
        words.push(word);
    }
    Streams { words, external }
}

/// A file that is not on a mount of the container's: what CRIU calls it.
fn outside(pid: i32, number: i32, table: &str) -> Option<String> {
    let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).ok()?;
    let mount = info.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse::<u64>().ok())?;
    if mountinfo::lines(table).any(|line| line.id == mount) {
        return None;
    }
    // The server of a file system may be stopped, or the container's.
    let found = file::known(&c(&format!("/proc/{pid}/fd/{number}"))).ok()?;
    let kind = u32::from(found.stx_mode) & libc::S_IFMT;
    if !matches!(kind, libc::S_IFREG | libc::S_IFCHR | libc::S_IFDIR | libc::S_IFBLK) {
        return None;
    }
    let node = libc::makedev(found.stx_rdev_major, found.stx_rdev_minor);
    Some(match kind == libc::S_IFCHR && PTS.contains(&found.stx_rdev_major) {
        true => format!("tty[{node:x}:{:x}]", libc::makedev(found.stx_dev_major, found.stx_dev_minor)),
        false => format!("file[{mount:x}:{:x}]", found.stx_ino),
    })
}

impl Streams {
    pub fn keep(&self, images: &Images) -> Result<()> {
        let text = serde_json::to_vec(&self.words).expect("a list of strings");
        images.write(&c(DESCRIPTORS), &text)
    }
}

/// What takes the place of which of them: CRIU's own 0, 1 and 2. Nothing else can come of this file.
pub fn inherited(images: &Images) -> Result<Vec<InheritFd>> {
    let bytes = images.read(DESCRIPTORS)?;
    let words: Vec<String> = serde_json::from_slice(&bytes)
        .map_err(|e| Error::new(format!("descriptors.json is damaged: {e}")).field("--image-path"))?;
    let ours = |word: &String| ["pipe:[", "file[", "tty["].iter().any(|kind| word.starts_with(kind));
    let streams = (0..3).zip(words).filter(|(_, word)| ours(word));
    let mut inherited: Vec<InheritFd> = Vec::new();
    for (fd, key) in streams {
        // The same file twice: CRIU takes one descriptor for it.
        if inherited.iter().all(|known| known.key != key) {
            inherited.push(InheritFd { key, fd });
        }
    }
    Ok(inherited)
}
