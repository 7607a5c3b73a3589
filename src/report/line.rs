//! One record as one line, in the two forms that engines parse.

use super::escape::{Notation, escape, escaped};
use crate::time::rfc3339;
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
    /// Its name, and its severity as syslog(3) counts it.
    pub const fn known_as(self) -> (&'static str, u8) {
        match self {
            Level::Error => ("error", 3),
            Level::Warning => ("warning", 4),
            Level::Debug => ("debug", 7),
        }
    }
}

#[derive(serde::Serialize)]
struct Record<'a> {
    level: &'a str,
    msg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    time: &'a str,
}

/// The line with its newline.
pub fn render(
    format: Format,
    level: Level,
    message: &str,
    field: Option<&str>,
    moment: SystemTime,
) -> String {
    let (time, (level, _)) = (rfc3339(moment), level.known_as());
    match format {
        Format::Text => {
            format!("time={} level={level} msg={}\n", quoted(&time), value(message))
        }
        Format::Plain => escape(message.replace('\n', " "), Notation::Plain) + "\n",
        Format::Json => super::json::compact(&Record { level, msg: message, field, time: &time }) + "\n",
    }
}

/// Words of plain characters stand bare, everything else in quotes.
fn value(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/@^+".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// With the escapes of Go's `%q`, which readers of such logs undo.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{}\"", escaped(&text, Notation::Go, &[]))
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
            let line = render(Format::Text, Level::Error, message, None, moment());
            assert_eq!(line, format!("time=\"2026-11-21T07:58:59Z\" level=error msg={wanted}\n"));
        }
    }

    /// They come from images, hooks and annotations.
    #[test]
    fn no_format_has_a_character_that_is_not_seen() {
        use crate::report::escape::{is_hidden, tests::HIDDEN};
        let message = format!("exec {HIDDEN}");
        for format in [Format::Text, Format::Json, Format::Plain] {
            let line = render(format, Level::Error, &message, None, moment());
            let line = line.strip_suffix('\n').unwrap();
            assert!(!line.contains(is_hidden) && line.contains("202e"), "{line}");
            if format == Format::Json {
                let record: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(record["msg"], message);
            }
        }
    }

    /// And the field, where there is one.
    #[test]
    fn json_has_the_three_keys_on_one_line() {
        for (field, key) in [(None, ""), (Some("/root"), "\"field\":\"/root\",")] {
            let line = render(Format::Json, Level::Warning, "a \"b\"\nc", field, moment());
            assert_eq!(
                line,
                format!(
                    "{{\"level\":\"warning\",\"msg\":\"a \\\"b\\\"\\nc\",{key}\"time\":\"2026-11-21T07:58:59Z\"}}\n"
                )
            );
        }
    }
}
