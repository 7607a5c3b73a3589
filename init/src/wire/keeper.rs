//! What the shim proper and its keeper say to each other: messages of one size over a SEQPACKET socket, some with a
//! descriptor.

use super::format::{Reader, Sink, Wire, records};

/// The descriptor of the conversation in the shim proper, and the one over which [`Note::Hold`] is answered: any of its
/// threads may ask, and only one hears what comes over the first.
pub const CHANNEL: i32 = 3;
pub const ANSWERS: i32 = 4;
/// What the keeper is started with, from this number on: the shim's program, the journal, a listening socket if there is
/// one.
pub const GIVEN: i32 = 3;

/// The names of what it is started with. Accepted connections have names from [`ACCEPTED`] on, the shim's own are between.
pub const JOURNAL: u64 = 1;
pub const LISTENER: u64 = 2;
pub const OWN: u64 = 16;
pub const ACCEPTED: u64 = 1 << 62;
/// What it is given beyond those has names from here on, in its order.
pub const EXTRA: u64 = 1 << 61;

/// What a message says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Note {
    // From the shim.
    /// Hold these descriptors, the first under this name, the others under the names behind it: all of them or none.
    /// `status`: how many others. It is answered by [`Note::Answer`].
    Hold = 1,
    /// Close what has this name, and so many names behind it (`status`).
    Drop,
    /// The end of this process has been noted.
    Heard,
    /// Do not start the shim again; and end with this status after it.
    Finish,
    /// Say all that there is, and that it was all.
    Ask,
    /// This shim has taken over what there was.
    Begun,
    // From the keeper.
    /// Held since before this shim began, or just accepted.
    Held,
    /// A process of ours has ended: its number, and its status as wait4(2) has it.
    Ended,
    /// That was all that there was when the shim began, or asked; with the status of the one before it.
    All,
    /// The descriptor of this name is held, or is not: the number of the error.
    Answer,
}

impl Note {
    const EVERY: [Note; 10] = [
        Note::Hold,
        Note::Drop,
        Note::Heard,
        Note::Finish,
        Note::Ask,
        Note::Begun,
        Note::Held,
        Note::Ended,
        Note::All,
        Note::Answer,
    ];

    pub fn of(number: u32) -> Option<Note> {
        Note::EVERY.into_iter().find(|note| *note as u32 == number)
    }
}

records! {
    /// Which of its fields count depends on the note. `name`: of a descriptor, or the number of a process.
    KeeperMessage { note: u32, status: u32, name: u64 }
}

impl KeeperMessage {
    pub const SIZE: usize = 16;
    /// Descriptors that can come with one.
    pub const MOST: usize = 8;

    pub fn of(note: Note, name: u64, status: u32) -> KeeperMessage {
        KeeperMessage { note: note as u32, status, name }
    }

    pub fn decode(bytes: &[u8]) -> Option<KeeperMessage> {
        KeeperMessage::take(&mut Reader::new(bytes))
    }

    pub fn encode(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[0..4].copy_from_slice(&self.note.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.status.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.name.to_le_bytes());
        bytes
    }
}
