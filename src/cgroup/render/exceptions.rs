//! Device rules as a cgroup v1 kernel keeps them: a default, and exceptions from it.
//!
//! That is less than a list of rules can say. What it cannot say is refused, because writing such a rule would
//! silently allow more than was asked (a v1 kernel takes "a 1:3 rwm" for everything). A running container gets
//! only the difference, so that nothing it may use is away for a moment.

use crate::cgroup::devices::{Class, Range, Rule, Rules, bit, letters};
use crate::error::{Error, Kind, Result};
use std::collections::BTreeMap;

/// The form that a v1 kernel keeps: a default, and what is excepted from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exceptions {
    pub allow_by_default: bool,
    pub except: BTreeMap<Range, u8>,
}

/// A write to a v1 file, `devices.allow` or `devices.deny`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub allow: bool,
    pub line: String,
}

impl Exceptions {
    /// What the rules come to. Error: a rule takes a part out of what a wider rule gave, which v1 cannot do.
    pub fn of(rules: &Rules) -> Result<Exceptions> {
        let mut state = Exceptions::default();
        for rule in rules.as_slice() {
            if rule.range.class == Class::Any {
                state = Exceptions { allow_by_default: rule.allow, except: BTreeMap::new() };
            } else if rule.allow == state.allow_by_default {
                state.take_back(rule)?;
            } else {
                *state.except.entry(rule.range).or_default() |= rule.access;
            }
        }
        Ok(state)
    }

    fn take_back(&mut self, rule: &Rule) -> Result<()> {
        for (range, access) in &mut self.except {
            if rule.range.covers(range) {
                *access &= !rule.access;
            } else if range.meets(&rule.range) && *access & rule.access != 0 {
                return Err(Error::new("cgroup v1 cannot take a device out of a wider rule before it")
                    .kind(Kind::Unsupported)
                    .field("/linux/resources/devices")
                    .value(rule)
                    .remedy("list the devices one by one, or use a host with cgroup v2"));
            }
        }
        self.except.retain(|_, access| *access != 0);
        Ok(())
    }

    /// Reads `devices.list`. With "allow" as the default, a kernel does not show the exceptions.
    pub fn parse(list: &str) -> Option<Exceptions> {
        let mut state = Exceptions::default();
        for line in list.lines() {
            let mut words = line.split(' ');
            let (class, numbers, access) = (words.next()?, words.next()?, words.next()?);
            let class = match class {
                "a" => return Some(Exceptions { allow_by_default: true, except: BTreeMap::new() }),
                "b" => Class::Block,
                "c" => Class::Char,
                _ => return None,
            };
            let number = |text: &str| if text == "*" { Some(None) } else { text.parse().ok().map(Some) };
            let (major, minor) = numbers.split_once(':')?;
            let range = Range { class, major: number(major)?, minor: number(minor)? };
            *state.except.entry(range).or_default() |= access.chars().filter_map(bit).sum::<u8>();
        }
        Some(state)
    }

    /// The writes that turn `self`, the kernel's present state, into `target`. What stays allowed is allowed at
    /// every moment in between, and no rule is written that is in force already.
    pub fn towards(&self, target: &Exceptions) -> Vec<Change> {
        let same_default = self.allow_by_default == target.allow_by_default;
        // Exceptions of an "allow" default are not shown, so only a reset makes sure of them.
        if same_default && (!target.allow_by_default || target.except.is_empty()) {
            return self.differences(target);
        }
        let fresh = Exceptions { allow_by_default: target.allow_by_default, except: BTreeMap::new() };
        let mut changes = vec![Change { allow: target.allow_by_default, line: "a".to_owned() }];
        changes.extend(fresh.differences(target));
        changes
    }

    /// The writes to `target`, which has the same default: first what is missing, then what is too much.
    fn differences(&self, target: &Exceptions) -> Vec<Change> {
        let mut changes = Vec::new();
        for (wanted, there, allow) in [
            (&target.except, &self.except, !target.allow_by_default),
            (&self.except, &target.except, target.allow_by_default),
        ] {
            for (range, access) in wanted {
                let access = access & !there.get(range).copied().unwrap_or(0);
                if access != 0 {
                    changes.push(Change { allow, line: format!("{range} {}", letters(access)) });
                }
            }
        }
        changes
    }

