//! System call names and numbers. The data is generated (`hack/syscall-table`); this is only the way in.
//!
//! The program has the names as one string: pointers in a static table would have to be relocated at each start of a
//! position independent program, whether or not a container has a seccomp profile.

mod syscalls;

use super::arch::Arch;
use syscalls::ROWS;

/// A system call that some architecture has: a row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Syscall(u16);

pub const COUNT: usize = ROWS.len();
const ABSENT: u16 = u16::MAX;
/// Numbers from here on stand for arm's private calls, which begin at `ARM_PRIVATE`.
const ARM_PRIVATE_CELL: u16 = 0xf000;
const ARM_PRIVATE: u32 = 0x0f_0000;
/// Set in the number of every x32 call.
pub const X32_BIT: u32 = 0x4000_0000;

/// Where each name begins in `NAMES`, and the end of the last.
static STARTS: [u16; COUNT + 1] = {
    let mut starts = [0; COUNT + 1];
    let mut row = 0;
    while row < COUNT {
        starts[row + 1] = starts[row] + ROWS[row].0.len() as u16;
        row += 1;
    }
    starts
};

/// The names, one behind the other.
const NAMES: &str = {
    const BYTES: [u8; STARTS[COUNT] as usize] = {
        let mut bytes = [0; STARTS[COUNT] as usize];
        let mut row = 0;
        while row < COUNT {
            let (_, rest) = bytes.split_at_mut(STARTS[row] as usize);
            rest.split_at_mut(ROWS[row].0.len()).0.copy_from_slice(ROWS[row].0.as_bytes());
            row += 1;
        }
        bytes
    };
    match str::from_utf8(&BYTES) {
        Ok(names) => names,
        Err(_) => panic!("a name is not UTF-8"),
    }
};

static NUMBERS: [[u16; Arch::ALL.len()]; COUNT] = {
    let mut numbers = [[0; Arch::ALL.len()]; COUNT];
    let mut row = 0;
    while row < COUNT {
        numbers[row] = ROWS[row].1;
        row += 1;
    }
    numbers
};

/// Rows, each at the hash of its name or in the next free place: a profile of an engine names some four hundred calls.
static PLACES: [u16; PLACE_COUNT] = {
    let mut places = [ABSENT; PLACE_COUNT];
    let mut row = 0;
    while row < COUNT {
        let mut place = hash(ROWS[row].0.as_bytes());
        while places[place] != ABSENT {
            place = next_place(place);
        }
        places[place] = row as u16;
        row += 1;
    }
    places
};
/// A power of two, so that some are free.
const PLACE_COUNT: usize = (COUNT + COUNT / 2).next_power_of_two();

const fn hash(name: &[u8]) -> usize {
    let (mut hash, mut at) = (0_usize, 0);
    while at < name.len() {
        hash = hash.wrapping_mul(31).wrapping_add(name[at] as usize);
        at += 1;
    }
    hash % PLACE_COUNT
}

const fn next_place(place: usize) -> usize {
    (place + 1) % PLACE_COUNT
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    match (one, other) {
        ([], []) => true,
        ([a, one @ ..], [b, other @ ..]) => *a == *b && is_same(one, other),
        _ => false,
    }
}

/// The architecture whose calls have this AUDIT_ARCH_*, and this number.
pub fn arch_of(audit: u32, number: u32) -> Option<Arch> {
    let is_x32 = audit == Arch::X32.audit() && number & X32_BIT != 0;
    Arch::ALL.iter().copied().find(|arch| arch.audit() == audit && (*arch == Arch::X32) == is_x32)
}

impl Syscall {
    /// The call of that name, if any architecture has it.
    pub fn by_name(name: &str) -> Option<Syscall> {
        let mut place = hash(name.as_bytes());
        loop {
            match PLACES[place] {
                ABSENT => return None,
                row if Syscall(row).name() == name => return Some(Syscall(row)),
                _ => place = next_place(place),
            }
        }
    }

    /// The row of a name that is in the table, for tables made at compile time.
    pub(super) const fn constant_row(name: &str) -> usize {
        let mut row = 0;
        while !is_same(ROWS[row].0.as_bytes(), name.as_bytes()) {
            row += 1;
        }
        row
    }

    /// The row of the table, below [`COUNT`].
    pub(super) fn row(self) -> usize {
        usize::from(self.0)
    }

    pub fn name(self) -> &'static str {
        let row = self.row();
        &NAMES[usize::from(STARTS[row])..usize::from(STARTS[row + 1])]
    }

    /// The number of this call on `arch` as the kernel shows it to a filter (x32: with bit 30).
    pub fn number(self, arch: Arch) -> Option<u32> {
        match NUMBERS[self.row()][arch.column()] {
            ABSENT => None,
            cell if arch == Arch::X32 => Some(u32::from(cell) | X32_BIT),
            cell if arch == Arch::Arm && cell >= ARM_PRIVATE_CELL => {
                Some(u32::from(cell - ARM_PRIVATE_CELL) + ARM_PRIVATE)
            }
            cell => Some(u32::from(cell)),
        }
    }

    /// Every call of the table, by name.
    pub fn all() -> impl Iterator<Item = Syscall> {
        (0..COUNT as u16).map(Syscall)
    }

    /// The call that has this number on `arch`. Slow: for people, not for filters.
    pub fn by_number(arch: Arch, number: u32) -> Option<Syscall> {
        Syscall::all().find(|call| call.number(arch) == Some(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_the_names_are_sorted() {
        let mut previous = "";
        for call in Syscall::all() {
            assert!(previous < call.name(), "{previous} {}", call.name());
            previous = call.name();
            assert_eq!(Syscall::by_name(call.name()), Some(call));
        }
    }

    #[test]
    fn unknown_names_are_not_found() {
        for name in ["", "a", "readx", "rea", "zzz", "_", "\u{ff}", "READ", "read\n"] {
            assert_eq!(Syscall::by_name(name), None, "{name:?}");
        }
    }

    /// Older calls are held against libseccomp's (tests/spec/seccomp/tables.rs).
    #[test]
    fn a_new_call_has_one_number_everywhere() {
        let call = Syscall::by_name("mseal").expect("in the table");
        for arch in Arch::ALL {
            assert_eq!(call.number(*arch).map(|n| n & !X32_BIT), Some(462), "{arch:?}");
        }
    }

    #[test]
    fn the_numbers_of_this_machine_are_those_of_its_headers() {
        let number =
            |name| Syscall::by_name(name).expect("in the table").number(Arch::native().expect("known here"));
        assert_eq!(number("clone3"), Some(libc::SYS_clone3 as u32));
        assert_eq!(number("execve"), Some(libc::SYS_execve as u32));
        assert_eq!(number("mseal"), Some(libc::SYS_mseal as u32));
    }

    #[test]
    fn two_names_share_a_number_only_where_the_kernel_has_an_alias() {
        for arch in Arch::ALL {
            let mut seen = std::collections::HashMap::new();
            for call in Syscall::all() {
                let Some(number) = call.number(*arch) else { continue };
                if let Some(other) = seen.insert(number, call.name()) {
                    assert_eq!(
                        (other, call.name()),
                        ("arm_sync_file_range", "sync_file_range2"),
                        "{arch:?} {number}"
                    );
                }
            }
        }
    }
}
