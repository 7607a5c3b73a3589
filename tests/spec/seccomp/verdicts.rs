//! What `explain` says of a profile, held against the program that the kernel would run: the case that is named returns what
//! the program returns, and its rule names the call.

use super::compiled;
use super::profiles::{self, Actions};
use crate::random::Random;
use rruntime::seccomp::{Arch, flags_of_kernel, tables::Syscall, verdicts::Verdicts, vocabulary::describe};
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