    /// The writes by which the rules become `target` where they were `earlier`, and those back. `self` is what the kernel
    /// has: what another program has added to it, or taken away, stays as it is. `None`: it is of another kind than
    /// `earlier`.
    pub fn update(&self, earlier: &Exceptions, target: &Exceptions) -> Option<[Vec<Change>; 2]> {
        if self.allow_by_default != earlier.allow_by_default {
            return None;
        }
        // With "allow" as the default the kernel does not show them.
        let before = if self.allow_by_default { earlier } else { self };
        if earlier.allow_by_default != target.allow_by_default {
            return Some([before.towards(target), target.towards(before)]);
        }
        let mut after = before.clone();
        let beyond = |range: &Range, access: u8, other: &Exceptions| {
            access & !other.except.get(range).copied().unwrap_or(0)
        };
        for (range, access) in &target.except {
            *after.except.entry(*range).or_default() |= beyond(range, *access, earlier);
        }
        for (range, access) in &earlier.except {
            let gone = beyond(range, *access, target);
            after.except.entry(*range).and_modify(|access| *access &= !gone);
        }
        Some([before.differences(&after), after.differences(before)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::devices::tests::{DOCKER, rules};

    fn lines(changes: &[Change]) -> Vec<String> {
        changes.iter().map(|c| format!("{} {}", if c.allow { "allow" } else { "deny" }, c.line)).collect()
    }

    #[test]
    fn v1_gets_a_reset_and_the_exceptions_and_the_second_time_nothing() {
        let target = Exceptions::of(&rules(DOCKER)).unwrap();
        let fresh = Exceptions::parse("a *:* rwm\n").unwrap();
        let written = lines(&fresh.towards(&target));
        assert_eq!(written[0], "deny a");
        assert!(
            written.contains(&"allow c 1:3 rwm".to_owned()) && written.contains(&"allow b *:* m".to_owned())
        );
        assert_eq!(written.len(), 12);
        assert!(target.towards(&target).is_empty());
    }

    #[test]
    fn a_v1_update_writes_the_difference_and_never_resets() {
        let old = Exceptions::of(&rules(r#"[{"allow":true,"access":"rw","type":"c","major":10,"minor":1}]"#))
            .unwrap();
        let new = Exceptions::of(&rules(r#"[{"allow":true,"access":"r","type":"c","major":10,"minor":2}]"#))
            .unwrap();
        assert_eq!(lines(&old.towards(&new)), ["allow c 10:2 r", "deny c 10:1 rw"]);
    }

    #[test]
    fn an_update_writes_what_changes_of_our_rules_and_leaves_what_others_have_written() {
        let of = |json: &str| Exceptions::of(&rules(json)).unwrap();
        let old = of(r#"[{"allow":true,"access":"rw","type":"c","major":10,"minor":1}]"#);
        let new = of(r#"[{"allow":true,"access":"rw","type":"c","major":10,"minor":1},
            {"allow":true,"access":"rw","type":"c","major":10,"minor":2},
            {"allow":true,"access":"rw","type":"c","major":195},
            {"allow":false,"access":"w","type":"c","major":10,"minor":1}]"#);
        let mut kernel = old.clone();
        kernel.except.insert(Range { class: Class::Char, major: Some(195), minor: None }, 2);
        let [there, back] = kernel.update(&old, &new).unwrap();
        assert_eq!(lines(&there), ["allow c 10:2 rw", "allow c 195:* w", "deny c 10:1 w"]);
        // What another program had allowed is not taken away with it.
        assert_eq!(lines(&back), ["allow c 10:1 w", "deny c 10:2 rw", "deny c 195:* w"]);
        assert_eq!(kernel.update(&new, &new), Some([Vec::new(), Vec::new()]));
        // Of everything but some, no moment is wider than before or after.
        let all = of(r#"[{"allow":true,"access":"rwm"}]"#);
        let less = of(
            r#"[{"allow":true,"access":"rwm"},{"allow":false,"access":"rwm","type":"c","major":10,"minor":2}]"#,
        );
        let seen = Exceptions::parse("a *:* rwm\n").unwrap();
        let [there, back] = seen.update(&all, &less).unwrap();
        assert_eq!(
            (lines(&there), lines(&back)),
            (vec!["deny c 10:2 rw".into()], vec!["allow c 10:2 rw".into()])
        );
        assert_eq!(seen.update(&old, &new), None);
        let [there, back] = old.update(&old, &all).unwrap();
        assert_eq!((&*lines(&there), &*lines(&back)[0]), (&["allow a".to_owned()][..], "deny a"));
    }

    #[test]
    fn v1_refuses_what_it_cannot_express() {
        let rules = rules(
            r#"[{"allow":true,"access":"rwm","type":"c","major":10},
                {"allow":false,"access":"w","type":"c","major":10,"minor":5}]"#,
        );
        let error = Exceptions::of(&rules).unwrap_err();
        assert!(error.to_string().contains("deny c 10:5 w"), "{error}");
    }

    #[test]
    fn a_list_of_the_kernel_is_read_back() {
        let state = Exceptions::parse("c 1:3 rwm\nb *:* m\n").unwrap();
        assert!(!state.allow_by_default);
        assert_eq!(state.except.len(), 2);
        assert!(Exceptions::parse("nonsense\n").is_none());
    }
}
