//! `process`: arguments, environment, user, capabilities, limits, scheduling (config.md, Process).

use super::circumstances::Circumstances;
use crate::names;
use crate::spec::findings::{At, Findings, has_nul};
use crate::spec::{Capabilities, CpuAffinity, IoPriority, Process, Rlimit, Scheduler, Text, User, cpus};

pub fn process(f: &mut Findings, at: &At, process: &Process, facts: &Circumstances) {
    arguments(f, at, process);
    f.absolute_path(&at.key("cwd"), &process.cwd);
    f.each(at.key("env"), &process.env, variable);
    user(f, &at.key("user"), &process.user);
    f.some(at.key("consoleSize"), &process.console_size, |f, at, size| {
        for (name, length) in [("height", size.height), ("width", size.width)] {
            if length > u64::from(u16::MAX) {
                f.warn(&at.key(name), length, "is more than a terminal can have: 65535 is taken");
            }
        }
    });
    f.some(at.key("capabilities"), &process.capabilities, |f, at, sets| capabilities(f, at, sets, facts));
    rlimits(f, at.key("rlimits"), &process.rlimits);
    f.some(at.key("oomScoreAdj"), &process.oom_score_adj, |f, at, score| f.range(at, *score, -1000..=1000));
    f.some(at.key("apparmorProfile"), &process.apparmor_profile, |f, at, label| f.no_nul(at, label));
    f.some(at.key("selinuxLabel"), &process.selinux_label, |f, at, label| f.no_nul(at, label));
    f.some(at.key("scheduler"), &process.scheduler, scheduler);
    f.some(at.key("ioPriority"), &process.io_priority, io_priority);
    f.some(at.key("execCPUAffinity"), &process.exec_cpu_affinity, cpu_affinity);
}

fn arguments(f: &mut Findings, at: &At, process: &Process) {
    let at = at.key("args");
    let remedy = "give the program and its arguments";
    match process.args.first() {
        None if process.command_line.is_some() => {
            f.refuse_field(&at, "is missing (commandLine is for Windows)", remedy);
        }
        None => f.refuse_field(&at, "is missing or empty", remedy),
        Some(program) if program.is_empty() => {
            f.refuse_field(&at.index(0), "is empty", "give the name or the path of the program");
        }
        Some(_) => {}
    }
    f.each(at, &process.args, |f, at, arg| f.no_nul(at, arg));
}

/// Values may be secrets: a message shows only the name.
fn variable(f: &mut Findings, at: &At, entry: &Text) {
    match entry.split_once('=') {
        None => f.refuse_field(at, "has no \"=\"", "write NAME=VALUE"),
        Some(("", _)) => f.refuse_field(at, "has an empty name", "write NAME=VALUE"),
        Some((name, _)) if has_nul(entry) => {
            f.refuse(at, name.escape_default(), "contains a NUL byte", "remove it");
        }
        Some(_) => {}
    }
}

/// NGROUPS_MAX of the kernel.
const MOST_GROUPS: usize = 65536;

fn user(f: &mut Findings, at: &At, user: &User) {
    f.id(&at.key("uid"), user.uid);
    f.id(&at.key("gid"), user.gid);
    f.each(at.key("additionalGids"), &user.additional_gids, |f, at, gid| f.id(at, *gid));
    let count = user.additional_gids.len();
    if count > MOST_GROUPS {
        let reason = "has more groups than the kernel accepts";
        f.refuse(&at.key("additionalGids"), count, reason, "use at most 65536");
    }
    if let Some(umask) = user.umask.filter(|umask| *umask > 0o777) {
        let shown = format!("{umask} (0o{umask:o})");
        f.warn(&at.key("umask"), shown, "has more than the nine permission bits, which alone count");
    }
}

fn capabilities(f: &mut Findings, at: &At, sets: &Capabilities, facts: &Circumstances) {
    let mut mask = |name: &str, set: &[Text]| {
        let mut mask = 0u64;
        f.each(at.key(name), set, |f, at, capability| match names::capability(capability) {
            Some(number) if number <= facts.last_capability => mask |= 1 << number,
            Some(_) => f.warn(at, capability, "this kernel has no such capability: ignored"),
            None => {
                let meant = names::meant_capability(capability);
                f.warn_meant(at, capability, "is not a known capability: ignored", meant);
            }
        });
        mask
    };
    let bounding = mask("bounding", &sets.bounding);
    let effective = mask("effective", &sets.effective);
    let inheritable = mask("inheritable", &sets.inheritable);
    let permitted = mask("permitted", &sets.permitted);
    let ambient = mask("ambient", &sets.ambient);

    // capset(2) answers EPERM to both.
    let mut within = |name: &str, set: u64, of: &str, outer: u64| {
        if set & !outer != 0 {
            let reason = format!("has {} that the {of} set lacks", listed(set & !outer));
            f.refuse_field(&at.key(name), reason, format!("add it to the {of} set as well"));
        }
    };
    within("effective", effective, "permitted", permitted);
    within("inheritable", inheritable, "bounding", bounding);

    let unraisable = ambient & !(permitted & inheritable);
    if unraisable != 0 {
        let what =
            "is not in both the permitted and the inheritable set, so it cannot become ambient: ignored";
        f.warn(&at.key("ambient"), listed(unraisable), what);
    }
}

