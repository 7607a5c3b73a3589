//! What bounds how many containers a host can have, and limits that engines ask for.

use crate::cli::facts::Fact;
use crate::cli::findings::{
    Section,
    Verdict::{Note, Ok as Fine, Problem},
};
use crate::host::{Facts, survey};
use crate::names;
use crate::spec::cpus;
use crate::sys::identity;

/// Files of one number that bound how many containers a host can have.
const LIMITS: [(&str, &str); 4] = [
    ("processes (pid_max)", "/proc/sys/kernel/pid_max"),
    ("user namespaces", "/proc/sys/user/max_user_namespaces"),
    ("mounts in a namespace", "/proc/sys/fs/mount-max"),
    ("keys of a user", "/proc/sys/kernel/keys/maxkeys"),
];

/// RLIMIT_NOFILE of podman's containers, and of Docker's where its unit is the usual one.
const ENGINES_FILES: u64 = 1_048_576;

pub fn section(facts: Option<&Facts>) -> Section {
    let mut section = Section::new("limits");
    let online = survey::value("/sys/devices/system/cpu/online").and_then(|list| cpus::mask(&list).ok());
    if let Some(mask) = online {
        let count = mask.iter().map(|byte| u64::from(byte.count_ones())).sum();
        section.say("processors", Fact::Number(count));
    }
    for (name, heading) in [("memory (KiB)", "MemTotal"), ("swap (KiB)", "SwapTotal")] {
        if let Some(kib) = survey::memory_kib(heading) {
            section.say(name, Fact::Number(kib));
        }
    }
    let (soft, hard) = identity::prlimit(0, names::RLIMIT_NOFILE, None).unwrap_or_default();
    section.say("open files", Fact::Number(soft));
    let (may_raise, root) = facts.map_or((false, false), |facts| {
        let holds = names::capability("CAP_SYS_RESOURCE").is_some_and(|bit| facts.permitted >> bit & 1 == 1);
        (holds && !facts.in_user_namespace, facts.privileged && !facts.in_user_namespace)
    });
    let verdict = if may_raise || hard >= ENGINES_FILES {
        Fine
    } else if root {
        Problem
    } else {
        Note
    };
    let remedy = format!(
        "an engine that asks for {ENGINES_FILES} is refused by the kernel: give this caller CAP_SYS_RESOURCE \
         or a higher limit, or have the engine ask for {hard} (podman: default_ulimits = [\"nofile={hard}:{hard}\"]; Docker: \
         default-ulimits)"
    );
    section.judge("open files at most", Fact::Number(hard), verdict, remedy);
    let most = survey::value("/proc/sys/fs/nr_open").and_then(|text| text.parse().ok()).unwrap_or(0);
    let verdict = if most >= ENGINES_FILES { Fine } else { Problem };
    let remedy = "not even root may set more, and engines ask for 1048576: sysctl -w fs.nr_open=1048576";
    section.judge("open files of a process (nr_open)", Fact::Number(most), verdict, remedy);
    for (name, file) in LIMITS {
        if let Some(number) = survey::value(file).and_then(|text| text.parse().ok()) {
            section.say(name, Fact::Number(number));
        }
    }
    section
}
