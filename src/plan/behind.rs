//! What init does behind the container's filter, and profiles that forbid it.
//!
//! A process that the container can see, or that waits for start, has nothing that the container does not have: so the
//! filter is loaded, and what loading it took is given up, before the process is born or waits. A few system calls come
//! after that. A profile that lacks one of them, or has it answered by an agent or by "done" without doing it, would
//! leave init with rights that it believes to have given up. So the program is asked beforehand what it says to each call.
//!
//! With no_new_privs loading a filter takes no right: then the profile is loaded with those calls allowed first, and as it
//! is at the very end. Without it there is no second time, and the filter has to be the last thing before the exec.

use crate::seccomp::arch::Order;
use crate::seccomp::evaluate::answer;
use crate::seccomp::tables::Syscall;
use crate::seccomp::vocabulary::is_allowed;
use crate::seccomp::{Arch, Filter, Instruction, LONGEST, assembler::code};

/// The system calls that come behind the filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Rights that loading the filter took are given up.
    pub gives_up: bool,
    /// It waits for a word of rruntime's.
    pub listens: bool,
    /// The process spawns the one that becomes the program.
    pub spawns: bool,
    /// The program gets a terminal.
    pub terminal: bool,
    /// rruntime gets the listener of the filter.
    pub notify: bool,
}

impl Needs {
    fn calls(self) -> impl Iterator<Item = (&'static str, [u64; 6])> {
        // Addresses and numbers of descriptors stand for any: a profile that looks at those is not for this world.
        const ADDRESS: u64 = 0x7fff_dead_b000;
        const DESCRIPTOR: u64 = 3;
        let spawning = libc::CLONE_PARENT as u64 | libc::CLONE_CHILD_SETTID as u64;
        let conversation = [DESCRIPTOR, ADDRESS, 24, 0, 0, 0];
        [
            (self.gives_up, "capset", [ADDRESS, ADDRESS, 0, 0, 0, 0]),
            (true, "write", conversation),
            (self.listens, "read", conversation),
            (self.notify, "close", [DESCRIPTOR, 0, 0, 0, 0, 0]),
            (self.spawns, "clone", [spawning, 0, 0, ADDRESS, 0, 0]),
            (self.spawns, "setsid", [0; 6]),
            (self.terminal, "ioctl", [0, u64::from(libc::TIOCSCTTY as u32), 0, 0, 0, 0]),
        ]
        .into_iter()
        .filter_map(|(needed, name, arguments)| needed.then_some((name, arguments)))
    }
}

/// The first of these calls that the kernel would not simply carry out under this filter.
pub fn lacking(filter: &Filter, needs: Needs) -> Option<&'static str> {
    let native = Arch::native()?;
    needs.calls().find_map(|(name, arguments)| (!allows(filter, native, name, arguments)).then_some(name))
}

/// Whether the kernel carries this call out under the filter.
fn allows(filter: &Filter, native: Arch, name: &str, arguments: [u64; 6]) -> bool {
    answer(&filter.program, native, name, arguments).is_some_and(is_allowed)
}

