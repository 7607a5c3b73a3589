//! Collects what is wrong, with JSON pointers that cost nothing until something is.
//!
//! A pointer is a chain of frames on the stack; it becomes text only for a finding. So the good path does not
//! format.

use super::locate::escaped;
use crate::error::{Error, Kind, Result};
use std::borrow::Cow;
use std::fmt;

/// A place in the JSON document.
#[derive(Clone, Copy)]
pub struct At<'p> {
    parent: Option<&'p At<'p>>,
    segment: Segment<'p>,
}

#[derive(Clone, Copy)]
enum Segment<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

/// The document itself.
pub const ROOT: At<'static> = At { parent: None, segment: Segment::Root };

impl At<'_> {
    pub fn key<'c>(&'c self, name: &'c str) -> At<'c> {
        At { parent: Some(self), segment: Segment::Key(name) }
    }

    pub fn index(&self, index: usize) -> At<'_> {
        At { parent: Some(self), segment: Segment::Index(index) }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.segment {
            Segment::Root => Ok(()),
            Segment::Index(index) => write!(f, "/{index}"),
            Segment::Key(key) => write!(f, "/{}", escaped(key)),
        }
    }
}

/// What passed, and what its author should know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Each with its JSON pointer.
    pub warnings: Vec<Error>,
}

/// Longest value that a message repeats, in bytes.
const VALUE_SHOWN: usize = 120;

/// The most problems in one error, and the most warnings: a list of a million wrong entries is one mistake.
const MOST_TOLD: usize = 100;

/// Problems (which refuse the input) and warnings (which do not).
#[derive(Default)]
pub struct Findings {
    problems: Vec<Error>,
    warnings: Vec<Error>,
    /// Problems beyond [`MOST_TOLD`].
    untold: usize,
}

type Text = Cow<'static, str>;

impl Findings {
    /// The value at `at` is refused.
    pub fn refuse(
        &mut self,
        at: &At,
        value: impl fmt::Display,
        reason: impl Into<Text>,
        remedy: impl Into<Text>,
    ) {
        self.refuse_shown(at, &value, reason.into(), remedy.into());
    }

    /// One copy of it for all types of values.
    #[inline(never)]
    fn refuse_shown(&mut self, at: &At, value: &dyn fmt::Display, reason: Text, remedy: Text) {
        let error = Error::new(reason).kind(Kind::Config).field(at.to_string()).value(shown(value));
        self.problem(error.remedy(remedy));
    }

    /// What should stand at `at` does not, or the field as a whole cannot stand here.
    pub fn refuse_field(&mut self, at: &At, reason: impl Into<Text>, remedy: impl Into<Text>) {
        self.problem(Error::new(reason).kind(Kind::Config).field(at.to_string()).remedy(remedy));
    }

    fn problem(&mut self, problem: Error) {
        if self.problems.len() < MOST_TOLD {
            self.problems.push(problem);
        } else {
            self.untold += 1;
        }
    }

    /// The value is accepted and does not do what it says.
    pub fn warn(&mut self, at: &At, value: impl fmt::Display, what: impl fmt::Display) {
        self.warn_shown(at, Some(&value), &what);
    }

    /// The same of a name that probably stands for `meant`.
    pub fn warn_meant(&mut self, at: &At, value: &str, what: &str, meant: Option<&str>) {
        let told = self.warnings.len();
        self.warn(at, value, what);
        if let Some(name) = meant
            && let Some(warning) = self.warnings.pop_if(|_| told < MOST_TOLD)
        {
            self.warnings.push(warning.remedy(format!("did you mean {name:?}?")));
        }
    }

    /// A field as a whole does not do what it says.
    pub fn warn_field(&mut self, at: &At, what: impl fmt::Display) {
        self.warn_shown(at, None, &what);
    }

    #[inline(never)]
    fn warn_shown(&mut self, at: &At, value: Option<&dyn fmt::Display>, what: &dyn fmt::Display) {
        if self.warnings.len() < MOST_TOLD {
            let warning = Error::new(what.to_string()).field(at.to_string());
            self.warnings.push(match value {
                Some(value) => warning.value(shown(value)),
                None => warning,
            });
        }
    }

