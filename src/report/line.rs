//! One record as one line, in the two forms that engines parse.

use super::escape::{Notation, escape, escaped};
use crate::error::Error;
use crate::sys;
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

/// `docs/errors.md` says what each key has.
#[derive(Default, serde::Serialize)]
struct Record<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    level: &'a str,
    msg: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    code: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    field: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    errno: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    hint: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Record<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    time: &'a str,
}

impl<'a> Record<'a> {
    fn of(error: Option<&'a Error>, msg: &'a str) -> Record<'a> {
        let Some(detail) = error.map(Error::detail) else { return Record { msg, ..Record::default() } };
        Record {
            msg,
            code: detail.code(),
            field: detail.field.as_deref().unwrap_or_default(),
            value: detail.value.as_deref(),
            errno: detail.errno.map(sys::errno_name).unwrap_or_default(),
            hint: detail.remedy().unwrap_or_default(),
            ..Record::default()
        }
    }
}

/// The line with its newline. `error`: what the message is made of, for a format that has a place for its parts.
pub fn render(
    format: Format,
    level: Level,
    message: &str,
    error: Option<&Error>,
    moment: SystemTime,
) -> String {
    let (time, (level, _)) = (rfc3339(moment), level.known_as());
    match format {
        Format::Text => {
            format!("time={} level={level} msg={}\n", quoted(&time), value(message))
        }
        Format::Plain => escape(message.replace('\n', " "), Notation::Plain) + "\n",
        Format::Json => {
            let others = error.map_or(&[][..], |error| &error.detail().others);
            let all = error.into_iter().chain(others).filter(|_| !others.is_empty());
            let problems: Vec<(&Error, String)> =
                all.map(|error| (error, error.detail().problem())).collect();
            let problems = problems.iter().map(|(error, msg)| Record::of(Some(error), msg)).collect();
            let record = Record { level, time: &time, problems, ..Record::of(error, message) };
            super::json::compact(&record) + "\n"
        }
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
    use crate::error::Kind;
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

    #[test]
    fn json_has_the_parts_of_an_error_on_one_line() {
        let json =
            |error: Option<&Error>| render(Format::Json, Level::Warning, "a \"b\"\nc", error, moment());
        let wanted = |parts: &str| {
            format!(
                "{{\"level\":\"warning\",\"msg\":\"a \\\"b\\\"\\nc\",{parts}\"time\":\"2026-11-21T07:58:59Z\"}}\n"
            )
        };
        assert_eq!(json(None), wanted(""));
        let first = Error::os("open", libc::ENOENT).field("/root/path").value("").remedy("make it");
        let parts =
            r#""code":"rootfs-failed","field":"/root/path","value":"","errno":"ENOENT","hint":"make it""#;
        assert_eq!(json(Some(&first)), wanted(&format!("{parts},")));
        let both = Error::all(vec![first, Error::new("is odd").field("/x").kind(Kind::Config)]).unwrap();
        let record: serde_json::Value = serde_json::from_str(&json(Some(&both))).unwrap();
        assert_eq!(record["code"], "rootfs-failed");
        let one = serde_json::json!({"msg": "/x is odd", "code": "config-invalid", "field": "/x"});
        assert_eq!((record["problems"].as_array().unwrap().len(), &record["problems"][1]), (2, &one));
    }
}
