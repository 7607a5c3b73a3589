//! Our regular expressions beside the C library's: both refuse the same, and find the rest in the same texts.
#![allow(unsafe_code)]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rruntime::regex::Regex;
use std::ffi::CString;
use std::mem::MaybeUninit;

/// regcomp(3) and regexec(3), in the C locale that a program begins with.
struct Oracle(Box<libc::regex_t>);

impl Oracle {
    fn new(expression: &str) -> Option<Oracle> {
        let expression = CString::new(expression).expect("no NUL");
        let mut compiled: Box<MaybeUninit<libc::regex_t>> = Box::new(MaybeUninit::zeroed());
        let flags = libc::REG_EXTENDED | libc::REG_NOSUB;
        // SAFETY: room for one regex_t and a string; initialized where the answer is 0.
        unsafe {
            (libc::regcomp(compiled.as_mut_ptr(), expression.as_ptr(), flags) == 0)
                .then(|| Oracle(compiled.assume_init()))
        }
    }

    fn is_in(&self, text: &str) -> bool {
        let text = CString::new(text).expect("no NUL");
        // SAFETY: compiled, a string, and no matches are asked for.
        unsafe { libc::regexec(&*self.0, text.as_ptr(), 0, std::ptr::null_mut(), 0) == 0 }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // SAFETY: compiled, and freed once.
        unsafe { libc::regfree(&mut *self.0) };
    }
}

/// What stands for one character, or for none.
const ATOMS: &[&str] = &[
    "a",
    "b",
    "a",
    "b",
    "0",
    "_",
    "-",
    ".",
    "\\.",
    "\\*",
    "}",
    ")",
    ",",
    "]",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "()",
    "[ab]",
    "[^a]",
    "[^]a]",
    "[]-a]",
    "[a-]",
    "[+--]",
    "[0-9a]",
    "[[:alpha:]_]",
    "[^[:space:]]",
    "[[:punct:]]",
    "[[=a=]b]",
    "[[.-.]]",
    "[[.a.]-b]",
    "é",
];

const PLACES: &[&str] = &["\\b", "\\B", "\\<", "\\>", "\\`", "\\'", "^", "$"];

/// Pieces that make sense together or do not.
const PIECES: &[&str] = &[
    "a",
    "b",
    "0",
    "_",
    "-",
    "-",
    "^",
    "$",
    "(",
    ")",
    "|",
    "*",
    "+",
    "?",
    "{",
    "}",
    "{1}",
    "{,2}",
    "{2,}",
    "{0}",
    "{3,2}",
    "1",
    "2",
    "[",
    "[",
    "]",
    "]",
    "[:",
    ":]",
    "alpha",
    "digit",
    "xdigit",
    "blank",
    "cntrl",
    "graph",
    "print",
    "upper",
    "lower",
    "alnum",
    "[=",
    "=]",
    "[.",
    ".]",
    "\\",
    "\\w",
    "\\b",
    "\\<",
    "\\(",
    "é",
    " ",
    ".",
    "{100}",
    "{32768}",
    "{99999999999}",
];

const REPETITIONS: &[&str] = &["*", "+", "?", "{2}", "{0}", "{,2}", "{1,}", "{2,3}", "{,}", "*?", "{0,1}+"];

fn expressions() -> impl Strategy<Value = String> {
    let atom = select(ATOMS).prop_map(str::to_owned);
    let repeated = atom.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            4 => vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            1 => vec(inner.clone(), 1..4).prop_map(|parts| parts.join("|")),
            2 => (inner.clone(), select(REPETITIONS)).prop_map(|(of, times)| of + times),
            3 => (inner, select(REPETITIONS)).prop_map(|(of, times)| format!("({of}){times}")),
        ]
    });
    let part = prop_oneof![repeated, select(PLACES).prop_map(str::to_owned)];
    let sensible = part.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            4 => vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            1 => vec(inner.clone(), 1..4).prop_map(|parts| parts.join("|")),
            2 => inner.prop_map(|of| format!("({of})")),
        ]
    });
    prop_oneof![2 => sensible, 1 => vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat())]
}

/// glibc finds `(\b\w){2}` in `aa`: a place in a repeated group is lost.
fn repeats_a_place(expression: &str) -> bool {
    let places = ["^", "$", "\\b", "\\<"];
    [")*", ")+", ")?", "){"].iter().any(|end| expression.contains(end))
        && places.iter().any(|place| expression.contains(place))
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    let letter = select(&["a", "b", "a", "b", "0", "_", "-", ".", "]", "*", " ", "é", "Z", ")"][..]);
    vec(vec(letter, 0..8).prop_map(|letters| letters.concat()), 12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn expressions_mean_what_they_mean_to_the_c_library(expression in expressions(), texts in texts()) {
        // A part that is repeated so often, and then once more, takes the C library seconds; and what it makes of three
        // hyphens depends on its version.
        prop_assume!(expression.matches("{100}").count() < 2 && !expression.contains("---"));
        let ours = Regex::new(&expression);
        match (ours, Oracle::new(&expression)) {
            (Ok(_), Some(_)) if repeats_a_place(&expression) => {}
            (Ok(ours), Some(oracle)) => for text in texts {
                prop_assert_eq!(ours.is_in(&text), oracle.is_in(&text), "{} in {:?}", expression, text);
            },
            (Err(_), None) => {}
            (Err(error), Some(_)) => prop_assert!(error.to_string().contains("too large"), "{error}"),
            (Ok(_), None) => prop_assert!(false, "the C library does not take {}", expression),
        }
    }
}
