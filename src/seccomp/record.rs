//! The least profile under which a program runs that was watched: `seccomp record`.
//!
//! The filter that records asks about each system call but those that the profile will have in any case, because a runtime's
//! init makes them behind its filter, or because whether they are made depends on the machine. So it never holds up init,
//! which could not hand over the listener otherwise, and the calls that programs make most cost nothing.

use super::arch::Arch;
use super::assembler::code;
use super::multiplex::{is_multiplexer, through};
use super::tables::{Syscall, arch_of};
use super::vocabulary::{ARCHES, need, wrong};
use super::{Filter, compile};
use crate::error::{Context, Error, Kind, Result};
use crate::spec::Seccomp;
use crate::spec::seccomp::{SyscallArg, SyscallRule};

/// Whose call it is.
pub const RRUNTIME: u8 = 1;
pub const RUNC: u8 = 2;
pub const CRUN: u8 = 4;
/// Every program's: its start, its end, its signals.
pub const ALL: u8 = 8;
/// A call takes the place of what the vDSO does on most machines.
pub const CLOCK: u8 = 16;

/// What each runtime does behind its filter, with and without noNewPrivileges, in `create`, `run` and `exec` (rruntime by
/// `plan/behind.rs`; runc 1.1 and 1.3 and crun 1.28 were watched: docs/seccomp.md).
pub const NEEDS: &[(&str, u8)] = &[
    ("capget", RUNC),
    ("capset", RRUNTIME | RUNC | CRUN),
    ("chdir", RUNC),
    ("clock_gettime", CLOCK),
    ("close", RRUNTIME | RUNC | CRUN),
    ("close_range", RUNC | CRUN),
    ("epoll_ctl", RUNC),
    ("execve", ALL),
    ("exit", ALL),
    ("exit_group", ALL),
    ("faccessat", RUNC),
    ("faccessat2", RUNC),
    ("fchown", CRUN),
    ("fcntl", RUNC),
    ("fstat", RUNC | CRUN),
    ("fstatfs", RUNC),
    ("futex", RUNC),
    ("getcpu", CLOCK),
    ("getcwd", RUNC),
    ("getdents64", RUNC),
    ("getpid", RUNC),
    ("getppid", RUNC),
    ("gettimeofday", CLOCK),
    ("mmap", RUNC),
    ("nanosleep", RUNC),
    ("newfstatat", RUNC),
    ("openat", RUNC | CRUN),
    ("prctl", RUNC | CRUN),
    ("pselect6", CRUN),
    ("read", RRUNTIME | RUNC | CRUN),
    ("readlinkat", RUNC),
    ("restart_syscall", ALL),
    ("rt_sigaction", CRUN),
    ("rt_sigprocmask", CRUN),
    ("rt_sigreturn", ALL),
    ("sched_yield", RUNC),
    ("setgid", RUNC),
    ("setgroups", RUNC | CRUN),
    ("setresgid", CRUN),
    ("setresuid", CRUN),
    ("setsid", RRUNTIME),
    ("setuid", RUNC),
    ("statx", RUNC | CRUN),
    ("tgkill", RUNC),
    ("time", CLOCK),
    ("umask", CRUN),
    ("write", RRUNTIME | RUNC | CRUN),
];

/// The calls that a runtime makes with these values of one argument, and that a program may make with others: (name, place
/// of the argument, mask, value, whose). A thread of runc's; the birth of an exec; its terminal.
const EXACTLY: &[(&str, u32, u64, u64, u8)] = &[
    ("clone", 0, libc::CLONE_THREAD as u64, libc::CLONE_THREAD as u64, RUNC),
    ("clone", 0, u64::MAX, (libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID) as u64, RRUNTIME),
    ("ioctl", 1, u64::MAX, libc::TIOCSCTTY as u32 as u64, RRUNTIME),
];

const ALLOW: &str = "SCMP_ACT_ALLOW";

fn rule(names: &[&'static str], args: Vec<SyscallArg<'static>>) -> SyscallRule<'static> {
    let names = names.iter().map(|name| (*name).into()).collect();
    SyscallRule { names, action: ALLOW.into(), args, ..SyscallRule::default() }
}

