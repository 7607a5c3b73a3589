//! What a profile answers to a system call, for people: each case with its conditions, the value that the filter returns,
//! and the rule that decides.
//!
//! The cases come from the same functions that the filter is written by, in the order in which it asks them. What no rule
//! decides is not worked out here: the program itself is asked. `tests/spec/seccomp/verdicts.rs` holds both against each
//! other.

use super::arch::{Arch, Width};
use super::condition::{Condition, Conditions};
use super::evaluate::{Call, evaluate};
use super::multiplex::multiplexed;
use super::profile::{self, Profile};
use super::sections::{NumberRule, add_entries, in_order, unconditional};
use super::tables::Syscall;
use super::vocabulary::Operator;
use super::{Filter, Instruction};
use crate::error::Result;
use crate::spec::Seccomp;

/// A profile with its program.
pub struct Verdicts<'f> {
    profile: Profile,
    program: &'f [Instruction],
}

/// What one rule decides.
#[derive(Clone, Debug)]
pub struct Case {
    conditions: Conditions,
    width: Width,
    /// SECCOMP_RET_*.
    pub returned: u32,
    /// Its place in `linux.seccomp.syscalls`.
    pub rule: u32,
}

/// One way to a call: its own number, or a multiplexer with its code.
#[derive(Clone, Debug)]
pub struct Way {
    pub arch: Arch,
    pub number: u32,
    /// The first argument that makes the multiplexer do this call.
    pub code: Option<u32>,
    /// In the order in which they are asked; the first that applies decides.
    pub cases: Vec<Case>,
    /// What is returned where none of them applies, unless one always does.
    pub otherwise: Option<u32>,
}

/// A name in a rule that another answer is given for on every architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle {
    /// The place in `linux.seccomp.syscalls`.
    pub rule: u32,
    pub name: &'static str,
    /// The rule that decides first; the same: its conditions are never true.
    pub by: u32,
}

/// The calls of an architecture that get one answer.
#[derive(Clone, Debug)]
pub struct Group {
    pub returned: u32,
    pub names: Vec<&'static str>,
}

