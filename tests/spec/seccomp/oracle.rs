//! The same profile, as runc hands it to libseccomp, and runc's ENOSYS for newer calls.

use super::meaning::returned;
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use rruntime::seccomp::evaluate::{Call, evaluate};
use rruntime::seccomp::tables::Syscall;
use rruntime::seccomp::{Arch, Instruction, arch::Order};
use rruntime::spec::{Seccomp, SyscallArg};
use std::collections::HashSet;
use std::io::Read;

pub const ENOSYS: u32 = 0x0005_0026;
const X32_BIT: u32 = 0x4000_0000;

/// What runc and libseccomp make of a profile.
pub struct Oracle {
    program: Vec<Instruction>,
    default: u32,
    /// For each architecture of the filter: the highest number known, if newer calls get ENOSYS.
    newest: Vec<(Arch, Option<u32>)>,
    /// (AUDIT_ARCH, number) that a rule is about; our ENOSYS leaves these alone, runc's does not always.
    ruled: HashSet<(u32, u32)>,
}

/// Why there is no oracle for a profile.
#[derive(Debug)]
pub enum Refused {
    /// libseccomp takes no two rules that contradict each other in certain ways.
    Contradiction,
    Other(String),
}

pub fn scmp(arch: Arch) -> ScmpArch {
    match arch {
        Arch::X86_64 => ScmpArch::X8664,
        Arch::X86 => ScmpArch::X86,
        Arch::X32 => ScmpArch::X32,
        Arch::Aarch64 => ScmpArch::Aarch64,
        Arch::Arm => ScmpArch::Arm,
        Arch::Riscv64 => ScmpArch::Riscv64,
        Arch::Ppc64le => ScmpArch::Ppc64Le,
        Arch::S390x => ScmpArch::S390X,
        Arch::Loongarch64 => ScmpArch::Loongarch64,
    }
}

/// The architectures whose tables libseccomp 2.5.4 has and that may stand in one filter.
pub const ARCHES: [Arch; 7] =
    [Arch::X86_64, Arch::X86, Arch::X32, Arch::Aarch64, Arch::Arm, Arch::Riscv64, Arch::Ppc64le];

fn action(name: &str, errno: Option<u32>) -> ScmpAction {
    let errno = errno.unwrap_or(1);
    match name {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => ScmpAction::KillThread,
        "SCMP_ACT_KILL_PROCESS" => ScmpAction::KillProcess,
        "SCMP_ACT_TRAP" => ScmpAction::Trap,
        "SCMP_ACT_ERRNO" => ScmpAction::Errno(errno as i32),
        "SCMP_ACT_TRACE" => ScmpAction::Trace(errno as u16),
        "SCMP_ACT_ALLOW" => ScmpAction::Allow,
        "SCMP_ACT_LOG" => ScmpAction::Log,
        "SCMP_ACT_NOTIFY" => ScmpAction::Notify,
        other => panic!("{other}"),
    }
}

fn comparison(arg: &SyscallArg) -> ScmpArgCompare {
    let (operator, value) = match &*arg.op {
        "SCMP_CMP_NE" => (ScmpCompareOp::NotEqual, arg.value),
        "SCMP_CMP_LT" => (ScmpCompareOp::Less, arg.value),
        "SCMP_CMP_LE" => (ScmpCompareOp::LessOrEqual, arg.value),
        "SCMP_CMP_EQ" => (ScmpCompareOp::Equal, arg.value),
        "SCMP_CMP_GE" => (ScmpCompareOp::GreaterEqual, arg.value),
        "SCMP_CMP_GT" => (ScmpCompareOp::Greater, arg.value),
        "SCMP_CMP_MASKED_EQ" => (ScmpCompareOp::MaskedEqual(arg.value), arg.value_two),
        other => panic!("{other}"),
    };
    ScmpArgCompare::new(arg.index, operator, value)
}

fn export(filter: &ScmpFilterContext) -> Vec<Instruction> {
    // 4096 instructions of 8 bytes fit into a pipe.
    let (mut reader, writer) = std::io::pipe().expect("pipe");
    filter.export_bpf(&writer).expect("export");
    drop(writer);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("read");
    let instruction = |b: &[u8]| Instruction {
        code: u16::from_ne_bytes([b[0], b[1]]),
        jt: b[2],
        jf: b[3],
        k: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
    };
    bytes.chunks_exact(8).map(instruction).collect()
}

