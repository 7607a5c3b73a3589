//! Device access rules: checked, in order, the last matching rule decides.
//!
//! Guards the host's devices: a container that can make and open the node of the host's disk owns the host. The
//! start is therefore "deny", whatever the config says or leaves out, and the rules that every container gets
//! come last. On v2 `program` turns the list into a BPF program with exactly these semantics, on v1 `exceptions`
//! into what that kernel can express.

use crate::error::{Error, Kind, Result};
use crate::spec::DeviceRule;
use std::fmt;

pub const MKNOD: u8 = 1;
pub const READ: u8 = 2;
pub const WRITE: u8 = 4;
pub const ALL: u8 = MKNOD | READ | WRITE;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Block,
    Char,
    /// Every device; only with every access, so that it decides everything before it.
    Any,
}

/// The devices that a rule is about; an absent number is every number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    pub class: Class,
    pub major: Option<u32>,
    pub minor: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub allow: bool,
    pub range: Range,
    pub access: u8,
}

/// What every container may do besides its rules, as runc has it, so that images work the same: make any node
/// (using it is another matter), and use the devices that the specification gives every container.
pub(in crate::cgroup) const DEFAULTS: [Rule; 11] = [
    allow(Class::Char, None, None, MKNOD),
    allow(Class::Block, None, None, MKNOD),
    allow(Class::Char, Some(1), Some(3), ALL), // null
    allow(Class::Char, Some(1), Some(8), ALL), // random
    allow(Class::Char, Some(1), Some(7), ALL), // full
    allow(Class::Char, Some(5), Some(0), ALL), // tty
    allow(Class::Char, Some(1), Some(5), ALL), // zero
    allow(Class::Char, Some(1), Some(9), ALL), // urandom
    allow(Class::Char, Some(136), None, ALL),  // pts/*
    allow(Class::Char, Some(5), Some(2), ALL), // ptmx
    // No node of it is made, but what an image or a volume brings opens: networks of the container's own (tun).
    allow(Class::Char, Some(10), Some(200), ALL),
];

const fn allow(class: Class, major: Option<u32>, minor: Option<u32>, access: u8) -> Rule {
    Rule { allow: true, range: Range { class, major, minor }, access }
}

/// A list of rules; the last matching one decides, and without one access is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules(Vec<Rule>);

/// Every open of a device walks the kernel's list, and each rule is compared with the others: more would hold up the
/// container, and us. The verifier of BPF programs follows 8 192 tests.
pub(in crate::cgroup) const MOST_RULES: usize = 8_000;

impl Rules {
    /// The rules of `linux.resources.devices`, with the defaults after them.
    /// Errors: a type other than a, b, c and u; an empty or unknown access; a number out of range.
    pub fn from_spec(listed: &[DeviceRule]) -> Result<Rules> {
        let mut rules = Vec::with_capacity(listed.len() + DEFAULTS.len());
        let mut problems = Vec::new();
        for (i, rule) in listed.iter().enumerate() {
            if let Err(problem) = check(rule, i, &mut rules) {
                problems.push(problem);
            }
        }
        if rules.len() > MOST_RULES {
            let most = format!(
                "has more rules for devices than {MOST_RULES}, of which one for all types counts twice"
            );
            return Err(Error::new(most)
                .kind(Kind::Config)
                .field("/linux/resources/devices")
                .value(listed.len())
                .remedy("leave out the minor number where a rule is for all devices of a driver"));
        }
        rules.extend(DEFAULTS);
        Error::all(problems).map_or(Ok(Rules::pruned(rules)), Err)
    }

    /// Leaves out what later rules decide anyway.
    fn pruned(rules: Vec<Rule>) -> Rules {
        let mut kept: Vec<Rule> = Vec::with_capacity(rules.len());
        for mut rule in rules.into_iter().rev() {
            let decided = kept.iter().filter(|later| later.range.covers(&rule.range));
            rule.access &= !decided.fold(0, |bits, later| bits | later.access);
            // A reset has to stay whole, or it would be no reset.
            if rule.access != 0 && rule.range.class == Class::Any {
                rule.access = ALL;
            }
            if rule.access != 0 {
                kept.push(rule);
            }
        }
        kept.reverse();
        Rules(kept)
    }

