//! The words of a seccomp profile: actions, operators, architectures, flags. The compiler, `features`, the
//! documentation and the tests read the same tables.

use super::arch::Arch;
use super::assembler::code;
use crate::error::{Error, Kind, Result};
use crate::names::{find, instead_of};
use std::ffi::c_ulong;

/// `action` and `defaultAction` (config-linux.md, Seccomp): what the filter returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    KillThread = libc::SECCOMP_RET_KILL_THREAD,
    KillProcess = libc::SECCOMP_RET_KILL_PROCESS,
    Trap = libc::SECCOMP_RET_TRAP,
    Errno = libc::SECCOMP_RET_ERRNO,
    Trace = libc::SECCOMP_RET_TRACE,
    Allow = libc::SECCOMP_RET_ALLOW,
    Log = libc::SECCOMP_RET_LOG,
    Notify = libc::SECCOMP_RET_USER_NOTIF,
}

/// `op` of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    NotEqual,
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
    MaskedEqual,
}

pub const ACTIONS: &[(&str, Action)] = &[
    ("SCMP_ACT_ALLOW", Action::Allow),
    ("SCMP_ACT_ERRNO", Action::Errno),
    ("SCMP_ACT_KILL", Action::KillThread),
    ("SCMP_ACT_KILL_PROCESS", Action::KillProcess),
    ("SCMP_ACT_KILL_THREAD", Action::KillThread),
    ("SCMP_ACT_LOG", Action::Log),
    ("SCMP_ACT_NOTIFY", Action::Notify),
    ("SCMP_ACT_TRACE", Action::Trace),
    ("SCMP_ACT_TRAP", Action::Trap),
];

pub const OPERATORS: &[(&str, Operator)] = &[
    ("SCMP_CMP_EQ", Operator::Equal),
    ("SCMP_CMP_GE", Operator::GreaterOrEqual),
    ("SCMP_CMP_GT", Operator::Greater),
    ("SCMP_CMP_LE", Operator::LessOrEqual),
    ("SCMP_CMP_LT", Operator::Less),
    ("SCMP_CMP_MASKED_EQ", Operator::MaskedEqual),
    ("SCMP_CMP_NE", Operator::NotEqual),
];

/// `architectures`. `None`: valid, but we have no table, so its calls get the action of a wrong architecture.
pub const ARCHES: &[(&str, Option<Arch>)] = &[
    ("SCMP_ARCH_AARCH64", Some(Arch::Aarch64)),
    ("SCMP_ARCH_ARM", Some(Arch::Arm)),
    ("SCMP_ARCH_LOONGARCH64", Some(Arch::Loongarch64)),
    ("SCMP_ARCH_M68K", None),
    ("SCMP_ARCH_MIPS", None),
    ("SCMP_ARCH_MIPS64", None),
    ("SCMP_ARCH_MIPS64N32", None),
    ("SCMP_ARCH_MIPSEL", None),
    ("SCMP_ARCH_MIPSEL64", None),
    ("SCMP_ARCH_MIPSEL64N32", None),
    ("SCMP_ARCH_PARISC", None),
    ("SCMP_ARCH_PARISC64", None),
    ("SCMP_ARCH_PPC", None),
    ("SCMP_ARCH_PPC64", None),
    ("SCMP_ARCH_PPC64LE", Some(Arch::Ppc64le)),
    ("SCMP_ARCH_RISCV64", Some(Arch::Riscv64)),
    ("SCMP_ARCH_S390", None),
    ("SCMP_ARCH_S390X", Some(Arch::S390x)),
    ("SCMP_ARCH_SH", None),
    ("SCMP_ARCH_SHEB", None),
    ("SCMP_ARCH_X32", Some(Arch::X32)),
    ("SCMP_ARCH_X86", Some(Arch::X86)),
    ("SCMP_ARCH_X86_64", Some(Arch::X86_64)),
];

/// A filter flag: its name, its bit for seccomp(2), the first Linux that has it.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    pub name: &'static str,
    pub bit: u32,
    pub since: (u32, u32),
}

