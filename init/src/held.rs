//! What the keeper holds for the shim: descriptors under names, and how processes have ended. Both have a fixed size; memory
//! is taken by what has been in use.

use crate::sys::{self, Errno, Fd, Sys};
use crate::wire::keeper::ACCEPTED;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// A pod of a few hundred containers: each has a dozen.
const PLACES: usize = 8192;
/// Descriptors that are the keeper's own: standard streams, the program, conversations with a shim that ends and the next.
const OWN: u64 = 24;
const ENDINGS: usize = 512;

// Of this program's one thread; atomic because Rust has no other way to change what is static without `unsafe`. They begin
// as zeroes, which take no memory.
static NAMES: [AtomicU64; PLACES] = [const { AtomicU64::new(0) }; PLACES];
static NUMBERS: [AtomicU32; PLACES] = [const { AtomicU32::new(0) }; PLACES];
static PIDS: [AtomicU32; ENDINGS] = [const { AtomicU32::new(0) }; ENDINGS];
static STATUSES: [AtomicU32; ENDINGS] = [const { AtomicU32::new(0) }; ENDINGS];

/// Set in a number, or a pid, that the shim has been told.
const TOLD: u32 = 1 << 31;

/// Descriptors. A place without a name is free.
pub struct Table {
    /// No place from here on is in use.
    end: usize,
    used: usize,
    /// So many can be held.
    most: usize,
    untold: usize,
    connections: u64,
}

impl Table {
    /// As many as this limit of open files leaves: what is refused here is never cut off by the kernel, and the next shim
    /// can always be started.
    pub fn within(open_files: u64) -> Table {
        let most = (PLACES as u64).min(open_files.saturating_sub(OWN)) as usize;
        Table { end: 0, used: 0, most, untold: 0, connections: 0 }
    }

    /// For one more connection: the last places are for what belongs to processes.
    pub fn has_room(&self) -> bool {
        self.used + 16 < self.most
    }

    /// The name of the next connection, which no other has had.
    pub fn next_connection(&mut self) -> u64 {
        self.connections += 1;
        ACCEPTED | self.connections
    }

    /// A name that is in use already is the new descriptor's from now on.
    pub fn hold(&mut self, name: u64, fd: Fd) -> Sys<()> {
        self.drop(name);
        let place = (0..PLACES).find(|place| self.used < self.most && NAMES[*place].load(Relaxed) == 0);
        let place = place.ok_or(Errno(libc::ENOSPC))?;
        NAMES[place].store(name, Relaxed);
        NUMBERS[place].store(fd.0 as u32, Relaxed);
        (self.end, self.used, self.untold) = (self.end.max(place + 1), self.used + 1, self.untold + 1);
        Ok(())
    }

    pub fn drop(&mut self, name: u64) {
        let Some(place) = self.place(name) else { return };
        NAMES[place].store(0, Relaxed);
        let number = NUMBERS[place].swap(0, Relaxed);
        sys::close(Fd((number & !TOLD) as i32));
        (self.used, self.untold) = (self.used - 1, self.untold - usize::from(number & TOLD == 0));
    }

    /// One that the shim does not have yet.
    pub fn untold(&self) -> Option<(u64, Fd)> {
        if self.untold == 0 {
            return None;
        }
        let number = |place: usize| NUMBERS[place].load(Relaxed);
        let place = (0..self.end).find(|&place| NAMES[place].load(Relaxed) != 0 && number(place) & TOLD == 0)?;
        Some((NAMES[place].load(Relaxed), Fd(number(place) as i32)))
    }

    /// The shim has it.
    pub fn tell(&mut self, name: u64) {
        let Some(place) = self.place(name) else { return };
        if NUMBERS[place].fetch_or(TOLD, Relaxed) & TOLD == 0 {
            self.untold -= 1;
        }
    }

    /// A new shim has nothing.
    pub fn begin_again(&mut self) {
        NUMBERS[..self.end].iter().for_each(|number| drop(number.fetch_and(!TOLD, Relaxed)));
        self.untold = self.used;
    }

    fn place(&self, name: u64) -> Option<usize> {
        (0..self.end).find(|place| name != 0 && NAMES[*place].load(Relaxed) == name)
    }
}

/// Processes that have ended and been reaped, until the shim has noted how.
pub struct Endings {
    /// No place from here on is in use.
    end: usize,
}

impl Endings {
    pub const EMPTY: Endings = Endings { end: 0 };

    fn free() -> Option<usize> {
        (0..ENDINGS).find(|place| PIDS[*place].load(Relaxed) == 0)
    }

    pub fn has_room(&self) -> bool {
        Endings::free().is_some()
    }

    pub fn keep(&mut self, pid: u32, status: u32) {
        let Some(place) = Endings::free() else { return };
        STATUSES[place].store(status, Relaxed);
        PIDS[place].store(pid, Relaxed);
        self.end = self.end.max(place + 1);
    }

    /// Pid and status of a process whose end the keeper has not told the shim yet.
    pub fn untold(&self) -> Option<(u32, u32)> {
        let pid = |place: usize| PIDS[place].load(Relaxed);
        let place = (0..self.end).find(|&place| pid(place) != 0 && pid(place) & TOLD == 0)?;
        Some((pid(place), STATUSES[place].load(Relaxed)))
    }

    pub fn tell(&mut self, told: u32) {
        self.each(told, |pid| drop(pid.fetch_or(TOLD, Relaxed)));
    }

    pub fn heard(&mut self, heard: u32) {
        self.each(heard, |pid| pid.store(0, Relaxed));
    }

    /// A number can have come again: the first place is that of the first one only until it was heard.
    fn each(&mut self, wanted: u32, act: impl Fn(&AtomicU32)) {
        let is_it = |pid: &&AtomicU32| wanted != 0 && pid.load(Relaxed) & !TOLD == wanted;
        PIDS[..self.end].iter().filter(is_it).for_each(act);
    }

    pub fn begin_again(&mut self) {
        PIDS[..self.end].iter().for_each(|pid| drop(pid.fetch_and(!TOLD, Relaxed)));
    }
}
