//! The profiles that engines ship: Docker's (docker.json: linux.seccomp of a container made by it), containerd's
//! (`ctr containers create --seccomp`, 1.6.20) and podman's (seccomp.json of containers-common 0.50.1).

use super::oracle::{ENOSYS, Oracle, scmp};
use super::{compiled, ours};
use libseccomp::ScmpSyscall;
use rruntime::seccomp::{Arch, evaluate::Call, tables::Syscall, tables::X32_BIT, vocabulary::describe};
use rruntime::spec::Seccomp;
use serde_json::Value;

fn arguments() -> impl Iterator<Item = [u64; 6]> {
    // On and beside the values of these profiles: address families, personalities, clone's flags.
    let values = [
        0,
        1,
        2,
        3,
        8,
        9,
        10,
        15,
        16,
        17,
        38,
        39,
        40,
        41,
        0x20000,
        0x20008,
        0x7e02_0000,
        0x0200_0000,
        0xffff_ffff,
        0x1_0000_0000,
        0x1_0000_0010,
        u64::MAX,
    ];
    values
        .into_iter()
        .flat_map(move |first| [0, 9, 16, 0x1_0000_0009].map(|third| [first, 1, third, 0, 0, 0]))
}

/// Every number of every architecture of the profile, each with the arguments that its rules look at.
fn compare(profile: &Seccomp) {
    let oracle = Oracle::new(profile).unwrap_or_else(|error| panic!("{error:?}"));
    let filter = compiled(profile);
    let mut decisions = 0;
    for arch in oracle.arches() {
        let base = if arch == Arch::X32 { X32_BIT } else { 0 };
        // libseccomp 2.5.4 knows the calls up to 450; what is newer is the next test's.
        let known = (0..600).filter(|number| *number <= 450 || *number > 511);
        let extremes = [X32_BIT - 1, X32_BIT, X32_BIT + 9999, u32::MAX - 1, u32::MAX];
        for number in known.map(|number| base + number).chain(extremes) {
            let call = Syscall::by_number(arch, number);
            if call.is_some_and(|call| ScmpSyscall::from_name_by_arch(call.name(), scmp(arch)).is_err()) {
                continue;
            }
            for arguments in arguments() {
                let call = Call { number, arch: arch.audit(), arguments };
                let (mine, theirs) = (ours(&filter, &call), oracle.decide(&call));
                assert_eq!(
                    mine,
                    theirs,
                    "{arch:?} {call:x?}: ours {} theirs {}",
                    describe(mine),
                    describe(theirs)
                );
                decisions += 1;
            }
        }
    }
    println!("{decisions} decisions, {} instructions, warnings {:?}", filter.program.len(), filter.warnings);
}

/// Names that libseccomp 2.5.4 drops get their rule, and everything after the newest name ENOSYS.
fn newer_calls_are_known(profile: &Seccomp) {
    let filter = compiled(profile);
    let always =
        profile.syscalls.iter().filter(|rule| rule.args.is_empty() && &*rule.action == "SCMP_ACT_ALLOW");
    for call in always.flat_map(|rule| &rule.names).filter_map(|name| Syscall::by_name(name)) {
        for arch in [Arch::X86_64, Arch::X86, Arch::X32] {
            let Some(number) = call.number(arch).filter(|number| number & !X32_BIT > 450) else { continue };
            let call = Call { number, arch: arch.audit(), arguments: [0; 6] };
            assert_eq!(describe(ours(&filter, &call)), "SCMP_ACT_ALLOW", "{arch:?} {number}");
        }
    }
    for number in [600, 5000] {
        assert_eq!(ours(&filter, &Call { number, arch: Arch::X86_64.audit(), arguments: [0; 6] }), ENOSYS);
    }
}

#[test]
fn dockers_profile_is_decided_alike() {
    let profile = serde_json::from_str(include_str!("profiles/docker.json")).expect("a profile");
    compare(&profile);
    newer_calls_are_known(&profile);
}

#[test]
fn containerds_profile_is_decided_alike() {
    let profile = serde_json::from_str(include_str!("profiles/containerd.json")).expect("a profile");
    compare(&profile);
    newer_calls_are_known(&profile);
}

#[test]
fn podmans_profile_is_decided_alike() {
    let text = include_str!("profiles/podman.json");
    for capabilities in [&[][..], &["CAP_SYS_ADMIN", "CAP_AUDIT_WRITE", "CAP_SYS_CHROOT"]] {
        let chosen = chosen_by_podman(text, capabilities).to_string();
        let profile = serde_json::from_str(&chosen).expect("a profile");
        compare(&profile);
        newer_calls_are_known(&profile);
    }
}

/// Podman's file has rules for some capabilities and architectures only; this is its choice on x86_64.
fn chosen_by_podman(text: &str, capabilities: &[&str]) -> Value {
    let mut file: Value = serde_json::from_str(text).expect("json");
    let has = |condition: &Value| {
        let listed = |key: &str| condition[key].as_array().map(Vec::as_slice).unwrap_or_default().to_vec();
        let arches = listed("arches");
        let caps = listed("caps");
        let arch_fits = arches.iter().any(|arch| arch == "amd64");
        let caps_fit = caps.iter().all(|cap| capabilities.contains(&cap.as_str().unwrap_or_default()));
        (
            (arches.is_empty() || arch_fits) && caps_fit,
            !arches.is_empty() && arch_fits || !caps.is_empty() && caps_fit,
        )
    };
    let rules = file["syscalls"].take();
    let rules = rules.as_array().expect("rules").iter();
    let chosen = rules.filter(|rule| has(&rule["includes"]).0 && !has(&rule["excludes"]).1);
    let chosen: Vec<Value> = chosen.cloned().collect();
    serde_json::json!({
        "defaultAction": file["defaultAction"],
        "defaultErrnoRet": file["defaultErrnoRet"],
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": chosen,
    })
}
