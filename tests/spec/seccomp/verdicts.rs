//! What `explain` says of a profile, held against the program that the kernel would run: the case that is named returns what
//! the program returns, and its rule names the call.

use super::compiled;
use super::profiles::{self, Actions};
use crate::random::Random;
use rruntime::seccomp::against::stopped;
use rruntime::seccomp::vocabulary::{describe, is_allowed};
use rruntime::seccomp::{Arch, flags_of_kernel, tables::Syscall, verdicts::Verdicts};
use rruntime::spec::Seccomp;

const ENGINES: [&str; 3] = [
    include_str!("profiles/docker.json"),
    include_str!("profiles/containerd.json"),
    include_str!("profiles/podman.json"),
];

/// Holds every way of every call against the program; returns how many decisions a rule with conditions took.
fn hold(profile: &Seccomp, random: &mut Random) -> usize {
    let filter = compiled(profile);
    let verdicts = Verdicts::of(profile, &filter, Arch::X86_64, flags_of_kernel(6, 18)).unwrap();
    let mut conditional = 0;
    for call in Syscall::all() {
        for way in verdicts.ways(call) {
            for _ in 0..8 {
                let mut arguments = profiles::arguments(random, profile);
                if let Some(code) = way.code {
                    arguments[0] = u64::from(code);
                }
                let case = way.decides(&arguments);
                let said = case.map(|case| case.returned).or(way.otherwise);
                let done = verdicts.run(way.arch, way.number, arguments);
                assert_eq!(
                    said.map(describe),
                    done.map(describe),
                    "{} {arguments:x?}: {way:x?}\n{}",
                    call.name(),
                    serde_json::to_string(profile).unwrap()
                );
                let Some(case) = case else { continue };
                conditional += usize::from(!case.words().is_empty());
                // A multiplexer itself is decided by rules for what it does.
                if matches!(call.name(), "ipc" | "socketcall") {
                    continue;
                }
                let rule = &profile.syscalls[case.rule as usize];
                let names = [Some(call.name()), way.multiplexer()];
                assert!(
                    rule.names.iter().any(|name| names.contains(&Some(&**name))),
                    "{} {way:?}",
                    call.name()
                );
            }
        }
    }
    conditional
}

#[test]
fn the_case_that_is_named_is_the_one_that_decides() {
    let mut conditional = 0;
    for seed in 0..60 {
        let mut random = Random(seed);
        let actions = if seed % 2 == 0 { Actions::OnePerCall } else { Actions::Mixed };
        let profile = profiles::profile(&mut random, actions);
        conditional += hold(&profile, &mut random);
    }
    assert!(conditional > 1000, "{conditional}");
}

#[test]
fn the_profiles_of_engines_are_told_as_they_are_done() {
    for text in ENGINES {
        let profile: Seccomp = serde_json::from_str(text).unwrap();
        hold(&profile, &mut Random(7));
    }
}

#[test]
fn every_call_is_in_one_group_or_depends_on_arguments() {
    let profile: Seccomp = serde_json::from_str(ENGINES[0]).unwrap();
    let filter = compiled(&profile);
    let verdicts = Verdicts::of(&profile, &filter, Arch::X86_64, flags_of_kernel(6, 18)).unwrap();
    let (groups, depend) = verdicts.groups(Arch::X86_64);
    let grouped: usize = groups.iter().map(|group| group.names.len()).sum();
    let all = Syscall::all().filter(|call| call.number(Arch::X86_64).is_some()).count();
    assert_eq!(grouped + depend.len(), all);
    let of =
        |name: &str| groups.iter().find(|group| group.names.contains(&name)).map(|g| describe(g.returned));
    assert_eq!(of("read").as_deref(), Some("SCMP_ACT_ALLOW"));
    assert_eq!(of("mount").as_deref(), Some("SCMP_ACT_ERRNO(1)"));
    assert!(depend.iter().any(|(name, way)| *name == "clone"
        && way.cases.iter().any(|case| case.words() == "arg0 & 0x7e020000 == 0x0")));
}

/// `seccomp check --against`: what it says that one profile stops of what another lets through, held against both programs.
#[test]
fn what_one_profile_stops_of_another_is_what_its_program_stops() {
    let (mut told, mut silent) = (0, 0);
    for seed in 0..40 {
        let mut random = Random(seed);
        let [own, wanted] = [0, 1].map(|_| profiles::profile(&mut random, Actions::Mixed));
        let filters = [&own, &wanted].map(compiled);
        let flags = flags_of_kernel(6, 18);
        let of = |at: usize, profile| Verdicts::of(profile, &filters[at], Arch::X86_64, flags).unwrap();
        let (ours, theirs) = (of(0, &own), of(1, &wanted));
        let found = stopped(&ours, &theirs);
        for arch in theirs.arches() {
            let all = theirs.calls(*arch);
            let multiplexed =
                |name: &str| all.iter().any(|(it, way)| it.name() == name && way.code.is_some());
            for (call, way) in &all {
                // With conditions one example stands for all, and what is behind a multiplexer has two ways.
                if multiplexed(call.name()) || way.cases.len() + usize::from(way.otherwise.is_some()) > 1 {
                    continue;
                }
                let is_told = found.iter().any(|it| it.name == call.name() && it.arch == *arch);
                let [mut lets, mut stops] = [false; 2];
                for _ in 0..8 {
                    let arguments = profiles::arguments(&mut random, &own);
                    lets |= theirs.run(*arch, way.number, arguments).is_some_and(is_allowed);
                    stops |= !ours.run(*arch, way.number, arguments).is_some_and(is_allowed);
                }
                let name = call.name();
                assert!(is_told || !(lets && stops), "{name} of {arch:?} is not told, seed {seed}");
                let whole = found.iter().any(|it| it.name == name && it.arch == *arch && !it.partly);
                assert!(!whole || (lets && stops), "{name} of {arch:?} is told, seed {seed}");
                told += usize::from(whole);
                silent += usize::from(!is_told);
            }
        }
    }
    assert!(told > 1000 && silent > 1000, "{told} {silent}");
}
