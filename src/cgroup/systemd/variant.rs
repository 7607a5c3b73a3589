//! The values of `org.systemd.property.…` annotations: GVariant's text form, as far as properties of scopes need it. A
//! word of a type may stand before a number (`uint64 5`), `@as` before a list.

use super::value::Value;

/// Reads one value; `None` where the text is none.
pub fn read(text: &str) -> Option<Value> {
    let mut rest = text.trim();
    let value = value(&mut rest)?;
    rest.trim().is_empty().then_some(value)
}

fn value(rest: &mut &str) -> Option<Value> {
    if let Some(list) =
        rest.strip_prefix("@as").map(str::trim_start).or_else(|| rest.starts_with('[').then_some(*rest))
    {
        return strings(rest, list);
    }
    if rest.starts_with(['\'', '"']) {
        return string(rest).map(Value::Text);
    }
    let end = rest.find(|c: char| !(c.is_alphanumeric() || "+-._".contains(c))).unwrap_or(rest.len());
    let word = take(rest, end);
    let mut typed = |read: fn(&str) -> Option<Value>| {
        let rest_of = rest.trim_start();
        let end = rest_of.find(char::is_whitespace).unwrap_or(rest_of.len());
        let value = read(&rest_of[..end]);
        *rest = &rest_of[end..];
        value
    };
    match word {
        "true" => Some(Value::Switch(true)),
        "false" => Some(Value::Switch(false)),
        "uint64" => typed(|text| text.parse().ok().map(Value::U64)),
        "uint32" => typed(|text| text.parse().ok().map(Value::U32)),
        "int64" => typed(|text| text.parse().ok().map(Value::I64)),
        "int32" => typed(|text| text.parse().ok().map(Value::I32)),
        "double" => typed(|text| text.parse().ok().map(Value::Double)),
        _ => word.parse().map(Value::I32).or_else(|_| word.parse().map(Value::Double)).ok(),
    }
}

fn take<'a>(rest: &mut &'a str, end: usize) -> &'a str {
    let (word, after) = rest.split_at(end);
    *rest = after;
    word
}

fn strings<'a>(rest: &mut &'a str, list: &'a str) -> Option<Value> {
    let mut inner = list.strip_prefix('[')?.trim_start();
    let mut found = Vec::new();
    while !inner.starts_with(']') {
        found.push(string(&mut inner)?);
        inner = inner.trim_start();
        match inner.strip_prefix(',') {
            Some(more) => inner = more.trim_start(),
            None if inner.starts_with(']') => {}
            None => return None,
        }
    }
    *rest = &inner[1..];
    Some(Value::Texts(found))
}

fn string(rest: &mut &str) -> Option<String> {
    let quote = rest.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    let mut text = String::new();
    let mut letters = rest[1..].char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => text.push(match letters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                other => other,
            }),
            _ if letter == quote => {
                *rest = &rest[at + 2..];
                return Some(text);
            }
            _ => text.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_the_values_that_dbus_has() {
        let texts = |list: &[&str]| Value::Texts(list.iter().map(|text| (*text).to_owned()).collect());
        for (text, expected) in [
            ("true", Value::Switch(true)),
            (" false ", Value::Switch(false)),
            ("9", Value::I32(9)),
            ("-1", Value::I32(-1)),
            ("uint64 18446744073709551615", Value::U64(u64::MAX)),
            ("uint32 7", Value::U32(7)),
            ("int64 -7", Value::I64(-7)),
            ("1.5", Value::Double(1.5)),
            ("'inactive-or-failed'", Value::Text("inactive-or-failed".into())),
            ("\"a 'b' \\\"c\\\"\"", Value::Text("a 'b' \"c\"".into())),
            ("['a.service', \"b.service\"]", texts(&["a.service", "b.service"])),
            ("@as []", texts(&[])),
            ("['a',]", texts(&["a"])),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "x",
            "'a",
            "['a' 'b']",
            "[1]",
            "true false",
            "uint64 -1",
            "uint32 x",
            "'a' b",
            "['a'",
            "uint64",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
