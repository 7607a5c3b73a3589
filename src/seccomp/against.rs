//! Which calls one profile lets through and another one stops: `seccomp check`.
//!
//! Where both have the same rules for a call there is nothing to say. Else a rule that lets it through on some conditions
//! stands for one call that meets them: the program is asked about that one, so that other arguments may still be stopped.

use super::arch::Arch;
use super::verdicts::{Verdicts, Way};
use super::vocabulary::is_allowed;

/// A call that is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    pub name: &'static str,
    pub arch: Arch,
    /// SECCOMP_RET_*.
    pub returned: u32,
    /// What decides, as a JSON pointer.
    pub field: Option<String>,
    /// Other arguments are let through.
    pub partly: bool,
}

/// The calls that `wanted` lets through and `own` stops.
pub fn stopped(own: &Verdicts, wanted: &Verdicts) -> Vec<Stopped> {
    let mut found: Vec<Stopped> = Vec::new();
    for arch in wanted.arches() {
        let is_known = own.arches().contains(arch);
        for ((call, way), (_, wanted_way)) in own.calls(*arch).into_iter().zip(wanted.calls(*arch)) {
            let Some((returned, rule, partly)) = stop(own, &way, wanted, &wanted_way, is_known) else {
                continue;
            };
            let field = match rule {
                _ if !is_known => Some("/architectures".to_owned()),
                Some(rule) => Some(format!("/syscalls/{rule}")),
                None => (returned == own.default()).then(|| "/defaultAction".to_owned()),
            };
            let field = field.map(|field| format!("/linux/seccomp{field}"));
            let one = Stopped { name: call.name(), arch: *arch, returned, field, partly };
            // A second way to the same call.
            if found.last() != Some(&one) {
                found.push(one);
            }
        }
    }
    found
}

/// What stops a call that `wanted` lets through: the value, the rule, and whether other arguments come through.
fn stop(
    own: &Verdicts,
    way: &Way,
    wanted: &Verdicts,
    wanted_way: &Way,
    is_known: bool,
) -> Option<(u32, Option<u32>, bool)> {
    let ask = |arguments: [u64; 6]| {
        // What is no program stops everything.
        let returned = own.run(way.arch, way.number, arguments).unwrap_or(libc::SECCOMP_RET_KILL_THREAD);
        let partly =
            way.code.is_none() && is_known && outcomes(way).any(|(returned, _)| is_allowed(returned));
        (!is_allowed(returned)).then(|| (returned, way.decides(&arguments).map(|case| case.rule), partly))
    };
    if let Some(code) = way.code {
        // The arguments of a call behind a multiplexer are in memory, where no filter sees them.
        let arguments = [u64::from(code), 0, 0, 0, 0, 0];
        let lets = wanted.run(way.arch, way.number, arguments).is_some_and(is_allowed);
        return if lets { ask(arguments) } else { None };
    }
    if !is_known {
        return outcomes(wanted_way).any(|(returned, _)| is_allowed(returned)).then(|| ask([0; 6]))?;
    }
    let all = match wanted_way.otherwise {
        Some(returned) => is_allowed(returned),
        None => outcomes(wanted_way).all(|(returned, _)| is_allowed(returned)),
    };
    if !all {
        let allowing = wanted_way.cases.iter().filter(|case| is_allowed(case.returned));
        // This very call is stopped, whatever becomes of others.
        return allowing
            .map(|case| case.example())
            .find_map(ask)
            .map(|(returned, rule, _)| (returned, rule, false));
    }
    let (returned, rule) = outcomes(way).find(|(returned, _)| !is_allowed(*returned))?;
    let partly = outcomes(way).any(|(returned, _)| is_allowed(returned));
    (!partly || told(way) != told(wanted_way)).then_some((returned, rule, partly))
}

/// Each value that is returned, with the rule that does so.
fn outcomes(way: &Way) -> impl Iterator<Item = (u32, Option<u32>)> {
    let rules = way.cases.iter().map(|case| (case.returned, Some(case.rule)));
    rules.chain(way.otherwise.map(|returned| (returned, None)))
}

fn told(way: &Way) -> (Vec<(String, bool)>, Option<bool>) {
    let cases = way.cases.iter().map(|case| (case.words(), is_allowed(case.returned)));
    (cases.collect(), way.otherwise.map(is_allowed))
}