/// The rules of [`EXACTLY`] for calls of which `named` does not have all.
fn exact_rules(named: &[&str], whose: u8) -> impl Iterator<Item = SyscallRule<'static>> {
    let wanted = move |exact: &&(&str, u32, u64, u64, u8)| exact.4 & whose != 0 && !named.contains(&exact.0);
    EXACTLY.iter().filter(wanted).map(|&(name, index, mask, wanted, _)| {
        let (op, value, value_two) = match mask {
            u64::MAX => ("SCMP_CMP_EQ", wanted, 0),
            mask => ("SCMP_CMP_MASKED_EQ", mask, wanted),
        };
        rule(&[name], vec![SyscallArg { index, value, value_two, op: op.into() }])
    })
}

/// A profile that allows these calls alone.
pub fn allowing(names: &[&'static str]) -> Seccomp<'static> {
    Seccomp {
        default_action: "SCMP_ACT_ERRNO".into(),
        syscalls: vec![rule(names, Vec::new())],
        ..Seccomp::default()
    }
}

/// The calls that any of these needs, in the order of their names.
fn needed(whose: u8) -> Vec<&'static str> {
    NEEDS.iter().filter(|need| need.1 & whose != 0).map(|need| need.0).collect()
}

/// The profile of what is needed by these, and of nothing else.
pub fn needs(whose: u8) -> Seccomp<'static> {
    let mut profile = allowing(&needed(whose));
    profile.syscalls.extend(exact_rules(&[], whose));
    profile
}

/// Who needs a call in any case; 0: no one.
pub fn whose(name: &str) -> u8 {
    NEEDS.iter().find(|need| need.0 == name).map_or(0, |need| need.1)
}

/// Whether a profile is one that [`Record::profile`] could have made.
pub fn is_recorded(profile: &Seccomp) -> bool {
    let has = |name: &str| profile.syscalls[0].names.iter().any(|known| **known == *name);
    !profile.syscalls.is_empty() && NEEDS.iter().all(|need| has(need.0))
}

/// The filter that records: what is not needed in any case is the listener's. `supported`: the kernel's filter flags.
pub fn filter(native: Arch, supported: u32) -> Result<Option<Filter>> {
    let mut syscalls = vec![rule(&needed(u8::MAX), Vec::new())];
    // A thread of the program's is the program's call.
    syscalls.extend(exact_rules(&[], u8::MAX).filter(|rule| &*rule.args[0].op == "SCMP_CMP_EQ"));
    let profile = Seccomp { default_action: "SCMP_ACT_KILL".into(), syscalls, ..Seccomp::default() };
    let Some(mut filter) = compile(&profile, native, supported)? else { return Ok(None) };
    for instruction in &mut filter.program {
        if instruction.code == code::RETURN && instruction.k != libc::SECCOMP_RET_ALLOW {
            instruction.k = libc::SECCOMP_RET_USER_NOTIF;
        }
    }
    filter.notify = true;
    // A call that is being looked at is not begun anew because of a signal.
    let killable = libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV as u32;
    filter.flags |= libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32 | killable & supported;
    Ok(Some(filter))
}

/// The calls that were seen. Each list is in order.
#[derive(Debug, Default)]
pub struct Record {
    names: Vec<&'static str>,
    arches: Vec<Arch>,
    /// (AUDIT_ARCH_*, number, code of a multiplexer): what is known already costs no search.
    seen: Vec<(u32, u32, u32)>,
    /// The same of calls that no table has.
    unknown: Vec<(u32, u32, u32)>,
}

fn note<T: Ord>(list: &mut Vec<T>, item: T) {
    if let Err(at) = list.binary_search(&item) {
        list.insert(at, item);
    }
}

/// A program can make up numbers.
const MOST_UNKNOWN: usize = 100;

