//! From a position in a JSON text to the JSON pointer (RFC 6901) of the value there.
//!
//! serde_json says in which line and column a value was wrong; engines write a whole config in one line, so that
//! says little. Parsing the types a second time with the path tracked would say more and cost 200 KB of code;
//! walking the text up to the position costs this file. The text is known to be JSON up to there.

/// The pointer of the innermost value that begins in the first `end` bytes, or just behind them.
pub fn pointer_at(text: &[u8], end: usize) -> String {
    let mut walk = Walk { text, at: 0, end: end.min(text.len()), path: Vec::new() };
    walk.value();
    walk.path.iter().map(|part| format!("/{part}")).collect()
}

/// A key as a JSON pointer has it.
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// How many bytes were read up to a line (from 1) and `column` bytes of it.
pub fn read_until(text: &[u8], line: usize, column: usize) -> usize {
    let lines = text.split_inclusive(|&b| b == b'\n').take(line.saturating_sub(1));
    lines.map(<[u8]>::len).sum::<usize>() + column
}

/// Stops where `end` is reached, with the path of that place.
struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    end: usize,
    /// Indices, and keys as a pointer has them.
    path: Vec<String>,
}

impl Walk<'_> {
    /// True if the walk goes on behind this value; nesting is bounded by what serde_json accepts (128).
    fn value(&mut self) -> bool {
        match self.next() {
            Some(b'{') => self.members(),
            Some(b'[') => self.elements(),
            Some(b'"') => self.string().is_some(),
            Some(_) => {
                while self
                    .peek()
                    .is_some_and(|b| !matches!(b, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t'))
                {
                    self.at += 1;
                }
                self.at < self.end
            }
            None => false,
        }
    }

    fn members(&mut self) -> bool {
        loop {
            match self.next() {
                Some(b'}') => return true,
                Some(b',') => {}
                Some(b'"') => {
                    let Some(key) = self.string() else { return false };
                    if self.next() != Some(b':') {
                        return false;
                    }
                    self.path.push(escaped(&key));
                    if !self.value() || self.at >= self.end {
                        return false;
                    }
                    self.path.pop();
                }
                _ => return false,
            }
        }
    }

    fn elements(&mut self) -> bool {
        let mut index = 0;
        loop {
            match self.peek_token() {
                Some(b']') => {
                    self.at += 1;
                    return true;
                }
                Some(b',') => self.at += 1,
                Some(_) => {
                    self.path.push(index.to_string());
                    if !self.value() || self.at >= self.end {
                        return false;
                    }
                    self.path.pop();
                    index += 1;
                }
                // serde_json reports a wrong value at the position right before it.
                None => {
                    self.path.push(index.to_string());
                    return false;
                }
            }
        }
    }

    /// The rest of a string behind its first quote; `None` if the walk ends in it.
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'"' => {
                    let raw = &self.text[start - 1..self.at];
                    return Some(serde_json::from_slice(raw).unwrap_or_default());
                }
                _ => {}
            }
        }
        None
    }

    fn peek(&self) -> Option<u8> {
        (self.at < self.end).then(|| self.text[self.at])
    }

    fn peek_token(&mut self) -> Option<u8> {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
        self.peek()
    }

    fn next(&mut self) -> Option<u8> {
        let token = self.peek_token()?;
        self.at += 1;
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Spec, load};

    fn field_of(text: &str) -> Option<String> {
        let error = load::parse::<Spec>("config.json", text.as_bytes()).expect_err("the type is wrong");
        error.detail().field.clone()
    }

    #[test]
    fn a_wrong_type_is_found_wherever_it_is() {
        for (text, pointer) in [
            (r#"{"process": 5}"#, "/process"),
            (r#"{"process": {"user": {"uid": "0"}}}"#, "/process/user/uid"),
            (r#"{"process": {"user": {"uid": -1}}}"#, "/process/user/uid"),
            (r#"{"process": {"user": {"additionalGids": [1, 2, true]}}}"#, "/process/user/additionalGids/2"),
            (r#"{"process": {"args": ["a", ["b"]]}}"#, "/process/args/1"),
            (r#"{"process": {"args": ["a", {"b": 1}]}}"#, "/process/args/1"),
            (r#"{"process": {"args": "sh"}}"#, "/process/args"),
            (r#"{"process": {"args": {"sh": 1}, "cwd": "/"}}"#, "/process/args"),
            (r#"{"process": {"terminal": "yes", "args": []}}"#, "/process/terminal"),
            (r#"{"mounts": [{"destination": "/a"}, {"destination": [1]}]}"#, "/mounts/1/destination"),
            (r#"{"linux": {"sysctl": {"a/b~c": 1}}}"#, "/linux/sysctl/a~1b~0c"),
            (r#"{"linux": {"resources": {"memory": {"limit": 1.5}}}}"#, "/linux/resources/memory/limit"),
            (
                r#"{"linux": {"resources": {"memory": {"limit": 99999999999999999999}}}}"#,
                "/linux/resources/memory/limit",
            ),
            ("{\n \"hostname\":\n  [\n  1 ] }", "/hostname"),
            ("{\"process\":\n[1]}", "/process"),
            ("{\"process\":\n{\"user\":\n[]}}", "/process/user"),
            ("{\"process\": {\"args\":\n[\n5]}}", "/process/args/0"),
        ] {
            assert_eq!(field_of(text).as_deref(), Some(pointer), "{text}");
        }
    }

    #[test]
    fn no_position_in_any_text_makes_it_fail() {
        let text = br#"{"a": [1, {"b\"": "c\\"}, [], {}], "d" : null }"#;
        for length in 0..=text.len() {
            for offset in 0..=text.len() + 2 {
                pointer_at(&text[..length], offset);
            }
        }
    }
}
