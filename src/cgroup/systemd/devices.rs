//! Device rules in systemd's words (DeviceAllow of systemd.resource-control(5)). It knows what is allowed and nothing that
//! is taken away again, so a list that ends in exceptions from what it allows is wider in its words; the rules that are in
//! force are the narrower ones, ours on cgroup v2.

use crate::cgroup::devices::{Class, Range, Rule, Rules, letters};

/// Devices with the letters of what is allowed; `None` where everything is allowed, exceptions aside. `known` is the text of
/// /proc/devices.
pub fn allowed(rules: &Rules, known: &str) -> Option<Vec<(String, String)>> {
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
    Some(named.filter_map(|rule| Some((name(&rule.range, known)?, letters(rule.access)))).collect())
}

/// The node of one device, or the name of its driver for all of it. A number that no driver has stands for no device.
fn name(range: &Range, known: &str) -> Option<String> {
    let (kind, section) = match range.class {
        Class::Block => ("block", "Block devices:"),
        _ => ("char", "Character devices:"),
    };
    let Some(major) = range.major else { return Some(format!("{kind}-*")) };
    if let Some(minor) = range.minor {
        return Some(format!("/dev/{kind}/{major}:{minor}"));
    }
    let lines = known.lines().skip_while(|line| *line != section).skip(1).take_while(|line| !line.is_empty());
    let mut drivers = lines.filter_map(|line| line.trim().split_once(' '));
    let (_, driver) = drivers.find(|(number, _)| number.parse() == Ok(major))?;
    Some(format!("{kind}-{}", driver.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::devices::tests::rules;

    const KNOWN: &str = "Character devices:\n  1 mem\n136 pts\n195 nvidia\n\nBlock devices:\n  8 sd\n";

    fn found(json: &str) -> Option<Vec<String>> {
        let all = allowed(&rules(json), KNOWN)?;
        Some(all.into_iter().map(|(device, access)| format!("{device} {access}")).collect())
    }

    #[test]
    fn what_is_allowed_has_names_and_what_is_denied_again_has_none() {
        let json = r#"[{"allow":false,"access":"rwm"},
            {"allow":true,"access":"rw","type":"c","major":195},
            {"allow":true,"access":"rw","type":"c","major":99},
            {"allow":true,"access":"rw","type":"b","major":8,"minor":0},
            {"allow":true,"access":"r","type":"b","major":8,"minor":1},
            {"allow":false,"access":"r","type":"b","major":8,"minor":1}]"#;
        let found = found(json).unwrap();
        for expected in
            ["char-nvidia rw", "/dev/block/8:0 rw", "char-* m", "/dev/char/1:3 rwm", "char-pts rwm"]
        {
            assert!(found.iter().any(|rule| rule == expected), "{expected}: {found:?}");
        }
        assert!(!found.iter().any(|rule| rule.contains("8:1") || rule.contains("99")), "{found:?}");
    }

    #[test]
    fn everything_is_no_list() {
        assert_eq!(found(r#"[{"allow":true,"access":"rwm"}]"#), None);
        let but = r#"[{"allow":true,"access":"rwm"},{"allow":false,"access":"rwm","type":"b","major":8}]"#;
        assert_eq!(found(but), None, "what systemd cannot say is ours alone");
    }
}