/// The same filter, but for what init still has to do and the profile does not let it: those calls, as init makes them, and
/// loading the filter itself. Nothing that the profile restricts by arguments gets wider than that one call. `None` where it
/// would be longer than the kernel takes.
pub fn with_needs(filter: &Filter, needs: Needs) -> Option<Filter> {
    let native = Arch::native()?;
    let number = |name: &str| Syscall::by_name(name)?.number(native);
    let missing = needs.calls().filter(|(name, arguments)| !allows(filter, native, name, *arguments));
    let instruction = |code, jt, jf, k| Instruction { code, jt, jf, k };
    let mut program = Vec::new();
    for (name, arguments) in missing.chain([("seccomp", [0; 6])]) {
        let Some(number) = number(name) else { continue };
        // What tells this call from others of its number: each word of an argument takes two instructions.
        let told = match name {
            "clone" => Some((0, arguments[0])),
            "ioctl" => Some((1, arguments[1])),
            _ => None,
        };
        let words = told.map_or(Vec::new(), |(argument, value)| argument_words(argument, value, native));
        program.push(instruction(code::LOAD, 0, 0, 0));
        program.push(instruction(code::EQUAL, 0, 2 * words.len() as u8 + 1, number));
        for (i, (offset, value)) in words.iter().enumerate() {
            program.push(instruction(code::LOAD, 0, 0, *offset));
            program.push(instruction(code::EQUAL, 0, 2 * (words.len() - i) as u8 - 1, *value));
        }
        program.push(instruction(code::RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    }
    // Another architecture's numbers mean other calls.
    let skip = u8::try_from(program.len()).ok()?;
    let head = [instruction(code::LOAD, 0, 0, 4), instruction(code::EQUAL, 0, skip, native.audit())];
    program.splice(0..0, head);
    program.extend_from_slice(&filter.program);
    let flags = filter.flags & !(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32);
    (program.len() <= LONGEST).then(|| Filter { program, flags, notify: false, ..filter.clone() })
}

/// Where both halves of an argument are in `struct seccomp_data`, with their values.
fn argument_words(argument: u32, value: u64, native: Arch) -> Vec<(u32, u32)> {
    let first = 16 + 8 * argument;
    let (low, high) = match native.order() {
        Order::HighFirst => (first + 4, first),
        Order::LowFirst => (first, first + 4),
    };
    vec![(low, value as u32), (high, (value >> 32) as u32)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::evaluate::{Call, evaluate};

    fn answers(filter: &Filter, name: &str) -> bool {
        allows(filter, Arch::native().unwrap(), name, [0; 6])
    }

    fn filter_that_refuses_everything() -> Filter {
        let refuse = libc::SECCOMP_RET_ERRNO | 1;
        Filter {
            program: vec![Instruction { code: code::RETURN, jt: 0, jf: 0, k: refuse }],
            field: "/linux/seccomp",
            flags: 0,
            notify: false,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn what_init_needs_is_allowed_and_nothing_else() {
        let all = Needs { gives_up: true, listens: true, spawns: true, terminal: true, notify: true };
        let strict = filter_that_refuses_everything();
        assert_eq!(lacking(&strict, all), Some("capset"));
        let wide = with_needs(&strict, all).unwrap();
        assert_eq!(lacking(&wide, all), None);
        assert!(answers(&wide, "seccomp"));
        for name in ["openat", "execve", "mount", "kill", "exit_group", "clone", "ioctl"] {
            assert!(!answers(&wide, name), "{name}");
        }
        let native = Arch::native().unwrap();
        let new_user =
            libc::CLONE_PARENT as u64 | libc::CLONE_CHILD_SETTID as u64 | libc::CLONE_NEWUSER as u64;
        assert!(!allows(&wide, native, "clone", [new_user, 0, 0, 0, 0, 0]));
        assert!(!allows(&wide, native, "ioctl", [0, u64::from(libc::TIOCSTI as u32), 0, 0, 0, 0]));
        // What the profile allows stays as it allows it, and nothing is added for it.
        let most = Needs { gives_up: true, listens: true, spawns: true, terminal: true, notify: false };
        let once = with_needs(&wide, most).unwrap();
        assert_eq!(once.program.len(), wide.program.len() + 2 + 3);
        // The numbers of another architecture mean other calls.
        let native = Arch::native().unwrap();
        let number = Syscall::by_name("capset").unwrap().number(native).unwrap();
        let call = Call { number, arch: !native.audit(), arguments: [0; 6] };
        let outcome = evaluate(&wide.program, &call, native.order()).unwrap();
        assert_eq!(outcome.returned, libc::SECCOMP_RET_ERRNO | 1);
    }

    #[test]
    fn done_without_doing_it_is_as_bad_as_a_refusal() {
        let mut done = filter_that_refuses_everything();
        done.program[0].k = libc::SECCOMP_RET_ERRNO;
        assert_eq!(lacking(&done, Needs { spawns: true, ..Needs::default() }), Some("write"));
        done.program[0].k = libc::SECCOMP_RET_USER_NOTIF;
        assert_eq!(lacking(&done, Needs { spawns: true, ..Needs::default() }), Some("write"));
    }
}