impl Record {
    pub fn add(&mut self, audit: u32, number: u32, first: u64) {
        let arch = arch_of(audit, number);
        let code = if arch.is_some_and(|arch| is_multiplexer(arch, number)) { first as u32 } else { 0 };
        if self.seen.binary_search(&(audit, number, code)).is_ok() {
            return;
        }
        let found = arch.and_then(|arch| through(arch, number, code).or(Syscall::by_number(arch, number)));
        if let (Some(call), Some(arch)) = (found, arch) {
            note(&mut self.seen, (audit, number, code));
            note(&mut self.names, call.name());
            note(&mut self.arches, arch);
        } else if self.unknown.len() < MOST_UNKNOWN {
            note(&mut self.unknown, (audit, number, 0));
        }
    }

    /// What an earlier record has too. Errors: a profile that was not recorded, whose rules say more than "allow".
    pub fn merge(&mut self, earlier: &Seccomp) -> Result<()> {
        let refused = |field: String, value: &str| {
            Error::new("only a profile that was recorded can be merged")
                .kind(Kind::Config)
                .field(field)
                .value(value)
        };
        if &*earlier.default_action != "SCMP_ACT_ERRNO" {
            return Err(refused("/defaultAction".to_owned(), &earlier.default_action));
        }
        for (i, name) in earlier.architectures.iter().enumerate() {
            let field = || format!("/architectures/{i}");
            let arch = need(ARCHES, name, "unknown architecture").at(field)?;
            note(&mut self.arches, arch.ok_or_else(|| refused(field(), name))?);
        }
        for (i, rule) in earlier.syscalls.iter().enumerate() {
            if &*rule.action != ALLOW {
                return Err(refused(format!("/syscalls/{i}/action"), &rule.action));
            }
            // Those with conditions come by themselves.
            for (j, name) in rule.names.iter().enumerate().filter(|_| rule.args.is_empty()) {
                let call = Syscall::by_name(name);
                let field = || format!("/syscalls/{i}/names/{j}");
                let unknown = || wrong("unknown system call").field(field()).value(name);
                note(&mut self.names, call.ok_or_else(unknown)?.name());
            }
        }
        Ok(())
    }

    /// How many calls there are beside those that every profile has.
    pub fn count(&self) -> usize {
        self.names.iter().filter(|name| whose(name) == 0).count()
    }

    /// Those beside the native one.
    pub fn foreign(&self, native: Arch) -> impl Iterator<Item = Arch> {
        self.arches.iter().copied().filter(move |arch| *arch != native)
    }

    /// Calls that have no name here, so that no profile can allow them: (AUDIT_ARCH_*, number).
    pub fn unknown(&self) -> impl Iterator<Item = (u32, u32)> {
        self.unknown.iter().map(|&(audit, number, _)| (audit, number))
    }

    /// `linux.seccomp`.
    pub fn profile(&self, native: Arch) -> Seccomp<'static> {
        let mut names = self.names.clone();
        needed(u8::MAX).into_iter().for_each(|name| note(&mut names, name));
        let arches = [native].into_iter().chain(self.foreign(native));
        let mut profile = allowing(&names);
        profile.architectures = arches.map(|arch| arch.name().into()).collect();
        profile.syscalls.extend(exact_rules(&names, u8::MAX));
        profile
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::Instruction;
    use crate::seccomp::evaluate::{Call, evaluate};

    const NATIVE: Arch = Arch::X86_64;

    fn answer(program: &[Instruction], name: &str, arch: Arch, arguments: [u64; 6]) -> u32 {
        let number = Syscall::by_name(name).unwrap().number(arch).unwrap();
        let call = Call { number, arch: arch.audit(), arguments };
        evaluate(program, &call, NATIVE.order()).unwrap().returned
    }

