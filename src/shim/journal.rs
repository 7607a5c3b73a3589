//! What a shim proper knows, in a memory file that its keeper holds: the next one reads it and goes on.
//!
//! A record is appended before what it says is acted on. A process can be killed between any two instructions, and within a
//! call that writes: what is there then is the first part of it. So a record's length stands behind its bytes too, and it
//! counts when that is written. When much of the file is outdated, what still counts is written to the other half of it,
//! and one number says which half is meant.

use crate::error::{Error, Result};
use crate::sys::{Errno, file, inbox};
use nix::sys::uio::pread;
use prost::Message;
use std::fmt::Display;
use std::os::fd::{AsFd, OwnedFd};

/// Behind the inbox: which half counts.
const CHOICE: u64 = inbox::SIZE as u64;
const FIRST: u64 = CHOICE + 4096;
/// Between the two halves. A file takes memory only where something was written; a test fills one.
const HALF: u64 = 1 << if cfg!(test) { 26 } else { 28 };
/// A record's length stands before it and behind it. Both are at multiples of this: a length across two pages could be
/// written in part.
const LENGTH: u64 = 4;
/// Below this it is not worth the work.
const WORTHWHILE: u64 = 256 * 1024;

pub struct Journal {
    file: OwnedFd,
    half: u64,
    /// Where the next record begins.
    end: u64,
    /// What the half had when it was begun.
    begun: u64,
}

impl Journal {
    /// With all its records, each handed to `read` in its order.
    pub fn open<R: Message + Default>(file: OwnedFd, mut read: impl FnMut(R)) -> Result<Journal> {
        let mut choice = [0; 8];
        read_at(&file, &mut choice, CHOICE)?;
        let half = u64::from_le_bytes(choice) & 1;
        let mut journal = Journal { file, half, end: FIRST + half * HALF, begun: 0 };
        loop {
            let mut length = [0; LENGTH as usize];
            if read_at(&journal.file, &mut length, journal.end)? < length.len() {
                break;
            }
            let length = u32::from_le_bytes(length);
            let mut behind = [0; LENGTH as usize];
            read_at(&journal.file, &mut behind, journal.end + size_of_record(length) - LENGTH)?;
            let behind = u32::from_le_bytes(behind);
            if length == 0 || behind == 0 {
                break;
            }
            let mut bytes = vec![0; length as usize];
            read_at(&journal.file, &mut bytes, journal.end + LENGTH)?;
            let spoiled = |what: &dyn Display| Error::new(format!("the journal cannot be read: {what}"));
            if length != behind {
                return Err(spoiled(&"a record has two lengths"));
            }
            read(R::decode(&*bytes).map_err(|e| spoiled(&e))?);
            journal.end += size_of_record(length);
        }
        // Of a record that was not finished: its bytes would be read as lengths behind a shorter one.
        journal.free_from(journal.end)?;
        Ok(journal)
    }

    pub fn append(&mut self, record: &impl Message) -> Result<()> {
        let length = record.encoded_len() as u32;
        let end = self.end + size_of_record(length);
        // And a length behind it that is none.
        if end + LENGTH > FIRST + (self.half + 1) * HALF {
            return Err(Error::new(format!(
                "the journal is full: {} MiB are not answered, or not told",
                HALF >> 20
            ))
            .remedy("containerd, or another client of the shim, has to take what is waiting for it"));
        }
        // Its end is the next one's beginning, where there are zeroes.
        let mut bytes = Vec::with_capacity(size_of_record(length) as usize);
        bytes.extend(length.to_le_bytes());
        record.encode(&mut bytes).map_err(|e| Error::new(format!("a record of the journal: {e}")))?;
        bytes.resize(size_of_record(length) as usize - LENGTH as usize, 0);
        bytes.extend(length.to_le_bytes());
        let written = write_at(&self.file, &bytes, self.end);
        match written {
            Ok(()) => self.end = end,
            // No memory, as a rule: what there is of it would be read as lengths behind a shorter one.
            Err(_) => self.free_from(self.end)?,
        }
        written
    }

    /// Whether what was appended since [`Journal::begin_again`] is much, beside what still counted then.
    pub fn is_long(&self) -> bool {
        let length = self.end - FIRST - self.half * HALF;
        length > WORTHWHILE && length > 2 * self.begun
    }

    /// These records in place of all that there are.
    pub fn begin_again<R: Message>(&mut self, records: impl Iterator<Item = R>) -> Result<()> {
        let (old, end, half) = (self.half, self.end, self.half ^ 1);
        self.free(half)?;
        (self.half, self.end) = (half, FIRST + half * HALF);
        for record in records {
            // The old half is still the one that counts.
            self.append(&record).inspect_err(|_| (self.half, self.end) = (old, end))?;
        }
        self.begun = self.end - FIRST - half * HALF;
        write_at(&self.file, &half.to_le_bytes(), CHOICE)?;
        self.free(old)
    }

    fn free(&self, half: u64) -> Result<()> {
        self.free_from(FIRST + half * HALF)
    }

    /// The rest of a half from this place on is as it was at first.
    fn free_from(&self, place: u64) -> Result<()> {
        use nix::fcntl::{FallocateFlags, fallocate};
        let length = HALF - (place - FIRST) % HALF;
        let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(&self.file, hole, place as i64, length as i64)
            .map_err(|e| Errno::from(e).because("empty a part of the journal"))
    }
}

/// With both lengths, and what fills it up.
fn size_of_record(length: u32) -> u64 {
    LENGTH + u64::from(length).next_multiple_of(LENGTH) + LENGTH
}

fn read_at(file: &OwnedFd, bytes: &mut [u8], place: u64) -> Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match pread(file, &mut bytes[filled..], (place + filled as u64) as i64) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(Errno::from(e).because("read the journal")),
        }
    }
    Ok(filled)
}

fn write_at(file: &OwnedFd, bytes: &[u8], place: u64) -> Result<()> {
    file::pwrite_all(file.as_fd(), bytes, place).map_err(|e| e.because("write to the journal"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory;

    #[derive(Clone, PartialEq, Message)]
    struct Word {
        #[prost(string, tag = "1")]
        text: String,
    }

    #[test]
    fn a_record_for_which_a_half_has_no_room_is_refused_and_the_other_half_stays() {
        let word = |text: &str| Word { text: text.to_owned() };
        let file = memory::scratch(c"journal").unwrap();
        let mut journal = Journal::open(file.try_clone().unwrap(), |_: Word| ()).unwrap();
        journal.append(&word("kept")).unwrap();
        let end = journal.end;
        // As if it were full.
        journal.end = FIRST + HALF - 3 * LENGTH;
        let refused = journal.append(&word("a longer one")).unwrap_err();
        assert!(refused.to_string().contains("the journal is full"), "{refused}");
        let read = |file: &OwnedFd| {
            let mut words = Vec::new();
            Journal::open(file.try_clone().unwrap(), |word: Word| words.push(word.text)).unwrap();
            words
        };
        assert_eq!(read(&file), ["kept"]);
        journal.end = end;
        let refused = journal.begin_again([word(&"x".repeat(HALF as usize))].into_iter());
        assert!(refused.is_err());
        journal.append(&word("more")).unwrap();
        assert_eq!(read(&file), ["kept", "more"]);
    }
}
