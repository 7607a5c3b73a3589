//! As much of TOML as it takes to change a file without touching the rest of it: which tables it has, which
//! keys, and where their values stand. What is not understood is refused by its line; the engine itself judges the values.

use std::ops::Range;

pub type Path = Vec<String>;

#[derive(Debug, Default)]
pub struct Document {
    pub entries: Vec<Entry>,
    pub tables: Vec<Table>,
}

#[derive(Debug)]
pub struct Entry {
    /// With the names of its table.
    pub path: Path,
    /// How many of them are its table's.
    pub depth: usize,
    pub value: Range<usize>,
}

#[derive(Debug)]
pub struct Table {
    pub path: Path,
    /// Where the line behind its headline begins.
    pub body: usize,
}

impl Document {
    pub fn value<'t>(&self, text: &'t str, path: &[&str]) -> Option<&'t str> {
        let entry = self.entries.iter().find(|entry| entry.path == path)?;
        Some(&text[entry.value.clone()])
    }
}

/// Without the quotes of a plain string.
pub fn unquoted(value: &str) -> Option<&str> {
    let inside = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\''))
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    /// How many lists the value is in.
    lists: usize,
}

/// Lists in lists: each takes a part of the stack.
const MOST_LISTS: usize = 64;

/// The number of the line that is not understood.
pub fn read(text: &str) -> Result<Document, usize> {
    let mut scanner = Scanner { text, at: 0, lists: 0 };
    scanner.document().ok_or_else(|| text[..scanner.at.min(text.len())].matches('\n').count() + 1)
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes past this text, if it stands here.
    fn take(&mut self, wanted: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(wanted).then(|| self.at += wanted.len())
    }

    fn skip(&mut self, skipped: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&skipped) {
            self.at += 1;
        }
    }

    fn blanks(&mut self) {
        self.skip(|byte| matches!(byte, b' ' | b'\t'));
    }

    /// Blanks, empty lines and comments.
    fn gap(&mut self) {
        loop {
            self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            if self.peek() != Some(b'#') {
                return;
            }
            self.skip(|byte| byte != b'\n');
        }
    }

    /// The rest of a line that has nothing more.
    fn end_of_line(&mut self) -> Option<()> {
        self.blanks();
        if self.peek() == Some(b'#') {
            self.skip(|byte| byte != b'\n');
        }
        self.skip(|byte| byte == b'\r');
        match self.peek() {
            None => Some(()),
            Some(_) => self.take("\n"),
        }
    }

    fn document(&mut self) -> Option<Document> {
        let mut found = Document::default();
        let mut table = Path::new();
        loop {
            self.gap();
            match self.peek() {
                None => return Some(found),
                Some(b'[') => {
                    let many = self.take("[[").is_some();
                    if !many {
                        self.take("[")?;
                    }
                    table = self.key()?;
                    self.take(if many { "]]" } else { "]" })?;
                    let twice = found.tables.iter().any(|known| known.path == table);
                    (many || !twice).then_some(())?;
                    self.end_of_line()?;
                    found.tables.push(Table { path: table.clone(), body: self.at });
                }
                Some(_) => {
                    let key = self.key()?;
                    self.take("=")?;
                    self.blanks();
                    let begin = self.at;
                    self.value()?;
                    let path = [table.as_slice(), &key].concat();
                    found.entries.push(Entry { path, depth: table.len(), value: begin..self.at });
                    self.end_of_line()?;
                }
            }
        }
    }

    /// A dotted key, and the blanks around it.
    fn key(&mut self) -> Option<Path> {
        let mut path = Path::new();
        loop {
            self.blanks();
            let begin = self.at;
            match self.peek()? {
                b'"' | b'\'' => {
                    self.string()?;
                    let name = unquoted(&self.text[begin..self.at])?;
                    // Two spellings of one name would look like two names.
                    (!name.contains('\\')).then_some(())?;
                    path.push(name.to_owned());
                }
                _ => {
                    self.skip(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
                    (self.at > begin).then_some(())?;
                    path.push(self.text[begin..self.at].to_owned());
                }
            }
            self.blanks();
            if self.take(".").is_none() {
                return Some(path);
            }
        }
    }

    fn value(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' | b'\'' => self.string(),
            b'[' => self.list(']'),
            b'{' => self.list('}'),
            _ => {
                let begin = self.at;
                self.skip(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'_' | b'.' | b':')
                });
                (self.at > begin).then_some(())
            }
        }
    }

    /// Of values, or in braces of keys with values.
    fn list(&mut self, end: char) -> Option<()> {
        self.at += 1;
        self.lists += 1;
        (self.lists <= MOST_LISTS).then_some(())?;
        loop {
            self.gap();
            if self.peek()? == end as u8 {
                (self.at, self.lists) = (self.at + 1, self.lists - 1);
                return Some(());
            }
            if end == '}' {
                self.key()?;
                self.take("=")?;
                self.blanks();
            }
            self.value()?;
            self.gap();
            if self.peek()? != end as u8 {
                self.take(",")?;
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        let quote = self.peek()?;
        let one = if quote == b'"' { "\"" } else { "'" };
        let three = one.repeat(3);
        let long = self.take(&three).is_some();
        if !long {
            self.at += 1;
        }
        let end = if long { &three } else { one };
        loop {
            if self.take(end).is_some() {
                // Up to two quotes may stand before the three.
                while long && self.peek() == Some(quote) {
                    self.at += 1;
                }
                return Some(());
            }
            match self.peek()? {
                b'\n' if !long => return None,
                b'\\' if quote == b'"' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_keys_are_found_with_their_values() {
        let text = "# a\nversion = 2 # two\n[a.\"b.c\"]\n  d = [\"x\", # y\n 'z]' ]\r\n e.f = { g = 1, h = \
            \"}\" }\n[[l]]\n[[l]]\n\
                    s = \"\"\"\n[no]\n\\\"\"\"\"\n";
        let found = read(text).unwrap();
        let value = |path: &[&str]| found.value(text, path);
        assert_eq!(value(&["version"]), Some("2"));
        assert_eq!(value(&["a", "b.c", "d"]), Some("[\"x\", # y\n 'z]' ]"));
        assert_eq!(value(&["a", "b.c", "e", "f"]), Some("{ g = 1, h = \"}\" }"));
        assert_eq!(value(&["l", "s"]).map(str::len), Some(14));
        assert_eq!(found.tables.len(), 3);
        assert_eq!(unquoted("'a'"), Some("a"));
    }

    #[test]
    fn what_is_not_understood_is_named_by_its_line() {
        for (text, line) in [
            ("a = 1\nb", 2),
            ("[a\n", 1),
            ("a = \"x\ny\"\n", 1),
            ("a = 1 2\n", 1),
            ("\n\n[a]\n[a]\n", 4),
            ("a = [1\n", 2),
            ("= 1\n", 1),
            ("a = \"", 1),
            (&["a = ", &"[".repeat(1_000_000)].concat(), 1),
            (&["a = 1\nb = ", &"{ c = ".repeat(1_000_000)].concat(), 2),
        ] {
            assert_eq!(read(text).map(drop), Err(line), "{:.40}", text);
        }
        let deep = |depth| ["a = ", &"[".repeat(depth), &"]".repeat(depth), "\n"].concat();
        assert!(read(&deep(MOST_LISTS)).is_ok());
        assert!(read(&(deep(MOST_LISTS) + &deep(2).replace('a', "b"))).is_ok());
    }
}
