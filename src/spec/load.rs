//! From bytes to types. Only when that fails is the place in the text turned into a JSON pointer, so that the
//! message names the field instead of "line 1 column 730".

use super::locate::{pointer_at, read_until};
use super::objects::Objects;
use crate::error::{Error, Kind, Result};
use serde::Deserialize;

/// Parses `bytes` as `T`; `name` is what the reader calls the input ("config.json").
pub fn parse<'a, T: Deserialize<'a>>(name: &str, bytes: &'a [u8]) -> Result<T> {
    read(bytes).map_err(|error| explain(name, bytes, &error))
}

/// The same for a file of our own: a message about its fields would help no reader. Everything is read by this one kind of
/// deserializer: another would be a second copy of every parser.
pub fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    let mut text = serde_json::Deserializer::from_slice(bytes);
    T::deserialize(Objects(&mut text)).and_then(|value| text.end().map(|()| value))
}

fn explain(name: &str, bytes: &[u8], error: &serde_json::Error) -> Error {
    if error.is_syntax() || error.is_eof() {
        return Error::new(format!("{name} is not valid JSON: {error}"))
            .kind(Kind::Config)
            .remedy("check the file, for example with `jq .`");
    }
    let pointer = pointer_at(bytes, read_until(bytes, error.line(), error.column()));
    let text = error.to_string();
    // The line and column say less than the pointer.
    let text = text.rsplit_once(" at line ").map_or(&*text, |(text, _)| text);
    let twice = text.strip_prefix("duplicate field ").map(|name| name.trim_matches('`'));
    let error = match twice {
        Some(name) => Error::new(format!("the field {name:?} stands twice")).remedy("remove one of the two"),
        None => {
            Error::new(in_words(text)).remedy("config.md of the runtime-spec gives the type of each field")
        }
    };
    let error = error.kind(Kind::Config).doing(name.to_owned());
    if pointer.is_empty() { error } else { error.field(pointer) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    #[test]
    fn a_wrong_type_is_told_in_words() {
        for (text, wanted) in [
            (r#"{"hostname": 5}"#, "x.json: /hostname must be a string, not 5 ("),
            (r#"{"hostname": true}"#, "must be a string, not true ("),
            (
                r#"{"process": {"user": {"uid": -1}}}"#,
                "must be a whole number from 0 to 4294967295, not -1 (",
            ),
            (r#"{"process": {"user": {"uid": "root"}}}"#, "from 0 to 4294967295, not \"root\" ("),
            (r#"{"process": {"user": {"uid": 1.5}}}"#, "from 0 to 4294967295, not 1.5 ("),
            (r#"{"process": {"terminal": "yes"}}"#, "/process/terminal must be true or false, not \"yes\" ("),
            (r#"{"process": []}"#, "must be an object, not a list ("),
            (r#"{"mounts": {}}"#, "must be a list, not an object ("),
            (r#"{"process": {"cwd": "/", "cwd": "/"}}"#, "the field \"cwd\" stands twice (remove one"),
            ("[1]", "x.json: must be an object, not a list ("),
            ("{", "x.json is not valid JSON: "),
        ] {
            let error = parse::<Spec>("x.json", text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