    pub fn as_slice(&self) -> &[Rule] {
        &self.0
    }

    /// True if every access to every device is allowed.
    pub fn allows_everything(&self) -> bool {
        let last = self.0.iter().rposition(|r| r.range.class == Class::Any);
        last.is_some_and(|at| self.0[at..].iter().all(|r| r.allow))
    }
}

/// Whether every container may do what this rule is about, whatever its rules say.
pub fn is_everyones(rule: &DeviceRule) -> bool {
    let mut rules = Vec::new();
    let everyones = |rule: &Rule| {
        let given = DEFAULTS.iter().filter(|default| default.range.covers(&rule.range));
        rule.access & !given.fold(0, |bits, default| bits | default.access) == 0
    };
    check(rule, 0, &mut rules).is_ok() && rules.iter().all(everyones)
}

fn check(rule: &DeviceRule, index: usize, rules: &mut Vec<Rule>) -> Result<()> {
    let wrong = |field: &str, value: &dyn fmt::Display, reason: &'static str| {
        Err(Error::new(reason)
            .kind(Kind::Config)
            .field(format!("/linux/resources/devices/{index}/{field}"))
            .value(value))
    };
    let class = match rule.kind.as_deref().unwrap_or_default() {
        "" | "a" => Class::Any,
        "b" => Class::Block,
        "c" | "u" => Class::Char,
        other => return wrong("type", &other, "a device type must be a, b or c"),
    };
    let mut access = 0;
    let letters = rule.access.as_deref().unwrap_or_default();
    // `validate` has warned of letters that mean nothing.
    for bit in letters.chars().filter_map(bit) {
        access |= bit;
    }
    match (access, rule.allow) {
        // A rule that denies without saying what denies everything.
        (0, false) => access = ALL,
        (0, true) if letters.is_empty() => {
            return wrong("access", &"", "access must not be empty: use the letters r, w and m");
        }
        (0, true) => return Ok(()),
        _ => {}
    }
    let mut numbers = [None; 2];
    for (kept, (name, given)) in numbers.iter_mut().zip([("major", rule.major), ("minor", rule.minor)]) {
        let Some(number) = given.filter(|number| *number != -1) else { continue };
        let Ok(number) = u32::try_from(number) else {
            return wrong(name, &number, "a device number must be 0 to 4294967295, or -1 for every number");
        };
        *kept = Some(number);
    }
    let [major, minor] = numbers;
    // No device has such a number. The kernel's v1 files read the highest one as every number.
    if major.is_some_and(|major| major >= 1 << 12) || minor.is_some_and(|minor| minor >= 1 << 20) {
        return Ok(());
    }
    // A rule for every type that is not for everything is one for each type.
    let classes = match class {
        Class::Any if (numbers, access) != ([None; 2], ALL) => &[Class::Block, Class::Char][..],
        _ => &[class],
    };
    rules.extend(classes.iter().map(|&class| Rule {
        allow: rule.allow,
        range: Range { class, major, minor },
        access,
    }));
    Ok(())
}

impl Range {
    /// True if every device of `other` is one of ours.
    pub(in crate::cgroup) fn covers(&self, other: &Range) -> bool {
        (self.class == Class::Any || self.class == other.class)
            && (self.major.is_none() || self.major == other.major)
            && (self.minor.is_none() || self.minor == other.minor)
    }

    /// True if some device is one of both.
    pub(super) fn meets(&self, other: &Range) -> bool {
        let same = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        (self.class == Class::Any || other.class == Class::Any || self.class == other.class)
            && same(self.major, other.major)
            && same(self.minor, other.minor)
    }
}

/// `c 1:*`, as the v1 files have it.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            Class::Block => 'b',
            Class::Char => 'c',
            Class::Any => 'a',
        };
        let [major, minor] =
            [self.major, self.minor].map(|number| number.map_or("*".to_owned(), |number| number.to_string()));
        write!(f, "{class} {major}:{minor}")
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.allow { "allow" } else { "deny" };
        write!(f, "{verb} {} {}", self.range, letters(self.access))
    }
}

