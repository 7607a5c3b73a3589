//! Device rules in systemd's words (DeviceAllow of systemd.resource-control(5)). It knows what is allowed and nothing that
//! is taken away again, so a list that ends in exceptions from what it allows is wider in its words; the rules that are in
//! force are the narrower ones, ours on cgroup v2.

use crate::cgroup::devices::{Class, Range, Rule, Rules, letters};

/// Devices with the letters of what is allowed; `None` where everything is allowed, exceptions aside.
pub fn allowed(rules: &Rules) -> Option<Vec<(String, String)>> {
    let mut allowed: Vec<Rule> = Vec::new();
    let mut all = false;
    for rule in rules.as_slice() {
        if rule.range.class == Class::Any {
            (all, allowed) = (rule.allow, Vec::new());
        } else if rule.allow {
            allowed.push(*rule);
        } else {
            for earlier in allowed.iter_mut().filter(|earlier| rule.range.covers(&earlier.range)) {
                earlier.access &= !rule.access;
            }
        }
    }
    if all {
        return None;
    }
    let named = allowed.iter().filter(|rule| rule.access != 0);
    Some(named.map(|rule| (name(&rule.range), letters(rule.access))).collect())
}

/// Whether everything is allowed but for some: these exceptions systemd cannot express.
pub fn has_exceptions(rules: &Rules) -> bool {
    let mut rules = rules.as_slice().iter().rev();
    let denies = |rule: &&Rule| rule.range.class != Class::Any;
    let mut after: Vec<&Rule> = Vec::new();
    let base = rules.by_ref().inspect(|rule| after.push(rule)).find(|rule| !denies(rule));
    base.is_some_and(|base| base.allow) && after.iter().any(|rule| !rule.allow)
}

/// The node of one device, or all with a major number.
fn name(range: &Range) -> String {
    let kind = if range.class == Class::Block { "block" } else { "char" };
    match (range.major, range.minor) {
        (None, _) => format!("{kind}-*"),
        (Some(major), None) => format!("{kind}-{major}"),
        (Some(major), Some(minor)) => format!("/dev/{kind}/{major}:{minor}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::devices::tests::rules;

    fn found(json: &str) -> Option<Vec<String>> {
        let all = allowed(&rules(json))?;
        Some(all.into_iter().map(|(device, access)| format!("{device} {access}")).collect())
    }

    #[test]
    fn what_is_allowed_has_names_and_what_is_denied_again_has_none() {
        let json = r#"[{"allow":false,"access":"rwm"},
            {"allow":true,"access":"rw","type":"c","major":195},
            {"allow":true,"access":"rw","type":"b","major":8,"minor":0},
            {"allow":true,"access":"r","type":"b","major":8,"minor":1},
            {"allow":false,"access":"r","type":"b","major":8,"minor":1}]"#;
        let found = found(json).unwrap();
        for expected in ["char-195 rw", "/dev/block/8:0 rw", "char-* m", "/dev/char/1:3 rwm", "char-136 rwm"]
        {
            assert!(found.iter().any(|rule| rule == expected), "{expected}: {found:?}");
        }
        assert!(!found.iter().any(|rule| rule.contains("8:1")), "{found:?}");
    }

    #[test]
    fn everything_is_no_list() {
        assert_eq!(found(r#"[{"allow":true,"access":"rwm"}]"#), None);
        let but = r#"[{"allow":true,"access":"rwm"},{"allow":false,"access":"rwm","type":"b","major":8}]"#;
        assert_eq!(found(but), None, "what systemd cannot say is ours alone");
        assert!(has_exceptions(&rules(but)));
        assert!(!has_exceptions(&rules(r#"[{"allow":true,"access":"rwm"}]"#)));
        assert!(!has_exceptions(&rules(
            r#"[{"allow":false,"access":"rwm"},{"allow":true,"access":"rw","type":"c","major":7}]"#
        )));
    }
}
