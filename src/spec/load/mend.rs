//! What Go's decoder takes and the specification does not speak of, in a config.json: keys in another case, and keys that
//! stand twice.
//!
//! Engines do not write these; people do. runc obeys a `NoNewPrivileges` and a `maskedpaths`, so to overlook one would
//! make a container less confined than it was. Nothing of this is looked for in a text that can be read as it is: the parser
//! stops at such a key, and only then is the text written anew, with a warning for each.

use crate::error::Error;
use crate::spec::locate::{escaped, pointer_at, read_until};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// How the parser names a key whose case is another.
pub const OTHER_CASE: &str = "in another case: ";

/// More mistakes of this kind are one mistake: it is no config.json.
const MOST: usize = 200;

/// A text that says the same as `text` to Go, and can be read by `parses`; and what has been changed. `None` if that is not
/// what keeps it from being read.
pub fn mended(
    text: &[u8],
    parses: impl Fn(&[u8]) -> serde_json::Result<()>,
) -> Option<(Vec<u8>, Vec<Error>)> {
    let (mut text, mut warnings) = (text.to_owned(), Vec::new());
    for _ in 0..MOST {
        let Err(error) = parses(&text) else { return Some((text, warnings)) };
        let message = error.to_string();
        let end = read_until(&text, error.line(), error.column());
        if let Some((_, rest)) = message.split_once(OTHER_CASE) {
            let name = rest.split(' ').next().unwrap_or_default();
            let key = key_before(&text, end)?;
            let written = String::from_utf8_lossy(&text[key.clone()]).into_owned();
            let warning = Error::new(format!("is written \"{written}\": taken for it, as runc does"));
            let parent = pointer_at(&text, key.start.saturating_sub(1));
            warnings.push(warning.field(format!("{parent}/{name}")));
            text.splice(key, name.bytes());
        } else if message.starts_with("duplicate field ")
            || message.contains("floating point `-0.0`, expected i")
        {
            let Merged { value, twice } = serde_json::from_slice(&text).ok()?;
            let told = |pointer| Error::new("stands twice: the last one counts").field(pointer);
            warnings.extend(twice.into_iter().map(told));
            let written = value.to_string().into_bytes();
            if written == text {
                return None;
            }
            text = written;
        } else {
            return None;
        }
    }
    None
}

/// The bytes between the quotes of the key that ends before `end`.
pub fn key_before(text: &[u8], end: usize) -> Option<std::ops::Range<usize>> {
    let close = text[..end].iter().rposition(|&b| b == b'"')?;
    // A quote behind an odd number of backslashes is of the key itself.
    let escapes = |at: usize| text[..at].iter().rev().take_while(|b| **b == b'\\').count();
    let open = (0..close).rev().find(|&at| text[at] == b'"' && escapes(at) % 2 == 0)?;
    Some(open + 1..close)
}

