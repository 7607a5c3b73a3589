//! Our seccomp compiler against libseccomp 2.5.4 (and runc's answer for newer calls): both programs are run on the
//! same calls and must decide alike.
//!
//! Left out of the comparison is only what libseccomp 2.5.4 cannot know: numbers of calls newer than it (its tables
//! end at 450), and `sync_file_range2` on arm, which the kernel has as an alias.

mod oracle;
mod random;

use oracle::{Oracle, Refused};
use random::{Actions, Random};
use rruntime::seccomp::evaluate::{Call, evaluate};
use rruntime::seccomp::{Arch, Filter, arch::Order, compile, flags_of_kernel, vocabulary::describe};
use rruntime::spec::Seccomp;

fn compiled(profile: &Seccomp) -> Filter {
    compile(profile, Arch::X86_64, flags_of_kernel(6, 18)).expect("a valid profile").expect("a filter")
}

fn ours(filter: &Filter, call: &Call) -> u32 {
    evaluate(&filter.program, call, Order::LowFirst).expect("a valid program").returned
}

/// What was asked and what was refused.
#[derive(Debug, Default)]
struct Tally {
    profiles: u32,
    contradictions: u32,
    decisions: u64,
    mismatches: u64,
}

fn compare_random(actions: Actions, seeds: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let mut random = Random(seed);
        let profile = random::profile(&mut random, actions);
        let oracle = match Oracle::new(&profile) {
            Ok(oracle) => oracle,
            Err(Refused::Contradiction) => {
                tally.contradictions += 1;
                continue;
            }
            Err(Refused::Other(reason)) => panic!("seed {seed}: {reason}"),
        };
        tally.profiles += 1;
        let filter = compiled(&profile);
        let mut arches: Vec<Arch> = oracle.arches().collect();
        arches.push(random.pick(&oracle::ARCHES));
        for arch in arches {
            for number in random::numbers(&profile, arch) {
                for _ in 0..6 {
                    let call = random::call(arch, number, random::arguments(&mut random, &profile));
                    tally.decisions += 1;
                    let (mine, theirs) = (ours(&filter, &call), oracle.decide(&call));
                    if mine != theirs {
                        tally.mismatches += 1;
                        if tally.mismatches < 10 {
                            let json = serde_json::to_string(&profile).expect("json");
                            println!(
                                "seed {seed} {arch:?} {call:x?}: {} {}\n{json}",
                                describe(mine),
                                describe(theirs)
                            );
                        }
                    }
                }
            }
        }
    }
    tally
}

#[test]
fn random_profiles_are_decided_alike() {
    let tally = compare_random(Actions::OnePerCall, 0..4000);
    println!("{tally:?}");
    assert_eq!(tally.mismatches, 0);
}

#[test]
fn random_profiles_with_contradictory_rules_are_decided_alike() {
    let tally = compare_random(Actions::Mixed, 0..2000);
    println!("{tally:?}");
    assert_eq!(tally.mismatches, 0);
}

#[test]
#[ignore]
fn explore() {
    use rruntime::spec::{SyscallArg, SyscallRule};
    let rules: usize = std::env::var("RULES").map_or(1, |v| v.parse().unwrap());
    let args: usize = std::env::var("ARGS").map_or(1, |v| v.parse().unwrap());
    let mixed = std::env::var("MIXED").is_ok();
    let arches: Vec<String> =
        std::env::var("ARCH").map_or(vec![], |v| v.split(',').map(|s| s.into()).collect());
    let (mut bad, mut profiles, mut shown) = (0, 0, 0);
    for seed in 0..3000 {
        let mut random = Random(seed);
        let ops = rruntime::seccomp::vocabulary::OPERATORS;
        let vals = [0u64, 1, 5, 6, 7, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0005, 0x5_0000_0001, u64::MAX];
        let acts = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRAP"];
        let syscalls = (0..rules)
            .map(|_| SyscallRule {
                names: vec!["write".into()],
                action: acts[if mixed { random.below(3) } else { 0 }].into(),
                errno_ret: None,
                args: (0..args)
                    .map(|i| SyscallArg {
                        index: i as u32,
                        value: random.pick(&vals),
                        value_two: random.pick(&vals),
                        op: random.pick(ops).0.into(),
                    })
                    .collect(),
            })
            .collect();
        let profile = Seccomp {
            default_action: "SCMP_ACT_KILL".into(),
            syscalls,
            architectures: arches.iter().map(|a| a.clone().into()).collect(),
            ..Seccomp::default()
        };
        let oracle = match Oracle::new(&profile) {
            Ok(o) => o,
            Err(_) => continue,
        };
        profiles += 1;
        let filter = compiled(&profile);
        let mut wrong = 0;
        let mut first = None;
        for arch in oracle.arches().collect::<Vec<_>>() {
            let n = rruntime::seccomp::tables::Syscall::by_name("write").unwrap().number(arch).unwrap();
            for _ in 0..100 {
                let call = random::call(arch, n, random::arguments(&mut random, &profile));
                if ours(&filter, &call) != oracle.decide(&call) {
                    wrong += 1;
                    first.get_or_insert((arch, call));
                }
            }
        }
        if wrong > 0 {
            bad += 1;
            if shown < 12 {
                shown += 1;
                let (arch, call) = first.unwrap();
                println!(
                    "{seed} {arch:?} {wrong}: {:x?} ours {} theirs {}",
                    &call.arguments[..3],
                    describe(ours(&filter, &call)),
                    describe(oracle.decide(&call))
                );
                for r in &profile.syscalls {
                    println!(
                        "    {} {:?}",
                        r.action,
                        r.args
                            .iter()
                            .map(|a| format!("{}{} {:x} {:x}", a.index, &a.op[8..], a.value, a.value_two))
                            .collect::<Vec<_>>()
                    );
                }
            }
        }
    }
    println!("{bad} of {profiles}");
}
