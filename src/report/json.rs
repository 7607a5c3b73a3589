//! JSON for people. Every type is written by the one compact serializer and the text is laid out afterwards: a second
//! serializer would be a second copy of the code of every type.

use super::escape::{Notation, escape};
use serde::Serialize;

/// `value` on one line. Invisible characters occur only in strings, and are escaped there.
pub fn compact(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("our own types have string keys");
    escape(text, Notation::Json)
}

/// `value` with one member a line, `indent` for each level.
pub fn pretty(value: &impl Serialize, indent: &str) -> String {
    lay_out(&compact(value), indent)
}

/// `compact` has no space outside of strings.
fn lay_out(compact: &str, indent: &str) -> String {
    let mut out = String::with_capacity(compact.len() * 2);
    let mut depth = 0;
    let mut rest = compact;
    while let Some(at) = rest.find(['"', '{', '[', '}', ']', ',', ':']) {
        let (before, here) = rest.split_at(at);
        out.push_str(before);
        let length = match here.as_bytes() {
            [b'"', ..] => string_length(here),
            [b'{', b'}', ..] | [b'[', b']', ..] => 2,
            _ => 1,
        };
        let (token, after) = here.split_at(length);
        match token {
            "}" | "]" => {
                depth -= 1;
                new_line(&mut out, indent, depth);
                out.push_str(token);
            }
            ":" => out.push_str(": "),
            "{" | "[" | "," => {
                depth += usize::from(token != ",");
                out.push_str(token);
                new_line(&mut out, indent, depth);
            }
            _ => out.push_str(token),
        }
        rest = after;
    }
    out + rest
}

fn new_line(out: &mut String, indent: &str, depth: usize) {
    out.push('\n');
    (0..depth).for_each(|_| out.push_str(indent));
}

/// With both quotes.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_layout_is_that_of_serde_json() {
        for value in [
            json!({}),
            json!([]),
            json!(7),
            json!("a,{b}: \"[c]\\"),
            json!({"a": {}, "b": [], "c": [1, -2.5, null, true, [3]], "d,": {"e:": "\\\"", "é": "\n{"}}),
        ] {
            let wanted = serde_json::to_string_pretty(&value).unwrap();
            assert_eq!(pretty(&value, "  "), wanted);
            assert_eq!(serde_json::from_str::<Value>(&pretty(&value, "\t")).unwrap(), value);
        }
    }
}
