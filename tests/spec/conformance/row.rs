//! One row of the page: what it is about, what happens, which tests prove it.

/// `{a,b}` in `subject` stands for several subjects with the same answer; a part of it may be empty.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub subject: &'static str,
    /// Empty where the command line's own help says it.
    pub happens: &'static str,
    /// `file::name`, the file below `tests/`, or from the project's top where it begins with `src/`.
    pub proofs: &'static [&'static str],
}

pub const fn row(subject: &'static str, happens: &'static str, proofs: &'static [&'static str]) -> Row {
    Row { subject, happens, proofs }
}

/// Every subject that the braces stand for.
pub fn expand(subject: &str) -> Vec<String> {
    let Some(open) = subject.find('{') else { return vec![subject.to_owned()] };
    let close = open + subject[open..].find('}').expect("a brace is closed");
    let (before, after) = (&subject[..open], &subject[close + 1..]);
    let choices = subject[open + 1..close].split(',');
    choices.flat_map(|choice| expand(&format!("{before}{choice}{after}"))).collect()
}

#[test]
fn braces_stand_for_every_combination() {
    assert_eq!(expand("a"), ["a"]);
    assert_eq!(expand("{a,b}.c{,.d}"), ["a.c", "a.c.d", "b.c", "b.c.d"]);
}