fn listed(mask: u64) -> String {
    names::capability_names(mask).collect::<Vec<_>>().join(", ")
}

/// What the smallest program that we know starts with; with less the kernel ends it without a word.
const LEAST: [(&str, u64); 3] =
    [("RLIMIT_AS", 2 << 20), ("RLIMIT_DATA", 256 << 10), ("RLIMIT_STACK", 8 << 10)];

fn rlimits(f: &mut Findings, at: At, rlimits: &[Rlimit]) {
    let mut seen = 0u32;
    f.each(at, rlimits, |f, at, rlimit| {
        if let Some(number) = f.known(&at.key("type"), &names::RLIMITS, &rlimit.kind) {
            if seen & 1 << number != 0 {
                f.warn(&at.key("type"), &rlimit.kind, "is given twice: the last one counts");
            }
            seen |= 1 << number;
        }
        if LEAST.iter().any(|(kind, least)| *kind == &*rlimit.kind && rlimit.soft < *least) {
            let what = "is a number of bytes, and hardly any program fits into so little";
            f.warn(&at.key("soft"), rlimit.soft, what);
        }
        if rlimit.soft > rlimit.hard {
            let reason = format!("is above the hard limit {}", rlimit.hard);
            f.refuse(&at.key("soft"), rlimit.soft, reason, "lower it or raise the hard limit");
        }
    });
}

fn scheduler(f: &mut Findings, at: &At, s: &Scheduler) {
    f.range(&at.key("nice"), s.nice, -20..=19);
    f.each(at.key("flags"), &s.flags, |f, at, flag| {
        f.known(at, &names::SCHEDULER_FLAGS, flag);
    });
    if f.known(&at.key("policy"), &names::SCHEDULER_POLICIES, &s.policy).is_none() {
        return;
    }
    match &*s.policy {
        "SCHED_FIFO" | "SCHED_RR" => f.range(&at.key("priority"), s.priority, 1..=99),
        _ if s.priority != 0 => {
            let remedy = "leave it out, or use SCHED_FIFO or SCHED_RR";
            f.refuse(&at.key("priority"), s.priority, "needs a realtime policy", remedy);
        }
        _ => {}
    }
    if &*s.policy == "SCHED_DEADLINE" {
        return deadline(f, at, s);
    }
    for (name, value) in [("runtime", s.runtime), ("deadline", s.deadline), ("period", s.period)] {
        if value != 0 {
            let remedy = "leave it out, or use that policy";
            f.refuse(&at.key(name), value, "applies only to SCHED_DEADLINE", remedy);
        }
    }
}

/// sched_setattr(2): 1024 ns ≤ runtime ≤ deadline ≤ period, where a period of 0 is the deadline.
fn deadline(f: &mut Findings, at: &At, s: &Scheduler) {
    let order = "the kernel requires runtime ≤ deadline ≤ period";
    if s.runtime < 1024 {
        f.refuse(&at.key("runtime"), s.runtime, "is below 1024 ns", "give the run time in nanoseconds");
    }
    if s.deadline < s.runtime || s.deadline == 0 {
        f.refuse(&at.key("deadline"), s.deadline, "is below the run time", order);
    }
    if s.period != 0 && s.period < s.deadline {
        f.refuse(&at.key("period"), s.period, "is below the deadline", order);
    }
}

fn io_priority(f: &mut Findings, at: &At, priority: &IoPriority) {
    f.known(&at.key("class"), &names::IO_PRIORITY_CLASSES, &priority.class);
    f.range(&at.key("priority"), priority.priority, 0..=7);
}

fn cpu_affinity(f: &mut Findings, at: &At, affinity: &CpuAffinity) {
    for (name, list) in [("initial", &affinity.initial), ("final", &affinity.final_)] {
        let list = list.as_deref().unwrap_or_default();
        if let Err(reason) = cpus::mask(list) {
            f.refuse(&at.key(name), list.escape_debug(), reason, "write it as in 0-3,7");
        }
    }
}
