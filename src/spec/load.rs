//! From bytes to types. Only when that fails is the place in the text turned into a JSON pointer, so that the
//! message names the field instead of "line 1 column 730".

pub mod mend;
pub mod unknown;

use super::Spec;
use super::locate::{pointer_at, read_until};
use super::objects::Objects;
use crate::error::{Error, Kind, Result};
use mend::mended;
use serde::Deserialize;
use std::cell::OnceCell;

/// Parses `bytes` as `T`; `name` is what the reader calls the input ("config.json").
pub fn parse<'a, T: Deserialize<'a>>(name: &str, bytes: &'a [u8]) -> Result<T> {
    read(bytes).map_err(|error| explain(name, bytes, &error))
}

/// The same for what people write, and runc reads: `kept` is for the text where it has to be written anew, `warnings` for
/// what has been.
pub fn parse_mended<'a, T: Deserialize<'a>>(
    name: &str,
    bytes: &'a [u8],
    kept: &'a OnceCell<Vec<u8>>,
    parses: impl Fn(&[u8]) -> serde_json::Result<()>,
    warnings: &mut Vec<Error>,
) -> Result<T> {
    let error = match read(kept.get().map_or(bytes, |text| text)) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    match mended(bytes, parses) {
        Some((text, changed)) => {
            warnings.extend(changed.into_iter().map(|what| what.doing(name.to_owned())));
            parse(name, kept.get_or_init(|| text))
        }
        None => Err(explain(name, bytes, &error)),
    }
}

/// The same for a file of our own: a message about its fields would help no reader. Everything is read by this one kind of
/// deserializer: another would be a second copy of every parser.
pub fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    let mut text = serde_json::Deserializer::from_slice(bytes);
    T::deserialize(Objects(&mut text)).and_then(|value| text.end().map(|()| value))
}

/// Whether a text is a config.
pub fn config(text: &[u8]) -> serde_json::Result<()> {
    read::<Spec>(text).map(drop)
}

fn explain(name: &str, bytes: &[u8], error: &serde_json::Error) -> Error {
    if error.is_syntax() || error.is_eof() {
        let text = error.to_string();
        let cut = text.strip_prefix("EOF while parsing ").and_then(|rest| rest.split_once(" at line "));
        let reason = match cut {
            _ if bytes.trim_ascii().is_empty() => format!("{name} is empty"),
            _ if bytes.starts_with(b"\xef\xbb\xbf") => {
                let reason = format!("{name} begins with a byte order mark, which JSON does not have");
                return Error::new(reason).kind(Kind::Config).remedy("save it as UTF-8 without the mark");
            }
            Some((what, place)) => {
                format!("{name} is not valid JSON: it ends in the middle of {what} at line {place}")
            }
            None => format!("{name} is not valid JSON: {text}"),
        };
        return Error::new(reason).kind(Kind::Config).remedy("check the file, for example with `jq .`");
    }
    let pointer = pointer_at(bytes, read_until(bytes, error.line(), error.column()));
    let text = error.to_string();
    // The line and column say less than the pointer.
    let text = text.rsplit_once(" at line ").map_or(&*text, |(text, _)| text);
    let twice = text.strip_prefix("duplicate field ").map(|name| name.trim_matches('`'));
    let error = match twice {
        Some(name) => Error::new(format!("the field {name:?} appears twice")).remedy("remove one of the two"),
        None => {
            let reason = in_words(text);
            let remedy = remedy(&reason, pointer.starts_with("/linux"));
            Error::new(reason).remedy(remedy)
        }
    };
    let error = error.kind(Kind::Config).doing(name.to_owned());
    if pointer.is_empty() { error } else { error.field(pointer) }
}

/// What helps against a wrong type: a text in place of another value, or the page that has the types.
fn remedy(reason: &str, is_of_linux: bool) -> &'static str {
    let (wanted, found) = reason.split_once(", not \"").unwrap_or_default();
    let found = found.trim_end_matches('"');
    match wanted {
        "must be a list" => "write it as a list: [\"…\"]",
        "must be true or false" if matches!(found, "true" | "false") => "remove the quotation marks",
        _ if wanted.contains("a whole number") && found.parse::<i64>().is_ok() => {
            "remove the quotation marks"
        }
        _ if wanted.contains("a whole number") && reason.contains(", not \"") => {
            "write a number, without quotation marks and without a unit"
        }
        _ if reason.starts_with("must be a string, not ")
            && reason.ends_with(|c: char| c.is_ascii_digit()) =>
        {
            "write it in quotation marks"
        }
        _ if is_of_linux => "config-linux.md of the runtime-spec gives the type of each field",
        _ => "config.md of the runtime-spec gives the type of each field",
    }
}

/// What serde says of a wrong type, without the names of Rust's types.
fn in_words(text: &str) -> String {
    let parts = text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: "));
    let Some((found, wanted)) = parts.and_then(|parts| parts.rsplit_once(", expected ")) else {
        return text.to_owned();
    };
    let found = match found {
        "map" => "an object",
        "sequence" => "a list",
        // `integer `5``, `string "x"`: the value is enough.
        _ => found.find(['`', '"']).map_or(found, |at| found[at..].trim_matches('`')),
    };
    let range = |least: i32, most: u32| format!("a whole number from {least} to {most}");
    let wanted = match wanted {
        "a sequence" => "a list".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "u8" => range(0, u8::MAX.into()),
        "u16" => range(0, u16::MAX.into()),
        "u32" => range(0, u32::MAX),
        "i32" => range(i32::MIN, i32::MAX as u32),
        "u64" => "a whole number that is not negative".to_owned(),
        "i64" => "a whole number".to_owned(),
        _ if wanted == "a map" || wanted.starts_with("struct ") => "an object".to_owned(),
        _ => wanted.to_owned(),
    };
    format!("must be {wanted}, not {found}")
}
