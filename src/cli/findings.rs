//! What a command found out about the machine, fact by fact, each with a verdict and what helps.

use super::facts::Fact;
use std::borrow::Cow;

/// In the order of their weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Ok,
    /// Something is slower than it could be, or only some containers lack it.
    Note,
    /// Ordinary containers of this caller, or an engine's defaults, fail.
    Problem,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        ["ok", "note", "problem"][self as usize]
    }

    /// What stands before the line.
    fn mark(self) -> char {
        [' ', '*', '!'][self as usize]
    }
}

pub struct Finding {
    label: &'static str,
    fact: Fact,
    pub verdict: Verdict,
    /// Empty unless the verdict says more than ok.
    remedy: Cow<'static, str>,
}

/// A headline and its findings, in order.
pub struct Section {
    title: &'static str,
    pub findings: Vec<Finding>,
}

impl Section {
    pub fn new(title: &'static str) -> Section {
        Section { title, findings: Vec::new() }
    }

    /// A fact that is as good as any other.
    pub fn say(&mut self, label: &'static str, fact: Fact) {
        self.judge(label, fact, Verdict::Ok, "");
    }

    /// The remedy counts where the verdict is more than ok.
    pub fn judge(
        &mut self,
        label: &'static str,
        fact: Fact,
        verdict: Verdict,
        remedy: impl Into<Cow<'static, str>>,
    ) {
        let remedy = if verdict == Verdict::Ok { Cow::Borrowed("") } else { remedy.into() };
        self.findings.push(Finding { label, fact, verdict, remedy });
    }

    /// Yes, or no with this verdict.
    pub fn expect(&mut self, label: &'static str, yes: bool, otherwise: Verdict, remedy: &'static str) {
        self.judge(label, Fact::Yes(yes), if yes { Verdict::Ok } else { otherwise }, remedy);
    }
}

/// How many findings have this verdict.
pub fn count(sections: &[Section], verdict: Verdict) -> usize {
    sections.iter().flat_map(|section| &section.findings).filter(|finding| finding.verdict == verdict).count()
}

pub fn table(sections: &[Section]) -> String {
    let findings = sections.iter().flat_map(|section| &section.findings);
    let width = findings.map(|finding| finding.label.len()).max().unwrap_or(0);
    let mut out = String::new();
    for Section { title, findings } in sections {
        for text in [title, "\n"] {
            out.push_str(text);
        }
        for Finding { label, fact, verdict, remedy } in findings {
            let shown = match fact {
                Fact::Text(text) => text.clone(),
                Fact::Number(number) => number.to_string(),
                Fact::Yes(yes) => if *yes { "yes" } else { "no" }.to_owned(),
                Fact::List(names) if names.is_empty() => "none".to_owned(),
                Fact::List(names) => names.join(" "),
                Fact::Missing => "missing".to_owned(),
                Fact::Object(_) | Fact::Array(_) => continue,
                Fact::Real(number) => number.to_string(),
            };
            let mark = verdict.mark();
            out.push_str(&format!("{mark} {label:width$}  {shown}\n"));
            if !remedy.is_empty() {
                out.push_str(&format!("  {:width$}  → {remedy}\n", ""));
            }
        }
    }
    out
}

/// The sections as one object, in order: each fact by its name; then what is to be said about some of them.
pub fn object(sections: Vec<Section>) -> Fact {
    let mut members = Vec::new();
    let mut advice = Vec::new();
    for Section { title, findings } in sections {
        let mut facts = Vec::new();
        for Finding { label, fact, verdict, remedy } in findings {
            if verdict != Verdict::Ok {
                advice.push(Fact::object([
                    ("section", Fact::text(key(title))),
                    ("name", Fact::text(key(label))),
                    ("verdict", Fact::text(verdict.word())),
                    ("remedy", Fact::text(remedy)),
                ]));
            }
            facts.push((key(label), fact));
        }
        members.push((key(title), Fact::Object(facts)));
    }
    members.push(("findings".into(), Fact::Array(advice)));
    Fact::Object(members)
}

/// "state directory" → "stateDirectory"; what stands in parentheses is for people.
fn key(label: &str) -> Cow<'static, str> {
    let label = label.split(" (").next().unwrap_or(label);
    let mut key = String::new();
    for (index, word) in label.split([' ', '.', '-']).enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if index > 0 => key.extend(first.to_uppercase()),
            first => key.extend(first),
        }
        key.push_str(letters.as_str());
    }
    key.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_camel_case() {
        for (label, wanted) in
            [("id maps", "idMaps"), ("cgroup.kill (5.14)", "cgroupKill"), ("layout", "layout")]
        {
            assert_eq!(key(label), wanted);
        }
    }

    #[test]
    fn what_is_not_ok_is_marked_and_has_its_remedy_below() {
        let mut section = Section::new("a");
        section.judge("b", Fact::Missing, Verdict::Problem, "do c");
        section.judge("long", Fact::Yes(true), Verdict::Ok, "not said");
        section.judge("d", Fact::Number(1), Verdict::Note, "do e");
        let sections = [section];
        assert_eq!(
            table(&sections),
            "a\n! b     missing\n        → do c\n  long  yes\n* d     1\n        → do e\n"
        );
        assert_eq!((count(&sections, Verdict::Problem), count(&sections, Verdict::Note)), (1, 1));
        let json = serde_json::to_value(object(sections.into())).unwrap();
        assert_eq!(json["a"], serde_json::json!({"b": null, "long": true, "d": 1}));
        assert_eq!(json["findings"][1]["verdict"], "note");
        assert_eq!(json["findings"].as_array().unwrap().len(), 2);
    }
}