    #[test]
    fn the_tables_are_sorted_and_have_no_other_names() {
        assert!(NEEDS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for name in NEEDS.iter().map(|need| need.0).chain(EXACTLY.iter().map(|exact| exact.0)) {
            assert!(Syscall::by_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_filter_asks_for_every_call_but_those_of_init() {
        let filter = filter(NATIVE, u32::MAX).unwrap().unwrap();
        let ask = |name, arch, first| answer(&filter.program, name, arch, [first, 0, 0, 0, 0, 0]);
        let (asked, allowed) = (libc::SECCOMP_RET_USER_NOTIF, libc::SECCOMP_RET_ALLOW);
        for name in ["write", "read", "execve", "capset", "close", "setsid"] {
            assert_eq!(ask(name, NATIVE, 0), allowed, "{name}");
        }
        // Newer than every call that is needed, another architecture's, and one that no table has.
        for (name, arch) in [("mseal", NATIVE), ("write", Arch::X86), ("write", Arch::X32), ("brk", NATIVE)] {
            assert_eq!(ask(name, arch, 0), asked, "{name} {arch:?}");
        }
        let none = Call { number: 5000, arch: NATIVE.audit(), arguments: [0; 6] };
        assert_eq!(evaluate(&filter.program, &none, NATIVE.order()).unwrap().returned, asked);
        let birth = (libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID) as u64;
        assert_eq!(ask("clone", NATIVE, birth), allowed);
        assert_eq!(ask("clone", NATIVE, birth | libc::CLONE_NEWUSER as u64), asked);
        assert_eq!(ask("clone", NATIVE, libc::CLONE_THREAD as u64), asked);
        assert!(filter.notify);
    }

    #[test]
    fn a_record_is_a_profile_that_allows_what_was_seen_and_nothing_else() {
        let mut record = Record::default();
        let number = |name: &str, arch| Syscall::by_name(name).unwrap().number(arch).unwrap();
        record.add(NATIVE.audit(), number("mkdir", NATIVE), 0);
        record.add(NATIVE.audit(), number("mkdir", NATIVE), 7);
        record.add(Arch::X86.audit(), 102, 3);
        record.add(Arch::X32.audit(), number("getuid", Arch::X32), 0);
        record.add(NATIVE.audit(), 5000, 0);
        (6000..9000).for_each(|number| record.add(0x1234, number, 0));
        assert_eq!((record.count(), record.unknown().count()), (3, MOST_UNKNOWN));
        let profile = record.profile(NATIVE);
        let words: Vec<&str> = profile.architectures.iter().map(|arch| &**arch).collect();
        assert_eq!(words, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
        assert!(profile.syscalls[0].names.is_sorted());
        let program = compile(&profile, NATIVE, 0).unwrap().unwrap().program;
        let allows = |name, arch, first| {
            answer(&program, name, arch, [first, 0, 0, 0, 0, 0]) == libc::SECCOMP_RET_ALLOW
        };
        assert!(allows("mkdir", NATIVE, 0) && allows("socketcall", Arch::X86, 3));
        assert!(allows("clone", NATIVE, libc::CLONE_THREAD as u64) && !allows("clone", NATIVE, 0));
        assert!(!allows("socketcall", Arch::X86, 4) && !allows("rmdir", NATIVE, 0));
        assert!(!allows("ptrace", NATIVE, 0) && !allows("mount", NATIVE, 0));
    }

    #[test]
    fn records_add_up_and_nothing_else_is_merged() {
        let mut first = Record::default();
        first.add(NATIVE.audit(), Syscall::by_name("mkdir").unwrap().number(NATIVE).unwrap(), 0);
        let text = serde_json::to_string(&first.profile(NATIVE)).unwrap();
        let mut second = Record::default();
        second.add(Arch::X86.audit(), Syscall::by_name("clone").unwrap().number(Arch::X86).unwrap(), 0);
        second.merge(&serde_json::from_str(&text).unwrap()).unwrap();
        let both = second.profile(NATIVE);
        assert_eq!(second.count(), 2);
        // One rule has all of clone now.
        assert_eq!(both.syscalls.len(), 2);
        for (from, to, field) in [
            ("\"SCMP_ACT_ERRNO\"", "\"SCMP_ACT_ALLOW\"", "/defaultAction"),
            ("\"SCMP_ACT_ALLOW\"", "\"SCMP_ACT_LOG\"", "/syscalls/0/action"),
            ("\"mkdir\"", "\"mkdri\"", "/syscalls/0/names/"),
            ("X86_64", "Z80", "/architectures/0"),
        ] {
            let text = text.replace(from, to);
            let error = Record::default().merge(&serde_json::from_str(&text).unwrap()).unwrap_err();
            assert!(error.to_string().contains(field), "{error}");
        }
    }
}