/// The flags that a profile may name.
pub const FLAGS: &[Flag] = &[
    flag("SECCOMP_FILTER_FLAG_LOG", libc::SECCOMP_FILTER_FLAG_LOG, (4, 14)),
    flag("SECCOMP_FILTER_FLAG_SPEC_ALLOW", libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW, (4, 17)),
    flag("SECCOMP_FILTER_FLAG_TSYNC", libc::SECCOMP_FILTER_FLAG_TSYNC, (3, 17)),
    flag("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, (5, 19)),
];

const fn flag(name: &'static str, bit: c_ulong, since: (u32, u32)) -> Flag {
    Flag { name, bit: bit as u32, since }
}

/// The bits of [`FLAGS`] that Linux `major.minor` has.
pub fn flags_of_kernel(major: u32, minor: u32) -> u32 {
    FLAGS.iter().filter(|f| f.since <= (major, minor)).map(|f| f.bit).sum()
}

/// The value of a word that must be one of the table's.
pub(super) fn need<T: Copy>(table: &[(&'static str, T)], word: &str, otherwise: &'static str) -> Result<T> {
    let names = table.iter().map(|(name, _)| *name);
    find(table, word).ok_or_else(|| wrong(otherwise).value(word).remedy(instead_of(word, names)))
}

/// The name of a bit pattern that a filter returns, for people: "SCMP_ACT_ERRNO(38)".
pub fn describe(returned: u32) -> String {
    let data = returned & libc::SECCOMP_RET_DATA;
    // The plain name of what has two comes last.
    match ACTIONS.iter().rfind(|(_, action)| *action as u32 == returned & !libc::SECCOMP_RET_DATA) {
        Some((name, Action::Errno | Action::Trace)) => format!("{name}({data})"),
        Some((name, _)) => (*name).to_owned(),
        None => format!("{returned:#x}"),
    }
}

/// What a returned value does, for people. `agent`: where a call is asked about.
pub fn meaning(returned: u32, agent: Option<&str>) -> String {
    let data = returned & libc::SECCOMP_RET_DATA;
    match returned & libc::SECCOMP_RET_ACTION_FULL {
        libc::SECCOMP_RET_ALLOW => "allowed".into(),
        libc::SECCOMP_RET_LOG => "allowed and logged".into(),
        libc::SECCOMP_RET_ERRNO => {
            let text = std::io::Error::from_raw_os_error(data as i32).to_string();
            format!(
                "refused with errno {data} ({})",
                text.split(" (os").next().unwrap_or_default().to_lowercase()
            )
        }
        libc::SECCOMP_RET_TRACE => format!("left to a tracer ({data}), refused without one"),
        libc::SECCOMP_RET_TRAP => "answered by the signal SIGSYS".into(),
        libc::SECCOMP_RET_KILL_THREAD => "kills the thread".into(),
        libc::SECCOMP_RET_KILL_PROCESS => "kills the process".into(),
        libc::SECCOMP_RET_USER_NOTIF => format!("asks the agent at {}", agent.unwrap_or("none")),
        _ => describe(returned),
    }
}

/// Whether the kernel does the call.
pub fn is_allowed(returned: u32) -> bool {
    matches!(returned, libc::SECCOMP_RET_ALLOW | libc::SECCOMP_RET_LOG)
}

impl Operator {
    /// The jump that asks for it, and whether its yes is ours.
    pub(super) fn comparison(self) -> (u16, bool) {
        match self {
            Operator::Equal | Operator::MaskedEqual => (code::EQUAL, true),
            Operator::NotEqual => (code::EQUAL, false),
            Operator::Greater => (code::GREATER, true),
            Operator::GreaterOrEqual => (code::GREATER_OR_EQUAL, true),
            Operator::Less => (code::GREATER_OR_EQUAL, false),
            Operator::LessOrEqual => (code::GREATER, false),
        }
    }
}

impl Arch {
    /// The name in `config.json`.
    pub fn name(self) -> &'static str {
        let entry = ARCHES.iter().find(|(_, named)| *named == Some(self));
        entry.expect("every architecture has a name").0
    }
}

impl Action {
    /// The value that the filter returns. `errno`: that of the profile, if it has one.
    ///
    /// Errors: a number that the kernel would cut, or that the 16 bits of the return value cannot hold; a number for an
    /// action that has none (the specification demands that error).
    pub fn returned(self, errno: Option<u32>) -> Result<u32> {
        let with_errno = matches!(self, Action::Errno | Action::Trace);
        let problem = match errno {
            Some(_) if !with_errno => "only SCMP_ACT_ERRNO and SCMP_ACT_TRACE take an error number",
            Some(number) if self == Action::Errno && number > LARGEST_ERRNO => {
                "is larger than 4095, the largest error number of the kernel"
            }
            Some(number) if number > libc::SECCOMP_RET_DATA => {
                "is larger than 65535, the largest number that a tracer receives"
            }
            _ if with_errno => return Ok(self as u32 | errno.unwrap_or(libc::EPERM as u32)),
            _ => return Ok(self as u32),
        };
        let remedy =
            if with_errno { "give a smaller number" } else { "leave the number out, or change the action" };
        Err(wrong(problem).value(errno.unwrap_or_default()).remedy(remedy))
    }
}

/// MAX_ERRNO of linux/err.h: a filter that returns a larger number gets this one.
const LARGEST_ERRNO: u32 = 4095;

/// An error in the profile.
pub(super) fn wrong(reason: &'static str) -> Error {
    Error::new(reason).kind(Kind::Config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_table_is_its_own() {
        fn distinct<T>(table: &[(&str, T)]) {
            assert!(table.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
        distinct(ACTIONS);
        distinct(OPERATORS);
        distinct(ARCHES);
    }

    #[test]
    fn every_architecture_is_found_by_its_name() {
        for (column, arch) in Arch::ALL.iter().enumerate() {
            assert_eq!(arch.column(), column);
            assert_eq!(find(ARCHES, arch.name()), Some(Some(*arch)));
        }
        assert_eq!(find(ARCHES, "SCMP_ARCH_MIPS"), Some(None));
        assert_eq!(find(ARCHES, "SCMP_ARCH_Z80"), None);
    }

    #[test]
    fn an_error_number_belongs_to_errno_and_trace() {
        assert_eq!(Action::Errno.returned(None).unwrap(), 0x0005_0001);
        assert_eq!(Action::Errno.returned(Some(38)).unwrap(), 0x0005_0026);
        assert_eq!(Action::Trace.returned(Some(7)).unwrap(), 0x7ff0_0007);
        assert!(Action::Allow.returned(Some(1)).is_err());
        assert!(Action::Errno.returned(Some(65536)).is_err());
    }

    #[test]
    fn flags_come_with_their_kernels() {
        assert_eq!(flags_of_kernel(5, 10), 0b111);
        assert_eq!(flags_of_kernel(6, 18), 0b100111);
    }
}
