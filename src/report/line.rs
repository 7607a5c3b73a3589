//! One record as one line, in the two forms that engines parse.

use crate::time::rfc3339;
use std::fmt::Write;
use std::time::SystemTime;

/// `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    /// The message and nothing else: crun's text.
    Plain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Error,
    Warning,
    Debug,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Debug => "debug",
        }
    }

    /// The severity of syslog(3).
    pub const fn priority(self) -> u8 {
        match self {
            Level::Error => 3,
            Level::Warning => 4,
            Level::Debug => 7,
        }
    }
}

#[derive(serde::Serialize)]
struct Record<'a> {
    level: &'a str,
    msg: &'a str,
    time: &'a str,
}

/// The line with its newline.
pub fn render(format: Format, level: Level, message: &str, moment: SystemTime) -> String {
    let time = rfc3339(moment);
    match format {
        Format::Text => {
            format!("time={} level={} msg={}\n", quoted(&time), level.name(), value(message))
        }
        Format::Plain => message.replace('\n', " ") + "\n",
        Format::Json => {
            let record = Record { level: level.name(), msg: message, time: &time };
            serde_json::to_string(&record).expect("strings can always be encoded") + "\n"
        }
    }
}

/// Text without what a terminal would take for an order: it may quote a config, a record or a hook.
pub fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', "?")
}

/// Words of plain characters stand bare, everything else in quotes.
fn value(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/@^+".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// With the escapes of Go's `%q`, which readers of such logs undo.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        // Ignored: writing to a String cannot fail.
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            c if u32::from(c) < 0x20 || c == '\x7f' => write!(out, "\\x{:02x}", u32::from(c)),
            c if c.is_control() => write!(out, "\\u{:04x}", u32::from(c)),
            c => write!(out, "{c}"),
        };
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn moment() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_795_247_939_250)
    }

    #[test]
    fn text_is_quoted_where_it_must_be() {
        for (message, wanted) in [
            ("container does not exist", r#""container does not exist""#),
            ("done", "done"),
            ("", r#""""#),
            ("a \"b\"\n\\c\u{1}é", r#""a \"b\"\n\\c\x01é""#),
        ] {
            let line = render(Format::Text, Level::Error, message, moment());
            assert_eq!(line, format!("time=\"2026-11-21T07:58:59Z\" level=error msg={wanted}\n"));
        }
    }

    #[test]
    fn json_has_the_three_keys_on_one_line() {
        let line = render(Format::Json, Level::Warning, "a \"b\"\nc", moment());
        assert_eq!(
            line,
            "{\"level\":\"warning\",\"msg\":\"a \\\"b\\\"\\nc\",\"time\":\"2026-11-21T07:58:59Z\"}\n"
        );
    }
}