/// Whether Go's decoder takes `written` for the field `name`: without regard to case, in which two letters beyond ASCII
/// have a small one within it.
pub fn folds(name: &str, written: &str) -> bool {
    let small = |c: char| match c {
        'ſ' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    name != written && name.chars().map(small).eq(written.chars().map(small))
}

/// A value in which of two keys the last one counts; of two objects what both have, as Go decodes one over the other.
struct Merged {
    value: Value,
    /// Pointers from here.
    twice: Vec<String>,
}

impl<'de> Deserialize<'de> for Merged {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Merged, D::Error> {
        d.deserialize_any(MergedVisitor)
    }
}

struct MergedVisitor;

impl Merged {
    fn plain(value: impl Into<Value>) -> Merged {
        Merged { value: value.into(), twice: Vec::new() }
    }
}

impl<'de> Visitor<'de> for MergedVisitor {
    type Value = Merged;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Merged, E> {
        Ok(Merged::plain(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Merged, E> {
        Ok(Merged::plain(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Merged, E> {
        Ok(Merged::plain(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Merged, E> {
        Ok(Merged::plain(value))
    }

    /// `-0` is a whole number, whatever this parser makes of it.
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Merged, E> {
        Ok(if value == 0.0 && value.is_sign_negative() { Merged::plain(0) } else { Merged::plain(value) })
    }

    fn visit_str<E>(self, value: &str) -> Result<Merged, E> {
        Ok(Merged::plain(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Merged, A::Error> {
        let (mut values, mut twice) = (Vec::new(), Vec::new());
        while let Some(Merged { value, twice: below }) = list.next_element()? {
            twice.extend(below.into_iter().map(|pointer| format!("/{}{pointer}", values.len())));
            values.push(value);
        }
        Ok(Merged { value: Value::Array(values), twice })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Merged, A::Error> {
        let (mut object, mut twice) = (Map::new(), Vec::new());
        while let Some((key, Merged { value, twice: below })) = entries.next_entry::<String, Merged>()? {
            let at = escaped(&key);
            twice.extend(below.into_iter().map(|pointer| format!("/{at}{pointer}")));
            if twice.len() > MOST {
                return Err(A::Error::custom("too many fields stand twice"));
            }
            if object.contains_key(&key) {
                twice.push(format!("/{at}"));
            }
            put(&mut object, key, value);
        }
        Ok(Merged { value: Value::Object(object), twice })
    }
}

fn put(object: &mut Map<String, Value>, key: String, value: Value) {
    match object.get_mut(&key) {
        Some(earlier) => merge(earlier, value),
        None => drop(object.insert(key, value)),
    }
}

fn merge(earlier: &mut Value, later: Value) {
    match (earlier, later) {
        (Value::Object(earlier), Value::Object(later)) => {
            later.into_iter().for_each(|(key, value)| put(earlier, key, value));
        }
        // Go leaves a string or a number as it is where null stands; of a list or an object nothing is left.
        (Value::String(_) | Value::Number(_) | Value::Bool(_), Value::Null) => {}
        (earlier, later) => *earlier = later,
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::Spec;
    use crate::spec::load::read;

    fn mended(text: &str) -> Option<(String, usize)> {
        let (text, warnings) = super::mended(text.as_bytes(), |text| read::<Spec>(text).map(drop))?;
        Some((String::from_utf8(text).unwrap(), warnings.len()))
    }

    #[test]
    fn keys_in_another_case_are_obeyed() {
        let text = r#"{"Process":{"NoNewPrivileges":true},"annotations":{"Root":"x"}}"#;
        let right = r#"{"process":{"noNewPrivileges":true},"annotations":{"Root":"x"}}"#;
        assert_eq!(mended(text), Some((right.to_owned(), 2)));
        assert_eq!(mended(r#"{"linux":{"mas\u212aedPaths":["/x"]}}"#).map(|(_, warnings)| warnings), Some(1));
    }

    #[test]
    fn of_two_keys_the_last_one_counts() {
        let text = r#"{"hostname":"a","root":{"path":"x","readonly":true},"root":{"readonly":false},"hostname":"b"}"#;
        let right = r#"{"hostname":"b","root":{"path":"x","readonly":false}}"#;
        assert_eq!(mended(text), Some((right.to_owned(), 2)));
        let text = r#"{"hostname":"a","HostName":"b"}"#;
        assert_eq!(mended(text), Some((r#"{"hostname":"b"}"#.to_owned(), 2)));
    }

    #[test]
    fn what_is_wrong_otherwise_stays_wrong() {
        assert_eq!(mended(r#"{"hostname":5}"#), None);
        assert_eq!(mended(r#"{"Hostname":5}"#), None);
        assert_eq!(mended("{"), None);
        assert_eq!(mended(r#"{"process":{"oomScoreAdj":-0.5}}"#), None);
        assert_eq!(mended(r#"{"process":{"oomScoreAdj":-0}}"#).map(|(_, warnings)| warnings), Some(0));
    }
}