    /// Checks what is there.
    pub fn some<T>(&mut self, at: At, value: &Option<T>, mut check: impl FnMut(&mut Findings, &At, &T)) {
        if let Some(value) = value {
            check(self, &at, value);
        }
    }

    /// Checks each entry of a list.
    pub fn each<'l, T>(&mut self, at: At, list: &'l [T], mut check: impl FnMut(&mut Findings, &At, &'l T)) {
        for (i, entry) in list.iter().enumerate() {
            check(self, &at.index(i), entry);
        }
    }

    /// Kernel strings end at a NUL byte: what follows would be lost without a word.
    pub fn no_nul(&mut self, at: &At, text: &str) {
        if has_nul(text) {
            self.refuse(
                at,
                text.escape_default(),
                "contains a NUL byte",
                "remove it: the kernel ends a string at a NUL byte",
            );
        }
    }

    /// A text that has to be there and be an absolute path. `false` if it was refused.
    pub fn absolute_path(&mut self, at: &At, path: &str) -> bool {
        if path.is_empty() {
            self.refuse_field(at, "is missing or empty", "give an absolute path");
        } else if !path.starts_with('/') {
            self.refuse(at, path, "is not an absolute path", "begin it with /");
        } else {
            self.no_nul(at, path);
            return true;
        }
        false
    }

    /// A number that has to be within a range.
    pub fn range<N: PartialOrd + fmt::Display>(
        &mut self,
        at: &At,
        value: N,
        range: std::ops::RangeInclusive<N>,
    ) {
        if !range.contains(&value) {
            let reason = format!("is outside the range {} to {}", range.start(), range.end());
            self.refuse(at, value, reason, "use a number in that range");
        }
    }

    /// 2^32-1 is the kernel's "no id": given to setuid(2) it changes nothing, so it must never get there.
    pub fn id(&mut self, at: &At, id: u32) {
        if id == u32::MAX {
            self.refuse(at, id, "is what the kernel calls no id", "use an id below 4294967295");
        }
    }

    /// A number that has to be in a range; -1 stands for unlimited.
    pub fn limit(&mut self, at: &At, value: Option<i64>) {
        if let Some(value) = value
            && value < -1
        {
            self.refuse(at, value, "is negative", "use -1 for unlimited, or a number that is not negative");
        }
    }

    /// One of a table's names.
    pub fn known<T: Copy>(&mut self, at: &At, table: &crate::names::Table<T>, name: &str) -> Option<T> {
        let found = crate::names::find(table, name);
        if found.is_none() {
            let names = table.iter().map(|(name, _)| *name);
            self.unknown(at, name, names);
        }
        found
    }

    /// A name that no table has.
    pub fn unknown(&mut self, at: &At, name: &str, names: impl Iterator<Item = &'static str>) {
        let remedy = crate::names::instead_of(name, names);
        if name.is_empty() {
            self.refuse_field(at, "is missing or empty", remedy);
        } else {
            self.refuse(at, name, "is not known", remedy);
        }
    }

    pub fn finish(mut self) -> Result<Checked> {
        if self.untold > 0 {
            let more = Error::new(format!("{} more problems", self.untold)).kind(Kind::Config);
            self.problems.push(more.remedy("correct the problems that are listed"));
        }
        match Error::all(self.problems) {
            Some(error) => Err(error),
            None => Ok(Checked { warnings: self.warnings }),
        }
    }
}

pub fn has_nul(text: &str) -> bool {
    text.as_bytes().contains(&0)
}

/// A value as a message shows it: bounded.
fn shown(value: &dyn fmt::Display) -> String {
    let mut text = value.to_string();
    if text.len() > VALUE_SHOWN {
        let end = (0..=VALUE_SHOWN).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_escape_what_rfc_6901_reserves() {
        let linux = ROOT.key("linux");
        let sysctl = linux.key("sysctl");
        assert_eq!(sysctl.key("net/ipv4~x").to_string(), "/linux/sysctl/net~1ipv4~0x");
        assert_eq!(ROOT.key("mounts").index(3).to_string(), "/mounts/3");
        assert_eq!(ROOT.to_string(), "");
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let long = "é".repeat(200);
        assert!(shown(&long).len() < 130);
    }
}