impl<'f> Verdicts<'f> {
    /// `filter` is what `seccomp` was compiled to, for this machine.
    pub fn of(seccomp: &Seccomp, filter: &'f Filter, native: Arch, supported: u32) -> Result<Verdicts<'f>> {
        let profile = profile::read(seccomp, native, supported)?;
        Ok(Verdicts { profile, program: &filter.program })
    }

    pub fn arches(&self) -> &[Arch] {
        &self.profile.arches
    }

    /// What is returned where the profile knows the call and has no rule that applies.
    pub fn default(&self) -> u32 {
        self.profile.default
    }

    /// Each way to this call, on each architecture of the profile.
    pub fn ways(&self, call: Syscall) -> Vec<Way> {
        self.profile.arches.iter().flat_map(|arch| self.ways_on(&self.rules_on(*arch), *arch, call)).collect()
    }

    /// The calls of `arch` by the answer that they always get, and those whose answer depends on arguments.
    pub fn groups(&self, arch: Arch) -> (Vec<Group>, Vec<(&'static str, Way)>) {
        let (mut groups, mut depend): (Vec<Group>, Vec<_>) = (Vec::new(), Vec::new());
        for (call, way) in self.calls(arch) {
            if way.code.is_some() {
                continue;
            }
            let returned = match (&way.cases[..], way.otherwise) {
                ([], Some(returned)) => returned,
                ([only], None) => only.returned,
                _ => {
                    depend.push((call.name(), way));
                    continue;
                }
            };
            match groups.iter_mut().find(|group| group.returned == returned) {
                Some(group) => group.names.push(call.name()),
                None => groups.push(Group { returned, names: vec![call.name()] }),
            }
        }
        (groups, depend)
    }

    /// The names in rules that never decide, where what does has another answer.
    pub fn idle(&self) -> Vec<Idle> {
        // By the rule's turn: the origin of what decides in its place, unless it decides something itself.
        let mut found: Vec<(bool, Option<u32>)> = vec![(false, None); self.profile.rules.len()];
        for arch in &self.profile.arches {
            let (rules, conditions) = self.rules_on(*arch);
            for rules in rules.chunk_by(|one, other| one.number == other.number) {
                let first = unconditional(rules, &conditions);
                let (asked, _) = in_order(rules, &conditions, usize::MAX, |rule| rule);
                for rule in rules {
                    let own = &conditions[rule.conditions as usize];
                    let before = || asked.iter().take_while(|(_, other)| other.turn != rule.turn);
                    let covers = |(at, _): &&(u32, _)| conditions[*at as usize].cover(own, rule.width);
                    let by = match first {
                        _ if own.never_hold(rule.width) => Some(rule),
                        Some(first) => Some(first),
                        None => before().find(covers).map(|(_, other)| *other),
                    };
                    let other = by.filter(|by| by.turn == rule.turn || by.returned != rule.returned);
                    let other = other.filter(|by| by.turn != rule.turn || own.never_hold(rule.width));
                    let (decides, instead) = &mut found[rule.turn as usize];
                    *decides |= other.is_none();
                    *instead = other.map(|by| self.profile.rules[by.turn as usize].origin);
                }
            }
        }
        // Alternatives of one rule are one name to its author.
        let rules: Vec<_> = self.profile.rules.iter().zip(found).collect();
        let names =
            rules.chunk_by(|(one, _), (other, _)| (one.origin, one.call) == (other.origin, other.call));
        let idle = names.filter(|all| !all.iter().any(|(_, (decides, _))| *decides));
        let told = |all: &[(&profile::Rule, (bool, Option<u32>))]| {
            let (rule, (_, by)) = all[0];
            Some(Idle { rule: rule.origin, name: rule.call.name(), by: by? })
        };
        idle.filter_map(told).collect()
    }

    /// Each way to each call of `arch`, in an order that is the same for every profile.
    pub fn calls(&self, arch: Arch) -> Vec<(Syscall, Way)> {
        let rules = self.rules_on(arch);
        let ways = |call| self.ways_on(&rules, arch, call).into_iter().map(move |way| (call, way));
        Syscall::all().flat_map(ways).collect()
    }

    fn ways_on(&self, rules: &(Vec<NumberRule>, Vec<Conditions>), arch: Arch, call: Syscall) -> Vec<Way> {
        let direct = call.number(arch).map(|number| self.way(rules, arch, number, None));
        let through = multiplexed(arch, call);
        let through = through.map(|it| self.way(rules, arch, it.number, Some(it.code)));
        direct.into_iter().chain(through).collect()
    }

    /// The rules of an architecture, by numbers, and the conditions that they name.
    fn rules_on(&self, arch: Arch) -> (Vec<NumberRule>, Vec<Conditions>) {
        let (mut rules, mut conditions) = (Vec::new(), self.profile.conditions.clone());
        add_entries(&self.profile, arch, &mut conditions, &mut rules);
        (rules, conditions)
    }

    fn way(
        &self,
        (rules, conditions): &(Vec<NumberRule>, Vec<Conditions>),
        arch: Arch,
        number: u32,
        code: Option<u32>,
    ) -> Way {
        let first = rules.partition_point(|rule| rule.number < number);
        let count = rules[first..].partition_point(|rule| rule.number == number);
        let rules = &rules[first..first + count];
        let case = |rule: &NumberRule| Case {
            conditions: conditions[rule.conditions as usize].clone(),
            width: rule.width,
            returned: rule.returned,
            rule: self.profile.rules[rule.turn as usize].origin,
        };
        let mut way = Way { arch, number, code, cases: Vec::new(), otherwise: None };
        match unconditional(rules, conditions) {
            Some(rule) => way.cases.push(case(rule)),
            None => {
                let (asked, _) = in_order(rules, conditions, usize::MAX, case);
                way.cases = asked.into_iter().map(|(_, case)| case).collect();
                // Rules for other calls of the multiplexer never apply.
                let of_this = |case: &Case| code.is_none_or(|code| case.conditions.allow_code(code));
                way.cases.retain(of_this);
                way.otherwise = match (rules.is_empty(), self.run(arch, number, [0; 6])) {
                    (true, Some(returned)) => Some(returned),
                    _ => Some(self.profile.default),
                };
            }
        }
        way
    }

    /// What the program returns for this call.
    pub fn run(&self, arch: Arch, number: u32, arguments: [u64; 6]) -> Option<u32> {
        let call = Call { number, arch: arch.audit(), arguments };
        evaluate(self.program, &call, arch.order()).ok().map(|outcome| outcome.returned)
    }
}

impl Way {
    /// The multiplexing call that this way leads through.
    pub fn multiplexer(&self) -> Option<&'static str> {
        self.code?;
        Syscall::by_number(self.arch, self.number).map(Syscall::name)
    }

    /// The case that decides a call with these arguments.
    pub fn decides(&self, arguments: &[u64; 6]) -> Option<&Case> {
        self.cases.iter().find(|case| case.conditions.hold(arguments, case.width))
    }
}

impl Case {
    /// Arguments that meet its conditions.
    pub fn example(&self) -> [u64; 6] {
        self.conditions.example(self.width)
    }

    /// Its conditions, joined by "and"; empty: it always applies.
    pub fn words(&self) -> String {
        let conditions = self.conditions.effective(self.width).map(|condition| words(condition, self.width));
        conditions.collect::<Vec<_>>().join(" and ")
    }
}

fn words(condition: &Condition, width: Width) -> String {
    let Condition { argument, operator, value, mask } = *condition;
    let cut = width.mask();
    let sign = match operator {
        Operator::NotEqual => "!=",
        Operator::Less => "<",
        Operator::LessOrEqual => "<=",
        Operator::Equal | Operator::MaskedEqual => "==",
        Operator::GreaterOrEqual => ">=",
        Operator::Greater => ">",
    };
    match operator {
        Operator::MaskedEqual => format!("arg{argument} & {:#x} {sign} {:#x}", mask & cut, value & cut),
        _ => format!("arg{argument} {sign} {:#x}", value & cut),
    }
}