const LETTERS: [(u8, char); 3] = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')];

pub(super) fn letters(access: u8) -> String {
    LETTERS.iter().filter(|(bit, _)| access & bit != 0).map(|(_, letter)| letter).collect()
}

pub(super) fn bit(letter: char) -> Option<u8> {
    LETTERS.iter().find(|(_, known)| *known == letter).map(|(bit, _)| *bit)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::spec::Resources;

    pub(in crate::cgroup) fn rules(json: &str) -> Rules {
        let text = format!("{{\"devices\":{json}}}");
        let resources: Resources = serde_json::from_str(&text).unwrap();
        Rules::from_spec(&resources.devices).unwrap()
    }

    /// A list as it is written, and pruned.
    pub(in crate::cgroup) fn literal_and_pruned(list: Vec<Rule>) -> (Rules, Rules) {
        (Rules(list.clone()), Rules::pruned(list))
    }

    /// The rule list read literally: the last rule that matches an access bit decides it.
    pub(in crate::cgroup) fn decide(rules: &Rules, class: Class, major: u32, minor: u32, access: u8) -> bool {
        let device = Range { class, major: Some(major), minor: Some(minor) };
        [MKNOD, READ, WRITE].iter().filter(|bit| access & **bit != 0).all(|bit| {
            let last = rules.0.iter().rev().find(|r| r.access & bit != 0 && r.range.covers(&device));
            last.is_some_and(|r| r.allow)
        })
    }

    pub(in crate::cgroup) const DOCKER: &str = r#"[{"allow":false,"access":"rwm"},
        {"allow":true,"access":"rwm","type":"c","major":1,"minor":3},
        {"allow":false,"access":"rwm","type":"c","major":10,"minor":229}]"#;

    #[test]
    fn without_rules_only_the_defaults_are_allowed() {
        for json in ["[]", DOCKER, r#"[{"allow":false,"access":"rwm"}]"#] {
            let rules = rules(json);
            assert!(decide(&rules, Class::Char, 1, 3, ALL), "null");
            assert!(decide(&rules, Class::Char, 136, 7, READ | WRITE), "a terminal");
            assert!(decide(&rules, Class::Block, 8, 0, MKNOD), "making the node of a disk");
            assert!(!decide(&rules, Class::Block, 8, 0, READ), "reading a disk");
            assert!(!decide(&rules, Class::Char, 10, 229, READ), "fuse");
            assert!(!rules.allows_everything());
        }
    }

    #[test]
    fn a_later_rule_wins() {
        let rules = rules(
            r#"[{"allow":true,"access":"rwm","type":"c","major":10},
                {"allow":false,"access":"w","type":"c","major":10,"minor":5}]"#,
        );
        assert!(decide(&rules, Class::Char, 10, 5, READ));
        assert!(!decide(&rules, Class::Char, 10, 5, READ | WRITE));
        assert!(decide(&rules, Class::Char, 10, 6, READ | WRITE));
    }

    #[test]
    fn a_rule_for_every_type_with_a_number_stays_a_rule_for_that_number() {
        let rules = rules(r#"[{"allow":true,"access":"rwm","type":"a","major":8,"minor":0}]"#);
        assert!(decide(&rules, Class::Block, 8, 0, ALL));
        assert!(decide(&rules, Class::Char, 8, 0, ALL));
        assert!(!decide(&rules, Class::Block, 8, 1, READ));
    }

    #[test]
    fn allow_all_is_recognised_and_only_that() {
        assert!(rules(r#"[{"allow":true,"access":"rwm"}]"#).allows_everything());
        assert!(!rules(r#"[{"allow":true,"access":"rw"}]"#).allows_everything());
        let taken = r#"[{"allow":true,"access":"rwm"},{"allow":false,"access":"r","type":"b","major":8}]"#;
        assert!(!rules(taken).allows_everything());
    }
}
