//! socketcall(2) and ipc(2): one number for many calls, with the call's code as the first argument.
//!
//! Where an architecture has them, a program reaches the same call by two ways, its own number (if it has one) and
//! the multiplexer. A rule that covered only one of them would be a hole or a needless denial.

use super::arch::Arch;
use super::tables::{COUNT, Syscall};

/// The way to a call through a multiplexer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiplexed {
    /// Number of the multiplexing call.
    pub number: u32,
    /// Its first argument.
    pub code: u32,
}

const SOCKETCALL: u32 = 102;
const IPC: u32 = 117;

/// Codes of `linux/net.h`.
const SOCKET_CODES: [(&str, u8); 20] = [
    ("socket", 1),
    ("bind", 2),
    ("connect", 3),
    ("listen", 4),
    ("accept", 5),
    ("getsockname", 6),
    ("getpeername", 7),
    ("socketpair", 8),
    ("send", 9),
    ("recv", 10),
    ("sendto", 11),
    ("recvfrom", 12),
    ("shutdown", 13),
    ("setsockopt", 14),
    ("getsockopt", 15),
    ("sendmsg", 16),
    ("recvmsg", 17),
    ("accept4", 18),
    ("recvmmsg", 19),
    ("sendmmsg", 20),
];

/// Codes of `linux/ipc.h`.
const IPC_CODES: [(&str, u8); 12] = [
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];

/// Marks a code of ipc(2) in `CODES`.
const IS_IPC: u8 = 0x80;

/// The code of each row of the system call table, 0: no multiplexed call.
static CODES: [u8; COUNT] = {
    let mut codes = [0; COUNT];
    let mut i = 0;
    while i < SOCKET_CODES.len() {
        codes[Syscall::constant_row(SOCKET_CODES[i].0)] = SOCKET_CODES[i].1;
        i += 1;
    }
    i = 0;
    while i < IPC_CODES.len() {
        codes[Syscall::constant_row(IPC_CODES[i].0)] = IPC_CODES[i].1 | IS_IPC;
        i += 1;
    }
    codes
};

/// How `call` is reached through a multiplexer of `arch`; `None` if it is not.
pub fn multiplexed(arch: Arch, call: Syscall) -> Option<Multiplexed> {
    if !is_multiplexer(arch, IPC) {
        return None;
    }
    match CODES[call.row()] {
        0 => None,
        code if code & IS_IPC != 0 => Some(Multiplexed { number: IPC, code: u32::from(code & !IS_IPC) }),
        code => Some(Multiplexed { number: SOCKETCALL, code: u32::from(code) }),
    }
}

/// Whether this number is one way to many calls.
pub fn is_multiplexer(arch: Arch, number: u32) -> bool {
    matches!(arch, Arch::X86 | Arch::Ppc64le | Arch::S390x) && matches!(number, SOCKETCALL | IPC)
}

/// The call that a multiplexer does for this code.
pub fn through(arch: Arch, number: u32, code: u32) -> Option<Syscall> {
    let way = Some(Multiplexed { number, code });
    is_multiplexer(arch, number).then(|| Syscall::all().find(|call| multiplexed(arch, *call) == way))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_multiplexers_have_the_same_numbers_everywhere() {
        for arch in [Arch::X86, Arch::Ppc64le, Arch::S390x] {
            let number = |name| Syscall::by_name(name).expect("in the table").number(arch);
            assert_eq!(number("socketcall"), Some(SOCKETCALL));
            assert_eq!(number("ipc"), Some(IPC));
        }
    }

    #[test]
    fn a_call_is_multiplexed_only_where_the_multiplexer_exists() {
        let call = |name| Syscall::by_name(name).expect("in the table");
        let through = |number, code| Some(Multiplexed { number, code });
        assert_eq!(multiplexed(Arch::X86, call("socket")), through(SOCKETCALL, 1));
        assert_eq!(multiplexed(Arch::X86, call("shmctl")), through(IPC, 24));
        assert_eq!(multiplexed(Arch::X86, call("read")), None);
        assert_eq!(multiplexed(Arch::X86_64, call("socket")), None);
        assert_eq!(multiplexed(Arch::Arm, call("socket")), None);
    }
}
