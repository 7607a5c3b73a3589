//! What the journal says, and the names of what the keeper holds.

use crate::shim::conmon::logs::Names;
use crate::wire::keeper::{EXTRA, OWN};
use prost::Message;

/// One change; the last one of each kind counts.
#[derive(Clone, PartialEq, Message)]
pub struct Record {
    /// The numbers that what was inherited had, in the order of `EXTRA`.
    #[prost(int32, repeated, tag = "1")]
    pub given: Vec<i32>,
    /// The process runs, or waits for start.
    #[prost(int32, optional, tag = "2")]
    pub pid: Option<i32>,
    /// When it was made, in seconds.
    #[prost(uint64, optional, tag = "3")]
    pub since: Option<u64>,
    /// Its exit code.
    #[prost(int32, optional, tag = "4")]
    pub status: Option<i32>,
    #[prost(bool, optional, tag = "5")]
    pub timed_out: Option<bool>,
    /// The pid was told.
    #[prost(bool, optional, tag = "6")]
    pub reported: Option<bool>,
    /// The exit files are written, and the exit code is told.
    #[prost(bool, optional, tag = "7")]
    pub told: Option<bool>,
    /// A shim has begun to make it.
    #[prost(bool, optional, tag = "8")]
    pub begun: Option<bool>,
    /// It was not made.
    #[prost(bool, optional, tag = "9")]
    pub failed: Option<bool>,
}

impl Record {
    pub fn take(&mut self, other: Record) {
        if !other.given.is_empty() {
            self.given = other.given;
        }
        self.pid = other.pid.or(self.pid);
        self.since = other.since.or(self.since);
        self.status = other.status.or(self.status);
        self.timed_out = other.timed_out.or(self.timed_out);
        self.reported = other.reported.or(self.reported);
        self.told = other.told.or(self.told);
        self.begun = other.begun.or(self.begun);
        self.failed = other.failed.or(self.failed);
    }

    /// Under which name the keeper holds what had this number.
    pub fn name_of(&self, number: i32) -> Option<u64> {
        let at = self.given.iter().position(|given| *given == number)?;
        Some(EXTRA + at as u64)
    }
}

pub const IN: u64 = OWN;
pub const OUT: u64 = OWN + 1;
pub const ERR: u64 = OWN + 2;
pub const TERMINAL: u64 = OWN + 3;
pub const PIDFD: u64 = OWN + 4;
pub const WORD: u64 = OWN + 5;
pub const ANSWER: u64 = OWN + 6;
pub const CONTROL: u64 = OWN + 7;
pub const SIZE: u64 = OWN + 8;
pub const NOTIFY: u64 = OWN + 9;
pub const STAGE: Names = Names { stage: [OWN + 10, OWN + 11], copy: [OWN + 12, OWN + 13], logs: OWN + 16 };
