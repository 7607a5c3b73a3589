//! Our seccomp compiler against libseccomp 2.5.4 (and runc's answer for newer calls): both programs are run on the
//! same calls and must decide alike.
//!
//! A third, naive reading of the profile (`meaning.rs`) is the judge: our answer must always be one that the profile
//! can mean, and a difference from libseccomp passes only where libseccomp's answer is not one, and only for its two
//! known errors: 2.5.4 merges comparisons of high words wrongly ("less than 6" or "greater than 0x5_0000_0001" lets 7
//! through), and it forgets to load the number on an architecture that lacks a call of the profile (a rule on
//! semop for x86_64 and ppc64le: there the architecture is compared with 117, the number of ipc).
//!
//! Left out of the comparison is only what libseccomp 2.5.4 cannot know: numbers of calls newer than it (its tables
//! end at 450), and `sync_file_range2` on arm, which the kernel has as an alias; and what it cannot survive
//! (`random.rs`, `keep_libseccomp_alive`).

mod engines;
mod kernel;
mod meaning;
mod oracle;
mod profiles;
mod rules;
mod tables;
mod verdicts;

use crate::random::Random;
use meaning::meaning;
use oracle::{Oracle, Refused};
use profiles::Actions;
use rruntime::seccomp::evaluate::{Call, evaluate};
use rruntime::seccomp::{Arch, Filter, arch::Order, compile, flags_of_kernel, vocabulary::describe};
use rruntime::spec::Seccomp;

fn compiled(profile: &Seccomp) -> Filter {
    compile(profile, Arch::X86_64, flags_of_kernel(6, 18)).expect("a valid profile").expect("a filter")
}

fn ours(filter: &Filter, call: &Call) -> u32 {
    evaluate(&filter.program, call, Order::LowFirst).expect("a valid program").returned
}

/// What was asked, what was refused, and where libseccomp differs.
#[derive(Debug, Default)]
struct Tally {
    profiles: u32,
    /// Profiles that libseccomp does not take.
    contradictions: u32,
    decisions: u64,
    /// libseccomp's answer is that of no matching rule, by one of its known errors.
    theirs_wrong: u64,
    /// Both answers are those of matching rules, but libseccomp's order is an accident (`Meaning::tangled`).
    tangled: u64,
    mismatches: u64,
}

impl Tally {
    fn compare(&mut self, profile: &Seccomp, filter: &Filter, oracle: &Oracle, call: &Call) {
        self.decisions += 1;
        let (mine, theirs) = (ours(filter, call), oracle.decide(call));
        let arches: Vec<Arch> = oracle.arches().collect();
        if mine == theirs && !self.decisions.is_multiple_of(8) {
            return;
        }
        let meaning = meaning(profile, &arches, call);
        let otherwise = match meaning.matching.is_empty() {
            // There, libseccomp is wrong only by an answer that is not the default.
            true => oracle.without_rules(call),
            false => 0,
        };
        if !meaning.allows(mine, otherwise) {
            self.mismatches += 1;
        } else if mine == theirs {
            return;
        } else if !meaning.allows(theirs, otherwise) && (meaning.crossed || meaning.lacking) {
            self.theirs_wrong += 1;
            return;
        } else if meaning.tangled {
            self.tangled += 1;
            return;
        } else {
            self.mismatches += 1;
        }
        if self.mismatches < 4 {
            let json = serde_json::to_string(profile).expect("a profile is json");
            println!("{call:x?}: ours {} theirs {}: {meaning:x?}\n{json}", describe(mine), describe(theirs));
        }
    }
}

fn compare_random(actions: Actions, seeds: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let mut random = Random(seed);
        let profile = profiles::profile(&mut random, actions);
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
            for number in profiles::numbers(&profile, arch) {
                for _ in 0..6 {
                    let call = profiles::call(arch, number, profiles::arguments(&mut random, &profile));
                    tally.compare(&profile, &filter, &oracle, &call);
                }
            }
        }
    }
    println!("{tally:?}");
    tally
}

#[test]
fn random_profiles_are_decided_alike() {
    let tally = compare_random(Actions::OnePerCall, 0..3000);
    assert_eq!(tally.mismatches, 0);
    assert!(tally.decisions > 1_000_000, "{tally:?}");
    assert_eq!(tally.tangled, 0, "with one action a call there is no order of rules");
}

#[test]
fn random_profiles_with_contradictory_rules_are_decided_alike() {
    let tally = compare_random(Actions::Mixed, 0..1000);
    assert_eq!(tally.mismatches, 0);
    assert!(tally.tangled * 100 < tally.decisions, "{tally:?}");
}
