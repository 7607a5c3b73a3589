//! Random profiles, and calls that lie on the borders of their rules.

use super::oracle::ARCHES;
use crate::random::Random;
use rruntime::seccomp::evaluate::Call;
use rruntime::seccomp::tables::{Syscall, X32_BIT};
use rruntime::seccomp::{Arch, vocabulary::OPERATORS};
use rruntime::spec::{Seccomp, SyscallArg, SyscallRule};

/// Whether the rules of one call may have different actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actions {
    OnePerCall,
    Mixed,
}

/// Calls that some architecture numbers, multiplexes or lacks in a way of its own, and ordinary ones.
const NAMES: &[&str] = &[
    "read",
    "write",
    "open",
    "openat",
    "close",
    "mmap",
    "mmap2",
    "clone",
    "clone3",
    "personality",
    "ioctl",
    "readv",
    "socket",
    "accept",
    "accept4",
    "send",
    "recv",
    "recvmmsg",
    "bind",
    "socketcall",
    "ipc",
    "semop",
    "semtimedop",
    "msgget",
    "shmat",
    "shmctl",
    "set_tls",
    "breakpoint",
    "newfstatat",
    "fstatat64",
    "epoll_wait_old",
    "getpid",
    "futex_waitv",
    "process_madvise",
    "rt_sigreturn",
    "execve",
    "waitpid",
    "riscv_flush_icache",
    "no_such_call",
];

const VALUES: &[u64] = &[
    0,
    1,
    2,
    5,
    6,
    7,
    8,
    0xff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0001,
    0x1_0000_0005,
    0x5_0000_0001,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_0000_0000,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];

const ACTIONS: &[&str] = &[
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_LOG",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];

fn action(random: &mut Random) -> (&'static str, Option<u32>) {
    let action = random.pick(ACTIONS);
    let takes_errno = matches!(action, "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE");
    (action, (takes_errno && !random.one_in(3)).then(|| random.pick(&[0, 1, 2, 22, 38, 4094])))
}

pub fn profile(random: &mut Random, actions: Actions) -> Seccomp<'static> {
    let (default_action, default_errno_ret) = action(random);
    let count = random.below(ARCHES.len() + 1);
    let arches: Vec<Arch> = (0..count).map(|_| random.pick(&ARCHES)).collect();
    let names: Vec<&str> = (0..1 + random.below(5)).map(|_| random.pick(NAMES)).collect();
    let of_name: Vec<(&str, Option<u32>)> = NAMES.iter().map(|_| action(random)).collect();
    let mut syscalls = Vec::new();
    for _ in 0..1 + random.below(9) {
        let some: Vec<&str> = (0..1 + random.below(2)).map(|_| random.pick(&names)).collect();
        let args: Vec<SyscallArg> = match random.below(8) {
            0 => Vec::new(),
            n => (0..1 + n / 4).map(|_| arg(random)).collect(),
        };
        if actions == Actions::Mixed && random.one_in(2) {
            // One rule for several calls: what it costs may be shared, what it decides must not.
            let (action, errno_ret) = action(random);
            let names = some.into_iter().map(Into::into).collect();
            syscalls.push(SyscallRule { names, action: action.into(), errno_ret, args });
            continue;
        }
        for name in some {
            let index = NAMES.iter().position(|n| *n == name).expect("from the list");
            let (action, errno_ret) = match actions {
                Actions::OnePerCall => of_name[index],
                Actions::Mixed => action(random),
            };
            syscalls.push(SyscallRule {
                names: vec![name.into()],
                action: action.into(),
                errno_ret,
                args: args.clone(),
            });
        }
    }
    keep_libseccomp_alive(&mut syscalls);
    Seccomp {
        default_action: default_action.into(),
        default_errno_ret,
        architectures: arches.iter().map(|arch| arch.name().into()).collect(),
        syscalls,
        ..Seccomp::default()
    }
}

/// libseccomp 2.5.4 shares the nodes behind a comparison with two ways out (all but equality). Where another rule of
/// the call changes such a node, it corrupts its lists and loops for ever (in `_db_tree_put`). So these stand in
/// front of another condition only in the lone rule of a call.
fn keep_libseccomp_alive(rules: &mut [SyscallRule]) {
    for index in 0..rules.len() {
        let same_call = |rule: &&SyscallRule| rule.names.iter().any(|name| rules[index].names.contains(name));
        let alone = rules.iter().filter(same_call).count() == 1;
        let args = &mut rules[index].args;
        let last = args.iter().map(|arg| arg.index).max();
        for arg in args.iter_mut().filter(|arg| !alone && Some(arg.index) != last && !arg.op.ends_with("EQ"))
        {
            arg.op = "SCMP_CMP_EQ".into();
        }
    }
}

fn arg(random: &mut Random) -> SyscallArg<'static> {
    SyscallArg {
        index: random.pick(&[0, 0, 0, 1, 1, 2, 5]),
        value: random.pick(VALUES),
        value_two: random.pick(VALUES),
        op: random.pick(OPERATORS).0.into(),
    }
}

/// The numbers worth asking: of the calls that the profile names, their neighbours, and the ends of every range.
pub fn numbers(profile: &Seccomp, arch: Arch) -> Vec<u32> {
    let mut numbers = vec![
        0,
        1,
        102,
        117,
        359,
        462,
        511,
        512,
        1000,
        X32_BIT - 1,
        X32_BIT,
        X32_BIT + 1,
        X32_BIT + 600,
        0x7fff_ffff,
        u32::MAX,
    ];
    let names = profile.syscalls.iter().flat_map(|rule| &rule.names);
    for number in names.filter_map(|name| Syscall::by_name(name)?.number(arch)) {
        numbers.extend([number, number.wrapping_sub(1), number.wrapping_add(1)]);
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Arguments on or near the values of the profile.
pub fn arguments(random: &mut Random, profile: &Seccomp) -> [u64; 6] {
    let rule = &profile.syscalls[random.below(profile.syscalls.len())];
    let mut arguments = [0; 6].map(|_: u64| match random.below(4) {
        0 => random.next(),
        1 => random.below(30) as u64,
        _ => near(random.pick(VALUES), random),
    });
    // Most often all arguments of one rule at once, so that conditions joined by "and" are met.
    if !random.one_in(4) {
        for arg in &rule.args {
            let value = match &*arg.op {
                "SCMP_CMP_MASKED_EQ" => (arg.value & arg.value_two) | (random.next() & !arg.value),
                _ => arg.value,
            };
            arguments[arg.index as usize] = if random.one_in(3) { near(value, random) } else { value };
        }
    }
    arguments
}

fn near(value: u64, random: &mut Random) -> u64 {
    match random.below(6) {
        0 => value,
        1 => value.wrapping_add(1),
        2 => value.wrapping_sub(1),
        3 => value & 0xffff_ffff,
        4 => value | 0x2_0000_0000,
        _ => value ^ (1 << random.below(64)),
    }
}

pub fn call(arch: Arch, number: u32, arguments: [u64; 6]) -> Call {
    Call { number, arch: arch.audit(), arguments }
}
