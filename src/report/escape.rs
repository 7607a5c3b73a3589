//! Characters that are invisible, or that a terminal takes for a command. Text of an image, a hook or an annotation
//! may contain them, and the reader of a log must see that it does.
//!
//! These are the general categories Cc (control), Cf (format: marks that turn the direction of text, joiners, tags), Zl and
//! Zp (separators of lines and paragraphs). Every format writes them with escapes of its own; what is not hidden stays.

use std::borrow::Cow;
use std::fmt::Write;

/// General category Cf of Unicode 16.
const FORMAT: [(u32, u32); 21] = [
    (0x00ad, 0x00ad),
    (0x0600, 0x0605),
    (0x061c, 0x061c),
    (0x06dd, 0x06dd),
    (0x070f, 0x070f),
    (0x0890, 0x0891),
    (0x08e2, 0x08e2),
    (0x180e, 0x180e),
    (0x200b, 0x200f),
    (0x202a, 0x202e),
    (0x2060, 0x2064),
    (0x2066, 0x206f),
    (0xfeff, 0xfeff),
    (0xfff9, 0xfffb),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0001, 0xe0001),
    (0xe0020, 0xe007f),
];

/// How a hidden character is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// As in Rust and in `{:?}`: `\u{202e}`.
    Plain,
    /// As in Go's `%q`: `\x1b`, `\u202e`, `\U000e0001`.
    Go,
    /// As in JSON: `\u202e`, and two of them for what is above U+FFFF.
    Json,
}

pub fn is_hidden(c: char) -> bool {
    let number = u32::from(c);
    let format = || FORMAT.iter().any(|&(first, last)| (first..=last).contains(&number));
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || (number >= FORMAT[0].0 && format())
}

/// `text` with every hidden character but those in `stay` escaped.
pub fn escaped<'t>(text: &'t str, notation: Notation, stay: &[char]) -> Cow<'t, str> {
    let hidden = |c: char| is_hidden(c) && !stay.contains(&c);
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) || !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hidden(c) { push(&mut out, notation, c) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// The same of a text that is no longer needed.
pub fn escape(text: String, notation: Notation) -> String {
    match escaped(&text, notation, &[]) {
        Cow::Borrowed(_) => text,
        Cow::Owned(escaped) => escaped,
    }
}

fn push(out: &mut String, notation: Notation, c: char) {
    let number = u32::from(c);
    // Ignored: writing to a String cannot fail.
    let _ = match (notation, c) {
        (Notation::Plain | Notation::Go, '\n') => write!(out, "\\n"),
        (Notation::Plain | Notation::Go, '\r') => write!(out, "\\r"),
        (Notation::Plain | Notation::Go, '\t') => write!(out, "\\t"),
        (Notation::Plain, _) => write!(out, "\\u{{{number:x}}}"),
        (Notation::Go, _) if number < 0x80 => write!(out, "\\x{number:02x}"),
        (Notation::Go, _) if number > 0xffff => write!(out, "\\U{number:08x}"),
        (Notation::Go, _) => write!(out, "\\u{number:04x}"),
        (Notation::Json, _) => {
            c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
        }
    };
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// One of each kind and width.
    pub const HIDDEN: &str =
        "\u{1b}\u{7f}\u{9b}\u{ad}\u{200b}\u{202e}\u{2028}\u{2029}\u{2066}\u{feff}\u{e0001}";

    #[test]
    fn each_notation_has_its_escapes() {
        let notations = [
            (
                Notation::Plain,
                r"a\u{1b}\u{7f}\u{9b}\u{ad}\u{200b}\u{202e}\u{2028}\u{2029}\u{2066}\u{feff}\u{e0001}é",
            ),
            (Notation::Go, r"a\x1b\x7f\u009b\u00ad\u200b\u202e\u2028\u2029\u2066\ufeff\U000e0001é"),
            (Notation::Json, r"a\u001b\u007f\u009b\u00ad\u200b\u202e\u2028\u2029\u2066\ufeff\udb40\udc01é"),
        ];
        for (notation, wanted) in notations {
            assert_eq!(escaped(&format!("a{HIDDEN}é"), notation, &[]), wanted);
        }
    }

    #[test]
    fn what_can_be_seen_stays_and_costs_nothing() {
        for text in ["", "plain ~", "é ü 漢字 👍", "\u{2027}\u{202f}\u{a0}"] {
            assert!(matches!(escaped(text, Notation::Go, &[]), Cow::Borrowed(same) if same == text));
        }
        assert_eq!(escaped("a\nb\u{1}", Notation::Plain, &['\n']), "a\nb\\u{1}");
    }

    /// The standard library's own idea of what can be printed knows no less.
    #[test]
    fn what_is_hidden_is_escaped_by_the_standard_library_too() {
        for c in ('\0'..=char::MAX).filter(|&c| is_hidden(c)) {
            assert_ne!(c.escape_debug().to_string(), c.to_string(), "U+{:04x}", u32::from(c));
        }
    }
}