impl Oracle {
    pub fn new(profile: &Seccomp) -> Result<Oracle, Refused> {
        let other = |e: libseccomp::error::SeccompError| Refused::Other(e.to_string());
        let default = action(&profile.default_action, profile.default_errno_ret);
        let mut filter = ScmpFilterContext::new(default).map_err(other)?;
        let mut arches = vec![Arch::X86_64];
        for name in &profile.architectures {
            let arch = *Arch::ALL.iter().find(|arch| arch.name() == &**name).expect("a known architecture");
            filter.add_arch(scmp(arch)).map_err(other)?;
            if !arches.contains(&arch) {
                arches.push(arch);
            }
        }
        let mut ruled = HashSet::new();
        for rule in &profile.syscalls {
            let action = action(&rule.action, rule.errno_ret);
            for name in &rule.names {
                let Ok(call) = ScmpSyscall::from_name(name) else { continue };
                if action == default {
                    continue;
                }
                for arch in &arches {
                    let pseudo =
                        ScmpSyscall::from_name_by_arch(name, scmp(*arch)).map_or(0, |c| c.as_raw_syscall());
                    let multiplexer = match pseudo {
                        -120..=-101 => "socketcall",
                        -224..=-201 => "ipc",
                        _ => name,
                    };
                    let numbers = [&**name, multiplexer].map(|name| Syscall::by_name(name)?.number(*arch));
                    ruled.extend(numbers.into_iter().flatten().map(|number| (arch.audit(), number)));
                }
                let comparisons: Vec<ScmpArgCompare> = rule.args.iter().map(comparison).collect();
                let repeated =
                    (0..6).any(|index| rule.args.iter().filter(|arg| arg.index == index).count() > 1);
                let added = match (comparisons.is_empty(), repeated) {
                    (true, _) => filter.add_rule(action, call).map(drop),
                    (_, false) => filter.add_rule_conditional(action, call, &comparisons).map(drop),
                    (_, true) => comparisons
                        .iter()
                        .try_for_each(|one| filter.add_rule_conditional(action, call, &[*one]).map(drop)),
                };
                added.map_err(|error| match error.sysrawrc() {
                    _ if error.to_string().contains("exist") => Refused::Contradiction,
                    _ => Refused::Other(error.to_string()),
                })?;
            }
        }
        let lets_through = matches!(default, ScmpAction::Allow | ScmpAction::Log | ScmpAction::Trace(_));
        let newest = |arch: Arch| {
            let names = profile.syscalls.iter().flat_map(|rule| &rule.names);
            let numbers = names.filter_map(|name| ScmpSyscall::from_name_by_arch(name, scmp(arch)).ok());
            let highest = numbers.map(|call| call.as_raw_syscall()).max().unwrap_or(0);
            (highest > 0 && !lets_through).then_some(highest as u32)
        };
        let newest = arches.iter().map(|arch| (*arch, newest(*arch))).collect();
        let default = returned(&profile.default_action, profile.default_errno_ret);
        Ok(Oracle { program: export(&filter), default, newest, ruled })
    }

    pub fn arches(&self) -> impl Iterator<Item = Arch> {
        self.newest.iter().map(|(arch, _)| *arch)
    }

    /// The answer, and whether it is runc's for calls newer than the profile.
    pub fn decide(&self, call: &Call) -> u32 {
        if self.is_newer(call) && !self.ruled.contains(&(call.arch, call.number)) {
            return ENOSYS;
        }
        evaluate(&self.program, call, Order::LowFirst).expect("libseccomp writes valid programs").returned
    }

    /// The answer for a call that no rule matches: ENOSYS, the default, or that of a wrong architecture.
    pub fn without_rules(&self, call: &Call) -> u32 {
        if self.is_newer(call) && !self.ruled.contains(&(call.arch, call.number)) {
            return ENOSYS;
        }
        let listed = |wanted| self.newest.iter().any(|(arch, _)| *arch == wanted);
        let known = self.newest.iter().any(|(arch, _)| arch.audit() == call.arch);
        let of_x32 = call.arch == Arch::X86_64.audit() && (X32_BIT..u32::MAX).contains(&call.number);
        match known && (!of_x32 || listed(Arch::X32)) {
            true => self.default,
            false => 0,
        }
    }

    fn is_newer(&self, call: &Call) -> bool {
        let has_x32 = self.newest.iter().any(|(arch, _)| *arch == Arch::X32);
        let x32 = call.number & X32_BIT != 0;
        self.newest.iter().any(|(arch, newest)| {
            arch.audit() == call.arch
                && newest.is_some_and(|newest| call.number > newest)
                && match arch {
                    // Without x32 all of its numbers are left to libseccomp, and those that no convention has.
                    Arch::X86_64 if !has_x32 => call.number < X32_BIT,
                    Arch::X86_64 => !x32,
                    Arch::X32 => x32,
                    _ => true,
                }
        })
    }
}
