//! What a profile says, read naively: which rules match a call. It knows no order of rules and no program.

use super::oracle::scmp;
use libseccomp::ScmpSyscall;
use rruntime::seccomp::{Arch, arch::Width, evaluate::Call, tables::Syscall};
use rruntime::spec::{Seccomp, SyscallArg, SyscallRule};

/// The rules that match a call.
#[derive(Debug, Default)]
pub struct Meaning {
    /// The first one without conditions: it wins.
    pub unconditional: Option<u32>,
    /// Values returned of all that match.
    pub matching: Vec<u32>,
    /// Two rules of this call compare the same 64-bit argument by order or inequality. libseccomp 2.5.4 merges
    /// the comparisons of their high words whatever the actions are: which one wins depends on the history.
    pub tangled: bool,
    /// The same of rules of any calls: libseccomp 2.5.4 shares blocks between calls, sometimes one that is not the same.
    pub crossed: bool,
    /// A rule is on a call that this architecture lacks, or has only through a multiplexer. libseccomp 2.5.4 may
    /// then compare the number with what is left in the accumulator.
    pub lacking: bool,
}

impl Meaning {
    /// Whether `answer` is one that the profile can mean; `otherwise`: the answer without a rule.
    pub fn allows(&self, answer: u32, otherwise: u32) -> bool {
        match (self.unconditional, &self.matching[..]) {
            (Some(unconditional), _) => answer == unconditional,
            (None, []) => answer == otherwise,
            (None, matching) => matching.contains(&answer),
        }
    }
}

pub fn returned(action: &str, errno: Option<u32>) -> u32 {
    let errno = errno.unwrap_or(1);
    match action {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => 0,
        "SCMP_ACT_KILL_PROCESS" => 0x8000_0000,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_ERRNO" => 0x0005_0000 | errno,
        "SCMP_ACT_TRACE" => 0x7ff0_0000 | errno,
        "SCMP_ACT_LOG" => 0x7ffc_0000,
        "SCMP_ACT_ALLOW" => 0x7fff_0000,
        other => panic!("{other}"),
    }
}

pub fn meaning(profile: &Seccomp, arches: &[Arch], call: &Call) -> Meaning {
    let default = returned(&profile.default_action, profile.default_errno_ret);
    let mut meaning = Meaning::default();
    let (mut of_call, mut anywhere) = ([0; 6], [0; 6]);
    for arch in arches.iter().filter(|arch| arch.audit() == call.arch) {
        for rule in &profile.syscalls {
            let answer = returned(&rule.action, rule.errno_ret);
            if answer == default {
                continue;
            }
            for name in &rule.names {
                meaning.lacking |= Syscall::by_name(name).is_some_and(|call| call.number(*arch).is_none());
                for condition in conditions(rule) {
                    meaning.crossed |= meet_again(&mut anywhere, &condition, *arch);
                    let Some((matches, unconditional)) = matches(name, &condition, *arch, call) else {
                        continue;
                    };
                    if unconditional {
                        meaning.unconditional.get_or_insert(answer);
                    }
                    meaning.tangled |= meet_again(&mut of_call, &condition, *arch);
                    if matches {
                        meaning.matching.push(answer);
                    }
                }
            }
        }
    }
    meaning
}

/// Counts the comparisons by order or inequality of each argument: whether a 64-bit argument has more than one by now.
fn meet_again(counts: &mut [u32; 6], condition: &[&SyscallArg], arch: Arch) -> bool {
    let mut again = false;
    for arg in condition.iter().filter(|arg| !arg.op.ends_with("EQ")) {
        counts[arg.index as usize] += 1;
        again |= counts[arg.index as usize] > 1;
    }
    again && arch.width() == Width::Bits64
}

/// "And" lists; two conditions on one argument make every condition a list of its own.
fn conditions<'a>(rule: &'a SyscallRule) -> Vec<Vec<&'a SyscallArg<'a>>> {
    let repeated = (0..6).any(|index| rule.args.iter().filter(|arg| arg.index == index).count() > 1);
    match repeated {
        true => rule.args.iter().map(|arg| vec![arg]).collect(),
        false => vec![rule.args.iter().collect()],
    }
}

/// Whether the conditions hold, and whether there are none that could fail; `None` if it is another call.
fn matches(name: &str, conditions: &[&SyscallArg], arch: Arch, call: &Call) -> Option<(bool, bool)> {
    let direct = Syscall::by_name(name)?.number(arch) == Some(call.number);
    let holds =
        |from: u32| conditions.iter().filter(|arg| arg.index >= from).all(|arg| holds(arg, arch, call));
    let trivial = |arg: &&&SyscallArg| &*arg.op == "SCMP_CMP_MASKED_EQ" && narrow(arg.value, arch) == 0;
    if direct {
        return Some((holds(0), conditions.iter().all(|arg| trivial(&arg))));
    }
    let pseudo = ScmpSyscall::from_name_by_arch(name, scmp(arch)).ok()?.as_raw_syscall();
    let multiplexer = match pseudo {
        -120..=-101 => ("socketcall", -pseudo - 100),
        -224..=-201 => ("ipc", -pseudo - 200),
        _ => return None,
    };
    if Syscall::by_name(multiplexer.0)?.number(arch) != Some(call.number) {
        return None;
    }
    Some((narrow(call.arguments[0], arch) == multiplexer.1 as u64 && holds(1), false))
}

fn narrow(value: u64, arch: Arch) -> u64 {
    match arch.width() {
        Width::Bits32 => value & 0xffff_ffff,
        Width::Bits64 => value,
    }
}

fn holds(arg: &SyscallArg, arch: Arch, call: &Call) -> bool {
    let (actual, value) = (narrow(call.arguments[arg.index as usize], arch), narrow(arg.value, arch));
    match &*arg.op {
        "SCMP_CMP_EQ" => actual == value,
        "SCMP_CMP_NE" => actual != value,
        "SCMP_CMP_LT" => actual < value,
        "SCMP_CMP_LE" => actual <= value,
        "SCMP_CMP_GT" => actual > value,
        "SCMP_CMP_GE" => actual >= value,
        "SCMP_CMP_MASKED_EQ" => actual & value == arg.value_two & value,
        other => panic!("{other}"),
    }
}
