//! A member of a JSON file set, without another byte of the file changed.

use serde::de::IgnoredAny;
use std::ops::Range;

/// The members of an object, and where its closing brace is.
struct Object {
    members: Vec<(String, Range<usize>)>,
    end: usize,
}

/// Whether it is one JSON value.
pub fn is_valid(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The text of the value at this path of members; of a text that is not valid it may be none.
pub fn value<'t>(text: &'t str, path: &[&str]) -> Option<&'t str> {
    let mut range = 0..text.len();
    for name in path {
        let object = object(text, &range)?;
        range = object.members.into_iter().find(|member| member.0 == *name)?.1;
    }
    Some(text.get(range)?.trim())
}

/// `None`: a value on the way is no object, or has the member twice. The text has to be valid.
pub fn set(text: &str, path: &[&str], value: &str) -> Option<String> {
    let mut range = 0..text.len();
    for (depth, name) in path.iter().enumerate() {
        let Object { members, end } = object(text, &range)?;
        let mut of_name = members.iter().filter(|member| member.0 == *name);
        match (of_name.next(), of_name.next()) {
            (Some(_), Some(_)) => return None,
            (Some(member), None) => range = member.1.clone(),
            (None, _) => {
                let rest = &path[depth + 1..];
                let nested = rest
                    .iter()
                    .rev()
                    .fold(value.to_owned(), |inner, name| format!("{{ \"{name}\": {inner} }}"));
                let member = format!("\"{name}\": {nested}");
                return Some(inserted(text, &members, end, &member));
            }
        }
    }
    Some([&text[..range.start], value, &text[range.end..]].concat())
}

/// Behind the last member, laid out as that is.
fn inserted(text: &str, members: &[(String, Range<usize>)], end: usize, member: &str) -> String {
    let (at, before, after) = match members.last() {
        Some((_, last)) => {
            let head = &text[..last.start];
            // A member that begins a line gives its indentation; a value may have begun earlier than its last line.
            let line = head.rfind('\n').map_or(head, |at| &head[at + 1..]);
            let indent: &str = &line[..line.len() - line.trim_start().len()];
            let own_line = line.trim_start().starts_with('"') && head.contains('\n');
            (last.end, if own_line { format!(",\n{indent}") } else { ", ".to_owned() }, "")
        }
        None => (end, "\n  ".to_owned(), "\n"),
    };
    // What stood between the braces of an empty object were blanks.
    let head = if members.is_empty() { text[..at].trim_end() } else { &text[..at] };
    [head, &before, member, after, &text[at..]].concat()
}

fn object(text: &str, range: &Range<usize>) -> Option<Object> {
    let bytes = text.as_bytes();
    let skip = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        at
    };
    let mut at = skip(range.start);
    (bytes.get(at) == Some(&b'{')).then_some(())?;
    let mut members = Vec::new();
    at = skip(at + 1);
    while *bytes.get(at)? != b'}' {
        let key = value_end(bytes, at)?;
        let name = serde_json::from_str(text.get(at..key)?).ok()?;
        let begin = skip(skip(key) + 1);
        let end = value_end(bytes, begin)?;
        members.push((name, begin..end));
        at = skip(end);
        if *bytes.get(at)? == b',' {
            at = skip(at + 1);
        }
    }
    Some(Object { members, end: at })
}

/// Where a value ends that begins here.
fn value_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match *bytes.get(at)? {
            b'"' => {
                at += 1;
                while *bytes.get(at)? != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'{' | b'[' => (depth, at) = (depth + 1, at + 1),
            b'}' | b']' => (depth, at) = (depth.checked_sub(1)?, at + 1),
            _ if depth > 0 => at += 1,
            _ => {
                let of_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                at += bytes[at..].iter().take_while(|byte| of_word(byte)).count();
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_set_and_the_rest_stays_as_it_is() {
        for (text, wanted) in [
            ("{}", "{\n  \"a\": { \"b\": 1 }\n}"),
            ("{ }\n", "{\n  \"a\": { \"b\": 1 }\n}\n"),
            (
                "{\n\t\"x\": [1, {\"y\": \"}\\\"\"}]\n}\n",
                "{\n\t\"x\": [1, {\"y\": \"}\\\"\"}],\n\t\"a\": { \"b\": 1 }\n}\n",
            ),
            ("{\"x\":-1.5e3}", "{\"x\":-1.5e3, \"a\": { \"b\": 1 }}"),
            (
                "{\n  \"a\": {\n    \"c\": true\n  },\n  \"z\": null\n}",
                "{\n  \"a\": {\n    \"c\": true,\n    \"b\": 1\n  },\n  \"z\": null\n}",
            ),
            ("{\"a\": {\"b\": {\"old\": []}}}", "{\"a\": {\"b\": 1}}"),
            ("{\"a\": {}}", "{\"a\": {\n  \"b\": 1\n}}"),
        ] {
            let set = set(text, &["a", "b"], "1").unwrap();
            assert_eq!(set, wanted);
            assert!(is_valid(&set), "{set}");
            assert_eq!(value(&set, &["a", "b"]), Some("1"));
        }
        // It is read before it is known to be valid.
        for text in ["{\"a\"é", "{\"a\":é}", "{\"a\"", "{\"a\\", "{é", "{\"a\":{\"b\"é"] {
            assert_eq!(value(text, &["a", "b"]), None, "{text}");
        }
        for text in ["[]", "{\"a\": 1}", "{\"a\": {}, \"a\": {}}"] {
            assert_eq!(set(text, &["a", "b"], "1"), None, "{text}");
        }
    }
}
